"""What the company sells, by day: orders, payments, parcels and the users behind them.

They follow the demand that their services see, so that a unit of each costs about the same.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path

import numpy as np
import pyarrow as pa

from finops_dagster.demo.delivery import signal_known_at, times, write
from finops_dagster.demo.demand import relative_demand
from finops_dagster.demo.noise import normal, stream
from finops_dagster.demo.plan import Plan
from finops_dagster.demo.seasons import DAY_MINUTES, HOUR_MINUTES, day_number, minutes_of


@dataclass(frozen=True)
class Counted:
    """A metric, the product whose it is, the service whose demand it follows, and its level."""

    metric: str
    product: str | None
    service: str
    per_day: int
    """In a day as busy as a peak hour."""


COUNTED = (
    Counted("orders", "Shop", "checkout-api", 31_000),
    Counted("payments", "Pay", "fraud-scorer", 52_000),
    Counted("parcels", "Deliver", "tracking-api", 27_000),
    Counted("active users", None, "web", 140_000),
)
_SPREAD = 0.015


def quantity(plan: Plan, one: Counted, day: date) -> int:
    """How much of a metric there was on a day."""
    (workload,) = (
        w for w in plan.workloads if (w.spec.name, w.environment) == (one.service, "prod")
    )
    minutes = minutes_of(day, day, HOUR_MINUTES)
    level = float(relative_demand(plan.seed, workload, minutes, HOUR_MINUTES).mean())
    drawn = normal(stream(plan.seed, f"business/{one.metric}"), np.array([day_number(day)]))
    return round(one.per_day * level * (1.0 + _SPREAD * float(drawn[0])))


def write_business(out: Path, plan: Plan, first: date, last: date) -> None:
    """Write one delivery a day."""
    for offset in range((last - first).days + 1):
        day = first + timedelta(days=offset)
        midnight = np.full(len(COUNTED), day_number(day) * DAY_MINUTES, dtype=np.int64)
        table = pa.table(
            {
                "time": times(midnight),
                "metric": pa.array([one.metric for one in COUNTED]),
                "product": pa.array([one.product for one in COUNTED], pa.string()),
                "quantity": pa.array([quantity(plan, one, day) for one in COUNTED]),
            }
        )
        write(out / "business" / f"day={day.isoformat()}", table, signal_known_at(day))
