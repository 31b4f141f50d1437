"""Workloads used only in some hours of the week.

Nothing here knows of workloads that are never used.
"""

from __future__ import annotations

import numpy as np

from finops_dagster.domain.decisions import Finding, FindingKind
from finops_dagster.domain.money import MoneyRange
from finops_dagster.engines.optimisation.ground import Ground
from finops_dagster.engines.optimisation.idle import COMPUTE, STOPPABLE, Activity
from finops_dagster.engines.optimisation.prices import minus, times
from finops_dagster.engines.optimisation.profiles import wilson_upper
from finops_dagster.engines.optimisation.rules import Tier, tier_of

OFF_SHARE = 0.1
"""An hour of the week is off when its P95 of CPU is under so much of the busy level (P95)."""
OFF_MIN_SHARE_OF_WEEK = 0.4
OFF_BUSY_MIN_SHARE_OF_WEEK = 0.05
_HOURS_OF_WEEK = 168


def off_hours(ground: Ground, use: Activity, sized: MoneyRange | None) -> Finding | None:
    """OFF_HOURS where a non-production workload sleeps in the same hours of every week.

    `sized` is what sizing already saves on the workload: it is taken off first, so that the two
    savings are never above the cost.
    """
    tier = tier_of(ground.environment(use.resource))
    cost = ground.prices.cost_per_month(use.resource, COMPUTE)
    if tier is Tier.PRODUCTION or use.resource in ground.managed or cost is None:
        return None
    if use.days < 13.5 or not use.resource.startswith(tuple(f"{k}/" for k in STOPPABLE)):
        return None
    hour = use.times.dayofweek * 24 + use.times.hour
    by_hour = use.frame["cpu"].groupby(hour).quantile(0.95).reindex(range(_HOURS_OF_WEEK))
    # a weekly pattern takes every hour of the week, each seen in two weeks
    seen = use.frame["cpu"].groupby([hour, use.times.floor("D")]).size()
    if by_hour.isna().any() or (seen.groupby(level=0).size() < 2).any():
        return None
    busy = float(by_hour.quantile(0.95))
    off = (by_hour < OFF_SHARE * busy).to_numpy()
    share = float(off.mean())
    if busy <= 0 or not OFF_MIN_SHARE_OF_WEEK <= share <= 1 - OFF_BUSY_MIN_SHARE_OF_WEEK:
        return None
    if sized is not None and sized.currency == cost.currency:
        cost = minus(cost, sized)
    on_hours = np.flatnonzero(~off)
    return ground.finding(
        FindingKind.OFF_HOURS,
        use.resource,
        value=None,
        proposed="",
        saving=times(cost, share),
        carbon=ground.carbon.reserved(
            use.resource, use.mean("request") * share, use.mean("memory") * share
        ),
        risk=wilson_upper(0.0, float(use.times.floor("h").nunique()) * share),
        confidence=use.coverage,
        samples=len(use.frame),
        figures={
            "off_share_of_week": share,
            "busy_cores": busy,
            "off_p95_cores": float(by_hour[off].max()),
        },
        reason=f"In {share:.0%} of the hours of the week nobody uses it; it is used on "
        f"{_days_of(on_hours)}, {_span_of(on_hours)} UTC.",
        rule="weekly pattern rule",
    )


_NAMES = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")


def _days_of(hours: np.ndarray) -> str:
    days = sorted(set((hours // 24).tolist()))
    return ", ".join(_NAMES[d] for d in days)


def _span_of(hours: np.ndarray) -> str:
    of_day = hours % 24
    return f"between {int(of_day.min()):02d}:00 and {int(of_day.max()) + 1:02d}:00"
