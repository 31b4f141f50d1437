"""Intervals of rates, errors and areas, and of what is made of them: arithmetic only.

95 % throughout; each formula names its source.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from finops_dagster.responsible_ai.results import Interval

Z95 = 1.959963984540054
"""Standard normal quantile at .975."""


def wilson(successes: float, total: float) -> Interval:
    """Wilson's score interval of a proportion (E. B. Wilson 1927). Raises ValueError on no rows."""
    if total <= 0:
        raise ValueError("a rate needs at least one row")
    rate = successes / total
    scale = 1 + Z95**2 / total
    centre = (rate + Z95**2 / (2 * total)) / scale
    half = Z95 / scale * math.sqrt(rate * (1 - rate) / total + Z95**2 / (4 * total**2))
    return Interval(rate, max(0.0, centre - half), min(1.0, centre + half))


def newcombe(first: Interval, second: Interval) -> Interval:
    """First - second of two independent rates with Wilson intervals (R. G. Newcombe 1998)."""
    difference = first.value - second.value
    if None in (first.low, first.high, second.low, second.high):
        return Interval(difference)
    below = [one.value - (one.low or 0.0) for one in (first, second)]
    above = [(one.high or 0.0) - one.value for one in (first, second)]
    low, high = math.hypot(below[0], above[1]), math.hypot(above[0], below[1])
    return Interval(difference, difference - low, difference + high)


def mean(values: NDArray[np.float64]) -> Interval:
    """A mean with the normal interval of its standard error; no ends under two values."""
    centre = float(values.mean())
    if len(values) < 2:
        return Interval(centre)
    half = Z95 * float(values.std(ddof=1)) / math.sqrt(len(values))
    return Interval(centre, centre - half, centre + half)


def area_under_curve(label: NDArray[Any], score: NDArray[Any]) -> Interval | None:
    """Area under the ROC curve from ranks, ties halved; None with one class only.

    Interval of J. A. Hanley and B. J. McNeil 1982.
    """
    from scipy.stats import rankdata

    positive = label > 0.5
    ones, zeros = int(positive.sum()), int((~positive).sum())
    if ones == 0 or zeros == 0:
        return None
    ranks = rankdata(score)
    area = (float(ranks[positive].sum()) - ones * (ones + 1) / 2) / (ones * zeros)
    q1, q2 = area / (2 - area), 2 * area**2 / (1 + area)
    variance = (area * (1 - area) + (ones - 1) * (q1 - area**2) + (zeros - 1) * (q2 - area**2)) / (
        ones * zeros
    )
    half = Z95 * math.sqrt(max(variance, 0.0))
    return Interval(area, max(0.0, area - half), min(1.0, area + half))


def calibration_error(label: NDArray[Any], probability: NDArray[Any]) -> float:
    """Expected calibration error over ten equal bins (M. P. Naeini et al. 2015)."""
    bins = np.minimum((probability * 10).astype(np.int64), 9)
    total = 0.0
    for one in np.unique(bins):
        inside = bins == one
        gap = abs(float(label[inside].mean()) - float(probability[inside].mean()))
        total += gap * float(inside.mean())
    return total


def basic_bootstrap(
    value: float, draws: NDArray[np.float64], *, low: float = 0.0, high: float | None = None
) -> Interval:
    """The basic (reflected) bootstrap interval, which takes back the upward bias of a spread.

    Davison and Hinkley 1997, 5.2: the ends are 2 value - quantile. Cut to [low, high], and never
    so far that the value itself is left out.
    """
    usable = draws[np.isfinite(draws)]
    if not math.isfinite(value) or len(usable) < 100:
        return Interval(value)
    lower = 2 * value - float(np.quantile(usable, 0.975))
    upper = 2 * value - float(np.quantile(usable, 0.025))
    lower, upper = min(value, max(low, lower)), max(value, upper)
    return Interval(value, lower, upper if high is None else min(high, upper))
