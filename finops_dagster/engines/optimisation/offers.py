"""What is known when a commitment is weighed: offers, commitments in force, the outlook.

How much to commit to is decided elsewhere.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from enum import StrEnum

DAYS_PER_MONTH = 365 / 12


class Payment(StrEnum):
    """When a commitment is paid for."""

    NO_UPFRONT = "no_upfront"
    PARTIAL_UPFRONT = "partial_upfront"
    ALL_UPFRONT = "all_upfront"


@dataclass(frozen=True)
class Offer:
    """One term and payment option of a provider for one scope of usage."""

    scope: str
    currency: str
    term_months: int
    payment: Payment
    price_share: Decimal
    """All that is paid over the term, over the same usage on demand: 0.72 is 28 % off. Of the price
    on demand that usage is given at, so with an enterprise discount on both or on neither."""
    upfront_share: Decimal = Decimal(0)
    """Of what is paid, at the start; in [0, 1]."""

    def __post_init__(self) -> None:
        if self.price_share <= 0 or self.term_months < 1 or not 0 <= self.upfront_share <= 1:
            raise ValueError(f"not an offer: {self}")

    @property
    def name(self) -> str:
        """Such as `12 months, no upfront`."""
        return f"{self.term_months} months, {self.payment.value.replace('_', ' ')}"

    def effective_price(self, capital_rate_per_year: float) -> float:
        """`price_share` with what is paid early charged interest.

        An amount U at the start is n level payments of U i / (1 - (1 + i)^-n) at the ends of n
        months (ordinary annuity), i = (1 + rate)^(1/12) - 1.
        """
        monthly = (1 + capital_rate_per_year) ** (1 / 12) - 1
        months = self.term_months
        dearer = months * monthly / (1 - (1 + monthly) ** -months) if monthly > 0 else 1.0
        upfront = float(self.upfront_share)
        return float(self.price_share) * (1 - upfront + upfront * dearer)


@dataclass(frozen=True)
class InForce:
    """A commitment that pays for a scope's usage until the day `ends` (not included)."""

    scope: str
    currency: str
    covers_per_hour: Decimal
    """Usage it pays for, at the price on demand."""
    ends: date


@dataclass(frozen=True)
class Outlook:
    """Mean usage over a term over that of the history: median and ends of its 95 % interval."""

    low: float
    mid: float
    high: float
    days: float | None = None
    """How far it looks; what comes after is a random walk. None: to the end of the term."""

    def __post_init__(self) -> None:
        if not 0 < self.low <= self.mid <= self.high:
            raise ValueError(
                f"not an outlook: 0 < {self.low} <= {self.mid} <= {self.high} is false"
            )


def segments(
    in_force: Sequence[InForce], as_of: date, term_months: int
) -> list[tuple[float, float]]:
    """(share of the term, usage per hour paid for by others in it), in order of time."""
    term = term_months * DAYS_PER_MONTH
    ends = sorted({min(float((one.ends - as_of).days), term) for one in in_force} | {term})
    found = []
    start = 0.0
    for end in ends:
        if end > start:
            covers = sum(
                float(one.covers_per_hour) for one in in_force if (one.ends - as_of).days >= end
            )
            found.append(((end - start) / term, covers))
            start = end
    return found
