"""What names of folders say of the files in them: KEY=DATE, and YYYYMMDD-YYYYMMDD of reports.

Nothing is opened or listed here.
"""

from __future__ import annotations

import re
from datetime import date, timedelta
from pathlib import Path

from finops_dagster.domain.periods import month_start, next_month

_MONTH_OR_DAY = re.compile(r"^(\d{4})-(\d{2})(?:-(\d{2}))?$")
_WINDOW = re.compile(r"^(\d{4})(\d{2})(\d{2})-(\d{4})(\d{2})(\d{2})$")


def named(path: Path, key: str) -> date | None:
    """The partition that a folder KEY=DATE of `path` names; `key` is billing_period or day."""
    for part in path.parts:
        name, _, value = part.partition("=")
        match = _MONTH_OR_DAY.match(value)
        if name.lower() == key and match:
            year, month, day = match.groups()
            try:
                found = date(int(year), int(month), int(day or 1))
            except ValueError:
                return None
            if key == "billing_period":
                return month_start(found)
            return found if day else None
    return None


def window_place(path: Path) -> int | None:
    """Which part of `path` is a folder YYYYMMDD-YYYYMMDD, as reports of a month are put in."""
    for place, part in enumerate(path.parts[:-1]):
        if _WINDOW.match(part):
            return place
    return None


def month_of_window(name: str) -> date | None:
    """The month that YYYYMMDD-YYYYMMDD lies in, its end counted in or not; None if in none."""
    match = _WINDOW.match(name)
    if match is None:
        return None
    numbers = [int(text) for text in match.groups()]
    try:
        first, last = date(*numbers[:3]), date(*numbers[3:])
    except ValueError:
        return None
    return month_of(first, last)


def month_of(first: date, last: date) -> date | None:
    """The month that holds the days from `first` to `last`; a last day of 1 may mean the end."""
    month = month_start(first)
    end = next_month(month)
    return month if first <= last and last - timedelta(days=1) < end and last <= end else None
