"""Rates of commitments as they are written: what they mean, and what cannot be meant."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from pydantic import ValidationError

from finops_dagster.settings.commitments import CommitmentSettings


def offer(**keys: Any) -> dict[str, Any]:
    return {"offers": [{"term_months": 12, "price_share": 0.7} | keys]}


def test_payment_says_what_is_paid_at_the_start() -> None:
    """A payment option taken for another changes what the money costs."""
    for payment, share in (("no_upfront", "0"), ("partial_upfront", "0.5"), ("all_upfront", "1")):
        (one,) = CommitmentSettings.model_validate(offer(payment=payment)).offers
        assert one.upfront == Decimal(share)
    told = offer(payment="partial_upfront", upfront_share="0.3")
    assert CommitmentSettings.model_validate(told).offers[0].upfront == Decimal("0.3")


@pytest.mark.parametrize(
    "wrong",
    [
        {"price_share": 1},
        {"price_share": 28},
        {"price_share": float("nan")},
        {"term_months": 0},
        {"payment": "later"},
        {"bound_to": ["colour"]},
        {"upfront_share": 0.5},
        {"payment": "all_upfront", "upfront_share": 0.5},
        {"payment": "partial_upfront", "upfront_share": 0},
        {"colour": "blue"},
    ],
)
def test_what_cannot_be_meant_is_refused(wrong: dict[str, Any]) -> None:
    """28 is no share of a price, and dearer than on demand is no offer."""
    with pytest.raises(ValidationError):
        CommitmentSettings.model_validate(offer(**wrong))
