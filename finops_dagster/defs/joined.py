"""What the allocation of a billing month depends on: published marts of both clocks, and rules.

A month whose marts and rules are what they were is not built again. How it is built is dbt's.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date, timedelta
from typing import Any

from finops_dagster.defs.estate import Estate
from finops_dagster.domain.allocation import Allocation, Driver, Split
from finops_dagster.domain.budgets import Plan
from finops_dagster.domain.ids import content_id
from finops_dagster.domain.periods import month_start, next_month
from finops_dagster.storage.publication import Manifest, Version

_COSTS = "fct_costs_daily"
_WORKLOADS = "fct_workload_utilisation_daily"
_CAPACITY = "fct_cluster_capacity_daily"
_METRICS = "fct_business_metrics_daily"
_SKUS = "dim_skus"
_LABELS = "fct_workload_labels_daily"
_CARBON = ("fct_workload_carbon_daily", "fct_grid_intensity_hourly")
_MEASURED = (Driver.CPU_CORE_HOURS, Driver.MEMORY_GIB_HOURS, Driver.GPU_HOURS)


def words(allocation: Allocation, plans: Iterable[Plan] = ()) -> dict[str, Any]:
    """Rules as dbt is given them, and what budgets plan."""
    return {
        **allocation.model_dump(mode="json", by_alias=True, exclude={"budgets"}),
        "plans": [plan.model_dump(mode="json") for plan in plans],
    }


def deciding(estate: Estate, month: date) -> list[dict[str, Any]]:
    """The rules that may decide about a month and the one before it, by what charges they have.

    The month before is only compared with: whose its costs are is all that counts of it.
    """
    manifest = estate.publications.current()
    if manifest is None:
        return []
    before, _ = _compared(month)
    return [
        words(_rules(estate, manifest, before).whose()),
        words(_rules(estate, manifest, month), estate.allocation.plans([month])),
    ]


def inputs(estate: Estate) -> dict[date, list[str]]:
    """What each published month is allocated from, as ids that change with it."""
    manifest = estate.publications.current()
    if manifest is None:
        return {}
    return {
        version.partition: [
            content_id("read", [one.sha256 for one in _read(estate, manifest, version.partition)])
        ]
        for version in manifest.of(_COSTS)
    }


def files(estate: Estate, months: Iterable[date]) -> dict[str, list[str]]:
    """Mart -> paths of what is published of it for these months, as dbt is given them."""
    manifest = estate.publications.current()
    found: dict[str, set[str]] = {}
    if manifest is not None:
        for month in months:
            for one in _read(estate, manifest, month):
                found.setdefault(one.mart, set()).add(str(estate.publications.path(one)))
    return {mart: sorted(paths) for mart, paths in found.items()}


def _compared(month: date) -> tuple[date, date]:
    """A month is told beside the one before it."""
    return month_start(month - timedelta(days=1)), month


def _rules(estate: Estate, manifest: Manifest, month: date) -> Allocation:
    span = [
        estate.publications.span(version, "charge_date")
        for version in manifest.of(_COSTS, month, month)
    ]
    if not span or span[0] is None:
        return Allocation()
    # what is charged for days of other months is told on the nearest day of this one
    return estate.allocation.of_days(min(span[0][0], month), max(span[0][1], month))


def _read(estate: Estate, manifest: Manifest, month: date) -> list[Version]:
    read: list[Version] = []
    rules = {one: _rules(estate, manifest, one) for one in _compared(month)}
    for one in rules:
        last = next_month(one) - timedelta(days=1)
        costs = manifest.of(_COSTS, one, one)
        read += costs + manifest.of("dim_tag_sets", one, one) + manifest.of(_LABELS, one, last)
        # measurements come daily, and change nothing of a month that is not split by them
        clusters = any(estate.publications.has(of, "cluster", "resource") for of in costs)
        if clusters or any(
            pool.split is Split.PROPORTIONAL and pool.by in _MEASURED for pool in rules[one].shared
        ):
            read += manifest.of(_WORKLOADS, one, last)
        if clusters:
            read += manifest.of(_CAPACITY, one, last)
    last = next_month(month) - timedelta(days=1)
    read += manifest.of(_SKUS, month, month)
    for mart in _CARBON:
        read += manifest.of(mart, month, last)
    if rules[month].units:
        read += manifest.of(_METRICS, month, last)
    return read
