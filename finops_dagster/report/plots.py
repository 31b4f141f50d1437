"""Plots for asset metadata, as PNG or SVG bytes, drawn off screen.

The charts of the page are in `charts`: those follow its colour scheme, these stand alone.
"""

from __future__ import annotations

import io
from collections.abc import Iterable, Sequence
from datetime import date
from typing import TYPE_CHECKING, Literal

import numpy as np
import pandas as pd

from finops_dagster.report.charts import Point, compact

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

ImageFormat = Literal["png", "svg"]

_BLUE = "#0b6e99"
_ORANGE = "#c2571a"
_GREY = "#5a6672"


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
    if history:
        axes.plot(_days(day for day, _ in history), [value for _, value in history], color=_BLUE,
                  linewidth=1.4, label="spent")  # fmt: skip
    if forecast:
        days = _days(point.day for point in forecast)
        axes.fill_between(days, [p.lo95 for p in forecast], [p.hi95 for p in forecast],
                          color=_BLUE, alpha=0.14, linewidth=0, label="95 %")  # fmt: skip
        axes.fill_between(days, [p.lo80 for p in forecast], [p.hi80 for p in forecast],
                          color=_BLUE, alpha=0.26, linewidth=0, label="80 %")  # fmt: skip
        axes.plot(days, [p.mean for p in forecast], color=_BLUE, linestyle="--",
                  linewidth=1.4, label="expected")  # fmt: skip
    if history or forecast:
        axes.legend(frameon=False, fontsize=8, ncols=4, loc="lower left")
    else:
        _say_empty(axes, "no spend")
    axes.set_ylim(bottom=min(0.0, axes.get_ylim()[0]))
    _dress(figure, axes, f"{title}, {currency}")
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
        axes.scatter(asked[~over], used[~over], s=16, color=_BLUE, alpha=0.7, linewidths=0,
                     label="uses less")  # fmt: skip
        axes.scatter(asked[over], used[over], s=22, color=_ORANGE, alpha=0.8, linewidths=0,
                     marker="^", label="uses more")  # fmt: skip
        axes.set_xscale("log")
        axes.set_yscale("log")
        axes.set_xlabel("requested, cores", fontsize=8)
        axes.set_ylabel("99th percentile used, cores", fontsize=8)
        axes.legend(frameon=False, fontsize=8)
    _dress(figure, axes, title, money=False)
    return _bytes(figure, image)


def _days(days: Iterable[date]) -> np.ndarray:
    return np.array(list(days), dtype="datetime64[D]")


def _figure() -> tuple[Figure, Axes]:
    # Figure without pyplot: no global state, no screen, safe in threads.
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(8, 3.2), dpi=110, layout="constrained")
    FigureCanvasAgg(figure)
    return figure, figure.add_subplot()


def _dress(figure: Figure, axes: Axes, title: str, *, money: bool = True) -> None:
    from matplotlib.dates import AutoDateLocator, ConciseDateFormatter
    from matplotlib.ticker import FuncFormatter

    # A dollar sign in a team's name would open mathematics.
    axes.set_title(title.replace("$", r"\$"), fontsize=10, loc="left", color="#17212b")
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(axis="y", color="#e2e6ea", linewidth=0.8)
    axes.tick_params(labelsize=8, colors=_GREY)
    if money:
        axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: compact(value)))
        locator = AutoDateLocator(maxticks=9)
        if axes.lines:
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
