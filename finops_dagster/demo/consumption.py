"""How much of each cloud meter is consumed on each day, and the anomalies hidden in it.

Prices and rows are made in billing.
"""

from __future__ import annotations

import random
from dataclasses import dataclass
from datetime import date, timedelta

import numpy as np

from finops_dagster.demo.cloud import Meter
from finops_dagster.demo.meters import METERS, NEW_SERVICE
from finops_dagster.demo.noise import Floats, Ints, normal, smooth, stream
from finops_dagster.demo.seasons import (
    AS_OF,
    DAY_MINUTES,
    closes_books,
    day_number,
    day_of,
    growth,
    workday,
)

QUANTITY_SCALE = 10_000
"""Quantities are integers of 1e-4 units."""


@dataclass(frozen=True)
class Event:
    """One anomaly: which meter, when (both days included), and what it does to it."""

    kind: str
    meter: str
    first: date
    last: date | None
    """None is: to this day."""
    factor: float

    def covers(self, days: Ints) -> Floats:
        """1 on days inside the event."""
        end = day_number(self.last) if self.last else np.iinfo(np.int64).max
        inside: Floats = ((days >= day_number(self.first)) & (days <= end)).astype(np.float64)
        return inside


def events(seed: int) -> tuple[Event, ...]:
    """The anomalies of an estate, placed by days before AS_OF; one meter has one at most."""
    draw = random.Random(f"halden/{seed}/events")
    # Small meters would hide in noise: one must be able to see an anomaly to be blamed for it.
    visible = [
        meter.key
        for meter in METERS
        if meter.anomalous and meter.tags and meter.per_day * meter.price / 1e6 >= 12.0
    ]
    storage = [key for key in visible if key.startswith(("bucket-", "bq-storage", "logs-"))]
    storage = [key for key in storage if not key.endswith("-requests")]
    leaks = draw.sample(storage, 2)
    others = [key for key in visible if key not in leaks and key not in storage]
    draw.shuffle(others)
    keys = iter(others)

    def ago(days: int) -> date:
        return AS_OF - timedelta(days=days)

    found = [
        Event("cost_anomaly_slow_leak", leaks[0], ago(draw.randint(52, 60)), None, 0.012),
        Event("cost_anomaly_slow_leak", leaks[1], ago(290), ago(245), 0.014),
        Event(
            "cost_anomaly_level_shift",
            next(keys),
            ago(draw.randint(16, 21)),
            None,
            draw.uniform(1.7, 2.3),
        ),
        Event(
            "cost_anomaly_level_shift",
            next(keys),
            ago(draw.randint(165, 175)),
            None,
            draw.uniform(1.5, 2.0),
        ),
        Event("cost_anomaly_new_service", NEW_SERVICE.key, ago(draw.randint(9, 13)), None, 1.0),
        Event("cost_anomaly_price", next(keys), ago(112), None, 1.06),
        # as many hours as before, half of the dear ones on the cheaper machines
        Event("cost_anomaly_mix", "fleet-reindex-m5.4xlarge", ago(75), None, 0.5),
        Event("cost_anomaly_mix", "fleet-reindex-m6g.4xlarge", ago(75), None, 2.0),
    ]
    for around in (2, 46, 131, 204, 262, 331):
        start = around + draw.randint(0, 5) if around > 2 else around
        length = draw.randint(1, 3) if around > 2 else 2
        found.append(
            Event(
                "cost_anomaly_spike",
                next(keys),
                ago(start),
                ago(start - length + 1),
                draw.uniform(2.6, 6.0),
            )
        )
    account_pair = ("transfer-storefront", "logs-checkout")
    if not any(event.meter in account_pair for event in found):
        found.append(Event("cost_anomaly_offsetting", account_pair[0], ago(90), ago(70), 0.45))
        found.append(Event("cost_anomaly_offsetting", account_pair[1], ago(90), ago(70), 2.85))
    return tuple(found)


def meters() -> tuple[Meter, ...]:
    """Every meter, the new service included."""
    return (*METERS, NEW_SERVICE)


def quantities(seed: int, meter: Meter, days: Ints, hidden: tuple[Event, ...]) -> Ints:
    """Quantity on each day in 1e-4 units, with the effect of the events in `hidden`."""
    plain = meter.per_day * _season(meter.season, days)
    if meter.season not in ("hours", "workdays"):
        key = stream(seed, f"meter/{meter.key}")
        minutes = days * DAY_MINUTES
        plain = (
            plain
            * growth(days, meter.growth)
            * np.exp(
                meter.noise * normal(key, days)
                + 0.8 * meter.noise * smooth(key + 1, minutes, 14400)
            )
        )
    for event in hidden:
        if event.meter != meter.key:
            continue
        inside = event.covers(days)
        if event.kind == "cost_anomaly_slow_leak":
            age = np.maximum(days - day_number(event.first) + 1, 0)
            plain = plain * np.where(inside > 0, (1.0 + event.factor) ** age, 1.0)
        elif event.kind == "cost_anomaly_new_service":
            plain = plain * inside
        elif event.kind != "cost_anomaly_price":
            plain = plain * np.where(inside > 0, event.factor, 1.0)
    result: Ints = np.rint(plain * QUANTITY_SCALE).astype(np.int64)
    return result


def unit_price(meter: Meter, days: Ints, hidden: tuple[Event, ...]) -> Ints:
    """List price on each day, 1e-6 currency units."""
    price = np.full(len(days), float(meter.price))
    for event in hidden:
        if event.meter == meter.key and event.kind == "cost_anomaly_price":
            price = np.where(event.covers(days) > 0, price * event.factor, price)
    result: Ints = np.rint(price).astype(np.int64)
    return result


_WEB_WEEK = np.array([0.95, 0.93, 0.94, 0.97, 1.05, 1.12, 1.06])


def _season(name: str, days: Ints) -> Floats:
    weekdays = (days + 3) % 7
    busy = workday(days)
    if name == "hours":
        return np.ones(len(days))
    result: Floats
    if name == "workdays":
        return busy
    if name == "office":
        result = 0.42 + 0.58 * busy
        return result
    dates = [day_of(int(number)) for number in days]
    if name == "web":
        # Shops sell more in the week of Black Friday and before Christmas.
        rush = np.array(
            [
                1.35
                if d.month == 11 and 22 <= d.day <= 30
                else 1.20
                if d.month == 12 and 8 <= d.day <= 22
                else 1.0
                for d in dates
            ]
        )
        result = _WEB_WEEK[weekdays] * rush
        return result
    if name == "monthend":
        result = (0.6 + 0.4 * busy) * np.where(closes_books(days), 1.9, 1.0)
        return result
    return np.ones(len(days))
