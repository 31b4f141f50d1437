"""What policy is told beside a proposal: nothing that is not its own, and nothing of later."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from finops_dagster.defs.decision.context import (
    MAX_NEIGHBOURS,
    BudgetLeft,
    Day,
    Known,
    judge_all,
    policy_context,
)
from finops_dagster.domain.decisions import (
    Decision,
    DeclaredResource,
    Evidence,
    FindingKind,
    Proposal,
    Rung,
    Verdict,
)
from finops_dagster.domain.money import MoneyRange, Range
from finops_dagster.policy.inputs import proposal_input

NOW = datetime(2026, 3, 16, 6, tzinfo=UTC)
SCHEMA = json.loads((Path(__file__).parents[3] / "policies/schema/input.json").read_text())
CPU = "spec.template.spec.containers[name=server].resources.requests.cpu"


def proposal(saving: str = "20", currency: str = "USD", **parts: Any) -> Proposal:
    amount = Decimal(saving)
    values: dict[str, Any] = {
        "finding_id": "finding-1",
        "key": "key-1",
        "kind": FindingKind.RIGHTSIZE_CPU,
        "resource": "Deployment/shop/api",
        "field": CPU,
        "current": "1",
        "proposed": "500m",
        "owner": "search",
        "environment": "production",
        "saving_per_month": MoneyRange(low=amount, mid=amount, high=amount, currency=currency),
        "carbon_kg_per_month": Range(low=1, mid=2, high=3),
        "risk": 0.01,
        "confidence": 0.9,
        "evidence": Evidence(
            window_start=NOW, window_end=NOW, samples=4032, figures={"p95_cores": 0.4}
        ),
        "reason": "It used 0.4 cores at most.",
        "reconstructed": False,
        "publication_id": "publication-1",
        "as_of": date(2026, 3, 15),
    }
    return Proposal(**(values | parts))


def declared(name: str, manifest: Mapping[str, Any], owner: str = "search") -> DeclaredResource:
    return DeclaredResource(
        resource=name,
        api_version="v1",
        labels={"team": owner},
        annotations={},
        file="a.yaml",
        document=0,
        manifest=json.dumps({"kind": name.split("/", 1)[0], **manifest}),
        owner=owner,
    )


def deployment(name: str, replicas: int, owner: str = "search") -> DeclaredResource:
    container = {"name": "server", "resources": {"requests": {"cpu": "1"}}}
    pods = {"metadata": {"labels": {"app": "api"}}, "spec": {"containers": [container]}}
    return declared(
        f"Deployment/shop/{name}", {"spec": {"replicas": replicas, "template": pods}}, owner
    )


def known(*resources: DeclaredResource, **parts: Any) -> Known:
    every = resources or (deployment("api", 2),)
    values: dict[str, Any] = {
        "now": NOW,
        "ceiling": Rung.PROPOSE,
        "declared": {one.resource: one for one in every},
        "outlook": {},
    }
    return Known(**(values | parts))


def told(of: Proposal, by: Known, day: Day | None = None) -> dict[str, Any]:
    """The context as the rules see it, which the schema has to know."""
    document = proposal_input(of, policy_context(of, by, day or Day()))
    jsonschema.validate(document, SCHEMA)
    return dict(document["context"])


def test_what_a_day_always_knows() -> None:
    """Harm: rules of windows, ladder and blast radius read what the context never has."""
    by = known(reaches=lambda resource, field: 3)
    assert told(proposal(), by) == {
        "team": "search",
        "now": "2026-03-16T06:00:00+00:00",
        "ceiling": "propose",
        "spend": {},
        "day": {"currency": "USD", "team_moved": "0", "moved": "0"},
        "resources": 3,
        "neighbours": [],
        "capacity": {"cores": {"before": "2", "after": "1.000"}},
    }


def test_capacity_is_of_the_team() -> None:
    """Harm: what others have makes a team's change look small."""
    by = known(deployment("api", 2), deployment("web", 6), deployment("ml", 90, owner="ml"))
    assert told(proposal(), by)["capacity"] == {"cores": {"before": "8", "after": "7.000"}}
    assert "capacity" not in told(proposal(owner="ml"), by)
    assert "capacity" not in told(proposal(field="spec.nothing[7].x"), by)
    assert "capacity" not in told(proposal(resource="Deployment/shop/gone"), by)


def test_day_adds_up_by_team_and_currency() -> None:
    """Harm: euros are added to dollars, or one team's day holds up another's alone."""
    day = Day()
    day.add(proposal("20"))
    day.add(proposal("-30", owner="ml"))
    day.add(proposal("500", currency="EUR"))
    assert told(proposal(), known(), day)["day"] == {
        "currency": "USD",
        "team_moved": "20",
        "moved": "50",
    }


class Recorder:
    """Denies what costs money, and keeps what it was asked."""

    def __init__(self) -> None:
        self.asked: list[Mapping[str, Any]] = []

    def judge(self, proposal: Proposal, context: Mapping[str, Any]) -> Verdict:
        self.asked.append(context)
        costs = proposal.saving_per_month.mid < 0
        decision = Decision.DENY if costs else Decision.ALLOW
        return Verdict(subject=proposal.id, decision=decision, rules=(), bundle="b")


def test_each_is_told_what_those_before_it_move() -> None:
    """Harm: every proposal of a day is judged as if it were the only one."""
    judge = Recorder()
    made = [proposal("20"), proposal("-70"), proposal("30"), proposal("1")]
    verdicts = judge_all(judge, made, known())
    assert [one.subject for one in verdicts] == [one.id for one in made]
    assert [one["day"]["moved"] for one in judge.asked] == [0, 20, 20, 50]


def budget(name: str, **parts: Any) -> BudgetLeft:
    values: dict[str, Any] = {
        "of": {"team": ("search",)},
        "currency": "USD",
        "amount": Decimal(100),
        "spent": Decimal(40),
        "forecast": Decimal(90),
    }
    return BudgetLeft(name=name, **(values | parts))


@pytest.mark.parametrize(
    ("budgets", "expected"),
    [
        ((), None),
        ((budget("a"),), "a"),
        ((budget("a"), budget("b", forecast=Decimal(95))), "b"),
        ((budget("a", forecast=None), budget("b", spent=Decimal(99), forecast=None)), "b"),
        ((budget("a"), budget("b", spent=Decimal(95), forecast=Decimal(1))), "b"),
        ((budget("a", of={"team": ("ml",)}),), None),
        ((budget("a", of={}),), None),
        ((budget("a", currency="EUR"),), None),
        ((budget("a", of={"team": ("search",), "environment": ("staging",)}),), None),
        ((budget("a", of={"team": ("Search",), "environment": ("prod*",)}),), "a"),
        ((budget("a", of={"team": ("search",), "product": ("Shop",)}),), None),
    ],
)
def test_the_tightest_budget_of_the_team(budgets: Any, expected: str | None) -> None:
    """Harm: a change is held against somebody else's budget, or against the one with most left."""
    found = told(proposal(), known(budgets=budgets)).get("budget")
    assert (found and found["name"]) == expected
    if found is not None:
        assert found["amount"] == "100"
        assert found.get("forecast") != "None"


def test_budget_without_owner() -> None:
    """Harm: what nobody owns is charged to a budget of every team."""
    by = known(budgets=(budget("a", of={"team": ("*",)}),))
    assert "budget" not in told(proposal(owner=""), by)


GOOD = {"merged": 12, "reverts": 0, "realised_ratio": {"low": "0.9", "mid": "1", "high": "1.1"}}


def test_record_of_the_kind_and_of_the_team() -> None:
    """Harm: what CPU cuts realised lets GPU cuts merge themselves."""
    record = {("rightsize_cpu", ""): GOOD, ("rightsize_cpu", "search"): GOOD | {"merged": 3}}
    by = known(record=record)
    assert told(proposal(), by)["record"] == GOOD | {"team": GOOD | {"merged": 3}}
    assert told(proposal(owner="ml"), by)["record"] == GOOD
    assert told(proposal(owner=""), by)["record"] == GOOD
    assert "record" not in told(proposal(kind=FindingKind.IDLE_GPU), by)


def scaler(name: str, target: str, namespace: str = "shop") -> DeclaredResource:
    reference = {"kind": "Deployment", "name": target}
    return declared(
        f"HorizontalPodAutoscaler/{namespace}/{name}",
        {"metadata": {"namespace": namespace, "name": name}, "spec": {"scaleTargetRef": reference}},
    )


def disruption(name: str, selector: Any, namespace: str = "shop") -> DeclaredResource:
    return declared(
        f"PodDisruptionBudget/{namespace}/{name}",
        {"metadata": {"name": name}, "spec": {"selector": selector}},
    )


def neighbours(*beside: DeclaredResource) -> list[str]:
    by = known(deployment("api", 2), *beside)
    return [one["metadata"]["name"] for one in told(proposal(), by)["neighbours"]]


def test_autoscalers_that_scale_it() -> None:
    """Harm: the floor of another workload's autoscaler counts as this one's."""
    assert neighbours(
        scaler("mine", "api"), scaler("other", "web"), scaler("elsewhere", "api", "dev")
    ) == ["mine"]


@pytest.mark.parametrize(
    ("selector", "covers"),
    [
        ({"matchLabels": {"app": "api"}}, True),
        ({"matchLabels": {"app": "api", "tier": "x"}}, False),
        ({}, True),
        (None, False),
        ({"matchExpressions": [{"key": "app", "operator": "In", "values": ["api"]}]}, True),
        ({"matchExpressions": [{"key": "app", "operator": "NotIn", "values": ["api"]}]}, False),
        ({"matchExpressions": [{"key": "tier", "operator": "NotIn", "values": ["x"]}]}, True),
        ({"matchExpressions": [{"key": "app", "operator": "Exists"}]}, True),
        ({"matchExpressions": [{"key": "app", "operator": "DoesNotExist"}]}, False),
        ({"matchExpressions": [{"key": "app", "operator": "Like"}]}, False),
        ({"matchExpressions": ["app"]}, False),
        ({"matchExpressions": "app"}, False),
    ],
)
def test_disruption_budgets_that_cover_it(selector: Any, covers: bool) -> None:
    """Harm: a workload is cut as if it were protected by a budget that is not its own."""
    assert bool(neighbours(disruption("pdb", selector))) is covers
    assert neighbours(disruption("pdb", selector, "dev")) == []


def test_neighbours_are_bounded() -> None:
    """Harm: a namespace of thousands of autoscalers makes every question a megabyte."""
    many = [scaler(f"h{number:02}", "api") for number in range(MAX_NEIGHBOURS + 5)]
    assert len(neighbours(*many)) == MAX_NEIGHBOURS


def test_model_of_the_workload() -> None:
    """Harm: the rules for AI are asked of a workload that no model is known of."""
    by = known(models={"Deployment/shop/api": {"name": "ranker", "owner": "search"}})
    assert told(proposal(), by)["model"] == {"name": "ranker", "owner": "search"}
    assert "model" not in told(proposal(resource="Deployment/shop/web"), by)
