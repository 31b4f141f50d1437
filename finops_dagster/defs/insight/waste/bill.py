"""Idle and forgotten resources, from the bill: reads what the engine needs and asks it.

What is waste, and what it costs, is the engine's to say.
"""

from __future__ import annotations

from datetime import date, timedelta

import pandas as pd

from finops_dagster.defs.estate import Estate
from finops_dagster.defs.insight import billed, resources
from finops_dagster.engines.optimisation import FindResult
from finops_dagster.engines.optimisation.bills import WINDOW_DAYS
from finops_dagster.engines.optimisation.idle_billed import HOURS, STOPPED_DAYS
from finops_dagster.engines.optimisation.zombies import (
    HISTORY_KINDS,
    KINDS,
    BilledEstate,
    zombies,
)
from finops_dagster.storage.publication import PublishedReader

_LOG_DAYS = 120
"""Of the prediction log: whose model answered in them is one that the log would tell of."""


def bill(estate: Estate, reader: PublishedReader, as_of: date) -> FindResult:
    """Findings about what is billed and not used, from a day's publication."""
    history = billed.billed_history(reader, as_of, HISTORY_KINDS)
    days = billed.billed_days(reader, as_of)
    if history is None or days is None:
        return FindResult(findings=[], abstained=[])
    ended = _ended(history, as_of)
    costs = billed.billed_resources(reader, as_of, WINDOW_DAYS, KINDS, ended)
    if costs is None or costs.empty:
        return FindResult(findings=[], abstained=[])
    # what is not looked at today names nothing
    keys = ["account", "resource_id"]
    history = history.merge(costs[keys].drop_duplicates(), on=keys)
    declared = billed.declared_names(resources.reader(estate, as_of), as_of)
    names = billed.names_of(declared, costs, history)
    return zombies(
        BilledEstate(
            billed=billed.named(costs, declared, names),
            days=days,
            history=billed.named(history, declared, names),
            workloads=_workloads(reader, as_of),
            answers=_answers(reader, as_of),
        ),
        as_of,
    )


def _ended(history: pd.DataFrame, as_of: date) -> list[str]:
    """Ids of resources that had hours, and none in the days that stopped ones are asked for."""
    ran = history.loc[history["kind"].isin(HOURS)].groupby("resource_id")["last_day"].max()
    return sorted(str(one) for one in ran.index[ran < as_of - timedelta(days=STOPPED_DAYS - 1)])


def _workloads(reader: PublishedReader, as_of: date) -> pd.DataFrame | None:
    """day, cluster, namespace of what was measured."""
    return reader.frame(
        "fct_workload_utilisation_daily",
        "select distinct day, cluster, namespace from mart order by all",
        first=as_of - timedelta(days=WINDOW_DAYS - 1),
        last=as_of,
    )


def _answers(reader: PublishedReader, as_of: date) -> pd.DataFrame | None:
    """day, model, predictions of the prediction log."""
    return reader.frame(
        "fct_model_metrics_daily",
        "select day, model, sum(predictions)::double as predictions from mart group by all",
        first=as_of - timedelta(days=_LOG_DAYS - 1),
        last=as_of,
    )
