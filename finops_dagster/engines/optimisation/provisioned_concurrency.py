"""Provisioned concurrency of serverless functions that no invocation ever takes.

It is bought for latency, so what is left holds all but the rarest peaks; money alone would leave
less. Memory is judged elsewhere.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd
import yaml

from finops_dagster.domain.decisions import Abstained, Finding, FindingKind
from finops_dagster.domain.money import NO_CARBON
from finops_dagster.engines.optimisation.functions import (
    DeclaredFunction,
    FunctionUse,
    function_uses,
)
from finops_dagster.engines.optimisation.ground import Declared, Ground
from finops_dagster.engines.optimisation.inputs import FindResult, take
from finops_dagster.engines.optimisation.prices import times
from finops_dagster.engines.optimisation.profiles import wilson_upper
from finops_dagster.engines.optimisation.rules import RULES, tier_of
from finops_dagster.engines.optimisation.serverless_memory import COMPUTE

PROVISIONED = "serverless_provisioned"
MIN_SAVING_SHARE = 0.1
MIN_SCHEDULE_SHARE = 0.2
"""A schedule is told where it saves so much more of the cost than one lower number."""
_STEADY = 0.1
"""What is provisioned is known where its readings differ by no more than this share."""
_HOURS_OF_WEEK = 168
_DAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")


def provisioned_concurrency(
    ground: Ground, measurements: pd.DataFrame, declared: Mapping[str, DeclaredFunction]
) -> FindResult:
    """PROVISIONED_CONCURRENCY of functions that have more than their peaks take.

    `ground.prices` has the meters PROVISIONED and COMPUTE. Left is the quantile of the most used in
    an interval that the environment asks of CPU, with its headroom, and never less than the
    newsvendor's: a unit that is in use for more of the time than the ratio of the price of keeping
    it to that of using one on demand pays for itself. What the rest would have held is paid for on
    demand, and is taken off the saving.
    """
    findings: list[Finding] = []
    abstained: list[Abstained] = []
    for use in function_uses(ground, measurements):
        known = declared.get(use.resource, DeclaredFunction())
        judged = _judged(ground, use, known.provisioned)
        take(judged, findings, abstained)
    return FindResult(findings=findings, abstained=abstained)


def _judged(ground: Ground, use: FunctionUse, value: Declared | None) -> Finding | Abstained | None:
    used = use.window["provisioned_used_max"].dropna()
    billed = PROVISIONED in ground.prices.meters(use.resource)
    if not len(used):
        reason = "provisioned concurrency is billed, and how much of it is used is not measured"
        return Abstained(subject=use.resource, reason=reason) if billed else None
    if not billed:
        return None
    units = _provisioned(use.window, value)
    if units is None:
        reason = "how much concurrency is provisioned is not known, or changes by a schedule"
        return Abstained(subject=use.resource, reason=reason)
    ratio = _critical_ratio(ground, use.resource)
    rule = RULES[tier_of(ground.environment(use.resource))]
    needed = float(used.quantile(rule.cpu_quantile)) * rule.cpu_headroom
    if ratio is not None:
        needed = max(needed, float(used.quantile(max(0.0, 1 - ratio))))
    kept = max(1, math.ceil(round(needed, 6)))
    if kept >= units:
        return None
    spilled = float((used - kept).clip(lower=0).mean()) / units
    why = _why_not(ground, use)
    if not why and spilled and ratio is None:
        why = "what invocations above them would cost on demand is not billed"
    if why:
        reason = f"{kept} of {units} units would do, but {why}"
        return Abstained(subject=use.resource, reason=reason)
    lost = spilled / ratio if ratio else 0.0
    share = (units - kept) / units - lost
    if share < MIN_SAVING_SHARE:
        return None
    return _finding(ground, use, value, units, kept, share, rule.cpu_headroom, spilled)


def _provisioned(window: pd.DataFrame, value: Declared | None) -> int | None:
    """Units there are, from use over utilisation; else what is declared. None where it varies."""
    both = window[["provisioned_used_max", "provisioned_utilisation_max"]].dropna()
    both = both.loc[(both > 0).all(axis=1)]
    told = int(value.amount) if value is not None and value.amount is not None else None
    if both.empty:
        return told
    units = both["provisioned_used_max"] / both["provisioned_utilisation_max"]
    middle = float(units.median())
    # of two maxima of different moments one may be odd, a schedule moves a tenth of them
    if abs(float(units.quantile(0.95)) / middle - 1) > _STEADY:
        return None
    if abs(float(units.quantile(0.05)) / middle - 1) > _STEADY:
        return None
    count = round(middle)
    return None if told is not None and told != count else count


def _why_not(ground: Ground, use: FunctionUse) -> str:
    needed = ground.config.min_history_days
    if use.days < needed:
        return f"measured for {use.days:.1f} days only, {needed} are needed"
    return ground.prices.why_not(use.resource, PROVISIONED)


def _critical_ratio(ground: Ground, resource: str) -> float | None:
    """Price of a provisioned GB-second over that of one in use, which is the most an invocation
    without provisioned concurrency costs more; None where the bill has no such price.

    A unit in use for more of the time than this pays for itself (newsvendor: overage over
    underage).
    """
    if ground.prices.why_not(resource, COMPUTE):
        return None
    zero = pd.Series([0.0], index=pd.DatetimeIndex([pd.Timestamp(ground.as_of)]))
    idle, busy = (
        float(ground.prices.saving(resource, meter, zero)[1]) for meter in (PROVISIONED, COMPUTE)
    )
    return idle / busy if idle > 0 and busy > 0 else None


@dataclass(frozen=True)
class Schedule:
    """Two levels of a week: `busy` units in one span of hours a day (UTC, end excluded), or `low`.

    Days are numbered from Monday.
    """

    busy: int
    low: int
    spans: Mapping[int, tuple[int, int]]

    def mean(self) -> float:
        """Units over the week."""
        hours = sum(end - start for start, end in self.spans.values())
        return (self.busy * hours + self.low * (_HOURS_OF_WEEK - hours)) / _HOURS_OF_WEEK

    def text(self) -> str:
        """As YAML."""
        spans = {_DAYS[day]: list(span) for day, span in sorted(self.spans.items())}
        content = {"busy": self.busy, "otherwise": self.low, "busy_hours_utc": spans}
        return str(yaml.safe_dump({"provisionedConcurrency": content}, sort_keys=False))


def _schedule(used: pd.Series[float], headroom: float, units: int) -> Schedule | None:
    """What the hours of the week ask for, each seen in two weeks; None where they are not."""
    at = pd.DatetimeIndex(used.index)
    hour = at.dayofweek * 24 + at.hour
    seen = used.groupby([hour, at.floor("D")]).size().groupby(level=0).size()
    if (seen.reindex(range(_HOURS_OF_WEEK), fill_value=0) < 2).any():
        return None
    highest = used.groupby(hour).max().sort_index().to_numpy(dtype=float) * headroom
    wanted = np.clip(np.ceil(np.round(highest, 6)), 1, units)
    busy = wanted > (wanted.max() + wanted.min()) / 2
    spans = {}
    for day in range(7):
        found = np.flatnonzero(busy[day * 24 : day * 24 + 24])
        if found.size:
            spans[day] = int(found[0]), int(found[-1]) + 1
    if busy.all() or not spans:
        return None
    return Schedule(int(wanted.max()), int(wanted[~busy].max()), spans)


def _finding(
    ground: Ground,
    use: FunctionUse,
    value: Declared | None,
    units: int,
    kept: int,
    share: float,
    headroom: float,
    spilled: float,
) -> Finding:
    cost = ground.prices.cost_per_month(use.resource, (PROVISIONED,))
    assert cost is not None, "why_not was asked"
    used = use.window["provisioned_used_max"].dropna()
    figures = {
        "provisioned_units": float(units),
        "provisioned_units_used_max": float(used.max()),
        "provisioned_units_used_mean": float(used.mean()),
        "intervals_above_proposed_share": float((used > kept).mean()),
        "spilled_share": spilled,
        "cost_after_share": 1 - share,
    }
    suggestion = ""
    schedule = _schedule(used, headroom, units)
    if schedule is not None:
        scheduled = 1 - schedule.mean() / units
        figures["saving_share_of_a_schedule"] = scheduled
        suggestion = schedule.text() if scheduled - share >= MIN_SCHEDULE_SHARE else ""
    finding = ground.finding(
        FindingKind.PROVISIONED_CONCURRENCY,
        use.resource,
        value=value,
        proposed=str(kept),
        saving=times(cost, share),
        carbon=NO_CARBON,
        risk=wilson_upper(float((used > kept).mean()), use.hours),
        confidence=use.coverage,
        samples=len(used),
        figures=figures,
        reason=f"Of {units} provisioned units at most {used.max():.0f} were in use at a time; "
        f"{kept} hold all but the rarest peaks, headroom included"
        f"{', and a schedule would save more' if suggestion else ''}.",
        rule="provisioned concurrency rule",
    )
    wrong_if = "a peak comes that was not seen: its first invocations start cold"
    return finding.model_copy(update={"suggestion": suggestion, "wrong_if": wrong_if})
