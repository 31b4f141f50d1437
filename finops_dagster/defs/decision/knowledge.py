"""Gathers what was known on a day for policy to judge its proposals by.

How that is told to policy is next door, in context; nothing that became known later is read.
"""

from __future__ import annotations

from datetime import date
from typing import Any

from finops_dagster.defs import showback
from finops_dagster.defs.decision.context import BudgetLeft, Known, Record, spend_outlook
from finops_dagster.defs.estate import Estate
from finops_dagster.defs.insight import facts
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

    return Known(
        now=estate.cutoff(as_of),
        ceiling=estate.settings.autonomy,
        declared=index.resources() if index is not None else {},
        outlook=spend_outlook(facts.month_to_date(reader, as_of), day.frame("forecasts"), as_of),
        budgets=_budgets(estate, reader, as_of, day),
        reaches=reaches,
        record=record or {},
        models=_models(estate.settings),
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


def _models(settings: Settings) -> dict[str, dict[str, Any]]:
    """Workload -> the model that answers there."""
    return {one.workload: one.model_dump(mode="json") for one in settings.models if one.workload}
