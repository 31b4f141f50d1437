"""What policy is told beside a proposal: the declared resource, its team's money and capacity, what
the day has proposed so far, and the moment it is judged for.

Where that is read from is next door, in knowledge; the rules themselves are Rego, in policies.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal
from functools import cached_property
from typing import Any, Protocol

import pandas as pd
import yaml

from finops_dagster.domain.dated import Conditions, fits
from finops_dagster.domain.decisions import Decision, DeclaredResource, Proposal, Rung, Verdict
from finops_dagster.domain.money import exact_sum
from finops_dagster.domain.periods import month_start, next_month
from finops_dagster.engines.optimisation.capacity import asked_for, summed
from finops_dagster.engines.optimisation.scalers import HPA, scale_target
from finops_dagster.policy.paths import changed

MAX_NEIGHBOURS = 20
"""Manifests beside a resource that rules are given."""
_DISRUPTION = "PodDisruptionBudget"
_NOBODY = ""

Outlook = Mapping[tuple[str, str, str], dict[str, str]]
"""(team, environment, currency) -> its spend of the month, so far and as expected, as text."""
Record = Mapping[tuple[str, str], Mapping[str, Any]]
"""(kind, team) -> merged, reverts, realised_ratio {low, mid, high}; team "" is all of them."""


class Judge(Protocol):
    """Something that gives a verdict on a proposal."""

    def judge(self, proposal: Proposal, context: Mapping[str, Any]) -> Verdict:
        """Verdict on `proposal`, in its context."""
        ...


@dataclass(frozen=True)
class BudgetLeft:
    """A budget in the period that a day is in. Money is in `currency`."""

    name: str
    of: Conditions
    currency: str
    amount: Decimal
    spent: Decimal
    forecast: Decimal | None
    """What the period will come to; None where that is not known."""

    @property
    def left(self) -> Decimal:
        """Of the amount, after what is spent and expected; negative where it is used up."""
        return self.amount - max(self.spent, self.forecast or self.spent)


def _alone(resource: str, path: str) -> int:
    return 1


@dataclass(frozen=True)
class Known:
    """What was known on a day, by which its proposals are judged."""

    now: datetime
    """The moment that is judged for: when the day's decision was due, or is made."""
    ceiling: Rung
    """How far the settings let automation go."""
    declared: Mapping[str, DeclaredResource]
    outlook: Outlook
    budgets: Sequence[BudgetLeft] = ()
    reaches: Callable[[str, str], int] = _alone
    """Resource and field -> how many resources show the value, itself included."""
    record: Record = field(default_factory=dict)
    models: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    """Resource -> the model that it serves or trains, as settings have it and the day judged it."""
    engines: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    """Engine of ours -> gate and breaches of the day."""

    @cached_property
    def manifests(self) -> dict[str, Any]:
        """Of every declared resource."""
        return {name: json.loads(one.manifest) for name, one in self.declared.items()}

    @cached_property
    def capacities(self) -> dict[str, dict[str, Decimal]]:
        """Team -> cores, GiB and GPUs that what it declares asks for."""
        of_team: dict[str, list[Any]] = defaultdict(list)
        for name, one in self.declared.items():
            if one.owner:
                of_team[one.owner].append(self.manifests[name])
        return {team: summed(map(asked_for, owned)) for team, owned in of_team.items()}

    @cached_property
    def beside(self) -> dict[str, list[tuple[str, Any]]]:
        """Namespace -> the autoscalers and disruption budgets in it, in the order of names."""
        found: dict[str, list[tuple[str, Any]]] = defaultdict(list)
        for name in sorted(self.declared):
            kind, namespace, _ = name.split("/", 2)
            if kind in (HPA, _DISRUPTION):
                found[namespace].append((kind, self.manifests[name]))
        return found


@dataclass
class Day:
    """Money a month that a day's proposals move, saved or spent, in each currency."""

    moved: dict[tuple[str, str], list[Decimal]] = field(default_factory=lambda: defaultdict(list))
    """(team, currency) -> amounts."""

    def add(self, proposal: Proposal) -> None:
        """Count one more."""
        amount = proposal.saving_per_month
        self.moved[proposal.owner, amount.currency].append(abs(amount.mid))

    def told(self, proposal: Proposal) -> dict[str, Any]:
        """What policy is told of the others of its team, and of all, in its currency."""
        currency = proposal.saving_per_month.currency
        every = [one for (_, of), ones in self.moved.items() if of == currency for one in ones]
        return {
            "currency": currency,
            "team_moved": exact_sum(*self.moved.get((proposal.owner, currency), ())),
            "moved": exact_sum(*every),
        }


def judge_all(judge: Judge, proposals: Sequence[Proposal], known: Known) -> list[Verdict]:
    """Verdicts on a day's proposals, in their order: each is told what those before it move.

    What is denied moves nothing.
    """
    day, verdicts = Day(), []
    for one in proposals:
        verdict = judge.judge(one, policy_context(one, known, day))
        if verdict.decision is not Decision.DENY:
            day.add(one)
        verdicts.append(verdict)
    return verdicts


def policy_context(proposal: Proposal, known: Known, day: Day) -> dict[str, Any]:
    """The context document of one proposal; see policies/schema/input.json for its form.

    What is not known is left out: rules say themselves what they make of that.
    """
    kind, namespace, name = proposal.resource.split("/", 2)
    resource = known.declared.get(proposal.resource)
    manifest = known.manifests.get(proposal.resource, {})
    if proposal.document:
        manifest = yaml.safe_load(proposal.document)
    optional = {
        "engines": known.engines or None,
        "budget": _budget(proposal, known.budgets),
        "capacity": _capacity(proposal, manifest, known),
        "model": known.models.get(proposal.resource),
        "record": _record(proposal, known.record),
    }
    return {
        "resource": {
            "kind": kind,
            "namespace": namespace,
            "name": name,
            "labels": resource.labels if resource else _labels(manifest),
            "annotations": resource.annotations if resource else {},
            "manifest": manifest,
        },
        "environment": proposal.environment,
        "team": proposal.owner,
        "now": known.now,
        "ceiling": known.ceiling.value,
        "spend": known.outlook.get(
            (proposal.owner, proposal.environment, proposal.saving_per_month.currency), {}
        ),
        "day": day.told(proposal),
        "resources": known.reaches(proposal.resource, proposal.field),
        "neighbours": _neighbours(proposal.resource, manifest, known.beside.get(namespace, [])),
        **{key: value for key, value in optional.items() if value is not None},
    }


def _labels(manifest: Mapping[str, Any]) -> dict[str, Any]:
    """Of a resource that is not declared yet."""
    return dict((manifest.get("metadata") or {}).get("labels") or {})


def _budget(proposal: Proposal, budgets: Sequence[BudgetLeft]) -> dict[str, Any] | None:
    """The one of its team's budgets that least is left of, in the currency of the change."""
    dimensions = {"team": proposal.owner, "environment": proposal.environment}
    mine = [
        one
        for one in budgets
        if proposal.owner
        and "team" in one.of
        and one.currency == proposal.saving_per_month.currency
        and fits(one.of, dimensions)
    ]
    if not mine:
        return None
    least = min(mine, key=lambda one: (one.left, one.name))
    told = {
        "name": least.name,
        "currency": least.currency,
        "amount": least.amount,
        "spent": least.spent,
    }
    return told if least.forecast is None else told | {"forecast": least.forecast}


def _capacity(proposal: Proposal, manifest: Any, known: Known) -> dict[str, Any] | None:
    """What its team's resources ask for before and after the change."""
    before = known.capacities.get(proposal.owner)
    resource = known.declared.get(proposal.resource)
    if before is None or resource is None or resource.owner != proposal.owner:
        return None
    after = changed(manifest, proposal.field, proposal.proposed)
    if after is None:
        return None
    was, will_be = asked_for(manifest), asked_for(after)
    return {
        measure: {"before": amount, "after": amount - was[measure] + will_be[measure]}
        for measure, amount in before.items()
        if amount > 0
    }


def _record(proposal: Proposal, record: Record) -> dict[str, Any] | None:
    """What became of merged changes of its kind, and of those of its team."""
    whole = record.get((proposal.kind.value, _NOBODY))
    if whole is None:
        return None
    team = record.get((proposal.kind.value, proposal.owner)) if proposal.owner else None
    return dict(whole) if team is None else {**whole, "team": dict(team)}


def _neighbours(resource: str, manifest: Any, beside: Sequence[tuple[str, Any]]) -> list[Any]:
    """Autoscalers that scale the resource, and disruption budgets that its pods are under."""
    labels = _pod_labels(manifest)
    return [
        one
        for kind, one in beside
        if (scale_target(one) == resource if kind == HPA else _selects(one, labels))
    ][:MAX_NEIGHBOURS]


def _pod_labels(manifest: Any) -> Mapping[str, Any]:
    node = manifest
    for key in ("spec", "template", "metadata", "labels"):
        node = node.get(key) if isinstance(node, dict) else None
    return node if isinstance(node, dict) else {}


def _selects(budget: Any, labels: Mapping[str, Any]) -> bool:
    """Whether a disruption budget covers pods with these labels (LabelSelector, policy/v1).

    An empty selector covers every pod of the namespace, none at all covers none.
    """
    spec = budget.get("spec") if isinstance(budget, dict) else None
    selector = spec.get("selector") if isinstance(spec, dict) else None
    if not labels or not isinstance(selector, dict):
        return False
    wanted = selector.get("matchLabels") or {}
    expressions = selector.get("matchExpressions") or []
    return (
        isinstance(wanted, dict)
        and isinstance(expressions, list)
        and all(labels.get(key) == value for key, value in wanted.items())
        and all(_meets(one, labels) for one in expressions)
    )


def _meets(expression: Any, labels: Mapping[str, Any]) -> bool:
    key = expression.get("key") if isinstance(expression, dict) else None
    if not isinstance(key, str):
        return False
    values = expression.get("values")
    listed = values if isinstance(values, list) else []
    match expression.get("operator"):
        case "In":
            return key in labels and labels[key] in listed
        case "NotIn":
            return key not in labels or labels[key] not in listed
        case "Exists":
            return key in labels
        case "DoesNotExist":
            return key not in labels
        case _:
            return False


def spend_outlook(
    month_to_date: pd.DataFrame | None, forecasts: pd.DataFrame | None, as_of: date
) -> Outlook:
    """Month to date of a team in an environment, and what its month will come to.

    The forecast is of the team: an environment gets the share of it that it had this month.
    Without a forecast of the team there is none of the environment either.
    """
    if month_to_date is None or month_to_date.empty:
        return {}
    spent = month_to_date.assign(cost=month_to_date["cost"].astype(float))
    whole = spent.groupby(["team", "currency"])["cost"].sum().to_dict()
    rest: dict[str, float] = {}
    if forecasts is not None and not forecasts.empty:
        end = pd.Timestamp(next_month(month_start(as_of)))
        ahead = forecasts.loc[pd.to_datetime(forecasts["ds"]) < end]
        summed_up = ahead.groupby("unique_id")["mean"].sum()
        rest = {str(name): float(value) for name, value in summed_up.items()}
    outlook: dict[tuple[str, str, str], dict[str, str]] = {}
    for row in spent.to_dict("records"):
        team, currency, cost = row["team"], row["currency"], row["cost"]
        told = {"currency": currency, "team_month_to_date": f"{cost:.2f}"}
        total = whole[(team, currency)]
        ahead_of_team = rest.get(f"team|{currency}|{team}")
        if ahead_of_team is not None and total > 0:
            told["team_forecast"] = f"{cost + ahead_of_team * cost / total:.2f}"
        outlook[(team, row["environment"], currency)] = told
    return outlook
