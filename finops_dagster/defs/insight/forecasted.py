"""What a day has kept of its forecasts, as its pages and commands are made of it.

How it is laid out and worded is the report's business.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import fields
from datetime import date
from typing import Any

import numpy as np
import pandas as pd

from finops_dagster.domain.decisions import Abstained
from finops_dagster.engines.forecasting import BASE, ModelRecord, explain
from finops_dagster.report import BacktestRow
from finops_dagster.report.charts import Point
from finops_dagster.report.data import TOTAL
from finops_dagster.report.forecasts import (
    Driver,
    Explained,
    ForecastsPage,
    SeriesForecast,
    Why,
)
from finops_dagster.storage.days import DayStore

BANDS = ("mean", "lo80", "hi80", "lo95", "hi95")
MODEL_FILE = "forecast_model_{}.ubj"
"""A member of a day's model, by its number."""
ADJUSTED = "known events, and sums made to agree"
"""The feature that holds what was added to what the model said."""
SHOWN_DAYS = 120
"""Of history, beside what is ahead."""
_ROUNDING = 1e-9
"""Share of a forecast that is no adjustment, but the last bits of sums."""
_LEVEL_DAYS = 90
"""Whose mean an error is told as a share of."""


def named(unique_id: str) -> tuple[str, str, str]:
    """Scope, currency and name of a series; the estate's whole spend is TOTAL."""
    scope, currency, name = unique_id.split("|", 2)
    return scope, currency, TOTAL if scope == "total" else name


def points(rows: pd.DataFrame) -> tuple[Point, ...]:
    """What is ahead of one series, in the order of its days."""
    ordered = rows.sort_values("ds")
    days = pd.to_datetime(ordered["ds"]).dt.date
    ends = ordered[list(BANDS)].to_numpy(dtype=float).tolist()
    return tuple(Point(day, *values) for day, values in zip(days, ends, strict=True))


def spent(rows: pd.DataFrame) -> tuple[tuple[date, float], ...]:
    """The last days of one series' history."""
    shown = rows.sort_values("ds").tail(SHOWN_DAYS)
    days = pd.to_datetime(shown["ds"]).dt.date
    return tuple(zip(days, shown["y"].astype(float), strict=True))


def backtest_rows(day: DayStore) -> dict[str, list[BacktestRow]]:
    """Errors and coverage by series: ours, then seasonal naive."""
    backtest, series = day.frame("forecast_backtest"), day.frame("cost_series")
    if backtest is None or series is None or "mae" not in backtest:
        return {}
    level = series.groupby("unique_id")["y"].apply(lambda y: float(y.tail(_LEVEL_DAYS).mean()))
    found: dict[str, list[BacktestRow]] = {}
    for row in backtest.to_dict("records"):
        unique_id = str(row["unique_id"])
        mean = level.get(unique_id)
        if not mean:
            continue
        _, currency, name = named(unique_id)
        found.setdefault(unique_id, []).append(
            BacktestRow(
                series=name,
                currency=currency,
                model=str(row["model"]),
                error_share=float(row["mae"]) / abs(mean),
                coverage_80=_number(row.get("coverage_80")),
                coverage_95=_number(row.get("coverage_95")),
                days=int(row["n"]),
            )
        )
    return found


def forecasted(day: DayStore, why: Mapping[str, Why] | None = None) -> list[SeriesForecast]:
    """Every series that was forecast, with its history, backtest and reasons.

    why: unique_id -> why it is as it is, for people.
    """
    frame, series = day.frame("forecasts"), day.frame("cost_series")
    if frame is None or series is None or frame.empty:
        return []
    history = dict(list(series.groupby("unique_id")))
    backtest, explained, rungs = backtest_rows(day), _explained(day), _rungs(day)
    found = []
    for unique_id, rows in frame.groupby("unique_id", sort=True):
        scope, currency, name = named(str(unique_id))
        found.append(
            SeriesForecast(
                id=str(unique_id),
                scope=scope,
                name=name,
                currency=currency,
                history=spent(history[unique_id]),
                ahead=points(rows),
                backtest=tuple(backtest.get(str(unique_id), ())),
                explained=explained.get(str(unique_id), ()),
                because=(why or {}).get(str(unique_id)),
                **rungs.get(str(unique_id), {}),
            )
        )
    return found


def exactly(day: DayStore, series: str, steps: Sequence[int]) -> tuple[Explained, ...]:
    """Why a series is forecast as it is at some steps (from 1), by the day's own model.

    Nothing where the pooled model does not forecast it. Raises KeyError where the day forecasts no
    such series, ValueError for a step beyond its horizon.
    """
    frame, history = day.frame("forecasts"), day.frame("cost_series")
    document = day.document("forecast_record")
    if frame is None or history is None or document is None:
        raise KeyError(series)
    means = frame.loc[frame["unique_id"] == series].set_index("step")["mean"]
    if means.empty:
        raise KeyError(series)
    known = {one.name: document[one.name] for one in fields(ModelRecord)}
    record = ModelRecord(**{**known, "levels": tuple(known["levels"])})
    models = [
        day.path(MODEL_FILE.format(number)).read_bytes()
        for number in range(len(known["parameters"]))
    ]
    told = explain(history[["unique_id", "ds", "y"]], models, record, [series], steps)
    if told.empty:
        return ()
    added = means[sorted(set(steps))] - told.groupby("step")["contribution"].sum()
    adjusted = added[added.abs() > _ROUNDING * means.abs().max()]
    rows = pd.DataFrame(
        {
            "unique_id": series,
            "step": adjusted.index,
            "feature": ADJUSTED,
            "contribution": adjusted.to_numpy(),
        }
    )
    return _by_series(pd.concat([told, rows], ignore_index=True))[series]


def forecasts_page(
    day: DayStore,
    estate: str,
    as_of: date,
    abstained: Sequence[Abstained],
    why: Mapping[str, Why],
) -> ForecastsPage:
    """The page of a day's forecasts."""
    record: Mapping[str, Any] = day.document("forecast_record") or {}
    return ForecastsPage(
        estate=estate,
        as_of=as_of,
        series=forecasted(day, why),
        abstained=abstained,
        explanation=record.get("explanation", "none"),
    )


def _rungs(day: DayStore) -> dict[str, dict[str, str]]:
    frame = day.frame("forecast_rungs")
    rows = [] if frame is None else frame.to_dict("records")
    return {row["unique_id"]: {"rung": row["rung"], "why": row["reason"]} for row in rows}


def _explained(day: DayStore) -> dict[str, tuple[Explained, ...]]:
    frame = day.frame("forecast_contributions")
    return {} if frame is None or frame.empty else _by_series(frame)


def _by_series(frame: pd.DataFrame) -> dict[str, tuple[Explained, ...]]:
    wide = frame.pivot_table(
        index=["unique_id", "step"], columns="feature", values="contribution", observed=True
    )
    base = wide[BASE].to_numpy()
    rest = wide.drop(columns=BASE)
    names = rest.columns.to_numpy()
    values = np.nan_to_num(rest.to_numpy(dtype=float))
    farthest = np.argsort(-np.abs(values), axis=1, kind="stable")
    found: dict[str, list[Explained]] = {}
    for row, (unique_id, step) in enumerate(wide.index):
        order = farthest[row]
        found.setdefault(str(unique_id), []).append(
            Explained(
                step=int(step),
                mean=float(base[row] + values[row].sum()),
                base=float(base[row]),
                drivers=tuple(Driver(str(names[i]), float(values[row, i])) for i in order),
            )
        )
    return {name: tuple(days) for name, days in found.items()}


def _number(value: Any) -> float | None:
    return None if value is None or pd.isna(value) else float(value)
