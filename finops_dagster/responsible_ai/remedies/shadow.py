"""AI that nobody registered: what runs, logs or is paid for, held against what is known of models.

What gives a model away is policy's to say, and what it costs is counted elsewhere.
"""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

from finops_dagster.domain.decisions import DeclaredResource, Evidence, Finding, FindingKind
from finops_dagster.domain.money import NO_CARBON, NO_MONEY
from finops_dagster.domain.periods import day_start
from finops_dagster.responsible_ai.remedies.findings import ENGINE

CARD = "ModelCard"
CARD_VERSION = "finops.io/v1"
CARD_KINDS = frozenset({CARD, "Model"})
MODEL_KEY = "finops.io/model"
"""Label or annotation by which a resource names its model, or says with `none` that it has none."""
ELSEWHERE = "models"
"""Namespace of a card of what runs in no namespace."""
_NOT_NAME = re.compile(r"[^a-z0-9]+")
_LONGEST = 63
"""Of a Kubernetes label, and long enough for a file's name."""


@dataclass(frozen=True)
class Registered:
    """What is known of models: workloads that a card or the settings name, and names of models."""

    workloads: frozenset[str]
    models: frozenset[str]


@dataclass(frozen=True)
class SeenModel:
    """What looks like AI on a day."""

    name: str
    """Of the workload or, where none is known, of the model as its log or its bill has it."""
    namespace: str
    workload: str
    """KIND/NAMESPACE/NAME; empty where no workload is known."""
    signs: tuple[str, ...]
    """What gives it away, each in half a sentence."""
    owner: str = ""
    environment: str = ""
    costs: Mapping[str, Decimal] = field(default_factory=dict)
    """A month, by currency."""
    since: date | None = None


def registered(
    declared: Iterable[DeclaredResource], settings: Mapping[str, str | None]
) -> Registered:
    """What cards, labels and the settings (model -> its workload) make known."""
    workloads = {workload for workload in settings.values() if workload}
    models = set(settings)
    for one in declared:
        kind, namespace, name = one.resource.split("/", 2)
        said = one.annotations.get(MODEL_KEY, one.labels.get(MODEL_KEY, "")).strip()
        if said:
            workloads.add(one.resource)
        if kind in CARD_KINDS:
            spec = _spec(one.manifest)
            models |= {name, str(spec.get("model") or name)}
            told = spec.get("workload")
            if isinstance(told, str):
                workloads.add(told)
            workloads |= {f"{of}/{namespace}/{name}" for of in _SERVING}
    return Registered(frozenset(workloads), frozenset(models))


_SERVING = ("Deployment", "StatefulSet", "InferenceService", "Rollout")
"""Kinds of workloads that a card of the same name and namespace is of, where it names none."""


def _spec(manifest: str) -> Mapping[str, Any]:
    try:
        spec = json.loads(manifest).get("spec")
    except (ValueError, AttributeError):
        return {}
    return spec if isinstance(spec, Mapping) else {}


def shadow(
    seen: Iterable[SeenModel],
    known: Registered,
    *,
    as_of: date,
    days: int,
    cards: bool,
    told: Collection[str] = (),
) -> list[Finding]:
    """A finding for each model that is not known, with the card that registers it.

    `days`: the evidence window up to `as_of`; `cards`: a card may be added by pull request;
    `told`: workloads that other findings of the day tell to be undeclared.
    """
    found: dict[str, Finding] = {}
    for one in seen:
        if one.workload in known.workloads or one.name in known.models:
            continue
        made = _finding(one, as_of, days, cards, one.workload in told)
        found.setdefault(made.resource, made)
    return list(found.values())


def _finding(one: SeenModel, as_of: date, days: int, cards: bool, told: bool) -> Finding:
    namespace = _safe(one.namespace) or ELSEWHERE
    name = _safe(one.name) or "unnamed"
    document = card(one, name, namespace)
    named = one.workload or one.name
    costs = ", ".join(f"{amount:,.2f} {currency}" for currency, amount in sorted(one.costs.items()))
    reason = (
        f"{named} looks like AI ({'; '.join(one.signs)}) and nobody has registered it: no card, no "
        f"label {MODEL_KEY} and no key of the settings names it."
    )
    reason += f" It costs {costs} a month." if costs else " What it costs is not known."
    if not one.owner:
        reason += " Nobody is known to own it."
    if told:
        reason += " That nothing declares it is told apart: a card does not say how it runs."
    return Finding(
        kind=FindingKind.SHADOW_AI,
        resource=f"{CARD}/{namespace}/{name}",
        field="",
        current="",
        proposed="",
        owner=one.owner,
        environment=one.environment or "unknown",
        saving_per_month=NO_MONEY,
        carbon_kg_per_month=NO_CARBON,
        risk=0.0,
        confidence=1.0,
        evidence=Evidence(
            window_start=day_start(as_of - timedelta(days=days - 1)),
            window_end=day_start(as_of + timedelta(days=1)),
            samples=len(one.signs),
            figures={
                f"cost_per_month_{currency.lower()}": float(amount)
                for currency, amount in sorted(one.costs.items())
            },
        ),
        reason=reason,
        engine=ENGINE,
        as_of=as_of,
        suggestion="" if cards else document,
        wrong_if=f"it is no model: say so with the annotation {MODEL_KEY} and the value none",
        document=document if cards else "",
        counterfactual=(f"a card named it, or it had the annotation {MODEL_KEY}",),
    )


def card(one: SeenModel, name: str, namespace: str) -> str:
    """The manifest that registers it: what is known, and what its owner has to fill in.

    Every text of others is a JSON string, which YAML 1.2 reads as it is written.
    """
    given = {
        "model": one.name,
        "owner": one.owner,
        "workload": one.workload,
        "riskClass": "unknown",
        "purpose": "",
        "trainingData": "",
    }
    lines = [
        "# Proposed because this runs and is not registered. Its owner fills in: riskClass",
        "# (prohibited, high, limited or minimal by the EU AI Act), purpose and trainingData.",
        f"apiVersion: {CARD_VERSION}",
        f"kind: {CARD}",
        "metadata:",
        f"  name: {_text(name)}",
        f"  namespace: {_text(namespace)}",
    ]
    if one.owner:
        lines.append(f"  labels: {{team: {_text(one.owner)}}}")
    lines += ["spec:", *(f"  {key}: {_text(value)}" for key, value in given.items())]
    return "\n".join(lines) + "\n"


def _text(value: str) -> str:
    return json.dumps("".join(char for char in value if char.isprintable()), ensure_ascii=False)


def _safe(name: str) -> str:
    """Lower case letters, digits and hyphens alone, so that it is a name and a file's name."""
    return _NOT_NAME.sub("-", name.lower()).strip("-")[:_LONGEST].strip("-")
