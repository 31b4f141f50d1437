"""Spend by month, day, team and service, each currency by itself, with what is ahead of it.

Layout is the business of `page`; no figure here decides anything.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal

import pandas as pd

from finops_dagster.domain.money import Money
from finops_dagster.domain.periods import month_start, months, next_month
from finops_dagster.report.charts import Point
from finops_dagster.report.data import FORECAST_COLUMNS, TOTAL, ReportData
from finops_dagster.report.format import total as _sum

CHART_DAYS = 90
TEAMS_SHOWN = 12
UNTAGGED = "(untagged)"
"""As the series of cost without a team is called."""


@dataclass(frozen=True)
class MonthRow:
    """Spend of one month; `whole` is False where the bill does not reach its end, or start."""

    first: date
    amount: Money
    whole: bool


@dataclass(frozen=True)
class GroupRow:
    """Spend of one team or service in the last whole month, and its change on the one before."""

    name: str
    amount: Money
    share: float
    change: float | None
    ahead: Money | None
    """Expected over the days of the forecast; None where there is none."""


@dataclass(frozen=True)
class SeriesRow:
    """One line of daily amounts with what is ahead of it."""

    name: str
    history: tuple[tuple[date, float], ...]
    forecast: tuple[Point, ...]


@dataclass(frozen=True)
class CurrencySpend:
    """All that is said of spend in one currency."""

    currency: str
    months: tuple[MonthRow, ...]
    current: MonthRow
    """The month that is compared by group: the last whole one, else the last."""
    before: MonthRow | None
    total: SeriesRow
    teams: tuple[GroupRow, ...]
    services: tuple[GroupRow, ...]
    team_series: tuple[SeriesRow, ...]
    ahead: Money | None
    ahead_days: int


def spend_by_currency(data: ReportData) -> list[CurrencySpend]:
    """One summary per currency, the largest number of rows first."""
    if data.spend.empty:
        return []
    frame = data.spend[["charge_date", "billing_currency", "team", "service_name",
                        "effective_cost"]].copy()  # fmt: skip
    frame["charge_date"] = pd.to_datetime(frame["charge_date"]).dt.date
    frame["team"] = _named(frame["team"], UNTAGGED)
    frame["service_name"] = _named(frame["service_name"], "(no service)")
    order = frame["billing_currency"].value_counts()
    return [
        _currency(str(currency), frame[frame["billing_currency"] == currency], data)
        for currency in order.index
    ]


def _named(column: pd.Series, otherwise: str) -> pd.Series:
    filled = column.astype(object).where(column.notna(), otherwise)
    return filled.map(lambda name: str(name).strip() or otherwise)


def _currency(currency: str, frame: pd.DataFrame, data: ReportData) -> CurrencySpend:
    daily = frame.groupby("charge_date")["effective_cost"].agg(_sum)
    rows = _months(currency, daily, data.as_of)
    whole = [row for row in rows if row.whole]
    current = (whole or rows)[-1]
    before = whole[-2] if len(whole) > 1 else None
    ahead = _points(data.forecast, currency)
    total = ahead.get(TOTAL, ())
    teams = _groups(frame, "team", current, before, ahead)
    shown = [row.name for row in teams if row.name in ahead][:TEAMS_SHOWN]
    return CurrencySpend(
        currency=currency,
        months=tuple(rows),
        current=current,
        before=before,
        total=SeriesRow(TOTAL, _history(daily, data.as_of), total),
        teams=tuple(teams),
        services=tuple(_groups(frame, "service_name", current, before, {})),
        team_series=tuple(
            SeriesRow(
                name,
                _history(
                    frame[frame["team"] == name].groupby("charge_date")["effective_cost"].agg(_sum),
                    data.as_of,
                ),
                ahead[name],
            )
            for name in shown
        ),
        ahead=_expected(total, currency),
        ahead_days=len(total),
    )


def _months(currency: str, daily: pd.Series, as_of: date) -> list[MonthRow]:
    first, last = min(daily.index), max(daily.index)
    by_month = daily.groupby([month_start(day) for day in daily.index]).agg(_sum)
    reach = min(as_of, last) if last >= first else last
    return [
        MonthRow(
            first=month,
            amount=Money(amount=by_month.get(month, Decimal(0)), currency=currency),
            whole=first <= month and reach >= next_month(month) - timedelta(days=1),
        )
        for month in months(first, last)
    ]


def _history(daily: pd.Series, as_of: date) -> tuple[tuple[date, float], ...]:
    """The last days up to `as_of`; a day without a charge cost nothing."""
    if daily.empty:
        return ()
    last = min(max(daily.index), as_of)
    first = max(min(daily.index), last - timedelta(days=CHART_DAYS - 1))
    days = [first + timedelta(days=offset) for offset in range((last - first).days + 1)]
    return tuple((day, float(daily.get(day, Decimal(0)))) for day in days)


def _points(forecast: pd.DataFrame, currency: str) -> dict[str, tuple[Point, ...]]:
    if forecast.empty:
        return {}
    rows = forecast[forecast["currency"] == currency].sort_values("date")
    found: dict[str, list[Point]] = defaultdict(list)
    columns = [rows[name].tolist() for name in FORECAST_COLUMNS[1:]]
    for series, day, *ends in zip(*columns, strict=True):
        found[str(series)].append(Point(pd.Timestamp(day).date(), *(float(end) for end in ends)))
    return {name: tuple(points) for name, points in found.items()}


def _expected(points: Sequence[Point], currency: str) -> Money | None:
    """Means may be added; interval ends may not, so no interval is given to a sum."""
    if not points:
        return None
    return Money(amount=Decimal(repr(sum(p.mean for p in points))), currency=currency)


def _groups(
    frame: pd.DataFrame,
    column: str,
    current: MonthRow,
    before: MonthRow | None,
    ahead: dict[str, tuple[Point, ...]],
) -> list[GroupRow]:
    now = _by_group(frame, column, current.first)
    then = _by_group(frame, column, before.first) if before is not None else {}
    total = _sum(now.values())
    currency = current.amount.currency
    rows = []
    for name, value in sorted(now.items(), key=lambda item: (-item[1], item[0])):
        past = then.get(name)
        rows.append(
            GroupRow(
                name=name,
                amount=Money(amount=value, currency=currency),
                share=float(value / total) if total else 0.0,
                change=float(value / past - 1) if past is not None and past > 0 else None,
                ahead=_expected(ahead.get(name, ()), currency),
            )
        )
    return rows


def _by_group(frame: pd.DataFrame, column: str, month: date) -> dict[str, Decimal]:
    day = frame["charge_date"]
    rows = frame[(day >= month) & (day < next_month(month))]
    return {
        str(name): value for name, value in rows.groupby(column)["effective_cost"].agg(_sum).items()
    }
