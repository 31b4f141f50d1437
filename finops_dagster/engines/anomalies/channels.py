"""The tests of one day on leaves: points, creep, missing, new and offsetting.

Each sees only days up to it. What a leaf is made of is tested in meters; grouping what is found is
done elsewhere.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import ClassVar

import numpy as np

from finops_dagster.domain.incidents import Channel
from finops_dagster.engines.anomalies.baseline import Crept, Expected
from finops_dagster.engines.anomalies.result import DetectionConfig
from finops_dagster.engines.known import Floats

_HEAVY_TAIL_DEGREES = 4
_MISSING_TOTAL, _MISSING_LEAVES, _MISSING_LOW = 0.5, 0.6, 0.5
_MUTE_POINT_DAYS, _MUTE_SLOW_DAYS = 2, 7
_POINT_SILENCES_SLOW_DAYS = 42
"""A level that a point has told of stays in the slow statistic's week means so long."""
_EPISODE_DAYS = 120
"""So long after its last anomaly a leaf may come back to what it cost before, and that is no news.
"""
_BACK_SHARE, _BACK_SCALES = 0.3, 4.0
"""It is back within so much of how far it was away."""
_COMMON_LEAVES, _COMMON_SHARE, _COMMON_Z, _COMMON_ALIKE = 5, 0.05, 3.0, 0.3
_FURTHER = 1.2
"""A creep is told again when it is so much further than it was."""
_TURN_DAYS = 4
NEVER = -10_000_000


@dataclass(frozen=True)
class Hit:
    """One anomaly of one leaf on one day (days as date.toordinal)."""

    leaf: int
    day: int
    kind: Channel
    expected: float
    score: float
    onset: int
    """The day it began, where it is told later."""


@dataclass(frozen=True)
class Today:
    """A day's figures, one value a leaf."""

    day: int
    cost: Floats
    expected: Expected
    age: np.ndarray
    known: np.ndarray
    """Old enough to be judged."""
    usual: Floats
    """Expected cost, 0 where it is not known."""
    spend: Floats
    """Expected spend of the leaf's account and currency."""
    account: np.ndarray
    """Number of the leaf's account and currency: amounts are only ever added within it."""


@dataclass
class Memory:
    """What mutes what: a value a leaf, days as ordinals. `lasting` is (leaf, day) of z."""

    pointed: np.ndarray
    crept: np.ndarray
    creeping: np.ndarray
    launched: np.ndarray
    missing: np.ndarray
    offset: np.ndarray
    hit: np.ndarray
    """Day of the last anomaly."""
    before: Floats
    """Transformed level in cost that the last anomaly began from; NaN without one."""
    furthest: Floats
    """How far the level went from there (transformed)."""
    told: Floats
    """How far it was when a creep was last told of."""

    FILL: ClassVar[dict[str, float]] = {
        "pointed": NEVER, "crept": NEVER, "creeping": 0, "launched": 0, "missing": NEVER,
        "offset": NEVER, "hit": NEVER, "before": np.nan, "furthest": 0.0,
        "told": 0.0,
    }  # fmt: skip

    @classmethod
    def empty(cls) -> Memory:
        """Of no leaf."""
        return cls(**{k: np.empty(0, dtype=np.asarray(v).dtype) for k, v in cls.FILL.items()})

    def grow(self, rows: int) -> None:
        """Have so many leaves."""
        for name, fill in self.FILL.items():
            have = getattr(self, name)
            more = np.full(rows - len(have), fill, dtype=have.dtype)
            setattr(self, name, np.concatenate([have, more]))

    def took(self, hit: np.ndarray, today: Today, level: Floats) -> None:
        """Leaves that `hit` have left `level` (transformed), where they were not away already."""
        fresh = hit & ~self._away(today)
        cost = today.expected.unit * np.sinh(level)
        self.before = np.where(fresh, cost, self.before)
        self.furthest = np.where(fresh, 0.0, self.furthest)
        self.hit[hit] = today.day

    def crept_by(self, hit: np.ndarray, today: Today) -> None:
        """A creep of leaves that `hit` is told today."""
        self.crept[hit] = today.day
        self.told = np.where(hit, np.abs(self.gone(today)), self.told)

    def gone(self, today: Today) -> Floats:
        """Level less the one that the last anomaly began from (transformed)."""
        return np.asarray(today.expected.level - np.arcsinh(self.before / today.expected.unit))

    def _away(self, today: Today) -> np.ndarray:
        return np.asarray(np.isfinite(self.before) & (today.day - self.hit <= _EPISODE_DAYS))

    def returned(self, today: Today) -> np.ndarray:
        """Leaves whose cost is back to what it was before their last anomaly."""
        expected = today.expected
        before = np.arcsinh(self.before / expected.unit)
        away = np.abs(self.gone(today))
        self.furthest = np.where(self._away(today), np.fmax(self.furthest, away), self.furthest)
        now = np.arcsinh(today.cost / expected.unit)
        left = np.abs(now - before - expected.effect)
        near = np.maximum(_BACK_SCALES * expected.scale, _BACK_SHARE * self.furthest)
        moved = self.furthest > near
        return np.asarray(self._away(today) & moved & (left <= near))


def by_account(today: Today, values: Floats) -> Floats:
    """Sum over each leaf's account and currency, one value a leaf."""
    return np.asarray(np.bincount(today.account, weights=values)[today.account])


def missing(today: Today, memory: Memory) -> list[Hit]:
    """Accounts of which most is absent."""
    usual, spend = today.usual, today.spend
    weighty = today.known & (usual > 0.001 * spend)
    low = weighty & (today.cost < _MISSING_LOW * usual)
    total = by_account(today, np.where(today.known, today.cost, 0.0))
    shares = by_account(today, low.astype(float)) / np.maximum(
        by_account(today, weighty.astype(float)), 1.0
    )
    absent = (spend > 0) & (total < _MISSING_TOTAL * spend) & (shares >= _MISSING_LEAVES)
    memory.missing[absent] = today.day
    return _hits(absent & low, today, Channel.MISSING, usual, shares)


def common(deviation: Floats, score: Floats, judged: np.ndarray) -> np.ndarray:
    """Leaves that move as many others do on the day: the same way and by a like ratio.

    A season, a holiday, a sale: what moves a twentieth of the estate at once is no fault of one
    leaf.
    """
    out = np.zeros(len(deviation), dtype=bool)
    least = max(_COMMON_LEAVES, int(np.ceil(_COMMON_SHARE * judged.sum())))
    moving = np.flatnonzero(judged & (np.abs(score) > _COMMON_Z))
    if len(moving) < least:
        return out
    own = deviation[moving]
    ordered = np.sort(own)
    wide = _COMMON_ALIKE * np.abs(own)
    alike = np.searchsorted(ordered, own + wide, "right") - np.searchsorted(ordered, own - wide)
    out[moving] = alike >= least
    return out


def points(
    today: Today, memory: Memory, config: DetectionConfig, lasting: Floats
) -> tuple[list[Hit], np.ndarray]:
    """Single days far out, and moves that hold; and which leaves moved in common.

    `lasting` is z of the last days (leaf, day), today's the newest.
    """
    from scipy import special

    expected = today.expected
    size = np.abs(expected.z)
    shared = common(expected.beyond, np.nan_to_num(expected.z), today.known)
    back = memory.returned(today)
    memory.pointed[back & (size > _BACK_SCALES)] = today.day
    open_ = today.known & (today.day - memory.missing > _MUTE_POINT_DAYS)
    open_ &= ~expected.habit & ~shared & ~back
    impact = np.abs(today.cost - today.usual)
    # one cheap day is no news, and a day of the month cannot be known before two months are
    single = open_ & (expected.z > 0) & (today.age >= config.month_history_days)
    far = single & (size > config.point_z) & (impact >= config.point_share * today.spend)
    p = 2 * special.stdtr(_HEAVY_TAIL_DEGREES, -size)
    found = _benjamini_hochberg(p, open_, config.discovery_rate) & single
    found &= (impact >= config.discovery_share * today.spend) & (size > config.discovery_z)
    settled = (today.age >= config.month_history_days) | (not _turn_of_month(today.day))
    held = open_ & settled & (impact >= config.lasting_share * today.spend)
    held &= _held(lasting, config.lasting_z)
    hit = (far | found | held) & (impact > 0)
    ran = lasting.shape[1] - 1
    later = held & ~(far | found) & (today.day - memory.pointed > ran)
    onset = np.where(later, today.day - ran, today.day)
    memory.pointed[hit] = today.day
    memory.took(hit, today, expected.level)
    return _hits(hit, today, Channel.POINT, expected.cost, expected.z, onset), shared


def offsetting(
    today: Today, memory: Memory, config: DetectionConfig, lasting: Floats, shared: np.ndarray
) -> list[Hit]:
    """Two leaves of an account that hold moves of like amounts the opposite way.

    Each alone is too little to tell; that both moved at once is not.
    """
    impact = today.cost - today.usual
    open_ = today.known & _held(lasting, config.mix_z) & ~today.expected.habit
    open_ &= np.abs(impact) >= config.mix_share * today.spend
    open_ &= ~shared & (today.day - memory.pointed > config.merge_days)
    open_ &= today.day - memory.offset > config.merge_days
    hit = np.zeros(len(impact), dtype=bool)
    for pair in pairs(impact, today.account, open_, config.alike):
        hit[list(pair)] = True
    memory.offset[hit] = today.day
    memory.pointed[hit] = today.day
    memory.took(hit, today, today.expected.level)
    begun = np.full(len(hit), today.day - lasting.shape[1] + 1)
    return _hits(hit, today, Channel.OFFSETTING, today.expected.cost, today.expected.z, begun)


def pairs(
    impact: Floats, group: np.ndarray, among: np.ndarray, alike: float
) -> list[tuple[int, int]]:
    """Pairs of one group whose impacts are opposite and alike in size, each member once."""
    out = []
    left = list(np.flatnonzero(among & (impact < 0)))
    for a in sorted(np.flatnonzero(among & (impact > 0)), key=lambda i: -impact[i]):
        ratios = [
            (min(-impact[b], impact[a]) / max(-impact[b], impact[a]), b)
            for b in left
            if group[a] == group[b]
        ]
        if ratios and max(ratios)[0] >= alike:
            b = max(ratios)[1]
            left.remove(b)
            out.append((int(a), int(b)))
    return out


def creep(
    today: Today,
    memory: Memory,
    config: DetectionConfig,
    statistic: Crept,
) -> list[Hit]:
    """Weeks that have moved away from those before, by more than ever in months."""
    unit = today.expected.unit
    moved = unit * (np.sinh(statistic.now) - np.sinh(statistic.before))
    away = creeping(statistic, moved, today.spend, today.known, config)
    memory.creeping = np.where(away, memory.creeping + 1, 0)
    hit = (memory.creeping >= config.slow_days) & unsilenced(today, memory, config)
    again = ~hit & _still_creeping(today, memory, config)
    memory.took(hit | again, today, statistic.before)
    memory.crept_by(hit | again, today)
    usual = unit * np.sinh(statistic.before)
    onset = today.day - statistic.begun
    hits = _hits(hit, today, Channel.SLOW, usual, statistic.score, onset)
    gone = memory.gone(today) / today.expected.scale
    return hits + _hits(again, today, Channel.SLOW, memory.before, gone)


def _still_creeping(today: Today, memory: Memory, config: DetectionConfig) -> np.ndarray:
    """Leaves whose creep was told, and that have gone further the same way since."""
    since = today.day - memory.crept
    gone = np.nan_to_num(memory.gone(today))
    until = config.slow_rest_days + config.merge_days
    further = today.known & (since > config.slow_rest_days) & (since <= until)
    further &= np.abs(gone) > _FURTHER * memory.told
    level = today.expected.unit * np.sinh(today.expected.level)
    return np.asarray(further & (np.abs(level - memory.before) >= config.slow_share * today.spend))


def creeping(
    statistic: Crept,
    moved: Floats,
    spend: Floats,
    judged: np.ndarray,
    config: DetectionConfig,
) -> np.ndarray:
    """Series whose slow statistic is away today; `moved` is what that comes to in money a day."""
    score = statistic.score
    away = judged & (np.abs(score) > config.slow_z) & (statistic.record > config.slow_record)
    away &= np.abs(moved) >= config.slow_share * spend
    shared = common(statistic.now - statistic.before, np.nan_to_num(score), judged)
    return np.asarray(away & ~shared)


def unsilenced(today: Today, memory: Memory, config: DetectionConfig) -> np.ndarray:
    """Leaves of which a creep would be news: no point or other creep has told of it."""
    return np.asarray(
        (today.day - memory.crept > config.slow_rest_days)
        & (today.day - memory.pointed > _POINT_SILENCES_SLOW_DAYS)
        & (today.day - memory.missing > _MUTE_SLOW_DAYS)
    )


def new(today: Today, memory: Memory, config: DetectionConfig, seasoned: np.ndarray) -> list[Hit]:
    """Leaves that begin in an account that is `seasoned`, told once."""
    hit = (
        seasoned
        & (today.age >= 0)
        & (today.age < config.min_history_days)
        & (memory.launched == 0)
        & (today.spend > 0)
        & (today.cost >= config.new_share * today.spend)
    )
    memory.launched[hit] = 1
    nothing = np.zeros(len(hit))
    return _hits(hit, today, Channel.NEW, nothing, nothing + 1)


def _turn_of_month(day: int) -> bool:
    """Whether the days are those on which books are closed."""
    days = (date.fromordinal(day + ahead).day for ahead in range(-_TURN_DAYS, _TURN_DAYS))
    return 1 in days


def _held(lasting: Floats, least: float) -> np.ndarray:
    """Whether the last days are all so far out the same way."""
    with np.errstate(invalid="ignore"):
        return np.asarray((lasting > least).all(1) | (lasting < -least).all(1))


def _hits(
    hit: np.ndarray, today: Today, kind: Channel, expected: Floats, score: Floats,
    onset: np.ndarray | None = None,
) -> list[Hit]:  # fmt: skip
    begun = np.full(len(hit), today.day) if onset is None else onset
    return [
        Hit(int(i), today.day, kind, float(expected[i]), float(score[i]), int(begun[i]))
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
