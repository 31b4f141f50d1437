"""Serverless functions: reads what the engine needs and asks it.

What is waste, and what it costs, is the engine's to say.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import date
from typing import Any

import pandas as pd

from finops_dagster.defs.estate import Estate
from finops_dagster.defs.insight import billed, resources, running
from finops_dagster.defs.insight.waste.workloads import config_of
from finops_dagster.domain.decisions import Abstained
from finops_dagster.engines.optimisation import Context, FindResult, unit_prices
from finops_dagster.engines.optimisation.functions import (
    HISTORY_DAYS,
    declared_functions,
    join_billed,
)
from finops_dagster.engines.optimisation.ground import ground_of
from finops_dagster.engines.optimisation.provisioned_concurrency import provisioned_concurrency
from finops_dagster.engines.optimisation.serverless_memory import serverless_memory
from finops_dagster.engines.optimisation.window import NO_ROWS
from finops_dagster.storage.publication import PublishedReader

_KINDS = ("serverless_compute", "serverless_provisioned", "serverless_requests")


def serverless(estate: Estate, reader: PublishedReader, as_of: date) -> FindResult:
    """Findings about functions; one abstention where they are billed and none is measured."""
    days = estate.settings.sizing.history_days
    costs = billed.billed_resources(reader, as_of, days)
    if costs is None or not costs["usage_kind"].isin(_KINDS).any():
        return FindResult(findings=[], abstained=[])
    measured = running.function_measurements(reader, as_of, HISTORY_DAYS)
    if measured is None or measured.empty:
        reason = "serverless functions are billed, and no telemetry of any is published"
        return _abstained([Abstained(subject="serverless functions", reason=reason)])
    theirs = costs.loc[costs["usage_kind"].isin(_KINDS), ["account", "resource_id"]]
    costs = costs.merge(theirs.drop_duplicates(), on=["account", "resource_id"])
    costs = billed.named(costs, billed.declared_names(resources.reader(estate, as_of), as_of))
    functions = costs.loc[costs["usage_kind"].isin(_KINDS)]
    joined, unsure = join_billed(measured, functions)
    owners = functions.sort_values("charge_date").drop_duplicates("resource", keep="last")
    context = Context(
        values=pd.DataFrame(columns=["resource", "field", "container", "current"]),
        resources=frozenset(),
        managed={},
        undeclared=frozenset(),
        unsure={},
        owners=owners.rename(columns={"team": "owner"}),
        intensity=pd.DataFrame(columns=["resource", "gco2e_per_kwh"]),
    )
    kinds = {
        key: kind
        for *key_, kind in functions[["sku_meter", "consumed_unit", "usage_kind"]]
        .drop_duplicates()
        .itertuples(index=False, name=None)
        if (key := tuple(None if pd.isna(one) else one for one in key_))
    }
    prices = unit_prices(costs, as_of, days, lambda sku, unit: kinds.get((sku, unit)))
    ground = ground_of(NO_ROWS, prices, context, as_of, config_of(estate))
    index = estate.index(as_of)
    declared = declared_functions(index.locations()) if index else {}
    results = [
        serverless_memory(ground, joined, declared, max_memory_mb(estate.judge.policies.data)),
        provisioned_concurrency(ground, joined, declared),
    ]
    return FindResult(
        findings=[one for result in results for one in result.findings],
        abstained=[*unsure, *(one for result in results for one in result.abstained)],
    )


def max_memory_mb(data: Mapping[str, Any]) -> Callable[[str], float | None]:
    """Environment -> most memory of a function that the bundle's limits allow, None for any."""
    limits = data.get("limits") or {}
    names = (limits.get("environments") or {}).get("aliases") or {}
    serverless_ = limits.get("serverless") or {}
    most = (serverless_.get("defaults") or {}).get("max_memory_mib")
    others = serverless_.get("environments") or {}

    def of(environment: str) -> float | None:
        known = names.get(environment.strip().lower(), environment.strip().lower())
        found = (others.get(known) or {}).get("max_memory_mib", most)
        return float(found) if isinstance(found, int | float) and found > 0 else None

    return of


def _abstained(abstained: list[Abstained]) -> FindResult:
    return FindResult(findings=[], abstained=abstained)
