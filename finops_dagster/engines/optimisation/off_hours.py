"""Workloads used only in some hours of the week, and the schedule that keeps just those.

Workloads that are never used, and how many replicas the hours in use need, are judged elsewhere.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

import numpy as np
import pandas as pd

from finops_dagster.domain.decisions import Finding, FindingKind
from finops_dagster.domain.money import MoneyRange, to_decimal
from finops_dagster.engines.optimisation.ground import Declared, Ground
from finops_dagster.engines.optimisation.idle import (
    COMPUTE,
    IDLE_GPU_PERCENT,
    STOPPABLE,
    Activity,
)
from finops_dagster.engines.optimisation.prices import minus, times
from finops_dagster.engines.optimisation.profiles import wilson_upper
from finops_dagster.engines.optimisation.rules import Tier, tier_of
from finops_dagster.engines.optimisation.scalers import HPA, Scaler, zone_of
from finops_dagster.engines.optimisation.schedules import (
    COOLDOWN_MINUTES,
    HOURS_OF_WEEK,
    LEAD_MINUTES,
    Window,
    cpu_trigger,
    cron_triggers,
    hour_of_week,
    kept_by,
    minute_of_week,
    running,
    scaled_object,
    windows,
    words,
)

OFF_SHARE = 0.1
"""An hour is one of use where its P95 of CPU is at so much of the busy level (P95) or above."""
OFF_MIN_SHARE_OF_WEEK = 0.4
OFF_BUSY_MIN_SHARE_OF_WEEK = 0.05
ONE_OFF_SHARE = 0.1
"""Used once in an hour of the week that is quiet else, and on no more than so many of the working
days (or of the weekends' days) at that hour: an exception, and no pattern."""
MAX_EXCEPTION_SHARE = 0.15
"""Of the days, two in a fortnight: with exceptions on more there is no schedule to keep."""
_TOLD = 3
"""Dates of exceptions that a reason names."""


@dataclass(frozen=True)
class Week:
    """Which hours of the week a workload is used in, in the time zone of its users."""

    on: np.ndarray
    """(168,), Monday 0:00 first."""
    exceptions: pd.DatetimeIndex
    """Hours in which it was used though the hour is off."""
    off_seen: int
    """Hours seen in an hour of the week that is off."""
    busy: float
    quiet: float
    """Highest P95 of cores of an hour that is off and no exception."""


def off_hours(ground: Ground, use: Activity, sized: MoneyRange | None) -> Finding | None:
    """OFF_HOURS where a non-production workload sleeps in the same hours of every week.

    `sized` is what sizing already saves on the workload: it is taken off first, so that the two
    savings are never above the cost.
    """
    cost = ground.prices.cost_per_month(use.resource, COMPUTE)
    scaler = ground.scaling.scalers.get(use.resource)
    if tier_of(ground.environment(use.resource)) is Tier.PRODUCTION or cost is None:
        return None
    if use.days < 13.5 or not use.resource.startswith(tuple(f"{k}/" for k in STOPPABLE)):
        return None
    by_schedule = _by_schedule(scaler)
    if use.resource in ground.managed and not (by_schedule or _by_cpu(scaler)):
        return None
    zone = ground.scaling.zones.get(use.resource, "UTC")
    if by_schedule and scaler:
        zone = scaler.crons[0].zone
    local = use.times.tz_convert(zone)
    week = week_of(use.frame.set_axis(local, axis=0))
    schedule = windows(week.on) if week else ()
    if week is None or not schedule:
        return None
    off = 1 - float(running(schedule).mean())
    if not OFF_MIN_SHARE_OF_WEEK <= off <= 1 - OFF_BUSY_MIN_SHARE_OF_WEEK:
        return None
    kept = running(schedule, LEAD_MINUTES, COOLDOWN_MINUTES)
    value = None
    if by_schedule and scaler:
        kept = _declared(scaler)
        if (running(schedule) & ~kept).any():
            return None
        value = _to_nothing(scaler)
    share = _ended(use, local, week, kept)
    if share <= 0:
        return None
    if sized is not None and sized.currency == cost.currency:
        cost = minus(cost, sized)
    excepted = len(week.exceptions) / max(1, week.off_seen)
    return ground.finding(
        FindingKind.OFF_HOURS,
        use.resource,
        value=value,
        proposed="0",
        edited=scaler.resource if scaler and value else "",
        saving=times(cost, share),
        carbon=ground.carbon.reserved(
            use.resource, use.mean("request") * share, use.mean("memory") * share
        ),
        risk=wilson_upper(excepted, week.off_seen),
        confidence=use.coverage,
        samples=len(use.frame),
        figures={
            "off_share_of_week": share,
            "busy_cores": week.busy,
            "off_p95_cores": week.quiet,
            "hours_in_use_a_week": float(running(schedule).sum()) / 60,
            "exceptions_hours": float(len(week.exceptions)),
            "lead_minutes": float(LEAD_MINUTES),
        },
        reason=f"In {off:.0%} of the hours of the week nobody uses it; it is used on "
        f"{words(schedule, zone)}.{_told(week)}{_shift(zone)}"
        f"{_known(scaler) if value else ''}",
        rule="weekly pattern rule",
        suggestion="" if value else _suggested(ground, use, schedule, zone, scaler),
        wrong_if="someone starts to work at other hours, or it does by night what takes no CPU",
    )


def week_of(frame: pd.DataFrame) -> Week | None:
    """The week of `frame` (cpu, gpu; index: local times), None where there is no pattern.

    Every hour of the week must be seen on two dates. One that was used on some of them only is in
    use, unless that was the one time in many (ONE_OFF_SHARE).
    """
    index = pd.DatetimeIndex(frame.index)
    keys = [pd.Index(index.date, name="day"), pd.Index(hour_of_week(index), name="hour")]
    cpu = frame["cpu"].groupby(keys).quantile(0.95)
    cpu = cpu.dropna()
    seen = cpu.groupby(level="hour").size().reindex(range(HOURS_OF_WEEK), fill_value=0)
    busy = float(frame["cpu"].groupby(keys[1]).quantile(0.95).quantile(0.95))
    if (seen < 2).any() or not busy > 0:
        return None
    gpu = frame["gpu"].groupby(keys).max().reindex(cpu.index)
    used = (cpu >= OFF_SHARE * busy) | (gpu >= IDLE_GPU_PERCENT)
    count = used.groupby(level="hour").sum().to_numpy()
    hours = np.arange(HOURS_OF_WEEK)
    # the same hour of the day on working days, or at weekends
    alike = pd.Series(hours % 24 + 24 * (hours >= 120))
    pooled = pd.Series(count).groupby(alike).transform("sum").to_numpy()
    chances = seen.reset_index(drop=True).groupby(alike).transform("sum").to_numpy()
    on = (count >= 2) | ((count == 1) & (pooled > ONE_OFF_SHARE * chances))
    off = ~on[cpu.index.get_level_values("hour").to_numpy()]
    odd = cpu.index[off & used.to_numpy()]
    off_seen = int(off.sum())
    days = cpu.index.get_level_values("day")
    odd_days = odd.get_level_values("day").nunique()
    if odd_days > MAX_EXCEPTION_SHARE * days.nunique() or off_seen == len(odd):
        return None
    return Week(
        on=on,
        exceptions=pd.DatetimeIndex(
            [pd.Timestamp(day) + pd.Timedelta(hours=hour % 24) for day, hour in odd]
        ),
        off_seen=off_seen,
        busy=busy,
        quiet=float(cpu[off & ~used.to_numpy()].max()),
    )


def _by_cpu(scaler: Scaler | None) -> bool:
    """Whether a schedule may take an autoscaler's place without losing what it looks at."""
    return (
        scaler is not None
        and scaler.kind == HPA
        and scaler.cpu_target is not None
        and not scaler.others
    )


def _by_schedule(scaler: Scaler | None) -> bool:
    """Whether it is a schedule alone that keeps it, and more than nothing in the hours between."""
    return (
        scaler is not None
        and scaler.declared_minimum is not None
        and scaler.minimum > 0
        and bool(scaler.crons)
        and scaler.cpu_target is None
        and not scaler.others
        and len({cron.zone for cron in scaler.crons}) == 1
        and zone_of(scaler.crons[0].zone) != ""
        and kept_by([(cron.start, cron.end) for cron in scaler.crons]) is not None
    )


def _declared(scaler: Scaler) -> np.ndarray:
    """Minutes of the week that its schedule keeps, with the way down."""
    kept = kept_by([(cron.start, cron.end) for cron in scaler.crons])
    assert kept is not None  # `_by_schedule`
    after = [np.roll(kept, minutes) for minutes in range(COOLDOWN_MINUTES + 1)]
    return np.asarray(np.any(after, axis=0))


def _to_nothing(scaler: Scaler) -> Declared | None:
    text = scaler.declared_minimum
    return Declared(text.field, text.text, to_decimal(scaler.minimum)) if text else None


def _known(scaler: Scaler | None) -> str:
    """What a declared schedule does, where only its minimum is to change."""
    if scaler is None:
        return ""
    return f" {scaler.resource} keeps {scaler.minimum} between the hours of its own schedule."


def _ended(use: Activity, local: pd.DatetimeIndex, week: Week, kept_minutes: np.ndarray) -> float:
    """Share of its replica-hours that end: not kept in the week, and no exception."""
    replicas = use.frame["replicas"].to_numpy(dtype=float)
    known = replicas[~np.isnan(replicas)]
    weight = np.where(np.isnan(replicas), known.mean() if known.size else 1.0, replicas)
    kept = kept_minutes[minute_of_week(local)]
    excepted = local.tz_localize(None).floor("h").isin(week.exceptions)
    return float(weight[~kept & ~excepted].sum() / weight.sum())


def _suggested(
    ground: Ground, use: Activity, schedule: tuple[Window, ...], zone: str, scaler: Scaler | None
) -> str:
    """A ScaledObject with the schedule; empty where it is not known how many replicas to keep."""
    if scaler is not None and scaler.cpu_target is not None:
        triggers = [
            *cron_triggers(schedule, zone, max(1, scaler.minimum)),
            cpu_trigger(scaler.cpu_target),
        ]
        return scaled_object(use.resource, triggers, 0, scaler.maximum, scaler.resource)
    value = ground.declared.get((use.resource, "", "replicas"))
    replicas = use.frame["replicas"].median()
    if value is not None and value.amount:
        count = int(value.amount)
    elif np.isfinite(replicas):
        count = round(float(replicas))
    else:
        return ""
    return scaled_object(use.resource, cron_triggers(schedule, zone, count), 0, count)


def _told(week: Week) -> str:
    if not len(week.exceptions):
        return ""
    days: list[date] = sorted({time.date() for time in week.exceptions})
    more = f" and {len(days) - _TOLD} more days" if len(days) > _TOLD else ""
    return (
        f" Exceptions: {len(week.exceptions)} hours, on "
        f"{', '.join(day.isoformat() for day in days[:_TOLD])}{more}."
    )


def _shift(zone: str) -> str:
    if zone != "UTC":
        return ""
    return " No time zone of its users is declared: daylight saving time shifts these hours."
