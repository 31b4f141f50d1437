"""Bills of drawn companies with anomalies planted in them: nothing of the demo is in them.

Accounts, leaves, weeks, growth, lumps, holidays and the anomalies' sizes are all drawn. How
anomalies are found or counted is not said here.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np
import pandas as pd

FIRST = pd.Timestamp("2024-03-01")
QUIET_DAYS = 90
"""Nothing is planted before: one must know a leaf to be blamed for it."""
Floats = np.ndarray
_VISIBLE_SHARE = 0.01
"""Anomalies are planted in leaves that are at least this share of their account's spend."""


@dataclass(frozen=True)
class Planted:
    """One anomaly: its kind, its leaf as ACCOUNT/SERVICE/TEAM, first and last day."""

    kind: str
    leaf: str
    first: pd.Timestamp
    last: pd.Timestamp


@dataclass
class _Meter:
    name: str
    price: Floats
    quantity: Floats


@dataclass
class _Leaf:
    account: str
    service: str
    team: str
    currency: str
    steady: bool
    """Neither lumpy nor intermittent: what is planted in it can be seen."""
    meters: list[_Meter] = field(default_factory=list)
    share: float = 0.0

    @property
    def name(self) -> str:
        return f"{self.account}/{self.service}/{self.team}"

    @property
    def daily(self) -> float:
        return sum(float((one.price * one.quantity).mean()) for one in self.meters)


def company(seed: int, days: int) -> tuple[pd.DataFrame, list[Planted]]:
    """A bill and what is in it.

    Columns account, service, team, currency, meter, unit, ds, cost, quantity.
    """
    rng = np.random.default_rng([seed, 7])
    stamps = pd.date_range(FIRST, periods=days)
    closed = rng.choice(days, size=max(days // 45, 1), replace=False)
    leaves = [
        _leaf(rng, f"acct-{a}", number, stamps, closed, currency)
        for a in range(int(rng.integers(3, 7)))
        for currency in [str(rng.choice(["USD", "EUR"]))]
        for number in range(int(rng.integers(8, 22)))
    ]
    for account in {leaf.account for leaf in leaves}:
        own = [leaf for leaf in leaves if leaf.account == account]
        spend = sum(leaf.daily for leaf in own)
        for leaf in own:
            leaf.share = leaf.daily / spend
    planted = list(_plant(rng, leaves, stamps))
    parts = [
        pd.DataFrame(
            {
                "account": leaf.account, "service": leaf.service, "team": leaf.team,
                "currency": leaf.currency, "meter": one.name, "unit": "hours", "ds": stamps,
                "cost": np.round(one.price * one.quantity, 6), "quantity": one.quantity,
            }
        )
        for leaf in leaves for one in leaf.meters
    ]  # fmt: skip
    frame = pd.concat(parts, ignore_index=True)
    return frame.loc[frame["quantity"] != 0].reset_index(drop=True), planted


def _leaf(
    rng: np.random.Generator,
    account: str,
    number: int,
    stamps: pd.DatetimeIndex,
    closed: np.ndarray,
    currency: str,
) -> _Leaf:
    days = np.arange(len(stamps))
    habit = str(rng.choice(["flat", "office", "web", "month", "lumpy", "rare"],
                           p=[0.35, 0.25, 0.2, 0.06, 0.1, 0.04]))  # fmt: skip
    shape = np.ones(len(days))
    if habit == "office":
        shape = np.where(stamps.dayofweek >= 5, rng.uniform(0.2, 0.8), 1.0)
        shape[closed] = shape[np.flatnonzero(stamps.dayofweek == 6)[0]]
    elif habit == "web":
        shape = (1 + rng.uniform(-0.15, 0.15, 7))[stamps.dayofweek]
    elif habit == "month":
        shape = np.where(stamps.day == int(rng.integers(1, 29)), rng.uniform(2, 6), 1.0)
    elif habit == "lumpy":
        shape = np.exp(rng.normal(0, rng.uniform(0.3, 0.7), len(days)))
    elif habit == "rare":
        shape = (rng.random(len(days)) < rng.uniform(0.1, 0.5)).astype(float)
    leaf = _Leaf(
        account, f"service-{number:02d}", f"team-{int(rng.integers(0, 6))}", currency,
        steady=habit not in ("lumpy", "rare"),
    )  # fmt: skip
    daily = float(np.exp(rng.normal(3.0, 1.2)))
    weights = rng.dirichlet(np.full(int(rng.integers(1, 4)), 2.0))
    growth = np.exp(np.log1p(rng.uniform(-0.2, 0.6)) * days / 365)
    for k, weight in enumerate(weights):
        price = float(np.exp(rng.normal(-1.5, 1.0)))
        noise = rng.uniform(0.01, 0.08)
        # heavy tails, and a level that wanders back within some weeks
        own = noise * rng.standard_t(5, len(days)) / np.sqrt(5 / 3)
        wander = _wander(rng, len(days), 0.97, noise * rng.uniform(0.2, 0.8))
        amount = daily * weight / price * shape * growth * np.exp(own + wander)
        leaf.meters.append(_Meter(f"meter-{k}", np.full(len(days), price), amount))
    return leaf


def _wander(rng: np.random.Generator, count: int, keeps: float, spread: float) -> Floats:
    steps = rng.normal(0, spread * np.sqrt(1 - keeps**2), count)
    out = np.empty(count)
    level = rng.normal(0, spread)
    for i, step in enumerate(steps):
        level = keeps * level + step
        out[i] = level
    return out


def _plant(
    rng: np.random.Generator, leaves: list[_Leaf], stamps: pd.DatetimeIndex
) -> Iterator[Planted]:
    days = len(stamps)
    free = [leaf for leaf in leaves if leaf.steady and leaf.share >= _VISIBLE_SHARE]
    rng.shuffle(free)

    def taken(kind: str, leaf: _Leaf, first: int, length: int, factor: Floats | float) -> Planted:
        last = min(first + length, days) - 1
        factors = np.broadcast_to(factor, length)[: last + 1 - first]
        for meter in leaf.meters:
            meter.quantity[first : last + 1] *= factors
        return Planted(kind, leaf.name, stamps[first], stamps[last])

    def start() -> int:
        return int(rng.integers(QUIET_DAYS, days - 15))

    for _ in range(6):
        size = float(np.exp(rng.uniform(np.log(1.6), np.log(5))))
        yield taken("spike", free.pop(), start(), int(rng.integers(1, 4)), size)
    for _ in range(4):
        size = float(rng.choice([rng.uniform(1.3, 2.5), rng.uniform(0.4, 0.7)], p=[0.75, 0.25]))
        length = int(rng.choice(np.array([rng.integers(10, 60), days])))
        yield taken("level_shift", free.pop(), start(), length, size)
    for _ in range(4):
        length = int(rng.integers(30, 61))
        rate = rng.uniform(0.008, 0.025)
        ramp = (1 + rate) ** np.arange(1, length + 1)
        yield taken("slow_leak", free.pop(), start(), length, ramp)
    for _ in range(2):
        leaf, first = free.pop(), start()
        for meter in leaf.meters:
            meter.quantity[:first] = 0.0
        yield Planted("new_service", leaf.name, stamps[first], stamps[-1])
    for _ in range(3):
        leaf, first = free.pop(), start()
        dearest = max(leaf.meters, key=lambda meter: float((meter.price * meter.quantity).mean()))
        dearest.price[first:] *= 1 + float(rng.choice([-1, 1])) * rng.uniform(0.03, 0.15)
        yield Planted("price", leaf.name, stamps[first], stamps[-1])
    for leaf in [one for one in free if len(one.meters) > 1][:2]:
        free.remove(leaf)
        first, part = start(), rng.uniform(0.3, 0.6)
        dear, cheap = leaf.meters[:2]
        # the same work on units of another price
        cheap.price[:] = dear.price * rng.uniform(0.4, 0.8)
        moved = part * dear.quantity[first:]
        dear.quantity[first:] -= moved
        cheap.quantity[first:] += moved
        yield Planted("mix", leaf.name, stamps[first], stamps[-1])
    for _ in range(2):
        one = free.pop()
        other = next((leaf for leaf in free if leaf.account == one.account), None)
        if other is None:
            continue
        free.remove(other)
        first, length = start(), int(rng.integers(10, 41))
        small, large = sorted((one, other), key=lambda leaf: leaf.daily)
        part = rng.uniform(0.3, 0.6)
        yield taken("offsetting", small, first, length, 1 - part)
        rise = 1 + part * small.daily / large.daily
        yield taken("offsetting", large, first, length, rise)
