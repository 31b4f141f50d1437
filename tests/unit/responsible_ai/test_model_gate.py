"""One monitored model, judged as a whole: faults turn its gate, a healthy model passes."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from finops_dagster.domain.decisions import Abstained
from finops_dagster.responsible_ai import GateLimits, ModelJudgement, ModelSpec, gate, judge_model
from finops_dagster.responsible_ai.results import FairnessResult, PerformanceResult

sys.path.insert(0, str(Path(__file__).parent))
from worlds import AS_OF, log

SPEC = ModelSpec("m", "classification", ("a", "b"), ("g",))


@pytest.fixture(autouse=True)
def _no_telemetry(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DO_NOT_TRACK", "1")


def judged(folder: Path, spec: ModelSpec = SPEC, seed: int = 1, **world: Any) -> ModelJudgement:
    predictions, labels = log(seed, **world)
    return judge_model(predictions, labels, spec, as_of=AS_OF, seed=seed, folder=folder)


def test_a_healthy_model_passes_over_several_worlds(tmp_path: Path) -> None:
    """A gate that stops healthy models gets switched off."""
    results = [judged(tmp_path, seed=seed).gate.result for seed in range(8)]
    assert results.count("pass") >= 7
    assert "fail" not in results


def test_a_shifted_input_flips_the_gate(tmp_path: Path) -> None:
    """A model that answers questions it never learned must be stopped."""
    found = judged(tmp_path, shift=1.0)
    assert found.gate.result == "fail"
    assert any(reason.startswith("a moved") for reason in found.gate.reasons)


def test_a_biased_model_is_found_with_the_group_named(tmp_path: Path) -> None:
    """A model that turns a group away must be stopped, and the reason must say which."""
    found = judged(tmp_path, bias=1.5)
    assert found.gate.result == "fail"
    assert any("g: b is selected" in reason for reason in found.gate.reasons)


def test_lost_accuracy_flips_the_gate(tmp_path: Path) -> None:
    """Inputs may stay as they were while the world they are about changes."""
    found = judged(tmp_path, decay=0.5)
    assert found.gate.result == "fail"
    assert any("accuracy went from" in reason for reason in found.gate.reasons)


def test_late_labels_are_waited_for(tmp_path: Path) -> None:
    """Labels ten days late must not leave a model unjudged for ever."""
    found = judged(tmp_path, label_delay=10)
    assert isinstance(found.performance, PerformanceResult)
    assert isinstance(found.fairness, FairnessResult)
    assert found.fairness.attributes[0].equalized_odds_difference is not None
    assert any("newest days with labels" in note for note in found.fairness.notes)
    assert found.gate.result == "pass"


@pytest.mark.parametrize("delay", [60, 45])
def test_no_labels_and_labels_too_late_warn_with_the_reason(delay: int, tmp_path: Path) -> None:
    """What could not be judged must never pass in silence."""
    found = judged(tmp_path, label_delay=delay)
    assert isinstance(found.performance, Abstained)
    assert found.gate.result == "warn"
    assert any("quality could not be judged" in reason for reason in found.gate.reasons)


def test_a_model_that_stopped_logging_warns(tmp_path: Path) -> None:
    """A silent model looks like a healthy one."""
    predictions, labels = log(1)
    old = predictions[predictions["day"] < AS_OF.replace(day=1)]
    found = judge_model(old, labels, SPEC, as_of=AS_OF, seed=1, folder=tmp_path)
    assert found.gate.result == "warn"
    assert "logged no prediction" in found.gate.reasons[0]
    assert "Not judged" in found.page.read_text(encoding="utf-8")


def test_what_came_after_the_day_is_not_looked_at(tmp_path: Path) -> None:
    """A replay that sees the future proves nothing."""
    predictions, labels = log(1)
    later = predictions.assign(day=pd.Timestamp("2026-06-05").date(), model="m")
    later["prediction_id"] += "-later"
    both = pd.concat([predictions, later])
    one = judge_model(predictions, labels, SPEC, as_of=AS_OF, seed=1, folder=tmp_path)
    two = judge_model(both, labels, SPEC, as_of=AS_OF, seed=1, folder=tmp_path)
    assert (one.gate, one.drift, one.fairness) == (two.gate, two.drift, two.fairness)


def test_a_regressor_with_unequal_errors_is_found(tmp_path: Path) -> None:
    """A forecast twice as wrong for one group harms that group."""
    spec = ModelSpec("m", "regression", ("a", "b"), ("g",))
    fair = judged(tmp_path, spec, task="regression")
    unfair = judged(tmp_path, spec, task="regression", bias=1.0)
    assert fair.gate.result == "pass"
    assert unfair.gate.result == "fail"
    assert any("error of one group" in reason for reason in unfair.gate.reasons)


def test_a_model_without_protected_groups_may_pass(tmp_path: Path) -> None:
    """A forecast of parcels bears no groups; to warn for ever would teach to look away."""
    found = judged(tmp_path, ModelSpec("m", "classification", ("a", "b")))
    assert found.gate.result == "pass"


def test_limits_move_the_verdict(tmp_path: Path) -> None:
    """A limit that changes nothing is decoration."""
    found = judged(tmp_path, bias=1.5)
    assert isinstance(found.fairness, FairnessResult)
    lax = GateLimits(selection_ratio=0.1, odds_difference=0.9)
    assert gate("m", fairness=found.fairness, limits=lax).result == "pass"
    ignoring = GateLimits(ignore=("g",))
    assert gate("m", fairness=found.fairness, limits=ignoring).result == "pass"


def test_an_empty_gate_warns() -> None:
    """A gate that nobody wired must not be green."""
    assert gate("m").result == "warn"
    assert gate("m", Abstained(subject="m", reason="why")).reasons == (
        "drift could not be judged: why",
    )


def test_the_page_escapes_hostile_groups_and_models(tmp_path: Path) -> None:
    """A group name from a log must not run in the browser of whoever reads of it."""
    hostile = "<img src=x onerror=alert(1)>"
    predictions, labels = log(1, bias=1.5)
    predictions["groups"] = [{"g": hostile if g["g"] == "b" else "a"} for g in
                             predictions["groups"]]  # fmt: skip
    predictions["model"] = labels["model"] = hostile
    spec = ModelSpec(hostile, "classification", ("a", "b"), ("g",))
    found = judge_model(predictions, labels, spec, as_of=AS_OF, seed=1, folder=tmp_path)
    text = found.page.read_text(encoding="utf-8")
    assert "<img" not in text
    assert "&lt;img" in text
    assert "http" not in text
    assert "<script" not in text
