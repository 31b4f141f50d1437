"""Which rule forecasts a series: a ladder from the pooled model down to none.

What the rules say is not computed here.
"""

from __future__ import annotations

import numpy as np

from finops_dagster.engines.forecasting.recipes import Recipe

POOLED, SEASONAL, LEVEL, NONE = "pooled", "seasonal", "level", ""
CYCLES = 4
"""Seasons that the simpler rules look back on at most."""
_KNOWN = 0.8
"""Share of the steps looked back on that must be known."""


def is_long(known: np.ndarray, recipe: Recipe) -> np.ndarray:
    """Which series (series, time) have history enough for the pooled model."""
    steps = known.shape[1]
    last = steps - known[:, ::-1].argmax(1)
    long = last - known.argmax(1) >= recipe.min_history
    return np.asarray(long & (known.sum(1) >= _KNOWN * recipe.min_history))


def simpler(known: np.ndarray, recipe: Recipe) -> np.ndarray:
    """The rung of each series (series, time) below the pooled model; NONE where there is none.

    Seasonal takes one whole season, level the recipe's least number of values, both of late.
    """
    rungs = np.full(len(known), NONE, dtype=object)
    counts = known[:, -level_length(recipe) :].sum(1)
    rungs[counts >= recipe.least] = LEVEL
    if recipe.season > 1:
        for cycles in range(1, CYCLES + 1):
            length = cycles * recipe.season
            is_whole = seasons(known, recipe) == cycles
            rungs[is_whole & (known[:, -length:].sum(1) >= _KNOWN * length)] = SEASONAL
    return rungs


def span(known: np.ndarray) -> np.ndarray:
    """Steps from the first known value of each series (series, time) to the end."""
    if not known.size:
        return np.zeros(len(known), dtype=int)
    return np.where(known.any(1), known.shape[1] - known.argmax(1), 0)


def seasons(known: np.ndarray, recipe: Recipe) -> np.ndarray:
    """Whole seasons from the first known value to the end, at most CYCLES."""
    return np.asarray(np.minimum(span(known) // recipe.season, CYCLES))


def level_length(recipe: Recipe) -> int:
    """Steps that a level is taken of."""
    return max(recipe.season, CYCLES)


def is_known(known: np.ndarray, rung: str, recipe: Recipe) -> np.ndarray:
    """Whether enough is known of windows (series, steps) for a simpler rung."""
    least = recipe.least if rung == LEVEL else _KNOWN * known.shape[1]
    return np.asarray(known.sum(1) >= least)
