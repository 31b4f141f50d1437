"""Numbers as text: exact where billed, honest where estimated."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from finops_dagster.domain.money import Money, MoneyRange, Range
from finops_dagster.report import format


def span(low: str, high: str, currency: str = "USD") -> MoneyRange:
    ends = Decimal(low), Decimal(high)
    return MoneyRange(low=ends[0], mid=sum(ends) / 2, high=ends[1], currency=currency)


def test_billed_money_keeps_the_digits_of_its_currency() -> None:
    """Cents of a currency that has none, or a third digit lost, is a wrong bill."""
    assert format.money(Money(amount=Decimal("1234567.895"), currency="USD")) == "1,234,567.90 USD"
    assert format.money(Money(amount=Decimal("1234.5"), currency="JPY")) == "1,234 JPY"
    assert format.money(Money(amount=Decimal("1.2345"), currency="KWD")) == "1.234 KWD"
    assert format.money(Money(amount=Decimal("-0.001"), currency="USD")) == "0.00 USD"
    assert format.money(Money(amount=Decimal("-12.345"), currency="EUR")) == "-12.34 EUR"


@pytest.mark.parametrize(
    ("low", "high", "text"),
    [
        ("412.37", "558.2", "saves 410 to 560 USD a month, 95 %"),
        ("41237", "55820", "saves 41,000 to 56,000 USD a month, 95 %"),
        ("0.213", "0.871", "saves 0.21 to 0.87 USD a month, 95 %"),
        ("10", "10", "saves 10 USD a month"),
        ("0", "0", "saves 0 USD a month"),
        ("-48.2", "-31", "costs 31 to 48 USD a month more, 95 %"),
        ("-10", "40", "between 10 USD more and 40 less a month, 95 %"),
        ("99.4", "100.3", "saves 100 USD a month, 95 %"),
    ],
)
def test_savings_are_ranges_with_honest_digits(low: str, high: str, text: str) -> None:
    """412.37 claims to know cents of an estimate; a sign lost turns a cost into a saving."""
    assert format.saving(span(low, high)) == text


@given(st.decimals(-(10**9), 10**9, places=6), st.decimals(0, 10**6, places=6))
def test_rounded_ranges_stay_near_and_ordered(low: Decimal, width: Decimal) -> None:
    """Rounding may not turn a range round or move an end by more than a tenth of the larger."""
    value = MoneyRange(low=low, mid=low + width / 2, high=low + width, currency="USD")
    found = re.findall(r"-?[\d,.]+\d|-?\d", format.money_range(value))
    numbers = [Decimal(number.replace(",", "")) for number in found]
    assert numbers == sorted(numbers)
    reach = max(abs(value.low), abs(value.high)) / 10 + Decimal("0.01")
    assert abs(numbers[0] - value.low) <= reach
    assert abs(numbers[-1] - value.high) <= reach


def test_shares_never_show_a_false_zero() -> None:
    """0 % of risk is a promise that 0.4 % does not make."""
    assert format.share(0.004) == "< 1 %"
    assert format.share(0.0) == "0 %"
    assert format.share(0.004, 1) == "0.4 %"
    assert format.share(float("nan")) == "unknown"


def test_a_chance_is_never_a_promise() -> None:
    """100 % from a few dozen windows is one that will be broken."""
    assert [format.chance(one) for one in (0.005, 0.0100, 0.764, 0.99, 0.995)] == [
        "under 1 %",
        "1 %",
        "76 %",
        "99 %",
        "over 99 %",
    ]


def test_changes_have_a_sign_and_no_false_zero() -> None:
    """A rise and a fall of the same size must not look alike."""
    assert format.change(0.141) == "+14 %"
    assert format.change(-0.0031) == "-0.3 %"
    assert format.change(0.00001) == "unchanged"
    assert format.change(12.5) == "+1,250 %"


def test_quantities_sizes_and_words() -> None:
    """Units and codes must read the same on page and terminal."""
    assert format.quantity(1234.5, "kWh") == "1,234 kWh"
    assert format.quantity(0.4213, "cores") == "0.421 cores"
    assert format.quantity(float("nan"), "cores") == "unknown"
    assert format.size(1.5 * 2**30) == "1.5 GiB"
    assert format.words("rightsize_cpu") == "Rightsize CPU"
    assert format.count(1, "delivery", "deliveries") == "1 delivery"
    assert format.count(1204, "delivery", "deliveries") == "1,204 deliveries"
    assert format.when(datetime(2026, 10, 31, 6, 5, tzinfo=UTC)) == "2026-10-31 06:05 UTC"
    assert format.month(date(2026, 10, 1)) == "Oct 2026"
    assert format.seconds(185.2) == "3 min 05 s"


def test_carbon_says_its_direction() -> None:
    """More carbon told as a saving is worse than no figure."""
    assert format.carbon(Range(low=8.2, mid=11, high=14.9)) == "saves 8.2 to 14.9 kg CO2e a month"
    assert format.carbon(Range(low=-3, mid=-2, high=-1)) == "adds 1 to 3 kg CO2e a month"
    assert format.carbon(Range(low=0, mid=0, high=0)) == "no change in CO2e"
    assert "more" in format.carbon(Range(low=-1, mid=0, high=1))
