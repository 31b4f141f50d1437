"""Plots for asset metadata, as PNG or SVG bytes, drawn off screen.

The charts of the page are in `charts`: those follow its colour scheme, these stand alone.
"""

from __future__ import annotations

import io
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import TYPE_CHECKING, Literal

import numpy as np
import pandas as pd

from finops_dagster.report.charts import Point, compact
from finops_dagster.report.page import visible

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from finops_dagster.domain.incidents import Incident
    from finops_dagster.report.incidents import Course

ImageFormat = Literal["png", "svg"]

_BLUE = "#0b6e99"
_ORANGE = "#c2571a"
_GREY = "#5a6672"
_IN_A_ROW, _PANEL_INCHES = 3, 1.9
_TICKS = 9
"""Days that an axis of full width names at most."""
_TITLE_CHARACTERS = 100


@dataclass(frozen=True)
class Mark:
    """What was found of a series: when it was far out, or began to be as it never was."""

    since: datetime
    until: datetime
    far: bool


def render_plot_spend(
    history: Sequence[tuple[date, float]],
    forecast: Sequence[Point],
    currency: str,
    *,
    title: str = "Daily spend",
    image: ImageFormat = "png",
) -> bytes:
    """Daily spend and its forecast with 80 % and 95 % bands; amounts are in `currency`."""
    figure, axes = _figure()
    _draw_spend(axes, history, forecast)
    _dress(axes, f"{title}, {currency} a day")
    return _bytes(figure, image)


@dataclass(frozen=True)
class Panel:
    """One series of a plot of several."""

    title: str
    history: Sequence[tuple[date, float]]
    forecast: Sequence[Point]


def render_plot_forecasts(panels: Sequence[Panel], *, image: ImageFormat = "png") -> bytes:
    """A small plot of each series with its forecast and bands, three in a row."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    rows = -(-len(panels) // _IN_A_ROW)
    high = _PANEL_INCHES * rows
    # placed by hand: a layout that is worked out takes seconds for a dozen
    figure = Figure(figsize=(10, high), dpi=90)
    FigureCanvasAgg(figure)
    grid = figure.add_gridspec(
        rows, _IN_A_ROW, left=0.05, right=0.99, top=1 - 0.25 / high, bottom=0.3 / high,
        hspace=0.5, wspace=0.18,
    )  # fmt: skip
    for place, panel in enumerate(panels):
        axes = figure.add_subplot(grid[divmod(place, _IN_A_ROW)])
        _draw_spend(axes, panel.history, panel.forecast, legend=place == 0, ticks=4)
        _dress(axes, panel.title)
    return _bytes(figure, image)


def _draw_spend(
    axes: Axes,
    history: Sequence[tuple[date, float]],
    forecast: Sequence[Point],
    *,
    legend: bool = True,
    ticks: int = _TICKS,
) -> None:
    if not history and not forecast:
        _say_empty(axes, "no spend")
        return
    if history:
        days, values = _days(day for day, _ in history), [value for _, value in history]
        axes.plot(days, values, color=_BLUE, linewidth=1.4, label="spent")
    if forecast:
        days = _days(point.day for point in forecast)
        for label, lows, highs, alpha in (
            ("95 %", [p.lo95 for p in forecast], [p.hi95 for p in forecast], 0.14),
            ("80 %", [p.lo80 for p in forecast], [p.hi80 for p in forecast], 0.26),
        ):
            axes.fill_between(days, lows, highs, color=_BLUE, alpha=alpha, linewidth=0, label=label)
        means = [point.mean for point in forecast]
        axes.plot(days, means, color=_BLUE, linestyle="--", linewidth=1.4, label="expected")
    drawn = [day for day, _ in history] + [point.day for point in forecast]
    _money_axes(axes, min(drawn), max(drawn), ticks)
    if legend:
        axes.legend(frameon=False, fontsize=8, ncols=4, loc="lower left")
    axes.set_ylim(bottom=min(0.0, axes.get_ylim()[0]))


def render_plot_course(course: Course, incident: Incident, *, image: ImageFormat = "png") -> bytes:
    """Daily cost of a part of an incident, what was usual, and the day that it began."""
    from matplotlib.dates import date2num

    figure, axes = _figure()
    days = _days(course.days)
    axes.plot(days, course.cost, color=_BLUE, linewidth=1.4, label="spent")
    usual = [np.nan if value is None else value for value in course.usual]
    axes.plot(days, usual, color=_GREY, linestyle="--", linewidth=1.4, label="usual")
    began = float(date2num(incident.since))
    axes.axvline(began, color=_ORANGE, linestyle=":", linewidth=1.4, label="began")
    _money_axes(axes, min(course.days), max(course.days), _TICKS)
    axes.legend(frameon=False, fontsize=8, ncols=4, loc="lower left")
    axes.set_ylim(bottom=min(0.0, axes.get_ylim()[0]))
    part = course.part
    _dress(axes, visible(f"{part.service} of {part.team}, {incident.currency} a day"))
    return _bytes(figure, image)


def render_plot_utilisation(
    frame: pd.DataFrame, *, title: str = "CPU used of CPU requested", image: ImageFormat = "png"
) -> bytes:
    """One point per workload container: CPU requested against the 99th percentile used, in cores.

    `frame` has columns cpu_request_cores and cpu_cores_p99, as fct_workload_utilisation_daily.
    Points far under the line ask for more than they use, points over it use more than they ask.
    """
    figure, axes = _figure()
    wanted = frame[["cpu_request_cores", "cpu_cores_p99"]].astype(float)
    known = wanted[(wanted > 0).all(axis=1)]
    if known.empty:
        _say_empty(axes, "no workload with a request and a measurement")
    else:
        asked, used = known["cpu_request_cores"], known["cpu_cores_p99"]
        ends = [min(asked.min(), used.min()) * 0.7, max(asked.max(), used.max()) * 1.4]
        axes.plot(ends, ends, color=_GREY, linewidth=1, label="uses what it asks for")
        over = used > asked
        for rows, color, marker, label in (
            (~over, _BLUE, "o", "uses less"),
            (over, _ORANGE, "^", "uses more"),
        ):
            axes.scatter(
                asked[rows], used[rows], s=20, color=color, marker=marker, alpha=0.75,
                linewidths=0, label=label,
            )  # fmt: skip
        axes.set_xscale("log")
        axes.set_yscale("log")
        axes.set_xlabel("requested, cores", fontsize=8)
        axes.set_ylabel("99th percentile used, cores", fontsize=8)
        axes.legend(frameon=False, fontsize=8)
    _dress(axes, title)
    return _bytes(figure, image)


def render_plot_series(
    points: Sequence[tuple[datetime, float]],
    marks: Sequence[Mark],
    *,
    expected: float,
    unit: str,
    title: str,
    image: ImageFormat = "png",
) -> bytes:
    """A series of hours or minutes with its usual level and what was found of it.

    `points`: start of each step and its value in `unit`, NaN where it is not known. What is far out
    is shaded; what is new has a line where it begins.
    """
    figure, axes = _figure()
    if points:
        times = _instants(at for at, _ in points)
        axes.plot(times, [value for _, value in points], color=_BLUE, linewidth=1.1)
        axes.axhline(expected, color=_GREY, linewidth=1, linestyle=":", label="median until then")
        labels = {True: "far out", False: "never seen before"}
        for mark in marks:
            since, until = _instants((max(mark.since, points[0][0]), mark.until))
            label = labels.pop(mark.far, None)  # each stands once in the legend
            if mark.far:
                axes.axvspan(since, until, color=_ORANGE, alpha=0.3, linewidth=0, label=label)
            else:
                axes.axvline(since, color=_ORANGE, linewidth=1.4, linestyle="--", label=label)
        _value_axes(axes, _TICKS)
        figure.legend(frameon=False, fontsize=8, ncols=3, loc="outside lower left")
    else:
        _say_empty(axes, "no points")
    named = title if len(title) <= _TITLE_CHARACTERS else title[: _TITLE_CHARACTERS - 1] + "…"
    _dress(axes, f"{named}, {unit}" if unit else named)
    return _bytes(figure, image)


def render_plot_counts(
    counts: Sequence[tuple[str, int]], title: str, *, image: ImageFormat = "png"
) -> bytes:
    """A bar for each name with its count, in their order from above."""
    figure, axes = _figure()
    if counts:
        names = [visible(name) for name, _ in counts]
        bars = axes.barh(range(len(names)), [count for _, count in counts], color=_BLUE)
        axes.bar_label(bars, fontsize=8, color=_GREY, padding=3)
        axes.set_yticks(range(len(names)), names)
        axes.invert_yaxis()
    else:
        _say_empty(axes, "none")
    _dress(axes, title)
    return _bytes(figure, image)


def _instants(times: Iterable[datetime]) -> np.ndarray:
    return np.array([at.replace(tzinfo=None) for at in times], dtype="datetime64[s]")


def _days(days: Iterable[date]) -> np.ndarray:
    return np.array(list(days), dtype="datetime64[D]")


def _figure() -> tuple[Figure, Axes]:
    # Figure without pyplot: no global state, no screen, safe in threads.
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(8, 3.2), dpi=110, layout="constrained")
    FigureCanvasAgg(figure)
    return figure, figure.add_subplot()


def _dress(axes: Axes, title: str) -> None:
    # A dollar sign in a team's name would open mathematics.
    axes.set_title(title.replace("$", r"\$"), fontsize=10, loc="left", color="#17212b")
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(axis="y", color="#e2e6ea", linewidth=0.8)
    axes.tick_params(labelsize=8, colors=_GREY)


def _money_axes(axes: Axes, first: date, last: date, ticks: int) -> None:
    ends = _days((first - timedelta(days=1), last + timedelta(days=1)))
    axes.set_xlim(ends[0], ends[1])
    _value_axes(axes, ticks)


def _value_axes(axes: Axes, ticks: int) -> None:
    from matplotlib.dates import AutoDateLocator, ConciseDateFormatter
    from matplotlib.ticker import FuncFormatter

    locator = AutoDateLocator(maxticks=ticks)
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: compact(value)))
    axes.xaxis.set_major_locator(locator)
    axes.xaxis.set_major_formatter(ConciseDateFormatter(locator))


def _say_empty(axes: Axes, text: str) -> None:
    axes.text(0.5, 0.5, text, ha="center", va="center", transform=axes.transAxes, color=_GREY)


def _bytes(figure: Figure, image: ImageFormat) -> bytes:
    from matplotlib import rc_context

    buffer = io.BytesIO()
    # Without a date and with a fixed salt the same data give the same bytes.
    metadata = {"Date": None} if image == "svg" else {"Software": None}
    with rc_context({"svg.hashsalt": "finops"}):
        figure.savefig(buffer, format=image, metadata=metadata)
    return buffer.getvalue()
