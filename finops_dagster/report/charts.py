"""Line, band and column charts as inline SVG that follows the page's light or dark scheme.

Colours are classes of the page's style sheet; what is drawn is decided in `summary`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date, timedelta

from markupsafe import Markup, escape

from finops_dagster.report.format import month


@dataclass(frozen=True)
class Point:
    """One day ahead: the mean and the ends of its 80 % and 95 % intervals."""

    day: date
    mean: float
    lo80: float
    hi80: float
    lo95: float
    hi95: float


@dataclass(frozen=True)
class Box:
    """Outer size of a drawing and the margins that its axes take, in SVG units."""

    width: int
    height: int
    left: int = 56
    right: int = 12
    top: int = 12
    bottom: int = 26


WIDE = Box(width=860, height=260)
SMALL = Box(width=420, height=150, left=48)


def compact(value: float) -> str:
    """`950`, `1.2k`, `34k`, `5.6M`: for axes, where room is short."""
    for limit, letter in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if abs(value) >= limit:
            return f"{value / limit:.1f}".rstrip("0").rstrip(".") + letter
    return f"{value:.2f}".rstrip("0").rstrip(".")


def ticks(low: float, high: float, wanted: int = 4) -> list[float]:
    """Round numbers that cover [low, high], steps of 1, 2 or 5 times a power of ten."""
    span = high - low
    if not math.isfinite(span) or span <= max(abs(low), abs(high)) * 1e-9:
        return [low]  # nothing that a float of this size could tell apart
    raw = span / wanted
    power = 10 ** math.floor(math.log10(raw))
    step = next(factor * power for factor in (1, 2, 5, 10) if factor * power >= raw)
    first, last = math.floor(low / step), math.ceil(high / step)
    return [position * step for position in range(first, last + 1)]


def spend_chart(
    history: Sequence[tuple[date, float]], forecast: Sequence[Point], title: str, box: Box = WIDE
) -> Markup:
    """Daily amounts, then the days ahead with their bands; `title` is read to who cannot see."""
    days = [day for day, _ in history] + [point.day for point in forecast]
    if not days:
        return Markup("")
    values = [value for _, value in history]
    values += [end for point in forecast for end in (point.lo95, point.hi95, point.mean)]
    grid = _grid(values)
    first, last = min(days), max(days)
    x = _scale(first.toordinal(), max(last.toordinal(), first.toordinal() + 1),
               box.left, box.width - box.right)  # fmt: skip
    y = _scale(grid[0], grid[-1], box.height - box.bottom, box.top)
    parts = [_open(title, box), *_y_axis(grid, y, box), *_x_axis(first, last, x, box)]
    if forecast:
        ahead = [x(point.day.toordinal()) for point in forecast]
        for name, lows, highs in (
            ("band95", [p.lo95 for p in forecast], [p.hi95 for p in forecast]),
            ("band80", [p.lo80 for p in forecast], [p.hi80 for p in forecast]),
        ):
            upper = [(px, y(value)) for px, value in zip(ahead, highs, strict=True)]
            lower = [(px, y(value)) for px, value in zip(ahead, lows, strict=True)]
            parts.append(f'<path class="{name}" d="{_path([*upper, *reversed(lower)])}Z"/>')
        means = [(px, y(p.mean)) for px, p in zip(ahead, forecast, strict=True)]
        parts.append(f'<path class="line ahead" d="{_path(means)}"/>')
    if history:
        past = [(x(day.toordinal()), y(value)) for day, value in history]
        if len(past) == 1:
            parts.append(f'<circle class="dot" cx="{past[0][0]:.1f}" cy="{past[0][1]:.1f}" r="3"/>')
        parts.append(f'<path class="line" d="{_path(past)}"/>')
    return Markup("".join([*parts, "</svg>"]))


def course_chart(
    days: Sequence[date],
    cost: Sequence[float],
    usual: Sequence[float | None],
    since: date,
    title: str,
    box: Box = WIDE,
) -> Markup:
    """Daily amounts, what was usual where it is told, and a mark where something began."""
    if not days:
        return Markup("")
    told = [(day, value) for day, value in zip(days, usual, strict=True) if value is not None]
    grid = _grid([*cost, *(value for _, value in told)])
    first, last = min(days), max(days)
    x = _scale(first.toordinal(), max(last.toordinal(), first.toordinal() + 1),
               box.left, box.width - box.right)  # fmt: skip
    y = _scale(grid[0], grid[-1], box.height - box.bottom, box.top)
    parts = [_open(title, box), *_y_axis(grid, y, box), *_x_axis(first, last, x, box)]
    if first <= since <= last:
        at = x(since.toordinal())
        parts.append(
            f'<line class="mark" x1="{at:.1f}" x2="{at:.1f}" y1="{box.top}" '
            f'y2="{box.height - box.bottom}"/>'
        )
    for name, line in (("line ahead", told), ("line", list(zip(days, cost, strict=True)))):
        drawn = [(x(day.toordinal()), y(value)) for day, value in line]
        if drawn:
            parts.append(f'<path class="{name}" d="{_path(drawn)}"/>')
    return Markup("".join([*parts, "</svg>"]))


def month_chart(months: Sequence[tuple[date, float, bool]], title: str, box: Box = WIDE) -> Markup:
    """One column a month: (first day, amount, whole); a month not whole is hatched."""
    if not months:
        return Markup("")
    values = [value for _, value, _ in months]
    grid = _grid(values)
    y = _scale(grid[0], grid[-1], box.height - box.bottom, box.top)
    slot = (box.width - box.left - box.right) / len(months)
    width = min(slot * 0.66, 72)
    parts = [_open(title, box), *_y_axis(grid, y, box)]
    every = math.ceil(len(months) / 14)
    for position, (first, value, whole) in enumerate(months):
        middle = box.left + slot * (position + 0.5)
        top, base = min(y(value), y(0)), max(y(value), y(0))
        parts.append(
            f'<rect class="column{"" if whole else " part"}" x="{middle - width / 2:.1f}" '
            f'y="{top:.1f}" width="{width:.1f}" height="{max(base - top, 0.5):.1f}" rx="2"/>'
        )
        if len(months) <= 14:
            parts.append(
                f'<text class="value" x="{middle:.1f}" y="{top - 4:.1f}">{compact(value)}</text>'
            )
        if position % every == 0:
            label = month(first) if slot > 62 else _short(first, position == 0)
            parts.append(
                f'<text class="tick x" x="{middle:.1f}" y="{box.height - 8}">{escape(label)}</text>'
            )
    return Markup("".join([*parts, "</svg>"]))


def _short(first: date, named: bool) -> str:
    """The month, with its year where a reader needs it: at the start and in January."""
    name = month(first)[:3]
    return f"{name} {first:%y}" if named or first.month == 1 else name


def _grid(values: Sequence[float]) -> list[float]:
    """Ticks over `values` and zero: amounts are read by their distance from it."""
    low, high = min(0.0, *values), max(0.0, *values)
    # A millionth of a currency unit is drawn as nothing.
    return ticks(low, high if high - low > 1e-6 else low + 1)


def _open(title: str, box: Box) -> str:
    # Titles hold team and service names from bills: escaped here, where the text is built.
    return (
        f'<svg class="chart" role="img" viewBox="0 0 {box.width} {box.height}" '
        f'aria-label="{escape(title)}"><title>{escape(title)}</title>'
    )


def _scale(low: float, high: float, start: float, end: float) -> Callable[[float], float]:
    span = (high - low) or 1.0
    return lambda value: start + (value - low) / span * (end - start)


def _path(points: Sequence[tuple[float, float]]) -> str:
    return "M" + "L".join(f"{px:.1f},{py:.1f}" for px, py in points)


def _y_axis(grid: Sequence[float], y: Callable[[float], float], box: Box) -> list[str]:
    parts = []
    for value in grid:
        at = y(value)
        name = "grid zero" if value == 0 else "grid"
        parts.append(
            f'<line class="{name}" x1="{box.left}" x2="{box.width - box.right}" '
            f'y1="{at:.1f}" y2="{at:.1f}"/>'
            f'<text class="tick y" x="{box.left - 6}" y="{at + 4:.1f}">{compact(value)}</text>'
        )
    return parts


def _x_axis(first: date, last: date, x: Callable[[float], float], box: Box) -> list[str]:
    span = (last - first).days
    if span > 75:
        marks = [day for day in _days(first, last) if day.day == 1]
        labels = [month(day) for day in marks]
    else:
        step = max(span // (6 if box.width > 500 else 4), 1)
        marks = [first + timedelta(days=offset) for offset in range(0, span + 1, step)]
        labels = [f"{day.day} {month(day)[:3]}" for day in marks]
    room = (box.width - box.left - box.right) / 70
    every = max(math.ceil(len(marks) / room), 1)
    return [
        f'<text class="tick x" x="{min(x(day.toordinal()), box.width - box.right - 20):.1f}" '
        f'y="{box.height - 8}">{escape(label)}</text>'
        for day, label in list(zip(marks, labels, strict=True))[::every]
    ]


def _days(first: date, last: date) -> list[date]:
    return [first + timedelta(days=offset) for offset in range((last - first).days + 1)]
