"""Allocation of published costs by rules, beside the obvious way to do it.

What a file may say is held by the tests of its reader; here is what dbt makes of it.
"""

from __future__ import annotations

import json
import random
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import duckdb
import pytest

from finops_dagster.defs.joined import words
from finops_dagster.defs.line import ALLOCATION, dbt_selection
from finops_dagster.domain.allocation import Allocation
from tests.dbt.landing import Estate, Result

MONTHS = (date(2026, 1, 1), date(2026, 2, 1))
TEAMS = ("red", "blue", "green", "desk")
FILE = Allocation.model_validate(
    {
        "teams": [
            {"name": "red", "aliases": ["Rot"], "business_unit": "east", "until": "2026-01-20"},
            {"name": "red", "business_unit": "west", "from": "2026-01-21", "product": "shop"},
            {"name": "blue", "business_unit": "west", "cost_center": "CC-2"},
            {"name": "green", "business_unit": "east"},
        ],
        "rules": [
            {
                "name": "project",
                "when": {"tags.Project": ["apollo*", "100%_sure!"]},
                "unless": {"service_name": "Tax"},
                "set": {"team": "green", "product": {"tag": ["app", "Project"]}},
            },
            {
                "name": "account",
                "until": "2026-01-15",
                "when": {"sub_account_id": "a1", "team": ""},
                "set": {"team": "blue", "environment": "it's test"},
            },
            {
                "name": "squads",
                "from": "2026-01-10",
                "set": {"team": {"tag": "squad", "map": {"R1": "red", "b1": "Blue"}}},
            },
            {"name": "region", "when": {"region_id": "eu-*"}, "set": {"cost_center": {
                "column": "sub_account_id"}}},
        ],
        "shared": [
            {
                "name": "fixed",
                "when": {"service_name": "Support", "team": "desk"},
                "split": "fixed",
                "shares": {"red": "0.3", "blue": "0.333333333"},
            },
            {
                "name": "even",
                "from": "2026-01-05",
                "when": {"service_name": ["Support", "Tax"]},
                "unless": {"tags.keep": "yes"},
                "split": "even",
                "among": {"business_unit": ["east", "west"]},
            },
            {
                "name": "by cost",
                "when": {"team": "desk"},
                "split": "proportional",
                "by": "list_cost",
            },
            {
                "name": "by cores",
                "when": {"service_name": "Cluster"},
                "split": "proportional",
                "by": "cpu_core_hours",
            },
            {
                "name": "by nothing",
                "when": {"service_name": "Queue"},
                "split": "proportional",
                "by": "gpu_hours",
            },
        ],
    }
)  # fmt: skip
DIMENSIONS = ("business_unit", "team", "product", "environment", "cost_center")
METRICS = ("billed_cost", "effective_cost", "list_cost", "contracted_cost")
SERVICES = ("Compute", "Support", "Tax", "Cluster", "Queue")


@dataclass(frozen=True)
class Cost:
    """A published row of daily cost, and its tags."""

    columns: Mapping[str, Any]
    tags: Mapping[str, str]


def costs(seed: int, count: int = 400) -> list[Cost]:
    draw = random.Random(seed)

    def money() -> Decimal:
        return Decimal(draw.randint(-(10**14), 10**15)).scaleb(-12)

    found = []
    for _ in range(count):
        month = draw.choice(MONTHS)
        team = draw.choice([*TEAMS, "rot", None, None])
        tags = {
            key: draw.choice(values)
            for key, values in {
                "project": ["apollo-1", "Apollo", "100%_sure!", "100x_sure!", "hermes"],
                "app": ["cart", "pay"],
                "squad": ["r1", "B1", "other"],
                "keep": ["yes", "no"],
            }.items()
            if draw.random() < 0.3
        }
        found.append(
            Cost(
                {
                    "source": draw.choice(["aws", "azure"]),
                    "billing_period": month,
                    # some is for a month before the one that bills it
                    "charge_date": month + timedelta(days=draw.randint(-3, 27)),
                    "billing_account_id": "payer",
                    "sub_account_id": draw.choice(["a1", "a2", None]),
                    "service_name": draw.choice(SERVICES),
                    "region_id": draw.choice(["eu-west-1", "us-east-1", None]),
                    "resource": f"Job/{team}/{team}" if team and draw.random() < 0.5 else None,
                    "charge_category": "Usage",
                    "billing_currency": draw.choice(["USD", "USD", "EUR"]),
                    "team": team,
                    "business_unit": None,
                    "environment": draw.choice(["prod", None]),
                    "cost_center": draw.choice(["CC-1", None, None]),
                    "billed_cost": money(),
                    "effective_cost": money(),
                    "list_cost": None if draw.random() < 0.1 else abs(money()),
                    "contracted_cost": money(),
                    "charge_count": 1,
                },
                tags,
            )
        )
    return found


CORE_HOURS = {"Job/red/red": 30.0, "Job/blue/blue": 10.0, "Job/green/green": 0.5}


def fits(one: Any, columns: Mapping[str, Any], tags: Mapping[str, str]) -> bool:
    """Whether a rule or pool fits a cost: read from docs/allocation.md, one cost at a time."""
    if not one.from_ <= columns["charge_date"] <= one.until:
        return False

    def holds(field: str, texts: Sequence[str]) -> bool:
        asked = tags.get(field[5:].lower()) if field.startswith("tags.") else columns.get(field)
        if asked is None:
            return "" in texts
        return any(fnmatchcase(asked.lower(), text.lower()) for text in texts if text)

    return all(holds(*item) for item in one.when.items()) and not any(
        holds(*item) for item in one.unless.items()
    )


def owned(cost: Cost, file: Allocation) -> dict[str, Any]:
    """A cost with its dimensions, the rule that gave its team, and its pool."""
    given: dict[str, Any] = {}
    rule_of = {}
    for rule in file.rules:
        if not fits(rule, cost.columns, cost.tags):
            continue
        for dimension, value in rule.set.items():
            if value.text is not None:
                said = value.text
            elif value.tag is not None:
                said = next(
                    (cost.tags[k.lower()] for k in value.tag if k.lower() in cost.tags), None
                )
            else:
                said = cost.columns[value.column]
            if value.map and said is not None:
                said = {k.lower(): v for k, v in value.map.items()}.get(said.lower())
            if said is not None and dimension not in given:
                given[dimension], rule_of[dimension] = said, rule.name
    row = dict(cost.columns)
    for dimension in DIMENSIONS:
        row[dimension] = given.get(dimension, cost.columns.get(dimension))
    row["rule"] = rule_of.get("team", "tags" if row["team"] else None)
    known = named(file, row["team"], row["charge_date"])
    for dimension in ("business_unit", "product", "cost_center"):
        row[dimension] = row[dimension] or known.get(dimension)
    row["team"] = known.get("name", row["team"])
    pool = next((one for one in file.shared if fits(one, row, cost.tags)), None)
    row["pool"] = pool.name if pool else None
    return row


def named(file: Allocation, team: str | None, day: date) -> dict[str, Any]:
    for one in file.teams:
        spelled = {text.lower() for text in (one.name, *one.aliases)}
        if team and team.lower() in spelled and one.from_ <= day <= one.until:
            return one.model_dump()
    return {}


def weights(file: Allocation, rows: list[dict[str, Any]], pool: Any, where: Any) -> dict[str, Any]:
    """Team -> weight of a pool in a month and currency."""
    month, currency = where
    if pool.split == "fixed":
        return dict(pool.shares)
    found: dict[str, Decimal] = defaultdict(Decimal)
    if pool.by == "gpu_hours" and pool.split == "proportional":
        return {}
    if pool.by == "cpu_core_hours" and pool.split == "proportional":
        owners: dict[str, set[str]] = defaultdict(set)
        for row in rows:
            if row["billing_period"] == month and row["resource"] and row["team"]:
                owners[row["resource"]].add(row["team"])
        for resource, hours in CORE_HOURS.items():
            if len(owners[resource]) == 1:
                found[next(iter(owners[resource]))] += Decimal(hours)
        return found
    for row in rows:
        if row["billing_period"] != month or row["pool"] or not row["team"]:
            continue
        if pool.among and row["business_unit"] not in pool.among["business_unit"]:
            continue
        if pool.split == "even":
            found[row["team"]] = Decimal(1)
        elif row["billing_currency"] == currency:
            found[row["team"]] += row[pool.by] or 0
    return {team: weight for team, weight in found.items() if weight > 0}


def expected(file: Allocation, given: list[Cost]) -> dict[tuple[Any, ...], Decimal]:
    """(month, source, currency, team, line, metric) -> money, one cost at a time."""
    rows = [owned(cost, file) for cost in given]
    totals: dict[tuple[Any, ...], Decimal] = defaultdict(Decimal)
    for row in rows:
        key = (row["billing_period"], row["source"], row["billing_currency"])
        for metric in METRICS:
            totals[(*key, row["team"], "charge", metric)] += row[metric] or 0
        if row["pool"] is None:
            continue
        pool = next(one for one in file.shared if one.name == row["pool"])
        parts = weights(file, rows, pool, (key[0], key[2]))
        if not parts:
            continue
        whole = Decimal(1) if pool.split == "fixed" else sum(parts.values())
        for metric in METRICS:
            amount = row[metric] or Decimal(0)
            moved = amount * sum(parts.values()) / whole
            totals[(*key, row["team"], "given", metric)] -= moved
            for team, weight in parts.items():
                totals[(*key, team, "received", metric)] += amount * weight / whole
    return totals


def write(
    root: Path, name: str, rows: Sequence[Mapping[str, Any]], doubles: Sequence[str] = ()
) -> str:
    path = root / f"[{name}].parquet"
    text = root / f"{name}.json"
    text.write_text(json.dumps(rows, default=str), encoding="utf-8")
    money = dict.fromkeys(METRICS, "decimal(38,20)")
    types = money | {
        "billing_period": "date", "charge_date": "date", "day": "date", "charge_count": "bigint",
        "consumed_quantity": "decimal(38,20)",
        "quantity": "decimal(38,9)",
    }  # fmt: skip
    columns = {
        key: "double"
        if key.endswith(("_hours", "_hourly_cost")) or key in doubles
        else types.get(key, "varchar")
        for key in rows[0]
    }
    duckdb.sql(
        f"copy (select * from read_json('{text}', columns = {columns}))"
        f" to '{path}' (format parquet)"
    )
    return str(path)


def build(
    root: Path,
    given: list[Cost],
    file: Allocation,
    counted: Sequence[Mapping[str, Any]] = (),
    **variables: Any,
) -> tuple[Estate, Result]:
    estate = Estate(root)
    tagged = [
        {**cost.columns, "tag_set_id": f"tags-{number}" if cost.tags else None}
        for number, cost in enumerate(given)
    ]
    tags = [
        {
            "billing_period": cost.columns["billing_period"],
            "tag_set_id": f"tags-{number}",
            "tag_key": key,
            "tag_value": value,
        }
        for number, cost in enumerate(given)
        for key, value in cost.tags.items()
    ]
    measured = [
        {"day": month, "resource": resource, "cpu_core_hours": hours / 2}
        for month in MONTHS
        for resource, hours in CORE_HOURS.items()
        for _ in range(2)
    ]
    published = {
        "fct_costs_daily": [write(root, "fct_costs_daily", tagged)],
        "dim_tag_sets": [write(root, "dim_tag_sets", tags)],
        "fct_workload_utilisation_daily": [write(root, "workloads", measured)],
    }
    if counted:
        published["fct_business_metrics_daily"] = [write(root, "counted", counted)]
    result = estate.dbt(
        *dbt_selection(ALLOCATION.name),
        published=published, allocation=words(file, file.plans(MONTHS)), **variables,
    )  # fmt: skip
    return estate, result


@pytest.fixture(scope="module")
def given() -> list[Cost]:
    return costs(seed=20261129)


@pytest.fixture(scope="module")
def built(given: list[Cost], tmp_path_factory: pytest.TempPathFactory) -> tuple[Estate, Result]:
    return build(tmp_path_factory.mktemp("allocation"), given, FILE)


def test_every_test_holds(built: tuple[Estate, Result]) -> None:
    """The bill, what is allocated and what is not are told apart to the last decimal there."""
    assert built[1].exit_code == 0, built[1].output


def test_each_team_gets_what_the_rules_say(built: tuple[Estate, Result], given: list[Cost]) -> None:
    """A rule read wrongly is a bill sent to the wrong team."""
    rows = built[0].query(
        "unpivot (select billing_period, source, billing_currency, team, line,"
        f" {', '.join(f'sum({m}) as {m}' for m in METRICS)} from fct_allocated_costs_daily"
        f" group by all) on {', '.join(METRICS)}"
    )
    found = {tuple(row[:-1]): row[-1] for row in rows}
    wanted = {key: value for key, value in expected(FILE, given).items() if key in found or value}
    assert found.keys() == wanted.keys()
    for key, value in wanted.items():
        assert abs(found[key] - value) < Decimal("0.0001"), key


def test_what_is_known_of_a_cost_is_what_the_rules_say(
    built: tuple[Estate, Result], given: list[Cost]
) -> None:
    """Each dimension has its own first rule, and a team what was true of it that day."""
    columns = ("charge_date", "service_name", *DIMENSIONS, "rule", "pool")
    found = built[0].query(
        f"select {', '.join(columns)}, sum(charge_count) from fct_allocated_costs_daily"
        " where line = 'charge' group by all"
    )
    wanted: dict[tuple[Any, ...], int] = defaultdict(int)
    for cost in given:
        row = owned(cost, FILE)
        wanted[tuple(row[column] for column in columns)] += 1
    assert {row[:-1]: row[-1] for row in found} == wanted


def test_what_nobody_can_pay_stays_where_it_is(built: tuple[Estate, Result]) -> None:
    """No GPU was measured, so a split by GPU hours would have to be guessed."""
    assert built[0].query(
        "select distinct line from fct_allocated_costs_daily where pool = 'by nothing'"
    ) == [("charge",)]


def test_without_a_file_tags_say(given: list[Cost], tmp_path: Path) -> None:
    """Who has written no rule yet sees his tags, and what has none as unallocated."""
    estate, result = build(tmp_path, given, Allocation())
    assert result.exit_code == 0, result.output
    found = estate.query(
        "select team, rule, sum(charge_count) from fct_allocated_costs_daily group by all"
    )
    wanted: dict[tuple[Any, ...], int] = defaultdict(int)
    for cost in given:
        team = cost.columns["team"]
        wanted[team, "tags" if team else None] += 1
    assert {row[:-1]: row[-1] for row in found} == wanted


def test_a_month_is_built_alone(given: list[Cost], tmp_path: Path) -> None:
    """A day's run pays for the months that changed, and leaves the others as they were."""
    estate, _ = build(tmp_path, given, FILE)
    before = estate.query("select * from fct_allocated_costs_daily order by all")
    later = [cost for cost in given if cost.columns["billing_period"] == MONTHS[1]]
    _, result = build(tmp_path, later, FILE, first_period="2026-02-01", last_period="2026-02-01")
    assert result.exit_code == 0, result.output
    assert estate.query("select * from fct_allocated_costs_daily order by all") == before


def changes(given: list[Cost], month: date, until: date) -> dict[tuple[Any, ...], list[Decimal]]:
    """(source, service, team, currency) -> cost before and after and effects, item by item."""
    rows = [owned(cost, Allocation()) for cost in given]
    before_month = (month - timedelta(days=1)).replace(day=1)
    before_until = before_month + (until - month)
    found: dict[tuple[Any, ...], list[Decimal]] = defaultdict(lambda: [Decimal(0)] * 6)
    items: dict[tuple[Any, ...], dict[Any, list[Decimal]]] = defaultdict(dict)
    for row in rows:
        side = {before_month: 0, month: 1}.get(row["billing_period"])
        if side is None or (side == 0 and row["charge_date"] > before_until):
            continue
        key = (row["source"], row["service_name"], row["team"], row["billing_currency"])
        cost, quantity = row["effective_cost"], row["consumed_quantity"] or Decimal(0)
        found[key][side] += cost
        if quantity <= 0 or row["charge_class"]:
            found[key][5] += cost if side else -cost
            continue
        item = (row["region_id"], row["sku_meter"], row["commitment_discount_status"])
        of_item = items[*key, row["consumed_unit"]].setdefault(item, [Decimal(0)] * 4)
        of_item[side] += cost
        of_item[2 + side] += quantity
    for (*key, _), of_unit in items.items():
        c0, c1, q0, q1 = (sum(one[at] for one in of_unit.values()) for at in range(4))
        base = sum(one[0] * one[3] / one[2] if one[2] else one[1] for one in of_unit.values())
        told = found[tuple(key)]
        told[2] += c1 - base
        told[3] += c0 * q1 / q0 - c0 if q0 else base
        told[4] += base - c0 * q1 / q0 if q0 else 0
    return found


@pytest.mark.parametrize("until", [date(2026, 2, 28), date(2026, 2, 11)])
def test_a_change_is_parted_into_price_quantity_and_mix(
    given: list[Cost], tmp_path: Path, until: date
) -> None:
    """Who is told that prices rose, where more was used, looks in the wrong place."""
    draw = random.Random(7)
    used = [
        Cost(
            {
                **cost.columns,
                "region_id": draw.choice(["eu-west-1", "us-east-1"]),
                "sku_meter": draw.choice(["large", "small", None]),
                "consumed_unit": draw.choice(["Hours", "GB"]),
                "commitment_discount_status": draw.choice(["Used", None]),
                "charge_class": draw.choice(["Correction", *[None] * 9]),
                "consumed_quantity": Decimal(draw.randint(-10, 90)).scaleb(-1),
            },
            cost.tags,
        )
        for cost in given
        if cost.columns["charge_date"] <= until
    ]
    # both sources have billed up to the day, and no further
    for source in ("aws", "azure"):
        last = dict(used[0].columns, source=source, billing_period=MONTHS[1], charge_date=until)
        used.append(Cost({**last, "charge_class": None}, {}))
    estate, result = build(tmp_path, used, Allocation(), first_period="2026-02-01")
    assert result.exit_code == 0, result.output
    rows = estate.query(
        "select source, service_name, team, billing_currency, cost_before, cost_after,"
        " price_effect, quantity_effect, mix_effect, other_effect, shared_effect"
        " from fct_cost_changes_monthly where billing_period = date '2026-02-01'"
    )
    wanted = changes(used, MONTHS[1], until)
    assert {tuple(row[:4]) for row in rows} == {
        key for key, value in wanted.items() if value[0] or value[1]
    }
    for *key, before, after, price, quantity, mix, other, shared in rows:
        told = [before, after, price, quantity, mix, other]
        for one, two in zip(told, wanted[tuple(key)], strict=True):
            assert abs(one - two) < Decimal("0.0001"), key
        assert price + quantity + mix + other == after - before
        assert shared == 0
