"""Unit costs of a month: of the days that are known, and told of the others."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import Any

from finops_dagster.report.units import unit_costs

OCTOBER = date(2026, 10, 1)


def row(day: str, cost: str, quantity: str | None, **changed: Any) -> dict[str, Any]:
    when = date.fromisoformat(day)
    known = quantity is not None and Decimal(quantity) != 0
    return {
        "unit": "order",
        "metric": "orders",
        "per": 1,
        "billing_currency": "USD",
        "billing_period": when.replace(day=1),
        "day": when,
        "total_cost": Decimal(cost),
        "quantity": None if quantity is None else Decimal(quantity),
        "reason": None if known else "no quantity was delivered",
        **changed,
    }


def test_days_that_are_not_known_count_for_nothing_and_are_told() -> None:
    """A day without its orders would make the others look dear."""
    rows = [
        row("2026-10-01", "10", "5"),
        row("2026-10-02", "99", None),
        row("2026-10-03", "2", "1"),
    ]
    (one,) = unit_costs(rows, OCTOBER)
    assert (one.unit_cost, one.cost, one.quantity, one.days) == (2, 12, 6, 2)
    assert one.not_known == {"no quantity was delivered": 1}
    assert one.before is None and one.change is None


def test_a_month_that_goes_on_is_compared_with_as_many_days() -> None:
    before = [row("2026-09-01", "8", "4"), row("2026-09-30", "90", "1")]
    (going,) = unit_costs([*before, row("2026-10-01", "10", "4")], OCTOBER)
    assert (going.before, going.change) == (2, 0.25)
    (whole,) = unit_costs([*before, row("2026-10-31", "10", "4")], OCTOBER)
    assert whole.before == Decimal("19.6")


def test_each_currency_and_definition_is_told_by_itself() -> None:
    """A unit told per thousand beside one told per one would be a thousandfold rise."""
    rows = [
        row("2026-10-01", "10", "5"),
        row("2026-10-01", "10", "5", billing_currency="EUR"),
        row("2026-10-02", "10", "5", per=1000),
    ]
    found = unit_costs(rows, OCTOBER)
    assert [(one.per, one.currency, one.unit_cost) for one in found] == [
        (1, "EUR", 2), (1, "USD", 2), (1000, "USD", 2000),
    ]  # fmt: skip


def test_a_month_without_a_known_day_has_no_unit_cost() -> None:
    (one,) = unit_costs([row("2026-10-01", "10", "0")], OCTOBER)
    assert one.unit_cost is None
    assert one.document()["unit_cost"] is None
