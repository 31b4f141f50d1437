"""The circuit breaker: what stops a kind, a team or all, from what merged changes came to.

What is stopped is kept open or closed by reconcile; a person resets it.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import NamedTuple

from finops_dagster.domain.pull_requests import Member, PullRequest, PullRequestState
from finops_dagster.domain.quantities import parse_quantity

ALL = "all"
RARE_KILLS_PER_DAY = 0.1
"""OOM kills a day of a kind's changed workloads below which the rate before counts as this: one
kill in ten days is chance, and nothing is a multiple of none."""


@dataclass(frozen=True)
class Thresholds:
    """When automation stops; what each means is described with the settings of the same name."""

    window_days: int = 14
    changes_of_one_value: int = 2
    reverts: int = 3
    reverts_in_all: int = 5
    oom_kills_ratio: float = 2.0
    cost_rise: float = 0.2


@dataclass(frozen=True)
class Trip:
    """One scope in which automation stopped, until a person resets it."""

    scope: str
    """`all`, `kind:KIND`, `team:OWNER` or `value:CHANGE_KEY`."""
    at: datetime
    reason: str
    """One sentence with the numbers."""


@dataclass(frozen=True)
class Effect:
    """What came after one merged change, as measured; None where it cannot be told."""

    number: int
    """Of the pull request."""
    days_after: float
    oom_kills_before_per_day: float | None
    oom_kills_after_per_day: float | None
    cost_before_per_day: float | None
    cost_after_per_day: float | None
    currency: str


def trips(
    history: Sequence[PullRequest],
    effects: Sequence[Effect],
    limits: Thresholds,
    now: datetime,
    latched: Sequence[Trip],
    reset: Mapping[str, datetime],
) -> tuple[Trip, ...]:
    """Where automation is stopped: what was stopped before and not reset, then what is new.

    `history`: every pull request; only what was merged or reverted within the window counts, and
    of a scope that was reset only what came after. `reset`: scope -> when a person last did.
    """
    held = {
        one.scope: one for one in latched if one.scope not in reset or one.at > reset[one.scope]
    }
    since = now - timedelta(days=limits.window_days)
    merged = sorted(
        (
            _Ended(one.ended_at, one)
            for one in history
            if one.state in (PullRequestState.MERGED, PullRequestState.REVERTED)
            and one.ended_at is not None
            and since <= one.ended_at <= now
        ),
        key=lambda ended: (ended.at, ended.of.number),
    )
    known = {one.number: one for one in effects}
    found = [
        *_reverts(merged, limits, reset),
        *_values(merged, limits, reset),
        *_oom_kills(merged, known, limits, reset),
        *_costs(merged, known, limits, reset),
    ]
    for scope, reason in found:
        held.setdefault(scope, Trip(scope, now, reason))
    return tuple(held.values())


class _Ended(NamedTuple):
    """A pull request that was merged, and when; of a reverted one, when that was."""

    at: datetime
    of: PullRequest


Told = Iterator[tuple[str, str]]
"""(scope, reason) of what stops."""


def _by_scope(
    merged: Iterable[_Ended], prefix: str, reset: Mapping[str, datetime]
) -> dict[str, list[PullRequest]]:
    """Scope of a kind or team -> what came after it was last reset."""
    found: dict[str, list[PullRequest]] = defaultdict(list)
    for at, one in merged:
        names = {part.kind if prefix == "kind" else part.owner for part in one.members}
        for name in sorted(names):
            scope = f"{prefix}:{name}"
            if scope not in reset or at > reset[scope]:
                found[scope].append(one)
    return found


def _reverts(merged: Sequence[_Ended], limits: Thresholds, reset: Mapping[str, datetime]) -> Told:
    reverted = [one for one in merged if one.of.state is PullRequestState.REVERTED]
    days = limits.window_days
    count = sum(ALL not in reset or at > reset[ALL] for at, _ in reverted)
    if count >= limits.reverts_in_all:
        yield ALL, f"{count} changes were reverted in {days} days; {limits.reverts_in_all} stop all"
    for scope, those in _by_scope(reverted, "kind", reset).items():
        count = len(those)
        if count >= limits.reverts:
            yield scope, f"{count} of them were reverted in {days} days; {limits.reverts} stop it"


def _values(merged: Sequence[_Ended], limits: Thresholds, reset: Mapping[str, datetime]) -> Told:
    by_value: dict[str, list[Member]] = defaultdict(list)
    for at, one in merged:
        for member in one.members:
            scope = f"value:{member.key}"
            if scope not in reset or at > reset[scope]:
                by_value[scope].append(member)
    most = limits.changes_of_one_value
    for scope, members in by_value.items():
        value = f"{members[-1].resource} {members[-1].field}"
        if len(members) > most:
            times = f"{len(members)} times in {limits.window_days} days"
            yield scope, f"{value} was changed {times}, more than {most}"
        elif _flaps(members):
            way = " to ".join([members[0].before, *(member.after for member in members)])
            yield scope, f"{value} goes to and fro: {way}"


def _flaps(members: Sequence[Member]) -> bool:
    """Whether a value went up, down and up (or the reverse), or came back twice to an earlier."""
    held: set[str] = set()
    returns = 0
    for member in members:
        held.add(member.before)
        returns += member.after in held
        held.add(member.after)
    moves = [_direction(member) for member in members]
    turns = zip(moves, moves[1:], moves[2:], strict=False)
    return returns >= 2 or any(a == c == -b != 0 for a, b, c in turns)


def _direction(member: Member) -> int:
    """1 up, -1 down, 0 where the values are no amounts."""
    try:
        before, after = parse_quantity(member.before), parse_quantity(member.after)
    except ValueError:
        return 0
    return (after > before) - (after < before)


def _oom_kills(
    merged: Sequence[_Ended],
    effects: Mapping[int, Effect],
    limits: Thresholds,
    reset: Mapping[str, datetime],
) -> Told:
    for scope, those in _by_scope(merged, "kind", reset).items():
        pairs = [
            (effect.oom_kills_before_per_day, effect.oom_kills_after_per_day)
            for effect in (effects[one.number] for one in those if one.number in effects)
        ]
        before, after = _sums(pairs)
        if after >= limits.oom_kills_ratio * max(before, RARE_KILLS_PER_DAY):
            rates = f"{after:.3g} OOM kills a day after their merges, {before:.3g} before"
            yield scope, f"changed workloads had {rates}"


def _costs(
    merged: Sequence[_Ended],
    effects: Mapping[int, Effect],
    limits: Thresholds,
    reset: Mapping[str, datetime],
) -> Told:
    promised = [one for one in merged if one.of.saving_per_month.mid > 0]
    for scope, those in _by_scope(promised, "team", reset).items():
        known = [effects[one.number] for one in those if one.number in effects]
        for currency in sorted({effect.currency for effect in known}):
            before, after = _sums(
                [
                    (effect.cost_before_per_day, effect.cost_after_per_day)
                    for effect in known
                    if effect.currency == currency
                ]
            )
            if before > 0 and after >= before * (1 + limits.cost_rise):
                costs = f"{after:.2f} {currency} a day after their merges, {before:.2f} before"
                yield scope, f"changed resources cost {costs}, where a fall was promised"
                break


def _sums(pairs: Iterable[tuple[float | None, float | None]]) -> tuple[float, float]:
    """Sums before and after of what is known on both sides."""
    known = [(before, after) for before, after in pairs if before is not None and after is not None]
    return sum(before for before, _ in known), sum(after for _, after in known)
