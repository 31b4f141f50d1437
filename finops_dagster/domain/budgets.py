"""What may be spent by whom, and how it is spread over the months of its period. Plain data.

What was spent of it is told by the marts; what it will come to, by the report.
"""

from __future__ import annotations

from datetime import date, timedelta
from decimal import ROUND_HALF_EVEN, Decimal, localcontext
from enum import StrEnum
from itertools import pairwise
from typing import Annotated

from pydantic import Field, model_validator

from finops_dagster.domain.dated import Conditions, CostMetric, Named, Part
from finops_dagster.domain.money import MONEY_PRECISION, Amount, exact_sum
from finops_dagster.domain.periods import month_start, months, next_month

_CENTS = Decimal("0.01")
"""Months are planned to this, or to the decimals of the amount where it has more."""

Positive = Annotated[Amount, Field(ge=0, lt=10**17, decimal_places=20)]
Month = Annotated[int, Field(ge=1, le=12)]


class Period(StrEnum):
    """How long an amount is for."""

    MONTH = "month"
    QUARTER = "quarter"
    YEAR = "year"


_MONTHS = {Period.MONTH: 1, Period.QUARTER: 3, Period.YEAR: 12}


class Phasing(StrEnum):
    """How an amount is spread over the months of its period."""

    EVEN = "even"
    BY_DAY = "by_day"
    WEIGHTS = "weights"
    AMOUNTS = "amounts"


class Plan(Part):
    """What a budget plans for one month of one of its periods."""

    name: str
    of: Conditions
    currency: str
    metric: CostMetric
    month: date
    period: Period
    period_start: date
    period_end: date
    """Last day of the period."""
    period_amount: Amount
    planned: Amount
    """Of the month; over the months of a period they sum to its amount."""


class Budget(Named):
    """What may be spent in each of its periods."""

    of: Conditions = Field(
        default={}, description="Dimension -> texts: whose costs it is for. Empty is all."
    )
    currency: str = Field(min_length=1, description="Currency of amount; of its costs those in it.")
    metric: CostMetric = Field(default=CostMetric.EFFECTIVE_COST, description="Which cost.")
    period: Period = Field(default=Period.MONTH, description="month, quarter or year.")
    starts: Month = Field(
        default=1, description="Month, 1 to 12, with which a fiscal year begins, and its quarters."
    )
    amount: Annotated[Positive, Field(gt=0)] = Field(description="Of each period.")
    phasing: Phasing = Field(
        default=Phasing.EVEN,
        description="even: every month the same; by_day: by the days of each; weights: by "
        "`weights`; amounts: by `amounts`.",
    )
    weights: tuple[Positive, ...] = Field(
        default=(), description="With phasing: weights, one for each month of a period, in order."
    )
    amounts: dict[Month, Positive] = Field(
        default={}, description="With phasing: amounts, month (1 to 12) -> its part of amount."
    )

    @model_validator(mode="after")
    def _is_spread(self) -> Budget:
        wanted = _MONTHS[self.period]
        if (self.phasing is Phasing.WEIGHTS) != bool(self.weights):
            raise ValueError("weights with phasing: weights, and with no other")
        if (self.phasing is Phasing.AMOUNTS) != bool(self.amounts):
            raise ValueError("amounts with phasing: amounts, and with no other")
        if self.weights and (len(self.weights) != wanted or not sum(self.weights)):
            raise ValueError(f"{wanted} weights for a {self.period}, not all of them 0")
        if self.amounts:
            for first in range(self.starts, self.starts + 12, wanted):
                part = exact_sum(*(self._amount_of(first + after) for after in range(wanted)))
                if part != self.amount:
                    raise ValueError(
                        f"amounts that sum to {self.amount:f} in each {self.period}; from month "
                        f"{(first - 1) % 12 + 1} on they sum to {part:f}"
                    )
        return self

    @model_validator(mode="after")
    def _holds_for_whole_periods(self) -> Budget:
        if self.from_ > date.min and self.from_ != self._start(self.from_):
            raise ValueError(
                f"from to be the first day of a {self.period}, as {self._start(self.from_)}"
            )
        if self.until < date.max and self.until != self._end(self._start(self.until)):
            raise ValueError(
                f"until to be the last day of a {self.period}, as "
                f"{self._end(self._start(self.until))}"
            )
        return self

    def plan(self, month: date) -> Plan | None:
        """What it plans for the month that begins on `month`; None where it is not in force."""
        if not self.meets(month, month):
            return None
        start = self._start(month)
        end = self._end(start)
        return Plan(
            name=self.name,
            of=self.of,
            currency=self.currency,
            metric=self.metric,
            month=month,
            period=self.period,
            period_start=start,
            period_end=end,
            period_amount=self.amount,
            planned=dict(zip(months(start, end), self._spread(start), strict=True))[month],
        )

    def _spread(self, start: date) -> list[Decimal]:
        """The months of the period from `start`: each is what is due by its end, less the ones
        before it, so that they sum to the amount."""
        firsts = list(months(start, self._end(start)))
        if self.phasing is Phasing.AMOUNTS:
            return [self._amount_of(first.month) for first in firsts]
        weights = {
            Phasing.EVEN: [Decimal(1)] * len(firsts),
            Phasing.BY_DAY: [Decimal((next_month(first) - first).days) for first in firsts],
            Phasing.WEIGHTS: list(self.weights),
        }[self.phasing]
        step = min(_CENTS, Decimal(1).scaleb(int(self.amount.as_tuple().exponent)))
        with localcontext() as context:
            context.prec = 2 * MONEY_PRECISION
            whole, due = sum(weights), [Decimal(0)]
            for count in range(1, len(weights) + 1):
                part = self.amount * sum(weights[:count]) / whole
                due.append(part.quantize(step, rounding=ROUND_HALF_EVEN))
            return [now - before for before, now in pairwise(due)]

    def _amount_of(self, month: int) -> Decimal:
        return self.amounts.get((month - 1) % 12 + 1, Decimal(0))

    def _start(self, day: date) -> date:
        first = month_start(day)
        for _ in range((day.month - self.starts) % _MONTHS[self.period]):
            first = month_start(first - timedelta(days=1))
        return first

    def _end(self, start: date) -> date:
        after = start
        for _ in range(_MONTHS[self.period]):
            after = next_month(after)
        return after - timedelta(days=1)
