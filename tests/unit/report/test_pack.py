"""The monthly pack: what it says is what the marts say, and no text in it does anything."""

from __future__ import annotations

import csv
import io
from dataclasses import replace
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from finops_dagster.domain.money import MoneyRange
from finops_dagster.report.explain import EFFECTS, explained
from finops_dagster.report.landing import Landing, Odds
from finops_dagster.report.pack import (
    Carbon,
    Pack,
    Scoped,
    csv_text,
    tables,
    write_index,
    write_pack,
)
from finops_dagster.report.units import UnitCost

from .test_page import parsed, visible

OCTOBER = date(2026, 10, 1)
HOSTILE = "=cmd|'/c calc'!A1<script>alert(1)</script>"


def cost(amount: str, **changed: Any) -> dict[str, Any]:
    return {
        "billing_currency": "USD",
        "provider_name": "AWS",
        "service_name": "Compute",
        "product": "Shop",
        "line": "charge",
        "effective_cost": Decimal(amount),
        **changed,
    }


def charge(amount: str, margin: str, **changed: Any) -> dict[str, Any]:
    return {
        "billing_currency": "USD",
        "provider_name": "AWS",
        "service_name": "Compute",
        "cost_center": "CC-1",
        "price_list_entry": "overhead",
        "effective_cost": Decimal(amount),
        "margin": Decimal(margin),
        "charged": Decimal(amount) + Decimal(margin),
        **changed,
    }


CHANGED = {
    "service_name": "Compute",
    "billing_currency": "USD",
    "compared_until": date(2026, 10, 31),
    "cost_before": Decimal(100),
    "cost_after": Decimal("120.5"),
    **{f"{name}_effect": Decimal(0) for name in EFFECTS},
    "price_effect": Decimal("20.5"),
}
LANDING = Landing(
    budget="search",
    currency="USD",
    metric="effective_cost",
    period="month",
    start=OCTOBER,
    end=date(2026, 10, 31),
    until=date(2026, 10, 21),
    amount=Decimal(200),
    planned_to_date=Decimal(140),
    actual=Decimal("150.5"),
    expected=MoneyRange(low=Decimal(190), mid=Decimal(210), high=Decimal(230), currency="USD"),
    month_end=date(2026, 10, 31),
    planned_by_month_end=Decimal(200),
    by_month_end=None,
    exceeded=date(2026, 10, 29),
    reason=None,
    odds=Odds(
        probability=0.7654321,
        expected_80=MoneyRange(
            low=Decimal(198), mid=Decimal(210), high=Decimal(222), currency="USD"
        ),
        earliest=date(2026, 10, 27),
        latest=None,
    ),
    no_odds=None,
)
UNIT = UnitCost(
    "cost per order", "orders", 1, "USD", OCTOBER, 31, Decimal(10), Decimal(4), None, {}
)


@pytest.fixture
def pack() -> Pack:
    return Pack(
        estate="Acme",
        team="search",
        month=OCTOBER,
        as_of=date(2026, 10, 22),
        publication_id="pub-1",
        costs=[
            cost("120.5"),
            cost("30.00000000000000000001", service_name="Support", line="received"),
            cost("-9", billing_currency="EUR", service_name=None, product=None),
        ],
        daily=[
            {"day": OCTOBER, "billing_currency": "USD", "effective_cost": Decimal("150.5")},
        ],
        explained=explained("search", OCTOBER, [CHANGED]),
        budgets=[Scoped("Team: search", True, LANDING)],
        units=[Scoped("all costs", False, UNIT)],
        charges=[charge("120.5", "6.025"), charge("30", "0", price_list_entry=None)],
    )


def hostile(pack: Pack) -> Pack:
    return replace(
        pack,
        team=HOSTILE,
        estate=HOSTILE,
        costs=[cost("1", service_name=HOSTILE, product=HOSTILE, provider_name=HOSTILE)],
        explained=explained(HOSTILE, OCTOBER, [{**CHANGED, "service_name": HOSTILE}]),
        budgets=[Scoped(HOSTILE, True, replace(LANDING, budget=HOSTILE))],
        units=[Scoped(HOSTILE, True, replace(UNIT, unit=HOSTILE, metric=HOSTILE))],
        charges=[charge("1", "0", service_name=HOSTILE, cost_center="@SUM(A1)")],
    )


def read(path: Path) -> list[dict[str, str]]:
    return list(csv.DictReader(path.open(encoding="utf-8", newline="")))


def test_page_and_tables_say_what_the_marts_say(pack: Pack, tmp_path: Path) -> None:
    page = write_pack(pack, tmp_path)
    text = visible(page.read_text(encoding="utf-8"))
    assert "search spent 120 USD in Oct 2026, 20.50 USD more (+20 %)" in text
    assert "will exceed on 2026-10-29" in text
    assert "150.50 USD" in text and "210.00 USD 190.00 to 230.00" in text
    assert "charged, by the price list" in text
    assert "2.5000 USD" in text
    spend = read(page.parent / "spend.csv")
    assert [row["effective_cost"] for row in spend] == [
        "120.50", "30.00000000000000000001", "-9.00",
    ]  # fmt: skip
    assert {(row["month"], row["team"]) for row in spend} == {("2026-10", "search")}
    (first, second) = read(page.parent / "chargeback.csv")
    assert (first["margin"], first["charged"]) == ("6.025", "126.525")
    assert second["price_list_entry"] == ""
    (changed,) = read(page.parent / "changes.csv")
    parts = sum(Decimal(changed[name]) for name in EFFECTS)
    assert parts == Decimal(changed["cost_after"]) - Decimal(changed["cost_before"])
    (budget,) = read(page.parent / "budgets.csv")
    assert (budget["expected"], budget["state"]) == ("210.00", "will exceed")
    (unit,) = read(page.parent / "unit_costs.csv")
    assert (unit["unit_cost"], unit["unit_cost_before"]) == ("2.50", "")


@pytest.mark.parametrize("kind", ["full", "bare", "hostile"])
def test_pages_are_whole_and_load_nothing(pack: Pack, kind: str, tmp_path: Path) -> None:
    """A pack is mailed and opened where nobody has a network, by people of other departments."""
    bare = replace(pack, team=None, explained=(), budgets=(), units=(), charges=(), daily=())
    one = {"full": pack, "bare": bare, "hostile": hostile(pack)}[kind]
    for page in (write_pack(one, tmp_path), write_index([one], tmp_path)):
        text = page.read_text(encoding="utf-8")
        found = parsed(text)
        assert found.loads == []
        assert len(found.ids) == len(set(found.ids))
        assert {at[1:] for at in found.targets if at.startswith("#")} <= set(found.ids)
        beside = {at for at in found.targets if not at.startswith("#")}
        assert all((page.parent / at).exists() for at in beside)
        assert "<script" not in text


def test_a_teams_name_leads_out_of_no_folder(pack: Pack, tmp_path: Path) -> None:
    """Teams are tags: whoever can write a tag could else write a file."""
    names = ["../../etc", "a/b", "a b", "A B", "search", "", ".", "\x00", "ä", "con" * 50, HOSTILE]
    folders = [replace(pack, team=name or None).folder for name in names]
    assert len(set(folders)) == len(names)
    assert folders[4] == "search"
    for folder in folders:
        assert (tmp_path / folder).parent == tmp_path
        assert folder.isascii() and len(folder) < 60


@pytest.mark.parametrize("text", ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", HOSTILE])
def test_text_in_a_table_is_no_formula(text: str) -> None:
    """A spreadsheet runs what it takes for a formula, with the rights of who opened it."""
    ((_,), (cell,)) = csv.reader(io.StringIO(csv_text(("name",), [(text,)])))
    assert cell[0] in ("'", "\ufffd")


def test_no_table_of_a_hostile_team_has_a_formula(pack: Pack) -> None:
    for columns, rows in tables(hostile(pack)).values():
        for row in csv.reader(io.StringIO(csv_text(columns, rows))):
            assert not any(cell.startswith(("=", "+", "@")) for cell in row)
    ((_,), (negative,)) = csv.reader(io.StringIO(csv_text(("cost",), [(Decimal("-1"),)])))
    assert negative == "-1.00"


def test_what_several_teams_share_is_told_once_to_all(pack: Pack, tmp_path: Path) -> None:
    both = [pack, replace(pack, team="pricing")]
    text = visible(write_index(both, tmp_path).read_text(encoding="utf-8"))
    assert text.count("cost per order") == 1
    assert "301.00 USD" in text  # the sum of both


def test_carbon_tells_what_is_not_in_it(pack: Pack, tmp_path: Path) -> None:
    """Emissions that are not known are none of zero."""
    known = Carbon(
        energy_kwh=12.5, location_kg=3.25, market_kg=None, embodied_kg=0.5, lines=10,
        without_energy=4, without_intensity=1,
    )  # fmt: skip
    text = visible(write_pack(replace(pack, carbon=known), tmp_path).read_text(encoding="utf-8"))
    assert "12.5 kWh" in text
    assert "by contracts" not in text
    assert "Of 10 lines of usage 4 tell no energy and 1 have energy but no intensity" in text
    dark = replace(known, energy_kwh=None, location_kg=None, embodied_kg=None, without_energy=10)
    text = visible(write_pack(replace(pack, carbon=dark), tmp_path).read_text(encoding="utf-8"))
    assert "Not known: none of 10 lines of usage tells its energy" in text
