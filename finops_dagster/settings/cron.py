"""Is a text a cron schedule of five fields? What lives here is that question alone.

When a schedule fires is the orchestrator's business.
"""

from __future__ import annotations

import re

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
