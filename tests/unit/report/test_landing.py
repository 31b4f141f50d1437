"""Where a budget lands: what was spent and what is forecast, each day counted once."""

from __future__ import annotations

from datetime import date, timedelta
from decimal import Decimal
from typing import Any

from finops_dagster.report.landing import Ahead, Landing, landings

OCTOBER = date(2026, 10, 1)


def row(month: date, actual: str, **changed: Any) -> dict[str, Any]:
    return {
        "billing_period": month,
        "budget": "search",
        "metric": "effective_cost",
        "billing_currency": "USD",
        "period": "month",
        "period_start": OCTOBER,
        "period_end": date(2026, 10, 31),
        "period_amount": Decimal(310),
        "planned": Decimal(310),
        "billed_until": date(2026, 10, 21),
        "planned_to_date": Decimal(210),
        "actual": Decimal(actual),
        "reason": None,
        **changed,
    }


def spent(day: date, cost: str, usage: str | None = None) -> dict[str, Any]:
    return {
        "day": day,
        "budget": "search",
        "billing_currency": "USD",
        "total_cost": Decimal(cost),
        "usage_cost": Decimal(usage or cost),
    }


def days(last: int, cost: str) -> list[dict[str, Any]]:
    return [spent(date(2026, 10, day), cost) for day in range(1, last + 1)]


def ahead(last: date, mean: float) -> dict[tuple[str, str], list[Ahead]]:
    points = [
        Ahead(date(2026, 10, 22) + timedelta(days=after), mean, mean - 1, mean + 2)
        for after in range((last - date(2026, 10, 21)).days)
    ]
    return {("search", "USD"): points}


def landed(rows: list[dict[str, Any]], daily: list[dict[str, Any]], *more: Any) -> Landing:
    (found,) = landings(rows, daily, *(more or ({},)), {}, OCTOBER)
    return found


def test_a_month_lands_on_what_was_spent_and_what_is_forecast() -> None:
    one = landed([row(OCTOBER, "210")], days(21, "10"), ahead(date(2026, 11, 20), 11.0))
    assert one.expected is not None
    assert (one.expected.low, one.expected.mid, one.expected.high) == (310, 320, 340)
    assert (one.state, one.exceeded) == ("will exceed", date(2026, 10, 31))
    calm = landed([row(OCTOBER, "210")], days(21, "10"), ahead(date(2026, 10, 31), 9.0))
    assert (calm.state, calm.exceeded) == ("within", None)


def test_a_day_that_not_all_have_billed_is_forecast_but_its_fees_are_known() -> None:
    """Half a day's usage beside a whole forecast of it would count that half twice."""
    late = [*days(21, "10"), spent(date(2026, 10, 22), "7", "4")]
    one = landed([row(OCTOBER, "217")], late, ahead(date(2026, 10, 31), 10.0))
    assert one.expected is not None
    assert one.expected.mid == 210 + 3 + 100
    assert one.actual == 217


def test_a_period_beyond_the_forecast_is_not_guessed() -> None:
    """Of a quarter that ends in ten weeks thirty days are known, and these are told."""
    quarter = {
        "period": "quarter",
        "period_end": date(2026, 12, 31),
        "period_amount": Decimal(920),
    }
    one = landed([row(OCTOBER, "210", **quarter)], days(21, "10"), ahead(date(2026, 11, 20), 11.0))
    assert one.expected is None
    assert one.reason == "the forecast ends before 2026-11-21, the period on 2026-12-31"
    assert one.by_month_end is not None
    assert one.by_month_end.mid == 320
    assert one.state == "over plan"


def test_what_is_not_forecast_has_a_reason() -> None:
    one = landed([row(OCTOBER, "210")], days(21, "10"))
    assert (one.expected, one.by_month_end, one.state) == (None, None, "unknown")
    assert one.reason == "no forecast was made of it"
    unbilled = {"billed_until": None, "planned_to_date": None, "reason": "nothing is billed"}
    assert landed([row(OCTOBER, "0", **unbilled)], []).reason == "nothing is billed"
    (short,) = landings(
        [row(OCTOBER, "210")], [], {}, {("search", "USD"): "9 days of history"}, OCTOBER
    )
    assert short.reason == "9 days of history"


def test_months_of_a_period_are_counted_together() -> None:
    """A quarter's second month alone would look thrifty after a first that spent it all."""
    quarter = {
        "period": "quarter",
        "period_start": date(2026, 9, 1),
        "period_end": date(2026, 11, 30),
        "period_amount": Decimal(915),
    }
    rows = [
        row(date(2026, 8, 1), "5000", period_start=date(2026, 6, 1)),
        row(date(2026, 9, 1), "900", **{**quarter, "planned": Decimal(300)}),
        row(OCTOBER, "210", **quarter),
    ]
    daily = [spent(date(2026, 8, 15), "5000"), spent(date(2026, 9, 15), "900"), *days(21, "10")]
    one = landed(rows, daily)
    assert (one.actual, one.planned_to_date) == (1110, 510)
    assert (one.state, one.exceeded) == ("exceeded", date(2026, 10, 2))


def test_a_credit_that_brings_it_back_under_takes_the_day_with_it() -> None:
    daily = [*days(21, "20"), spent(date(2026, 10, 20), "-200")]
    over = {"billed_until": date(2026, 10, 31), "planned_to_date": Decimal(310)}
    one = landed([row(OCTOBER, "220", **over)], daily)
    assert (one.is_over, one.state, one.exceeded) == (True, "within", None)
    assert one.expected is not None
    assert one.expected.low == one.expected.high == 220


def test_cost_in_another_currency_lands_nowhere() -> None:
    assert landings([row(OCTOBER, "5", planned=None)], [], {}, {}, OCTOBER) == []
