"""GPUs that are used too little: reads what the engine needs and asks it.

What is waste, and what it costs, is the engine's to say.
"""

from __future__ import annotations

from datetime import date

from finops_dagster.defs.estate import Estate
from finops_dagster.defs.insight import facts
from finops_dagster.defs.insight.waste.workloads import config_of, context_of
from finops_dagster.engines.optimisation import FindResult, unit_prices
from finops_dagster.engines.optimisation.gpu_declared import declared_gpus
from finops_dagster.engines.optimisation.ground import ground_of
from finops_dagster.engines.optimisation.underused_gpus import underused_gpus
from finops_dagster.storage.publication import PublishedReader

_NOTHING = FindResult(findings=[], abstained=[])


def gpus(estate: Estate, reader: PublishedReader, as_of: date) -> FindResult:
    """Findings about GPUs in use; nothing of an estate without telemetry of any."""
    days = estate.settings.sizing.history_days
    measured = facts.gpu_measurements(reader, as_of, days)
    costs = facts.workload_costs(reader, as_of, days)
    if measured is None or measured.empty or costs is None or costs.empty:
        return _NOTHING
    ground = ground_of(
        measured,
        unit_prices(costs, as_of, days),
        context_of(estate, reader, as_of),
        as_of,
        config_of(estate),
    )
    index = estate.index(as_of)
    declared = declared_gpus(index.resources(), index.locations()) if index else {}
    return underused_gpus(ground, declared)
