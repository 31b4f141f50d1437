"""The picture of use against the old and the new value, as Mermaid, and what it shows in words.

What was used is measured and gathered elsewhere; no foreign text is shown here.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import timedelta
from statistics import median
from typing import NamedTuple

from finops_dagster.domain.pull_requests import UseSeries
from finops_dagster.gitops.escaping import prose
from finops_dagster.gitops.words import number

MAX_POINTS = 60
_FEWEST_POINTS = 4
_NO_WORD = re.compile(r"[^A-Za-z ]")
"""What a unit has none of, and Mermaid might read as its own."""

_COLOURS = "#1f77b4, #8c564b, #d62728, #2ca02c"
_LEGEND = "Blue: the peak of each interval; brown: its median; red: the value now; green: proposed."


class _Points(NamedTuple):
    """Equal spans of time, without a gap: what a chart with an even axis can show truly."""

    typical: tuple[float, ...]
    peak: tuple[float, ...]
    hours: float
    """Length of a span."""


def picture(use: UseSeries) -> str:
    """Mermaid's chart (https://mermaid.js.org/syntax/xyChart) and a sentence that says the same.

    Only the sentence where too little was measured to draw a line without inventing any of it.
    """
    if not use.starts:
        return ""
    points = _points(use)
    if points is None:
        return _sentence(use)
    unit = _NO_WORD.sub("", use.unit)[:40]
    top = max(*points.peak, use.current, use.proposed) * 1.1 or 1
    days = points.hours * len(points.peak) / 24
    chart = "\n".join(
        (
            "```mermaid",
            "---",
            "config:",
            "  xyChart: {width: 800, height: 320}",
            f'  themeVariables: {{xyChart: {{plotColorPalette: "{_COLOURS}"}}}}',
            "---",
            "xychart-beta",
            f'  x-axis "days from {use.starts[0]:%Y-%m-%d %H:%M} UTC" 0 --> {days:.4g}',
            f'  y-axis "{unit}" 0 --> {top:.6g}',
            f"  line {_line(points.peak)}",
            f"  line {_line(points.typical)}",
            f"  line {_line([use.current] * len(points.peak))}",
            f"  line {_line([use.proposed] * len(points.peak))}",
            "```",
        )
    )
    return f"{chart}\n\n{_LEGEND} {_sentence(use)}"


def _sentence(use: UseSeries) -> str:
    unit = prose(use.unit, 40)
    peak = max(use.peak)
    return (
        f"Median use was {number(median(use.typical))} {unit}, the peak {number(peak)}, of "
        f"{number(use.current)} now and {number(use.proposed)} proposed{_held(use)}."
    )


def _held(use: UseSeries) -> str:
    """How the proposed value would have done; nothing where none at all is left of it."""
    if use.proposed <= 0:
        return ""
    above = sum(one > use.proposed for one in use.peak)
    intervals = f"{len(use.peak):,} measured intervals"
    if above:
        return f"; the proposed value was exceeded in {above:,} of {intervals}"
    return f"; the proposed value was not exceeded in any of {intervals}"


def _points(use: UseSeries) -> _Points | None:
    """As many equal spans as leave none empty, at most MAX_POINTS; None if there are too few."""
    if len(use.starts) < _FEWEST_POINTS:
        return None
    step = min(later - one for one, later in zip(use.starts, use.starts[1:], strict=False))
    whole = use.starts[-1] - use.starts[0] + step
    for count in range(min(MAX_POINTS, len(use.starts)), _FEWEST_POINTS - 1, -1):
        spans = _spans(use, whole, count)
        if all(spans):
            return _Points(
                tuple(median(use.typical[at] for at in span) for span in spans),
                tuple(max(use.peak[at] for at in span) for span in spans),
                whole.total_seconds() / count / 3600,
            )
    return None


def _spans(use: UseSeries, whole: timedelta, count: int) -> list[list[int]]:
    """Places in the series by the span of time they begin in."""
    spans: list[list[int]] = [[] for _ in range(count)]
    for at, start in enumerate(use.starts):
        spans[(start - use.starts[0]) * count // whole].append(at)
    return spans


def _line(values: Sequence[float]) -> str:
    return f"[{', '.join(f'{value:.4g}' for value in values)}]"
