"""Coverage of intervals as their days come: are 80 % of them right in 80 % of the cases.

How hits are read out of forecasts is told in `forecasts`; how capital is bet, in `betting`.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from finops_dagster.responsible_ai.honesty.betting import (
    Alarm,
    Side,
    confidence_sequence,
    e_detector,
    e_process,
)
from finops_dagster.responsible_ai.results import Interval

DAYS_IN_YEAR = 365.25


@dataclass(frozen=True)
class CoverageResult:
    """Coverage of one interval, of one stream of days; days are places in the stream, from 0."""

    level: float
    """Nominal, in (0, 1)."""
    tolerance: float
    days: int
    """With a known answer."""
    coverage: Interval
    """Over all days, with a 95 % confidence sequence: it may be looked at every day."""
    e_value: float
    """Evidence of all days against coverage within `tolerance` of `level`, from 1; by Ville's
    inequality it ever reaches 20 with probability .05 at most where coverage is right."""
    capital: float
    """Of the detector of changes, after the last day; an alarm is at `threshold`."""
    threshold: float
    """Days until a false alarm, on average, or more."""
    alarms: tuple[Alarm, ...]
    """Side `below`: intervals are too narrow; `above`: too wide."""

    @property
    def alarm(self) -> Alarm | None:
        """The last one."""
        return self.alarms[-1] if self.alarms else None


def days_to_false_alarm(
    false_alarms_per_year: float, days_apart: int = 1, streams: int = 1
) -> float:
    """Values a stream must last on average before a false alarm, for the yearly rate of them all.

    A detector whose average run is at least n values alarms at a rate of 1 / n a value at most,
    since after an alarm it starts anew (Wald's identity). `days_apart`: days between two values.
    """
    return max(1.0, DAYS_IN_YEAR / days_apart / false_alarms_per_year * streams)


def judge_coverage(
    hits: np.ndarray,
    level: float,
    *,
    false_alarms_per_year: float = 0.5,
    days_apart: int = 1,
    streams: int = 1,
    tolerance: float = 0.0,
) -> CoverageResult:
    """Whether a `level` interval held the truth as often as it says.

    `hits`: in the order of time, whether each was right (0 or 1), or of several series on one day
    the share that was right: days are then compared and series of a day may depend on each other;
    NaN = not known. Values must be judged before the next forecast is made, `days_apart` days
    later: the mean of each, given those before, is what is tested. Forecasts of several steps
    overlap and are not such a stream: take one step ahead, or origins as far apart as they reach.

    `streams`: how many such streams share the rate of false alarms. `tolerance`: coverage within
    this of the level is no fault. Raises ValueError on a level or hit out of range.
    """
    threshold = days_to_false_alarm(false_alarms_per_year, days_apart, streams)
    sides: tuple[tuple[Side, float], ...] = (
        ("below", level - tolerance),
        ("above", level + tolerance),
    )
    usable = [(side, mean) for side, mean in sides if 0 < mean < 1]
    if not 0 < level < 1 or not usable:
        raise ValueError("a level is between 0 and 1, and so is the coverage that is no fault")
    seen = e_detector(hits, usable, threshold)
    against = [e_process(hits, mean, side) for side, mean in usable]
    return CoverageResult(
        level=level,
        tolerance=tolerance,
        days=int(np.isfinite(hits).sum()),
        coverage=confidence_sequence(hits),
        e_value=float(np.mean(against, axis=0)[-1]) if len(hits) else 1.0,
        capital=float(seen.capital[-1]) if len(hits) else 0.0,
        threshold=threshold,
        alarms=seen.alarms,
    )
