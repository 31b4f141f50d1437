"""Plots and figures for the pages of assets: which series to show, and in which currency.

How they are drawn is the report's business.
"""

from __future__ import annotations

import pandas as pd

from finops_dagster.report import render_plot_spend
from finops_dagster.report.charts import Point

_SHOWN_DAYS = 120
_SCOPES = {"total": 1, "team": 2}
_FIGURES = ("smape", "mase", "coverage_80", "coverage_95")


def spend_plots(series: pd.DataFrame, forecasts: pd.DataFrame) -> dict[str, bytes]:
    """Currency -> PNG of the estate's daily usage cost with its forecast."""
    plots = {}
    totals = series.loc[series["scope"] == "total"]
    for unique_id, one in totals.groupby("unique_id"):
        currency = str(one["currency"].iloc[0])
        shown = one.sort_values("ds").tail(_SHOWN_DAYS)
        ahead = forecasts.loc[forecasts["unique_id"] == unique_id].sort_values("ds")
        bands = ("mean", "lo80", "hi80", "lo95", "hi95")
        points = [
            Point(pd.Timestamp(row["ds"]).date(), *(float(row[name]) for name in bands))
            for row in ahead.to_dict("records")
        ]
        history = [
            (pd.Timestamp(row["ds"]).date(), float(row["y"])) for row in shown.to_dict("records")
        ]
        plots[currency] = render_plot_spend(history, points, currency, title="Daily usage cost")
    return plots


def backtest_table(backtest: pd.DataFrame) -> pd.DataFrame:
    """Errors of the forecast and of seasonal naive side by side: all series, totals, teams."""
    shown = backtest.loc[~backtest["unique_id"].str.startswith("service|")]
    order = shown["unique_id"].map(lambda name: (_SCOPES.get(name.split("|")[0], 0), name))
    columns = {name: shown[name] for name in _FIGURES if name in shown}
    table = pd.DataFrame({"series": shown["unique_id"], "model": shown["model"], **columns})
    return table.loc[order.sort_values().index]
