"""The one hour of a simple cron schedule: read, compared with what ran, and written anew.

Which hour is better is not known here.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

_SIMPLE = re.compile(r"\s*([0-9]{1,2})\s+([0-9]{1,2})\s+\*\s+\*\s+(\*|[0-7A-Za-z,-]{1,40})\s*")
"""Minute and hour are single numbers, every day of the month: crontab(5)."""
_DAY_MINUTES = 24 * 60


@dataclass(frozen=True)
class Schedule:
    """A schedule that starts once a day, or once on some days of the week."""

    text: str
    minute: int
    hour: int
    daily: bool

    def at(self, hour: int) -> str:
        """The same with another hour; every other character stays."""
        match = _SIMPLE.fullmatch(self.text)
        assert match is not None
        return f"{self.text[: match.start(2)]}{hour}{self.text[match.end(2) :]}"


def simple_schedule(text: str) -> Schedule | None:
    """`text` where it has one minute and one hour; None for any other, names of zones included."""
    match = _SIMPLE.fullmatch(text)
    if match is None or int(match[1]) > 59 or int(match[2]) > 23:
        return None
    return Schedule(text, int(match[1]), int(match[2]), match[3] == "*")


def minutes_apart(first: int, second: int) -> int:
    """Minutes between two minutes of the day, the shorter way round."""
    apart = abs(first - second) % _DAY_MINUTES
    return min(apart, _DAY_MINUTES - apart)
