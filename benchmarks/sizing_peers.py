"""The sizing rules that peers publish, as functions of a demand history.

Each by its own documented defaults; how well they do is measured elsewhere.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from finops_dagster.engines.known import Floats
from finops_dagster.engines.optimisation.demand import quantiles, sorted_known

VPA_MARGIN = 1.15
"""recommendation-margin-fraction 0.15 of the Vertical Pod Autoscaler's recommender."""
VPA_GROWTH = 1.05
"""Each bucket of its histograms is 5 % wider than the one before (aggregations_config.go)."""
VPA_HALF_LIFE_HOURS = 24.0
"""cpu-histogram-decay-half-life."""


@dataclass(frozen=True)
class Past:
    """What a rule may know: demand (workload, time), its hours, and the meter of VPA's buckets."""

    demand: Floats
    """In any unit; NaN where not measured."""
    hours: Floats
    """(time,): hours since the history began."""
    first_bucket: float
    """Width of VPA's first bucket in the unit of demand: 0.01 cores, or 1 of 100 percent."""


Rule = Callable[[Past], Floats]
"""Capacity (workload,) in the unit of demand."""


def quantile(level: float, factor: float = 1.0) -> Rule:
    """The quantile `level` (linear interpolation) times `factor`."""
    return lambda past: quantiles(*sorted_known(past.demand), (level,))[:, 0] * factor


def bucket_end(value: Floats, first: float, ratio: float = VPA_GROWTH) -> Floats:
    """Upper end of the exponential bucket that each value falls into.

    Bucket n starts at first x (ratio^n - 1)/(ratio - 1) (VPA, histogram_options.go); a percentile
    is told as the end of its bucket (histogram.go).
    """
    place = np.log(np.maximum(value, 0.0) * (ratio - 1) / first + 1) / np.log(ratio)
    # a value on a bucket's edge belongs to the one it opens, whatever the logarithm's last digit
    bucket = np.floor(place + 1e-9)
    return np.asarray(first * (ratio ** (bucket + 1) - 1) / (ratio - 1))


def decayed_percentile(demand: Floats, weights: Floats, level: float) -> Floats:
    """Least value of each row at or under which `level` of the row's weight lies; NaN weighs none.

    Buckets are in the order of their values, so this is the bucket VPA stops at.
    """
    known = np.isfinite(demand)
    order = np.argsort(np.where(known, demand, np.inf), axis=1, kind="stable")
    weight = np.take_along_axis(np.where(known, np.broadcast_to(weights, demand.shape), 0.0),
                                order, axis=1)  # fmt: skip
    reached = np.cumsum(weight, axis=1)
    at = (reached >= level * reached[:, -1:] * (1 - 1e-12)).argmax(axis=1)[:, None]
    ordered = np.take_along_axis(demand, order, axis=1)
    return np.asarray(np.take_along_axis(ordered, at, axis=1)[:, 0])


def confidence(past: Past) -> Floats:
    """Days of history, or samples over a minute's rate a day where that is less (estimator.go)."""
    days = float(past.hours[-1] - past.hours[0]) / 24 if past.hours.size else 0.0
    samples = np.isfinite(past.demand).sum(axis=1) / (24 * 60)
    return np.asarray(np.minimum(days, samples))


def vpa(level: float, multiplier: float = 0.0, exponent: float = 1.0) -> Rule:
    """VPA's estimate: bucketed percentile of decayed weights x 1.15 x (1 + m/confidence)^e.

    A sample weighs 2^(age / -24 h). VPA also weighs it by the request of its time, which is taken
    as constant here.
    """

    def choose(past: Past) -> Floats:
        weights = 2 ** (past.hours / VPA_HALF_LIFE_HOURS)
        value = decayed_percentile(past.demand, weights, level)
        factor = (1 + multiplier / np.maximum(confidence(past), 1e-9)) ** exponent
        return np.asarray(bucket_end(value, past.first_bucket) * VPA_MARGIN * factor)

    return choose


PEERS: dict[str, Rule] = {
    # https://github.com/robusta-dev/krr#algorithm: CPU request P95, memory max + 15 %;
    # simple_limit: request P66 and limit P96
    "krr_simple_p95": quantile(0.95),
    "krr_simple_limit_request_p66": quantile(0.66),
    "krr_simple_limit_limit_p96": quantile(0.96),
    "krr_memory_max_x1.15": quantile(1.0, 1.15),
    # the percentiles of VPA's recommender (P50, P90, P95) x 1.15, on plain samples
    "vpa_lower_p50_x1.15": quantile(0.50, VPA_MARGIN),
    "vpa_target_p90_x1.15": quantile(0.90, VPA_MARGIN),
    "vpa_upper_p95_x1.15": quantile(0.95, VPA_MARGIN),
    # the same as its recommender counts, bounds with their confidence (recommender.go)
    "vpa_histogram_lower": vpa(0.50, 0.001, -2.0),
    "vpa_histogram_target": vpa(0.90),
    "vpa_histogram_upper": vpa(0.95, 1.0, 1.0),
    # https://goldilocks.docs.fairwinds.com/faq: guaranteed sets requests and limits to VPA's
    # target, burstable sets requests to its lower and limits to its upper bound
    "goldilocks_guaranteed": vpa(0.90),
    "goldilocks_burstable_request": vpa(0.50, 0.001, -2.0),
    "goldilocks_burstable_limit": vpa(0.95, 1.0, 1.0),
    # Kubecost request right-sizing: max over target utilisation; 0.8, 0.65 and 0.5 are its profiles
    # development, production and high availability, 0.7 is the API's default
    "kubecost_max_over_0.8": quantile(1.0, 1 / 0.8),
    "kubecost_max_over_0.7": quantile(1.0, 1 / 0.7),
    "kubecost_max_over_0.65": quantile(1.0, 1 / 0.65),
    "kubecost_max_over_0.5": quantile(1.0, 1 / 0.5),
    # AWS Compute Optimizer's default rightsizing preference: threshold P99_5, headroom PERCENT_20
    "compute_optimizer_p99.5_x1.2": quantile(0.995, 1.2),
}
