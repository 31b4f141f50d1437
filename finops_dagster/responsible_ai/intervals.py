"""Intervals of rates, errors and areas, and of what is made of them: arithmetic only.

95 % throughout; each formula names its source.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
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
    return float(_Bins.of(label, probability).error())


def calibration(label: NDArray[Any], probability: NDArray[Any], *, seed: int = 0) -> Interval:
    """`calibration_error` with its bootstrap interval."""
    bins = _Bins.of(label, probability)
    return basic_bootstrap(float(bins.error()), bins.draws(seed, 500), high=1.0)


def calibration_draws(
    label: NDArray[Any], probability: NDArray[Any], seed: int, draws: int
) -> NDArray[np.float64]:
    """`calibration_error` of so many bootstrap samples."""
    return _Bins.of(label, probability).draws(seed, draws)


@dataclass(frozen=True)
class _Bins:
    """Rows of each of ten bins of probability: of class 1, of class 0, mean probability.

    Rows of one bin and class are alike but for where in the bin they are, so that a bootstrap over
    rows is near a multinomial draw of twenty counts.
    """

    ones: NDArray[np.float64]
    zeros: NDArray[np.float64]
    probability: NDArray[np.float64]

    @classmethod
    def of(cls, label: NDArray[Any], probability: NDArray[Any]) -> _Bins:
        place = np.minimum((probability * 10).astype(np.int64), 9)
        rows = np.bincount(place, minlength=10).astype(np.float64)
        ones = np.bincount(place[label > 0.5], minlength=10).astype(np.float64)
        total = np.bincount(place, weights=probability.astype(np.float64), minlength=10)
        return cls(ones, rows - ones, total / np.maximum(rows, 1))

    def error(self, ones: Any = None, zeros: Any = None) -> Any:
        ones, zeros = (self.ones, self.zeros) if ones is None else (ones, zeros)
        rows = ones + zeros
        return np.abs(ones - rows * self.probability).sum(axis=-1) / rows.sum(axis=-1)

    def draws(self, seed: int, count: int) -> NDArray[np.float64]:
        cells = np.concatenate([self.ones, self.zeros])
        total = cells.sum()
        drawn = np.random.default_rng(seed).multinomial(int(total), cells / total, size=count)
        return np.asarray(self.error(drawn[:, :10], drawn[:, 10:]), dtype=np.float64)


def ratio_of_rates(ones: int, rows: int, base_ones: int, base_rows: int) -> Interval | None:
    """One rate over another, independent one; None where the other is nothing.

    Interval by logarithms (D. Katz et al. 1978); without ends where either rate is 0.
    """
    if not (rows and base_rows and base_ones):
        return None
    ratio = (ones / rows) / (base_ones / base_rows)
    if not ones:
        return Interval(ratio)
    spread = 1 / ones - 1 / rows + 1 / base_ones - 1 / base_rows
    half = Z95 * math.sqrt(max(spread, 0.0))
    return Interval(ratio, ratio * math.exp(-half), ratio * math.exp(half))


def basic_bootstrap(
    value: float,
    draws: NDArray[np.float64],
    *,
    low: float = 0.0,
    high: float | None = None,
    level: float = 0.95,
) -> Interval:
    """The basic (reflected) bootstrap interval, which takes back the upward bias of a spread.

    Davison and Hinkley 1997, 5.2: the ends are 2 value - quantile. Cut to [low, high], and never
    so far that the value itself is left out.
    """
    usable = draws[np.isfinite(draws)]
    if not math.isfinite(value) or len(usable) < 100:
        return Interval(value)
    tail = (1 - level) / 2
    lower = 2 * value - float(np.quantile(usable, 1 - tail))
    upper = 2 * value - float(np.quantile(usable, tail))
    lower, upper = min(value, max(low, lower)), max(value, upper)
    return Interval(value, lower, upper if high is None else min(high, upper))


def widest_gap(
    value: float, drawn: NDArray[np.float64], *, high: float | None = None, level: float = 0.95
) -> Interval:
    """Interval of the gap between the highest and the lowest of several groups.

    drawn: bootstrap draws x groups, or draws x groups x kinds of which the widest gap counts. The
    basic bootstrap takes the upward bias of a widest gap back; its low end is held under that of
    Tukey's simultaneous intervals (J. W. Tukey 1953), drawn: gaps of draws less their means. With
    two groups both are one; with more the former alone finds gaps where there are none.
    """
    if drawn.ndim == 2:
        drawn = drawn[:, :, None]
    usable = drawn[np.isfinite(drawn).all(axis=(1, 2))]
    gaps = np.ptp(usable, axis=1).max(axis=1)
    found = basic_bootstrap(value, gaps, high=high, level=level)
    if found.low is None:
        return found
    chance = np.ptp(usable - usable.mean(axis=0), axis=1).max(axis=1)
    least = max(0.0, value - float(np.quantile(chance, level)))
    return Interval(value, min(found.low, least), found.high)
