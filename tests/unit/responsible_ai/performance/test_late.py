"""Quality before labels arrive: near the truth where inputs moved, loud where the world did."""

from __future__ import annotations

import sys
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from finops_dagster.domain.decisions import Abstained
from finops_dagster.domain.models import Check
from finops_dagster.responsible_ai.performance.breaches import breaches_of, trusted
from finops_dagster.responsible_ai.performance.late import estimate_quality
from finops_dagster.responsible_ai.performance.results import EstimatedQuality, EstimateRecord

sys.path.insert(0, str(Path(__file__).parent))
from late_worlds import AS_OF, FEATURES, late_log

LIMITS: dict[str, Any] = {"accuracy_drop": 0.05, "error_growth": 0.2}


def estimated(
    predictions: pd.DataFrame, labels: pd.DataFrame | None, **given: Any
) -> EstimatedQuality | Abstained | None:
    asked: dict[str, Any] = {
        "model": "m", "task": "classification", "features": FEATURES, "as_of": AS_OF,
        "reference_days": 28, "analysis_days": 7, "seed": 3, **given,
    }  # fmt: skip
    return estimate_quality(predictions, labels, **asked)


def sure(found: EstimatedQuality | Abstained | None) -> EstimatedQuality:
    assert isinstance(found, EstimatedQuality), found
    return found


def realised(predictions: pd.DataFrame, truth: pd.Series[float], days: int = 7) -> float:
    last = (predictions["day"] > AS_OF - timedelta(days=days)).to_numpy()
    right = (predictions["prediction"] > 0.5) == (truth > 0.5)
    return float(right[last].mean())


@pytest.mark.parametrize("shift", [0.0, 1.0])
def test_accuracy_is_near_what_labels_say_later_where_only_inputs_move(shift: float) -> None:
    """An estimate that needs inputs to stand still is of no use when it is needed."""
    errors, held = [], 0
    for seed in range(5):
        predictions, labels, truth = late_log(seed, shift=shift, per_day=400, days=45)
        found = sure(estimated(predictions, labels))
        came = realised(predictions, truth)
        errors.append(found.estimate.value - came)
        held += (found.estimate.low or 0) <= came <= (found.estimate.high or 1)
    assert abs(np.mean(errors)) < 0.012
    assert np.abs(errors).max() < 0.04
    assert held >= 3  # of five; of thirty worlds, 29 and 27 were held


def test_confidence_as_it_comes_would_have_been_wrong() -> None:
    """Calibration is what does it: this model is too sure of itself by planting."""
    predictions, labels, truth = late_log(1, shift=1.0, per_day=400)
    last = (predictions["day"] > AS_OF - timedelta(days=7)).to_numpy()
    naive = float(
        np.maximum(predictions["probability"], 1 - predictions["probability"])[last].mean()
    )
    came = realised(predictions, truth)
    assert naive - came > 0.05
    assert abs(sure(estimated(predictions, labels)).estimate.value - came) < 0.03


def test_inputs_that_became_harder_are_a_breach_that_its_record_bears() -> None:
    """The drop is real, foreseen before labels come, and past estimates held: it may stop."""
    predictions, labels, truth = late_log(2, shift=3.0, per_day=400)
    found = sure(estimated(predictions, labels))
    assert realised(predictions, truth) < found.reference.value - 0.1
    (breach,) = breaches_of(None, found, None, **LIMITS)
    assert breach.check is Check.ESTIMATED_QUALITY
    assert isinstance(found.record, EstimateRecord)
    assert found.record.coverage >= 0.8
    assert abs(found.record.bias) < 0.02
    assert trusted(found, 0.05)
    assert breach.grade == "fail"
    assert breach.since == date(2026, 5, 25)


def test_an_estimate_whose_past_is_unknown_warns_at_most() -> None:
    """Nothing may be stopped by a number that has never been held against the truth."""
    predictions, labels, _ = late_log(2, shift=3.0, per_day=400)
    found = replace(
        sure(estimated(predictions, labels)), record=Abstained(subject="m", reason="none")
    )
    (breach,) = breaches_of(None, found, None, **LIMITS)
    assert breach.grade == "warn"
    assert "does not bear more than a warning" in breach.reason


def test_concept_drift_shows_in_the_record_as_soon_as_labels_come() -> None:
    """Where the world turned, the estimate says all is well; its record must say it is not."""
    predictions, labels, truth = late_log(4, concept=0.4, concept_days=14, delay=7)
    found = sure(estimated(predictions, labels))
    assert found.estimate.value - realised(predictions, truth) > 0.1
    assert isinstance(found.record, EstimateRecord)
    assert found.record.past[-1].error > 0.05
    assert not found.record.past[-1].held
    assert any("may have moved" in doubt for doubt in found.doubts)
    assert not trusted(found, 0.05)


def test_a_sound_world_raises_no_doubt_and_no_breach() -> None:
    """An estimate that cries wolf is switched off."""
    doubted, broken = 0, 0
    for seed in range(10, 16):
        found = sure(estimated(*late_log(seed)[:2]))
        doubted += bool(found.doubts)
        broken += bool(breaches_of(None, found, None, **LIMITS))
    assert doubted <= 1
    assert broken == 0


def test_nothing_that_came_later_is_looked_at() -> None:
    """Past estimates are made of the labels known then: corrupting later ones changes none."""
    predictions, labels, _ = late_log(5)
    then = AS_OF - timedelta(days=12)
    made = sure(estimated(predictions, labels, as_of=then))
    after = labels["day"] > then
    spoiled = labels.assign(label=labels["label"].where(~after, 1 - labels["label"]))
    again = sure(estimated(predictions, spoiled, as_of=then))
    assert made == again
    record = sure(estimated(predictions, labels)).record
    assert isinstance(record, EstimateRecord)
    past = record.past[-1]
    assert past.last < AS_OF - timedelta(days=9)
    then_made = sure(estimated(predictions, labels, as_of=past.last))
    assert then_made.estimate == past.estimate


def test_error_of_a_regressor_is_foreseen_where_inputs_move_to_where_it_errs_more() -> None:
    """Mean absolute error doubles here, by inputs alone."""
    predictions, labels, truth = late_log(6, task="regression", shift=0.3, per_day=200)
    found = sure(estimated(predictions, labels, task="regression"))
    last = (predictions["day"] > AS_OF - timedelta(days=7)).to_numpy()
    came = float(np.abs(predictions["prediction"] - truth)[last].mean())
    assert came > 1.15 * found.reference.value
    assert abs(found.estimate.value - came) < 0.1 * came
    assert isinstance(found.record, EstimateRecord)
    assert found.record.coverage >= 0.75


def test_labels_that_are_here_are_not_estimated() -> None:
    predictions, labels, _ = late_log(7, delay=0)
    assert estimated(predictions, labels) is None


def test_a_new_version_is_doubted_and_not_judged_by_the_old_one_in_silence() -> None:
    found = sure(estimated(*late_log(8, versions=2)[:2]))
    assert found.doubts == (
        "version 2 answers now, and 0 of its answers have a label: the estimate rests on versions "
        "before it",
    )
    assert not trusted(found, 0.05)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"probability": np.nan}, "100% of the answers have no probability in [0, 1]"),
        ({"probability": 1.7}, "100% of the answers have no probability in [0, 1]"),
        ({"probability": 0.3}, "the model says 0.3 of all labelled answers, whatever it is given"),
        ({"prediction": np.inf}, "no answer of the days judged has a value"),
    ],
)
def test_what_cannot_be_estimated_says_why(change: dict[str, float], reason: str) -> None:
    """A guess without its ground would be believed."""
    predictions, labels, _ = late_log(9)
    found = estimated(predictions.assign(**change), labels)
    assert found == Abstained(subject="m", reason=f"quality without labels: {reason}")


def test_too_few_labels_one_class_and_labels_that_come_too_late_say_why() -> None:
    predictions, labels, _ = late_log(9)
    few = estimated(predictions, labels.iloc[::20])
    assert isinstance(few, Abstained)
    assert "labelled answers before the days judged, 200 are needed" in few.reason
    one = estimated(predictions, labels.assign(label=1.0))
    assert isinstance(one, Abstained)
    assert "all labels are of one class" in one.reason
    late = estimated(*late_log(9, delay=40)[:2])
    assert isinstance(late, Abstained)
    assert "more than 28 days ago" in late.reason
    never = estimated(predictions, None)
    assert isinstance(never, Abstained)
    assert never.reason == "quality without labels: no label has arrived"
    drifted = estimated(predictions, labels, concept_drift="errors of b rose")
    assert isinstance(drifted, Abstained)
    assert drifted.reason == (
        "quality without labels: what is true for the same inputs has moved: errors of b rose"
    )
    silent = estimated(predictions[predictions["day"] < date(2026, 5, 1)], labels)
    assert isinstance(silent, Abstained)
    assert silent.reason.startswith("the model logged no prediction")


def test_ten_thousand_categories_and_unseen_ones_are_borne_and_doubted() -> None:
    predictions, labels, _ = late_log(11)
    words = [[("a", f"w{row}")] for row in range(len(predictions))]
    found = sure(estimated(predictions.assign(categories=words), labels))
    assert 0 < found.estimate.value < 1
