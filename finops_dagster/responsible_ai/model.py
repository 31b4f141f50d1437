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
from finops_dagster.responsible_ai.fairness.judging import judge_fairness, with_errors_of
from finops_dagster.responsible_ai.gate import GateLimits, gate
from finops_dagster.responsible_ai.page import write_model_page
from finops_dagster.responsible_ai.performance.labelled import judge_performance
from finops_dagster.responsible_ai.results import (
    DriftOptions,
    DriftResult,
    FairnessResult,
    PerformanceResult,
    Task,
)
from finops_dagster.responsible_ai.windows import (
    BLOCK,
    ModelWindow,
    joinable_labels,
    model_windows,
    newest_labelled,
)


@dataclass(frozen=True)
class ModelSpec:
    """What a monitored model is, as its owner stated it."""

    name: str
    task: Task
    features: tuple[str, ...]
    protected: tuple[str, ...] = ()
    reference_days: int = 28
    analysis_days: int = 7

    @property
    def days(self) -> int:
        """Days of log that judging it may look at, up to and with the day judged."""
        return 2 * self.reference_days + self.analysis_days


@dataclass(frozen=True)
class ModelJudgement:
    """One model judged for one day. A part that could not be judged says why."""

    model: str
    as_of: date
    gate: GateResult
    drift: DriftResult | Abstained
    fairness: FairnessResult | Abstained
    performance: PerformanceResult | Abstained
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
) -> ModelJudgement:
    """Judge `spec` for `as_of` and write `model.html` and `drift.html` into `folder`.

    Frames are rows of fct_model_predictions and fct_model_labels, of any models and days known by
    then: `spec.days` of them, so that labels which arrive late can be waited for. Drift and
    quality compare the analysis window with the reference window; fairness is over the analysis
    window alone, so that what was mended is not held against a model. Where labels arrive late,
    quality and error rates are of the newest window that has them.
    """
    labels, told = joinable_labels(predictions, labels, spec.name)
    windows = _windows(predictions, labels, spec, as_of)
    evidently = folder / "drift.html"
    if isinstance(windows, Abstained):
        judged = gate(spec.name, windows, limits=limits)
        return _written(spec, as_of, judged, windows, windows, windows, folder, None, "")
    reference, analysis = windows
    drift = judge_drift(
        spec.name,
        reference.drift_frame(),
        analysis.drift_frame(),
        block=BLOCK,
        seed=seed,
        options=options,
        html=evidently,
    )
    fairness = judge_fairness(
        spec.name, analysis.groups, analysis.outcomes, task=spec.task, seed=seed
    )
    labelled = _labelled(predictions, labels, spec, as_of, windows)
    performance: PerformanceResult | Abstained
    if isinstance(labelled, Abstained):
        performance = labelled
    else:
        before, known = labelled
        performance = judge_performance(spec.name, before.outcomes, known.outcomes, task=spec.task)
        if known.last != analysis.last and isinstance(fairness, FairnessResult):
            errors = judge_fairness(
                spec.name, known.groups, known.outcomes, task=spec.task, seed=seed
            )
            fairness = with_errors_of(fairness, errors, f"{known.first} to {known.last}")
    judged = gate(spec.name, drift, fairness, performance, limits)
    return _written(
        spec,
        as_of,
        judged,
        drift,
        fairness,
        performance,
        folder,
        evidently if isinstance(drift, DriftResult) else None,
        "; ".join((_described(windows, labelled), *told)),
    )


def _written(
    spec: ModelSpec,
    as_of: date,
    judged: GateResult,
    drift: DriftResult | Abstained,
    fairness: FairnessResult | Abstained,
    performance: PerformanceResult | Abstained,
    folder: Path,
    evidently: Path | None,
    windows: str,
) -> ModelJudgement:
    page = write_model_page(
        folder / "model.html",
        spec.name,
        judged,
        drift=drift,
        fairness=fairness,
        performance=performance,
        evidently=evidently.name if evidently is not None else None,
        windows=windows,
    )
    return ModelJudgement(
        model=spec.name,
        as_of=as_of,
        gate=judged,
        drift=drift,
        fairness=fairness,
        performance=performance,
        page=page,
        evidently=evidently,
    )


_Pair = tuple[ModelWindow, ModelWindow]


def _windows(
    predictions: pd.DataFrame, labels: pd.DataFrame | None, spec: ModelSpec, end: date
) -> _Pair | Abstained:
    return model_windows(
        predictions,
        labels,
        model=spec.name,
        features=spec.features,
        protected=spec.protected,
        as_of=end,
        reference_days=spec.reference_days,
        analysis_days=spec.analysis_days,
    )


def _labelled(
    predictions: pd.DataFrame,
    labels: pd.DataFrame | None,
    spec: ModelSpec,
    as_of: date,
    windows: _Pair,
) -> _Pair | Abstained:
    """The windows that end with the newest day whose labels have arrived."""
    end = newest_labelled(
        predictions, labels, model=spec.name, as_of=as_of, reference_days=spec.reference_days
    )
    if isinstance(end, Abstained):
        return end
    return windows if end == as_of else _windows(predictions, labels, spec, end)


def _described(windows: _Pair, labelled: _Pair | Abstained) -> str:
    text = _span(*windows)
    if not isinstance(labelled, Abstained) and labelled[1].last != windows[1].last:
        text += f"; errors, as labels arrive late: {_span(*labelled)}"
    return text


def _span(reference: ModelWindow, analysis: ModelWindow) -> str:
    return (
        f"{analysis.first} to {analysis.last} ({analysis.rows:,} answers) against "
        f"{reference.first} to {reference.last} ({reference.rows:,} answers)"
    )
