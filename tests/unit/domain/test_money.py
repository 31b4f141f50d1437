"""Money adds up within a currency, to the last digit, and not at all across currencies."""

from __future__ import annotations

from decimal import Decimal

import pytest

from finops_dagster.domain.money import MixedCurrenciesError, Money, total


def usd(amount: str) -> Money:
    return Money(amount=Decimal(amount), currency="USD")


def test_a_total_keeps_every_digit() -> None:
    """Harm: Python's 28 digits round a large bill."""
    rows = [usd("123456789012345678.00000000000000000001"), usd("0.00000000000000000001")]
    assert total(rows).amount == Decimal("123456789012345678.00000000000000000002")


def test_a_total_over_currencies_is_an_error() -> None:
    """Harm: 100 EUR and 100 USD become 200 of something."""
    euro = Money(amount=Decimal(100), currency="EUR")
    with pytest.raises(MixedCurrenciesError, match="EUR, USD"):
        total([usd("100"), euro])
    with pytest.raises(MixedCurrenciesError):
        usd("100") + euro
    with pytest.raises(ValueError, match="no amount"):
        total([])
