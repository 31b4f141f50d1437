"""What is wanted, held against what is open: the forge is read, a plan is made and done.

The forge keeps all state; running again does nothing. How a forge works is not known here.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

from finops_dagster.domain.protocols import Forge
from finops_dagster.domain.pull_requests import PullRequest, PullRequestState
from finops_dagster.gitops import breaker
from finops_dagster.gitops.actions import Actions, Event, decisions_of_people
from finops_dagster.gitops.board import Board
from finops_dagster.gitops.breaker import Effect, Thresholds
from finops_dagster.gitops.doing import Doer, Done
from finops_dagster.gitops.grouping import Grouping
from finops_dagster.gitops.memory import (
    REVERT_TOPIC,
    CoolOffs,
    Memory,
    seen_at,
    seen_comment,
    set_back_now,
)
from finops_dagster.gitops.planning import Ground, plan
from finops_dagster.gitops.room import Limits, Room
from finops_dagster.gitops.wanted import Shown, Wanted
from finops_dagster.gitops.words import records


@dataclass(frozen=True)
class Rules:
    """How changes are put together, what a no is worth, and what stops automation."""

    grouping: Grouping = field(default_factory=Grouping)
    cool_offs: CoolOffs = field(default_factory=CoolOffs)
    breaker: Thresholds = field(default_factory=Thresholds)
    dashboard: bool = False
    """Whether the dashboard issue is kept; without one the breaker remembers nothing."""


def _no_effects(_: Sequence[PullRequest]) -> Sequence[Effect]:
    return ()


def _nothing(_: Sequence[Wanted]) -> Shown:
    return Shown()


def _nobody(_: Sequence[Wanted]) -> tuple[str, ...]:
    return ()


def _no_refusal(_: Sequence[Wanted]) -> str:
    return ""


def reconcile(
    wanted: Sequence[Wanted],
    forge: Forge,
    limits: Limits,
    base_branch: str,
    act: bool,
    now: datetime,
    *,
    undecided: Collection[str] = (),
    rules: Rules | None = None,
    effects: Callable[[Sequence[PullRequest]], Sequence[Effect]] = _no_effects,
    owners: Callable[[Sequence[Wanted]], tuple[str, ...]] = _nobody,
    shown: Callable[[Sequence[Wanted]], Shown] = _nothing,
    together: Callable[[Sequence[Wanted]], str] = _no_refusal,
) -> Actions:
    """Make the forge's open pull requests those that are wanted.

    `undecided`: resources that could not be judged today; their pull requests are left as they
    are, because a missing proposal says nothing about them. `effects`: what merged changes came
    to, of all pull requests. `owners`: who must approve a group. `shown`: what its body shows
    beside it and them. `together`: why changes that are each proven alone cannot be made together,
    empty where they can. Idempotent: a second run with the same wanted changes nothing; a run that
    was killed is completed by the next. Raises Unavailable if the forge does not answer; what a
    person changes under the run is left to the next and told.
    """
    rules = rules or Rules()
    wanted = [Wanted(*one) for one in wanted]
    base_sha = forge.head(base_branch)
    known = forge.pull_requests()
    if act:
        forge.tidy(known)
    board = Board(forge, now, wanted, undecided, kept=rules.dashboard)
    trips = breaker.trips(
        known, effects(known), rules.breaker, now, board.ticked.trips, board.resets
    )
    at_head = [one for one in wanted if one.changes.base_sha == base_sha]
    set_back = _set_back(forge, set_back_now(at_head, known), act, now)
    memory = Memory(known, board.remembered, set_back, rules.cool_offs, now)
    ground = Ground(
        base_sha=base_sha,
        pull_requests=known,
        conflicting={
            one.number
            for one in known
            if one.state is PullRequestState.OPEN
            and one.base_sha != base_sha
            and not forge.mergeable(one.number)
        },
        undecided=frozenset(undecided),
        trips=trips,
        memory=memory,
        room=Room(limits, known, now),
        grouping=rules.grouping,
        together=together,
        owners=owners,
    )
    made = plan(wanted, ground)
    record = records(known)

    def beside(group: Sequence[Wanted]) -> Shown:
        return replace(shown(group), records=record)

    done = Doer(forge, base_branch, now, owners, beside, act=act).do(made)
    if act:
        note = board.write(made, done.failed, memory, trips)
        done.notes += [note] if note else []
    events = [*decisions_of_people(known, set_back), *board.decisions()]
    return Actions(
        act,
        tuple(done.opened),
        tuple(done.updated),
        tuple(done.closed),
        tuple(done.unchanged),
        tuple(done.deferred),
        tuple(done.withheld),
        tuple(done.automerged),
        tuple(trips),
        tuple(done.notes),
        (*events, *(_events_of(done, now) if act else ())),
    )


def _set_back(
    forge: Forge, numbers: Collection[int], act: bool, now: datetime
) -> Mapping[int, datetime]:
    """When merged values were first seen set back: told in a comment, so that the forge knows."""
    found: dict[int, datetime] = {}
    for number in numbers:
        told = seen_at(forge.comments(number).get(REVERT_TOPIC, ""))
        if told is None and act:
            forge.comment(number, REVERT_TOPIC, seen_comment(now))
        found[number] = told or now
    return found


def _events_of(done: Done, now: datetime) -> list[Event]:
    return [
        Event(
            kind="action",
            what=what,
            key=one.key,
            number=one.number,
            when=now,
            reason=one.reason,
        )
        for what, actions in (
            ("opened", done.opened),
            ("updated", done.updated),
            ("closed", done.closed),
            ("automerge", done.automerged),
        )
        for one in actions
    ]
