"""Everything judged of one monitored model, in one call: windows, checks, gate and pages.

The order of things only; each judgement is made in its own module.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from pathlib import Path

import pandas as pd

from finops_dagster.domain.decisions import Abstained, GateResult
from finops_dagster.responsible_ai.drift.judging import judge_drift
from finops_dagster.responsible_ai.fairness.judging import SMALLEST_GROUP
from finops_dagster.responsible_ai.gate import GateLimits, gate
from finops_dagster.responsible_ai.logs import judge_log
from finops_dagster.responsible_ai.outcomes import judge_outcomes
from finops_dagster.responsible_ai.page import write_model_page
from finops_dagster.responsible_ai.results import (
    DriftOptions,
    DriftResult,
    FairnessResult,
    PerformanceResult,
)
from finops_dagster.responsible_ai.spec import ModelSpec, Pair, labelled_windows, windows_of
from finops_dagster.responsible_ai.versions import VersionJudgement, judge_versions
from finops_dagster.responsible_ai.windows import BLOCK, ModelWindow, joinable_labels


@dataclass(frozen=True)
class ModelJudgement:
    """One model judged for one day. A part that could not be judged says why."""

    model: str
    as_of: date
    gate: GateResult
    drift: DriftResult | Abstained
    fairness: FairnessResult | Abstained
    performance: PerformanceResult | Abstained
    versions: tuple[VersionJudgement, ...]
    page: Path
    """The page for people; it links Evidently's report where there is one."""
    evidently: Path | None


def judge_model(
    predictions: pd.DataFrame,
    labels: pd.DataFrame | None,
    spec: ModelSpec,
    *,
    as_of: date,
    seed: int,
    folder: Path,
    options: DriftOptions | None = None,
    limits: GateLimits | None = None,
    smallest_group: int = SMALLEST_GROUP,
) -> ModelJudgement:
    """Judge `spec` for `as_of` and write `model.html` and `drift.html` into `folder`.

    Frames are rows of fct_model_predictions and fct_model_labels, of any models and of the days of
    `spec.spans`, so that labels which arrive late can be waited for. Drift and quality compare the
    analysis window with the reference window. Where labels arrive late, quality and error rates
    are of the newest window that has them.
    """
    logged = judge_log(
        predictions,
        labels,
        model=spec.name,
        as_of=as_of,
        analysis_days=spec.analysis_days,
        looked_at=spec.days,
    )
    labels, told = joinable_labels(predictions, labels, spec.name)
    versions = judge_versions(
        predictions,
        labels,
        spec,
        as_of=as_of,
        seed=seed,
        limits=limits,
        smallest_group=smallest_group,
    )
    windows = windows_of(predictions, labels, spec, as_of)
    if isinstance(windows, Abstained):
        judged = gate(spec.name, windows, limits=limits, others=logged)
        page = write_model_page(
            folder / "model.html",
            spec.name,
            judged,
            drift=windows,
            fairness=windows,
            performance=windows,
            versions=versions,
        )
        return ModelJudgement(
            spec.name, as_of, judged, windows, windows, windows, versions, page, None
        )
    reference, analysis = windows
    evidently = folder / "drift.html"
    drift = judge_drift(
        spec.name,
        reference.drift_frame(),
        analysis.drift_frame(),
        block=BLOCK,
        seed=seed,
        options=options,
        html=evidently,
    )
    labelled = labelled_windows(predictions, labels, spec, as_of)
    outcomes = judge_outcomes(spec, windows, labelled, seed=seed, smallest_group=smallest_group)
    judged = gate(
        spec.name,
        drift,
        outcomes.fairness,
        outcomes.performance,
        limits,
        others=logged,
        answers=outcomes.answers,
        labelled=outcomes.labelled,
    )
    has_report = isinstance(drift, DriftResult)
    page = write_model_page(
        folder / "model.html",
        spec.name,
        judged,
        drift=drift,
        fairness=outcomes.fairness,
        performance=outcomes.performance,
        versions=versions,
        evidently=evidently.name if has_report else None,
        windows="; ".join((*_described(windows, labelled, spec), *told)),
    )
    return ModelJudgement(
        spec.name,
        as_of,
        judged,
        drift,
        outcomes.fairness,
        outcomes.performance,
        versions,
        page,
        evidently if has_report else None,
    )


def _described(windows: Pair, labelled: Pair | Abstained, spec: ModelSpec) -> tuple[str, ...]:
    """Which days are compared with which, as clauses."""
    told = [_span(*windows)]
    if spec.reference is not None:
        told.append(f"the reference is fixed: {spec.reference.reason}")
    if not isinstance(labelled, Abstained) and labelled[1].last != windows[1].last:
        told.append(f"errors, as labels arrive late: {_span(*labelled)}")
    return tuple(told)


def _span(reference: ModelWindow, analysis: ModelWindow) -> str:
    return (
        f"{analysis.first} to {analysis.last} ({analysis.rows:,} answers) against "
        f"{reference.first} to {reference.last} ({reference.rows:,} answers)"
    )
