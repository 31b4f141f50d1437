"""Which days a model is compared with: a choice, and recorded as one.

Cutting the windows is the business of `windows`.
"""

from __future__ import annotations

from finops_dagster.responsible_ai.drift.results import ReferenceChoice
from finops_dagster.responsible_ai.windows import ModelWindow


def reference_choice(
    reference: ModelWindow, *, asked_days: int, fixed: str | None = None
) -> ReferenceChoice:
    """What `reference` is. fixed: why its owner named these days; None where nobody did.

    A rolling reference follows what the model is given, and so forgets a drift once it is older
    than the window; a fixed one never does. Which is right is its owner's to say.
    """
    days = sorted(set(reference.outcomes["day"]))
    first, last = (days[0], days[-1]) if days else (reference.first, reference.last)
    if fixed is not None:
        rule, reason = "fixed", fixed or "its owner named these days, and no reason"
    elif first > reference.first:
        rule = "short"
        reason = f"the log begins on {first}: {len(days)} of the {asked_days} days before"
    else:
        rule, reason = "rolling", f"the {asked_days} days before those judged"
    return ReferenceChoice(
        rule=rule,  # type: ignore[arg-type]
        first=first,
        last=last,
        days=len(days),
        asked_days=asked_days,
        rows=reference.rows,
        reason=reason,
    )
