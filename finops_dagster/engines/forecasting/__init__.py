"""Forecasts with intervals, backtest, explanation and record: one pooled, direct XGBoost.

Pure: history in, frames out. Storage, plots and model cards are not made here.
"""

from finops_dagster.engines.forecasting.artefact import name_of, opened, stale_code
from finops_dagster.engines.forecasting.engine import (
    BASE,
    Forecaster,
    all_steps,
    explain,
    fit,
    forecast,
    learnt,
)
from finops_dagster.engines.forecasting.inputs import model_inputs
from finops_dagster.engines.forecasting.recipes import FAST, STANDARD, WIDE, Frequency
from finops_dagster.engines.forecasting.result import FRAME_COLUMNS, ForecastResult, ModelRecord

__all__ = [
    "BASE",
    "FAST",
    "FRAME_COLUMNS",
    "STANDARD",
    "WIDE",
    "ForecastResult",
    "Forecaster",
    "Frequency",
    "ModelRecord",
    "all_steps",
    "explain",
    "fit",
    "forecast",
    "learnt",
    "model_inputs",
    "name_of",
    "opened",
    "stale_code",
]
