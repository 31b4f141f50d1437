"""Correction of quantiles by what a model trained earlier got wrong on windows it had not seen.

Conformalised quantile regression (Romano, Patterson, Candes 2019), in window scales, by horizon,
pooled over series. No training here.
"""

from __future__ import annotations

import numpy as np

from finops_dagster.engines.known import Floats

_ENOUGH = 400
"""Scores a horizon's correction rests on where there are so many; neighbours are taken in until
then, since a 97.5 % tail of fewer is a handful of windows."""


def scores(z: Floats, low: Floats, high: Floats) -> Floats:
    """How far outside its interval each target lies; negative inside. Any shape."""
    return np.asarray(np.maximum(low - z, z - high))


def corrections(missed: Floats, level: int) -> Floats:
    """Additive correction by horizon from `missed` scores (windows, horizon), NaN = not known.

    The ceil((n + 1) level) / n quantile of the scores of the horizon and as few of its neighbours
    as make 400. NaN where no score is known near it.
    """
    horizon = missed.shape[1]
    known = np.isfinite(missed)
    out = np.full(horizon, np.nan)
    counts = known.sum(0)
    for h in range(horizon):
        reach = 0
        while True:
            first, last = max(0, h - reach), min(horizon, h + reach + 1)
            n = int(counts[first:last].sum())
            if n >= _ENOUGH or (first == 0 and last == horizon) or reach >= max(3, horizon // 6):
                break
            reach += 1
        if n == 0:
            continue
        part = missed[:, first:last]
        values = np.sort(part[known[:, first:last]])
        rank = int(np.ceil((n + 1) * level / 100))
        out[h] = values[min(rank, n) - 1]
    return out


def bounds(
    quantiles: Floats, levels: tuple[int, ...], corrected: dict[int, Floats], point: Floats
) -> dict[str, Floats]:
    """Lo and hi of each level in z, widening with the level and always holding the point.

    `quantiles` (series, horizon, alphas) in rising order, the outermost of the widest level.
    """
    out: dict[str, Floats] = {}
    low, high = point, point
    ordered = sorted(levels)
    for i, level in enumerate(ordered):
        index = len(ordered) - 1 - i
        add = corrected[level][None, :]
        low = np.minimum(low, quantiles[..., index] - add)
        high = np.maximum(high, quantiles[..., -1 - index] + add)
        out[f"lo{level}"], out[f"hi{level}"] = low, high
    return out
