"""AI that nobody registered is told once, with an owner and a card; what is registered never is."""

from __future__ import annotations

import json
from datetime import date
from decimal import Decimal
from typing import Any

import yaml
from hypothesis import given
from hypothesis import strategies as st

from finops_dagster.domain.decisions import DeclaredResource, Finding, FindingKind
from finops_dagster.responsible_ai.remedies.shadow import (
    SeenModel,
    card,
    registered,
    shadow,
)

TODAY = date(2026, 10, 22)
LLM = SeenModel(
    name="llm", namespace="sandbox", workload="Deployment/sandbox/llm",
    signs=("its GPUs are paid for as AI",), owner="ml", environment="dev",
    costs={"EUR": Decimal("1234.5"), "USD": Decimal(10)},
)  # fmt: skip


def declared(resource: str, spec: Any = None, **more: Any) -> DeclaredResource:
    given_: dict[str, Any] = {
        "resource": resource, "api_version": "v1", "labels": {}, "annotations": {},
        "file": "a.yaml", "document": 0, "manifest": json.dumps({"spec": spec or {}}),
    }  # fmt: skip
    return DeclaredResource(**given_ | more)


def told(*seen: SeenModel, **known: Any) -> list[Finding]:
    of = registered(known.get("declared", ()), known.get("settings", {}))
    return shadow(seen, of, as_of=TODAY, days=30, cards=True, told=known.get("told", ()))


def test_with_its_owner_its_cost_and_its_card() -> None:
    """Harm: a finding that nobody answers, as it has no owner, no cost and no way out."""
    (one,) = told(LLM, LLM)
    assert (one.kind, one.resource, one.owner) == (
        FindingKind.SHADOW_AI, "ModelCard/sandbox/llm", "ml",
    )  # fmt: skip
    assert one.evidence.figures == {"cost_per_month_eur": 1234.5, "cost_per_month_usd": 10.0}
    assert "It costs 1,234.50 EUR, 10.00 USD a month." in one.reason
    assert (one.saving_per_month.mid, one.saving_per_month.currency) == (0, "XXX")
    assert yaml.safe_load(one.document) == {
        "apiVersion": "finops.io/v1",
        "kind": "ModelCard",
        "metadata": {"name": "llm", "namespace": "sandbox", "labels": {"team": "ml"}},
        "spec": {
            "model": "llm", "owner": "ml", "workload": "Deployment/sandbox/llm",
            "riskClass": "unknown", "purpose": "", "trainingData": "",
        },
    }  # fmt: skip
    (beside,) = told(LLM, told={"Deployment/sandbox/llm"})
    assert "That nothing declares it is told apart" in beside.reason
    of = registered((), {})
    (advised,) = shadow([LLM], of, as_of=TODAY, days=30, cards=False)
    assert (advised.document, advised.suggestion) == ("", one.document)


def test_what_is_registered_is_never_told() -> None:
    """Harm: teams that did register their models are told to do so again."""
    by_card = declared("ModelCard/models/llm-card", {"workload": "Deployment/sandbox/llm"})
    by_name = declared("Model/sandbox/llm")
    by_label = declared("Deployment/sandbox/llm", labels={"finops.io/model": "llama"})
    no_model = declared("Deployment/sandbox/llm", annotations={"finops.io/model": "none"})
    for one in (by_card, by_name, by_label, no_model):
        assert told(LLM, declared=[one]) == []
    assert told(LLM, settings={"assistant": "Deployment/sandbox/llm"}) == []
    logged = SeenModel(name="churn", namespace="", workload="", signs=("it logged answers",))
    assert told(logged, settings={"churn": None}) == []
    assert told(logged, declared=[declared("ModelCard/models/churn")]) == []
    assert len(told(LLM, logged, declared=[declared("Deployment/sandbox/llm")])) == 2


def test_its_own_card_registers_it() -> None:
    """Harm: the pull request is merged, and opened again the day after."""
    (one,) = told(LLM)
    content = yaml.safe_load(one.document)
    after = declared(one.resource, manifest=json.dumps(content))
    assert told(LLM, declared=[after]) == []
    logged = SeenModel(name="Churn v2", namespace="", workload="", signs=("it logged answers",))
    (other,) = told(logged)
    after = declared(other.resource, manifest=json.dumps(yaml.safe_load(other.document)))
    assert told(logged, declared=[after]) == []


@given(st.text(min_size=1, max_size=80), st.text(max_size=80), st.text(max_size=80))
def test_text_of_others_stays_text(name: str, owner: str, namespace: str) -> None:
    """Harm: the name in a log writes YAML, or a path, into the repository."""
    seen = SeenModel(name=name, namespace=namespace, workload="", signs=("x",), owner=owner)
    (one,) = told(seen)
    kind, place, short = one.resource.split("/")
    assert kind == "ModelCard"
    for part in (place, short):
        assert part
        assert set(part) <= set("abcdefghijklmnopqrstuvwxyz0123456789-")
        assert not part.startswith("-")
        assert len(part) <= 63
    content = yaml.safe_load(card(seen, short, place))
    assert set(content) == {"apiVersion", "kind", "metadata", "spec"}
    assert set(content["spec"]) == {
        "owner", "workload", "riskClass", "purpose", "trainingData", "model",
    }  # fmt: skip
    assert content["spec"]["owner"] == "".join(one for one in owner if one.isprintable())
