"""Whom decisions fell on, out of days that were kept, a bill and a ledger; nothing known later.

Which difference is a breach is tested with responsible_ai.
"""

from __future__ import annotations

import json
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import pandas as pd
import pytest
from typer.testing import CliRunner

from finops_dagster.cli.main import app
from finops_dagster.defs.estate import Estate
from finops_dagster.defs.insight.alerting import keep_answer
from finops_dagster.defs.insight.models.decided import decided_fairness, write_decided
from finops_dagster.domain.alerts import Answer, Opinion
from finops_dagster.domain.decisions import Decision, Evidence, Finding, FindingKind, Proposal
from finops_dagster.domain.money import MoneyRange, Range
from finops_dagster.domain.pull_requests import PullRequest, PullRequestState
from finops_dagster.responsible_ai.decisions.facts import Dimension, Outcome
from finops_dagster.responsible_ai.decisions.results import DecisionFairness, Measure
from finops_dagster.settings import load
from finops_dagster.storage.days import DayStore
from finops_dagster.storage.publication import PublishedReader
from tests.builders import proposal, verdict

AS_OF = date(2026, 3, 20)
NOW = datetime(2026, 3, 20, 6, tzinfo=UTC)
TEAMS = {"red": ("east", 8), "blue": ("west", 8)}
REGIONS = {"red": "eu-west-1", "blue": "us-east-1"}


def saving(amount: int) -> MoneyRange:
    """A month, in USD."""
    money = Decimal(amount)
    return MoneyRange(low=money / 2, mid=money, high=money * 2, currency="USD")


def asked(team: str, place: int, day: date, amount: int = 30) -> Proposal:
    """A change of one of a team's workloads."""
    return proposal(
        resource=f"Deployment/{team}/{place}", owner=team, environment="prod",
        saving_per_month=saving(amount), as_of=day,
    )  # fmt: skip


def found(team: str, place: int, day: date) -> Finding:
    """Waste in one of a team's workloads."""
    return Finding(
        kind=FindingKind.RIGHTSIZE_CPU, resource=f"Deployment/{team}/{place}", field="f",
        current="2", proposed="1", owner=team, environment="prod", saving_per_month=saving(30),
        carbon_kg_per_month=Range(low=0, mid=0, high=0), risk=0.0, confidence=1.0,
        evidence=Evidence(window_start=NOW, window_end=NOW, samples=1, figures={}), reason="r",
        engine="e", as_of=day,
    )  # fmt: skip


def pull(number: int, of: Proposal, state: PullRequestState, ended: datetime | None) -> PullRequest:
    """A pull request of one proposal, opened on the tenth."""
    return PullRequest(
        number=number, key=of.change_key, kind=of.kind.value, resource=of.resource, branch="b",
        base_sha="a", head_sha="c", state=state, title="t", body="", url="", files=(),
        saving_per_month=of.saving_per_month, carbon_kg_per_month=of.carbon_kg_per_month,
        verdict=Decision.ALLOW, rules=(), fingerprint="f", proposal_id=of.id, labels=(),
        opened_at=datetime(2026, 3, 10, tzinfo=UTC), ended_at=ended,
    )  # fmt: skip


@pytest.fixture
def estate(tmp_path: Path) -> Estate:
    """Two teams of eight workloads at 31 USD in thirty days each; two days were decided."""
    (tmp_path / "bills").mkdir()
    file = tmp_path / "finops.yaml"
    file.write_text(
        f"estate: small\nas_of: {AS_OF}\nstart: 2026-01-01\nbilling: [{{name: aws, path: bills}}]\n"
    )
    estate = Estate(load(file))
    rows = [
        (date(2026, 3, 1), date(2026, 3, 5), f"Deployment/{team}/{n}", team, REGIONS[team])
        for team, (_, count) in TEAMS.items()
        for n in range(count)
    ]
    costs = pd.DataFrame(
        rows, columns=["billing_period", "charge_date", "resource", "team", "region_id"]
    )  # read by its name
    teams = pd.DataFrame(
        [(date(2026, 3, 1), team, unit, date(2026, 3, 1), date(2026, 3, 31))
         for team, (unit, _) in TEAMS.items()],
        columns=["billing_period", "team", "business_unit", "valid_from", "valid_until"],
    )  # fmt: skip
    small = tmp_path / "small.duckdb"
    with duckdb.connect(str(small)) as connection:
        connection.register("costs", costs)
        connection.register("teams", teams)
        connection.execute(
            "create table fct_costs_daily as select *, 'prod' as environment,"
            " null::varchar as resource_id, '1' as billing_account_id,"
            " null::varchar as sub_account_id, 'USD' as billing_currency,"
            " 30::decimal(38, 9) as effective_cost from costs"
        )
        connection.execute("create table dim_teams as select * from teams")
    store = estate.publications
    versions = [
        version
        for mart in ("fct_costs_daily", "dim_teams")
        for version in store.export(small, mart, "billing_period", [date(2026, 3, 1)], NOW, {})
    ]
    store.publish(versions, NOW)
    for day, cuts in ((date(2026, 3, 10), 6), (date(2026, 3, 19), 7)):
        kept = DayStore(estate.layout.insight(day))
        made = [asked("red", n, day) for n in range(cuts)] + [asked("blue", 0, day)]
        kept.write_items("findings", [found(team, n, day) for team in TEAMS for n in range(7)])
        kept.write_items("proposals", made)
        kept.write_items("verdicts", [verdict(one, Decision.NEEDS_APPROVAL) for one in made])
    return estate


def reader(estate: Estate) -> PublishedReader:
    manifest = estate.publications.current()
    assert manifest is not None
    return estate.publications.reader(manifest)


def judged(estate: Estate, **more: Any) -> DecisionFairness:
    return decided_fairness(estate, reader(estate), AS_OF, **{"last": AS_OF, **more})


def counts(found: DecisionFairness, dimension: Dimension, group: str) -> Any:
    (one,) = [x for x in found.counts if (x.dimension, x.group) == (dimension, group)]
    return one


def test_what_days_have_kept_is_told_by_every_dimension(estate: Estate) -> None:
    """A change proposed on two days is one; a dimension that is not read hides who bears it."""
    told = judged(estate)
    assert told.decided_days == 2
    for dimension, group in (
        (Dimension.TEAM, "red"),
        (Dimension.BUSINESS_UNIT, "east"),
        (Dimension.REGION, "eu-west-1"),
    ):
        red = counts(told, dimension, group)
        assert (red.resources, red.found, red.changes, red.cuts) == (8, 7, 7, 7)
        assert red.decisions[Decision.NEEDS_APPROVAL] == 7
    money = next(one for one in told.money if one.group == "red")
    # 8 x 30 USD in thirty days, a month of 365/12
    assert (money.saving_per_month, round(money.spend_per_month, 6)) == (
        Decimal(210), Decimal("243.333333"),
    )  # fmt: skip
    reasons = {one.subject for one in told.abstained}
    assert {"decisions by team_size", "decisions by environment"} <= reasons
    asked_of = {one.group: one.value.value for one in told.compared
                if (one.dimension, one.measure) == (Dimension.TEAM, Measure.ASKED)}  # fmt: skip
    assert asked_of == {"red": 0.875, "blue": 0.125}
    # 7 of 8 beside 1 of 8 is p = 0.01 by itself, and not among this many comparisons
    assert told.breaches == ()


def test_nothing_that_came_later_is_known(estate: Estate) -> None:
    """A past day judged again must not know how its proposals ended, or what was asked after."""
    due = estate.cutoff(AS_OF)
    of = [asked("red", n, date(2026, 3, 19)) for n in range(4)]
    ends = (
        (PullRequestState.MERGED, due - timedelta(days=1)),
        (PullRequestState.REJECTED, due - timedelta(days=1)),
        (PullRequestState.REJECTED, due + timedelta(seconds=1)),
        (PullRequestState.OPEN, None),
    )
    estate.record_pull_requests(
        [pull(n, one, *end) for n, (one, end) in enumerate(zip(of, ends, strict=True), 1)]
    )
    outcomes = counts(judged(estate), Dimension.TEAM, "red").outcomes
    assert (outcomes[Outcome.MERGED], outcomes[Outcome.REJECTED], outcomes[Outcome.OPEN]) == (
        1, 1, 2,
    )  # fmt: skip
    earlier = judged(estate, last=date(2026, 3, 18))
    assert earlier.decided_days == 1
    assert counts(earlier, Dimension.TEAM, "red").changes == 6


def test_the_last_word_on_an_incident_counts(estate: Estate) -> None:
    """Who took a word back would be counted twice, and a word said later is not known yet."""

    def say(incident: str, team: str, opinion: Opinion, hours: int) -> None:
        part = ("1", "compute", team, "USD")
        said = NOW + timedelta(hours=hours)
        keep_answer(estate, Answer(incident=incident, opinion=opinion, parts=(part,), said_at=said))

    for team in TEAMS:
        for n in range(5):
            say(f"{team}-{n}", team, Opinion.NOISE, 1)
    say("red-0", "red", Opinion.USEFUL, 2)
    say("red-1", "red", Opinion.USEFUL, 24 * 30)
    told = judged(estate)
    (red,) = [one for one in told.compared
              if (one.dimension, one.group, one.measure)
              == (Dimension.TEAM, "red", Measure.FALSE_ALARMS)]  # fmt: skip
    assert (red.of, red.value.value) == (5, 0.8)


def test_the_page_of_a_day_tells_of_the_days_before(estate: Estate) -> None:
    """What is judged before the day's own proposals are made must not depend on them."""
    today = DayStore(estate.layout.insight(AS_OF))
    gate, _, page = write_decided(estate, reader(estate), AS_OF)
    before = page.read_bytes()
    today.write_items("proposals", [asked("blue", n, AS_OF) for n in range(8)])
    today.write_items("verdicts", [])
    again, _, _ = write_decided(estate, reader(estate), AS_OF)
    assert page.read_bytes() == before
    assert again == gate
    assert gate.gate == "decisions"
    assert b"2026-03-19, 2 days decided" in before


def test_the_command_answers_in_one_form(estate: Estate) -> None:
    """Scripts read the same fields for every measure, and money as text with its currency."""
    manifest = estate.publications.current()
    assert manifest is not None
    chosen = {"publication_id": manifest.id, "reconstructed": False}
    estate.day(AS_OF).write_document("publication", chosen)
    given = ["ai", "decisions", "--config", str(estate.settings.folder / "finops.yaml")]
    told = CliRunner().invoke(app, [*given, "--by", "team", "--json"])
    assert told.exit_code == 0, told.output
    answer = json.loads(told.stdout)
    assert answer["schema"] == "finops.ai_decisions/1"
    assert {one["by"] for one in answer["items"]} == {"team"}
    by = {(one["group"], one["measure"]): one for one in answer["items"]}
    assert by["red", "counts"]["verdicts"] == {"allow": 0, "needs_approval": 7, "deny": 0}
    assert by["red", "share_of_spend"]["saving_per_month"] == "210"
    assert by["red", "share_of_spend"]["currency"] == "USD"
    assert by["red", "asked_to_cut"]["of"] == 8
    assert by["red", "asked_to_cut"]["to_others"]["value"] == 7.0
    assert {one["subject"] for one in answer["abstained"]} == {
        "denied by team", "turned_down by team", "false_alarms by team", "forecast_error by team",
    }  # fmt: skip
    shown = CliRunner().invoke(app, given).stdout
    assert "by business unit" in shown
    assert "savings asked a month" in shown
