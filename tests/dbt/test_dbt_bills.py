"""Bills through the warehouse: which delivery counts, exact money, what a run replaces.

The tiny bills here are written by hand; figures asserted are sums a reader can do in the head.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from tests.dbt.landing import Estate, Result, charge

JANUARY, FEBRUARY = "2026-01-01", "2026-02-01"
# unit tests say the same over any data: all of them run in test_dbt_signals, over none
BILLING = ("--select", "tag:billing", "--exclude-resource-type", "unit_test")


def _tokens(number: int, day: str, meter: str, millions: str, cost: str) -> dict[str, Any]:
    """Use of a model, drawn from credits that were paid for before: money is in EffectiveCost."""
    return charge(
        number,
        day,
        "0",
        effective=cost,
        provider_name="Model house",
        service_category="AI and Machine Learning",
        service_name="Models",
        sku_meter=meter,
        consumed_quantity=Decimal(millions) * 1_000_000,
        consumed_unit="Tokens",
        pricing_currency="Credit",
        pricing_currency_effective_cost=Decimal(cost) * 100,
        pricing_unit="1M Tokens",
    )


TOKENS = (
    _tokens(2, "2026-02-01", "model-a input tokens", "2.5", "0.75"),
    _tokens(3, "2026-02-01", "model-a input tokens", "1.5", "0.45"),
    _tokens(4, "2026-02-01", "model-a output tokens", "0.2", "0.3"),
)


def _month(first: str, last: str | None = None, **variables: Any) -> dict[str, Any]:
    return {"first_period": first, "last_period": last or first, **variables}


def _billed(estate: Estate) -> dict[tuple[date, str], Decimal]:
    return {
        (period, currency): total
        for period, currency, total in estate.query(
            "select billing_period, billing_currency, sum(billed_cost)"
            " from fct_costs_daily group by all"
        )
    }


@dataclass(frozen=True)
class Built:
    """The estate after two builds, and what the marts said after the first."""

    estate: Estate
    results: tuple[Result, Result]
    early_billed: dict[tuple[date, str], Decimal]
    early_conservation: list[tuple[Any, ...]]
    early_coverage: list[tuple[Any, ...]]


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Built:
    """Two months, January restated; built at an early cutoff, then at a late one."""
    estate = Estate(tmp_path_factory.mktemp("bills [1]*"))
    estate.deliver(
        "charges",
        JANUARY,
        "first",
        "2026-02-02T03:00",
        [
            charge(1, "2026-01-05", "0.10000000000000000001", tags=[("Team", "red")]),
            charge(2, "2026-01-05", "0.20000000000000000002", tags=[("Team", "red")]),
            charge(3, "2026-01-06", "123456789012345678.5", billing_currency="EUR"),
            charge(4, "2026-01-07", "-5", effective="-4", charge_category="Credit"),
        ],
    )
    estate.deliver(
        "charges", FEBRUARY, "feb", "2026-02-03T03:00", [charge(1, "2026-02-01", "7"), *TOKENS]
    )
    # never sealed: its rows lie in the lake, its record does not
    estate.deliver(
        "charges",
        FEBRUARY,
        "unsealed",
        "2026-02-04T03:00",
        [charge(1, "2026-02-01", "1000")],
        sealed=False,
    )
    # another state of the same files, known at the same instant: `restated` takes its place
    estate.deliver(
        "charges", JANUARY, "replaced", "2026-02-20T03:00", [charge(1, "2026-01-05", "500")]
    )
    estate.deliver(
        "charges",
        JANUARY,
        "restated",
        "2026-02-20T03:00",
        [charge(1, "2026-01-05", "11"), charge(2, "2026-01-08", "1", charge_class="Correction")],
    )
    early = estate.dbt(
        "build", *BILLING, **_month(JANUARY, FEBRUARY, cutoff="2026-02-19T06:00:00+00:00")
    )
    billed = _billed(estate)
    conservation = estate.query(
        "select metric, billing_currency, landing_total, staging_total, mart_total, difference"
        " from fct_bill_conservation where billing_period = date '2026-01-01'"
    )
    coverage = estate.query(
        "select tag, tagged_cost, untagged_cost, total_cost from fct_tag_coverage_daily"
        " where charge_date = date '2026-01-05' and tag in ('team', 'environment')"
    )
    late = estate.dbt("build", *BILLING, **_month(JANUARY, cutoff="2026-02-20T06:00:00+00:00"))
    return Built(estate, (early, late), billed, conservation, coverage)


def test_builds_end_without_a_failed_test(built: Built) -> None:
    """A warehouse that fails on a sound bill would stop every line."""
    for result in built.results:
        assert result.exit_code == 0, result.output
        assert set(result.statuses.values()) == {"success", "pass"}


def test_a_past_cutoff_sees_the_bill_of_that_day(built: Built) -> None:
    """A decision made again must not know a restatement that came later, nor half a landing."""
    assert built.early_billed == {
        (date(2026, 1, 1), "USD"): Decimal("-4.69999999999999999997"),
        (date(2026, 1, 1), "EUR"): Decimal("123456789012345678.5"),
        (date(2026, 2, 1), "USD"): Decimal(7),
    }


def test_conservation_is_to_the_last_digit(built: Built) -> None:
    """A cent lost between bill and mart is a number finance will not sign."""
    usd = {row[0]: row[2:] for row in built.early_conservation if row[1] == "USD"}
    billed = Decimal("-4.69999999999999999997")
    effective = Decimal("-3.69999999999999999997")
    nothing = Decimal(0)
    assert usd == {
        "billed_cost": (billed, billed, billed, nothing),
        "effective_cost": (effective, effective, effective, nothing),
        "list_cost": (nothing, nothing, nothing, nothing),
        "contracted_cost": (nothing, nothing, nothing, nothing),
    }


def test_tag_coverage_of_a_day(built: Built) -> None:
    """Untagged spend that is not shown never gets an owner."""
    whole = Decimal("0.30000000000000000003")
    assert set(built.early_coverage) == {
        ("team", whole, Decimal(0), whole),
        ("environment", Decimal(0), whole, whole),
    }


def test_a_restated_month_is_replaced_and_the_others_stay(built: Built) -> None:
    """Charges counted twice after a restatement, or a month lost beside it, falsify the trend."""
    estate = built.estate
    assert _billed(estate) == {
        (date(2026, 1, 1), "USD"): Decimal(12),
        (date(2026, 2, 1), "USD"): Decimal(7),
    }
    assert estate.query(
        "select billed_cost from fct_costs_daily where charge_class = 'Correction'"
    ) == [(Decimal(1),)]
    assert estate.query(
        "select count(*) from fct_bill_conservation"
        " where billing_period = date '2026-01-01' and billing_currency = 'EUR'"
    ) == [(0,)]


def test_tokens_are_seen_by_meter_and_credits_are_no_money(built: Built) -> None:
    """A hundred credits added to seven dollars are a bill of 107 of nothing."""
    assert built.estate.query(
        "select sku_meter, consumed_unit, billing_currency, sum(consumed_quantity),"
        " sum(billed_cost), sum(effective_cost) from fct_costs_daily"
        " where service_category = 'AI and Machine Learning' group by all order by sku_meter"
    ) == [
        ("model-a input tokens", "Tokens", "USD", 4_000_000, 0, Decimal("1.2")),
        ("model-a output tokens", "Tokens", "USD", 200_000, 0, Decimal("0.3")),
    ]
    assert built.estate.query("select distinct billing_currency from fct_costs_daily") == [("USD",)]


def test_money_is_decimal_to_the_end(built: Built) -> None:
    """A float anywhere would round a large bill."""
    estate = built.estate
    types = estate.query(
        "select distinct data_type from information_schema.columns where table_name like 'fct_%'"
        " and (column_name like '%_cost' or column_name like '%_total'"
        " or column_name like 'saving%' or column_name in ('difference', 'consumed_quantity'))"
    )
    assert types == [("DECIMAL(38,20)",)]


def test_rows_lost_between_landing_and_staging_fail_the_build(tmp_path: Path) -> None:
    """A truncated file that still reads must not become a smaller bill."""
    estate = Estate(tmp_path)
    estate.deliver(
        "charges",
        JANUARY,
        "short",
        "2026-01-31T03:00",
        [charge(1, "2026-01-05", "1")],
        rows_landed=2,
    )
    result = estate.dbt("build", *BILLING, **_month(JANUARY))
    assert result.exit_code == 1
    assert result.statuses["stg_focus__charges_all_landed_rows_arrive"] == "fail"
    assert result.statuses["fct_costs_daily"] == "skipped"


def test_a_month_without_a_delivery_in_force_is_emptied(tmp_path: Path) -> None:
    """A month decided again for a day before its first delivery must not keep later charges."""
    estate = Estate(tmp_path)
    estate.deliver("charges", JANUARY, "a", "2026-01-20T03:00", [charge(1, "2026-01-05", "1")])
    models = ("--select", "+fct_costs_daily", "--exclude-resource-type", "test", "unit_test")
    assert estate.dbt("build", *models, **_month(JANUARY)).exit_code == 0
    assert _billed(estate) == {(date(2026, 1, 1), "USD"): Decimal(1)}
    before = _month(JANUARY, cutoff="2026-01-19T06:00:00+00:00")
    assert estate.dbt("build", *models, **before).exit_code == 0
    assert _billed(estate) == {}
