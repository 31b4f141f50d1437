"""What is to come, put together for a day: the forecast, known events on it, sums that add up.

Each step is an engine's; which series are made of what is read in `facts`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from datetime import date
from typing import Any

import pandas as pd

from finops_dagster.defs.insight import facts
from finops_dagster.domain.decisions import Abstained
from finops_dagster.domain.events import Event
from finops_dagster.engines.forecasting import (
    STANDARD,
    ForecastResult,
    all_steps,
    forecast,
)
from finops_dagster.engines.forecasting.check import POOLED
from finops_dagster.engines.forecasting.events import Applied, Makeup, apply_events
from finops_dagster.engines.forecasting.reconcile import hierarchies, reconcile
from finops_dagster.engines.forecasting.sums import SUM_COLUMNS, day_errors, sums

_COLUMNS = ["unique_id", "ds", "y"]
FORECAST_DAYS = 30


LEAST_SERIES = 12
"""Budgets that suffice to say how far sums are off: a dozen windows of each reach far out."""


@dataclass(frozen=True)
class Outlook:
    """What is to come of some series."""

    result: ForecastResult
    """Of which frame, contributions and abstained are those after events and adding up."""
    record: dict[str, Any]
    """The model's, with the events that were applied and whether parts sum to their totals."""


def cost_outlook(
    history: pd.DataFrame,
    series: pd.DataFrame,
    events: Sequence[Event],
    horizon: int,
    as_of: date,
    *,
    recipe: str = STANDARD,
    artefact: bytes | None = None,
) -> Outlook:
    """Of total, teams and services; `history` and `series` as of `facts`.

    With an artefact nothing is trained; without one a model is, by `recipe`.
    """
    steps = all_steps(series["unique_id"].nunique(), horizon)
    result = forecast(
        series[_COLUMNS],
        horizon=horizon,
        frequency="daily",
        explain_steps=steps,
        recipe=recipe,
        artefact=artefact,
    )
    newest = series["ds"].max().date()
    known = _with_events(result, events, facts.makeup(history, newest), newest, as_of)
    ours = result.backtest.loc[result.backtest["model"] == "ours"]
    error = dict(zip(ours["unique_id"], ours["mae"], strict=True)) if "mae" in ours else {}
    held = reconcile(known.frame, known.contributions, error, list(hierarchies(series)))
    told = replace(
        result,
        frame=held.frame,
        contributions=held.contributions,
        abstained=[*result.abstained, *known.abstained, *held.abstained],
    )
    return Outlook(told, _record(result, known, reconciled=not held.abstained))


@dataclass(frozen=True)
class BudgetOutlook:
    """What is to come of budgets, by day and together."""

    frame: pd.DataFrame
    contributions: pd.DataFrame
    """As of a forecast, with known events: of budgets alone."""
    backtest: pd.DataFrame
    """As of a forecast: of budgets, and of all series learnt from together."""
    rungs: pd.DataFrame
    sums: pd.DataFrame
    record: dict[str, Any]
    abstained: list[Abstained]


def budget_outlook(
    used: facts.BudgetSeries,
    beside: pd.DataFrame,
    makeup: Makeup,
    events: Sequence[Event],
    horizon: int,
    as_of: date,
) -> BudgetOutlook:
    """Of budgets, up to `horizon` days after the last that all of them have billed.

    `beside`, series of totals and teams, are learnt from and checked with them: fewer than
    LEAST_SERIES alone tell too little of how far sums may be off.
    """
    newest = used.series["ds"].max()
    mine = set(used.series["unique_id"])
    series = pd.concat([used.series, beside[beside["ds"] <= newest]])[_COLUMNS]
    steps = all_steps(series["unique_id"].nunique(), horizon)
    whole = forecast(series, horizon=horizon, frequency="daily", explain_steps=steps)
    result = replace(
        whole,
        frame=whole.frame[whole.frame["unique_id"].isin(mine)],
        contributions=whole.contributions[whole.contributions["unique_id"].isin(mine)],
        backtest=whole.backtest[whole.backtest["unique_id"].isin({*mine, POOLED})],
        rungs=whole.rungs[whole.rungs["unique_id"].isin(mine)],
        abstained=[one for one in whole.abstained if one.subject in mine],
    )
    known = _with_events(result, events, makeup, newest.date(), as_of)
    abstained = [*result.abstained, *known.abstained]
    summed = pd.DataFrame(columns=list(SUM_COLUMNS))
    if len(known.frame):
        errors = day_errors(series, horizon)
        if isinstance(errors, Abstained):
            abstained.append(errors)
        else:
            summed = sums(known.frame, errors, used.billed_until)
    return BudgetOutlook(
        frame=known.frame,
        contributions=known.contributions,
        backtest=result.backtest,
        rungs=result.rungs,
        sums=summed,
        record=_record(result, known),
        abstained=abstained,
    )


def _with_events(
    result: ForecastResult, events: Sequence[Event], makeup: Makeup, newest: date, as_of: date
) -> Applied:
    return apply_events(result.frame, result.contributions, events, makeup, newest, as_of)


def _record(result: ForecastResult, known: Applied, **more: Any) -> dict[str, Any]:
    events = [one.model_dump(mode="json", by_alias=True) for one in known.applied]
    return {**asdict(result.record), "events": events, **more}
