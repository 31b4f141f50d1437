"""What costs are told per, and what they are charged at inside the company. Plain data."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, model_validator

from finops_dagster.domain.dated import COLUMNS, Conditions, CostMetric, Named
from finops_dagster.domain.money import Amount

PRICED = (*COLUMNS, "product", "line", "pool")
"""Columns of allocated costs that a price list may ask."""


class Unit(Named):
    """What a metric of the business costs: cost per order, per user, per prediction."""

    metric: str = Field(min_length=1, description="Metric of the business, as delivered.")
    of: Conditions = Field(
        default={},
        description="Dimension -> texts: whose costs, and of the metric's rows that name one, "
        "whose. Empty is all.",
    )
    cost: CostMetric = Field(default=CostMetric.EFFECTIVE_COST, description="Which cost.")
    per: int = Field(default=1, ge=1, description="How many of the metric a cost is told per.")


class Price(Named):
    """What an allocated cost is charged at: itself with a markup, or its quantity at a price."""

    when: Conditions = Field(
        default={}, description="Column -> texts, any of which it may be; * is any."
    )
    unless: Conditions = Field(default={}, description="As when: where any holds, it does not.")
    markup: Annotated[Amount, Field(ge=-1, le=9, decimal_places=9)] | None = Field(
        default=None, description="Part of the cost that is charged on top; 0.05 is 5 %."
    )
    price: Annotated[Amount, Field(ge=0, lt=10_000, decimal_places=12)] | None = Field(
        default=None, description="What one unit is charged at, in place of its cost."
    )
    per: str | None = Field(
        default=None, min_length=1, description="FOCUS ConsumedUnit that the price is of."
    )
    currency: str | None = Field(
        default=None,
        min_length=1,
        description="Currency of the price; costs in others keep theirs.",
    )

    @model_validator(mode="after")
    def _one_way(self) -> Price:
        if (self.markup is None) == (self.price is None):
            raise ValueError("either markup, or price with per and currency")
        if (self.price is None) != (self.per is None) or (self.per is None) != (
            self.currency is None
        ):
            raise ValueError(
                "price, per and currency together, as {price: 0.04, per: Hours, currency: USD}"
            )
        return self
