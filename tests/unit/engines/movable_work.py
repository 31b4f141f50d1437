"""One movable job, its grids, its bill and its prices, small enough to be worked out by hand.

No test lives here.
"""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import numpy as np
import pandas as pd

from finops_dagster.engines.optimisation import FindResult
from finops_dagster.engines.optimisation.movable import Movable
from finops_dagster.engines.optimisation.placement import place_work
from finops_dagster.engines.optimisation.placement_inputs import (
    Declared,
    Marts,
    Place,
    PlacementConfig,
)

AS_OF = date(2026, 3, 29)
JOB = "CronJob/shop/settle"
FIRST = AS_OF - timedelta(days=27)
HOURS = Movable(hours=tuple(range(7)), regions=False, max_latency_ms=None)
AWAY = Movable(hours=(), regions=True, max_latency_ms=None)
CONFIG = PlacementConfig(
    regions={"payments": ("dirty", "clean", "cheap")},
    transfer_prices_per_gb={"EUR": Decimal("0.02")},
)


def hours(days: int = 28, first: date = FIRST) -> pd.DatetimeIndex:
    return pd.date_range(pd.Timestamp(first, tz="UTC"), periods=days * 24, freq="h")


def measured(at: tuple[int, ...] = (1, 2), days: int = 28, first: date = FIRST) -> pd.DataFrame:
    """Half an hour-long core in each of these UTC hours of every day, and 1 MB/s of traffic."""
    time = hours(days, first)
    time = time[time.hour.isin(at)]
    return pd.DataFrame(
        {
            "resource": JOB,
            "cluster": "a",
            "container": "run",
            "time": time,
            "interval_seconds": 3600,
            "cpu_cores": 0.5,
            "network_receive_bytes_per_second": 0.5e6,
            "network_transmit_bytes_per_second": 0.5e6,
        }
    )


def energy(days: int = 28, first: date = FIRST) -> pd.DataFrame:
    """2 kWh a day, from half to twice of that."""
    day = [first + timedelta(days=n) for n in range(days)]
    return pd.DataFrame(
        {
            "day": day,
            "resource": JOB,
            "cluster": "a",
            "region": "dirty",
            "energy_kwh": 2.0,
            "energy_low_kwh": 1.0,
            "energy_high_kwh": 4.0,
        }
    )


def grid(
    region: str = "dirty", clean_at: tuple[int, ...] = (4, 5), level: float = 500.0, days: int = 28
) -> pd.DataFrame:
    """500 g, 100 g in the clean hours; a little more on every second day."""
    hour = hours(days)
    value = np.where(hour.hour.isin(clean_at), 100.0, level)
    value = value + np.where(hour.dayofyear % 2 == 0, 2.0, 0.0) * np.isin(hour.hour, (1, 2))
    return pd.DataFrame({"region": region, "hour": hour, "gco2e_per_kwh": value})


def costs(days: int = 28, **changes: Any) -> pd.DataFrame:
    """10 core-hours at 1 EUR a day."""
    row = {
        "resource": JOB,
        "charge_category": "Usage",
        "provider_name": "AWS",
        "billing_account_id": "1",
        "service_name": "Compute",
        "region_id": "dirty",
        "sku_id": "SKU-DIRTY",
        "sku_meter": "vCPU-Hours",
        "consumed_unit": "Hours",
        "billing_currency": "EUR",
        "consumed_quantity": Decimal(10),
        "effective_cost": Decimal(10),
        "contracted_cost": Decimal(10),
        "list_cost": Decimal(10),
        "commitment_discount_status": None,
    }
    return pd.DataFrame(
        [{**row, "charge_date": FIRST + timedelta(days=n), **changes} for n in range(days)]
    )


def priced(**by_region: str) -> pd.DataFrame:
    """What one core-hour of the same machine was charged at in each region."""
    return pd.DataFrame(
        [
            {
                "provider_name": "AWS",
                "service_name": "Compute",
                "region_id": region,
                "sku_id": f"SKU-{region.upper()}",
                "sku_meter": "vCPU-Hours",
                "consumed_unit": "Hours",
                "billing_currency": "EUR",
                "quantity": Decimal(4),
                "cost": Decimal(price) * 4,
            }
            for region, price in by_region.items()
        ],
        columns=[
            "provider_name", "service_name", "region_id", "sku_id", "sku_meter", "consumed_unit",
            "billing_currency", "quantity", "cost",
        ],
    )  # fmt: skip


SKUS = pd.DataFrame(
    {
        "sku_id": [f"SKU-{region}" for region in ("DIRTY", "CLEAN", "CHEAP")],
        "instance_type": "m6i.large",
    }
)


def marts(**changes: pd.DataFrame) -> Marts:
    base = Marts(
        measurements=measured(),
        energy=energy(),
        intensity=pd.concat(
            [grid(), grid("clean", (), 20.0), grid("cheap", (), 500.0)], ignore_index=True
        ),
        costs=costs(),
        priced=priced(dirty="1", clean="0.9", cheap="0.8"),
        skus=SKUS,
    )
    return replace(base, **changes)


def place(**changes: Any) -> Place:
    manifest = {"apiVersion": "batch/v1", "kind": "CronJob", "metadata": {"name": "settle"}}
    base = Place(
        region="dirty",
        owner="payments",
        environment="production",
        currency="EUR",
        declared=Declared(schedule="15 1 * * *", manifest=json.dumps(manifest)),
    )
    return replace(base, **changes)


def judged(
    work: Movable,
    where: Place | None = None,
    config: PlacementConfig = CONFIG,
    **changes: pd.DataFrame,
) -> FindResult:
    return place_work({JOB: work}, {JOB: where or place()}, marts(**changes), AS_OF, config)
