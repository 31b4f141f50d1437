"""Budgets: how an amount is spread over the months of its period."""

from __future__ import annotations

import random
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import pytest

from finops_dagster.domain.budgets import Budget
from finops_dagster.domain.money import exact_sum
from finops_dagster.domain.periods import months


def budget(**keys: Any) -> Budget:
    return Budget.model_validate({"name": "b", "currency": "USD", "amount": "100"} | keys)


def planned(one: Budget, first: date, last: date) -> list[Decimal | None]:
    plans = [one.plan(month) for month in months(first, last)]
    return [plan and plan.planned for plan in plans]


def test_months_of_any_spread_sum_to_the_amount_of_each_period() -> None:
    """A budget that loses a cent a month is not the one that was signed."""
    draw = random.Random(17)
    for _ in range(300):
        period = draw.choice(["month", "quarter", "year"])
        length = {"month": 1, "quarter": 3, "year": 12}[period]
        phasing = draw.choice(["even", "by_day", "weights"])
        amount = Decimal(draw.randint(1, 10**12)).scaleb(-draw.choice([0, 2, 7]))
        weights = [Decimal(draw.randint(0, 50)).scaleb(-1) for _ in range(length)]
        if phasing != "weights" or not sum(weights):
            phasing, weights = "even" if phasing == "weights" else phasing, []
        starts = draw.randint(1, 12)
        one = budget(amount=amount, period=period, phasing=phasing, weights=weights, starts=starts)
        first = date(2026, starts, 1)
        plans = [one.plan(month) for month in months(first, first + timedelta(days=2 * 360))]
        of_period: dict[date, list[Decimal]] = {}
        for plan in plans:
            assert plan is not None and plan.planned >= 0
            assert plan.period_start <= plan.month <= plan.period_end
            of_period.setdefault(plan.period_start, []).append(plan.planned)
        whole = [parts for parts in of_period.values() if len(parts) == length]
        assert len(whole) >= 2 - (length == 12)
        assert all(exact_sum(*parts) == amount for parts in whole)


def test_a_fiscal_year_begins_where_it_is_said_to() -> None:
    """April to March, not January to December: else a quarter is held against another's plan."""
    plan = budget(period="quarter", starts=4).plan(date(2026, 3, 1))
    assert plan is not None
    assert (plan.period_start, plan.period_end) == (date(2026, 1, 1), date(2026, 3, 31))
    plan = budget(period="year", starts=4).plan(date(2026, 3, 1))
    assert plan is not None
    assert (plan.period_start, plan.period_end) == (date(2025, 4, 1), date(2026, 3, 31))


def test_days_weights_and_amounts_decide_the_months() -> None:
    quarter = (date(2026, 1, 1), date(2026, 3, 31))
    by_day = planned(budget(amount=90, period="quarter", phasing="by_day"), *quarter)
    assert by_day == [Decimal(31), Decimal(28), Decimal(31)]
    weighed = budget(period="quarter", phasing="weights", weights=[2, 0, 1])
    assert planned(weighed, *quarter) == [Decimal("66.67"), Decimal(0), Decimal("33.33")]
    said = budget(amount=9, period="quarter", phasing="amounts",
                  amounts={1: 4, 3: 5, 4: 9, 8: 9, 11: 9})  # fmt: skip
    assert planned(said, *quarter) == [Decimal(4), Decimal(0), Decimal(5)]


@pytest.mark.parametrize(
    ("month", "is_planned"),
    [((2025, 12), False), ((2026, 1), True), ((2026, 6), True), ((2026, 7), False)],
)
def test_a_budget_plans_for_the_months_it_is_in_force(
    month: tuple[int, int], is_planned: bool
) -> None:
    one = budget(**{"from": "2026-01-01", "until": "2026-06-30", "period": "quarter"})
    assert (one.plan(date(*month, 1)) is not None) == is_planned
