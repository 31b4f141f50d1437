"""Which versions of a model answered, and whether each was within its limits while it did.

So that a roll back can name the last version that was; what is rolled back is decided elsewhere.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import date, timedelta

import pandas as pd

from finops_dagster.domain.decisions import Abstained, GateResult
from finops_dagster.responsible_ai.fairness.judging import SMALLEST_GROUP
from finops_dagster.responsible_ai.gate import GateLimits, gate
from finops_dagster.responsible_ai.outcomes import judge_outcomes
from finops_dagster.responsible_ai.results import Grade
from finops_dagster.responsible_ai.spec import ModelSpec, windows_of
from finops_dagster.responsible_ai.windows import newest_labelled, versions_of

MIN_ANSWERS = 100
"""Answers of a version under which its gate is not asked, as for drift."""
MOST_VERSIONS = 12
"""Versions judged, those that answered last: a log may name each build."""


@dataclass(frozen=True)
class VersionJudgement:
    """One version that answered in the days looked at."""

    version: str
    first: date
    last: date
    rows: int
    current: bool
    """It answered in the window that the model was judged in."""
    gate: Grade | None
    """Of its own answers in its last days; None where `reasons` tell why there is none."""
    reasons: tuple[str, ...]


def judge_versions(
    predictions: pd.DataFrame,
    labels: pd.DataFrame | None,
    spec: ModelSpec,
    *,
    as_of: date,
    seed: int,
    limits: GateLimits | None = None,
    smallest_group: int = SMALLEST_GROUP,
) -> tuple[VersionJudgement, ...]:
    """Judge each version by its own answers in its last days, as on its last day; newest first.

    Fairness and quality only: that inputs moved, or that the log has gaps, is no fault of a
    version. Frames as for `judge_model`, labels those that can be joined.
    """
    own = predictions[predictions["model"] == spec.name]
    own = own.assign(day=pd.to_datetime(own["day"]).dt.date)
    own = own[own["day"] <= as_of]
    parts = {str(name): rows for name, rows in own.groupby(versions_of(own)) if name}
    spans = {name: (rows["day"].min(), rows["day"].max()) for name, rows in parts.items()}
    newest_first = sorted(spans, key=lambda name: (*reversed(spans[name]), name), reverse=True)
    start = as_of - timedelta(days=spec.analysis_days - 1)
    judged = []
    for version in newest_first[:MOST_VERSIONS]:
        rows, (first, last) = parts[version], spans[version]
        result: Grade | None = None
        reasons: tuple[str, ...] = (
            f"its {len(rows)} answers are too few: {MIN_ANSWERS} are needed",
        )
        if len(rows) >= MIN_ANSWERS:
            # it may be compared with what another version said; what is judged is its own
            frame = pd.concat([own[own["day"] < first], rows])
            said = _gate(version, rows, frame, labels, spec, seed, limits, smallest_group)
            result, reasons = said.result, said.reasons
        judged.append(
            VersionJudgement(version, first, last, len(rows), last >= start, result, reasons)
        )
    return tuple(judged)


def _gate(
    version: str,
    rows: pd.DataFrame,
    frame: pd.DataFrame,
    labels: pd.DataFrame | None,
    spec: ModelSpec,
    seed: int,
    limits: GateLimits | None,
    smallest_group: int,
) -> GateResult:
    """Of `rows`, its answers; `frame` has what was answered before it too."""
    first, last = rows["day"].min(), rows["day"].max()

    def own_days(end: date) -> ModelSpec:
        return replace(spec, analysis_days=min(spec.analysis_days, (end - first).days + 1))

    windows = windows_of(frame, labels, own_days(last), last)
    if isinstance(windows, Abstained):
        return gate(version, fairness=windows, performance=windows)
    newest = newest_labelled(
        rows, labels, model=spec.name, as_of=last, reference_days=spec.reference_days
    )
    labelled = (
        newest
        if isinstance(newest, Abstained)
        else windows_of(frame, labels, own_days(newest), newest)
    )
    found = judge_outcomes(spec, windows, labelled, seed=seed, smallest_group=smallest_group)
    return gate(
        version,
        fairness=found.fairness,
        performance=found.performance,
        limits=limits,
        answers=found.answers,
        labelled=found.labelled,
    )
