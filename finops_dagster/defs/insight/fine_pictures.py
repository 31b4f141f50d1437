"""Plots of the fine series that a day has most to say of: which ones, and what is marked.

How they are drawn is the report's business.
"""

from __future__ import annotations

from datetime import date, timedelta

import pandas as pd

from finops_dagster.domain.periods import day_start
from finops_dagster.engines.anomalies.fine import FAR_OUT, Watches
from finops_dagster.report import Mark, render_plot_series

_SERIES = 6
_DAYS = 14


def fine_plots(found: pd.DataFrame, watches: Watches, as_of: date) -> list[bytes]:
    """PNGs of the first series of `found`, their last two weeks."""
    plots = []
    first = day_start(as_of - timedelta(days=_DAYS - 1))
    for series in found["series"].drop_duplicates().head(_SERIES):
        rows = found[found["series"] == series].to_dict("records")
        marks = [Mark(row["from"], row["to"], far=row["class"] == FAR_OUT) for row in rows]
        shown = [
            (at, value) for at, value in zip(*watches.history(series), strict=True) if at >= first
        ]
        plots.append(
            render_plot_series(
                shown,
                marks,
                expected=float(rows[0]["expected"]),
                unit=str(rows[0]["unit"]),
                title=series,
            )
        )
    return plots
