"""What a unit of the business cost in a month, of the days on which it is known.

The days are those of `fct_unit_costs_daily`; a day without a known quantity counts for nothing, and
is told.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal, localcontext
from typing import Any

from finops_dagster.domain.money import MONEY_PRECISION, exact_sum
from finops_dagster.domain.periods import month_start, next_month

_PLACES = Decimal("1e-10")


@dataclass(frozen=True)
class UnitCost:
    """A unit in one month and currency. Money is in `currency`."""

    unit: str
    metric: str
    per: int
    currency: str
    month: date
    days: int
    """Days on which the unit cost is known; cost and quantity are of these."""
    cost: Decimal
    quantity: Decimal
    before: Decimal | None
    """Unit cost of the month before, of as many days as this month has so far; or None."""
    not_known: Mapping[str, int]
    """Reason -> days of the month on which the unit cost is not known."""

    @property
    def unit_cost(self) -> Decimal | None:
        """Cost by `per` of quantity, to the tenth place; None where no day is known."""
        return _divided(self.cost, self.quantity, self.per)

    @property
    def change(self) -> float | None:
        """Share by which it moved on the month before; None where either is not known."""
        if self.unit_cost is None or not self.before:
            return None
        return float(self.unit_cost / self.before - 1)

    def document(self) -> dict[str, Any]:
        """As scripts read it."""
        return {
            "unit": self.unit,
            "month": f"{self.month:%Y-%m}",
            "metric": self.metric,
            "per": self.per,
            "currency": self.currency,
            "unit_cost": self.unit_cost,
            "cost": self.cost,
            "quantity": self.quantity,
            "days": self.days,
            "unit_cost_before": self.before,
            "change": self.change,
            "days_not_known": dict(self.not_known),
        }


def unit_costs(rows: Sequence[Mapping[str, Any]], month: date) -> list[UnitCost]:
    """Every unit of `month`, from rows of fct_unit_costs_daily of it and the month before."""
    earlier = month_start(month - timedelta(days=1))
    found = []
    kinds = {
        (row["unit"], row["metric"], row["per"], row["billing_currency"])
        for row in rows
        if row["billing_period"] == month
    }
    for unit, metric, per, currency in sorted(kinds):
        mine = [
            row
            for row in rows
            if (row["unit"], row["metric"], row["per"], row["billing_currency"])
            == (unit, metric, per, currency)
        ]
        now = [row for row in mine if row["billing_period"] == month]
        known = [row for row in now if row["reason"] is None]
        reach = max((row["day"].day for row in known), default=0)
        is_whole = max(row["day"] for row in known or now) + timedelta(days=1) == next_month(month)
        then = [
            row
            for row in mine
            if row["billing_period"] == earlier
            and row["reason"] is None
            and (is_whole or row["day"].day <= reach)
        ]
        found.append(
            UnitCost(
                unit=unit,
                metric=metric,
                per=per,
                currency=currency,
                month=month,
                days=len(known),
                cost=_sum(known, "total_cost"),
                quantity=_sum(known, "quantity"),
                before=_divided(_sum(then, "total_cost"), _sum(then, "quantity"), per),
                not_known=Counter(row["reason"] for row in now if row["reason"] is not None),
            )
        )
    return found


def _sum(rows: Sequence[Mapping[str, Any]], column: str) -> Decimal:
    return exact_sum(*(row[column] for row in rows))


def _divided(cost: Decimal, quantity: Decimal, per: int) -> Decimal | None:
    if not quantity:
        return None
    with localcontext() as context:
        context.prec = 2 * MONEY_PRECISION
        return (cost * per / quantity).quantize(_PLACES)
