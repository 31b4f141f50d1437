"""Where the bars of an explanation stand: from what it starts with, reason by reason, to what is
predicted.

Numbers without a unit of length; the template draws them, and text is escaped there.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from finops_dagster.responsible_ai.explanations.words import Explanation

_CUT = 0.5
"""The axis begins at nothing unless all that moves is less than this share of the longest bar:
beside two long bars that differ little, what differs could not be seen."""
_MARGIN = 0.12
"""Of what moves, left free on either side of a cut axis."""
_LEAST_SPAN = 40
"""Units of the last digit shown."""
_MARK = 0.012
_LONGEST = 38
"""Characters of a label that have room."""


@dataclass(frozen=True)
class Bar:
    """One row: places are shares of the width, in [0, 1]."""

    label: str
    """Cut where it is longer than there is room; `title` is the whole of it."""
    title: str
    figure: str
    left: float
    width: float
    end: float
    """Where the next row goes on."""
    kind: Literal["start", "up", "down", "total"]


@dataclass(frozen=True)
class Waterfall:
    """All rows, from the first to the last."""

    bars: tuple[Bar, ...]
    begins: str
    """What the axis begins with, where that is not nothing; else empty."""


def waterfall(found: Explanation) -> Waterfall:
    """Rows of an explanation: start, what is shown of its contributions, total."""
    totals = [found.base]
    for one in found.shown:
        totals.append(totals[-1] + one.amount)
    totals.append(found.prediction)
    low, high = min(totals), max(totals)
    # what rounds to nothing in the digits shown must not fill the picture
    least = _LEAST_SPAN * 10.0**-found.digits
    room = max((high - low) * _MARGIN, least * _MARGIN)
    cut = low > room and high - low < _CUT * high
    first = low - room if cut else min(low, 0.0)
    last = high + room if cut else max(high, 0.0)
    span = max(last - first, least)

    def place(value: float) -> float:
        return (value - first) / span

    zero = place(0.0) if first <= 0 <= last else 0.0
    begin = "it starts from", found.base
    total = "expected", found.prediction
    bars = [_whole(*begin, found, place(found.base), None if cut else zero, "start")]
    for number, one in enumerate(found.shown):
        start, end = place(totals[number]), place(totals[number + 1])
        bars.append(
            Bar(
                label=_short(one.feature),
                title=one.feature,
                figure=found.figure(one.amount, signed=True),
                left=min(start, end),
                width=abs(end - start),
                end=end,
                kind="up" if one.amount >= 0 else "down",
            )
        )
    bars.append(_whole(*total, found, place(found.prediction), None if cut else zero, "total"))
    return Waterfall(tuple(bars), f"{found.figure(first)} {found.unit}" if cut else "")


def _whole(
    label: str,
    value: float,
    found: Explanation,
    at: float,
    zero: float | None,
    kind: Literal["start", "total"],
) -> Bar:
    """From nothing to `at`; where nothing is off the axis, a mark, not a false length."""
    figure = found.figure(value)
    if zero is None:
        left = min(max(at - _MARK / 2, 0.0), 1 - _MARK)
        return Bar(label, label, figure, left, _MARK, at, kind)
    return Bar(label, label, figure, min(at, zero), abs(at - zero), at, kind)


def _short(words: str) -> str:
    return words if len(words) <= _LONGEST else f"{words[: _LONGEST - 1].rstrip()}…"
