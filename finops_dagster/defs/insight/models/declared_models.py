"""AI models that Git declares: cards, serving resources and what is labelled as one.

What a register makes of them is responsible_ai's to say.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from typing import Any

from finops_dagster.domain.decisions import DeclaredResource
from finops_dagster.domain.models import RiskClass
from finops_dagster.responsible_ai.governance.register import Kind, System

MODEL_KEY = "finops.io/model"
"""Label or annotation by which a resource says which model it is."""
CARD_KINDS = ("ModelCard",)
SERVING_KINDS = ("InferenceService", "LLMInferenceService")
"""Kinds of KServe that serve a model."""
_NO_MODEL = ("", "false", "no", "none")


def declared_models(resources: Iterable[DeclaredResource]) -> Iterator[System]:
    """One system for each model that is declared; a card and what it is about are one."""
    cards: dict[str, System] = {}
    others: dict[str, System] = {}
    for one in resources:
        kind, _, name = one.resource.split("/", 2)
        said = one.annotations.get(MODEL_KEY) or one.labels.get(MODEL_KEY) or ""
        if kind in CARD_KINDS:
            cards[name] = _card(name, one)
        elif said.strip().lower() not in _NO_MODEL or (not said and kind in SERVING_KINDS):
            others.setdefault(
                said or name,
                System(
                    name=said or name,
                    kind=Kind.DECLARED,
                    owner=one.owner or "",
                    place=one.resource if kind in SERVING_KINDS else "",
                    card=one.annotations.get("finops.io/model-card", ""),
                ),
            )
    places = {one.place for one in cards.values()}
    yield from cards.values()
    for name, system in others.items():
        if name not in cards and system.place not in places - {""}:
            yield system


def _card(name: str, one: DeclaredResource) -> System:
    spec = json.loads(one.manifest).get("spec")
    fields: Mapping[str, Any] = spec if isinstance(spec, Mapping) else {}

    def text(key: str) -> str:
        value = fields.get(key)
        return value if isinstance(value, str) else ""

    risk = RiskClass.UNKNOWN
    with suppress(ValueError):
        risk = RiskClass(text("riskClass").lower())
    return System(
        name=name,
        kind=Kind.DECLARED,
        owner=text("owner") or one.owner or "",
        purpose=text("purpose"),
        risk_class=risk,
        data=text("trainingData") or text("lineage"),
        card=one.file,
        place=text("workload"),
    )
