"""GPUs that are used too little or paid for too dearly: reads what the engine needs and asks it.

What is waste, and what it costs, is the engine's to say.
"""

from __future__ import annotations

from datetime import date, timedelta

import pandas as pd

from finops_dagster.defs.estate import Estate
from finops_dagster.defs.insight import billed, facts
from finops_dagster.defs.insight.waste.workloads import config_of, context_of
from finops_dagster.engines.optimisation import FindResult, unit_prices
from finops_dagster.engines.optimisation.checkpoints import RUN_COLUMNS, checkpoints
from finops_dagster.engines.optimisation.gpu_declared import declared_gpus
from finops_dagster.engines.optimisation.gpu_spot import (
    gpu_meter,
    gpu_spot,
    spot_prices,
    with_meters,
)
from finops_dagster.engines.optimisation.ground import Ground, ground_of
from finops_dagster.engines.optimisation.underused_gpus import underused_gpus
from finops_dagster.storage.publication import PublishedReader


def gpus(estate: Estate, reader: PublishedReader, as_of: date) -> FindResult:
    """Findings about GPUs in use; nothing of an estate without telemetry of any."""
    days = estate.settings.sizing.history_days
    measured = facts.gpu_measurements(reader, as_of, days)
    costs = facts.workload_costs(reader, as_of, days)
    if measured is None or measured.empty or costs is None or costs.empty:
        return FindResult(findings=[], abstained=[])
    ground = ground_of(
        measured,
        unit_prices(costs, as_of, days),
        context_of(estate, reader, as_of),
        as_of,
        config_of(estate),
    )
    index = estate.index(as_of)
    declared = declared_gpus(index.resources(), index.locations()) if index else {}
    results = [underused_gpus(ground, declared), _spot(estate, reader, ground, costs)]
    return FindResult(
        findings=[one for result in results for one in result.findings],
        abstained=[one for result in results for one in result.abstained],
    )


def _spot(
    estate: Estate, reader: PublishedReader, ground: Ground, costs: pd.DataFrame
) -> FindResult:
    as_of, days = ground.as_of, ground.window.days
    first = (as_of - timedelta(days=days)).replace(day=1)
    own = with_meters(billed.with_skus(reader, costs, first))
    on_demand = own.loc[~own["spot"].astype(bool)]
    prices = unit_prices(on_demand, as_of, days, gpu_meter)
    if prices.empty:
        return FindResult(findings=[], abstained=[])
    bill = facts.costs_by_sku(reader, as_of, days)
    spots = spot_prices(with_meters(billed.with_skus(reader, bill, first)), as_of)
    runs = facts.runs_shown(reader, as_of, days)
    index = estate.index(as_of)
    return gpu_spot(
        ground,
        prices,
        checkpoints(
            index.resources() if index else {},
            runs if runs is not None else pd.DataFrame(columns=list(RUN_COLUMNS)),
        ),
        spots,
        dict(zip(own["resource"], own["provider_name"].astype(str), strict=True)),
    )
