"""Forecasts beside what then came: coverage, bias and error of all series and of each team.

Which days are read is the caller's; how capital is bet against them is told in `betting`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Literal

import numpy as np
import pandas as pd

from finops_dagster.domain.decisions import Abstained
from finops_dagster.domain.models import ALL, Breach, Check
from finops_dagster.responsible_ai.honesty.coverage import CoverageResult, judge_coverage

LEVELS = (80, 95)
LEAST_DAYS = 28
"""Days forecast one day ahead, from which they are judged rather than the day's own backtest."""
LEAST_WINDOWS = 8
STANDS_DAYS = 28
"""An alarm stands for so long; where the fault goes on, the next one comes before."""
_TOLERANCE = {80: 0.05, 95: 0.04}
"""An 80 % interval that is right in 75 to 85 % of the days is no fault to act on, nor is a 95 % one
from 91 % on: correcting them on twelve windows is no closer than that."""
_BIAS_TOLERANCE = 0.15
"""More than 65 % of days on one side of the forecast is a bias."""

Source = Literal["days", "backtest"]


@dataclass(frozen=True)
class SegmentHonesty:
    """How right the forecasts of one segment were, one day ahead."""

    segment: str
    coverage: Mapping[int, CoverageResult]
    """By level in percent."""
    bias: CoverageResult
    """Of the share of values above the forecast, which is a median: .5 where nothing is wrong.
    Side `above`: forecasts were too low."""
    signed_error: float
    """Mean of (forecast - actual) / |actual| mean of each series; unitless, positive: too high."""
    absolute_error: float
    """Likewise of |forecast - actual|."""


@dataclass(frozen=True)
class HonestyResult:
    """How right the forecasts of some past days were."""

    subject: str
    source: Source
    """days: those that were made on earlier days; backtest: too few of them, the day's own."""
    days: tuple[date, ...]
    """Forecast, in order: places in results are places here."""
    segments: tuple[SegmentHonesty, ...]
    """All series first, then each team."""
    false_alarms_per_year: float
    streams: int
    """Tests that share this rate."""
    months: tuple[MonthError, ...] = ()


@dataclass(frozen=True)
class MonthError:
    """Errors of one segment in one month, as SegmentHonesty's."""

    segment: str
    month: str
    """YYYY-MM."""
    signed_error: float
    absolute_error: float


def judge_forecasts(
    subject: str,
    said: pd.DataFrame,
    segments: Mapping[str, str],
    *,
    false_alarms_per_year: float,
    source: Source = "days",
) -> HonestyResult | Abstained:
    """Judge forecasts one step ahead.

    `said`: unique_id, ds (the day that was forecast), actual, mean, lo80, hi80, lo95, hi95; one row
    a series and day, in the series' unit: currencies are never added. Rows whose actual is not
    known are left out. `segments`: unique_id -> the team that it is of.

    Of one step ahead the days do not overlap: a day's value is known before the next day's forecast
    is judged, and series of one day, which depend on each other, are one share of hits. From a
    backtest these are the first days after windows a week apart. Abstains where they are too few.
    """
    # of no forecast at all the columns have no type
    values = said[["actual", "mean"]].to_numpy(dtype=np.float64)
    known = said.loc[np.isfinite(values).all(axis=1)]
    days = tuple(sorted({one.date() for one in pd.to_datetime(known["ds"])}))
    least = LEAST_DAYS if source == "days" else LEAST_WINDOWS
    if len(days) < least:
        return Abstained(
            subject=subject,
            reason=f"{len(days)} days were forecast one day ahead and have come; {least} are "
            "needed to judge intervals and bias",
        )
    known = known.assign(ds=pd.to_datetime(known["ds"]).dt.date)
    apart = 1 if source == "days" else 7
    of = known["unique_id"].map(segments)
    parts = [(ALL, known), *((str(name), rows) for name, rows in known.groupby(of))]
    streams = len(parts) * (len(LEVELS) + 1)
    return HonestyResult(
        subject=subject,
        source=source,
        days=days,
        segments=tuple(
            _segment(name, rows, days, false_alarms_per_year, apart, streams)
            for name, rows in parts
        ),
        false_alarms_per_year=false_alarms_per_year,
        streams=streams,
        months=tuple(one for name, rows in parts for one in _months(name, rows)),
    )


def _months(name: str, rows: pd.DataFrame) -> list[MonthError]:
    off = _off(rows)
    month = pd.to_datetime(rows["ds"]).dt.strftime("%Y-%m")
    return [
        MonthError(name, str(when), float(part.mean()), float(part.abs().mean()))
        for when, part in off.groupby(month)
    ]


def _off(rows: pd.DataFrame) -> pd.Series:
    """(forecast - actual) over the mean |actual| of its series."""
    actual = rows["actual"].astype(float)
    size = actual.abs().groupby(rows["unique_id"]).mean().replace(0.0, np.nan)
    return (rows["mean"].astype(float) - actual) / rows["unique_id"].map(size)


def _segment(
    name: str, rows: pd.DataFrame, days: tuple[date, ...], rate: float, apart: int, streams: int
) -> SegmentHonesty:
    actual, mean = rows["actual"].astype(float), rows["mean"].astype(float)

    def by_day(hits: pd.Series) -> np.ndarray:
        return hits.groupby(rows["ds"]).mean().reindex(days).to_numpy(dtype=float)

    def judged(hits: pd.Series, level: float, tolerance: float) -> CoverageResult:
        return judge_coverage(
            by_day(hits), level, false_alarms_per_year=rate, days_apart=apart, streams=streams,
            tolerance=tolerance,
        )  # fmt: skip

    inside = {
        level: ((actual >= rows[f"lo{level}"]) & (actual <= rows[f"hi{level}"])).astype(float)
        for level in LEVELS
    }
    above = (actual > mean).astype(float).where(actual != mean, 0.5)
    off = _off(rows)
    return SegmentHonesty(
        segment=name,
        coverage={level: judged(inside[level], level / 100, _TOLERANCE[level]) for level in LEVELS},
        bias=judged(above, 0.5, _BIAS_TOLERANCE),
        signed_error=float(off.mean()),
        absolute_error=float(off.abs().mean()),
    )


def breaches_of(result: HonestyResult | Abstained) -> tuple[Breach, ...]:
    """Alarms that still stand: intervals too narrow and bias fail, intervals too wide warn."""
    if isinstance(result, Abstained):
        return ()
    found = []
    for one in result.segments:
        for level, told in one.coverage.items():
            alarm = told.alarm
            if alarm is None or not _stands(result.days, alarm.at):
                continue
            narrow = alarm.side == "below"
            found.append(
                Breach(
                    check=Check.COVERAGE,
                    grade="fail" if narrow else "warn",
                    reason=f"{level} % intervals one day ahead are too "
                    f"{'narrow' if narrow else 'wide'}: right on {told.coverage.value:.0%} of "
                    f"{told.days} days",
                    segment=one.segment,
                    since=_since(result.days, told),
                    figures=_figures(f"coverage_{level}_share", told),
                )
            )
        alarm = one.bias.alarm
        if alarm is not None and _stands(result.days, alarm.at):
            found.append(
                Breach(
                    check=Check.BIAS,
                    grade="fail",
                    reason=f"forecasts one day ahead are too "
                    f"{'high' if alarm.side == 'below' else 'low'}: cost was above them on "
                    f"{one.bias.coverage.value:.0%} of {one.bias.days} days",
                    segment=one.segment,
                    since=_since(result.days, one.bias),
                    figures={
                        **_figures("above_share", one.bias),
                        "signed_error_share": one.signed_error,
                    },
                )
            )
    return tuple(sorted(found, key=lambda one: (one.grade, one.segment != ALL, one.segment)))


def _stands(days: tuple[date, ...], at: int) -> bool:
    return _follows(days[-1], days[at])


def _since(days: tuple[date, ...], told: CoverageResult) -> date:
    """Where the first of the alarms that followed on each other puts the change."""
    first = told.alarms[-1]
    for earlier in reversed(told.alarms[:-1]):
        if earlier.side != first.side or not _follows(days[first.at], days[earlier.at]):
            break
        first = earlier
    return days[first.since]


def _follows(later: date, earlier: date) -> bool:
    return later - earlier <= timedelta(days=STANDS_DAYS)


def _figures(name: str, told: CoverageResult) -> dict[str, float]:
    return {
        name: told.coverage.value,
        f"{name}_low": told.coverage.low or 0.0,
        f"{name}_high": 1.0 if told.coverage.high is None else told.coverage.high,
        f"{name}_nominal": told.level,
        "e_value": told.e_value,
    }
