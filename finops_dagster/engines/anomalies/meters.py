"""What a leaf's cost is made of: quantity and price by meter; new prices, changed mixes, creep.

A meter is one thing that is charged by the unit. A leaf whose charges name none is one meter.
"""

from __future__ import annotations

from datetime import date

import numpy as np

from finops_dagster.domain.incidents import Channel
from finops_dagster.engines.anomalies.baseline import Baseline, Expected, Slow
from finops_dagster.engines.anomalies.channels import (
    NEVER,
    Hit,
    Memory,
    Today,
    creeping,
    pairs,
    unsilenced,
)
from finops_dagster.engines.anomalies.leaves import Ring
from finops_dagster.engines.anomalies.result import DetectionConfig
from finops_dagster.engines.known import Floats, median

_STOOD_DAYS, _STOOD_LEAST = 14, 10
_WOBBLE = 5.0
"""Only a price that stood still can be said to have moved: by so many times its wobble."""
_REST_DAYS = 14


class Meters:
    """Goes through the days in order; `leaf` is the leaf's number of each meter."""

    def __init__(self, config: DetectionConfig, kept_days: int) -> None:
        self._config = config
        self.leaf = np.empty(0, dtype=int)
        self.born = np.empty(0, dtype=int)
        self.repriced = np.empty(0, dtype=int)
        self.mixed = np.empty(0, dtype=int)
        self.group = np.empty(0, dtype=int)
        """Meters of one leaf and unit; each its own where the unit is not known."""
        self.creeping = np.empty(0, dtype=int)
        self.far = np.empty(0, dtype=int)
        """Day on which it was last far out."""
        self.base = Baseline()
        self.slow = Slow()
        self.rings = {
            "cost": Ring(kept_days, 0.0),
            "quantity": Ring(kept_days, 0.0),
            "price": Ring(_STOOD_DAYS + config.price_days, np.nan),
            "z": Ring(config.lasting_days, np.nan),
        }

    def grow(self, leaf: int, group: int | None, born: int) -> None:
        """One more meter of a leaf; `group` is the first meter of the leaf and unit."""
        number = len(self.leaf)
        self.leaf = np.append(self.leaf, leaf)
        self.born = np.append(self.born, born)
        self.group = np.append(self.group, number if group is None else group)
        self.repriced = np.append(self.repriced, NEVER)
        self.mixed = np.append(self.mixed, NEVER)
        self.creeping = np.append(self.creeping, 0)
        self.far = np.append(self.far, NEVER)
        for ring in (*self.rings.values(), self.slow.moved):
            ring.grow(number + 1)
        self.base.grow(number + 1)

    def step(self, today: Today, memory: Memory, cost: Floats, quantity: Floats) -> list[Hit]:
        """Take a day in. `cost` and `quantity` (NaN: not known) by meter, 0 where it had none."""
        day, spend = today.day, today.spend
        with np.errstate(invalid="ignore", divide="ignore"):
            price = np.where((quantity > 0) & (cost > 0), cost / quantity, np.nan)
        earlier = self.rings["price"].back(0)
        unpriced = (quantity == 0) & (cost == 0)
        # a day without use has no price of its own: the last one stands
        price = np.where(unpriced, earlier, price)
        self.rings["cost"].add(cost)
        self.rings["quantity"].add(quantity)
        self.rings["price"].add(price)
        figure = np.nan_to_num(quantity)
        age = day - self.born
        expected = self.base.step(figure, age, date.fromordinal(day))
        self.rings["z"].add(np.where(np.isfinite(quantity), expected.z, np.nan))
        self.far[np.nan_to_num(np.abs(expected.z)) > self._config.point_z] = day
        old = age >= self._config.min_history_days
        hits = self._prices(day, cost, quantity, spend, today.cost)
        worth = np.nan_to_num(earlier)
        moved = (figure - np.nan_to_num(expected.cost)) * worth
        hits += self._mixes(today, memory, moved, old)
        return hits + self._creep(today, memory, expected, age, worth)

    def _creep(
        self, today: Today, memory: Memory, expected: Expected, age: np.ndarray, worth: Floats
    ) -> list[Hit]:
        """What creeps in one meter may be hidden by the noise of the leaf's others."""
        config, day = self._config, today.day
        muted = day - self.far <= config.merge_days
        statistic = self.slow.step(self.base, expected.unit, age, muted)
        spend = today.spend[self.leaf]
        moved = expected.unit * (np.sinh(statistic.now) - np.sinh(statistic.before))
        moved = moved * worth
        away = creeping(statistic, moved, spend, age >= config.min_history_days, config)
        self.creeping = np.where(away, self.creeping + 1, 0)
        told = (self.creeping >= config.slow_days) & unsilenced(today, memory, config)[self.leaf]
        told &= ~muted
        out = []
        for leaf in dict.fromkeys(self.leaf[told].tolist()):
            rows = np.flatnonzero(told & (self.leaf == leaf))
            lead = rows[np.argmax(np.abs(moved[rows]))]
            expect = float(today.cost[leaf] - moved[rows].sum())
            score, onset = float(statistic.score[lead]), day - int(statistic.begun[lead])
            out.append(Hit(leaf, day, Channel.SLOW, expect, score, onset))
        hit = np.zeros(len(today.cost), dtype=bool)
        hit[[one.leaf for one in out]] = True
        extra = np.bincount(self.leaf[told], weights=moved[told], minlength=len(hit))
        level = np.sinh(today.expected.level) - extra / today.expected.unit
        memory.took(hit, today, np.arcsinh(level))
        memory.crept_by(hit, today)
        return out

    def _prices(
        self, day: int, cost: Floats, quantity: Floats, spend: Floats, leaf_cost: Floats
    ) -> list[Hit]:
        config = self._config
        prices = self.rings["price"].last(_STOOD_DAYS + config.price_days)
        past, held = prices[:, :_STOOD_DAYS], prices[:, _STOOD_DAYS:]
        usual, now = median(past, 1), median(held, 1)
        with np.errstate(invalid="ignore"):
            aside = np.sort(np.nan_to_num(np.abs(past / usual[:, None] - 1)), axis=1)
            # some days of it may have been re-rated
            wobble = aside[:, _STOOD_LEAST - 1]
            unrest = np.max(np.abs(held / now[:, None] - 1), axis=1)
            change = now / usual - 1
            hit = (np.abs(change) > np.maximum(config.price_change, _WOBBLE * wobble)) & (
                unrest < np.abs(change) / _WOBBLE
            )
        hit &= np.isfinite(past).sum(1) >= _STOOD_LEAST
        hit &= day - self.repriced > _REST_DAYS
        hit &= cost > config.price_share * spend[self.leaf]
        self.repriced[hit] = day
        by_leaf: dict[int, list[int]] = {}
        for i in np.flatnonzero(hit):
            by_leaf.setdefault(int(self.leaf[i]), []).append(int(i))
        out = []
        for leaf, meters in by_leaf.items():
            extra = {i: float((now[i] - usual[i]) * quantity[i]) for i in meters}
            lead = max(meters, key=lambda i: abs(extra[i]))
            expected = float(leaf_cost[leaf]) - sum(extra.values())
            onset = day - config.price_days + 1
            out.append(Hit(leaf, day, Channel.PRICE, expected, float(change[lead]), onset))
        return out

    def _mixes(self, today: Today, memory: Memory, moved: Floats, old: np.ndarray) -> list[Hit]:
        """Leaves that hold more of one meter for less of another of the same unit."""
        config, day, spend = self._config, today.day, today.spend
        z = self.rings["z"].last(config.lasting_days)
        with np.errstate(invalid="ignore"):
            held = (z > config.mix_z).all(1) | (z < -config.mix_z).all(1)
        among = old & held & (np.abs(moved) >= config.mix_share * spend[self.leaf])
        among &= day - self.mixed > _REST_DAYS
        out = []
        for a, b in pairs(moved, self.group, among, config.alike):
            leaf = int(self.leaf[a])
            self.mixed[self.group == self.group[a]] = day
            memory.pointed[leaf] = day
            expected = float(today.cost[leaf] - moved[a] - moved[b])
            onset = day - config.lasting_days + 1
            out.append(Hit(leaf, day, Channel.MIX, expected, float(z[a, -1]), onset))
        return out
