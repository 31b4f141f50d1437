"""Money from text to DECIMAL(38,20) and back."""

from __future__ import annotations

from decimal import ROUND_HALF_UP, Decimal, localcontext

import duckdb
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from finops_dagster.sources.parsing import RawColumn, exact_decimal, parse_money

CONNECTION = duckdb.connect(config={"threads": 1})


def through_sql(text: str) -> Decimal | None:
    row = CONNECTION.execute(f"SELECT {exact_decimal('t')} FROM (SELECT ? AS t)", [text]).fetchone()
    assert row is not None
    value: Decimal | None = row[0]
    return value


def twenty_decimals(units: int) -> Decimal:
    return Decimal(f"{units}E-20")


amounts = st.integers(-(10**38) + 1, 10**38 - 1).map(twenty_decimals)


@given(amounts)
@settings(max_examples=300, deadline=None)
def test_every_amount_that_fits_comes_back_to_the_last_digit(amount: Decimal) -> None:
    """A cent lost on one row of a million is a bill that never reconciles."""
    with localcontext() as context:
        context.prec = 60
        assert through_sql(format(amount, "f")) == amount


@given(amounts, st.integers(-18, 18))
@settings(max_examples=300, deadline=None)
def test_exponents_mean_what_they_say_or_the_row_is_set_aside(amount: Decimal, shift: int) -> None:
    """8E-7 read as 8, or rounded, would be wrong money that no check sees."""
    with localcontext() as context:
        context.prec = 60
        text = f"{amount.scaleb(-shift):f}E{shift}"
        got = through_sql(text)
        assert got is None or got == amount


@given(st.integers(1, 10**17 - 1), st.text("0123456789", min_size=21, max_size=25))
@settings(max_examples=200, deadline=None)
def test_more_than_twenty_decimals_is_never_rounded_in_silence(whole: int, decimals: str) -> None:
    """Rounding text to fit is a float by another name."""
    got = through_sql(f"{whole}.{decimals}")
    if decimals.rstrip("0")[20:]:
        assert got is None
    else:
        assert got == Decimal(f"{whole}.{decimals}")


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("0", "0"), ("-3", "-3"), (".5", "0.5"), ("5.", "5"), ("+3", "3"), ("8E-7", "0.0000008"),
        ("35.2E7", "352000000"), ("1.5E+3", "1500"), ("0E-26", "0"), ("1E-20", "1E-20"),
        ("-0.00000000000000000001", "-1E-20"), ("1.250000000000000000000000000", "1.25"),
        ("999999999999999999.99999999999999999999", "999999999999999999.99999999999999999999"),
    ],
)  # fmt: skip
def test_notations_of_real_exports(text: str, value: str) -> None:
    """FOCUS allows mEn; a notation that is legal must not set a bill aside."""
    assert through_sql(text) == Decimal(value)


@pytest.mark.parametrize(
    "text",
    ["abc", "1_000", "0x10", "3,432,342", "2.3^3", "nan", "inf", "1E-21", "1E18", "1e400", "1 2",
     "1000000000000000000", "--1", "1.2.3", "$5.00", "1e", "e5", "٣"],
)  # fmt: skip
def test_what_is_no_exact_amount_is_no_amount(text: str) -> None:
    """DuckDB's own cast reads 1_000 as a thousand and 1E-21 as zero: both would be invented."""
    assert through_sql(text) is None


@given(st.floats(min_value=-1e12, max_value=1e12, allow_nan=False))
@settings(max_examples=200, deadline=None)
def test_a_float_column_is_read_by_its_shortest_decimal_text(value: float) -> None:
    """0.1 in a Parquet double is 0.1, not 0.1000000000000000055511151231257827."""
    parsed = parse_money(RawColumn("BilledCost", "c0", "DOUBLE"))
    row = CONNECTION.execute(
        f"SELECT {parsed.sql} FROM (SELECT ?::DOUBLE AS c0)", [value]
    ).fetchone()
    assert row is not None
    with localcontext() as context:
        context.prec = 60
        exact = Decimal(repr(value)).quantize(Decimal(1).scaleb(-20), rounding=ROUND_HALF_UP)
        # beyond the 20th decimal DuckDB cuts or rounds: less than the float's own error either way
        assert abs(row[0] - exact) <= Decimal(1).scaleb(-20)
