"""Reads prediction logs and forecasts, asks responsible_ai about them, and keeps its pages.

What counts as drift, unfair or good enough is responsible_ai's to say.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pandas as pd

from finops_dagster.defs.estate import Estate
from finops_dagster.defs.insight import explained, facts
from finops_dagster.defs.insight.models.cards import FORECASTER
from finops_dagster.domain.decisions import Abstained, GateResult
from finops_dagster.responsible_ai import (
    DriftResult,
    FairnessResult,
    ModelSpec,
    PerformanceResult,
    gate,
    judge_drift,
    judge_model,
    with_breaches,
)
from finops_dagster.settings import ModelSettings
from finops_dagster.storage.publication import PublishedReader

_SEED = 0


@dataclass
class Health:
    """What was said of every model of a day."""

    gates: list[GateResult] = field(default_factory=list)
    abstained: list[Abstained] = field(default_factory=list)
    pages: dict[str, Path] = field(default_factory=dict)
    rows: list[dict[str, Any]] = field(default_factory=list)


def judge_models(estate: Estate, reader: PublishedReader, as_of: date) -> Health:
    """Judge every monitored model, and our own forecaster."""
    health = Health()
    folder = estate.report_folder(as_of)
    for model in estate.settings.models:
        _monitored(reader, model, as_of, folder, health)
    _forecaster(estate, folder, as_of, health)
    return health


def _monitored(
    reader: PublishedReader,
    model: ModelSettings,
    as_of: date,
    folder: Path,
    health: Health,
) -> None:
    spec = ModelSpec(
        name=model.name,
        task=model.task.value,
        features=model.features,
        protected=model.protected,
        reference_days=model.reference_days,
        analysis_days=model.analysis_days,
    )
    first = as_of - timedelta(days=spec.days - 1)
    made = facts.predictions(reader, first, as_of)
    if made is None:
        missing = Abstained(subject=model.name, reason="no prediction log is published")
        health.gates.append(gate(model.name, drift=missing))
        health.abstained.append(missing)
        return
    judged = judge_model(
        made,
        facts.labels(reader, first, as_of),
        spec,
        as_of=as_of,
        seed=_SEED,
        # names come from settings and logs: never a path
        folder=folder / "models" / f"model-{len(health.gates) + 1}",
    )
    health.gates.append(judged.gate)
    health.pages[model.name] = judged.page
    if judged.evidently is not None:
        health.pages[f"{model.name}: Evidently"] = judged.evidently
    for part in (judged.drift, judged.fairness, judged.performance):
        if isinstance(part, Abstained):
            health.abstained.append(part)
        elif isinstance(part, DriftResult | FairnessResult):
            health.abstained += part.abstained
    drift, quality = judged.drift, judged.performance
    analysed = as_of - timedelta(days=spec.analysis_days - 1)
    health.rows.append(
        {
            "model": model.name,
            "owner": model.owner,
            "versions": facts.versions(reader, model.name, analysed, as_of),
            "gate": judged.gate.result,
            "drifted_features": [one.feature for one in drift.drifted]
            if isinstance(drift, DriftResult)
            else None,
            "drifted_share": drift.drifted_share if isinstance(drift, DriftResult) else None,
            "quality_metric": quality.metric if isinstance(quality, PerformanceResult) else None,
            "quality": quality.analysis.value if isinstance(quality, PerformanceResult) else None,
        }
    )


def _forecaster(estate: Estate, folder: Path, as_of: date, health: Health) -> None:
    """Our own forecaster: whether its inputs moved, and its explanations are to be relied on."""
    day = estate.day(as_of)
    frame = day.frame("forecasts")
    if frame is None or frame.empty:
        reason = "no forecast was made for this day"
        health.gates.append(gate(FORECASTER, drift=Abstained(subject=FORECASTER, reason=reason)))
        return
    inputs = day.frame("forecast_inputs_reference"), day.frame("forecast_inputs_current")
    drift: DriftResult | Abstained
    if inputs[0] is None or inputs[1] is None:
        drift = Abstained(
            subject=FORECASTER, reason="the history is too short to compare its inputs"
        )
    else:
        evidently = folder / "models" / "forecaster-drift.html"
        drift = judge_drift(
            FORECASTER, inputs[0], inputs[1], seed=_SEED, block="block: day", html=evidently
        )
        if evidently.exists():
            health.pages[f"{FORECASTER}: Evidently"] = evidently
    result = gate(FORECASTER, drift=drift)
    watched = explained.watch(estate, as_of)
    health.gates.append(with_breaches(result, watched.breaches))
    health.abstained += watched.abstained
    for name, page in (
        (f"{FORECASTER}: explanations", explained.PAGE),
        ("budget forecaster: explanations", explained.BUDGETS_PAGE),
    ):
        if (folder / page).exists():
            health.pages[name] = folder / page
