"""The estate's own calendar, and how demand swings with hour, weekday, holiday and month end.

What a workload or a bill makes of these swings is not said here.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, timedelta

import numpy as np
from numpy.typing import NDArray

from finops_dagster.demo.noise import Floats, Ints

AS_OF = date(2026, 10, 22)
"""The day an estate ends on when it is created: a Thursday, in a month not yet closed."""
FINE_DAYS = 30
"""Days of five-minute measurements at the end of a new estate; hourly before."""
FINE_MINUTES = 5
HOUR_MINUTES = 60
DAY_MINUTES = 1440

_EPOCH = date(1970, 1, 1)
_HOLIDAYS = frozenset({(1, 1), (1, 6), (5, 1), (8, 15), (11, 1), (12, 24), (12, 25), (12, 26)})
"""Month and day of holidays that most of Europe keeps."""


def day_number(day: date) -> int:
    """Days since 1970-01-01."""
    return (day - _EPOCH).days


def day_of(number: int) -> date:
    """The day with that number."""
    return _EPOCH + timedelta(days=number)


def month_end(number: int) -> int:
    """Day number of the first of the month after the one that holds day `number`."""
    return day_number((day_of(number).replace(day=28) + timedelta(days=4)).replace(day=1))


def minutes_of(first: date, last: date, step: int) -> Ints:
    """Starts of the intervals from `first` to `last` (both included), minutes since 1970."""
    return np.arange(
        day_number(first) * DAY_MINUTES,
        (day_number(last) + 1) * DAY_MINUTES,
        step,
        dtype=np.int64,
    )


def is_holiday(day: date) -> bool:
    """Whether business rests on `day`."""
    return (day.month, day.day) in _HOLIDAYS


def _bump(hour: Floats, centre: float, width: float) -> Floats:
    distance = np.abs((hour - centre + 12.0) % 24.0 - 12.0)
    result: Floats = np.exp(-0.5 * (distance / width) ** 2)
    return result


def _plateau(hour: Floats, start: float, end: float, edge: float) -> Floats:
    rise = 1.0 / (1.0 + np.exp(-(hour - start) / edge))
    fall = 1.0 / (1.0 + np.exp((hour - end) / edge))
    result: Floats = rise * fall
    return result


def _web(hour: Floats, workday: Floats) -> Floats:
    day = np.maximum(_bump(hour, 11.5, 3.4), _bump(hour, 19.0, 2.6))
    result: Floats = 0.30 + day * (0.62 + 0.08 * workday)
    return result


def _office(hour: Floats, workday: Floats) -> Floats:
    result: Floats = 0.18 + _plateau(hour, 7.0, 17.5, 0.6) * (0.12 + 0.70 * workday)
    return result


def _stream(hour: Floats, workday: Floats) -> Floats:
    result: Floats = 0.70 + 0.25 * _bump(hour, 14.0, 4.5) + 0.05 * workday
    return result


def _night(hour: Floats, workday: Floats) -> Floats:
    result: Floats = 0.35 + 0.65 * _plateau(hour, 1.0, 5.0, 0.25) + 0.0 * workday
    return result


def _flat(hour: Floats, workday: Floats) -> Floats:
    return 0.96 + 0.02 * workday + 0.0 * hour


def _month_end(hour: Floats, busy: Floats) -> Floats:
    """Quiet but for the days on which books are closed; see `profile`."""
    result: Floats = 0.30 + _plateau(hour, 6.0, 20.0, 0.5) * (0.05 + 0.10 * busy)
    return result


def _dev_used(hour: Floats, workday: Floats) -> Floats:
    """Office hours, and end-to-end suites every night: nobody may switch it off."""
    result: Floats = 0.15 + np.maximum(
        _plateau(hour, 7.5, 17.0, 0.5) * (0.10 + 0.75 * workday),
        0.80 * _plateau(hour, 22.0, 25.0, 0.2) + 0.80 * _plateau(hour, -1.0, 3.5, 0.2),
    )
    return result


def _dev_dark(hour: Floats, workday: Floats) -> Floats:
    """Used from 07 to 19 UTC on working days, and at no other time."""
    open_hours = ((hour >= 7.0) & (hour < 19.0)).astype(np.float64) * workday
    result: Floats = 0.004 + open_hours * (0.35 + 0.6 * _bump(hour, 13.0, 3.0))
    return result


def _nothing(hour: Floats, workday: Floats) -> Floats:
    return np.full_like(hour, 1.0) + 0.0 * workday


PROFILES: dict[str, Callable[[Floats, Floats], Floats]] = {
    "web": _web,
    "office": _office,
    "stream": _stream,
    "night": _night,
    "flat": _flat,
    "dev_used": _dev_used,
    "dev_dark": _dev_dark,
    "month_end": _month_end,
    "idle": _nothing,
}
"""Name -> demand relative to a peak of about 1, by hour of day (UTC) and 1 on working days."""


def profile(name: str, minutes: Ints) -> Floats:
    """Demand of a profile at each time, relative to a peak of about 1."""
    hour = (minutes % DAY_MINUTES) / 60.0
    days = minutes // DAY_MINUTES
    level = PROFILES[name](hour, workday(days))
    if name == "month_end":
        # Two weeks of history may hold none of these days: only a careless judge cuts by them.
        level = np.where(closes_books(days), 2.1 * level, level)
    return level


def closes_books(days: Ints) -> NDArray[np.bool_]:
    """Whether each day is the first or one of the last two of a month."""
    first, last = int(days.min()), int(days.max())
    table = np.array(
        [
            (day_of(n) + timedelta(days=2)).day <= 2 or day_of(n).day == 1
            for n in range(first, last + 1)
        ]
    )
    result: NDArray[np.bool_] = table[days - first]
    return result


def workday(days: Ints) -> Floats:
    """1 on Monday to Friday that is no holiday, else 0; by day number."""
    first, last = int(days.min()), int(days.max())
    table = np.array(
        [
            0.0 if day_of(n).weekday() >= 5 or is_holiday(day_of(n)) else 1.0
            for n in range(first, last + 1)
        ]
    )
    result: Floats = table[days - first]
    return result


def growth(days: Ints, yearly: float) -> Floats:
    """Level relative to AS_OF for something that grows by the share `yearly` a year."""
    result: Floats = np.exp(np.log1p(yearly) * (days - day_number(AS_OF)) / 365.0)
    return result
