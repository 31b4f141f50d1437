"""Unit costs, budgets and chargeback of allocated costs, beside plain Python over the same rows.

How costs come to be allocated is held by the tests of allocation.
"""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Iterator, Mapping
from datetime import date, timedelta
from decimal import Decimal, localcontext
from fnmatch import fnmatchcase
from typing import Any

import pytest

from finops_dagster.domain.allocation import Allocation
from finops_dagster.domain.periods import next_month
from tests.dbt.landing import Estate, Result
from tests.dbt.test_dbt_allocation import FILE, MONTHS, Cost, build, costs

LEDGER = Allocation.model_validate(
    {
        **FILE.model_dump(by_alias=True, exclude={"units", "budgets", "price_list"}),
        "units": [
            {"name": "order", "metric": "orders", "of": {"business_unit": ["east", "west"]}},
            {"name": "order", "metric": "orders", "of": {"team": "gr*"}, "per": 100,
             "cost": "billed_cost", "from": "2026-02-11"},
            {"name": "user", "metric": "users"},
        ],
        "budgets": [
            {"name": "red", "of": {"team": "RED"}, "currency": "USD", "amount": "1000.01"},
            {"name": "all", "currency": "EUR", "amount": 12345, "period": "quarter",
             "phasing": "by_day", "metric": "billed_cost"},
            {"name": "nobody", "of": {"team": ""}, "currency": "USD", "amount": 5, "period": "year",
             "starts": 2, "from": "2026-02-01"},
        ],
        "price_list": [
            {"name": "hours", "price": "0.5", "per": "hours", "currency": "USD",
             "when": {"service_name": "Comp*"}},
            {"name": "in the cluster", "markup": "0.333333333", "when": {"namespace": "red"}},
            {"name": "overhead", "markup": "-0.05", "unless": {"service_name": ["Tax", "Queue"]},
             "until": "2026-02-10"},
        ],
    }
)  # fmt: skip
LEDGER = LEDGER.model_copy(
    update={"units": (LEDGER.units[0].within(date.min, date(2026, 2, 10)), *LEDGER.units[1:])}
)


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> tuple[Estate, Result]:
    draw = random.Random(11)
    given = [
        Cost(
            {
                **cost.columns,
                "consumed_unit": draw.choice(["Hours", "GB"]),
                "consumed_quantity": Decimal(draw.randint(0, 9000)).scaleb(-3),
            },
            cost.tags,
        )
        for cost in costs(seed=5)
    ]
    return build(tmp_path_factory.mktemp("showback"), given, LEDGER, counted())


def counted() -> list[dict[str, Any]]:
    """Orders of two parts of the company and of none, on most days; users once."""
    draw = random.Random(3)
    rows = [
        {"day": MONTHS[0] + timedelta(days=after), "metric": "Orders", "business_unit": unit,
         "team": None, "quantity": draw.choice([0, 1, 2, 700])}
        for after in range(60)
        for unit in ("east", "north", None)
        if draw.random() < 0.5
    ]  # fmt: skip
    return [*rows, {"day": MONTHS[0], "metric": "users", "quantity": 3}]


def allocated(estate: Estate) -> Iterator[dict[str, Any]]:
    """The rows of the mart, each with the day of its month that is nearest to its own."""
    names = [row[0] for row in estate.query("describe fct_allocated_costs_daily")]
    for values in estate.query("select * from fct_allocated_costs_daily"):
        row = dict(zip(names, values, strict=True))
        last = next_month(row["billing_period"]) - timedelta(days=1)
        row["day"] = min(max(row["charge_date"], row["billing_period"]), last)
        row["namespace"] = row["resource"].split("/")[1] if row["resource"] else None
        yield row


def holds(conditions: Mapping[str, Any], row: Mapping[str, Any]) -> list[bool]:
    return [
        "" in texts
        if row[column] is None
        else any(fnmatchcase(row[column].lower(), text.lower()) for text in texts if text)
        for column, texts in conditions.items()
    ]


def test_every_test_holds(built: tuple[Estate, Result]) -> None:
    """There the parts of a budget sum to its days, and what is shown back to what is allocated."""
    assert built[1].exit_code == 0, built[1].output


def test_budgets_have_the_costs_of_their_scope(built: tuple[Estate, Result]) -> None:
    """A team that is held against another team's costs disputes every bill thereafter."""
    wanted: dict[tuple[Any, ...], Decimal] = defaultdict(Decimal)
    for row in allocated(built[0]):
        for plan in LEDGER.plans([row["billing_period"]]):
            if all(holds(plan.of, row)):
                key = (plan.name, row["billing_period"], row["billing_currency"])
                wanted[key] += row[plan.metric] or 0
    rows = built[0].query(
        "select budget, billing_period, billing_currency, actual, planned, remaining, reason"
        " from fct_budgets_monthly"
    )
    assert {row[:3]: row[3] for row in rows} == wanted
    planned = {
        (plan.name, plan.month, plan.currency): plan.planned for plan in LEDGER.plans(MONTHS)
    }
    assert {row[:3]: row[4] for row in rows if row[4] is not None} == planned
    for name, month, currency, actual, plan, remaining, reason in rows:
        assert remaining == (None if plan is None else plan - actual), (name, month)
        assert (reason is None) == ((name, month, currency) in planned)


def test_a_unit_cost_is_cost_by_quantity(built: tuple[Estate, Result]) -> None:
    """Cost per order is quoted in board papers: what is divided by what must be plain."""
    cost: dict[tuple[Any, ...], Decimal] = defaultdict(Decimal)
    for row in allocated(built[0]):
        for unit in LEDGER.units:
            if unit.meets(row["day"], row["day"]) and all(holds(unit.of, row)):
                cost[unit.name, row["day"], row["billing_currency"]] += row[unit.cost] or 0
    quantity: dict[tuple[Any, ...], Decimal] = defaultdict(Decimal)
    for one in counted():
        for unit in LEDGER.units:
            unsaid = {column: texts for column, texts in unit.of.items() if one.get(column)}
            counts = unit.metric == one["metric"].lower() and all(holds(unsaid, one))
            if counts and unit.meets(one["day"], one["day"]):
                quantity[unit.name, one["day"]] += one["quantity"]
    rows = built[0].query(
        "select unit, day, billing_currency, total_cost, quantity, unit_cost, reason, per"
        " from fct_unit_costs_daily"
    )
    assert {row[:3]: row[3] for row in rows if row[:3] in cost} == cost
    assert all(row[3] == 0 for row in rows if row[:3] not in cost)
    assert {row[:2]: row[4] for row in rows if row[4] is not None}.items() <= quantity.items()
    told = 0
    for unit, day, _, money, many, each, reason, per in rows:
        assert per == (100 if unit == "order" and day >= date(2026, 2, 11) else 1)
        assert (each is None) == (reason is not None)
        if each is not None:
            told += 1
            assert abs(each - money * per / many) < Decimal("0.000001")
    assert told > 20


def test_what_is_charged_follows_the_first_entry_that_fits(built: tuple[Estate, Result]) -> None:
    """A team charged by the wrong price has a claim; one charged twice has a better one."""
    wanted: dict[tuple[Any, ...], list[Decimal]] = defaultdict(lambda: [Decimal(0)] * 2)
    for row in allocated(built[0]):
        entry = None
        for price in LEDGER.price_list if row["team"] else ():
            fits = all(holds(price.when, row)) and not any(holds(price.unless, row))
            if price.price is not None:
                fits = fits and row["line"] == "charge" and row["pool"] is None
                fits = fits and row["billing_currency"] == price.currency
                fits = fits and (row["consumed_unit"] or "").lower() == price.per
            if fits and price.meets(row["charge_date"], row["charge_date"]):
                entry = price
                break
        key = (row["billing_period"], row["team"], row["service_name"], row["billing_currency"])
        cost = row["effective_cost"]
        margin = Decimal(0)
        with localcontext() as context:
            context.prec = 60
            if entry is not None and entry.markup is not None:
                margin = cost * entry.markup
            elif entry is not None and entry.price is not None:
                margin = row["consumed_quantity"] * entry.price - cost
        told = wanted[*key, entry.name if entry else None]
        told[0] += cost
        told[1] += margin
    rows = built[0].query(
        "select billing_period, team, service_name, billing_currency, price_list_entry,"
        " sum(effective_cost), sum(margin), sum(charged) from fct_chargeback_monthly group by all"
    )
    assert {tuple(row[:5]) for row in rows} == wanted.keys()
    assert {row[4] for row in rows} == {None, "hours", "in the cluster", "overhead"}
    for *key, cost, margin, charged in rows:
        assert cost == wanted[tuple(key)][0]
        assert abs(margin - wanted[tuple(key)][1]) < Decimal("0.0000001")
        assert charged == cost + margin
