"""What findings are made of, read from one publication: measurements, charges, owners, labels.

Selections and names only: what is made of the numbers lives in the engines.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, timedelta
from decimal import Decimal

import pandas as pd

from finops_dagster.domain.money import to_decimal
from finops_dagster.engines.optimisation import MEASURED
from finops_dagster.storage.publication import PublishedReader

SURE = 0.5
"""A match of less confidence does not settle whether a workload is declared."""
GRAIN = ("time", "interval_seconds", "resource", "cluster", "kind", "container")


def workload_costs(
    reader: PublishedReader, as_of: date, days: int, names: Sequence[str] | None = None
) -> pd.DataFrame | None:
    """Rows of fct_costs_daily that name a workload (one of `names`), for its net unit prices."""
    wanted = "" if names is None else "and resource in (select unnest($names))"
    return reader.frame(
        "fct_costs_daily",
        f"""
        select * from mart
        where resource is not null {wanted}
          and charge_date > date '{(as_of - timedelta(days=days)).isoformat()}'
          and charge_date <= date '{as_of.isoformat()}'
        """,
        first=(as_of - timedelta(days=days)).replace(day=1),
        given=None if names is None else {"names": list(names)},
    )


def commitment_use(reader: PublishedReader, as_of: date, days: int) -> pd.DataFrame | None:
    """Usage that names a workload by where a commitment could pay for it, summed by day.

    Columns of fct_costs_daily that `unit_prices` reads, no resource; effective_cost is of what is
    paid on demand, contracted_cost of what commitments pay for: its cost on demand.
    """
    committed = "coalesce(commitment_discount_status, '') = 'Used'"
    return reader.frame(
        "fct_costs_daily",
        f"""
        select
            provider_name, billing_account_id, service_name, region_id,
            sku_meter, consumed_unit, billing_currency, charge_date,
            sum(effective_cost) filter (not {committed}) as effective_cost,
            sum(coalesce(contracted_cost, list_cost, effective_cost)) filter ({committed})
                as contracted_cost
        from mart
        where resource is not null and charge_category = 'Usage'
          and coalesce(commitment_discount_status, '') <> 'Unused'
          and effective_cost is not null and consumed_quantity is not null
          and charge_date > date '{(as_of - timedelta(days=days)).isoformat()}'
          and charge_date <= date '{as_of.isoformat()}'
        group by all order by all
        """,
        first=(as_of - timedelta(days=days)).replace(day=1),
    )


def costs_by_sku(reader: PublishedReader, as_of: date, days: int) -> pd.DataFrame:
    """Usage of the last `days` days by day, SKU (the grain of `dim_skus`), region and currency.

    Columns effective_cost and consumed_quantity (Decimal or double) beside them.
    """
    first = as_of - timedelta(days=days - 1)
    grain = (
        "source, billing_period, provider_name, service_category, service_name, sku_id, "
        "sku_meter, consumed_unit, region_id, billing_currency, charge_category, charge_date"
    )
    found = reader.frame(
        "fct_costs_daily",
        f"""
        select
            {grain}, sum(effective_cost) as effective_cost,
            sum(consumed_quantity) as consumed_quantity
        from mart
        where charge_category = 'Usage'
          and charge_date between date '{first.isoformat()}' and date '{as_of.isoformat()}'
        group by {grain} order by all
        """,
        first=first.replace(day=1),
    )
    columns = [one.strip() for one in grain.split(",")]
    empty = pd.DataFrame(columns=[*columns, "effective_cost", "consumed_quantity"])
    return empty if found is None else found


def runs_shown(reader: PublishedReader, as_of: date, days: int) -> pd.DataFrame | None:
    """resource and what runs of the last `days` days logged of their checkpoints, one row a run."""
    logged = [
        *((name, "params") for name in ("save_strategy", "save_steps", "num_train_epochs")),
        *((name, "metrics") for name in ("train_steps_per_second", "train_runtime")),
    ]
    columns = ", ".join(
        f"arg_max(map_extract({kind}, '{name}')[1], day) as {name}" for name, kind in logged
    )
    return reader.frame(
        "fct_runs",
        f"""
        select resource, {columns}
        from mart where resource is not null
        group by resource, source, system, run_id order by all
        """,
        first=as_of - timedelta(days=days - 1),
        last=as_of,
    )


def owners(reader: PublishedReader, as_of: date) -> pd.DataFrame | None:
    """resource, owner, environment, region: from its newest charges."""
    return reader.frame(
        "fct_costs_daily",
        f"""
        select
            resource,
            coalesce(arg_max(team, charge_date), '') as owner,
            coalesce(arg_max(environment, charge_date), '') as environment,
            arg_max(region_id, charge_date) as region
        from mart
        where resource is not null and charge_date <= date '{as_of.isoformat()}'
        group by resource
        """,
        first=(as_of - timedelta(days=62)).replace(day=1),
    )


def measured_rows(reader: PublishedReader, as_of: date, days: int) -> dict[str, int]:
    """Resource -> its rows of fct_workload_measurements of the last `days` days."""
    rows = reader.records(
        "fct_workload_measurements",
        "select resource, count(*) as n from mart group by resource order by resource",
        first=as_of - timedelta(days=days - 1),
        last=as_of,
    )
    return {row["resource"]: row["n"] for row in rows}


def billed_names(reader: PublishedReader, as_of: date, days: int) -> list[str]:
    """Workloads and volumes that a charge of the last `days` days names."""
    rows = reader.records(
        "fct_costs_daily",
        f"""
        select distinct resource from mart
        where resource is not null
          and charge_date > date '{(as_of - timedelta(days=days)).isoformat()}'
          and charge_date <= date '{as_of.isoformat()}'
        order by resource
        """,
        first=(as_of - timedelta(days=days)).replace(day=1),
    )
    return [row["resource"] for row in rows]


def measurements(
    reader: PublishedReader, as_of: date, days: int, names: Sequence[str]
) -> pd.DataFrame:
    """What is looked at of fct_workload_measurements, of `names` over the last `days` days.

    The mart's files are sorted by resource: those between two names are a few of its row groups.
    """
    found = reader.frame(
        "fct_workload_measurements",
        """
        select columns(c -> list_contains($columns, c)) from mart
        where resource between $least and $greatest and resource in (select unnest($names))
        """,
        first=as_of - timedelta(days=days - 1),
        last=as_of,
        given={
            "columns": [*GRAIN, *MEASURED],
            "names": list(names),
            "least": min(names),
            "greatest": max(names),
        },
        categories=True,
    )
    return found if found is not None else pd.DataFrame(columns=[*GRAIN, *MEASURED])


def peaks(reader: PublishedReader, first: date, last: date) -> pd.DataFrame | None:
    """Of fct_workload_utilisation_daily in [first, last], the first of each container's highest
    days: of CPU, and of memory.
    """
    return reader.frame(
        "fct_workload_utilisation_daily",
        """
        select day, resource, container, cpu_cores_p95, memory_bytes_max from mart
        qualify
            row_number() over (
                partition by resource, container
                order by case when isfinite(cpu_cores_p95) then cpu_cores_p95 end
                    desc nulls last, day
            ) = 1
            or row_number() over (
                partition by resource, container
                order by case when isfinite(memory_bytes_max) then memory_bytes_max end
                    desc nulls last, day
            ) = 1
        """,
        first=first,
        last=last,
    )


def function_measurements(reader: PublishedReader, as_of: date, days: int) -> pd.DataFrame | None:
    """fct_function_measurements of the last `days` days."""
    return reader.frame(
        "fct_function_measurements", first=as_of - timedelta(days=days - 1), last=as_of
    )


def gpu_measurements(reader: PublishedReader, as_of: date, days: int) -> pd.DataFrame | None:
    """fct_workload_measurements of the last `days` days, of workloads whose GPUs are measured."""
    return reader.frame(
        "fct_workload_measurements",
        """
        select * from mart where resource in (
            select resource from mart where gpu_utilisation_percent is not null
        )
        """,
        first=as_of - timedelta(days=days - 1),
        last=as_of,
    )


def workload_labels(reader: PublishedReader, as_of: date, days: int) -> pd.DataFrame | None:
    """resource, label, label_value of pods of the last `days` days."""
    return reader.frame(
        "fct_workload_labels_daily",
        "select distinct resource, label, label_value from mart order by all",
        first=as_of - timedelta(days=days - 1),
        last=as_of,
    )


def machine_room(reader: PublishedReader, as_of: date, days: int) -> dict[str, Decimal]:
    """What a machine has for pods, cpu (cores) and memory (bytes): nothing where not measured.

    The mean of a cluster's machines, of the cluster and day with the most: the largest machine has
    that at least, and a pod as large fits on it.
    """
    rows = reader.records(
        "fct_cluster_capacity_daily",
        """
        select
            max(allocatable_cpu_core_hours / nullif(node_hours, 0)) as cpu,
            max(allocatable_memory_gib_hours / nullif(node_hours, 0)) * 1073741824 as memory
        from mart
        """,
        first=as_of - timedelta(days=days - 1),
        last=as_of,
    )
    return {
        meter: to_decimal(value, 3)
        for row in rows
        for meter, value in row.items()
        if value is not None
    }


def intensity(reader: PublishedReader, as_of: date, days: int) -> pd.DataFrame | None:
    """resource, gco2e_per_kwh (location-based): energy-weighted over the last `days` days."""
    return reader.frame(
        "fct_workload_carbon_daily",
        """
        -- in one order: a sum of doubles must not depend on which thread came first
        select
            resource,
            sum(location_gco2e order by day, cluster, region)
            / nullif(sum(energy_kwh order by day, cluster, region), 0) as gco2e_per_kwh
        from mart where location_gco2e is not null group by resource
        """,
        first=as_of - timedelta(days=days - 1),
        last=as_of,
    )


def declared_or_not(
    joined: PublishedReader | None, as_of: date
) -> tuple[frozenset[str], dict[str, str]]:
    """Measured workloads that nothing declares; and those that may be declared, with the reason."""
    if joined is None:
        return frozenset(), {}
    none = joined.frame(
        "fct_undeclared_resources",
        "select distinct resource from mart where is_measured",
        first=as_of,
        last=as_of,
    )
    unsure = joined.frame(
        "fct_workload_matches",
        f"""
        select resource, coalesce(declared_resource || ': ', '') || reason as reason from mart
        where rule is not null and coalesce(confidence, 0) < {SURE}
        """,
        first=as_of,
        last=as_of,
    )
    return (
        frozenset(none["resource"]) if none is not None else frozenset(),
        dict(zip(unsure["resource"], unsure["reason"], strict=True)) if unsure is not None else {},
    )
