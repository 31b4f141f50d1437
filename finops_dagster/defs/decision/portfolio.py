"""Gathers what findings are weighed against: costs, what hangs together, earlier days.

Which of them are proposed is the engine's to say.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, timedelta
from typing import Any

from finops_dagster.defs import rebuild
from finops_dagster.defs.estate import Estate
from finops_dagster.defs.insight.net_prices import costs_by_part
from finops_dagster.domain.decisions import Abstained, Finding, Proposal, Waiting
from finops_dagster.engines.optimisation import (
    DailyLimits,
    Progress,
    propose,
    relations,
)

_LOOK_BACK_DAYS = 7
"""A day may be missed; what nobody decided for a week starts anew."""


def propose_for(
    estate: Estate, as_of: date, findings: Sequence[Finding], chosen: dict[str, Any]
) -> tuple[list[Proposal], list[Abstained]]:
    """What is proposed of a day's findings, on the publication that was `chosen` for it."""
    limits = estate.settings.limits
    days = estate.settings.sizing.history_days
    return propose(
        findings,
        reconstructed=chosen["reconstructed"],
        publication_id=chosen["publication_id"],
        min_saving=limits.min_saving_per_month,
        min_confidence=limits.min_confidence,
        as_of=as_of,
        costs=costs_by_part(rebuild.reader(estate, as_of), as_of, days) if findings else {},
        relations=relations(estate.declared(as_of)),
        limits=DailyLimits(
            changes=limits.new_changes,
            changes_per_team=limits.new_changes_per_team,
            money_per_change=limits.money_per_change,
            money_per_day=limits.money_per_day,
        ),
        progress=_progress(estate, as_of),
    )


def _progress(estate: Estate, as_of: date) -> Progress:
    """What the newest decided day before `as_of` proposed, and what it had no room for."""
    for back in range(1, _LOOK_BACK_DAYS + 1):
        day = estate.decided(as_of - timedelta(days=back))
        if day is not None:
            return Progress(
                begun=frozenset(one.key for one in day.items("proposals", Proposal)),
                waiting={one.key: one.since for one in day.items("proposals_waiting", Waiting)},
            )
    return Progress()
