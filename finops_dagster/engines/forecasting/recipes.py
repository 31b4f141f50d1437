"""The recipe of each frequency: windows, trees, checks; every constant with its origin.

Plain data: how a recipe is carried out is in the other modules.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Literal

Frequency = Literal["daily", "hourly", "weekly"]


@dataclass(frozen=True)
class Member:
    """One XGBoost model of the pool; the point forecast is the mean of the members' medians."""

    rounds: int
    rate: float
    depth: int
    min_child_weight: float
    subsample: float
    columns: float
    origins_every: int
    """Steps between training origins."""
    row_cap: int
    """Training rows beyond this are left out by a seeded draw."""
    intervals: bool
    """Whether it is trained for the interval's quantiles too, or for the median alone."""


@dataclass(frozen=True)
class Recipe:
    """How one frequency is forecast; lengths are in steps of it."""

    frequency: Frequency
    step: timedelta
    unit: str
    """Steps, in words."""
    season: int
    """Lag of the seasonal naive forecast, of its backtest and of MASE's scale."""
    min_history: int
    """Shorter series are not forecast by the pooled model."""
    least: int
    """Known steps without which nothing is forecast."""
    min_context: int
    """Observed steps a training window needs before its origin."""
    clip: float
    """Targets are clipped at this many window scales in training."""
    check_every: int
    """Steps between the origins on which the model is checked and its intervals corrected."""
    scored: int
    """Origins that are scored, fewer where the history is short."""
    before: int
    """Origins before them that correct the first of those."""
    members: tuple[Member, ...]


RECIPES: dict[Frequency, Recipe] = {
    "daily": Recipe(
        frequency="daily",
        step=timedelta(days=1),
        unit="days",
        season=7,
        min_history=28,
        least=3,
        min_context=28,
        clip=15.0,
        check_every=7,
        scored=12,
        before=8,
        members=(Member(150, 0.07, 5, 20, 0.7, 0.6, 5, 24_000, True),),
    ),
    "hourly": Recipe(
        frequency="hourly",
        step=timedelta(hours=1),
        unit="hours",
        season=24,
        min_history=21 * 24,
        least=8,
        min_context=8 * 24,
        clip=20.0,
        check_every=24,
        scored=6,
        before=4,
        members=(
            Member(250, 0.07, 8, 30, 0.7, 0.6, 47, 150_000, True),
            Member(300, 0.06, 7, 20, 0.7, 0.6, 23, 300_000, False),
        ),
    ),
    "weekly": Recipe(
        frequency="weekly",
        step=timedelta(weeks=1),
        unit="weeks",
        season=1,
        min_history=60,
        least=3,
        min_context=30,
        clip=30.0,
        check_every=4,
        scored=6,
        before=4,
        members=(Member(250, 0.05, 5, 30, 0.6, 0.5, 5, 150_000, True),),
    ),
}
"""Depths, rates, rounds and origins were measured on M4 training parts and on simulated cost;
row caps bound the time of one fit. Daily intervals corrected on 12 and 8 weekly origins covered
.951 of simulated cost where 6 and 4, of fewer months, covered .925."""


def _with(recipe: Recipe, rounds: int, rate: float, depth: int) -> Recipe:
    """The same with other values in every member."""
    members = (replace(one, rounds=rounds, rate=rate, depth=depth) for one in recipe.members)
    return replace(recipe, members=tuple(members))


STANDARD, WIDE, FAST = "standard", "wide", "fast"
VARIANTS: dict[str, dict[Frequency, Recipe]] = {
    STANDARD: RECIPES,
    WIDE: {name: _with(one, rounds=400, rate=0.04, depth=7) for name, one in RECIPES.items()},
    FAST: {name: _with(one, rounds=40, rate=0.2, depth=4) for name, one in RECIPES.items()},
}
"""By name. Wide: deeper trees, more of them, each counting less; for histories with more to learn.
Fast: a quarter of the rounds and shallower trees, at a third of the time and energy or less. Both
are checked on the same windows as the standard recipe: only members differ."""


def variant(name: str, frequency: Frequency) -> Recipe:
    """The recipe of a name and frequency. Raises ValueError for a name that is none."""
    if name not in VARIANTS:
        raise ValueError(f"{name!r} is no recipe: {', '.join(VARIANTS)} are")
    return VARIANTS[name][frequency]
