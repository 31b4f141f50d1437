"""What breaks policy day after day: a violation, its turns in the ledger, and how old it is.

Who breaks which rule is judged in `policy`; nothing is read or written here.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import date
from enum import StrEnum

from pydantic import BaseModel, ConfigDict

from finops_dagster.domain.decisions import Decision
from finops_dagster.domain.ids import content_id
from finops_dagster.domain.money import Money


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True)


class Seen(StrEnum):
    """How a resource is known, by what tells most of it."""

    DECLARED = "declared"
    BILLED = "billed"
    MEASURED = "measured"


class Violation(_Frozen):
    """One resource that breaks one rule, whatever number of times."""

    resource: str
    """KIND/NAMESPACE/NAME, as findings name it."""
    seen: Seen
    owner: str
    """Empty where nobody is named."""
    environment: str
    rule_id: str
    title: str
    decision: Decision
    """Deny or needs_approval: what speaks in favour is none."""
    actual: str
    limit: str
    fix: str
    file: str
    """That declares it; empty of what nothing declares."""

    @property
    def key(self) -> tuple[str, str]:
        """What makes it the same one on another day."""
        return self.resource, self.rule_id


class Turned(StrEnum):
    """What became of a violation on a day."""

    APPEARED = "appeared"
    CHANGED = "changed"
    ENDED = "ended"


class ViolationTurn(_Frozen):
    """An entry of the ledger: a violation when it appears, reads otherwise, or ends."""

    violation: Violation
    turned: Turned
    day: date
    """Day decided for on which it turned."""
    first_day: date
    """Day on which it appeared, with no judged day without it since."""
    after: str
    """Id of the entry about the same resource and rule before this one; empty for the first."""

    @property
    def id(self) -> str:
        return content_id("policy_violation", self)


class StandingViolation(_Frozen):
    """A violation on a day, with its age and what its resource costs."""

    violation: Violation
    first_day: date
    age_days: int
    """Days since the first: 0 on the day on which it is seen first."""
    cost_per_month: tuple[Money, ...]
    """Of the resource at the rate really paid, one for each currency; none where not billed."""


def turns(
    before: Iterable[ViolationTurn],
    today: Sequence[Violation],
    unjudged: frozenset[str],
    as_of: date,
) -> list[ViolationTurn]:
    """What to add to the ledger for the violations of a day, given all its entries so far.

    A violation that is still the same adds nothing. One that is gone has ended, unless its
    resource is among the `unjudged`: nobody looked. None where a later day is in the ledger: what
    is decided again for an earlier one tells nothing of how things stand.
    """
    last: dict[tuple[str, str], ViolationTurn] = {}
    for turn in before:
        if turn.day > as_of:
            return []
        last[turn.violation.key] = turn
    found: list[ViolationTurn] = []
    for one in today:
        held = last.get(one.key)
        stood = held is not None and held.turned is not Turned.ENDED
        if held is not None and stood and held.violation == one:
            continue
        found.append(
            ViolationTurn(
                violation=one,
                turned=Turned.CHANGED if stood else Turned.APPEARED,
                day=as_of,
                first_day=held.first_day if held is not None and stood else as_of,
                after=held.id if held is not None else "",
            )
        )
    there = {one.key for one in today}
    for key, held in sorted(last.items()):
        gone = held.turned is not Turned.ENDED and key not in there
        if gone and held.violation.resource not in unjudged:
            update = {"turned": Turned.ENDED, "day": as_of, "after": held.id}
            found.append(held.model_copy(update=update))
    return found


def first_days(before: Iterable[ViolationTurn], as_of: date) -> dict[tuple[str, str], date]:
    """First day of each violation that stands after the entries of the days up to `as_of`."""
    found: dict[tuple[str, str], date] = {}
    for turn in before:
        if turn.day > as_of:
            continue
        if turn.turned is Turned.ENDED:
            found.pop(turn.violation.key, None)
        else:
            found[turn.violation.key] = turn.first_day
    return found
