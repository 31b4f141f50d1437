"""Policy over days: violations recorded with their age, and history judged by another bundle."""

from __future__ import annotations

import json
import shutil
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import duckdb
import pyarrow.parquet as pq
import pytest
from typer.testing import CliRunner

from finops_dagster.cli.main import app
from finops_dagster.defs import line
from finops_dagster.defs.decision.judging import judged, replay
from finops_dagster.defs.estate import POLICIES, Estate
from finops_dagster.defs.insight import violating
from finops_dagster.domain.decisions import Decision, Evidence, Proposal
from finops_dagster.domain.money import MoneyRange
from finops_dagster.domain.pull_requests import PullRequest, PullRequestState
from finops_dagster.policy.bundle import RegoBundle
from finops_dagster.policy.judges import RegorusJudge
from finops_dagster.policy.violations import declared_all
from finops_dagster.settings import load
from tests.builders import NOW, bare_repository, proposal
from tests.unit.policy.test_replay import pull

LAST = date(2026, 5, 4)
"""After the commit of `bare_repository`."""
FIRST = LAST - timedelta(days=1)


def manifest(name: str, labels: str = "team: a, environment: prod, cost-center: cc-1") -> bytes:
    return f"""apiVersion: apps/v1
kind: Deployment
metadata: {{name: {name}, namespace: shop, labels: {{{labels}}}}}
spec:
  replicas: 3
  template:
    spec:
      containers:
      - name: server
        resources: {{requests: {{cpu: "2", memory: 4Gi}}}}
""".encode()


def change(name: str, used: float, as_of: date, saving: int = 480) -> Proposal:
    """A cut to half a core of what used so many at the 95th percentile."""
    amount = Decimal(saving)
    return proposal(
        resource=f"Deployment/shop/{name}",
        environment="staging",
        saving_per_month=MoneyRange(low=amount, mid=amount, high=amount, currency="USD"),
        evidence=Evidence(window_start=NOW, window_end=NOW, samples=1, figures={"p95_cores": used}),
        as_of=as_of,
    )


@pytest.fixture
def estate(tmp_path: Path) -> Estate:
    """Two days decided: `roomy` and `tight` proposed on both; the first merged, `bold` rejected."""
    bare = bare_repository(
        tmp_path, {f"{name}.yaml": manifest(name) for name in ("roomy", "tight", "bold")}
    )
    (tmp_path / "bills").mkdir()
    (tmp_path / "finops.yaml").write_text(
        f"estate: small\nas_of: {LAST}\nstart: 2026-01-01\n"
        "billing: [{name: aws, path: bills}]\n"
        f"desired_state: {{repository: {bare}, branch: main}}\n"
    )
    estate = Estate(load(tmp_path / "finops.yaml"))
    file = tmp_path / "small.duckdb"
    with duckdb.connect(str(file)) as connection:
        connection.execute(
            """
            create table fct_costs_daily as select
                date '2026-05-01' as billing_period, date '2026-05-02' as charge_date,
                'checkout' as team, 'staging' as environment, 'USD' as billing_currency,
                'Usage' as charge_category, 1::decimal(38, 9) as effective_cost
            """
        )
    store = estate.publications
    known = datetime(2026, 5, 3, tzinfo=UTC)
    months = [date(2026, 5, 1)]
    versions = store.export(file, "fct_costs_daily", "billing_period", months, known, {})
    chosen = {"publication_id": store.publish(versions, known).id, "reconstructed": False}
    pulls: list[PullRequest] = []
    for as_of in (FIRST, LAST):
        # each day was live when it was decided
        live = Estate(estate.settings.model_copy(update={"as_of": as_of}))
        day = live.day(as_of)
        made = [change("roomy", 0.1, as_of), change("tight", 0.4, as_of, 100)]
        made += [change("bold", 0.4, as_of, 7)] if as_of == FIRST else []
        day.write_document("publication", {**chosen, "ages_days": {}})
        day.write_items("proposals", made)
        day.write_items("verdicts", judged(live, as_of, day, made, live.judge))
        if as_of == FIRST:
            states = (PullRequestState.MERGED, PullRequestState.MERGED, PullRequestState.REJECTED)
            pulls = [
                pull(number, one.change_key, state)
                for number, (one, state) in enumerate(zip(made, states, strict=True), 1)
            ]
    estate.record_pull_requests(pulls)
    return estate


@pytest.fixture
def tightened(tmp_path: Path) -> Path:
    """The shipped bundle, with more room asked for above what was observed."""
    bundle = tmp_path / "other"
    shutil.copytree(POLICIES, bundle)
    limits = bundle / "limits" / "data.yaml"
    text = limits.read_text(encoding="utf-8")
    assert text.count("    cpu_min_share: 0.1\n") == 1
    limits.write_text(text.replace("    cpu_min_share: 0.1\n", "    cpu_min_share: 1.0\n"))
    return bundle


def quiet(_: str) -> None:
    pass


def test_a_tightened_limit_blocks_exactly_what_has_too_little_room(
    estate: Estate, tightened: Path
) -> None:
    """Harm: a policy is merged that blocks what everybody wants, and nobody knew before."""
    other = RegorusJudge(RegoBundle.load(tightened))
    chain = estate.ledger.path.read_bytes()
    history = replay(estate, FIRST, LAST, other, False, quiet)
    assert history.abstained == []
    blocked = [
        (one.day, one.resource.rsplit("/", 1)[1])
        for one in history.items
        if one.after.decision is Decision.DENY
    ]
    assert blocked == [(FIRST, "tight"), (FIRST, "bold"), (LAST, "tight")]
    assert all(one.before.decision is not Decision.DENY for one in history.items)
    assert all(one.decided == one.before for one in history.items)
    assert {one.rules_added for one in history.items if one.after.decision is Decision.DENY} == {
        ("sizing.headroom",)
    }
    assert history.manifests == []
    assert estate.ledger.path.read_bytes() == chain, "a replay writes nothing"
    assert not estate.layout.replay(estate.judge.bundle, FIRST).exists()


def test_the_command_tells_reach_with_money(estate: Estate, tightened: Path) -> None:
    """Harm: overreach counts a change for each day it was proposed, or forgets what it costs."""
    settings = str(estate.settings.folder / "finops.yaml")
    given = ["policy", "replay", "--from", str(FIRST), "--to", str(LAST), "--json",
             "--bundle", str(tightened), "--config", settings]  # fmt: skip
    told = CliRunner().invoke(app, given)
    assert told.exit_code == 0, told.output
    answer = json.loads(told.stdout)
    assert answer["schema"] == "finops.policy_replay/1"
    assert [(one["what"], one["changes"], one["saving_per_month"]) for one in answer["reach"]] == [
        ("overreach after", 1, "100"),
        ("underreach before", 1, "7"),
    ]
    assert [one["realised"] for one in answer["items"]] == [None] * 5
    late = [*given[:3], str(LAST), "--to", str(FIRST), "--json"]
    assert CliRunner().invoke(app, late).exit_code == 2


def test_a_day_that_was_not_decided_is_told(estate: Estate, tightened: Path) -> None:
    """Harm: a hole in history reads as a day on which the policy blocks nothing."""
    before = FIRST - timedelta(days=1)
    history = replay(estate, before, FIRST, RegorusJudge(RegoBundle.load(tightened)), False, quiet)
    assert [one.subject for one in history.abstained] == [before.isoformat()]
    assert len(history.items) == 3


def test_manifests_of_the_last_day_are_held_against_both(estate: Estate, tmp_path: Path) -> None:
    """Harm: a rule that hits half of the repository is merged after a look at proposals alone."""
    bundle = tmp_path / "labels"
    shutil.copytree(POLICIES, bundle)
    limits = bundle / "limits" / "data.yaml"
    text = limits.read_text(encoding="utf-8")
    wanted = "      Deployment: [team, environment, cost-center]"
    assert text.count(wanted) == 1
    text = text.replace(wanted, "      Deployment: [team, environment, cost-center, lead]")
    limits.write_text(text.replace("      team: [team,", "      lead: [lead]\n      team: [team,"))
    other = RegorusJudge(RegoBundle.load(bundle))
    last = replay(estate, FIRST, LAST, other, False, quiet).manifests
    assert [(one.day, one.resource, one.rule, one.change) for one in last] == [
        (LAST, f"Deployment/shop/{name}", "labels.required", "added")
        for name in ("bold", "roomy", "tight")
    ]
    assert len(replay(estate, FIRST, LAST, other, True, quiet).manifests) == 6


def test_violations_are_recorded_when_they_turn_and_exported_with_age(tmp_path: Path) -> None:
    """Harm: an old violation looks new every day, or the ledger repeats it every day."""
    bare = bare_repository(tmp_path, {"a.yaml": manifest("old", "team: a, cost-center: cc-1")})
    (tmp_path / "bills").mkdir()
    (tmp_path / "finops.yaml").write_text(
        f"estate: small\nas_of: {FIRST}\nstart: 2026-01-01\n"
        "billing: [{name: aws, path: bills}]\n"
        f"desired_state: {{repository: {bare}, branch: main}}\n"
    )
    estate = Estate(load(tmp_path / "finops.yaml"))
    for as_of in (FIRST, LAST):
        estate = Estate(estate.settings.model_copy(update={"as_of": as_of}))
        known, unread = declared_all(estate.declared(as_of))
        assert unread == []
        looked = violating.Looked(known, {}, [], frozenset())
        found = violating.judge(estate, looked)
        standing, turned = violating.stand(estate, as_of, looked, found)
        estate.record(as_of, violating.KIND, turned)
        estate.day(as_of).write_items("policy_violations", standing)
    assert [(one.violation.rule_id, one.age_days) for one in standing] == [("labels.required", 1)]
    assert len(violating.recorded(estate)) == 1
    line.export_ledger(estate, LAST)
    (row,) = pq.read_table(estate.layout.ledger / "policy_violations.parquet").to_pylist()
    assert (row["resource"], row["rule_id"]) == ("Deployment/shop/old", "labels.required")
    assert (row["day"], row["first_day"], row["ended_day"]) == (LAST, FIRST, None)
    assert (row["cost_per_month"], row["currency"]) == (None, None)
