"""Violations of policy that one known value would mend: reads the day's and asks policy.

What mends what is policy's to say.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import date
from decimal import Decimal
from functools import partial

from finops_dagster.defs.estate import Estate
from finops_dagster.desired_state import RepositoryIndex
from finops_dagster.domain.decisions import DeclaredResource, Evidence, Finding, FindingKind
from finops_dagster.domain.money import NO_CARBON, NO_CURRENCY, MoneyRange
from finops_dagster.domain.periods import day_start
from finops_dagster.domain.violations import Seen, StandingViolation
from finops_dagster.engines.optimisation import FindResult
from finops_dagster.policy.mending import Mend, mend
from finops_dagster.policy.violations import Judging, declared, namespace_labels
from finops_dagster.storage.publication import PublishedReader


def violating(estate: Estate, _: PublishedReader, as_of: date) -> FindResult:
    """A finding for each violation of a declared resource that a known value mends."""
    day, index = estate.day(as_of), estate.index(as_of)
    standing = day.items("policy_violations", StandingViolation)
    if index is None:
        return FindResult(findings=[], abstained=[])
    resources = index.resources()
    namespaces = namespace_labels(resources)
    judging = Judging(estate.judge)
    findings = []
    for one in standing:
        violation = one.violation
        resource = resources.get(violation.resource)
        if violation.seen is not Seen.DECLARED or resource is None:
            continue
        found = mend(
            judging,
            resource,
            partial(declared, namespaces=namespaces, owner=violation.owner),
            violation,
            _values(index, resource),
            _labels(estate, one, resource),
        )
        if found is not None:
            findings.append(_finding(estate, one, found, as_of))
    return FindResult(findings=findings, abstained=[])


def _values(index: RepositoryIndex, resource: DeclaredResource) -> Mapping[str, str]:
    return {field: scalar.text for field, scalar in index.values(resource.resource).items()}


def _labels(estate: Estate, one: StandingViolation, resource: DeclaredResource) -> dict[str, str]:
    """Labels that the settings' first keys name, with what is known of them; empty: unknown."""
    tags = estate.settings.tags
    return {
        tags.team[0]: one.violation.owner,
        tags.environment[0]: one.violation.environment,
        tags.cost_center[0]: resource.cost_center or "",
    }


def _finding(estate: Estate, one: StandingViolation, found: Mend, as_of: date) -> Finding:
    violation = one.violation
    currency = one.cost_per_month[0].currency if one.cost_per_month else NO_CURRENCY
    nothing = MoneyRange(low=Decimal(0), mid=Decimal(0), high=Decimal(0), currency=currency)
    days = f"for {one.age_days} days" if one.age_days else f"since {one.first_day}"
    at = day_start(as_of)
    return Finding(
        kind=FindingKind.POLICY_VIOLATION,
        resource=violation.resource,
        field=found.field,
        current=found.current,
        proposed=found.proposed,
        owner=violation.owner,
        environment=violation.environment or "unknown",
        saving_per_month=nothing,
        carbon_kg_per_month=NO_CARBON,
        risk=0.0,
        confidence=1.0,
        evidence=Evidence(
            window_start=day_start(one.first_day),
            window_end=at,
            samples=1,
            figures={"age_days": float(one.age_days)},
        ),
        reason=f"{violation.title} ({violation.rule_id}, {days}): {violation.actual}, where "
        f"{violation.limit} is asked for. Mending it saves no money by itself.",
        engine=f"policy ({estate.judge.bundle})",
        as_of=as_of,
        suggestion=_text(found.labels) if found.labels else "",
        wrong_if="the value known from the bill or the repository is not the right one",
    )


def _text(labels: Mapping[str, str]) -> str:
    """As YAML to add; JSON's strings are YAML's."""
    lines = [f"    {key}: {json.dumps(value, ensure_ascii=False)}" for key, value in labels.items()]
    return "\n".join(["metadata:", "  labels:", *lines])
