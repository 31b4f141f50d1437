"""What a run did, or would do, and what people did meanwhile, as data.

The ledger and the day's documents are written by those who asked for the run.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from pydantic import BaseModel, ConfigDict

from finops_dagster.domain.pull_requests import PullRequest, PullRequestState
from finops_dagster.gitops import marker
from finops_dagster.gitops.breaker import Trip
from finops_dagster.gitops.memory import SNOOZE_LABEL
from finops_dagster.gitops.steps import AUTOMERGE_LABEL, REBASE_LABEL, STOP_LABEL


@dataclass(frozen=True)
class Action:
    """One pull request, or one that could be, and why it was treated so."""

    key: str
    resource: str
    title: str
    reason: str
    number: int | None = None
    url: str = ""


class Event(BaseModel):
    """One action of a run or one decision of a person, for the ledger."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: Literal["action", "human_decision"]
    what: str
    """opened, updated, closed, automerge; merged, rejected, reverted, labelled, committed, ..."""
    key: str
    """Of the pull request, the change or, of a reset, the scope."""
    number: int | None = None
    who: str = ""
    """Empty where the forge does not tell."""
    when: datetime | None = None
    """None where the forge does not tell: the same decision is then told in the same words."""
    reason: str = ""


@dataclass(frozen=True)
class Actions:
    """What a run did, or, where it may not act, what it would do."""

    acted: bool
    opened: tuple[Action, ...] = ()
    updated: tuple[Action, ...] = ()
    closed: tuple[Action, ...] = ()
    unchanged: tuple[Action, ...] = ()
    deferred: tuple[Action, ...] = ()
    """Wait: for room under the limits, for a time, for a person's tick or reset."""
    withheld: tuple[Action, ...] = ()
    """Not to be opened: policy denies, a person said no, it was merged, or it is a replay."""
    automerged: tuple[Action, ...] = ()
    """Merged by the forge, or handed to it to be merged once its protection is satisfied."""
    trips: tuple[Trip, ...] = ()
    """Where the circuit breaker is open."""
    notes: tuple[str, ...] = ()
    """What else a person should know of the run."""
    events: tuple[Event, ...] = ()


_LABELS = (REBASE_LABEL, STOP_LABEL, SNOOZE_LABEL)


def decisions_of_people(
    known: Iterable[PullRequest], set_back: Mapping[int, datetime]
) -> Iterator[Event]:
    """What people did to pull requests, as the forge tells it; the same each time it is asked.

    `set_back`: number -> when a merged value of it was first seen set back.
    """
    for one in known:
        for what, when, why in _decided(one, set_back.get(one.number)):
            by_forge = what == "merged" and AUTOMERGE_LABEL in one.labels
            yield Event(
                kind="action" if by_forge else "human_decision",
                what=what,
                key=one.key,
                number=one.number,
                who=one.ended_by if when == one.ended_at else "",
                when=when,
                reason=why,
            )


def _decided(
    one: PullRequest, set_back: datetime | None
) -> Iterator[tuple[str, datetime | None, str]]:
    state = one.state
    if state in (PullRequestState.MERGED, PullRequestState.REJECTED, PullRequestState.REVERTED):
        yield state.value, one.ended_at, one.merge_sha
    if set_back is not None:
        yield "set_back", set_back, "a value of it reads as before again"
    if state is not PullRequestState.OPEN:
        return
    for label in _LABELS:
        if label in one.labels:
            yield "labelled", None, label
    known = marker.read(one.body)
    if known is not None and known.written_head not in ("", one.head_sha):
        yield "committed", None, one.head_sha
