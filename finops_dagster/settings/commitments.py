"""Keys of commitments: what they are sold at, and how much may be risked.

How a file becomes these types is the business of `reading`; the other keys are in `model`.
"""

from __future__ import annotations

from decimal import Decimal
from enum import StrEnum
from typing import Literal

from pydantic import Field, model_validator

from finops_dagster.settings.types import Section

# AWS: partial upfront is half at least
_UPFRONT = {
    "no_upfront": Decimal(0),
    "partial_upfront": Decimal("0.5"),
    "all_upfront": Decimal(1),
}


class Bound(StrEnum):
    """What one commitment may have one value of."""

    SERVICE = "service"
    REGION = "region"
    FAMILY = "family"


class OfferSettings(Section):
    """One term and payment option of a provider's commitment."""

    provider: str = Field(
        default="", description="Provider as the bill names it; empty: any.", examples=["AWS"]
    )
    services: tuple[str, ...] = Field(
        default=(),
        description="Patterns (`*`, `?`) of services that it pays for; empty: all of compute.",
    )
    regions: tuple[str, ...] = Field(default=(), description="Patterns of regions; empty: all.")
    families: tuple[str, ...] = Field(
        default=(), description="Patterns of instance families; empty: all."
    )
    bound_to: tuple[Bound, ...] = Field(
        default=(),
        description="What one commitment has one value of: region and family of an instance plan; "
        "empty: it pays for all of the above.",
        examples=[["region", "family"]],
    )
    term_months: int = Field(ge=1, le=60, description="Term, in months.", examples=[12])
    payment: Literal["no_upfront", "partial_upfront", "all_upfront"] = Field(
        default="no_upfront", description="When it is paid for."
    )
    price_share: Decimal = Field(
        gt=0,
        lt=1,
        description="All that is paid over the term, over the same usage on demand at your price: "
        "0.72 is 28 % off.",
        examples=["0.72"],
    )
    upfront_share: Decimal | None = Field(
        default=None,
        ge=0,
        le=1,
        description="Share of it that is paid at the start; empty: none, half or all, by payment.",
    )

    @property
    def upfront(self) -> Decimal:
        """`upfront_share`, or what the payment option means."""
        return _UPFRONT[self.payment] if self.upfront_share is None else self.upfront_share

    @model_validator(mode="after")
    def _upfront_fits_payment(self) -> OfferSettings:
        given = self.upfront_share
        if (
            given is not None
            and self.payment != "partial_upfront"
            and given != _UPFRONT[self.payment]
        ):
            raise ValueError("upfront_share is for payment: partial_upfront")
        if given is not None and self.payment == "partial_upfront" and given in (0, 1):
            raise ValueError("partial_upfront is more than nothing and less than all")
        return self


class CommitmentSettings(Section):
    """What commitments are sold at and how much may be risked, by
    docs/recommendations/commitments.md."""

    offers: tuple[OfferSettings, ...] = Field(
        default=(),
        description="Rates of commitments that can be bought, from the provider's price list. "
        "Usage that none of them is for is offered what the bill shows was bought.",
        examples=[[{"provider": "AWS", "term_months": 12, "price_share": "0.72"}]],
    )
    capital_rate_per_year: float = Field(
        default=0.0, ge=0, le=1, description="What money paid early could earn elsewhere, a year."
    )
    max_loss_risk: float = Field(
        default=0.05,
        ge=0,
        le=1,
        description="Probability of costing more than it saves above which none is advised.",
    )
