"""Days, billing months and half-open windows, all UTC."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta

HOURS_PER_MONTH = 730
"""Mean hours in a month, 365 * 24 / 12: the cloud price lists' own convention."""


def day_start(day: date) -> datetime:
    """Midnight UTC at the start of `day`."""
    return datetime.combine(day, time(), tzinfo=UTC)


def known_by(as_of: date, decide_at: time) -> datetime:
    """The instant at which the decision for `as_of` is due: `decide_at` UTC on the next day.

    Everything with `known_at` at or before it may be used to decide for `as_of`, nothing later.
    """
    return datetime.combine(as_of + timedelta(days=1), decide_at, tzinfo=UTC)


def month_start(day: date) -> date:
    """First day of the billing month that holds `day`."""
    return day.replace(day=1)


def next_month(month: date) -> date:
    """First day of the month after `month`."""
    return (month.replace(day=28) + timedelta(days=4)).replace(day=1)


def months(first: date, last: date) -> Iterator[date]:
    """First days of the months from `first`'s to `last`'s, both included."""
    month = month_start(first)
    while month <= last:
        yield month
        month = next_month(month)


def days(first: date, last: date) -> Iterator[date]:
    """Days from `first` to `last`, both included."""
    for offset in range((last - first).days + 1):
        yield first + timedelta(days=offset)
