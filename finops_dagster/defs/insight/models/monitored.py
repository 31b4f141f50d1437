"""Monitored models of a day: reads their logs, has them judged, and keeps what was said.

What counts as drift, unfair or good enough is responsible_ai's to say.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import asdict
from datetime import date
from pathlib import Path
from typing import Any

import pandas as pd

from finops_dagster.defs.insight import facts
from finops_dagster.defs.insight.models.health import SEED, Health
from finops_dagster.domain.decisions import Abstained
from finops_dagster.responsible_ai import (
    DriftOptions,
    DriftReport,
    FixedReference,
    GateLimits,
    ModelJudgement,
    ModelSpec,
    PerformanceResult,
    Stake,
    gate,
    judge_model,
)
from finops_dagster.responsible_ai.energy.results import ModelEnergy
from finops_dagster.settings import ModelSettings
from finops_dagster.settings.models import AISettings
from finops_dagster.storage.publication import PublishedReader

REGISTER = "../../ai/index.html"
"""From a model's folder."""


def judge_monitored(
    reader: PublishedReader,
    model: ModelSettings,
    as_of: date,
    folder: Path,
    health: Health,
    ai: AISettings,
    energy: ModelEnergy | Abstained,
) -> None:
    """Judge one model, with its pages in `folder`, and add to `health` what was said."""
    spec = spec_of(model)
    spans = spec.spans(as_of)
    made = _of_spans(facts.predictions, reader, model.name, spans)
    if made is None:
        missing = Abstained(subject=model.name, reason="no prediction log is published")
        health.gates.append(gate(model.name, drift=missing))
        health.abstained.append(missing)
        return
    judged = judge_model(
        made,
        _of_spans(facts.labels, reader, model.name, spans),
        spec,
        as_of=as_of,
        seed=SEED,
        folder=folder,
        options=DriftOptions(
            false_alarms_per_year=ai.false_alarms_per_year, smallest_group=ai.smallest_group
        ),
        limits=GateLimits(**model.limits.model_dump()),
        stake=Stake(
            amount=model.error_cost.amount if model.error_cost else None,
            currency=model.error_cost.currency if model.error_cost else "",
            risk_class=model.risk_class,
        ),
        energy=energy,
        register=REGISTER,
    )
    health.gates.append(judged.gate)
    health.pages[model.name] = judged.page
    if judged.evidently is not None:
        health.pages[f"{model.name}: Evidently"] = judged.evidently
    health.abstained += judged.abstained
    health.rows.append(_row(model, judged))


def spec_of(model: ModelSettings) -> ModelSpec:
    """What the settings say of a model, in the words of its judges."""
    fixed = model.reference
    return ModelSpec(
        name=model.name,
        task=model.task.value,
        features=model.features,
        protected=model.protected,
        reference_days=model.reference_days,
        analysis_days=model.analysis_days,
        segments=model.segments,
        reference=None if fixed is None else FixedReference(fixed.first, fixed.last, fixed.reason),
    )


def _of_spans(
    read: Callable[[PublishedReader, str, date, date], pd.DataFrame | None],
    reader: PublishedReader,
    model: str,
    spans: Iterable[tuple[date, date]],
) -> pd.DataFrame | None:
    frames = [read(reader, model, first, last) for first, last in spans]
    there = [frame for frame in frames if frame is not None]
    return pd.concat(there, ignore_index=True) if there else None


def _row(model: ModelSettings, judged: ModelJudgement) -> dict[str, Any]:
    drift, quality = judged.drift, judged.performance
    return {
        "model": model.name,
        "owner": model.owner,
        "versions": [
            asdict(one) | {"first": one.first.isoformat(), "last": one.last.isoformat()}
            for one in judged.versions
        ],
        "gate": judged.gate.result,
        "judged": [one.value for one in judged.judged],
        "energy_kwh_month": judged.energy.month_kwh
        if isinstance(judged.energy, ModelEnergy)
        else None,
        "drifted_features": [one.feature for one in drift.drifted]
        if isinstance(drift, DriftReport)
        else None,
        "drifted_share": drift.drifted_share if isinstance(drift, DriftReport) else None,
        "quality_metric": quality.metric if isinstance(quality, PerformanceResult) else None,
        "quality": quality.analysis.value if isinstance(quality, PerformanceResult) else None,
    }
