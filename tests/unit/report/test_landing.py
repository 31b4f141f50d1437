"""Where a budget lands: what was spent and what is forecast, each day counted once."""

from __future__ import annotations

from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import pytest

from finops_dagster.report.landing import Ahead, Landing, Sum, landings

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


def together(last: int, a_day: float, spread: float) -> dict[tuple[str, str], list[Sum]]:
    """Sums of October's days after the 21st, `spread` of a day to both sides at 95 %."""
    levels = (0.025, 0.1, 0.5, 0.9, 0.975)
    wide = (-1.0, -0.5, 0.0, 0.5, 1.0)
    return {
        ("search", "USD"): [
            Sum(
                date(2026, 10, 21 + count),
                levels,
                tuple(count * (a_day + spread * one) for one in wide),
            )
            for count in range(1, last - 20)
        ]
    }


def with_odds(
    spent_by: str, *, a_day: float, spread: float, last: int = 31, **more: Any
) -> Landing:
    (found,) = landings(
        [row(OCTOBER, spent_by, **more)],
        days(21, "10"),
        ahead(date(2026, 10, 31), a_day),
        {},
        OCTOBER,
        sums=together(last, a_day, spread),
        no_sums="20 days of history are too few",
    )
    return found


def test_sums_say_how_likely_and_when_a_budget_is_exceeded() -> None:
    """210 spent, 10 days left of 11 +- 4: 320 in the middle, 310 planned."""
    one = with_odds("210", a_day=11.0, spread=4.0)
    assert one.expected is not None and one.odds is not None
    assert (one.expected.low, one.expected.mid, one.expected.high) == (280, 320, 360)
    assert (one.odds.expected_80.low, one.odds.expected_80.high) == (300, 340)
    # 100 more: half way from 90, with .1 below it, to 110, with .5
    assert one.odds.probability == pytest.approx(1 - 0.3)
    # at 13 a day the 29th, at 11 the 31st, at 9 not at all
    assert (one.odds.earliest, one.exceeded, one.odds.latest) == (
        date(2026, 10, 29),
        date(2026, 10, 31),
        None,
    )
    assert one.odds.days == "2026-10-29 or later, or not"
    assert one.document()["probability_exceeded"] == 0.7
    assert one.no_odds is None


def test_a_budget_that_is_safe_or_gone_says_so_and_no_more_than_is_known() -> None:
    """A probability of 0 or 1 from a few dozen windows is a boast."""
    safe = with_odds("210", a_day=5.0, spread=2.0)
    assert safe.odds is not None
    assert (safe.state, safe.exceeded, safe.odds.earliest) == ("within", None, None)
    assert safe.odds.days == "not before its end"
    assert safe.odds.probability == pytest.approx(0.025)
    gone = with_odds("210", a_day=20.0, spread=2.0)
    assert gone.odds is not None
    assert gone.odds.probability == pytest.approx(0.975)
    assert gone.odds.days == "2026-10-26 to 2026-10-27"


def test_without_sums_there_is_a_landing_and_a_reason() -> None:
    """Ends of days added are an interval; a probability made of them is none."""
    one = with_odds("210", a_day=11.0, spread=4.0, last=21)
    assert one.expected is not None
    assert (one.expected.mid, one.odds) == (320, None)
    assert one.no_odds == "20 days of history are too few"
    longer = with_odds("210", a_day=11.0, spread=4.0, period_end=date(2026, 12, 31))
    assert longer.odds is None
    assert longer.no_odds == longer.reason
    over = with_odds("310", a_day=1.0, spread=1.0, billed_until=date(2026, 10, 31))
    assert (over.odds, over.no_odds) == (None, None)
