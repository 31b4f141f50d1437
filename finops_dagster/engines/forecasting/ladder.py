"""Forecasts of series too short for the pooled model, by the simplest rule that they bear.

Intervals are what the very same rule, given as little, would have missed on the same series.
Which series is on which rung is told by `rungs`.
"""

from __future__ import annotations

from statistics import NormalDist

import numpy as np

from finops_dagster.engines.forecasting.intervals import corrections
from finops_dagster.engines.forecasting.pool import Job
from finops_dagster.engines.forecasting.rungs import LEVEL, is_known, level_length, seasons, span
from finops_dagster.engines.known import Floats, mean, median

_SHIFT = 0.5
"""Share of the way from the level of all seasons to that of the last. With 14 to 21 days, none of
it was 6 to 8 % worse on the demo's bills, and all of it 6 to 7 % on simulated cost that keeps its
level; the level alone was 20 to 29 % worse than the week repeated on both."""
_LEVEL_SHARE = 0.02
"""The scale is at least so much of the level: a flat series has noise of its own size."""
_SD_OVER_DEVIATION = float(np.sqrt(np.pi / 2))
"""Standard over mean absolute deviation of the normal distribution."""


def simpler_forecast(job: Job, rungs: np.ndarray) -> tuple[dict[str, Floats], list[str]]:
    """Point and interval ends by name, (series, horizon), and what the intervals rest on.

    `rungs`: of each series of `job`; those of neither simple rung stay NaN.
    """
    terms, recipe = job.terms, job.terms.recipe
    out = {name: np.full((len(rungs), terms.horizon), np.nan) for name in terms.bands}
    rests_on = [""] * len(rungs)
    known = np.isfinite(job.grid.y)
    lengths = np.where(
        rungs == LEVEL,
        np.minimum(level_length(recipe), span(known)),
        seasons(known, recipe) * recipe.season,
    )
    for rung, length in sorted({(r, int(n)) for r, n in zip(rungs, lengths, strict=True) if r}):
        rows = np.flatnonzero((rungs == rung) & (lengths == length))
        point, scale = _said(job.grid.y[rows, -length:], rung, job)
        half, why = _halves(job, rung, length)
        out["mean"][rows] = point
        for level in terms.levels:
            width = half[level] * scale[:, None]
            out[f"lo{level}"][rows], out[f"hi{level}"][rows] = point - width, point + width
        for row in rows:
            rests_on[row] = why
    return out, rests_on


def _said(window: Floats, rung: str, job: Job) -> tuple[Floats, Floats]:
    """Point (series, horizon) and scale (series,) from the last steps alone.

    Level: the median. Seasonal: the median of each phase over the seasons, moved half of the way
    to the last season's level. Scale: mean |seasonal difference|, of one season the mean deviation
    from the median; at least 2 % of the level, and the floor.
    """
    season, horizon = job.terms.recipe.season, job.terms.horizon
    level = median(window)
    scale = mean(np.abs(window - level[:, None]))
    if rung == LEVEL:
        point = np.repeat(level[:, None], horizon, axis=1)
    else:
        cycles = window.reshape(len(window), -1, season)
        phases = median(cycles, axis=1)
        phases = np.where(np.isfinite(phases), phases, level[:, None])
        phases += _SHIFT * (median(cycles[:, -1]) - level)[:, None]
        point = phases[:, np.arange(horizon) % season]
        differences = mean(np.abs(window[:, season:] - window[:, :-season]))
        scale = np.where(np.isfinite(differences), differences, scale)
    least = np.fmax(_LEVEL_SHARE * mean(np.abs(window)), job.terms.floor)
    return point, np.fmax(scale, least)


def _halves(job: Job, rung: str, length: int) -> tuple[dict[int, Floats], str]:
    """Half widths by level and horizon, in scales of the rung, and what they rest on."""
    terms, recipe = job.terms, job.terms.recipe
    sample = job.of(job.drawn(length))
    latest = sample.grid.y.shape[1] - 1 - terms.horizon
    origins = range(latest, length - 2, -recipe.check_every)[: recipe.scored + recipe.before]
    scores = [_missed(sample, rung, length, origin) for origin in origins]
    if scores:
        missed = np.concatenate(scores)
        half = {level: corrections(missed, level) for level in terms.levels}
        if all(np.isfinite(one).all() for one in half.values()):
            windows = int(np.isfinite(missed).any(1).sum())
            return half, f"intervals by what the same rule missed on {windows} windows as short"
    cycles = 1 + np.arange(terms.horizon) // recipe.season
    return {
        level: NormalDist().inv_cdf(0.5 + level / 200) * _SD_OVER_DEVIATION * np.sqrt(cycles)
        for level in terms.levels
    }, "intervals by its own spread, since there is no history to check the rule on"


def _missed(job: Job, rung: str, length: int, origin: int) -> Floats:
    """|truth - point| over the scale, (series, horizon), of windows known as well as the rung's."""
    window = job.grid.y[:, origin - length + 1 : origin + 1]
    point, scale = _said(window, rung, job)
    actual = job.grid.y[:, origin + 1 : origin + 1 + job.terms.horizon]
    enough = is_known(np.isfinite(window), rung, job.terms.recipe)
    return np.where(enough[:, None], np.abs(actual - point) / scale[:, None], np.nan)
