"""The tests of one day: points, creep, price, missing and new; each sees only days up to it.

Grouping what they find is done elsewhere.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from finops_dagster.domain.incidents import Channel
from finops_dagster.engines.anomalies.baseline import Expected, expect, slow_statistic
from finops_dagster.engines.anomalies.leaves import Floats, Leaves
from finops_dagster.engines.anomalies.result import DetectionConfig

_HEAVY_TAIL_DEGREES = 4
_MISSING_TOTAL, _MISSING_LEAVES, _MISSING_LOW = 0.5, 0.6, 0.5
_MUTE_POINT_DAYS, _MUTE_SLOW_DAYS = 2, 7
_POINT_SILENCES_SLOW_DAYS = 49
"""A level that a point has told of stays in the slow statistic's week means so long."""
_SLOW_AGE_DAYS = 63
"""All weeks of the slow statistic, and two for a start-up, lie in the leaf's own life."""


@dataclass(frozen=True)
class Hit:
    """One anomaly of one leaf on one day."""

    leaf: int
    day: int
    kind: Channel
    expected: float
    score: float


class Watch:
    """Goes through the days in order and remembers what mutes what."""

    def __init__(self, leaves: Leaves, config: DetectionConfig) -> None:
        self._leaves = leaves
        self._config = config
        n = len(leaves.born)
        never = -10_000
        self._pointed = np.full(n, never)
        self._crept = np.full(n, never)
        self._creeping = np.zeros(n, dtype=int)
        self._launched = np.zeros(n, dtype=bool)
        self._repriced = np.full(n, never)
        self._missing = np.full(n, never)

    def day(self, day: int) -> list[Hit]:
        """Anomalies of column `day`; call with rising days."""
        leaves = self._leaves
        expected = expect(leaves.cost, day, leaves.days, leaves.born)
        age = day - leaves.born
        known = (age >= self._config.min_history_days) & np.isfinite(expected.z)
        usual = np.where(known, expected.cost, 0.0)
        spend = self._by_account(np.maximum(usual, 0.0))
        hits = self._missing_accounts(day, known, usual, spend)
        hits += self._points(day, expected, known, spend)
        hits += self._creep(day, expected, known, spend)
        hits += self._new(day, age, spend)
        hits += self._prices(day, known, spend)
        return hits

    def _by_account(self, values: Floats) -> Floats:
        """Sum over each leaf's account and currency, one value a leaf."""
        totals = np.bincount(self._leaves.account, weights=values)
        return np.asarray(totals[self._leaves.account])

    def _missing_accounts(
        self, day: int, known: np.ndarray, usual: Floats, spend: Floats
    ) -> list[Hit]:
        cost = self._leaves.cost[:, day]
        weighty = known & (usual > 0.001 * spend)
        low = weighty & (cost < _MISSING_LOW * usual)
        total = self._by_account(np.where(known, cost, 0.0))
        shares = self._by_account(low.astype(float)) / np.maximum(
            self._by_account(weighty.astype(float)), 1.0
        )
        absent = (spend > 0) & (total < _MISSING_TOTAL * spend) & (shares >= _MISSING_LEAVES)
        self._missing[absent] = day
        return [
            Hit(int(i), day, Channel.MISSING, float(usual[i]), float(shares[i]))
            for i in np.flatnonzero(absent & low)
        ]

    def _points(self, day: int, expected: Expected, known: np.ndarray, spend: Floats) -> list[Hit]:
        from scipy import special

        config = self._config
        open_ = known & (day - self._missing > _MUTE_POINT_DAYS)
        impact = np.abs(self._leaves.cost[:, day] - expected.cost)
        size = np.abs(expected.z)
        far = open_ & (size > config.point_z) & (impact >= config.point_share * spend)
        p = 2 * special.stdtr(_HEAVY_TAIL_DEGREES, -size)
        found = _benjamini_hochberg(p, open_, config.discovery_rate)
        found &= (impact >= config.discovery_share * spend) & (size > config.discovery_z)
        hit = (far | found) & (impact > 0)
        self._pointed[hit] = day
        return [
            Hit(int(i), day, Channel.POINT, float(expected.cost[i]), float(expected.z[i]))
            for i in np.flatnonzero(hit)
        ]

    def _creep(self, day: int, expected: Expected, known: np.ndarray, spend: Floats) -> list[Hit]:
        config = self._config
        score, now, before = slow_statistic(expected.window)
        known = known & (day - self._leaves.born >= _SLOW_AGE_DAYS)
        moved = expected.unit * (np.sinh(now) - np.sinh(before))
        away = known & (np.abs(score) > config.slow_z)
        away &= np.abs(moved) >= config.slow_share * spend
        self._creeping = np.where(away, self._creeping + 1, 0)
        hit = (
            (self._creeping >= config.slow_days)
            & (day - self._crept > config.slow_rest_days)
            & (day - self._pointed > _POINT_SILENCES_SLOW_DAYS)
            & (day - self._missing > _MUTE_SLOW_DAYS)
        )
        self._crept[hit] = day
        return [
            Hit(
                int(i),
                day,
                Channel.SLOW,
                float(expected.unit[i] * np.sinh(before[i])),
                float(score[i]),
            )
            for i in np.flatnonzero(hit)
        ]

    def _new(self, day: int, age: np.ndarray, spend: Floats) -> list[Hit]:
        leaves, config = self._leaves, self._config
        seasoned = leaves.born - leaves.account_born >= config.min_history_days
        cost = leaves.cost[:, day]
        hit = (
            seasoned
            & (age >= 0)
            & (age < config.min_history_days)
            & ~self._launched
            & (spend > 0)
            & (cost >= config.new_share * spend)
        )
        self._launched |= hit
        return [Hit(int(i), day, Channel.NEW, 0.0, 1.0) for i in np.flatnonzero(hit)]

    def _prices(self, day: int, known: np.ndarray, spend: Floats) -> list[Hit]:
        leaves, config = self._leaves, self._config
        if leaves.quantity is None or day < 15:
            return []
        quantity = leaves.quantity[:, day - 14 : day + 1]
        cost = leaves.cost[:, day - 14 : day + 1]
        with np.errstate(invalid="ignore", divide="ignore"):
            price = np.where(quantity > 0, cost / quantity, np.nan)
        past = price[:, :-1]
        complete = np.asarray(np.isfinite(price).all(1) & (price > 0).all(1))
        usual = np.median(np.where(complete[:, None], past, 1.0), axis=1)
        # only a price that stood still can be said to have moved
        wobble = np.max(np.abs(np.where(complete[:, None], past, 1.0) / usual[:, None] - 1), axis=1)
        change = np.where(complete, price[:, -1] / usual - 1, 0.0)
        hit = known & complete & (np.abs(change) > config.price_change)
        hit &= (wobble < config.price_change / 5) & (day - self._repriced > 14)
        hit &= leaves.cost[:, day] > config.discovery_share * spend
        self._repriced[hit] = day
        return [
            Hit(int(i), day, Channel.PRICE, float(usual[i] * quantity[i, -1]), float(change[i]))
            for i in np.flatnonzero(hit)
        ]


def _benjamini_hochberg(p: Floats, among: np.ndarray, rate: float) -> np.ndarray:
    """Discoveries of `among` at false discovery rate `rate` (Benjamini and Hochberg 1995)."""
    index = np.flatnonzero(among)
    out = np.zeros(len(p), dtype=bool)
    if not len(index):
        return out
    order = index[np.argsort(p[index], kind="stable")]
    passed = p[order] <= rate * np.arange(1, len(order) + 1) / len(order)
    if passed.any():
        out[order[: np.flatnonzero(passed)[-1] + 1]] = True
    return out
