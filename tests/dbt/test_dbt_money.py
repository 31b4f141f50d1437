"""Money that changes, and money in several currencies: restatements, conversion, sums.

The figures asserted are sums a reader can do in the head.
"""

from __future__ import annotations

import re
from datetime import date
from decimal import Decimal

import duckdb
import pyarrow.parquet as pq
import pytest

from finops_dagster.domain.rates import Rate, Rates
from finops_dagster.storage.lake import Lake
from tests.dbt.landing import PROJECT, Estate, at, charge

JANUARY, FEBRUARY = "2026-01-01", "2026-02-01"
MODELS = PROJECT / "models"


def _rate(day: str, source: str, rate: str, taken_at: str) -> Rate:
    return Rate(
        day=date.fromisoformat(day),
        source=source,
        target="USD",
        rate=Decimal(rate),
        taken_at=at(taken_at),
    )


@pytest.fixture(scope="module")
def estate(tmp_path_factory: pytest.TempPathFactory) -> Estate:
    """January twice and February, whose file and mart are of before a column was thought of."""
    estate = Estate(tmp_path_factory.mktemp("money"))
    estate.deliver(
        "charges", JANUARY, "first", "2026-02-02T03:00",
        [
            charge(1, "2026-01-05", "0.1", pricing_currency="CHF"),
            charge(2, "2026-01-05", "-3.123456789012345", billing_currency="EUR"),
            charge(3, "2026-01-20", "123456789012345678.5", billing_currency="EUR"),
            charge(4, "2025-12-30", "1", billing_currency="GBP"),
        ],
    )  # fmt: skip
    estate.deliver(
        "charges", JANUARY, "second", "2026-02-03T03:00",
        [
            charge(1, "2026-01-05", "0.1", effective="0.2", service_name=None),
            charge(2, "2026-01-05", "-3.123456789012345", billing_currency="EUR"),
            charge(3, "2026-01-20", "123456789012345678.5", billing_currency="EUR"),
            charge(4, "2025-12-30", "1", billing_currency="GBP"),
        ],
    )  # fmt: skip
    # known after the cutoff: nothing may tell of it
    estate.deliver("charges", JANUARY, "third", "2026-02-20T03:00", [charge(1, "2026-01-05", "9")])
    Lake(estate.layout).write_rates(
        Rates(
            (
                _rate("2026-01-02", "EUR", "1.1", "2026-01-02T16:00"),
                _rate("2026-01-04", "EUR", "1.25", "2026-01-04T16:00"),
                # told later than anybody knew when the day was decided
                _rate("2026-01-05", "EUR", "9", "2026-05-04T16:00"),
                _rate("2026-01-01", "GBP", "1.4", "2026-01-01T16:00"),
                _rate("2025-12-30", "GBP", "7", "2025-12-30T16:00"),
            )
        )
    )
    cutoff = {"cutoff": "2026-02-10T06:00:00+00:00", "convert_to": ["USD"]}
    build = ("build", "--select", "tag:billing")
    result = estate.dbt(*build, **cutoff, first_period=JANUARY, last_period=JANUARY)
    assert result.exit_code == 0, result.output
    with duckdb.connect(str(estate.layout.warehouse)) as connection:
        connection.execute("alter table fct_costs_daily drop column pricing_currency")
    estate.deliver("charges", FEBRUARY, "feb", "2026-02-03T03:00", [charge(1, "2026-02-01", "7")])
    (file,) = (estate.layout.landing / "charges").glob("partition=2026-02-01/*.parquet")
    pq.write_table(pq.read_table(file, partitioning=None).drop(["pricing_currency"]), file)
    result = estate.dbt(*build, **cutoff, first_period=FEBRUARY, last_period=FEBRUARY)
    assert result.exit_code == 0, result.output
    return estate


def test_what_a_delivery_changed_is_its_money_before_and_after(estate: Estate) -> None:
    """A changed bill of which nobody can say what changed is disputed as a whole."""
    rows = estate.query(
        "select delivery_id, before_delivery_id, service_name, billed_before, billed_after,"
        " effective_difference, after_period_end from fct_restatements order by 3 nulls first"
    )
    tenth = Decimal("0.1")
    assert rows == [
        ("second", "first", None, Decimal(0), tenth, Decimal("0.2"), True),
        ("second", "first", "Compute", tenth, Decimal(0), -tenth, True),
    ]


def test_costs_are_converted_by_the_rate_of_their_day(estate: Estate) -> None:
    """A total in one currency must say by which rates, and nothing learnt later may be in it."""
    rows = estate.query(
        "select billing_currency, charge_date, rate, rate_date, converted_billed_cost"
        " from fct_costs_converted_daily where rate is not null and billing_period = '2026-01-01'"
        " order by all"
    )
    day = date(2026, 1, 5)
    assert rows == [
        # 3.123456789012345 x 1.25; the rate of the day before, of those taken by the cutoff
        ("EUR", day, Decimal("1.25"), date(2026, 1, 4), Decimal("-3.90432098626543125")),
        # billed in January, so converted by a rate of January
        ("GBP", date(2025, 12, 30), Decimal("1.4"), date(2026, 1, 1), Decimal("1.4")),
        ("USD", day, Decimal(1), day, Decimal("0.1")),
    ]


def test_a_missing_rate_is_named_and_no_number_is_made_up(estate: Estate) -> None:
    """A cost taken for nothing, or at a rate of last year, is a wrong total that looks right."""
    rows = estate.query(
        "select billed_cost, converted_billed_cost, converted_effective_cost, not_converted"
        " from fct_costs_converted_daily where rate is null"
    )
    assert rows == [
        (Decimal("123456789012345678.5"), None, None, "no rate from EUR to USD for 2026-01-20")
    ]


def test_marts_and_files_of_before_a_column_stay_readable(estate: Estate) -> None:
    """A new column must not ask for a new warehouse, or for every old bill once more."""
    assert estate.query(
        "select billing_period, pricing_currency, sum(billed_cost) from fct_costs_daily"
        " where billing_currency = 'USD' group by all order by all"
    ) == [
        (date(2026, 1, 1), None, Decimal("0.1")),
        (date(2026, 2, 1), None, Decimal(7)),
    ]


def test_a_sum_over_currencies_is_an_error(estate: Estate) -> None:
    """100 EUR and 100 USD are not 200 of anything."""

    def summed(where: str) -> str:
        shown = estate.dbt(
            "show", "--quiet", "--output", "json", "--inline",
            "select {{ money_sum('billed_cost') }} as billed from {{ ref('fct_costs_daily') }}"
            f" where billing_period = date '2026-01-01' and {where}",
        )  # fmt: skip
        return shown.output

    assert "a sum over several currencies" in summed("true")
    assert "-3.12" in summed("billing_currency = 'EUR' and charge_date < date '2026-01-10'")


def test_every_mart_sums_money_by_the_one_macro() -> None:
    """One model that adds up costs by itself is where currencies are mixed next."""
    plain = re.compile(r"\bsum\(\s*(?!case)[^)]*(?:_cost|billed|effective)", re.IGNORECASE)
    assert plain.search("select sum(billed_cost) as billed")
    for path in sorted(MODELS.glob("marts/costs/*.sql")):
        found = plain.findall(re.sub(r"\{\{.*?\}\}", "", path.read_text(encoding="utf-8")))
        assert not found, (path.name, found)


def test_models_read_no_file_that_is_not_in_force(estate: Estate) -> None:
    """Superseded deliveries and other months would be read again every day."""
    (sql,) = estate.query("select sql from duckdb_views() where view_name = 'stg_focus__charges'")
    files = re.findall(r"partition=([0-9-]+)/([^']+)\.parquet", sql[0])
    assert files == [(FEBRUARY, "src.feb")]
