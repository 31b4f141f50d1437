"""Changes of the product's own engines that Git is to take over: promotions and rollbacks.

What was decided of them is read from the ledger and Git; nothing is compared here.
"""

from __future__ import annotations

from datetime import date, timedelta

from finops_dagster.defs.estate import Estate
from finops_dagster.defs.insight.models import engines as used
from finops_dagster.domain.decisions import Abstained
from finops_dagster.engines.optimisation import FindResult
from finops_dagster.responsible_ai.champions.findings import FIELD
from finops_dagster.responsible_ai.champions.standing import EngineEvent, standing
from finops_dagster.storage.publication import PublishedReader


def engines(estate: Estate, reader: PublishedReader, as_of: date) -> FindResult:
    """A finding where the manifest should name another artefact than it does."""
    nothing = FindResult(findings=[], abstained=[])
    named = estate.settings.ai.engines.declared
    if not named:
        return nothing
    told = used.declared(estate, as_of)
    if told is None:
        reason = f"{named} declares no {FIELD}: nothing in Git says which artefact is used"
        return FindResult(findings=[], abstained=[Abstained(subject=named, reason=reason)])
    current, pinned = told
    event = wanted(used.events(estate), as_of, pinned)
    if event is None or event.artefact == current:
        return nothing
    return FindResult(findings=[used.promotion(estate, as_of, current, event)], abstained=[])


def wanted(events: list[EngineEvent], as_of: date, pinned: bool) -> EngineEvent | None:
    """The last thing done up to a day that the manifest should follow; None where it should not.

    A rollback is followed until it is let go; nothing is promoted over one, or over a manifest that
    is pinned.
    """
    known = [one for one in events if one.as_of <= as_of]
    now = standing(known, as_of + timedelta(days=1))
    changes = ("rolled_back",) if now.pinned else ("trained", "promoted")
    if pinned and not now.pinned:
        return None
    return next((one for one in reversed(known) if one.what in changes), None)
