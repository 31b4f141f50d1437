"""Gathers what findings are weighed against: costs, what hangs together, earlier days.

Which of them are proposed is the engine's to say.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

from finops_dagster.defs import rebuild
from finops_dagster.defs.estate import Estate
from finops_dagster.defs.insight.net_prices import costs_by_part
from finops_dagster.domain.decisions import Abstained, Counted, Finding, Proposal, Waiting
from finops_dagster.engines.optimisation import (
    DailyLimits,
    Progress,
    propose,
    relations,
    together,
)
from finops_dagster.engines.optimisation.candidates import Cell, Relations

_LOOK_BACK_DAYS = 7
"""A day may be missed; what nobody decided for a week starts anew."""


@dataclass(frozen=True)
class Weights:
    """What a day's findings are weighed against."""

    costs: Mapping[Cell, Decimal]
    relations: Relations


def weights(estate: Estate, as_of: date) -> Weights:
    """Costs a month at the net rate, and what hangs together, as known on a day."""
    days = estate.settings.sizing.history_days
    return Weights(
        costs=costs_by_part(rebuild.reader(estate, as_of), as_of, days),
        relations=relations(estate.declared(as_of)),
    )


def count(findings: Sequence[Finding], against: Weights) -> list[Counted]:
    """What each finding adds to the day's total, proposed or not."""
    return together(findings, against.costs, against.relations)


def propose_for(
    estate: Estate,
    as_of: date,
    findings: Sequence[Finding],
    chosen: dict[str, Any],
    against: Weights,
) -> tuple[list[Proposal], list[Abstained]]:
    """What is proposed of a day's findings, on the publication that was `chosen` for it."""
    limits = estate.settings.limits
    return propose(
        findings,
        reconstructed=chosen["reconstructed"],
        publication_id=chosen["publication_id"],
        min_saving=limits.min_saving_per_month,
        min_confidence=limits.min_confidence,
        as_of=as_of,
        costs=against.costs,
        relations=against.relations,
        limits=DailyLimits(
            changes=limits.new_changes,
            changes_per_team=limits.new_changes_per_team,
            money_per_change=limits.money_per_change,
            money_per_day=limits.money_per_day,
        ),
        progress=_progress(estate, as_of),
        carbon_prices=estate.settings.placement.carbon_prices_per_kg,
    )


def _progress(estate: Estate, as_of: date) -> Progress:
    """What the newest decided day before `as_of` proposed, and what it had no room for.

    A day of neither, as one on data that were too old, has begun and held up nothing.
    """
    for back in range(1, _LOOK_BACK_DAYS + 1):
        day = estate.decided(as_of - timedelta(days=back))
        if day is None:
            continue
        begun = frozenset(one.key for one in day.items("proposals", Proposal))
        waiting = {one.key: one.since for one in day.items("proposals_waiting", Waiting)}
        if begun or waiting:
            return Progress(begun=begun, waiting=waiting)
    return Progress()
