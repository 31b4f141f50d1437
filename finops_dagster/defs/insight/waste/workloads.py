"""Workloads and volumes of clusters, from telemetry: reads what the engine needs and asks it.

What is waste, and what it costs, is the engine's to say.
"""

from __future__ import annotations

from datetime import date

import pandas as pd

from finops_dagster.defs.estate import Estate
from finops_dagster.defs.insight import facts, resources
from finops_dagster.domain.decisions import Abstained
from finops_dagster.engines.optimisation import (
    Context,
    FindResult,
    SizingConfig,
    declared_values,
    find,
    unit_prices,
)
from finops_dagster.engines.optimisation.gpu_declared import notebooks
from finops_dagster.engines.optimisation.risk import DIAL
from finops_dagster.engines.optimisation.rules import Tier
from finops_dagster.storage.publication import PublishedReader

_PEAK_DAYS = 76
"""Two months and a fortnight: what peaks at month ends has peaked twice in them."""


def workloads(estate: Estate, reader: PublishedReader, as_of: date) -> FindResult:
    """Findings about what runs in clusters, from a day's publication and its desired state."""
    days = estate.settings.sizing.history_days
    measured = facts.measurements(reader, as_of, days)
    costs = facts.workload_costs(reader, as_of, days)
    if measured is None or measured.empty:
        return _abstain("workloads", "no telemetry is published for the evidence window")
    if costs is None or costs.empty:
        return _abstain("workloads", "no charge names a workload, so no saving can be priced")
    return find(
        measured,
        unit_prices(costs, as_of, days),
        context_of(estate, reader, as_of),
        as_of,
        config_of(estate),
        daily=facts.utilisation(reader, as_of, _PEAK_DAYS),
    )


def config_of(estate: Estate) -> SizingConfig:
    """Windows and limits as the settings have them."""
    sizing = estate.settings.sizing
    return SizingConfig(
        history_days=sizing.history_days,
        max_change_share=sizing.max_change_share,
        dials={**DIAL, **{Tier(k): v for k, v in sizing.risk_dial.items()}},
    )


def context_of(estate: Estate, reader: PublishedReader, as_of: date) -> Context:
    """What is declared of workloads on a day, whose they are and where they run."""
    days = estate.settings.sizing.history_days
    index = estate.index(as_of)
    declared = index.resources() if index else {}
    values, managed = declared_values(declared, index.locations() if index else [])
    undeclared, unsure = facts.declared_or_not(resources.reader(estate, as_of), as_of)
    labels = facts.workload_labels(reader, as_of, days)
    return Context(
        values=values,
        resources=frozenset(declared),
        managed=managed,
        undeclared=undeclared,
        unsure=unsure,
        owners=_or_empty(facts.owners(reader, as_of), ["resource", "owner", "environment"]),
        intensity=_or_empty(facts.intensity(reader, as_of, days), ["resource", "gco2e_per_kwh"]),
        notebooks=notebooks(declared, _or_empty(labels, ["resource", "label", "label_value"])),
    )


def _abstain(subject: str, reason: str) -> FindResult:
    return FindResult(findings=[], abstained=[Abstained(subject=subject, reason=reason)])


def _or_empty(frame: pd.DataFrame | None, columns: list[str]) -> pd.DataFrame:
    return frame if frame is not None else pd.DataFrame(columns=columns)
