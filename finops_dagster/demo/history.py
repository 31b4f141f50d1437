"""How declared values changed while the estate lived on: kept in its state, joined with main.

Reading main is the business of reader; what values mean for demand and bills is elsewhere.
"""

from __future__ import annotations

from dataclasses import asdict
from datetime import date
from typing import Any

from finops_dagster.demo.demand import Timeline, sizing_on
from finops_dagster.demo.models import Serving, declared_on
from finops_dagster.demo.plan import Container, Plan, Sizing
from finops_dagster.demo.reader import Declared
from finops_dagster.demo.volumes import Claims, claim_size


def loaded_models(state: dict[str, Any]) -> Serving:
    """What main was found to declare of AI models, kept in an estate's state."""
    return {
        model: tuple((date.fromisoformat(since), value) for since, value in changes)
        for model, changes in state["models"].items()
    }


def dumped_models(serving: Serving) -> dict[str, Any]:
    """The same as plain JSON values, for the state."""
    return {
        "models": {
            model: [[since.isoformat(), value] for since, value in changes]
            for model, changes in serving.items()
        }
    }


def merged_models(serving: Serving, declared: Declared, start: date) -> tuple[Serving, list[str]]:
    """What is declared of AI models from `start` on; and names of those that changed."""
    joined = dict(serving)
    changed = [
        model
        for model, value in declared.models.items()
        if value != declared_on(model, start, serving)
    ]
    for model in changed:
        joined[model] = (*joined.get(model, ()), (start, declared.models[model]))
    return joined, changed


def loaded(state: dict[str, Any]) -> tuple[Timeline, Claims]:
    """The changes kept in an estate's state."""
    timeline = {
        resource: tuple(
            (date.fromisoformat(since), _sizing(value) if value is not None else None)
            for since, value in changes
        )
        for resource, changes in state["timeline"].items()
    }
    claims = {
        resource: tuple((date.fromisoformat(since), size) for since, size in changes)
        for resource, changes in state["claims"].items()
    }
    return timeline, claims


def dumped(timeline: Timeline, claims: Claims) -> dict[str, Any]:
    """The changes as plain JSON values, for the state."""
    return {
        "timeline": {
            resource: [
                [since.isoformat(), None if sizing is None else asdict(sizing)]
                for since, sizing in changes
            ]
            for resource, changes in timeline.items()
        },
        "claims": {
            resource: [[since.isoformat(), size] for since, size in changes]
            for resource, changes in claims.items()
        },
    }


def merged(
    plan: Plan, timeline: Timeline, claims: Claims, declared: Declared, start: date
) -> tuple[Timeline, Claims, tuple[str, ...]]:
    """The changes joined with what main declares from `start` on; and which resources differ."""
    changed: list[str] = []
    joined = dict(timeline)
    for workload in plan.workloads:
        resource = workload.resource
        if resource not in declared.workloads:
            continue
        wanted = declared.workloads[resource]
        if wanted != sizing_on(workload, timeline, start):
            joined[resource] = (*joined.get(resource, ()), (start, wanted))
            changed.append(resource)
    sizes = dict(claims)
    for claim in plan.claims:
        size = declared.claims[claim.resource]
        if size != claim_size(claim, claims, start):
            sizes[claim.resource] = (*claims.get(claim.resource, ()), (start, size))
            changed.append(claim.resource)
    return joined, sizes, tuple(changed)


def _sizing(value: dict[str, Any]) -> Sizing:
    hpa = value["hpa"]
    return Sizing(
        replicas=int(value["replicas"]),
        containers=tuple(Container(**container) for container in value["containers"]),
        hpa=None if hpa is None else (int(hpa[0]), int(hpa[1])),
    )
