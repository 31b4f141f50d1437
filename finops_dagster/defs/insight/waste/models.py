"""Monitored models that fail their gate: reads the day's judgement, the log by version and what Git
declares of each, and asks which change puts it right.

What is a breach was judged before; which remedy is right is responsible_ai's to say.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import date, timedelta

import pandas as pd

from finops_dagster.defs.estate import Estate
from finops_dagster.defs.insight import facts
from finops_dagster.defs.insight.models.health import SEED
from finops_dagster.defs.insight.models.monitored import spec_of
from finops_dagster.desired_state import RepositoryIndex
from finops_dagster.domain.decisions import Abstained, Finding, GateResult, ValueLocation
from finops_dagster.engines.optimisation import FindResult
from finops_dagster.responsible_ai import GateLimits
from finops_dagster.responsible_ai.remedies.choosing import Place, Served, choose
from finops_dagster.responsible_ai.remedies.findings import finding
from finops_dagster.responsible_ai.remedies.values import CANARY_FIELD, serving
from finops_dagster.responsible_ai.remedies.versions import (
    History,
    Span,
    history,
    spans_of,
    wanted_days,
)
from finops_dagster.settings import ModelSettings
from finops_dagster.settings.models import DeclaredValue
from finops_dagster.storage.publication import PublishedReader

HISTORY_DAYS = 365
"""Days of log in which an earlier version is looked for."""


def models(estate: Estate, reader: PublishedReader, as_of: date) -> FindResult:
    """A finding for each monitored model that fails, with the edit that puts it right if known."""
    gates = {one.gate: one for one in estate.day(as_of).items("gates", GateResult)}
    index = estate.index(as_of)
    findings: list[Finding] = []
    abstained: list[Abstained] = []
    for model in estate.settings.models:
        judged = gates.get(model.name)
        if judged is None or (judged.result == "warn" and not judged.breaches):
            abstained += _unjudged(model, judged)
            continue
        if not any(one.grade == "fail" for one in judged.breaches):
            continue
        found = _remedy(estate, reader, index, model, judged, as_of)
        if isinstance(found, Abstained):
            abstained.append(found)
        elif found is not None:
            findings.append(found)
    return FindResult(findings=findings, abstained=abstained)


def _unjudged(model: ModelSettings, judged: GateResult | None) -> list[Abstained]:
    """Of each resource that a remedy may change, so that its open pull request is left alone."""
    why = judged.reasons[0] if judged is not None and judged.reasons else "it has no gate"
    named = (getattr(model.remedies, key) for key in type(model.remedies).model_fields)
    places = [model.workload, *(one.resource for one in named if one is not None)]
    return [
        Abstained(subject=place, reason=f"{model.name} could not be judged: {why}")
        for place in dict.fromkeys(places)
        if place
    ]


def _remedy(
    estate: Estate,
    reader: PublishedReader,
    index: RepositoryIndex | None,
    model: ModelSettings,
    judged: GateResult,
    as_of: date,
) -> Finding | Abstained | None:
    days = facts.version_days(reader, model.name, as_of - timedelta(days=HISTORY_DAYS - 1), as_of)
    first = as_of - timedelta(days=model.analysis_days - 1)
    recent = [one for one in days if one["day"] >= first]
    versions = _versions(estate, reader, model, judged, spans_of(days), as_of)
    running = versions.running.version if isinstance(versions, History) else ""
    choice = choose(
        model.name,
        judged.breaches,
        versions,
        _served(index, model, running),
        model.risk_class,
        as_of=as_of,
    )
    if choice is None or isinstance(choice, Abstained):
        return choice
    workload = model.workload or ""
    resource = index.resources().get(index.find(workload) or "") if index and workload else None
    return finding(
        choice,
        model=model.name,
        version=running,
        workload=workload or f"Model//{model.name}",
        owner=model.owner,
        environment=(resource.environment if resource else None) or "",
        answers=sum(one["answers"] for one in recent),
        confidence=len({one["day"] for one in recent}) / model.analysis_days,
        first=first,
        as_of=as_of,
    )


def _versions(
    estate: Estate,
    reader: PublishedReader,
    model: ModelSettings,
    judged: GateResult,
    spans: Sequence[Span],
    as_of: date,
) -> History | Abstained:
    """What each version in the log was like; only the days that this asks for are read."""
    frames = [
        frame
        for first, last in wanted_days(spans, model.analysis_days, model.reference_days)
        if (frame := facts.predictions(reader, model.name, first, last)) is not None
    ]
    if not frames:
        return Abstained(subject=model.name, reason="no prediction log is published")
    oldest = min(one.first for one in spans)
    return history(
        pd.concat(frames).drop_duplicates("prediction_id"),
        facts.labels(reader, model.name, oldest, as_of),
        spans,
        spec_of(model),
        frozenset(one.check for one in judged.breaches if one.grade == "fail"),
        as_of=as_of,
        seed=SEED,
        limits=GateLimits(**model.limits.model_dump()),
        smallest_group=estate.settings.ai.smallest_group,
    )


def _served(index: RepositoryIndex | None, model: ModelSettings, running: str) -> Served:
    """Where Git says how a model is served and trained, as settings name it or as it is read."""
    named = model.remedies

    def told(value: DeclaredValue | None, otherwise: Callable[[RepositoryIndex], Place]) -> Place:
        if index is None:
            return Abstained(subject=model.name, reason="the settings name no desired state")
        if value is None:
            return otherwise(index)
        location = index.locate(value.resource, value.field)
        if location is None:
            reason = f"{value.resource} {value.field}, which the settings name, is not declared"
            return Abstained(subject=model.name, reason=reason)
        return location

    def unnamed(key: str) -> Callable[[RepositoryIndex], Place]:
        reason = f"the settings name no value for it (models.remedies.{key})"
        return lambda _: Abstained(subject=model.name, reason=reason)

    def version(index: RepositoryIndex) -> Place:
        found = _values(index, model)
        return found if isinstance(found, Abstained) else serving(found, running, model.name)

    def canary(index: RepositoryIndex) -> Place:
        location = index.locate(model.workload or "", CANARY_FIELD)
        reason = "its workload declares no share of traffic for a newer version"
        return location or Abstained(subject=model.name, reason=reason)

    return Served(
        version=told(named.version, version),
        canary=told(named.canary, canary),
        pause=told(named.pause, unnamed("pause")),
        retrain=told(named.retrain, unnamed("retrain")),
    )


def _values(index: RepositoryIndex, model: ModelSettings) -> list[ValueLocation] | Abstained:
    """Every declared value of the model's workload."""
    if model.workload is None:
        reason = "the settings do not name the workload that serves it (models.workload)"
        return Abstained(subject=model.name, reason=reason)
    name = index.find(model.workload)
    if name is None:
        return Abstained(subject=model.name, reason=f"{model.workload} is not declared")
    found = (index.locate(name, field) for field in index.values(name))
    return [one for one in found if one is not None]
