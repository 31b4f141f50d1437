"""What a leaf's cost was expected to be on a day, from the days before it alone.

Whether the deviation matters is for the channels to say.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from finops_dagster.engines.anomalies.leaves import Floats
from finops_dagster.engines.known import median

REACH = 200
"""Days looked back on: 70 of residuals after 70 of levels and weekdays, four months of month
days, and 120 lagged days of the slow statistic after its own 49."""
_SHARE_OF_MEDIAN = 0.02
"""asinh(cost / (2 % of median)): a logarithm for what is large, linear through zero, so that
credits and idle days need no special case."""
_CENT = 0.01
_MAD = 1.4826
"""Makes a median absolute deviation the standard deviation of a normal (1 / Phi^-1(3/4))."""
SCALE_FLOOR = 0.02
"""Two percent of cost: nothing smaller is a deviation worth a person's time."""
_SCALE_DAYS, _WEEKS, _MONTHS, _LEVEL_DAYS = 70, 8, 4, 14
_MONTH_DAY_SCALES = 4.0
"""A day of the month is special when two months or more deviated so much, the same way."""

_HOLIDAY_LEAVES = 5
"""Fewer leaves with a weekly pattern cannot tell a holiday from an anomaly."""
_LAST_DAYS = 3
"""Only the last days are counted from the month's end: else the 2nd of a long month would take
after the 1st of a shorter one."""


@dataclass(frozen=True)
class Expected:
    """Of one day: z, expected cost, and the unit of the transform, one a leaf."""

    z: Floats
    cost: Floats
    unit: Floats
    window: Floats
    """The transformed days up to and including this one."""


def expect(cost: Floats, day: int, days: pd.DatetimeIndex, born: np.ndarray) -> Expected:
    """Judge column `day` of `cost` (leaf, day) by the columns before it and since it was `born`.

    level = mean of 7- and 14-day medians; weekday = median of what 8 same weekdays had beyond
    their levels (Sunday's on a day all leaves take for one); month day, where seen in two
    months; scale = MAD of 70 days, floor .02.
    """
    first = max(0, day - REACH)
    raw = cost[:, first : day + 1]
    stamps = days[first : day + 1]
    if raw.shape[1] <= _LEVEL_DAYS:
        unknown = np.full(raw.shape[0], np.nan)
        return Expected(unknown, unknown, np.full(raw.shape[0], _CENT), np.arcsinh(raw / _CENT))
    unit = _unit(raw[:, :-1])
    window = np.arcsinh(raw / unit[:, None])
    level = np.full_like(window, np.nan)
    level[:, _LEVEL_DAYS:] = (_rolling(window, 7)[:, 7:] + _rolling(window, _LEVEL_DAYS)) / 2
    beyond = window - level
    # the days before its first charge say nothing of a leaf's weeks
    own = np.arange(first, day + 1)[None, :] >= born[:, None] + _LEVEL_DAYS
    beyond = np.where(own, beyond, np.nan)
    weekday = np.stack([_lag(beyond, 7 * k) for k in range(1, _WEEKS + 1)])
    effect = np.nan_to_num(median(weekday, 0))
    residual = beyond - effect
    past = residual[:, -1 - _SCALE_DAYS : -1]
    centre = median(past, 1)
    scale = np.fmax(_MAD * median(np.abs(past - centre[:, None]), 1), SCALE_FLOOR)
    usual = level[:, -1] + _like_a_sunday(beyond, effect, scale, stamps)
    money = np.where(own, raw - unit[:, None] * np.sinh(level + effect), np.nan)
    expected = usual
    # a day of the month adds a share of the day's cost, or a fee whatever the day: the nearer
    for special in (
        usual + _month_day(residual, residual, scale, stamps),
        np.arcsinh(np.sinh(usual) + _month_day(residual, money, scale, stamps) / unit),
    ):
        nearer = np.abs(window[:, -1] - special) < np.abs(window[:, -1] - expected)
        expected = np.where(nearer & (special != usual), special, expected)
    z = (window[:, -1] - expected) / scale
    return Expected(z, unit * np.sinh(expected), unit, window)


def _like_a_sunday(beyond: Floats, effect: Floats, scale: Floats, days: pd.DatetimeIndex) -> Floats:
    """Today's weekday effect, or the last Sunday's where that explains the whole estate better.

    A public holiday is no anomaly of any leaf: all leaves with a weekly pattern go to their
    Sunday at once. No calendar is asked, so that every country's and company's days count.
    """
    today = effect[:, -1]
    back = (days[-1].dayofweek + 1) % 7
    if back == 0 or effect.shape[1] <= back:
        return today
    sunday = effect[:, -1 - back]
    weekly = np.isfinite(beyond[:, -1]) & (np.abs(sunday - today) > 2 * scale)
    if weekly.sum() < _HOLIDAY_LEAVES:
        return today
    usual = np.median(np.abs(beyond[weekly, -1] - today[weekly]) / scale[weekly])
    as_sunday = np.median(np.abs(beyond[weekly, -1] - sunday[weekly]) / scale[weekly])
    return sunday if as_sunday < usual / 2 else today


def _unit(before: Floats) -> Floats:
    recent = np.abs(before[:, -56:])
    positive = np.where(recent > 0, recent, np.nan)
    return np.fmax(_SHARE_OF_MEDIAN * median(positive, 1), _CENT)


def _rolling(window: Floats, n: int) -> Floats:
    """Median of the n days before each day, for the days n.. on."""
    views = np.lib.stride_tricks.sliding_window_view(window[:, :-1], n, axis=1)
    return np.asarray(np.median(views, axis=2))


def _lag(values: Floats, n: int) -> Floats:
    """Columns n days earlier, NaN in front."""
    out = np.full_like(values, np.nan)
    if n < values.shape[1]:
        out[:, n:] = values[:, :-n]
    return out


def _month_day(residual: Floats, amount: Floats, scale: Floats, days: pd.DatetimeIndex) -> Floats:
    """Median `amount` of the same day of earlier months, where two months or more had one, else 0.

    Counted from the first of the month and from its end: some charges come on the last day.
    """
    today = days[-1]
    best = np.zeros(residual.shape[0])
    from_end = (days.days_in_month - days.day).to_numpy()
    alike = [days.day.to_numpy() == today.day]
    if from_end[-1] < _LAST_DAYS:
        alike.append(from_end == from_end[-1])
    for same in alike:
        same[-1] = False
        earlier = residual[:, same][:, -_MONTHS:]
        if earlier.shape[1] < 2:
            continue
        middle = median(earlier, 1)
        large = np.abs(earlier) > _MONTH_DAY_SCALES * scale[:, None]
        agree = (large & (np.sign(earlier) == np.sign(middle)[:, None])).sum(1) >= 2
        typical = np.nan_to_num(median(amount[:, same][:, -_MONTHS:], 1))
        typical = np.where(agree, typical, 0.0)
        best = np.where(np.abs(typical) > np.abs(best), typical, best)
    return best


def slow_statistic(window: Floats) -> tuple[Floats, Floats, Floats]:
    """The slow channel's statistic of the last day over its own scale, and its two levels.

    Trimmed mean of 7 days less the median of four week means three to six weeks back, in MADs of
    the same over 120 days that end a week before. Levels are in transformed units.
    """
    n, count = window.shape
    nothing = np.full(n, np.nan)
    if count < 49 + 30:
        return nothing, nothing, nothing
    weeks = np.lib.stride_tricks.sliding_window_view(window, 7, axis=1)
    ordered = np.sort(weeks, axis=2)
    trimmed = ordered[:, :, 1:-1].mean(2)
    means = weeks.mean(2)
    # index i of weeks ends on day i + 6; three to six weeks back end 21, 28, 35, 42 days before
    usable = trimmed.shape[1] - 42
    earlier = np.stack([means[:, 42 - back : 42 - back + usable] for back in (21, 28, 35, 42)])
    before = np.median(earlier, axis=0)
    now = trimmed[:, 42:]
    moved = now - before
    past = moved[:, -1 - 7 - 120 : -1 - 7]
    centre = np.median(past, axis=1)
    scale = np.fmax(_MAD * np.median(np.abs(past - centre[:, None]), axis=1), SCALE_FLOOR)
    return (moved[:, -1] - centre) / scale, now[:, -1], before[:, -1]
