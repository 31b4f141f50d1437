"""Types of machines and databases, from the bill, what was measured of them and what is declared.

What a machine needs, and what another type would save, is the engine's to say.
"""

from __future__ import annotations

from datetime import date, timedelta
from pathlib import Path

import pandas as pd

from finops_dagster.defs.estate import Estate
from finops_dagster.defs.insight import billed, resources
from finops_dagster.engines.optimisation import FindResult, SizingConfig, unit_prices
from finops_dagster.engines.optimisation import machine_bill as bill
from finops_dagster.engines.optimisation.machine_needs import USE_COLUMNS
from finops_dagster.engines.optimisation.machine_prices import TypePrices, billed_prices
from finops_dagster.engines.optimisation.machine_stand import METER
from finops_dagster.engines.optimisation.machine_types import Catalogue
from finops_dagster.engines.optimisation.machines import MachineInputs, find_machines
from finops_dagster.sources.machine_list import COLUMNS, OPTIONAL, read_machine_list
from finops_dagster.storage.publication import PublishedReader

_BEFORE_DAYS = 76
"""As of workloads: what peaks at month ends has peaked twice in them."""


def machines(estate: Estate, reader: PublishedReader, as_of: date) -> FindResult:
    """Findings about types of machines and databases; none where none is billed by the hour."""
    inputs = machine_inputs(estate, reader, as_of)
    if inputs is None:
        return FindResult(findings=[], abstained=[])
    days, change = estate.settings.sizing.history_days, estate.settings.sizing.max_change_share
    return find_machines(inputs, as_of, SizingConfig(history_days=days, max_change_share=change))


def machine_inputs(estate: Estate, reader: PublishedReader, as_of: date) -> MachineInputs | None:
    """What is billed by the hour, with its prices and use; None where nothing is."""
    days = estate.settings.sizing.history_days
    costs = billed.billed_resources(reader, as_of, days)
    if costs is None or costs.empty:
        return None
    costs = billed.named(costs, billed.declared_names(resources.reader(estate, as_of), as_of))
    rows = bill.hourly(costs, _tags(reader, as_of, days))
    if rows.empty:
        return None
    path = estate.settings.sizing.machine_types
    listed = read_machine_list(path, as_of) if path else pd.DataFrame(columns=[*COLUMNS, *OPTIONAL])
    index = estate.index(as_of)
    pairs = set(zip(rows["sku_meter"], rows["consumed_unit"], strict=True))
    own = costs.loc[costs["resource"].isin(rows["resource"])]
    return MachineInputs(
        machines=bill.machines(rows, bill.declared_types(index.locations() if index else [])),
        use=_use(reader, rows, as_of, days),
        catalogue=Catalogue(bill.types(rows, listed), _limits(estate.dbt_project)),
        type_prices=TypePrices(
            pd.concat([billed_prices(bill.charges(rows)), listed.assign(evidence="file")])
        ),
        unit_prices=unit_prices(
            own,
            as_of,
            days,
            meter_of=lambda sku, unit: METER if (sku, unit) in pairs else None,
        ),
        regions=estate.settings.placement.regions,
    )


def _tags(reader: PublishedReader, as_of: date, days: int) -> pd.DataFrame:
    """Tag sets of what clusters and groups run, by the keys that only they set."""
    found = reader.frame(
        "dim_tag_sets",
        """
        select billing_period, tag_set_id, tag_key from mart
        where regexp_matches(tag_key, $nodes) or regexp_matches(tag_key, $groups)
        """,
        first=(as_of - timedelta(days=days - 1)).replace(day=1),
        given={"nodes": bill.NODE_TAGS, "groups": bill.GROUP_TAGS},
    )
    columns = ["billing_period", "tag_set_id", "tag_key"]
    return pd.DataFrame(columns=columns) if found is None else found


def _use(reader: PublishedReader, rows: pd.DataFrame, as_of: date, days: int) -> pd.DataFrame:
    """What the machines did in the window, and their most of each day before it."""
    first = as_of - timedelta(days=days - 1)
    inside = reader.frame("fct_machine_measurements", first=first, last=as_of)
    if inside is None or inside.empty:
        return pd.DataFrame(columns=list(USE_COLUMNS))
    before = reader.frame(
        "fct_machine_measurements",
        """
        select
            min(time) as time, 86400 as interval_seconds, cluster, kind, name,
            max(cpu_cores) as cpu_cores,
            max(cpu_percent) as cpu_percent,
            max(memory_used_bytes) as memory_used_bytes,
            min(memory_available_bytes) as memory_available_bytes,
            max(network_receive_bytes_per_second) as network_receive_bytes_per_second,
            max(network_transmit_bytes_per_second) as network_transmit_bytes_per_second,
            max(disk_read_bytes_per_second) as disk_read_bytes_per_second,
            max(disk_written_bytes_per_second) as disk_written_bytes_per_second,
            max(connections) as connections
        from mart
        group by day, cluster, kind, name
        """,
        first=as_of - timedelta(days=_BEFORE_DAYS - 1),
        last=first - timedelta(days=1),
    )
    measured = pd.concat([one for one in (before, inside) if one is not None and not one.empty])
    return bill.use(measured, bill.measured_as(set(measured["name"]), rows))


def _limits(project: Path) -> pd.DataFrame:
    """The seed of what types carry, as it lies in the project: no model reads it."""
    return pd.read_csv(project / "seeds" / "skus" / "machine_limits.csv")
