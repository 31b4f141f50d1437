"""What a gate says is breached, which days are looked at, which version was within its limits."""

from __future__ import annotations

import math
import sys
from datetime import date, timedelta
from pathlib import Path

import pandas as pd
from hypothesis import given
from hypothesis import strategies as st

from finops_dagster.domain.decisions import Abstained, GateResult
from finops_dagster.domain.models import Breach, Check
from finops_dagster.responsible_ai import (
    FixedReference,
    ModelSpec,
    PerformanceResult,
    gate,
    judge_versions,
    model_windows,
)
from finops_dagster.responsible_ai.logs import judge_log
from finops_dagster.responsible_ai.results import Interval, Seen
from finops_dagster.responsible_ai.spec import windows_of

sys.path.insert(0, str(Path(__file__).parent))
from worlds import AS_OF, log

SPEC = ModelSpec("m", "classification", ("a", "b"), ("g",))


def lost(worsening: Interval, metric: str = "accuracy") -> PerformanceResult:
    return PerformanceResult(
        "m", metric, Interval(0.8), Interval(0.7), worsening, None, None, 500, 500  # type: ignore[arg-type]
    )  # fmt: skip


def test_a_breach_says_what_of_whom_since_when_and_how_much() -> None:
    """A remedy that is told only words cannot name the version to leave."""
    seen = Seen(date(2026, 5, 25), "2.1.0")
    found = gate("m", performance=lost(Interval(0.1, 0.07, 0.13)), labelled=seen)
    (one,) = found.breaches
    assert (one.check, one.grade, one.segment) == (Check.QUALITY, "fail", "all")
    assert (one.since, one.version) == (date(2026, 5, 25), "2.1.0")
    assert one.figures["worsening"] == 0.1
    assert one.figures["worsening_limit"] == 0.05
    assert found.reasons == (one.reason,)
    assert found.result == "fail"


def test_reasons_are_those_of_breaches_and_of_what_could_not_be_judged() -> None:
    """Two sources for what is said drift apart."""
    soft = Breach(check=Check.ENERGY, grade="warn", reason="it uses more than it did")
    hard = Breach(check=Check.LOGGING, grade="fail", reason="it says nothing")
    refused = Abstained(subject="m", reason="no label has arrived")
    found = gate("m", performance=refused, others=(soft, hard))
    assert found.reasons == (
        "it says nothing",
        "quality could not be judged: no label has arrived",
        "it uses more than it did",
    )
    assert found.breaches == (hard, soft)


def test_a_figure_without_bound_is_read_back() -> None:
    """JSON has no infinity: a day that cannot be read again is lost."""
    found = gate("m", performance=lost(Interval(math.inf), "mean_absolute_error"))
    assert found.result == "warn"
    assert "worsening" not in found.breaches[0].figures
    assert GateResult.model_validate_json(found.model_dump_json()) == found


def test_fixed_days_are_compared_with_whatever_day_is_judged() -> None:
    """A rolling reference forgets a drift once it is older than the window."""
    predictions, labels = log(1)
    fixed = FixedReference(AS_OF - timedelta(days=59), AS_OF - timedelta(days=46), "validated")
    spec = ModelSpec("m", "classification", ("a", "b"), ("g",), reference=fixed)
    found = windows_of(predictions, labels, spec, AS_OF)
    assert not isinstance(found, Abstained)
    assert (found[0].first, found[0].last) == (fixed.first, fixed.last)
    assert found[0].rows == 14 * 120


def test_fixed_days_that_are_yet_to_come_are_not_looked_at() -> None:
    """A replay that is compared with the future proves nothing."""
    predictions, labels = log(1)
    said = {"model": "m", "features": ("a",), "protected": (), "reference_days": 28,
            "analysis_days": 7, "as_of": AS_OF}  # fmt: skip
    half = model_windows(
        predictions, labels, **said,
        reference=(AS_OF - timedelta(days=20), AS_OF + timedelta(days=5)),
    )  # fmt: skip
    assert not isinstance(half, Abstained)
    assert half[0].last == AS_OF - timedelta(days=7)
    none = model_windows(predictions, labels, **said, reference=(AS_OF, AS_OF + timedelta(days=20)))
    assert isinstance(none, Abstained)
    assert "is not before the days judged" in none.reason


@given(st.integers(0, 900), st.integers(0, 60))
def test_every_day_that_is_judged_is_read_once(back: int, length: int) -> None:
    """A day that is read twice counts its people twice; one that is not read is not judged."""
    last = AS_OF - timedelta(days=back)
    fixed = FixedReference(last - timedelta(days=length), last, "why")
    spec = ModelSpec("m", "classification", ("a",), reference=fixed)
    days = [
        first + timedelta(days=place)
        for first, end in spec.spans(AS_OF)
        for place in range((end - first).days + 1)
    ]
    assert len(days) == len(set(days))
    assert days == sorted(days)
    assert {fixed.first, fixed.last, AS_OF, AS_OF - timedelta(days=62)} <= set(days)
    assert max(days) == AS_OF


def test_the_version_before_an_unfair_one_is_named_as_within_its_limits() -> None:
    """A roll back to a version that was no better mends nothing."""
    old, old_labels = log(1)
    new, new_labels = log(2, bias=1.5)
    since = AS_OF - timedelta(days=13)
    new["prediction_id"] = "n" + new["prediction_id"]
    new_labels["prediction_id"] = "n" + new_labels["prediction_id"]
    new["model_version"] = "2"
    answers = pd.concat([old[old["day"] < since], new[new["day"] >= since]])
    found = judge_versions(answers, pd.concat([old_labels, new_labels]), SPEC, as_of=AS_OF, seed=1)
    assert [(one.version, one.gate, one.current) for one in found] == [
        ("2", "fail", True),
        ("1", "pass", False),
    ]
    assert (found[0].first, found[0].rows) == (since, 14 * 120)
    assert (found[1].last, found[1].rows) == (since - timedelta(days=1), 46 * 120)


def test_a_version_of_few_answers_is_not_judged() -> None:
    """Ninety-nine answers of a canary clear nobody and accuse nobody."""
    predictions, labels = log(1)
    predictions.loc[predictions.index[-99:], "model_version"] = "canary"
    found = {one.version: one for one in judge_versions(
        predictions, labels, SPEC, as_of=AS_OF, seed=1)}  # fmt: skip
    assert found["canary"].gate is None
    assert found["canary"].reasons == ("its 99 answers are too few: 100 are needed",)


def told(answered: dict[int, int], days: int = 60) -> list[str]:
    """Checks of a log of 20 answers a day; `answered`: days back -> answers of that day."""
    rows = [
        {"day": AS_OF - timedelta(days=back), "model": "m", "prediction_id": f"{back}-{n}"}
        for back in range(days)
        for n in range(answered.get(back, 20))
    ]
    frame = pd.DataFrame(rows)
    found = judge_log(frame, None, model="m", as_of=AS_OF, analysis_days=7, looked_at=63)
    assert {one.check for one in found} <= {Check.LOGGING}
    return [one.reason for one in found]


def test_silence_is_measured_by_what_was_usual() -> None:
    """A weekly batch is no model that stopped, and one that stopped is no weekly batch."""
    weekly = {back: 0 for back in range(60) if back % 7}
    assert told(weekly) == []
    assert told({}) == []
    (stopped,) = told({0: 0, 1: 0})
    assert (
        stopped == "it has logged no answer since 2026-05-30; the longest silence before was 0 days"
    )
    assert told({0: 0, 1: 0, 20: 0, 21: 0}) == []


def test_far_fewer_answers_are_told_and_a_quiet_season_is_not() -> None:
    """Half of the quietest week there was is no week like any other."""
    (fewer,) = told(dict.fromkeys(range(7), 9))
    assert fewer.startswith("it logged 63 answers in 7 days, far fewer than the 140")
    assert told(dict.fromkeys(range(7), 11)) == []
    assert told(dict.fromkeys(range(7), 9) | dict.fromkeys(range(20, 27), 9)) == []


def test_a_young_log_has_nothing_that_is_usual() -> None:
    """A model in its first week has no past that it could fall behind."""
    assert told({0: 0}, days=8) == []
