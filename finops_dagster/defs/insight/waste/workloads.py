"""Workloads and volumes of clusters, from telemetry: reads what the engine needs and asks it.

What is waste, and what it costs, is the engine's to say.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import date, timedelta

from finops_dagster.defs.estate import Estate
from finops_dagster.defs.insight import resources, running
from finops_dagster.defs.insight.net_prices import price_reader
from finops_dagster.domain.decisions import Abstained
from finops_dagster.engines.optimisation import (
    Context,
    FindResult,
    Measured,
    Part,
    SizingConfig,
    declared_bounds,
    declared_scaling,
    declared_values,
    find_in_parts,
)
from finops_dagster.engines.optimisation.gpu_declared import notebooks
from finops_dagster.engines.optimisation.risk import DIAL
from finops_dagster.engines.optimisation.rules import Tier
from finops_dagster.storage.publication import PublishedReader, or_empty

_PEAK_DAYS = 76
"""Two months and a fortnight: what peaks at month ends has peaked twice in them."""


def workloads(estate: Estate, reader: PublishedReader, as_of: date) -> FindResult:
    """Findings about what runs in clusters, from a day's publication and its desired state."""
    days = estate.settings.sizing.history_days
    rows = running.measured_rows(reader, as_of, days)
    billed = running.billed_names(reader, as_of, days)
    if not rows:
        return _abstain("workloads", "no telemetry is published for the evidence window")
    if not billed:
        return _abstain("workloads", "no charge names a workload, so no saving can be priced")
    volumes = (name for name in billed if name.startswith("PersistentVolumeClaim/"))
    return find_in_parts(
        Measured({**dict.fromkeys(volumes, 0), **rows}, part_reader(reader, as_of, days)),
        context_of(estate, reader, as_of),
        as_of,
        config_of(estate),
        daily=running.peaks(
            reader, as_of - timedelta(days=_PEAK_DAYS - 1), as_of - timedelta(days=days)
        ),
    )


def part_reader(reader: PublishedReader, as_of: date, days: int) -> Callable[[Sequence[str]], Part]:
    """Reads all that a publication has of some resources: what was measured, and their prices."""
    prices = price_reader(reader, as_of, days)
    return lambda names: Part(running.measurements(reader, as_of, days, names), prices(names))


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
    locations = list(index.locations()) if index else []
    values, managed = declared_values(declared, locations)
    undeclared, unsure = running.declared_or_not(resources.reader(estate, as_of), as_of)
    labels = running.workload_labels(reader, as_of, days)
    return Context(
        values=values,
        resources=frozenset(declared),
        managed=managed,
        undeclared=undeclared,
        unsure=unsure,
        owners=or_empty(running.owners(reader, as_of), ["resource", "owner", "environment"]),
        intensity=or_empty(running.intensity(reader, as_of, days), ["resource", "gco2e_per_kwh"]),
        bounds=declared_bounds(declared, running.machine_room(reader, as_of, days)),
        scaling=declared_scaling(declared, locations),
        notebooks=notebooks(declared, or_empty(labels, ["resource", "label", "label_value"])),
    )


def _abstain(subject: str, reason: str) -> FindResult:
    return FindResult(findings=[], abstained=[Abstained(subject=subject, reason=reason)])
