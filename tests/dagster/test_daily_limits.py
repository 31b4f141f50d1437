"""Daily limits of the settings, from one decided day to the next.

Which changes are chosen, and in what order, is tested with the engine.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import dagster as dg
import duckdb
import pytest

from finops_dagster.defs.decision.assets import PROPOSALS, build_decision
from finops_dagster.defs.estate import Estate
from finops_dagster.defs.shared import clocks
from finops_dagster.domain.decisions import (
    Counted,
    Evidence,
    Finding,
    FindingKind,
    Proposal,
    Waiting,
)
from finops_dagster.domain.money import MoneyRange, Range
from finops_dagster.settings import load

FIRST = date(2026, 3, 10)
NOW = datetime(2026, 3, 10, 6, tzinfo=UTC)


def found(name: str, saving: int, team: str, as_of: date) -> Finding:
    """A request to cut, of one workload, for so many dollars a month."""
    money = Decimal(saving)
    return Finding(
        kind=FindingKind.RIGHTSIZE_CPU,
        resource=f"Deployment/shop/{name}",
        field="spec.template.spec.containers[name=server].resources.requests.cpu",
        current="1",
        proposed="500m",
        owner=team,
        environment="production",
        saving_per_month=MoneyRange(low=money - 1, mid=money, high=money + 1, currency="USD"),
        carbon_kg_per_month=Range(low=0, mid=0, high=0),
        risk=0.01,
        confidence=1.0,
        evidence=Evidence(window_start=NOW, window_end=NOW, samples=1, figures={}),
        reason="Asks for twice what it needs.",
        engine="test",
        as_of=as_of,
    )


class Days:
    """An estate whose days are decided one after the other, on findings that are given."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        (folder / "bills").mkdir()
        self.counted: Decimal | int = 0
        """What the findings of the day decided last add up to."""

    def decide(
        self, number: int, limits: str, given: Sequence[tuple[str, int, str]], age: int = 0
    ) -> tuple[list[str], dict[str, date]]:
        """Names proposed, in order, and those that wait with their first day."""
        as_of = FIRST + timedelta(days=number)
        file = self.folder / "finops.yaml"
        file.write_text(
            f"estate: small\nas_of: {as_of}\nstart: 2026-01-01\n"
            "billing: [{name: aws, path: bills}]\n"
            f"limits: {{min_saving_per_month: 1, {limits}}}\n"
        )
        estate = Estate(load(file))
        self._publish(estate)
        day = estate.day(as_of)
        manifest = estate.publications.current()
        assert manifest is not None
        chosen = {"publication_id": manifest.id, "reconstructed": False}
        day.write_document("publication", {**chosen, "ages_days": {"billing": age}})
        day.write_items("findings", [found(*one, as_of=as_of) for one in given])
        (asset,) = [
            one
            for one in build_decision(clocks(date(2026, 1, 1), FIRST + timedelta(days=9)))
            if one.key == PROPOSALS
        ]
        run = dg.materialize([asset], partition_key=as_of.isoformat(), resources={"estate": estate})
        assert run.success
        day.write_items("verdicts", [])
        self.counted = sum(
            one.saving_per_month.mid for one in day.items("findings_counted", Counted)
        )
        made = sorted(day.items("proposals", Proposal), key=lambda one: one.order)
        waiting = {
            one.resource.rsplit("/", 1)[1]: one.since
            for one in day.items("proposals_waiting", Waiting)
        }
        return [one.resource.rsplit("/", 1)[1] for one in made], waiting

    def _publish(self, estate: Estate) -> None:
        if estate.publications.current() is not None:
            return
        file = self.folder / "small.duckdb"
        with duckdb.connect(str(file)) as connection:
            connection.execute(
                """
                create table fct_costs_daily as select * from (values (
                    date '2026-03-01', date '2026-03-05', 'Deployment/shop/none', 'vCPU-hours',
                    'vCPU-Hours', 'USD', 'Usage', 24::decimal(38, 9), 1::decimal(38, 9),
                    1::decimal(38, 9), 1::decimal(38, 9), null::varchar, 'AWS', '1', 'EC2', 'eu'
                )) as rows (
                    billing_period, charge_date, resource, sku_meter, consumed_unit,
                    billing_currency, charge_category, consumed_quantity, effective_cost,
                    contracted_cost, list_cost, commitment_discount_status, provider_name,
                    billing_account_id, service_name, region_id
                )
                """
            )
        months = [date(2026, 3, 1)]
        store = estate.publications
        versions = store.export(file, "fct_costs_daily", "billing_period", months, NOW, {})
        store.publish(list(versions), NOW)


GIVEN = [("a40", 40, "blue"), ("a30", 30, "blue"), ("b20", 20, "red"), ("b10", 10, "red")]
NEW = ("new", 90, "red")


@pytest.fixture
def days(tmp_path: Path) -> Days:
    return Days(tmp_path)


def test_what_is_over_a_limit_waits_and_is_first_tomorrow(days: Days) -> None:
    """A limit that forgets what it held up starves the small saving for ever."""
    made, waiting = days.decide(0, "new_changes: 2", GIVEN)
    assert made == ["a40", "a30"]
    assert waiting == {"b20": FIRST, "b10": FIRST}
    assert days.counted == 100, "a limit of the day is none of the total"
    made, waiting = days.decide(1, "new_changes: 2", [*GIVEN, NEW])
    assert set(made) == {"a40", "a30", "b20", "b10"}
    assert waiting == {"new": FIRST + timedelta(days=1)}
    made, waiting = days.decide(2, "new_changes: 2", [*GIVEN, NEW])
    assert set(made) == {"a40", "a30", "b20", "b10", "new"}
    assert waiting == {}


def test_a_team_is_given_no_more_than_it_can_review(days: Days) -> None:
    """One team's waste must not fill everybody's day."""
    made, waiting = days.decide(0, "new_changes_per_team: 1", GIVEN)
    assert made == ["a40", "b20"]
    assert set(waiting) == {"a30", "b10"}
    made, waiting = days.decide(1, "new_changes_per_team: 1", [*GIVEN, NEW])
    assert set(made) == {"a40", "a30", "b20", "b10"}
    assert set(waiting) == {"new"}


def test_no_more_money_is_moved_on_a_day_than_is_allowed(days: Days) -> None:
    """A wrong price at once everywhere costs as much as it moved."""
    made, waiting = days.decide(0, "money_per_day: 60", GIVEN)
    assert made == ["a40", "b20"]
    assert waiting == {"a30": FIRST, "b10": FIRST}
    made, waiting = days.decide(1, "money_per_day: 60", GIVEN)
    assert set(made) == {"a40", "a30", "b20", "b10"}
    assert waiting == {}


def test_a_day_on_stale_data_forgets_nothing(days: Days) -> None:
    """After an outage all that was begun would count again, and what waited would wait anew."""
    days.decide(0, "new_changes: 2", GIVEN)
    assert days.decide(1, "new_changes: 2", GIVEN, age=99) == ([], {})
    made, waiting = days.decide(2, "new_changes: 2", [*GIVEN, NEW])
    assert set(made) == {"a40", "a30", "b20", "b10"}
    assert waiting == {"new": FIRST + timedelta(days=2)}
