"""In what order chosen changes are done, and how many of them today.

What is chosen, and what it saves, is decided elsewhere.
"""

from __future__ import annotations

import heapq
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal

from finops_dagster.engines.optimisation.candidates import Candidate, Lever, Relations
from finops_dagster.engines.optimisation.marginal import Book


@dataclass(frozen=True)
class DailyLimits:
    """How much may be begun on one day; None is no limit.

    Money is what a change saves a month if it is done alone, in each currency by itself, and
    stands for what is at stake. What is for safety counts as a change, and no limit of money holds
    it up: what it may cost is for policy to say.
    """

    changes: int | None = None
    changes_per_team: int | None = None
    money_per_change: Decimal | None = None
    money_per_day: Decimal | None = None

    def too_large(self, one: Candidate) -> str:
        """Why a change fits on no day at all; empty where it fits on some."""
        if one.lever.for_safety:
            return ""
        saves = f"saves {one.saving.mid:.2f} {one.saving.currency} a month, over the limit of"
        if self.money_per_change is not None and one.saving.mid > self.money_per_change:
            return f"{saves} {self.money_per_change} a change: for a person to decide"
        if self.money_per_day is not None and one.saving.mid > self.money_per_day:
            return f"{saves} {self.money_per_day} a day: for a person to decide"
        return ""


@dataclass(frozen=True)
class Progress:
    """What earlier days have decided, by the key of the value."""

    begun: frozenset[str] = frozenset()
    """Changes proposed before and not done yet: they go on, and count on no later day."""
    waiting: Mapping[str, date] = field(default_factory=dict)
    """Changes left out for a limit, and since when."""


@dataclass(frozen=True)
class Place:
    """A change in today's order: why it stands there, and ids of what it comes after."""

    candidate: Candidate
    why: str
    after: tuple[str, ...]


@dataclass(frozen=True)
class _Before:
    """What must be done before a change (`must`), and what comes first if it is done (`first`)."""

    must: frozenset[str]
    first: frozenset[str]


def line_up(
    chosen: Sequence[Candidate],
    book: Book,
    relations: Relations,
    limits: DailyLimits,
    progress: Progress,
) -> tuple[list[Place], dict[str, str]]:
    """Today's changes in the order of doing, and by id why the other chosen ones wait.

    Remedies come first, since a model in breach harms people while it answers, then raises, since
    what runs short may fail before any saving is made; then what waits longest; then the best
    saving of each currency in turn, as amounts of different currencies have no order. Nothing
    stands before what it must come after.
    """
    before = _before(chosen, book, relations)
    ordered = _ordered(chosen, before, progress)
    names = {one.id: one.what for one in chosen}
    places: list[Place] = []
    waits: dict[str, str] = {}
    room = _Room(limits)
    for one in ordered:
        held = sorted(names[other] for other in before[one.id].must if other in waits)
        if held:
            waits[one.id] = f"waits for {named(held)}, which must come first"
            continue
        over = "" if one.key in progress.begun else room.take(one)
        if over:
            waits[one.id] = over
            continue
        after = before[one.id].must | (before[one.id].first - waits.keys())
        why = _why(one, [names[other] for other in sorted(after)], progress)
        places.append(Place(one, why, tuple(sorted(after))))
    return places, waits


def named(names: Sequence[str]) -> str:
    """`a`, `a and b`, `a and 2 more`: at most two lines of a report."""
    if len(names) < 3:
        return " and ".join(names)
    return f"{names[0]} and {len(names) - 1} more"


class _Room:
    """What is left of today's limits, and how many wait for each."""

    def __init__(self, limits: DailyLimits) -> None:
        self._limits = limits
        self._teams: Counter[str] = Counter()
        self._count = 0
        self._money: dict[str, Decimal] = defaultdict(Decimal)
        self._line: Counter[str] = Counter()

    def take(self, one: Candidate) -> str:
        """Give `one` its place; or say which limit it is over, and its place in the line."""
        limits, currency = self._limits, one.saving.currency
        money = Decimal(0) if one.lever.for_safety else one.saving.mid
        over = ""
        per_team = limits.changes_per_team
        if per_team is not None and self._teams[one.team] >= per_team:
            over = f"{_changes(per_team)} of team {one.team or 'unknown'}"
        elif limits.changes is not None and self._count >= limits.changes:
            over = _changes(limits.changes)
        elif (
            limits.money_per_day is not None
            and money > 0
            and self._money[currency] + money > limits.money_per_day
        ):
            over = f"{limits.money_per_day} {currency} a month"
        if over:
            self._line[over] += 1
            ahead = self._line[over]
            place = "next in line" if ahead == 1 else f"number {ahead} in line"
            return f"over today's limit of {over}: {place}"
        self._teams[one.team] += 1
        self._count += 1
        self._money[currency] += money
        return ""


def _changes(count: int) -> str:
    return f"{count} change" if count == 1 else f"{count} changes"


def _before(chosen: Sequence[Candidate], book: Book, relations: Relations) -> dict[str, _Before]:
    """A volume after the workload that uses it; what is around after what is in it; a commitment
    after all that lessens what it pays for; a schedule after sizing, on whose rest it is counted.
    """
    stopping: dict[str, set[str]] = defaultdict(set)
    at: dict[str, list[Candidate]] = defaultdict(list)
    for one in chosen:
        at[one.resource].append(one)
        if one.lever is Lever.STOP:
            for resource in book.reach[one.id]:
                stopping[resource].add(one.id)
    users: dict[str, set[str]] = defaultdict(set)
    for user, used in relations.uses.items():
        for resource in used:
            users[resource].add(user)
    found = {}
    for one in chosen:
        must: set[str] = set()
        first: set[str] = set()
        if one.lever is Lever.STOP:
            must = {other for user in users[one.resource] for other in stopping[user]}
        else:
            for resource in sorted(book.reach[one.id]):
                inner = resource != one.resource or one.lever is Lever.COMMIT
                for other in at.get(resource, ()):
                    if book.stage(other) >= book.stage(one) or other.lever.for_safety:
                        continue
                    (must if inner else first).add(other.id)
        found[one.id] = _Before(frozenset(must - {one.id}), frozenset(first - must))
    return found


def _ordered(
    chosen: Sequence[Candidate], before: Mapping[str, _Before], progress: Progress
) -> list[Candidate]:
    """Each as early as its rank allows, and after all that comes before it (Kahn, 1962)."""
    ranks: Counter[str] = Counter()
    rank: dict[str, tuple[int, date, int, str, str]] = {}
    by_id = {one.id: one for one in chosen}
    for one in sorted(chosen, key=lambda one: (-one.saving.mid, one.key, one.id)):
        currency = one.saving.currency
        since = progress.waiting.get(one.key, date.max)
        rank[one.id] = (one.lever.urgency, since, ranks[currency], currency, one.id)
        ranks[currency] += 1
    open_ = {name: len(one.must | one.first) for name, one in before.items()}
    following: dict[str, list[str]] = defaultdict(list)
    for name, own in before.items():
        for other in own.must | own.first:
            following[other].append(name)
    heap = [rank[name] for name, count in open_.items() if not count]
    heapq.heapify(heap)
    ordered = []
    while heap:
        name = heapq.heappop(heap)[-1]
        ordered.append(by_id[name])
        for other in following[name]:
            open_[other] -= 1
            if not open_[other]:
                heapq.heappush(heap, rank[other])
    return ordered


def _why(one: Candidate, after: Sequence[str], progress: Progress) -> str:
    """Why a change stands where it does, in a sentence's second half."""
    if one.lever is Lever.REMEDY:
        return "it puts an AI model right: that comes before all else"
    if one.lever is Lever.RAISE:
        return "it runs short: that comes before any saving"
    if one.lever is Lever.COMMIT and after:
        return f"after {named(after)}: what is saved there need not be committed to"
    if one.lever is Lever.STOP and after:
        return f"after {named(after)}, as it is in use until then"
    if after:
        return f"after {named(after)}: its saving is counted on what is left then"
    if one.for_carbon:
        return "by its carbon, after what saves money"
    if one.key in progress.waiting:
        return f"waited since {progress.waiting[one.key].isoformat()}"
    return "by its saving"
