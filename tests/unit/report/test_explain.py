"""What a manager is told of a change: right, and in ten lines."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import Any

from finops_dagster.report.explain import EFFECTS, explained

OCTOBER = date(2026, 10, 1)


def row(service: str, before: str, after: str, **effects: str) -> dict[str, Any]:
    return {
        "service_name": service,
        "billing_currency": "USD",
        "compared_until": date(2026, 10, 31),
        "cost_before": Decimal(before),
        "cost_after": Decimal(after),
        **{f"{name}_effect": Decimal(effects.get(name, "0")) for name in EFFECTS},
    }


ROWS = [
    row("Compute", "1000", "1250.5", price="-20", quantity="250.5", mix="20"),
    row("Storage", "200", "240", quantity="40"),
    row("Queue", "10", "30", quantity="20"),
    row("Maps", "0", "99", quantity="99"),
    row("Mail", "15", "0", quantity="-15"),
    row("Tax", "50", "75", other="25"),
    row("Network", "0", "-12", shared="-12"),
]


def test_ten_lines_tell_the_change_and_its_causes() -> None:
    (found,) = explained("search", OCTOBER, ROWS)
    assert found.lines() == [
        "search spent 1,682 USD in Oct 2026, 408 USD more (+32 %) than in Sep 2026.",
        "More use +394 USD: Compute (+250 USD), Maps (+99.00 USD) and 2 more.",
        "Fees, taxes, credits and corrections +25.00 USD: Tax (+25.00 USD).",
        "Lower prices -20.00 USD: Compute (-20.00 USD).",
        "A dearer mix +20.00 USD: Compute (+20.00 USD).",
        "Less of shared costs -12.00 USD: Network (-12.00 USD).",
        "New: Maps (99.00 USD).",
        "No more: Mail (15.00 USD).",
        "Most is spent on Compute: 1,250 USD, 74 % of all.",
        "Amounts are effective cost; the causes sum to the change.",
    ]


def test_the_document_sums_to_the_change() -> None:
    (found,) = explained("search", OCTOBER, ROWS)
    told = found.document()
    assert told["change"] == Decimal("407.5")
    assert sum(told["effects"].values()) == told["change"]
    assert sum(one["change"] for one in told["services"]) == told["change"]
    for one in told["services"]:
        assert sum(one["effects"].values()) == one["change"]


def test_a_month_that_goes_on_is_told_as_one() -> None:
    late, early = (dict(ROWS[0], compared_until=date(2026, 10, day)) for day in (14, 11))
    (found,) = explained("search", OCTOBER, [late, early])
    assert found.lines()[0] == (
        "search spent 2,501 USD in Oct 2026, up to day 11, 501 USD more (+25 %) than on the same "
        "days of Sep 2026."
    )


def test_currencies_are_told_apart() -> None:
    euros = dict(ROWS[1], billing_currency="EUR")
    first, second = explained("search", OCTOBER, [*ROWS, euros])
    assert (first.currency, first.change) == ("EUR", Decimal(40))
    assert (second.currency, second.change) == ("USD", Decimal("407.5"))


def test_nothing_changed_is_said() -> None:
    (found,) = explained("search", OCTOBER, [row("Compute", "12.345", "12.344", quantity="-0.001")])
    assert found.lines()[0] == "search spent 12.34 USD in Oct 2026, as much as in Sep 2026."


def test_a_fee_that_is_billed_at_the_end_is_not_gone_before() -> None:
    fee = dict(row("Support", "50", "0", other="-50"), compared_until=date(2026, 10, 11))
    (found,) = explained(None, OCTOBER, [fee, dict(ROWS[0], compared_until=date(2026, 10, 11))])
    lines = found.lines()
    assert lines[0].startswith("What no team has cost 1,250 USD in Oct 2026, up to day 11, 200 USD")
    assert (
        "Fees, taxes, credits and corrections -50.00 USD: Support (-50.00 USD); some may yet come."
        in lines
    )
    assert not any(line.startswith("No more") for line in lines)
