"""Small synthetic estates for the engines' tests; what is in them is known exactly.

No test lives here.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date, timedelta
from decimal import Decimal

import numpy as np
import pandas as pd

from finops_dagster.engines.optimisation import Context

AS_OF = date(2026, 3, 29)
"""A Sunday: 14 days back are two whole weeks."""
GIB = 1024**3


@dataclass
class Workload:
    """One single-container workload: `cpu` in cores and `memory` in bytes of one replica."""

    resource: str
    cpu: np.ndarray
    memory: np.ndarray
    request_cpu: str = "1"
    request_cores: float = 1.0
    request_memory: str = "1Gi"
    request_bytes: float = float(GIB)
    replicas: int = 2
    environment: str = "production"
    network: float = 50_000.0
    gpu: np.ndarray | None = None
    memory_limit: str | None = None
    container: str = "server"
    declared: bool = True
    days: int = 14
    extra: dict[str, str] = field(default_factory=dict)


def times(days: int = 14, as_of: date = AS_OF) -> pd.DatetimeIndex:
    """Five-minute interval starts of the last `days` days up to and including `as_of`."""
    start = pd.Timestamp(as_of - timedelta(days=days - 1), tz="UTC")
    return pd.date_range(start, periods=days * 288, freq="5min")


def steady(mean: float, spread: float, seed: int, days: int = 14) -> np.ndarray:
    """Noise around a level, never below a tenth of it."""
    rng = np.random.default_rng(seed)
    return np.maximum(mean * 0.1, rng.normal(mean, spread, days * 288))


def measurements(workloads: list[Workload], as_of: date = AS_OF) -> pd.DataFrame:
    """Rows as `fct_workload_measurements` has them."""
    frames = []
    for w in workloads:
        kind, namespace, name = w.resource.split("/")
        frames.append(
            pd.DataFrame(
                {
                    "time": times(w.days, as_of),
                    "interval_seconds": 300,
                    "resource": w.resource,
                    "cluster": "main",
                    "kind": kind,
                    "namespace": namespace,
                    "name": name,
                    "container": w.container,
                    "cpu_cores": w.cpu * w.replicas,
                    "cpu_request_cores": w.request_cores * w.replicas,
                    "memory_working_set_bytes": w.memory * w.replicas,
                    "memory_request_bytes": w.request_bytes * w.replicas,
                    "memory_limit_bytes": np.nan,
                    "replicas": float(w.replicas),
                    "gpu_utilisation_percent": np.nan if w.gpu is None else w.gpu,
                    "gpu_power_watts": np.nan if w.gpu is None else 60.0,
                    "network_receive_bytes_per_second": w.network,
                    "volume_used_bytes": np.nan,
                    "volume_capacity_bytes": np.nan,
                }
            )
        )
    return pd.concat(frames, ignore_index=True)


def volume(resource: str, used: float | None, capacity: float, days: int = 14) -> pd.DataFrame:
    """Rows of a volume a pod mounts."""
    kind, namespace, name = resource.split("/")
    return pd.DataFrame(
        {
            "time": times(days),
            "interval_seconds": 300,
            "resource": resource,
            "cluster": "main",
            "kind": kind,
            "namespace": namespace,
            "name": name,
            "container": "",
            "volume_used_bytes": used,
            "volume_capacity_bytes": capacity,
        }
    )


def prices(
    workloads: list[Workload],
    volumes: tuple[str, ...] = (),
    currency: str = "USD",
    days: int = 14,
    as_of: date = AS_OF,
) -> pd.DataFrame:
    """Prices as `unit_prices` returns them: 0.04 a vCPU-hour, 0.005 a GiB-hour, 2 a GPU-hour."""
    rows = []
    for offset in range(days):
        day = pd.Timestamp(as_of - timedelta(days=offset))
        for w in workloads:
            meters = [
                ("cpu", w.request_cores, Decimal("0.04")),
                ("memory", w.request_bytes / GIB, Decimal("0.005")),
            ]
            if w.gpu is not None:
                meters.append(("gpu", 1.0, Decimal(2)))
            for meter, units, price in meters:
                quantity = Decimal(str(units * w.replicas * 24))
                rows.append((w.resource, meter, currency, day, quantity, quantity * price, price))
        for name in volumes:
            quantity = Decimal(100) / 30
            rows.append((name, "storage", currency, day, quantity, quantity / 10, Decimal("0.1")))
    columns = ["resource", "meter", "currency", "day", "quantity", "cost", "unit_price"]
    return pd.DataFrame(rows, columns=columns)


def context(workloads: list[Workload], **changes: object) -> Context:
    """What is declared of the workloads, all owned by `shop` at 400 gCO2e/kWh."""
    values = []
    for w in workloads:
        if not w.declared:
            continue
        base = f"spec.template.spec.containers[name={w.container}].resources"
        values.append((w.resource, f"{base}.requests.cpu", w.container, w.request_cpu))
        values.append((w.resource, f"{base}.requests.memory", w.container, w.request_memory))
        if w.memory_limit:
            values.append((w.resource, f"{base}.limits.memory", w.container, w.memory_limit))
        values.append((w.resource, "spec.replicas", "", str(w.replicas)))
    given: dict[str, object] = {
        "values": pd.DataFrame(values, columns=["resource", "field", "container", "current"]),
        "resources": frozenset(w.resource for w in workloads if w.declared),
        "managed": {},
        "undeclared": frozenset(w.resource for w in workloads if not w.declared),
        "unsure": {},
        "owners": pd.DataFrame(
            [(w.resource, "shop", w.environment) for w in workloads],
            columns=["resource", "owner", "environment"],
        ),
        "intensity": pd.DataFrame(
            [(w.resource, 400.0) for w in workloads], columns=["resource", "gco2e_per_kwh"]
        ),
    }
    return Context(**(given | changes))  # type: ignore[arg-type]
