"""What charges emit, beside a plain computation of one charge after another.

The rules are those of docs/carbon.md; coefficients are read from the shipped seed.
"""

from __future__ import annotations

import csv
import random
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import pytest

from finops_dagster.defs.line import ALLOCATION, dbt_selection
from finops_dagster.domain.allocation import Allocation
from tests.dbt.landing import PROJECT, Estate, Result
from tests.dbt.test_dbt_allocation import MONTHS, write

DAYS = [MONTHS[0] + timedelta(days=26 + number) for number in range(7)]
"""The last days of a month and the first of the next."""
REGIONS = {"eu-west-1": 300.0, "us-east-1": None, "ap-south-1": 0.0, "nowhere": ...}
"""Region -> intensity of its hours; None has a gap, of `...` nothing was delivered."""
METRICS = ("energy_kwh", "location_gco2e", "market_gco2e", "embodied_gco2e")
SKUS = {
    "cores": ("vCPU-Hours", "Compute", None),
    "memory": ("GiB-Hours", "Compute", None),
    "machine": ("Hours", "Compute", ("m6i.large", "m6i", 2.0, 8.0)),
    "flash": ("GB-Months", "Storage", None),
    "traffic": ("GB", "Networking", None),
    "calls": ("Requests", "Compute", None),
}

CLUSTERS = ("one", "two")
NEAR = 1e-9
"""Absolute and relative: decimals have ten places where they come from doubles."""


@dataclass(frozen=True)
class World:
    """What was billed and measured."""

    charges: list[dict[str, Any]]
    workloads: dict[tuple[date, str, str], dict[str, float | None]]


def world(seed: int) -> World:
    draw = random.Random(seed)
    workloads = {
        (day, cluster, f"Deployment/shop/{name}"): {
            "energy_kwh": draw.uniform(0, 50),
            "location_gco2e": draw.uniform(0, 9000) if draw.random() < 0.8 else None,
            "market_gco2e": draw.uniform(0, 900) if draw.random() < 0.5 else None,
            "embodied_gco2e": draw.uniform(0, 90),
        }
        for day in DAYS
        for cluster in CLUSTERS
        for name in ("web", "api", "batch")
        if draw.random() < 0.7
    }
    charges = []
    for number in range(700):
        day, sku = draw.choice(DAYS), draw.choice(list(SKUS))
        late = draw.random() < 0.1
        name = draw.choice([None, None, "web", "api", "batch", "other"])
        charges.append(
            {
                "source": draw.choice(["aws", "other"]),
                "billing_period": MONTHS[1] if late else day.replace(day=1),
                "charge_date": day,
                "provider_name": "AWS",
                "billing_account_id": "payer",
                "service_category": SKUS[sku][1],
                "service_name": "Service",
                "region_id": draw.choice([*REGIONS, None]),
                "resource_id": f"r{number}",
                "resource": f"Deployment/shop/{name}" if name else None,
                "cluster": draw.choice([*CLUSTERS, None]) if name else None,
                "namespace": "shop" if name else None,
                "charge_category": "Tax" if draw.random() < 0.05 else "Usage",
                "sku_id": sku,
                "consumed_unit": SKUS[sku][0],
                "billing_currency": draw.choice(["USD", "EUR"]),
                "team": draw.choice(["red", "blue", None]),
                "billed_cost": "1",
                "effective_cost": "1",
                "list_cost": "1",
                "contracted_cost": "1",
                "consumed_quantity": None
                if draw.random() < 0.05
                else Decimal(draw.randint(-1000, 9000)).scaleb(-2),
                "charge_count": 1,
            }
        )
    return World(charges, workloads)


def per_unit() -> dict[str, tuple[float | None, float | None]]:
    """SKU -> kWh and grams embodied of one of its units."""
    folder = PROJECT / "seeds" / "carbon"
    with (folder / "carbon_coefficients.csv").open(encoding="utf-8") as file:
        known = {(row["provider"], row["coefficient"]): float(row["value"])
                 for row in csv.DictReader(file)}  # fmt: skip
    with (folder / "cpu_watts.csv").open(encoding="utf-8") as file:
        (lake,) = [row for row in csv.DictReader(file) if row["microarchitecture"] == "ice_lake"]
    any_ = {name: value for (provider, name), value in known.items() if provider == "any"}
    aws = {name: value for (provider, name), value in known.items() if provider == "aws"}
    pue, used = aws["power_usage_effectiveness"], any_["cpu_utilisation_share"]
    hours = any_["server_lifetime_years"] * 8760
    core = any_["server_embodied_kgco2e"] * 1000 / any_["server_vcpus"] / hours

    def watts(idle: float, full: float) -> float:
        return idle + used * (full - idle)

    common = watts(aws["min_watts_per_vcpu"], aws["max_watts_per_vcpu"])
    own = watts(float(lake["idle_watts"]), float(lake["full_watts"])) / float(lake["vcpus"])
    memory = aws["memory_kwh_per_gb_hour"]
    kept = any_["block_storage_copies"] / 1000 * any_["hours_of_month"]
    return {
        "cores": (pue * common / 1000, core),
        "memory": (pue * memory, 0.0),
        "machine": (pue * (2 * own / 1000 + 8 * memory), 2 * core),
        "flash": (
            pue * kept * any_["ssd_wh_per_tb_hour"] / 1000,
            kept * any_["ssd_embodied_kgco2e_per_tb"] * 1000 / hours,
        ),
        "traffic": (pue * any_["network_kwh_per_gb"], None),
        "calls": (None, None),
    }


def estimated(charge: Mapping[str, Any]) -> dict[str, float | None]:
    kwh, made = per_unit()[charge["sku_id"]]
    found: dict[str, float | None] = dict.fromkeys(METRICS)
    if charge["charge_category"] != "Usage" or charge["consumed_quantity"] is None:
        return found
    quantity = float(charge["consumed_quantity"])
    if made is not None:
        found["embodied_gco2e"] = quantity * made
    if kwh is not None:
        found["energy_kwh"] = quantity * kwh
        intensity = REGIONS.get(str(charge["region_id"]), ...)
        if isinstance(intensity, float):
            found["location_gco2e"] = quantity * kwh * intensity
            found["market_gco2e"] = quantity * kwh * intensity / 2
    return found


def expected(given: World) -> tuple[dict[str, dict[str, float | None]], set[Any]]:
    """Carbon by resource id; and the workloads that some charge tells of."""
    claims: dict[tuple[date, str, str], list[dict[str, Any]]] = defaultdict(list)
    late: dict[str, tuple[date, str, str]] = {}
    for charge in given.charges:
        if charge["charge_category"] != "Usage" or charge["sku_id"] in ("flash", "traffic"):
            continue
        places = [
            key
            for key in given.workloads
            if key[0] == charge["charge_date"] and key[2] == charge["resource"]
        ]
        if charge["cluster"] is not None:
            places = [key for key in places if key[1] == charge["cluster"]]
        if len(places) != 1:
            continue
        if charge["billing_period"] == charge["charge_date"].replace(day=1):
            claims[places[0]].append(charge)
        else:
            late[charge["resource_id"]] = places[0]
    found = {charge["resource_id"]: estimated(charge) for charge in given.charges}
    for resource_id, key in late.items():
        if key in claims:
            found[resource_id] = dict.fromkeys(METRICS)
    for key, charges in claims.items():
        weights = [max(estimated(charge)["energy_kwh"] or 0.0, 0.0) for charge in charges]
        if not sum(weights):
            weights = [1.0] * len(charges)
        for charge, weight in zip(charges, weights, strict=True):
            share = weight / sum(weights)
            found[charge["resource_id"]] = {
                metric: None if value is None else value * share
                for metric, value in given.workloads[key].items()
            }
    return found, set(claims)


@pytest.fixture(scope="module")
def given() -> World:
    return world(seed=20261129)


@pytest.fixture(scope="module")
def built(given: World, tmp_path_factory: pytest.TempPathFactory) -> tuple[Estate, Result]:
    root = tmp_path_factory.mktemp("carbon")
    skus = [
        {
            "source": source, "billing_period": month, "provider_name": "AWS",
            "service_category": category, "service_name": "Service", "sku_id": sku,
            "consumed_unit": unit, "instance_type": machine and machine[0],
            "instance_family": machine and machine[1], "core_count": machine and machine[2],
            "memory_gib": machine and machine[3],
        }
        for source in ("aws", "other")
        for month in MONTHS
        for sku, (unit, category, machine) in SKUS.items()
    ]  # fmt: skip
    hours = [
        {
            "day": day, "region": region, "accounting": accounting, "kind": "average",
            "gco2e_per_kwh": value,
            "reason": "a gap" if value is None else None,
        }
        for day in DAYS
        for region, intensity in REGIONS.items()
        if intensity is not ...
        for accounting, part in (("location", 1.0), ("market", 0.5))
        for value in (
            (intensity * part * 0.5, intensity * part * 1.5)
            if isinstance(intensity, float)
            else (100.0, None)
        )
    ]  # fmt: skip
    measured = [
        {"day": day, "cluster": cluster, "resource": resource, **row}
        for (day, cluster, resource), row in given.workloads.items()
    ]
    doubles = ("core_count", "memory_gib", "gco2e_per_kwh", *METRICS)
    estate = Estate(root)
    result = estate.dbt(
        *dbt_selection(ALLOCATION.name),
        published={
            "fct_costs_daily": [write(root, "costs", given.charges)],
            "dim_skus": [write(root, "skus", skus, doubles)],
            "fct_grid_intensity_hourly": [write(root, "hours", hours, doubles)],
            "fct_workload_carbon_daily": [write(root, "measured", measured, doubles)],
        },
        allocation=Allocation().model_dump(mode="json", by_alias=True) | {"plans": []},
    )
    return estate, result


def test_every_test_holds(built: tuple[Estate, Result]) -> None:
    """Conservation is among them: a difference stops the line."""
    assert built[1].exit_code == 0, built[1].output


def test_each_charge_emits_what_the_rules_say(built: tuple[Estate, Result], given: World) -> None:
    """Energy that is told twice, or of another's workload, would be in the wrong team's report."""
    told = built[0].query(
        f"select resource_id, {', '.join(METRICS)} from fct_allocated_costs_daily"
    )
    wanted, _ = expected(given)
    assert len(told) == len(wanted) == len(given.charges)
    known = dict.fromkeys(METRICS, 0)
    for resource_id, *values in told:
        for metric, value in zip(METRICS, values, strict=True):
            expect = wanted[resource_id][metric]
            assert (value is None) == (expect is None), (resource_id, metric, value, expect)
            if expect is not None:
                known[metric] += 1
                # shares of a workload have nine places
                assert float(value) == pytest.approx(expect, rel=1e-6, abs=1e-4), resource_id
    assert min(known.values()) > 100


def test_nothing_that_was_measured_is_lost_or_told_twice(
    built: tuple[Estate, Result], given: World
) -> None:
    """A month's measured energy is with charges or told as nobody's, to the last digit."""
    _, claimed = expected(given)
    for month in MONTHS:
        rows = {key: row for key, row in given.workloads.items() if key[0].replace(day=1) == month}
        for metric in METRICS:
            ((measured, assigned, unbilled, difference, lost),) = built[0].query(
                "select measured_total, assigned_total, unbilled_total, difference,"
                f" measured_difference from fct_carbon_conservation where metric = '{metric}'"
                f" and billing_period = '{month}'"
            )
            assert difference == lost == 0
            assert measured == assigned + unbilled
            assert float(assigned) == pytest.approx(
                sum(row[metric] or 0 for key, row in rows.items() if key in claimed), rel=NEAR
            )
            assert float(measured) == pytest.approx(
                sum(row[metric] or 0 for row in rows.values()), rel=NEAR
            )
    ((billed, told),) = built[0].query(
        "select (select sum(charge_count) from fct_carbon_coverage),"
        " (select count(*) from fct_allocated_costs_daily where charge_category = 'Usage')"
    )
    assert billed == told
