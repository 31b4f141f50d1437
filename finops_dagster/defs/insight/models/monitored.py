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
    DriftResult,
    FairnessResult,
    FixedReference,
    GateLimits,
    ModelJudgement,
    ModelSpec,
    PerformanceResult,
    gate,
    judge_model,
)
from finops_dagster.settings import ModelSettings
from finops_dagster.storage.publication import PublishedReader


def judge_monitored(
    reader: PublishedReader,
    model: ModelSettings,
    as_of: date,
    folder: Path,
    health: Health,
    *,
    smallest_group: int,
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
        limits=GateLimits(**model.limits.model_dump()),
        smallest_group=smallest_group,
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
        "drifted_features": [one.feature for one in drift.drifted]
        if isinstance(drift, DriftResult)
        else None,
        "drifted_share": drift.drifted_share if isinstance(drift, DriftResult) else None,
        "quality_metric": quality.metric if isinstance(quality, PerformanceResult) else None,
        "quality": quality.analysis.value if isinstance(quality, PerformanceResult) else None,
    }
