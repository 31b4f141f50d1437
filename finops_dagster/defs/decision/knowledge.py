"""Gathers what was known on a day for policy to judge its proposals by.

How that is told to policy is next door, in context; nothing that became known later is read.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import date
from typing import Any

from finops_dagster.defs import showback
from finops_dagster.defs.decision.context import BudgetLeft, Known, Record, spend_outlook
from finops_dagster.defs.estate import Estate
from finops_dagster.defs.insight import facts
from finops_dagster.domain.decisions import GateResult
from finops_dagster.domain.models import Check
from finops_dagster.domain.periods import month_start
from finops_dagster.settings import Settings
from finops_dagster.storage.days import DayStore
from finops_dagster.storage.publication import PublishedReader


def known_on(
    estate: Estate,
    as_of: date,
    day: DayStore,
    reader: PublishedReader,
    record: Record | None = None,
) -> Known:
    """What was known when the decision for `as_of` was due: `day` keeps its forecasts, `reader` is
    of the publication it was decided on.

    `record` is what became of merged changes; without one no kind has a record yet. Raises as
    Estate.index does.
    """
    index = estate.index(as_of)

    def reaches(resource: str, field: str) -> int:
        location = index.locate(resource, field) if index is not None and field else None
        return 1 + len(location.follows) if location is not None else 1

    gates = {one.gate: one for one in day.items("gates", GateResult)}
    return Known(
        now=estate.cutoff(as_of),
        ceiling=estate.settings.autonomy,
        declared=index.resources() if index is not None else {},
        outlook=spend_outlook(facts.month_to_date(reader, as_of), day.frame("forecasts"), as_of),
        budgets=_budgets(estate, reader, as_of, day),
        reaches=reaches,
        record=record or {},
        models=models_of(estate.settings, gates),
        engines={
            name: _judged(gate)
            for name, gate in gates.items()
            if name not in {one.name for one in estate.settings.models}
        },
    )


def _budgets(
    estate: Estate, reader: PublishedReader, as_of: date, day: DayStore
) -> list[BudgetLeft]:
    """Every budget that plans for the month, in the period that it is in."""
    month = month_start(as_of)
    of = {plan.name: plan.of for plan in estate.allocation.plans([month])}
    return [
        BudgetLeft(
            name=one.budget,
            of=of[one.budget],
            currency=one.currency,
            amount=one.amount,
            spent=one.actual,
            forecast=one.expected.mid if one.expected is not None else None,
        )
        for one in showback.budgets(reader, day, month)
        if one.budget in of
    ]


def models_of(settings: Settings, gates: Mapping[str, GateResult]) -> dict[str, dict[str, Any]]:
    """Resource -> the model that it serves or trains, with what the day's gate says of it.

    Of two models that one resource serves the one in the graver state is told, so that neither is
    overlooked.
    """
    found: dict[str, dict[str, Any]] = {}
    ordered = sorted(settings.models, key=lambda one: _GRAVITY[_result(gates.get(one.name))])
    for one in ordered:
        gate = gates.get(one.name)
        told = {
            "name": one.name,
            "owner": one.owner,
            "registered": True,
            "risk_class": one.risk_class.value,
            **(_judged(gate) | _figures(gate) if gate is not None else {}),
        }
        places = one.remedies
        named = (places.version, places.canary, places.pause, places.retrain)
        for resource in (one.workload, *(value.resource for value in named if value is not None)):
            if resource:
                found[resource] = told
    return found


def _result(gate: GateResult | None) -> str:
    return gate.result if gate is not None else "pass"


def _judged(gate: GateResult) -> dict[str, Any]:
    return {
        "gate": gate.result,
        "breaches": [
            one.model_dump(mode="json", include={"check", "grade", "segment", "since"})
            for one in gate.breaches
        ],
    }


def _figures(gate: GateResult) -> dict[str, Any]:
    """Figures by the names that rules know: of what is in breach, the worst of several segments."""
    told: dict[str, Any] = {}
    bias: dict[str, float] = {}
    for breach in gate.breaches:
        for name, value in breach.figures.items():
            if breach.check is Check.FAIRNESS and name in _BIAS:
                known, worst = _BIAS[name]
                bias[known] = worst(value, bias.get(known, value))
            elif name in ("drifted_share", "drift_share"):
                told["drift_share"] = max(value, told.get("drift_share", value))
            elif name == "energy_kwh_month":
                told[name] = value
    return told | ({"bias": bias} if bias else {})


_GRAVITY = {"pass": 0, "warn": 1, "fail": 2}
_BIAS: dict[str, tuple[str, Callable[[float, float], float]]] = {
    "selection_ratio": ("selection_ratio", min),
    "demographic_parity_difference": ("demographic_parity_difference", max),
    "odds_difference": ("equalized_odds_difference", max),
    "equalized_odds_difference": ("equalized_odds_difference", max),
    "error_ratio": ("error_ratio", max),
}
"""Figure of a breach -> its name in policy, and which of two is the worse."""
