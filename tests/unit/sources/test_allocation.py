"""The allocation file: what it may say, and what is told of one that means nothing."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest

from finops_dagster.domain.allocation import Allocation
from finops_dagster.domain.errors import SettingsError
from finops_dagster.sources.allocation import read_allocation

DATED = """
rules:
  - {name: early, until: 2026-03-14, set: {team: red}}
  - {name: late, from: 2026-03-15, set: {team: blue}}
teams:
  - {name: red, business_unit: east, until: 2026-03-31}
  - {name: red, business_unit: west, from: 2026-04-01}
shared:
  - {name: desk, from: 2026-05-01, when: {service_name: Desk}, split: even}
"""


def write(folder: Path, text: str) -> Path:
    path = folder / "allocation.yaml"
    path.write_text(text, encoding="utf-8")
    return path


@pytest.mark.parametrize(
    ("first", "last", "names"),
    [
        (date(2026, 1, 1), date(2026, 3, 14), ["early", "east"]),
        (date(2026, 3, 14), date(2026, 3, 15), ["early", "late", "east"]),
        (date(2026, 4, 1), date(2026, 4, 30), ["late", "west"]),
        (date(2026, 4, 30), date(2026, 5, 1), ["late", "west", "desk"]),
    ],
)
def test_what_may_decide_is_what_is_in_force_on_a_day(
    tmp_path: Path, first: date, last: date, names: list[str]
) -> None:
    found = read_allocation(write(tmp_path, DATED)).of_days(first, last)
    assert all(first <= one.from_ <= one.until <= last for one in (*found.rules, *found.teams))
    told = [one.name for one in found.rules]
    told += [str(one.business_unit) for one in found.teams]
    assert [*told, *(one.name for one in found.shared)] == names


@pytest.mark.parametrize(
    ("text", "row", "expected"),
    [
        ("rules:\n  - name: a\n    set: {squad: red}\n", 3, "one of business_unit, team"),
        ("rules:\n  - name: a\n    when: {colour: red}\n    set: {team: x}\n", 3, "tags.KEY or a"),
        ("rules:\n  - name: a\n    when: {tags.: x}\n    set: {team: x}\n", 3, "tags.KEY or a"),
        ("rules:\n  - name: tags\n    set: {team: x}\n", 2, "another name"),
        ("rules:\n  - name: a\n    set: {team: {column: colour}}\n", 3, "a column: source"),
        (
            "rules:\n  - name: a\n    set: {team: {tag: x, column: team}}\n",
            3,
            "a text, {tag: KEY} or",
        ),
        (
            "rules:\n  - {name: a, set: {team: x}}\n  - {name: a, set: {team: y}}\n",
            2,
            "a name that no other has",
        ),
        (
            "rules:\n  - {name: a, from: 2026-02-01, until: 2026-01-01, set: {team: x}}\n",
            2,
            "until on or after from",
        ),
        (
            "teams:\n  - {name: red}\n  - {name: blue, aliases: [Red]}\n",
            3,
            "no two teams called 'red' on one day",
        ),
        (
            "shared:\n  - {name: a, when: {team: x}, split: fixed, shares: {b: 0.6, c: 0.5}}\n",
            2,
            "shares that sum to at most 1",
        ),
        ("shared:\n  - {name: a, when: {team: x}, split: fixed}\n", 2, "shares with split: fixed"),
        (
            "shared:\n  - {name: a, when: {team: x}, split: even, among: {service_name: y}}\n",
            2,
            "one",
        ),
        ("shared:\n  - {name: a, when: {}, split: even}\n", 2, "at least 1"),
        ("shared:\n  - {name: a, when: {team: []}, split: even}\n", 2, "at least 1"),
        ("units:\n  - {name: a, metric: b, of: {service_name: c}}\n", 2, "one of business_unit"),
        (
            "units:\n  - {name: a, metric: b}\n  - {name: a, metric: c}\n",
            3,
            "no two units called 'a' on one day",
        ),
        ("budgets:\n  - {name: a, currency: USD, amount: -1}\n", 2, "greater than"),
        ("budgets:\n  - {name: a, currency: USD, amount: 1, starts: 13}\n", 2, "less than"),
        (
            "budgets:\n  - {name: a, currency: USD, amount: 1, period: year, from: 2026-02-01}\n",
            2,
            "from to be the first day of a year, as 2026-01-01",
        ),
        (
            "budgets:\n  - {name: a, currency: USD, amount: 1, period: quarter, starts: 2,"
            " until: 2026-06-30}\n",
            2,
            "until to be the last day of a quarter, as 2026-07-31",
        ),
        (
            "budgets:\n  - {name: a, currency: USD, amount: 9, period: quarter,"
            " phasing: weights, weights: [1, 2]}\n",
            2,
            "3 weights for a quarter",
        ),
        (
            "budgets:\n  - {name: a, currency: USD, amount: 9, weights: [1]}\n",
            2,
            "weights with phasing: weights",
        ),
        (
            "budgets:\n  - {name: a, currency: USD, amount: 9, period: quarter,"
            " phasing: amounts, amounts: {1: 9, 4: 4, 5: 5, 7: 9, 10: 8}}\n",
            2,
            "sum to 9 in each quarter; from month 10 on they sum to 8",
        ),
        ("price_list:\n  - {name: a}\n", 2, "either markup, or price"),
        ("price_list:\n  - {name: a, price: 1, markup: 1}\n", 2, "either markup, or price"),
        ("price_list:\n  - {name: a, price: 1, per: Hours}\n", 2, "price, per and currency"),
        ("price_list:\n  - {name: a, markup: 0.1, per: Hours}\n", 2, "price, per and currency"),
        (
            "price_list:\n  - name: a\n    markup: 0.1\n    when: {tags.x: y}\n",
            4,
            "a column: source",
        ),
    ],
)
def test_a_file_that_means_nothing_is_refused_by_line(
    tmp_path: Path, text: str, row: int, expected: str
) -> None:
    path = write(tmp_path, text)
    with pytest.raises(SettingsError) as raised:
        read_allocation(path)
    fault = raised.value.faults[0]
    assert (fault.file, fault.row) == (str(path), row)
    assert expected in fault.expected


def test_no_file_is_no_rule() -> None:
    assert Allocation().of_days(date.min, date.max) == Allocation()
