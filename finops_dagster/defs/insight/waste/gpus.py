"""GPUs that are used too little or paid for too dearly: reads what the engine needs and asks it.

What is waste, and what it costs, is the engine's to say.
"""

from __future__ import annotations

from datetime import date, timedelta

import pandas as pd

from finops_dagster.defs.estate import Estate
from finops_dagster.defs.insight import billed, running
from finops_dagster.defs.insight.waste.workloads import config_of, context_of
from finops_dagster.engines.optimisation import FindResult, unit_prices
from finops_dagster.engines.optimisation.checkpoints import RUN_COLUMNS, checkpoints
from finops_dagster.engines.optimisation.gpu_declared import declared_gpus
from finops_dagster.engines.optimisation.gpu_smaller import price_ratios
from finops_dagster.engines.optimisation.gpu_spot import (
    gpu_meter,
    gpu_spot,
    spot_prices,
    with_meters,
)
from finops_dagster.engines.optimisation.gpu_use import GPU_COLUMNS
from finops_dagster.engines.optimisation.ground import ground_of
from finops_dagster.engines.optimisation.inputs import joined
from finops_dagster.engines.optimisation.underused_gpus import underused_gpus
from finops_dagster.engines.optimisation.window import NO_ROWS
from finops_dagster.storage.publication import PublishedReader

"""Measurements of nothing."""


def gpus(estate: Estate, reader: PublishedReader, as_of: date) -> FindResult:
    """Findings about GPUs in use; nothing of an estate where none is measured or billed."""
    days = estate.settings.sizing.history_days
    costs = running.workload_costs(reader, as_of, days)
    if costs is None or costs.empty:
        return FindResult(findings=[], abstained=[])
    measured = running.gpu_measurements(reader, as_of, days)
    own = with_meters(billed.with_skus(reader, costs, _first_month(as_of, days)))
    on_demand = unit_prices(own.loc[~own["spot"].astype(bool)], as_of, days, gpu_meter)
    if (measured is None or measured.empty) and on_demand.empty:
        return FindResult(findings=[], abstained=[])
    ground = ground_of(
        measured if measured is not None else NO_ROWS,
        unit_prices(costs, as_of, days),
        context_of(estate, reader, as_of),
        as_of,
        config_of(estate),
        GPU_COLUMNS,
    )
    index = estate.index(as_of)
    resources = index.resources() if index else {}
    bill = running.costs_by_sku(reader, as_of, days)
    market = with_meters(billed.with_skus(reader, bill, _first_month(as_of, days)))
    runs = running.runs_shown(reader, as_of, days)
    results = (
        underused_gpus(
            ground,
            declared_gpus(resources, index.locations() if index else []),
            price_ratios(market, on_demand, as_of),
        ),
        gpu_spot(
            ground,
            on_demand,
            checkpoints(
                resources, runs if runs is not None else pd.DataFrame(columns=list(RUN_COLUMNS))
            ),
            spot_prices(market, as_of),
            dict(zip(own["resource"], own["provider_name"].astype(str), strict=True)),
        ),
    )
    return joined(results)


def _first_month(as_of: date, days: int) -> date:
    return (as_of - timedelta(days=days)).replace(day=1)
