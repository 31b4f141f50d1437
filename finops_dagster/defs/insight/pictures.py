"""Plots and figures for the pages of assets: which series to show, and in which currency.

How they are drawn is the report's business.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

import pandas as pd

from finops_dagster.report import render_plot_forecasts, render_plot_spend
from finops_dagster.report.forecasts import SeriesForecast
from finops_dagster.report.page import visible
from finops_dagster.report.plots import Panel

_PANELS = 12
_SCOPES = {"total": 1, "team": 2}
_FIGURES = ("smape", "mase", "coverage_80", "coverage_95")


def spend_plots(forecasted: Sequence[SeriesForecast]) -> dict[str, bytes]:
    """Name -> PNG: each currency's whole usage cost with its forecast, and a plot of each series.

    Where a scope has more than _PANELS series, the largest.
    """
    plots: dict[str, bytes] = {}
    by_plot: dict[tuple[str, str], list[SeriesForecast]] = defaultdict(list)
    for one in forecasted:
        by_plot[one.currency, one.scope].append(one)
    for (currency, scope), rows in sorted(by_plot.items()):
        if scope == "total":
            (whole,) = rows
            plots[currency] = render_plot_spend(
                whole.history, whole.ahead, currency, title="Daily usage cost"
            )
            continue
        largest = sorted(rows, key=lambda one: -one.expected)[:_PANELS]
        panels = [
            Panel(f"{visible(one.title)}, {currency} a day", one.history, one.ahead)
            for one in largest
        ]
        plots[f"{currency}_{scope}"] = render_plot_forecasts(panels)
    return plots


def backtest_table(backtest: pd.DataFrame) -> pd.DataFrame:
    """Errors of the forecast and of seasonal naive side by side: all series, totals, teams."""
    shown = backtest.loc[~backtest["unique_id"].str.startswith("service|")]
    order = shown["unique_id"].map(lambda name: (_SCOPES.get(name.split("|")[0], 0), name))
    columns = {name: shown[name] for name in _FIGURES if name in shown}
    table = pd.DataFrame({"series": shown["unique_id"], "model": shown["model"], **columns})
    return table.loc[order.sort_values().index]
