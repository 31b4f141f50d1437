"""What is known of costs to come before any bill shows it: a price change, a migration, an end.

What they do to a forecast is the engine's to say. Plain data.
"""

from __future__ import annotations

from datetime import date

from pydantic import Field, model_validator

from finops_dagster.domain.dated import Conditions, Part, of_dimensions
from finops_dagster.domain.money import Amount

EVENT_DIMENSIONS = ("team", "service", "account")
"""What an event may be of."""


class Event(Part):
    """A change of daily cost from a day on, as a share of what it would be or as an amount."""

    name: str = Field(
        min_length=1,
        max_length=80,
        description="Name that explanations and reports show.",
        examples=["end of the savings plan"],
    )
    from_: date = Field(alias="from", description="First day of it.", examples=["2026-12-01"])
    until: date | None = Field(default=None, description="Last day of it; empty means it stays.")
    of: Conditions = Field(
        default={},
        description="team, service, account -> texts: whose costs it changes; `*` stands for "
        "anything, case is ignored. Empty is all.",
    )
    change: float | None = Field(
        default=None,
        ge=-1,
        le=100,
        description="Share by which these costs change: -0.3 is 30 % less.",
        examples=[-0.3],
    )
    amount: Amount | None = Field(
        default=None, description="Or by how much they change in a day, in `currency`."
    )
    currency: str | None = Field(default=None, min_length=1, description="Of `amount`.")
    known_from: date | None = Field(
        default=None,
        description="Day on which it became known: days before are decided without it. Empty "
        "means always.",
    )

    @model_validator(mode="after")
    def _says_one_change(self) -> Event:
        if (self.change is None) == (self.amount is None):
            raise ValueError("either change, a share, or amount, per day")
        if (self.amount is None) != (self.currency is None):
            raise ValueError("amount with its currency")
        if self.until is not None and self.until < self.from_:
            raise ValueError(f"until on or after from, {self.from_}")
        for place, wanted in of_dimensions(("of",), self.of, EVENT_DIMENSIONS):
            raise ValueError(f"{wanted} in `of`, not {place[-1]}")
        return self

    def is_known(self, as_of: date) -> bool:
        """Whether a decision for `as_of` may know of it."""
        return self.known_from is None or self.known_from <= as_of
