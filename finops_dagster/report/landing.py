"""Where a budget will land: what was spent of it, and what the forecast adds until its end.

Actuals and plans are those of `fct_budgets_monthly` and `fct_budget_costs_daily`, what is ahead is
the forecast of the same costs; nothing is forecast here.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

from finops_dagster.domain.money import MoneyRange, exact_sum, to_decimal
from finops_dagster.domain.periods import days, next_month


@dataclass(frozen=True)
class Ahead:
    """One day of a budget's forecast: its mean and the ends of its 95 % interval."""

    day: date
    mean: float
    low: float
    high: float


@dataclass(frozen=True)
class Landing:
    """One budget in the period that a month is in. Money is in `currency`."""

    budget: str
    currency: str
    metric: str
    period: str
    start: date
    end: date
    """Last day of the period."""
    until: date | None
    """Last day that all bills of it reach; None where nothing is billed."""
    amount: Decimal
    """Of the whole period."""
    planned_to_date: Decimal | None
    actual: Decimal
    expected: MoneyRange | None
    """Of the whole period, with its 95 % interval: days' ends added, as if all erred alike."""
    month_end: date
    """Last day of the month asked about."""
    planned_by_month_end: Decimal
    by_month_end: MoneyRange | None
    """Of the period up to then, as `expected`: a period may end beyond what is forecast."""
    exceeded: date | None
    """Day on which it was, or by the forecast's mean will be, more than the amount."""
    reason: str | None
    """Why what is expected is not known."""

    @property
    def is_over(self) -> bool:
        """Whether the period is billed to its end."""
        return self.until is not None and self.until >= self.end

    @property
    def state(self) -> str:
        """`within`, `will exceed` or `exceeded`; where what its period will come to is not known,
        `within plan` or `over plan` by the month's end; else `unknown`."""
        if self.actual > self.amount:
            return "exceeded"
        if self.expected is not None:
            return "will exceed" if self.expected.mid > self.amount else "within"
        if self.by_month_end is not None:
            over = self.by_month_end.mid > self.planned_by_month_end
            return "over plan" if over else "within plan"
        return "unknown"

    def document(self) -> dict[str, Any]:
        """As scripts read it."""
        return {
            "budget": self.budget,
            "currency": self.currency,
            "metric": self.metric,
            "period": self.period,
            "period_start": self.start,
            "period_end": self.end,
            "billed_until": self.until,
            "amount": self.amount,
            "planned_to_date": self.planned_to_date,
            "actual": self.actual,
            "remaining": self.amount - self.actual,
            "burn": float(self.actual / self.amount),
            "expected": self.expected,
            "planned_by_month_end": self.planned_by_month_end,
            "expected_by_month_end": self.by_month_end,
            "state": self.state,
            "exceeded_on": self.exceeded,
            "reason": self.reason,
        }


def landing(
    rows: Sequence[Mapping[str, Any]],
    daily: Sequence[Mapping[str, Any]],
    ahead: Sequence[Ahead],
    no_forecast: str,
) -> Landing:
    """The landing of one budget in its currency.

    `rows`: of fct_budgets_monthly, the months of its period up to the one asked about. `daily`: of
    fct_budget_costs_daily, any days of it. `ahead`: its forecast, where there is one, and
    `no_forecast` why there is none. Costs that are no usage are counted on the days they are billed
    for, and never forecast.
    """
    months = sorted(rows, key=lambda row: row["billing_period"])
    asked = months[-1]
    start, end, until = asked["period_start"], asked["period_end"], asked["billed_until"]
    actual = exact_sum(*(row["actual"] for row in months))
    costs = _days(daily, start, until)
    month_end = next_month(asked["billing_period"]) - timedelta(days=1)
    expected, by_month_end, reason = None, None, None
    points = {one.day: one for one in ahead}
    if until is None:
        reason = asked["reason"]
    else:
        missing = [day for day in days(until + timedelta(days=1), end) if day not in points]
        if not missing:
            expected = _expected(costs, points, until, end, asked["billing_currency"])
        elif points:
            reason = f"the forecast ends before {missing[0]}, the period on {end}"
        else:
            reason = no_forecast
        if not missing or missing[0] > month_end:
            by_month_end = _expected(costs, points, until, month_end, asked["billing_currency"])
        for day, point in points.items():
            if until < day <= end:
                costs[day] = costs.get(day, Decimal(0)) + to_decimal(point.mean)
    return Landing(
        budget=asked["budget"],
        currency=asked["billing_currency"],
        metric=asked["metric"],
        period=asked["period"],
        start=start,
        end=end,
        until=until,
        amount=asked["period_amount"],
        planned_to_date=_planned(months),
        actual=actual,
        expected=expected,
        month_end=month_end,
        planned_by_month_end=exact_sum(*(row["planned"] for row in months)),
        by_month_end=by_month_end,
        exceeded=_exceeds(costs, asked["period_amount"]),
        reason=reason,
    )


def _expected(
    costs: Mapping[date, Decimal],
    points: Mapping[date, Ahead],
    until: date,
    end: date,
    currency: str,
) -> MoneyRange:
    """What is known of the days up to `end`, and the forecast of those after `until`."""
    spent = exact_sum(*(cost for day, cost in costs.items() if day <= end))
    left = list(days(until + timedelta(days=1), end))
    low, mid, high = (
        spent + to_decimal(math.fsum(getattr(points[day], of) for day in left))
        for of in ("low", "mean", "high")
    )
    return MoneyRange(low=min(low, mid), mid=mid, high=max(mid, high), currency=currency)


def _planned(months: Sequence[Mapping[str, Any]]) -> Decimal | None:
    """Of months that are gone all that was planned, of the last what is due by its last bill."""
    if months[-1]["planned_to_date"] is None:
        return None
    return exact_sum(*(row["planned"] for row in months[:-1]), months[-1]["planned_to_date"])


def _days(
    daily: Sequence[Mapping[str, Any]], start: date, until: date | None
) -> dict[date, Decimal]:
    """Cost by day. After the last day that all have billed, usage is left to the forecast."""
    found: dict[date, Decimal] = {}
    for row in daily:
        if row["day"] >= start:
            whole = until is None or row["day"] <= until
            cost = row["total_cost"] if whole else row["total_cost"] - row["usage_cost"]
            found[row["day"]] = found.get(row["day"], Decimal(0)) + cost
    return found


def _exceeds(costs: Mapping[date, Decimal], amount: Decimal) -> date | None:
    """The first day by whose end more than `amount` was spent, and stays so."""
    spent, since = Decimal(0), None
    for day in sorted(costs):
        spent += costs[day]
        if spent <= amount:
            since = None
        elif since is None:
            since = day
    return since


def landings(
    rows: Sequence[Mapping[str, Any]],
    daily: Sequence[Mapping[str, Any]],
    ahead: Mapping[tuple[str, str], Sequence[Ahead]],
    reasons: Mapping[tuple[str, str], str],
    month: date,
    otherwise: str = "no forecast was made of it",
) -> list[Landing]:
    """Every budget that plans for `month`, in the period that the month is in.

    `rows` and `daily` as of `landing`, of all budgets and any months; `ahead` and `reasons`, why
    there is none, by budget and currency, with `otherwise` for those that are in neither.
    """
    found = []
    for asked in rows:
        if asked["billing_period"] != month or asked["planned"] is None:
            continue
        key = (asked["budget"], asked["billing_currency"])
        mine = [
            row
            for row in rows
            if (row["budget"], row["billing_currency"]) == key
            and asked["period_start"] <= row["billing_period"] <= month
        ]
        costs = [
            row
            for row in daily
            if (row["budget"], row["billing_currency"]) == key and row["day"] < next_month(month)
        ]
        reason = reasons.get(key, otherwise)
        found.append(landing(mine, costs, ahead.get(key, ()), reason))
    return sorted(found, key=lambda one: (one.currency, one.budget))
