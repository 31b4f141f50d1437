"""Plots for asset metadata, as PNG or SVG bytes, drawn off screen.

The charts of the page are in `charts`: those follow its colour scheme, these stand alone.
"""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Literal

import numpy as np
import pandas as pd

from finops_dagster.report.charts import compact
from finops_dagster.report.data import TOTAL
from finops_dagster.report.summary import CHART_DAYS

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

ImageFormat = Literal["png", "svg"]

_BLUE = "#0b6e99"
_ORANGE = "#c2571a"
_GREY = "#5a6672"
_INK = "#17212b"


def plot_forecast(
    series: pd.DataFrame,
    forecast: pd.DataFrame,
    *,
    scope: str = TOTAL,
    days: int = CHART_DAYS,
    image: ImageFormat = "png",
) -> bytes:
    """Daily cost and its forecast with 80 % and 95 % bands, one panel per currency.

    `series` has columns unique_id, ds, y; `forecast` unique_id, ds, mean, lo80, hi80, lo95, hi95.
    A unique_id is `SCOPE|CURRENCY|NAME`; those of `scope` are drawn, the last `days` of history.
    """
    prefix = f"{scope}|"
    found = pd.concat([series["unique_id"], forecast["unique_id"]]).astype(str).unique()
    ids = sorted(one for one in found if one.startswith(prefix))
    figure, panels = _figure(max(len(ids), 1))
    for unique_id, axes in zip(ids, panels, strict=False):
        _, currency, name = unique_id.split("|", 2)
        past = series[series["unique_id"] == unique_id].sort_values("ds").tail(days)
        ahead = forecast[forecast["unique_id"] == unique_id].sort_values("ds")
        _draw(axes, past, ahead)
        title = "Daily cost" if name == scope else name
        _dress_money(axes, f"{title}, {currency} a day")
    if not ids:
        _say_empty(panels[0], "no daily cost yet")
    return _bytes(figure, image)


def plot_utilisation(
    frame: pd.DataFrame, *, title: str = "CPU used of CPU requested", image: ImageFormat = "png"
) -> bytes:
    """One point per workload container: CPU requested against the 99th percentile used, in cores.

    `frame` has columns cpu_request_cores and cpu_cores_p99, as fct_workload_utilisation_daily.
    Points far under the line ask for more than they use, points over it use more than they ask.
    """
    figure, (axes,) = _figure(1)
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
    _dress(axes, title)
    return _bytes(figure, image)


def _draw(axes: Axes, past: pd.DataFrame, ahead: pd.DataFrame) -> None:
    if not past.empty:
        axes.plot(_days(past), past["y"].astype(float), color=_BLUE, linewidth=1.4, label="spent")
    if not ahead.empty:
        days = _days(ahead)
        for level, alpha in ((95, 0.14), (80, 0.26)):
            axes.fill_between(
                days, ahead[f"lo{level}"].astype(float), ahead[f"hi{level}"].astype(float),
                color=_BLUE, alpha=alpha, linewidth=0, label=f"{level} %",
            )  # fmt: skip
        axes.plot(days, ahead["mean"].astype(float), color=_BLUE, linestyle="--", linewidth=1.4,
                  label="expected")  # fmt: skip
    axes.legend(frameon=False, fontsize=8, ncols=4, loc="lower left")
    axes.set_ylim(bottom=min(0.0, axes.get_ylim()[0]))


def _days(frame: pd.DataFrame) -> np.ndarray:
    return pd.to_datetime(frame["ds"]).to_numpy(dtype="datetime64[D]")


def _figure(panels: int) -> tuple[Figure, list[Axes]]:
    # Figure without pyplot: no global state, no screen, safe in threads.
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(8, 0.4 + 2.8 * panels), dpi=110, layout="constrained")
    FigureCanvasAgg(figure)
    return figure, [figure.add_subplot(panels, 1, number + 1) for number in range(panels)]


def _dress(axes: Axes, title: str) -> None:
    # A dollar sign in a team's name would open mathematics.
    axes.set_title(title.replace("$", r"\$"), fontsize=10, loc="left", color=_INK)
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(axis="y", color="#e2e6ea", linewidth=0.8)
    axes.tick_params(labelsize=8, colors=_GREY)


def _dress_money(axes: Axes, title: str) -> None:
    from matplotlib.dates import AutoDateLocator, ConciseDateFormatter
    from matplotlib.ticker import FuncFormatter

    _dress(axes, title)
    locator = AutoDateLocator(maxticks=9)
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
