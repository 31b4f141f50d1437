"""A day's explanations of forecasts: reads what it has kept, has them told, drawn and watched.

What a reason is called is the engine's to say; whether sums are right, explanations stable and how
they read is responsible_ai's.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path

import pandas as pd

from finops_dagster.defs.estate import Estate
from finops_dagster.defs.insight.forecasted import named
from finops_dagster.domain.decisions import Abstained
from finops_dagster.domain.models import Breach
from finops_dagster.report.data import TOTAL
from finops_dagster.report.forecasts import PAGE as FORECASTS_PAGE
from finops_dagster.report.forecasts import Explained, Why
from finops_dagster.responsible_ai.explanations.pages import anchor, write_explanations
from finops_dagster.responsible_ai.explanations.series import (
    BASE,
    SeriesExplanation,
    explain_series,
    sums_breach,
)
from finops_dagster.responsible_ai.explanations.stability import (
    ExplainedDay,
    Stability,
    stability,
)
from finops_dagster.responsible_ai.explanations.words import Explanation
from finops_dagster.storage.days import DayStore

PAGE = "explanations.html"
BUDGETS_PAGE = "explanations-budgets.html"
BACK_DAYS = 28
"""How far back decided days are looked for, whose explanations today's are held against."""
_SCOPES = ("total", "team", "service", "budget")


@dataclass(frozen=True)
class Watched:
    """What a day's explanations were found to be."""

    breaches: tuple[Breach, ...]
    abstained: tuple[Abstained, ...]
    stability: Stability | None


def write_costs(day: DayStore, folder: Path) -> Mapping[str, Why]:
    """Write the page of the cost forecast's explanations; returns why each series is as it is."""
    return _write(
        day,
        "forecasts",
        "forecast",
        folder / PAGE,
        "Why the forecast says what it says",
        ("Forecasts", FORECASTS_PAGE),
    )


def write_budgets(day: DayStore, folder: Path) -> Mapping[str, Why]:
    """Write the page of the budget forecast's explanations; returns why each is as it is."""
    return _write(
        day,
        "budget_forecasts",
        "budget_forecast",
        folder / BUDGETS_PAGE,
        "Why budgets are forecast to be used as they are",
        ("Report", "report.html"),
    )


def _write(
    day: DayStore, frames: str, name: str, page: Path, title: str, back: tuple[str, str]
) -> Mapping[str, Why]:
    from finops_dagster.engines.forecasting.words import BASE_WORDS, reason

    frame, contributions = day.frame(frames), day.frame(f"{name}_contributions")
    if frame is None or contributions is None or contributions.empty:
        page.unlink(missing_ok=True)
        return {}
    record = day.document(f"{name}_record") or {}
    made = explain_series(
        frame,
        contributions,
        reason,
        titles=_titled,
        base_words=BASE_WORDS[record["frequency"]],
        exact=record["explanation"] == "exact",
    )
    made.sort(key=_place)
    write_explanations(page, title, made, back=back, left_out=_left_out(day, name))
    return {
        one.id: Why(told.words, f"{page.name}#{anchor(one.id)}")
        for one in made
        if isinstance(told := one.whole or one.days[0], Explanation)
    }


def explanations(day: DayStore, series: str, told: Sequence[Explained]) -> list[Explanation]:
    """Single days of a series in words, from contributions that `forecasted.exactly` made out."""
    from finops_dagster.engines.forecasting.words import BASE_WORDS, reason

    frame, record = day.frame("forecasts"), day.document("forecast_record")
    if frame is None or record is None or not told:
        return []
    rows = [
        {"unique_id": series, "step": one.step, "feature": name, "contribution": amount}
        for one in told
        for name, amount in ((BASE, one.base), *((d.feature, d.contribution) for d in one.drivers))
    ]
    made = explain_series(
        frame.loc[frame["unique_id"] == series],
        pd.DataFrame(rows),
        reason,
        titles=_titled,
        base_words=BASE_WORDS[record["frequency"]],
        days=[one.step for one in told],
    )
    return [one for part in made for one in part.days if isinstance(one, Explanation)]


def watch(estate: Estate, as_of: date) -> Watched:
    """Whether the day's explanations of costs and budgets add up, and are what they were."""
    from finops_dagster.engines.forecasting.words import reason

    day = estate.day(as_of)
    sums = [
        sums_breach(frame, contributions)
        for frames, name in (("forecasts", "forecast"), ("budget_forecasts", "budget_forecast"))
        if (frame := day.frame(frames)) is not None
        and (contributions := day.frame(f"{name}_contributions")) is not None
    ]
    breaches = [one for one in sums if one is not None]
    today = _explained_day(day, as_of)
    if today is None:
        nothing = Abstained(subject="stability of explanations", reason="nothing is explained")
        return Watched(tuple(breaches), (nothing,), None)
    kept = {
        before: store
        for back in range(1, BACK_DAYS + 1)
        if (store := estate.decided(before := as_of - timedelta(days=back))) is not None
    }
    days = (_explained_day(store, before) for before, store in kept.items())
    told = stability(today, [one for one in days if one is not None], reason)
    if isinstance(told, Abstained):
        return Watched(tuple(breaches), (told,), None)
    found = (*breaches, *((told.breach,) if told.breach else ()))
    return Watched(found, (), told)


def _explained_day(day: DayStore, as_of: date) -> ExplainedDay | None:
    contributions, history = day.frame("forecast_contributions"), day.frame("cost_series")
    if contributions is None or history is None or contributions.empty:
        return None
    return ExplainedDay(as_of, contributions, history)


def _left_out(day: DayStore, name: str) -> list[Abstained]:
    """Series that a simpler rule forecasts: it has no inputs to tell of."""
    rungs = day.frame(f"{name}_rungs")
    rows = [] if rungs is None else rungs.loc[rungs["rung"] != "pooled"].to_dict("records")
    return [
        Abstained(subject=_titled(str(row["unique_id"]))[0], reason=str(row["reason"]))
        for row in rows
    ]


def _titled(unique_id: str) -> tuple[str, str]:
    scope, currency, name = named(unique_id)
    title = "All spend" if name == TOTAL else f"{scope.capitalize()} {name}"
    return f"{title}, {currency}", currency


def _place(one: SeriesExplanation) -> tuple[str, int, float, str]:
    """Currencies apart; the whole first, then teams and services, the largest first."""
    scope, currency, name = named(one.id)
    told = one.whole or one.days[0]
    size = told.prediction if isinstance(told, Explanation) else 0.0
    return currency, _SCOPES.index(scope) if scope in _SCOPES else len(_SCOPES), -size, name
