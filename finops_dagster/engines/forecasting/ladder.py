"""Forecasts of series too short for the pooled model, by the simplest rule that they bear.

Intervals are what the very same rule, given as little or less, would have missed on the series.
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
_LEAST_WINDOWS = 20
"""A 95 % interval of fewer is the worst that was seen."""
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
    """Half widths by level and horizon, in scales of the rung, and what they rest on.

    Where the whole horizon leaves too few windows to check on, half of it, and so on, is checked,
    and what is beyond is widened with the root of the seasons (as `metrics.seasonal_naive`); so is
    the series' own spread, taken for normal, where nothing can be checked.
    """
    terms, season = job.terms, job.terms.recipe.season
    cycles = 1 + np.arange(terms.horizon) // season
    sample = job.of(job.drawn(length))
    reach = terms.horizon
    while reach >= min(season, terms.horizon):
        for given in _as_little(rung, length, season, terms.recipe.least):
            missed = _missed(sample, rung, given, reach)
            windows = int(np.isfinite(missed).any(1).sum())
            half = {level: corrections(missed, level) for level in terms.levels}
            if windows < _LEAST_WINDOWS or not all(np.isfinite(x).all() for x in half.values()):
                continue
            wider = np.sqrt(cycles[reach:] / cycles[reach - 1])
            why = f"intervals by what the same rule missed on {windows} windows given as little"
            if reach < terms.horizon:
                why += f", widened beyond {reach} {terms.recipe.unit}"
            return {n: np.concatenate([x, x[-1] * wider]) for n, x in half.items()}, why
        reach //= 2
    return {
        level: NormalDist().inv_cdf(0.5 + level / 200) * _SD_OVER_DEVIATION * np.sqrt(cycles)
        for level in terms.levels
    }, "intervals by its own spread, since there is too little to check the rule on"


def _as_little(rung: str, length: int, season: int, least: int) -> range:
    """Steps that the rule can be given at most, down to the fewest."""
    return range(length, least - 1, -1) if rung == LEVEL else range(length, 0, -season)


def _missed(job: Job, rung: str, length: int, reach: int) -> Floats:
    """|truth - point| over the scale, (windows, reach), of windows known as well as the rung's."""
    y, recipe = job.grid.y, job.terms.recipe
    origins = range(y.shape[1] - 1 - reach, length - 2, -recipe.check_every)
    scores = [np.empty((0, reach))]
    for origin in origins[: recipe.scored + recipe.before]:
        window = y[:, origin - length + 1 : origin + 1]
        point, scale = _said(window, rung, job)
        missed = np.abs(y[:, origin + 1 : origin + 1 + reach] - point[:, :reach]) / scale[:, None]
        enough = is_known(np.isfinite(window), rung, recipe)
        scores.append(np.where(enough[:, None], missed, np.nan))
    return np.concatenate(scores)
