"""Where a budget will land: what was spent of it, and what the forecast adds until its end.

Actuals and plans are those of `fct_budgets_monthly` and `fct_budget_costs_daily`, what is ahead is
the forecast of the same costs; nothing is forecast here.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

from finops_dagster.domain.money import MoneyRange, exact_sum, to_decimal
from finops_dagster.domain.periods import days, next_month

STATES = {
    "within": "pass",
    "within plan": "pass",
    "will exceed": "warn",
    "over plan": "warn",
    "exceeded": "fail",
    "unknown": "none",
}
"""State of a landing -> class of the style sheet."""


@dataclass(frozen=True)
class Ahead:
    """One day of a budget's forecast: its mean and the ends of its 95 % interval."""

    day: date
    mean: float
    low: float
    high: float


@dataclass(frozen=True)
class Sum:
    """What the days of a budget's forecast up to one of them come to together.

    Of days that all have billed none is in it.
    """

    day: date
    """The last of them."""
    probabilities: tuple[float, ...]
    """Rising."""
    values: tuple[float, ...]
    """With which of `probabilities` the sum is not above them; rising."""

    def quantile(self, probability: float) -> float:
        """Between two that are known in proportion; beyond the outermost, these."""
        p, v = self.probabilities, self.values
        at = bisect_right(p, probability)
        if at in (0, len(p)):
            return v[0] if at == 0 else v[-1]
        part = (probability - p[at - 1]) / (p[at] - p[at - 1])
        return v[at - 1] + part * (v[at] - v[at - 1])

    def above(self, value: float) -> float:
        """Probability that the sum is above `value`; never nearer to 0 or 1 than is known."""
        p, v = self.probabilities, self.values
        at = bisect_right(v, value)
        if at in (0, len(v)):
            return 1 - p[0] if at == 0 else 1 - p[-1]
        part = (value - v[at - 1]) / (v[at] - v[at - 1])
        return 1 - (p[at - 1] + part * (p[at] - p[at - 1]))


@dataclass(frozen=True)
class Odds:
    """How likely a budget is exceeded in its period, and when. From forecasts of sums."""

    probability: float
    expected_80: MoneyRange
    """Of the whole period, with its 80 % interval."""
    earliest: date | None
    """Day on which it is exceeded where costs are as high as the interval of 80 % has them."""
    latest: date | None
    """Day on which it is where they are as low; None where it then is not in the period."""

    @property
    def days(self) -> str:
        """`2026-11-22 to 2026-11-27`, `2026-11-22 or later, or not`, `not before its end`."""
        if self.earliest is None:
            return "not before its end"
        if self.latest is None:
            return f"{self.earliest} or later, or not"
        if self.latest == self.earliest:
            return f"{self.earliest}"
        return f"{self.earliest} to {self.latest}"


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
    """Of the whole period, with its 95 % interval. Without `odds`: days' ends added, as if all
    erred alike."""
    month_end: date
    """Last day of the month asked about."""
    planned_by_month_end: Decimal
    by_month_end: MoneyRange | None
    """Of the period up to then, as `expected`: a period may end beyond what is forecast."""
    exceeded: date | None
    """Day on which it was, or in the middle of what is forecast will be, more than the amount."""
    reason: str | None
    """Why what is expected is not known."""
    odds: Odds | None
    no_odds: str | None
    """Why they are not known."""

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
            "expected_80": self.odds and self.odds.expected_80,
            "probability_exceeded": self.odds and round(self.odds.probability, 4),
            "exceeded_earliest": self.odds and self.odds.earliest,
            "exceeded_latest": self.odds and self.odds.latest,
            "probability_reason": self.no_odds,
        }


def landing(
    rows: Sequence[Mapping[str, Any]],
    daily: Sequence[Mapping[str, Any]],
    ahead: Sequence[Ahead],
    no_forecast: str,
    sums: Sequence[Sum] = (),
    no_sums: str = "sums of its days are not forecast",
) -> Landing:
    """The landing of one budget in its currency.

    `rows`: of fct_budgets_monthly, the months of its period up to the one asked about. `daily`: of
    fct_budget_costs_daily, any days of it. `ahead`: its forecast, where there is one, and
    `no_forecast` why there is none; `sums` of its days from the first that not all have billed, and
    `no_sums` likewise. Costs that are no usage are counted on the days they are billed for, and
    never forecast.
    """
    months = sorted(rows, key=lambda row: row["billing_period"])
    asked = months[-1]
    start, end, until = asked["period_start"], asked["period_end"], asked["billed_until"]
    amount = asked["period_amount"]
    actual = exact_sum(*(row["actual"] for row in months))
    costs = _days(daily, start, until)
    month_end = next_month(asked["billing_period"]) - timedelta(days=1)
    expected, by_month_end, reason = None, None, None
    points = {one.day: one for one in ahead}
    by_day = {one.day: one for one in sums}
    odds, middle = None, costs
    if until is None:
        reason = asked["reason"]
    else:
        currency = asked["billing_currency"]
        missing = [day for day in days(until + timedelta(days=1), end) if day not in points]
        if not missing:
            expected = _expected(costs, points, by_day, until, end, currency)
        elif points:
            reason = f"the forecast ends before {missing[0]}, the period on {end}"
        else:
            reason = no_forecast
        if not missing or missing[0] > month_end:
            by_month_end = _expected(costs, points, by_day, until, month_end, currency)
        left = list(days(until + timedelta(days=1), end))
        if left and all(day in by_day for day in left):
            odds = _odds(costs, [by_day[day] for day in left], amount, currency)
            middle = _with(costs, {day: by_day[day].quantile(0.5) for day in left})
        else:
            ahead_of = [day for day in points if until < day <= end]
            middle = _with(costs, _running(points, ahead_of))
    no_odds = None if odds is not None else reason or (no_sums if not _over(until, end) else None)
    return Landing(
        budget=asked["budget"],
        currency=asked["billing_currency"],
        metric=asked["metric"],
        period=asked["period"],
        start=start,
        end=end,
        until=until,
        amount=amount,
        planned_to_date=_planned(months),
        actual=actual,
        expected=expected,
        month_end=month_end,
        planned_by_month_end=exact_sum(*(row["planned"] for row in months)),
        by_month_end=by_month_end,
        exceeded=_exceeds(middle, amount),
        reason=reason,
        odds=odds,
        no_odds=no_odds,
    )


def _over(until: date | None, end: date) -> bool:
    return until is not None and until >= end


def _expected(
    costs: Mapping[date, Decimal],
    points: Mapping[date, Ahead],
    sums: Mapping[date, Sum],
    until: date,
    end: date,
    currency: str,
) -> MoneyRange:
    """What is known of the days up to `end`, and the forecast of those after `until`."""
    spent = exact_sum(*(cost for day, cost in costs.items() if day <= end))
    left = list(days(until + timedelta(days=1), end))
    if left and end in sums:
        return _range(spent, sums[end], (0.025, 0.975), currency)
    low, mid, high = (
        spent + to_decimal(math.fsum(getattr(points[day], of) for day in left))
        for of in ("low", "mean", "high")
    )
    return MoneyRange(low=min(low, mid), mid=mid, high=max(mid, high), currency=currency)


def _range(spent: Decimal, ahead: Sum, ends: tuple[float, float], currency: str) -> MoneyRange:
    low, mid, high = (spent + to_decimal(ahead.quantile(p)) for p in (ends[0], 0.5, ends[1]))
    return MoneyRange(low=low, mid=mid, high=high, currency=currency)


def _odds(
    costs: Mapping[date, Decimal], left: Sequence[Sum], amount: Decimal, currency: str
) -> Odds:
    """Of a period whose days that are left end with those of `left`."""
    last = left[-1]
    spent = exact_sum(*(cost for day, cost in costs.items() if day <= last.day))
    high, low = (_with(costs, {one.day: one.quantile(p) for one in left}) for p in (0.9, 0.1))
    return Odds(
        probability=last.above(float(amount - spent)),
        expected_80=_range(spent, last, (0.1, 0.9), currency),
        earliest=_exceeds(high, amount),
        latest=_exceeds(low, amount),
    )


def _running(points: Mapping[date, Ahead], of: Sequence[date]) -> dict[date, float]:
    """Running sums of the means."""
    summed, found = 0.0, {}
    for day in sorted(of):
        summed += points[day].mean
        found[day] = summed
    return found


def _with(costs: Mapping[date, Decimal], running: Mapping[date, float]) -> dict[date, Decimal]:
    """Cost by day with the days of running sums added to what is known of them."""
    found, before = dict(costs), 0.0
    for day in sorted(running):
        found[day] = found.get(day, Decimal(0)) + to_decimal(running[day] - before)
        before = running[day]
    return found


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
    sums: Mapping[tuple[str, str], Sequence[Sum]] | None = None,
    no_sums: str = "sums of its days are not forecast",
) -> list[Landing]:
    """Every budget that plans for `month`, in the period that the month is in.

    `rows` and `daily` as of `landing`, of all budgets and any months; `ahead` and `reasons`, why
    there is none, by budget and currency, with `otherwise` for those that are in neither; `sums`
    likewise, with `no_sums` where there are none.
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
        summed = (sums or {}).get(key, ())
        found.append(landing(mine, costs, ahead.get(key, ()), reason, summed, no_sums))
    return sorted(found, key=lambda one: (one.currency, one.budget))
