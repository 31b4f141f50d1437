"""AI that nobody registered: reads what AI is paid for, what logs answers and what looks like a
model, and asks what of it is known.

What is a model by its looks is policy's to say; what is told of it, responsible_ai's.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

from finops_dagster.defs.estate import Estate
from finops_dagster.defs.insight import running
from finops_dagster.domain.decisions import DeclaredResource, Finding, FindingKind
from finops_dagster.domain.periods import HOURS_PER_MONTH
from finops_dagster.engines.optimisation import FindResult
from finops_dagster.policy.engine import EngineError
from finops_dagster.policy.inputs import manifest_input
from finops_dagster.responsible_ai.remedies.shadow import (
    CARD_KINDS,
    SeenModel,
    registered,
    shadow,
)
from finops_dagster.storage.publication import PublishedReader, or_empty

DAYS = 30
"""Days of bills and logs that are looked at."""
_IS_MODEL = "data.finops.lib.model.is_model"


def shadows(
    estate: Estate, reader: PublishedReader, as_of: date, before: Sequence[Finding]
) -> FindResult:
    """A finding for each model, or what looks like one, that no card and no setting names."""
    declared = estate.declared(as_of)
    settings = estate.settings
    known = registered(declared.values(), {one.name: one.workload for one in settings.models})
    undeclared = {one.resource for one in before if one.kind is FindingKind.UNDECLARED_WORKLOAD}
    owners = or_empty(running.owners(reader, as_of), ["resource", "owner", "environment"])
    owned = {
        str(row["resource"]): (str(row["owner"]), str(row["environment"]))
        for row in owners.to_dict("records")
    }
    first = as_of - timedelta(days=DAYS - 1)
    spend = reader.records(
        "fct_ai_costs_daily",
        """
        select resource, provider, model, max(team) as team, billing_currency as currency,
            sum(effective_cost) as cost
        from mart group by resource, provider, model, billing_currency order by all
        """,
        first=first,
        last=as_of,
    )
    told = {one.model for one in settings.language_models}
    seen = [
        *_workloads(estate, declared, spend, owned),
        *_bought(spend, told),
        *_logged(reader, first, as_of),
    ]
    cards = bool(settings.ai.cards_folder) and settings.desired_state is not None
    found = shadow(seen, known, as_of=as_of, days=DAYS, cards=cards, told=undeclared)
    return FindResult(findings=found, abstained=[])


def _workloads(
    estate: Estate,
    declared: Mapping[str, DeclaredResource],
    spend: Sequence[Mapping[str, Any]],
    owned: Mapping[str, tuple[str, str]],
) -> Iterable[SeenModel]:
    """Workloads that AI is paid for, and declared ones that policy takes for models."""
    costs: dict[str, dict[str, Decimal]] = defaultdict(lambda: defaultdict(Decimal))
    teams: dict[str, str] = {}
    for row in spend:
        if row["resource"]:
            costs[row["resource"]][row["currency"]] += _monthly(row["cost"])
            teams.setdefault(row["resource"], row["team"] or "")
    looks = {name for name, one in declared.items() if _is_model(estate, one)}
    for name in sorted(costs.keys() | looks):
        kind, namespace, short = name.split("/", 2)
        if kind in CARD_KINDS:
            continue
        signs = [
            *(["its GPUs, its runs or its answers are paid for as AI"] if name in costs else []),
            *(["policy takes what it declares for a model"] if name in looks else []),
        ]
        resource = declared.get(name)
        owner, environment = owned.get(name, ("", ""))
        yield SeenModel(
            name=short,
            namespace=namespace,
            workload=name,
            signs=tuple(signs),
            owner=(resource.owner if resource else None) or owner or teams.get(name, ""),
            environment=(resource.environment if resource else None) or environment,
            costs=dict(costs.get(name, {})),
        )


def _bought(spend: Sequence[Mapping[str, Any]], told: set[str]) -> Iterable[SeenModel]:
    """Language models that are paid for by tokens and that the settings do not name."""
    costs: dict[tuple[str, str], dict[str, Decimal]] = defaultdict(lambda: defaultdict(Decimal))
    teams: dict[tuple[str, str], str] = {}
    for row in spend:
        if not row["resource"] and row["provider"] and row["model"] and row["model"] not in told:
            key = row["provider"], row["model"]
            costs[key][row["currency"]] += _monthly(row["cost"])
            teams.setdefault(key, row["team"] or "")
    for (provider, model), by_currency in sorted(costs.items()):
        yield SeenModel(
            name=model,
            namespace="",
            workload="",
            signs=(f"tokens of it are paid to {provider}",),
            owner=teams[provider, model],
            costs=dict(by_currency),
        )


def _logged(reader: PublishedReader, first: date, as_of: date) -> Iterable[SeenModel]:
    """Models that log answers."""
    rows = reader.records(
        "fct_model_metrics_daily",
        "select model, sum(predictions) as answers from mart group by model order by all",
        first=first,
        last=as_of,
    )
    for row in rows:
        yield SeenModel(
            name=str(row["model"]),
            namespace="",
            workload="",
            signs=(f"it logged {int(row['answers']):,} answers in {DAYS} days",),
        )


def _is_model(estate: Estate, resource: DeclaredResource) -> bool:
    """What policy's own word for a model says of a declared resource.

    A bundle of somebody else's that has no such word finds none by their looks.
    """
    manifest = json.loads(resource.manifest)
    if "apiVersion" not in manifest or not isinstance(manifest.get("kind"), str):
        return False
    try:
        said = estate.rego.evaluate(_IS_MODEL, manifest_input(manifest, resource.resource))
    except EngineError:
        return False
    return said is True


def _monthly(cost: Any) -> Decimal:
    return Decimal(cost or 0) * HOURS_PER_MONTH / (24 * DAYS)
