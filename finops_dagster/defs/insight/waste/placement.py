"""Work that is labelled movable: reads what says so, what it did and what regions charged for.

Which hour and which region are better is the engine's to say.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from datetime import date, timedelta
from typing import Any

import pandas as pd

from finops_dagster.defs.estate import Estate
from finops_dagster.defs.insight import running
from finops_dagster.domain.decisions import DeclaredResource
from finops_dagster.domain.money import NO_CURRENCY
from finops_dagster.engines.optimisation import FindResult
from finops_dagster.engines.optimisation.movable import LabelKeys, movable
from finops_dagster.engines.optimisation.placement import place_work
from finops_dagster.engines.optimisation.placement_inputs import (
    PRICED_COLUMNS,
    WINDOW_DAYS,
    Declared,
    Marts,
    Place,
    PlacementConfig,
    Weights,
)
from finops_dagster.settings.placement import PlacementSettings
from finops_dagster.storage.publication import PublishedReader, or_empty

_LABEL_DAYS = 7
"""A label that was last measured before that no longer counts."""
_MEASURED = (
    "resource", "cluster", "container", "time", "interval_seconds", "cpu_cores",
    "network_receive_bytes_per_second", "network_transmit_bytes_per_second",
)  # fmt: skip
_ENERGY = (
    "day",
    "resource",
    "cluster",
    "region",
    "energy_kwh",
    "energy_low_kwh",
    "energy_high_kwh",
)
_COSTS = (
    "resource", "charge_date", "charge_category", "provider_name", "billing_account_id",
    "service_name", "region_id", "sku_id", "sku_meter", "consumed_unit", "billing_currency",
    "consumed_quantity", "effective_cost", "contracted_cost", "list_cost",
    "commitment_discount_status",
)  # fmt: skip


def placement(estate: Estate, reader: PublishedReader, as_of: date) -> FindResult:
    """Findings about hours and regions of movable work; none where nothing is labelled so."""
    settings = estate.settings.placement
    keys = LabelKeys(settings.start_labels, settings.movable_labels, settings.latency_labels)
    index = estate.index(as_of)
    declared = index.resources() if index else {}
    labels = _measured_labels(reader, keys, as_of)
    for name, one in declared.items():
        labels.setdefault(name, {}).update({**one.annotations, **one.labels})
    work, unread = movable(labels, keys)
    if not work:
        return FindResult(findings=[], abstained=unread)
    energy = _energy(reader, as_of, list(work))
    regions = {region for some in settings.regions.values() for region in some}
    regions |= set(energy["region"].dropna())
    marts = Marts(
        measurements=_measurements(reader, as_of, list(work)),
        energy=energy,
        intensity=_intensity(reader, as_of, sorted(regions)),
        costs=or_empty(running.workload_costs(reader, as_of, WINDOW_DAYS), _COSTS),
        priced=_priced(reader, as_of, sorted(regions)),
        skus=_skus(reader, as_of),
    )
    places = _places(work, marts, running.owners(reader, as_of), declared)
    judged = place_work(work, places, marts, as_of, _config(settings))
    return FindResult(findings=judged.findings, abstained=[*unread, *judged.abstained])


def _config(settings: PlacementSettings) -> PlacementConfig:
    weights = settings.weights
    return PlacementConfig(
        weights=Weights(weights.cost, weights.carbon, weights.risk),
        regions=settings.regions,
        latencies_ms=settings.latencies_ms,
        transfer_prices_per_gb=settings.transfer_prices_per_gb,
    )


def _measured_labels(
    reader: PublishedReader, keys: LabelKeys, as_of: date
) -> dict[str, dict[str, str]]:
    """The newest values of the labels that pods had, by resource."""
    frame = reader.frame(
        "fct_workload_labels_daily",
        """
        select
            resource, lower(label) as label,
            arg_max(label_value, (day, pod_hours, label_value)) as label_value
        from mart where list_contains($names, lower(label))
        group by all order by all
        """,
        first=as_of - timedelta(days=_LABEL_DAYS - 1),
        last=as_of,
        given={"names": sorted(keys.names())},
    )
    found: dict[str, dict[str, str]] = {}
    for one in () if frame is None else frame.itertuples(index=False):
        found.setdefault(str(one.resource), {})[str(one.label)] = str(one.label_value)
    return found


def _places(
    work: Iterable[str],
    marts: Marts,
    owners: pd.DataFrame | None,
    declared: Mapping[str, DeclaredResource],
) -> dict[str, Place]:
    """Where each piece of work runs, whose it is, and how it is declared."""
    known = or_empty(owners, ("resource", "owner", "environment")).set_index("resource")
    regions = {name: _only(one) for name, one in marts.energy.groupby("resource")["region"]}
    billed = {name: _only(one) for name, one in marts.costs.groupby("resource")["billing_currency"]}
    found = {}
    for name in work:
        one = declared.get(name)
        owner, environment = (
            (str(known.at[name, column] or "") for column in ("owner", "environment"))
            if name in known.index
            else ((one.owner or "") if one else "", (one.environment or "") if one else "")
        )
        found[name] = Place(
            region=regions.get(name),
            owner=owner,
            environment=environment or "unknown",
            currency=billed.get(name) or NO_CURRENCY,
            declared=_declared(one),
        )
    return found


def _only(values: pd.Series[str]) -> str | None:
    """The one text of all rows; None where they differ or one has none."""
    found = set(values)
    only = found.pop() if len(found) == 1 else None
    return only if isinstance(only, str) else None


def _declared(one: DeclaredResource | None) -> Declared:
    if one is None:
        return Declared()
    spec: Any = json.loads(one.manifest).get("spec")
    spec = spec if isinstance(spec, dict) else {}
    schedule, zone = spec.get("schedule"), spec.get("timeZone")
    return Declared(
        schedule=schedule if isinstance(schedule, str) else "",
        time_zone=zone if isinstance(zone, str) else "",
        manifest=one.manifest,
    )


def _measurements(reader: PublishedReader, as_of: date, names: list[str]) -> pd.DataFrame:
    frame = reader.frame(
        "fct_workload_measurements",
        f"select {', '.join(_MEASURED)} from mart where list_contains($names, resource)",
        first=as_of - timedelta(days=WINDOW_DAYS - 1),
        last=as_of,
        given={"names": names},
    )
    return or_empty(frame, _MEASURED)


def _energy(reader: PublishedReader, as_of: date, names: list[str]) -> pd.DataFrame:
    frame = reader.frame(
        "fct_workload_carbon_daily",
        f"select {', '.join(_ENERGY)} from mart where list_contains($names, resource) order by all",
        first=as_of - timedelta(days=WINDOW_DAYS - 1),
        last=as_of,
        given={"names": names},
    )
    return or_empty(frame, _ENERGY)


def _intensity(reader: PublishedReader, as_of: date, regions: list[str]) -> pd.DataFrame:
    """Of single hours: a yearly mean tells no hour from another."""
    frame = reader.frame(
        "fct_grid_intensity_hourly",
        """
        select region, hour, gco2e_per_kwh from mart
        where accounting = 'location' and kind = 'average' and gco2e_per_kwh is not null
          and basis <> 'yearly' and list_contains($regions, region)
        order by all
        """,
        first=as_of - timedelta(days=WINDOW_DAYS - 1),
        last=as_of,
        given={"regions": regions},
    )
    return or_empty(frame, ("region", "hour", "gco2e_per_kwh"))


def _priced(reader: PublishedReader, as_of: date, regions: list[str]) -> pd.DataFrame:
    """What was charged on demand in regions: a contracted or list cost of 0 means none is known."""
    first = as_of - timedelta(days=WINDOW_DAYS - 1)
    frame = reader.frame(
        "fct_costs_daily",
        f"""
        select
            provider_name, service_name, region_id, sku_id, sku_meter, consumed_unit,
            billing_currency, sum(consumed_quantity) as quantity,
            sum(case when contracted_cost > 0 then contracted_cost else list_cost end) as cost
        from mart
        where charge_category = 'Usage' and consumed_quantity > 0
          and (contracted_cost > 0 or list_cost > 0)
          and coalesce(commitment_discount_status, '') <> 'Unused'
          and list_contains($regions, region_id)
          and charge_date between date '{first.isoformat()}' and date '{as_of.isoformat()}'
        group by all order by all
        """,
        first=first.replace(day=1),
        given={"regions": regions},
    )
    return or_empty(frame, PRICED_COLUMNS)


def _skus(reader: PublishedReader, as_of: date) -> pd.DataFrame:
    frame = reader.frame(
        "dim_skus",
        """
        select sku_id, max(instance_type) as instance_type from mart
        where sku_id is not null and instance_type is not null and first_charged_on <= $as_of
        group by sku_id having count(distinct instance_type) = 1 order by all
        """,
        first=(as_of - timedelta(days=WINDOW_DAYS - 1)).replace(day=1),
        given={"as_of": as_of},
    )
    return or_empty(frame, ("sku_id", "instance_type"))
