"""What people read: numbers as text, one static page for a decided day, plots for assets.

Nothing is judged or summed up here that an engine or a mart should say.
"""

from finops_dagster.report.data import (
    BacktestRow,
    FreshnessRow,
    Link,
    ReportData,
    StageGate,
)
from finops_dagster.report.page import render_report
from finops_dagster.report.plots import (
    Mark,
    render_plot_counts,
    render_plot_course,
    render_plot_forecasts,
    render_plot_series,
    render_plot_spend,
    render_plot_utilisation,
)

__all__ = [
    "BacktestRow",
    "FreshnessRow",
    "Link",
    "Mark",
    "ReportData",
    "StageGate",
    "render_plot_counts",
    "render_plot_course",
    "render_plot_forecasts",
    "render_plot_series",
    "render_plot_spend",
    "render_plot_utilisation",
    "render_report",
]
