"""How many replicas to keep ready by hour of the week, and what that would have done.

An autoscaler follows demand late; a floor under it does not wait. Prices, and whether a floor is
worth a change, are known elsewhere.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import combinations

import numpy as np
import pandas as pd

from finops_dagster.engines.known import Floats
from finops_dagster.engines.optimisation.schedules import (
    COOLDOWN_MINUTES,
    HOURS_OF_WEEK,
    LEAD_MINUTES,
    MINUTES_OF_WEEK,
    Window,
    hour_of_week,
    minute_of_week,
    running,
    windows,
)

MAX_LEVELS = 2
"""Different numbers of replicas above the lowest in one schedule."""
MAX_GROWTH = 1.5
"""Demand is not foreseen above so many times what it was, however fast it grew."""
_WORKING_HOURS = 120
"""Hours of the week from Monday to Friday."""


@dataclass(frozen=True)
class Floor:
    """Replicas kept at any time, and more of them in windows of the week."""

    base: int
    levels: tuple[tuple[int, tuple[Window, ...]], ...] = ()
    """(replicas, windows), rising."""

    def by_minute(self) -> np.ndarray:
        """Replicas in each minute of the week, with the lead and the way down."""
        kept = np.full(MINUTES_OF_WEEK, self.base)
        for replicas, schedule in self.levels:
            kept[running(schedule, LEAD_MINUTES, COOLDOWN_MINUTES)] = replicas
        return kept


@dataclass(frozen=True)
class Load:
    """Demand of one workload on an even grid, and what one replica of it takes on."""

    times: pd.DatetimeIndex
    """In the time zone that schedules are written in."""
    demand: Floats
    """Cores over all replicas, NaN where not measured."""
    replicas: Floats
    """As measured."""
    request: float
    """Cores of one replica."""
    target: float
    """Share of the request that replicas are held to."""
    maximum: int

    @property
    def needed(self) -> Floats:
        """Replicas that the target asks for, 1 at least: an autoscaler's own rule.

        ceil(demand / (target x request)), https://kubernetes.io/docs/tasks/run-application/horizontal-pod-autoscale.
        """
        asked = np.ceil(self.demand / (self.target * self.request) - 1e-9)
        return np.clip(asked, 1, self.maximum)

    def part(self, inside: np.ndarray) -> Load:
        """Of some of the times."""
        return Load(
            self.times[inside], self.demand[inside], self.replicas[inside],
            self.request, self.target, self.maximum,
        )  # fmt: skip


@dataclass(frozen=True)
class Outcome:
    """What a floor would have done over a load."""

    paid: Floats
    """Replicas by time."""
    short: Floats
    """1 where demand was above all that the ready replicas request, NaN where not measured."""

    def cost(self, usual: float, dial: float) -> float:
        """Mean replicas in percent of `usual`, and `dial` for each percent of intervals short."""
        return 100 * (float(self.paid.mean()) / usual + dial * self.short_share)

    @property
    def short_share(self) -> float:
        """Of the intervals measured."""
        return float(np.nanmean(self.short))


def followed(load: Load, floor: Floor) -> Outcome:
    """An autoscaler with a floor: decided an interval late, ready LEAD_MINUTES after that.

    It goes down to the highest that the last COOLDOWN_MINUTES asked for.
    """
    asked = pd.Series(load.needed).ffill().bfill()
    step = (load.times[1] - load.times[0]).total_seconds() / 60
    late = max(1, int(np.ceil(LEAD_MINUTES / step)))
    held = max(1, int(np.ceil(COOLDOWN_MINUTES / step))) + 1
    wanted = asked.rolling(held, min_periods=1).max()
    kept = floor.by_minute()[minute_of_week(load.times)]
    paid = np.maximum(wanted.shift(1).bfill().to_numpy(dtype=float), kept)
    ready = np.maximum(wanted.shift(late).bfill().to_numpy(dtype=float), kept)
    paid = np.minimum(paid, load.maximum)
    return _outcome(load, paid, np.minimum(ready, paid))


def fixed(load: Load) -> Outcome:
    """As many replicas as were measured."""
    replicas = pd.Series(load.replicas).ffill().bfill().to_numpy(dtype=float)
    return _outcome(load, replicas, replicas)


def _outcome(load: Load, paid: Floats, ready: Floats) -> Outcome:
    over = (load.demand > ready * load.request * (1 + 1e-9)).astype(float)
    return Outcome(paid=paid, short=np.where(np.isnan(load.demand), np.nan, over))


def growth(load: Load) -> float:
    """Median of hourly demand over that of the hour a week before, from 1 to MAX_GROWTH.

    Falling demand is not counted on.
    """
    hourly = pd.Series(load.demand, index=load.times).resample("h").mean()
    before = hourly.shift(HOURS_OF_WEEK)
    ratio = (hourly / before.where(before > 0)).dropna()
    return float(np.clip(ratio.median(), 1.0, MAX_GROWTH)) if len(ratio) else 1.0


def foreseen(load: Load, quantile: float) -> Floats | None:
    """Replicas needed in each hour of the next week (168): a seasonal quantile at today's level.

    The quantile of demand at that hour of the working days, or of the weekend's (one day's own
    two hours of a fortnight are too few for a quantile), grown by `growth`. None where an hour was
    not measured.
    """
    demand = pd.Series(load.demand) * growth(load)
    hours = hour_of_week(load.times)
    alike = hours % 24 + 24 * (hours >= _WORKING_HOURS)
    by_hour = demand.groupby(alike).quantile(quantile, interpolation="higher").reindex(range(48))
    if by_hour.isna().any():
        return None
    replicas = np.ceil(by_hour.to_numpy() / (load.target * load.request) - 1e-9)
    week = np.arange(HOURS_OF_WEEK)
    of_week = replicas[week % 24 + 24 * (week >= _WORKING_HOURS)]
    return np.asarray(np.clip(of_week, 1, load.maximum), dtype=float)


def floor_of(replicas: Floats, least: int) -> Floor:
    """A floor of few levels at or above `replicas` by hour of the week, and at `least` or above.

    The levels are those that keep the fewest replica-hours too many.
    """
    wanted = np.maximum(replicas, least)
    distinct = sorted({int(value) for value in wanted})
    base, above = distinct[0], distinct[1:]
    if not above:
        return Floor(base)
    chosen = min(
        _choices(above), key=lambda levels: (float(_raised(wanted, (base, *levels)).sum()), levels)
    )
    at = _raised(wanted, (base, *chosen))
    levels: list[tuple[int, tuple[Window, ...]]] = []
    for level in chosen:
        schedule = windows(at >= level)
        if schedule:
            levels.append((level, schedule))
        else:  # so often that it is always
            base, levels = level, []
    return Floor(base, tuple(levels))


def _choices(above: list[int]) -> Iterable[tuple[int, ...]]:
    """The highest, with every choice of fewer than MAX_LEVELS of the others."""
    *others, top = above
    return (
        (*few, top)
        for count in range(min(MAX_LEVELS, len(above)))
        for few in combinations(others, count)
    )


def _raised(wanted: Floats, levels: tuple[int, ...]) -> Floats:
    """Each value raised to the next level."""
    steps = np.asarray(levels, dtype=float)
    return np.asarray(steps[np.searchsorted(steps, wanted)])
