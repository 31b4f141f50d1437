"""Versions of a model told apart by their own answers, on logs whose truth is known."""

from __future__ import annotations

import sys
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pandas as pd

from finops_dagster.domain.decisions import Abstained
from finops_dagster.domain.models import Check
from finops_dagster.responsible_ai import ModelSpec
from finops_dagster.responsible_ai.remedies.versions import (
    History,
    Span,
    history,
    spans_of,
    wanted_days,
)

sys.path.insert(0, str(Path(__file__).parent))
from worlds import AS_OF, log

SPEC = ModelSpec("m", "classification", ("a", "b"), ("g",))
FAIR, QUALITY = frozenset({Check.FAIRNESS}), frozenset({Check.QUALITY})


def worlds(*parts: tuple[str, int, int, dict[str, Any]]) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Parts of logs (version, days ago it began, days ago it ended, faults), one after another."""
    answers, truths = [], []
    for seed, (version, first, last, faults) in enumerate(parts):
        predictions, labels = log(seed, days=60, **faults)
        since, until = AS_OF - timedelta(days=first), AS_OF - timedelta(days=last)
        kept = predictions[(predictions["day"] >= since) & (predictions["day"] <= until)].copy()
        for frame in (kept, labels):
            frame["prediction_id"] = f"{version}-" + frame["prediction_id"].astype(str)
        kept["model_version"] = version
        answers.append(kept)
        truths.append(labels[labels["prediction_id"].isin(kept["prediction_id"])])
    return pd.concat(answers), pd.concat(truths)


def told(
    *parts: tuple[str, int, int, dict[str, Any]], breached: frozenset[Check] = FAIR
) -> History:
    predictions, labels = worlds(*parts)
    rows = [
        {"version": version, "day": day, "answers": len(own)}
        for (version, day), own in predictions.groupby(["model_version", "day"])
    ]
    found = history(predictions, labels, spans_of(rows), SPEC, breached, as_of=AS_OF, seed=1)
    assert isinstance(found, History)
    return found


def test_an_unfair_release_after_a_fair_one() -> None:
    """Harm: an earlier version is called compliant, or the harm older than it is."""
    found = told(("1", 59, 20, {}), ("2", 19, 0, {"bias": 2.0}))
    assert (found.running.version, found.began_with_it, found.shares_traffic) == ("2", True, False)
    (earlier,) = found.earlier
    assert (earlier.span.version, earlier.compliant) == ("1", True)
    assert (earlier.judged_first, earlier.judged_last) == (
        AS_OF - timedelta(days=26), AS_OF - timedelta(days=20),
    )  # fmt: skip
    assert found.last_compliant() == earlier


def test_a_version_before_that_was_unfair_as_well() -> None:
    """Harm: people are moved from one unfair version to another."""
    found = told(("1", 59, 40, {}), ("2", 39, 20, {"bias": 2.0}), ("3", 19, 0, {"bias": 2.0}))
    assert [one.compliant for one in found.earlier] == [True, False]
    last = found.last_compliant()
    assert last is not None
    assert last.span.version == "1"


def test_a_version_that_was_fair_at_first() -> None:
    """Harm: a change in the world is blamed on the version it happened to meet."""
    found = told(("1", 59, 30, {}), ("2", 29, 0, {}))
    assert found.began_with_it is False


def test_a_canary_shares_the_traffic() -> None:
    """Harm: a version that still answers is taken for one that was replaced."""
    assert told(("1", 59, 0, {}), ("2", 5, 0, {"bias": 2.0})).shares_traffic


def test_quality_is_held_against_the_running_version() -> None:
    """Harm: an older version that was no better is put back."""
    worse = told(("1", 59, 7, {}), ("2", 6, 0, {"decay": 0.4}), breached=QUALITY)
    assert (worse.began_with_it, worse.earlier[0].compliant) == (True, True)
    same = told(("1", 59, 7, {}), ("2", 6, 0, {}), breached=QUALITY)
    assert (same.began_with_it, same.earlier[0].compliant) == (False, False)
    assert same.earlier[0].reason == "the running version is no worse than it was"


def test_what_cannot_be_told() -> None:
    """Harm: a version is called compliant because nobody has looked."""
    predictions, labels = worlds(("2", 19, 0, {}))
    gone = Span("1", AS_OF - timedelta(days=90), AS_OF - timedelta(days=20), 9)
    running = Span("2", AS_OF - timedelta(days=19), AS_OF, 9)
    found = history(predictions, labels, [running, gone], SPEC, FAIR, as_of=AS_OF, seed=1)
    assert isinstance(found, History)
    assert (found.earlier[0].compliant, found.earlier[0].reason) == (
        None, "its answers are not kept",
    )  # fmt: skip
    assert found.last_compliant() is None
    unlabelled = history(predictions, None, [running, gone], SPEC, QUALITY, as_of=AS_OF, seed=1)
    assert isinstance(unlabelled, History)
    assert unlabelled.began_with_it is None
    nothing = history(predictions, labels, [], SPEC, FAIR, as_of=AS_OF, seed=1)
    assert isinstance(nothing, Abstained)


def test_no_look_ahead() -> None:
    """Harm: a day that is decided again knows of a version that came later."""
    predictions, labels = worlds(("1", 59, 20, {}), ("2", 19, 0, {"bias": 2.0}))
    spans = [
        Span("1", AS_OF - timedelta(days=59), AS_OF - timedelta(days=20), 1),
        Span("2", AS_OF - timedelta(days=19), AS_OF, 1),
    ]
    before = AS_OF - timedelta(days=20)
    found = history(predictions, labels, spans, SPEC, FAIR, as_of=before, seed=1)
    assert isinstance(found, History)
    assert found.running.version == "1"


def test_only_the_days_that_are_looked_at_are_asked_for() -> None:
    """Harm: a year of a large log is read for two weeks of it."""
    spans = [
        Span("1", date(2026, 1, 1), date(2026, 5, 1), 1),
        Span("2", date(2026, 5, 2), AS_OF, 1),
    ]
    assert wanted_days(spans, 7, 28) == [
        (date(2026, 3, 28), date(2026, 5, 1)),
        (date(2026, 5, 2), date(2026, 5, 8)),
    ]
    assert wanted_days([], 7, 28) == []
    assert spans_of([{"version": None, "day": AS_OF, "answers": 3}]) == []
