"""Cron schedules of five fields: is a text one, and does it name an hour?

When a job is started by a schedule is the orchestrator's business.
"""

from __future__ import annotations

import re
from datetime import datetime
from typing import Annotated

from pydantic import AfterValidator

_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_WEEKDAYS = ("sun", "mon", "tue", "wed", "thu", "fri", "sat")

_FIELDS: tuple[tuple[str, int, int, tuple[str, ...]], ...] = (
    ("minute", 0, 59, ()),
    ("hour", 0, 23, ()),
    ("day of month", 1, 31, ()),
    ("month", 1, 12, _MONTHS),
    ("day of week", 0, 7, _WEEKDAYS),
)
"""Name, lowest, highest and names of each field: POSIX crontab(5), with cron's 7 for Sunday."""


def cron_fault(text: str) -> str | None:
    """What is wrong with `text` as a five-field cron schedule; None when nothing is."""
    parts = text.split()
    if len(parts) != len(_FIELDS):
        return f"a cron schedule has five fields, this has {len(parts)}"
    for part, (name, low, high, names) in zip(parts, _FIELDS, strict=True):
        for item in part.split(","):
            if not _valid(item.lower(), low, high, names):
                return f"{name} {item!r} is not *, a number from {low} to {high}, or a range"
    return None


def names_hour(schedule: str, moment: datetime) -> bool:
    """Whether a schedule without a fault names the clock hour of `moment`, whatever its minute.

    As cron does (crontab(5)): where both a day of the month and a day of the week are given, one
    of them is enough.
    """
    _, hour, day, month, weekday = schedule.lower().split()
    by_day = _names(day, moment.day, 2)
    by_weekday = any(_names(weekday, number, 4) for number in _weekday_numbers(moment))
    either = not day.startswith("*") and not weekday.startswith("*")
    on_day = by_day or by_weekday if either else by_day and by_weekday
    return _names(hour, moment.hour, 1) and _names(month, moment.month, 3) and on_day


def _weekday_numbers(moment: datetime) -> tuple[int, ...]:
    number = moment.isoweekday() % 7
    return (0, 7) if number == 0 else (number,)


def _names(part: str, number: int, field: int) -> bool:
    _, low, high, names = _FIELDS[field]
    for item in part.split(","):
        span, _, step = item.partition("/")
        first, dash, last = (str(low), "-", str(high)) if span == "*" else span.partition("-")
        begin, end = (_number(one, names, low) for one in (first, last or first))
        assert begin is not None and end is not None  # without a fault
        if step and not dash:
            end = high
        if begin <= number <= end and (number - begin) % int(step or 1) == 0:
            return True
    return False


def _valid(item: str, low: int, high: int, names: tuple[str, ...]) -> bool:
    span, slash, step = item.partition("/")
    if slash and not (step.isascii() and step.isdigit() and int(step) > 0):
        return False
    if span == "*":
        return True
    match = re.fullmatch(r"(\w+)(?:-(\w+))?", span, flags=re.ASCII)
    if match is None:
        return False
    ends = [_number(end, names, low) for end in match.groups() if end is not None]
    known = [end for end in ends if end is not None and low <= end <= high]
    return len(known) == len(ends) and known == sorted(known)


def _number(text: str, names: tuple[str, ...], low: int) -> int | None:
    if text in names:
        return names.index(text) + low
    return int(text) if text.isdigit() else None


def _without_fault(value: str) -> str:
    fault = cron_fault(value)
    if fault is not None:
        raise ValueError(fault)
    return value


Cron = Annotated[str, AfterValidator(_without_fault)]
"""A key that is a schedule."""
