"""The PromQL of an interval: means, maxima and quantiles of gauges and of counters' slopes.

Which metrics there are is in `catalogue`; what is asked when, and in how many parts, in `plan`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

Over = Callable[[str, str], str]
"""(function, selector) -> the function over one interval, evaluated at the interval's end."""

STATISTICS = {
    "mean": "avg_over_time(",
    "max": "max_over_time(",
    "p50": "quantile_over_time(0.5, ",
    "p95": "quantile_over_time(0.95, ",
}
"""Statistic of an interval -> how its function opens."""

HA_LABELS = ("prometheus_replica", "__replica__")
"""Labels that tell two servers apart which scraped the same target: Thanos's and Mimir's own."""


def selector(name: str, matchers: Sequence[str]) -> str:
    """One metric with the matchers that are not empty."""
    return f"{name}{{{','.join(matcher for matcher in matchers if matcher)}}}"


def gauge(statistic: str, of: str, step: int) -> str:
    """A statistic of the samples with t <= time < t + step, evaluated at t + step (seconds).

    A range takes in both of its ends up to Prometheus 2, its end alone since 3: by an offset of
    1 ms, the finest that there is, both take t in and leave t + step to the next interval.
    """
    return f"{STATISTICS[statistic]}{of}[{step}s] offset 1ms)"


def slopes(statistic: str, of: str, step: int, scrape: int) -> str:
    """A statistic of a counter's slopes in [t, t + step), per second, evaluated at t + step.

    The slope between each two consecutive samples, taken at t + scrape, t + 2 scrape, ... to
    t + step. `rate` and `increase` extrapolate: they halve the first interval of a counter that
    starts from 0, and lose what happens between the last sample of one interval and the first of
    the next. Slopes do neither: their mean times `step` is the increase between the samples at
    the interval's ends. `irate` knows resets. Its window of just under two scrapes holds two
    samples, and none of a series that ended: a longer one would go on with what is gone.
    """
    slope = f"irate({of}[{2 * scrape * 1000 - 1}ms])"
    if scrape >= step:
        return slope
    return f"{STATISTICS[statistic]}{slope}[{step * 1000 - 1}ms:{scrape}s])"


def by(operator: str, labels: Sequence[str], of: str) -> str:
    """An aggregation that keeps `labels`."""
    return f"{operator} by ({', '.join(labels)}) ({of})"


def without(operator: str, labels: Sequence[str], of: str) -> str:
    """An aggregation that drops `labels`."""
    return f"{operator} without ({', '.join(labels)}) ({of})"
