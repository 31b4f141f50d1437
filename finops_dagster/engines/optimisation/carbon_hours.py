"""Movable work that would emit less if it started at another hour of those that its label allows.

What the label allows is read elsewhere. Prices by the hour are not known: no money is saved here.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd

from finops_dagster.domain.decisions import Abstained, Finding, FindingKind
from finops_dagster.domain.money import MoneyRange, Range
from finops_dagster.engines.optimisation.cron_start import (
    Schedule,
    minutes_apart,
    simple_schedule,
)
from finops_dagster.engines.optimisation.movable import Movable
from finops_dagster.engines.optimisation.placement_inputs import (
    WINDOW_DAYS,
    Place,
    finding,
    scaled,
    window,
    with_energy,
)
from finops_dagster.engines.optimisation.prices import DAYS_PER_MONTH, half_width
from finops_dagster.engines.optimisation.profiles import wilson_upper

MIN_RUNS = 4
"""Runs that a spread is told of: a weekly job has four in the window."""
MIN_SHARE = 0.05
"""Of a run's emissions: less is right as it is. On a grid as even as Sweden's the best hour saves
1 to 3 %, and a fifth of the hours chosen there turned out worse."""
DRIFT = 2.1
"""By what the spread from run to run is widened: weather lasts for days and seasons change. Learnt
on five grids' 2020 (95 % of what followed within 2.05 times the interval); it held on 95 % of 2021,
where the plain interval held 69 % of both years."""
_MAX_OTHERS = 0.2
"""Share of runs that may begin at another hour (retries, runs by hand)."""
_SAME_START_MINUTES = 60
"""Measurements are of intervals, and a pod may wait for a node: an hour either way."""
_ON = 0.01
"""An hour is part of a run above so much of the energy of the busiest hour."""
FIELD = "spec.schedule"


@dataclass(frozen=True)
class _Runs:
    """Runs of one start: their hours and energies, and how the start is told."""

    rows: pd.DataFrame
    """run (from 0), hour, kwh, low_kwh, high_kwh."""
    count: int
    start: pd.Timestamp
    """First time of the newest, in the schedule's time zone."""
    zone: str


def carbon_hours(
    resource: str,
    work: Movable,
    place: Place,
    energy: pd.DataFrame,
    intensity: pd.Series[float],
    as_of: date,
) -> Finding | Abstained | None:
    """CARBON_HOURS where another hour of the label's emits at least 5 % less.

    `energy`: the resource's rows of `hourly_energy`; `intensity`: what `by_hour` gives for its
    region. Each run of the window is moved to every allowed hour of its own day, at the intensity
    of that very hour, so the saving is what the window would have saved; it must be more than its
    spread from run to run (95 %). Its interval is wider than that, by `DRIFT`. The risk is the
    upper end (Wilson, 95 %) of the share of runs that would have emitted more. None where it is
    right.
    """
    schedule = simple_schedule(place.declared.schedule)
    runs = _of_one_start(energy, place, schedule, as_of)
    if isinstance(runs, str):
        return Abstained(subject=f"{resource} start", reason=runs)
    shifts = _shifts(runs, work, schedule)
    if isinstance(shifts, str):
        return Abstained(subject=f"{resource} start", reason=shifts)
    kg = _emitted(runs, intensity, shifts)
    known = np.isfinite(kg).all(axis=1)
    if known.sum() < MIN_RUNS:
        reason = (
            f"the intensity of its grid is known by the hour for {known.sum()} of its "
            f"{len(known)} runs, {MIN_RUNS} are needed"
        )
        return Abstained(subject=f"{resource} start", reason=reason)
    kg = kg[known]
    best = int(kg.mean(axis=0).argmin())
    saved = kg[:, shifts.index(0)] - kg[:, best]
    per_month = runs.count / WINDOW_DAYS * float(DAYS_PER_MONTH)
    mid, half = float(saved.mean()), half_width(saved, coming=per_month)
    before = float(kg[:, shifts.index(0)].mean())
    if mid <= half or mid < MIN_SHARE * before:
        return None
    kwh, low, high = runs.rows[["kwh", "low_kwh", "high_kwh"]].sum(skipna=False).tolist()
    mean = Range(low=mid - DRIFT * half, mid=mid, high=mid + DRIFT * half)
    carbon = with_energy(scaled(mean, per_month), kwh, low, high)
    hour = (runs.start.hour + shifts[best]) % 24
    edit = ("", "", "")
    if schedule is not None:
        edit = (FIELD, schedule.text, schedule.at((schedule.hour + shifts[best]) % 24))
    zero = Decimal(0)
    return finding(
        FindingKind.CARBON_HOURS,
        resource,
        place,
        as_of,
        saving=MoneyRange(low=zero, mid=zero, high=zero, currency=place.currency),
        carbon=carbon,
        risk=wilson_upper(float((saved < 0).mean()), len(saved)),
        confidence=float(known.mean()),
        samples=len(saved),
        figures={
            "emitted_per_run_kg": before,
            "emitted_per_run_then_kg": before - mid,
            "runs_per_month": per_month,
            "later_by_hours": shifts[best],
            "runs_that_would_emit_more_share": float((saved < 0).mean()),
        },
        reason=f"Its label lets it start between {work.hours[0]:02d} and {work.hours[-1]:02d} "
        f"{runs.zone}: started at {hour:02d} in place of {runs.start.hour:02d} its runs of the "
        f"last {WINDOW_DAYS} days would have emitted {mid / before:.0%} less.",
        suggestion=""
        if schedule
        else f"Start it at {hour:02d}:{runs.start.minute:02d} "
        f"{runs.zone} in place of {runs.start.hour:02d}:{runs.start.minute:02d}.",
        wrong_if="what it reads is not there yet at that hour, something waits for what it writes, "
        "or one kWh more is made otherwise then than the average kWh (marginal intensity)",
        edit=edit,
    )


def _of_one_start(
    energy: pd.DataFrame, place: Place, schedule: Schedule | None, as_of: date
) -> _Runs | str:
    """Whole runs with the start of the newest, or why they cannot be told."""
    zone = place.declared.time_zone or "UTC"
    try:
        local = ZoneInfo(zone)
    except (KeyError, ValueError, OSError):
        return f"its time zone {zone[:40]!r} is not known"
    if place.region is None:
        return "the one region that it runs in is not known"
    whole = _whole_runs(energy, as_of)
    if whole.empty:
        return "no whole run of it was measured with its energy: it runs on and on, or never"
    starts = pd.DatetimeIndex(whole.groupby("run")["first"].first()).tz_convert(local)
    newest = starts[-1]
    at = [start.hour * 60 + start.minute for start in starts]
    same = [minutes_apart(minute, at[-1]) <= _SAME_START_MINUTES for minute in at]
    since = same.index(True)
    others = same[since:].count(False)
    if others > _MAX_OTHERS * (len(same) - since):
        return "it starts at several hours of the day: there is no one start to move"
    if sum(same) < MIN_RUNS:
        return f"{sum(same)} runs with its present start were measured, {MIN_RUNS} are needed"
    if schedule is not None:
        declared = schedule.hour * 60 + schedule.minute
        if minutes_apart(declared, at[-1]) > _SAME_START_MINUTES:
            return (
                f"declared for {schedule.hour:02d}:{schedule.minute:02d} {zone}, last seen "
                f"starting at {newest.hour:02d}:{newest.minute:02d}: not yet the same"
            )
        newest = newest.replace(hour=schedule.hour, minute=schedule.minute)
    kept = whole.loc[whole["run"].isin(np.flatnonzero(same))]
    return _Runs(kept.assign(run=pd.factorize(kept["run"])[0]), sum(same), newest, zone)


def _whole_runs(energy: pd.DataFrame, as_of: date) -> pd.DataFrame:
    """Stretches of hours with energy that neither the window's start nor its end may have cut;
    `run` counts them from 0.
    """
    on = energy.loc[energy["kwh"] > _ON * energy["kwh"].max()].sort_values("hour")
    stretch = (on["hour"].diff() != pd.Timedelta(hours=1)).cumsum()
    start, end = (pd.Timestamp(edge) for edge in window(as_of))
    first, last = (on.groupby(stretch)["hour"].transform(end_) for end_ in ("min", "max"))
    whole: pd.DataFrame = on.loc[(first > start) & (last < end - pd.Timedelta(hours=1))]
    return whole.assign(run=pd.factorize(stretch.loc[whole.index])[0])


def _shifts(runs: _Runs, work: Movable, schedule: Schedule | None) -> list[int] | str:
    """Hours by which the start may move, 0 among them; or why that is not known.

    On some days of the week alone it stays on its day: over midnight it would be another one's.
    """
    now = runs.start.hour
    if now not in work.hours:
        return (
            f"it starts at {now:02d} {runs.zone}, outside of the hours of its label "
            f"({work.hours[0]:02d} to {work.hours[-1]:02d})"
        )
    place = work.hours.index(now)
    shifts = [at - place for at in range(len(work.hours))]
    if schedule is not None and not schedule.daily:
        shifts = [shift for shift in shifts if 0 <= now + shift < 24]
    return shifts


def _emitted(runs: _Runs, intensity: pd.Series[float], shifts: list[int]) -> np.ndarray:
    """kgCO2e of each run (row), had it been so many hours later (column); NaN where the intensity
    of one of its hours is not known.
    """
    kwh, run = runs.rows["kwh"].to_numpy(), runs.rows["run"].to_numpy()
    hours = pd.DatetimeIndex(runs.rows["hour"])
    columns = [
        np.bincount(
            run, weights=kwh * intensity.reindex(hours + pd.Timedelta(hours=shift)).to_numpy()
        )
        for shift in shifts
    ]
    return np.stack(columns, axis=1) / 1000
