"""A model that fails its gate, from policy to the forge: nothing about it merges itself."""

from __future__ import annotations

import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from finops_dagster.domain.decisions import Decision, FindingKind, Proposal, Rung, Verdict
from finops_dagster.domain.money import NO_MONEY, MoneyRange
from finops_dagster.domain.pull_requests import PullRequestState
from finops_dagster.gitops.wanted import Wanted
from finops_dagster.policy.bundle import RegoBundle
from finops_dagster.policy.judges import RegorusJudge
from tests.contract.hosts import Host
from tests.contract.life import START as START
from tests.contract.life import WEB, Life, cpu

JUDGE = RegorusJudge(RegoBundle.load(Path(__file__).parents[2] / "policies"))
IMAGE = "spec.template.spec.containers[name=server].image"
UNFAIR = {"check": "fairness", "grade": "fail", "segment": "sex=female", "since": "2026-04-27"}
CHECK = "ci/test"


def saving() -> Proposal:
    """Small, safe and in staging: the ladder lets it be merged automatically."""
    of = cpu(environment="staging", proposed="1500m", risk=0.001)
    little = MoneyRange(low=Decimal(20), mid=Decimal(20), high=Decimal(20), currency="USD")
    evidence = of.evidence.model_copy(update={"figures": {"p95_cores": 0.4}})
    return of.model_copy(update={"saving_per_month": little, "evidence": evidence})


def rollback() -> Proposal:
    return cpu(
        kind=FindingKind.MODEL_ROLLBACK,
        field=IMAGE,
        current="registry.example/web:1",
        proposed="registry.example/web:0",
        environment="staging",
        saving_per_month=NO_MONEY,
        risk=0.0,
    )


def judged(life: Life, of: Proposal, *breaches: dict[str, Any]) -> Verdict:
    """With the ceiling at automerge and a record that is good."""
    resource = life.index().resources()[of.resource]
    kind, namespace, name = of.resource.split("/")
    labels = {"team": "checkout", "environment": "staging", "cost-center": "cc-1"}
    return JUDGE.judge(
        of,
        {
            "resource": {
                "kind": kind,
                "namespace": namespace,
                "name": name,
                "labels": labels,
                "annotations": {},
                "manifest": json.loads(resource.manifest),
            },
            "environment": "staging",
            "team": "checkout",
            "ceiling": "automerge",
            "resources": 1,
            "capacity": {"cores": {"before": "40", "after": "39.5"}},
            "record": {"merged": 24, "reverts": 0, "realised_ratio": {"low": "0.95"}},
            "spend": {"currency": "USD", "team_month_to_date": "400", "team_forecast": "1000"},
            "model": {"name": "credit", "owner": "checkout", "breaches": list(breaches)},
        },
    )


def wanted(life: Life, of: Proposal, *breaches: dict[str, Any]) -> Wanted:
    planned = life.wanted(of)
    return Wanted(of, judged(life, of, *breaches), planned.changes)


@pytest.fixture
def guarded(life: Life, host: Host) -> Life:
    """The forge merges by itself as soon as a check is there, and asks for no review."""
    host.protect(checks=[CHECK])
    return life


def test_the_ladder_alone_merges_it(guarded: Life) -> None:
    """Harm: the tests below show nothing, as nothing is ever merged automatically here."""
    one = wanted(guarded, saving())
    assert (one.verdict.decision, one.verdict.rung) == (Decision.ALLOW, Rung.AUTOMERGE)
    assert len(guarded.run(one).automerged) == 1


@pytest.mark.parametrize("grade", ["warn", "fail"])
@pytest.mark.parametrize("check", ["data_drift", "fairness"])
def test_with_the_gate_breached_nothing_is_merged_automatically(
    guarded: Life, check: str, grade: str
) -> None:
    """Harm: while a model harms people, automation goes on changing what serves it."""
    breach = UNFAIR | {"check": check, "grade": grade}
    one = wanted(guarded, saving(), breach)
    assert one.verdict.rung is not Rung.AUTOMERGE
    done = guarded.run(one)
    assert done.automerged == ()
    frozen = (check, grade) == ("fairness", "fail")
    assert one.verdict.decision is (
        Decision.DENY if frozen else Decision.ALLOW if grade == "warn" else Decision.NEEDS_APPROVAL
    )
    assert len(done.opened) == (0 if frozen else 1)


def test_its_remedy_is_opened_and_merged_by_a_person(guarded: Life) -> None:
    """Harm: a freeze holds up the one change that ends the harm, or a robot makes it alone."""
    of = rollback()
    one = wanted(guarded, of, UNFAIR)
    assert (one.verdict.decision, one.verdict.rung) == (Decision.NEEDS_APPROVAL, Rung.PROPOSE)
    assert one.verdict.approvers == ("@team/checkout",)
    assert {rule.id for rule in one.verdict.rules} >= {"ai.gate", "ai.remedy"}
    opened = guarded.opened(one)
    assert opened.state is PullRequestState.OPEN
    assert "fail: fairness of the model (sex=female) since 2026-04-27" in opened.body
    assert guarded.run(one).automerged == ()
    assert guarded.host.file(opened.branch, WEB) == START[WEB].replace(b"web:1", b"web:0")


def test_a_remedy_is_not_merged_automatically_even_where_no_gate_is_told(guarded: Life) -> None:
    """Harm: the day's gates are missing, and which model answers people is changed by a robot."""
    one = wanted(guarded, rollback())
    assert one.verdict.rung is Rung.PROPOSE
    assert guarded.run(one).automerged == ()
