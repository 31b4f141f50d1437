"""Machines of a small synthetic estate; what is in them is known exactly. No test lives here."""

from __future__ import annotations

from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import numpy as np
import pandas as pd

from finops_dagster.engines.optimisation.inputs import FindResult, SizingConfig
from finops_dagster.engines.optimisation.machine_prices import TYPE_PRICE_COLUMNS, TypePrices
from finops_dagster.engines.optimisation.machine_types import LIMIT_COLUMNS, Catalogue
from finops_dagster.engines.optimisation.machines import (
    MACHINE_COLUMNS,
    MachineInputs,
    find_machines,
)
from tests.unit.engines.estates import AS_OF, GIB, times

NAME = "aws_instance/shop/web"
TYPES = pd.DataFrame(
    [
        ("m5.large", 2, 8), ("m5.xlarge", 4, 16), ("m5.2xlarge", 8, 32), ("m6i.xlarge", 4, 16),
        ("m6g.xlarge", 4, 16), ("m7g.xlarge", 4, 16), ("r5.large", 2, 16), ("t3.large", 2, 8),
        ("c5.xlarge", 4, 8), ("m5d.large", 2, 8), ("m5.metal", 96, 384), ("t3.xlarge", 4, 16),
        ("m4.xlarge", 4, 16),
    ],
    columns=["instance_type", "vcpus", "memory_gib"],
)  # fmt: skip
LIMITS = pd.DataFrame(
    [("m5.%", 0.062, 5.8), ("m6i.%", 0.097, 9.3), ("m6g.%", 0.078, 8.8), ("r5.%", 0.031, 2.9),
     ("t3.%", 0.064, 2.5), ("m7g.%", 0.117, 9.3)],
    columns=list(LIMIT_COLUMNS),
)  # fmt: skip
LISTED = {
    "m5.large": "0.10", "m5.xlarge": "0.20", "m5.2xlarge": "0.40", "m6i.xlarge": "0.18",
    "m6g.xlarge": "0.15", "r5.large": "0.13", "m5d.large": "0.09",
}  # fmt: skip


def machine(resource: str = NAME, instance_type: str = "m5.xlarge", **more: Any) -> dict[str, Any]:
    """A row of MACHINE_COLUMNS: a production machine on Linux, declared in Terraform."""
    given = {
        "resource": resource, "what": "machine", "region": "eu-west-1",
        "instance_type": instance_type, "software": "linux", "currency": "USD", "owner": "shop",
        "environment": "production", "field": "instance_type", "declared": instance_type,
        "held": "",
    }  # fmt: skip
    return given | more


def use(
    cpu: float | np.ndarray = 0.8,
    memory: float | np.ndarray | None = 3.0,
    network: float | None = 0.1,
    disk: float | None = 5.0,
    resource: str = NAME,
    days: int = 14,
    as_of: date = AS_OF,
    **more: Any,
) -> pd.DataFrame:
    """vCPUs, GiB, Gbit/s and MiB/s, the same all along unless an array is given."""
    at = times(days, as_of)
    return pd.DataFrame(
        {
            "resource": resource,
            "time": at,
            "interval_seconds": 300,
            "cpu_cores": cpu,
            "memory_used_bytes": np.nan if memory is None else np.asarray(memory) * GIB,
            "network_bytes_per_second": np.nan if network is None else network * 1e9 / 8,
            "disk_bytes_per_second": np.nan if disk is None else disk * 1024**2,
            **more,
        }
    )


def type_prices(listed: dict[str, str] | None = None, **more: str) -> pd.DataFrame:
    """Rows of TYPE_PRICE_COLUMNS, all in one market."""
    given = {"what": "machine", "region": "eu-west-1", "software": "linux", "currency": "USD",
             "evidence": "listed"} | more  # fmt: skip
    rows = [
        (given["what"], given["region"], kind, given["software"], given["currency"],
         given["evidence"], Decimal(price))
        for kind, price in (LISTED if listed is None else listed).items()
    ]  # fmt: skip
    return pd.DataFrame(rows, columns=list(TYPE_PRICE_COLUMNS))


def unit_prices(
    hourly: str = "0.16", resource: str = NAME, days: int = 14, currency: str = "USD"
) -> pd.DataFrame:
    """24 hours a day at a net price: 0.16 is a fifth under the list price of an m5.xlarge."""
    price = Decimal(hourly)
    rows = [
        (resource, "machine", currency, pd.Timestamp(AS_OF - timedelta(days=back)), Decimal(24),
         24 * price, price)
        for back in range(days)
    ]  # fmt: skip
    columns = ["resource", "meter", "currency", "day", "quantity", "cost", "unit_price"]
    return pd.DataFrame(rows, columns=columns)


def judged(
    machines: list[dict[str, Any]] | None = None,
    measured: pd.DataFrame | None = None,
    listed: pd.DataFrame | None = None,
    prices: pd.DataFrame | None = None,
    types: pd.DataFrame = TYPES,
    as_of: date = AS_OF,
    config: SizingConfig | None = None,
    regions: dict[str, tuple[str, ...]] | None = None,
) -> FindResult:
    """What the engine says of one machine that needs half of what it has, unless told otherwise."""
    return find_machines(
        MachineInputs(
            machines=pd.DataFrame(machines or [machine()], columns=list(MACHINE_COLUMNS)),
            use=use() if measured is None else measured,
            catalogue=Catalogue(types, LIMITS),
            type_prices=TypePrices(type_prices() if listed is None else listed),
            unit_prices=unit_prices() if prices is None else prices,
            regions=regions or {},
        ),
        as_of,
        config,
    )
