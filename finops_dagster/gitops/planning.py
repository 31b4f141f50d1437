"""From what is wanted and what is on the forge to steps: to close, write, keep or hold back.

Pure: no forge is asked and nothing is written; reconcile does the steps.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass

from finops_dagster.domain.decisions import Decision, Rung
from finops_dagster.domain.pull_requests import PullRequest, PullRequestState
from finops_dagster.gitops.breaker import Trip
from finops_dagster.gitops.changes import branch_of_group
from finops_dagster.gitops.dashboard import SNOOZE_DAYS
from finops_dagster.gitops.grouping import (
    Grouping,
    Unit,
    fits,
    free_part,
    group_of,
    in_order,
    units_of,
)
from finops_dagster.gitops.memory import SNOOZE_LABEL, Memory
from finops_dagster.gitops.room import Room
from finops_dagster.gitops.standing import left_alone, why_write
from finops_dagster.gitops.steps import (
    MOVED,
    STOP_LABEL,
    Close,
    Held,
    Keep,
    Plan,
    Write,
)
from finops_dagster.gitops.wanted import Wanted, decision_of, rung_of


@dataclass(frozen=True)
class Ground:
    """What is known before planning."""

    base_sha: str
    pull_requests: Sequence[PullRequest]
    """Every one on the forge, oldest first."""
    conflicting: Collection[int]
    """Numbers of open ones that no longer merge."""
    undecided: Collection[str]
    """Resources that could not be judged today."""
    trips: Sequence[Trip]
    memory: Memory
    room: Room
    grouping: Grouping
    together: Callable[[Sequence[Wanted]], str]
    """Why changes cannot be made together; empty where they can."""
    owners: Callable[[Sequence[Wanted]], tuple[str, ...]]
    """Who must approve a group."""


@dataclass
class _Group:
    key: str
    branch: str
    units: list[Unit]
    pull_request: PullRequest | None = None

    @property
    def items(self) -> tuple[Wanted, ...]:
        return tuple(item for unit in self.units for item in unit.items)


def plan(wanted: Iterable[Wanted], ground: Ground) -> Plan:
    """What to do so that the open pull requests are those that are wanted.

    Linear in proposals and pull requests, times the groups that may be open at once.
    """
    return _Planner(wanted, ground).plan()


class _Planner:
    def __init__(self, wanted: Iterable[Wanted], ground: Ground) -> None:
        self._ground = ground
        self._plan = Plan()
        self._open = [one for one in ground.pull_requests if one.state is PullRequestState.OPEN]
        self._holder: dict[str, PullRequest] = {}
        for one in self._open:
            for key in [member.key for member in one.members] or [one.branch]:
                self._holder.setdefault(key, one)
        ordered = in_order(wanted)
        self._wanted = {one.proposal.change_key for one in ordered}
        self._units, double = units_of(ordered, self._holder)
        self._plan.held += [
            Held(Unit((one,)), "the same value is proposed twice; the first is kept")
            for one in double
        ]
        self._alone = {
            one.number: keep
            for one in self._open
            if (keep := left_alone(one, self._wanted, ground.undecided)) is not None
        }
        self._groups: dict[str, list[_Group]] = defaultdict(list)
        self._branches: dict[str, int] = {}
        self._conflicting = set(ground.conflicting)

    def plan(self) -> Plan:
        free, staying = self._at_home()
        kept = [
            group for one in self._open if (group := self._open_one(one, staying, free)) is not None
        ]
        closed = {close.pull_request.number for close in self._plan.closes}
        self._branches = {one.branch: one.number for one in self._open if one.number not in closed}
        for group in kept:
            shared = group_of(group.key)
            if shared is not None:
                self._groups[shared].append(group)
        place = {id(unit): at for at, unit in enumerate(self._units)}
        free.sort(key=lambda unit: place[id(unit)])
        started = [group for unit in free if (group := self._placed(unit)) is not None]
        # by worth, whatever held it back: the same from run to run
        self._plan.held.sort(key=lambda held: place.get(id(held.unit), len(place)))
        for group in kept:
            self._compare(group)
        self._plan.opens = [
            Write(one.key, one.branch, one.items, "opened", automerge=self._may_automerge(one))
            for one in started
        ]
        return self._plan

    def _at_home(self) -> tuple[list[Unit], dict[int, list[Unit]]]:
        """(units that no open pull request holds, number -> units that it holds)."""
        free: list[Unit] = []
        staying: dict[int, list[Unit]] = defaultdict(list)
        for unit in self._units:
            home = self._home(unit)
            alone = home is not None and group_of(home.key) is None
            if home is None or (alone and staying[home.number] and home.number not in self._alone):
                free.append(unit)
            else:
                staying[home.number].append(unit)
        return free, staying

    def _home(self, unit: Unit) -> PullRequest | None:
        for key in (*unit.keys, unit.branch):
            home = self._holder.get(key)
            if home is None:
                continue
            shared, by = group_of(home.key), self._ground.grouping.by
            if home.number in self._alone or shared is None:
                return home
            if by != "value" and unit.group(by) == shared:
                return home
        return None

    def _open_one(
        self, one: PullRequest, staying: dict[int, list[Unit]], free: list[Unit]
    ) -> _Group | None:
        """The group of an open pull request that goes on; what leaves it is free."""
        units = staying[one.number]
        if SNOOZE_LABEL in one.labels and STOP_LABEL not in one.labels:
            self._close(Close(one, f"snoozed for {SNOOZE_DAYS} days", snoozed=True))
            no = self._ground.memory.snoozed(one)
            self._plan.held += [
                Held(unit, no.reason, no.number, no.url, listed=True) for unit in units
            ]
            return None
        why, denied = self._why_close(one, units)
        keep = self._alone.get(one.number)
        if keep is not None:
            stale = why if keep.by_person else ""
            self._plan.keeps.append(
                Keep(one, keep.reason, stale, keep.by_person, denied, left_alone=True)
            )
            return None
        if why:
            if not one.members:
                self._plan.keeps.append(
                    Keep(one, f"{why}; its marker was removed", left_alone=True)
                )
                return None
            self._close(Close(one, why, denied=denied))
            return None
        place = {member.key: at for at, member in enumerate(one.members)}
        last = len(place)
        units = sorted(units, key=lambda unit: min(place.get(key, last) for key in unit.keys))
        moved = any(self._moved(unit) for unit in units)
        group = _Group(one.key, one.branch, [], one)
        for unit in units:
            fitting = not unit.denied and fits([*group.units, unit], self._ground.grouping)
            if fitting and (moved or self._together(group, unit)):
                group.units.append(unit)
            else:
                free.append(unit)
        return group

    def _why_close(self, one: PullRequest, units: Sequence[Unit]) -> tuple[str, bool]:
        """(why it is not wanted, whether policy denies it)."""
        holders = {
            holder.number: holder for holder in (self._holder[member.key] for member in one.members)
        }
        if holders and one.number not in holders:
            first = holders[min(holders)]
            if first.branch == one.branch:
                self._conflicting.add(first.number)  # closing deletes the branch of both
            return f"the same change is open as #{first.number}", False
        if any(not unit.denied for unit in units):
            return "", False
        denials = ", ".join(unit.denied for unit in units)
        if denials:
            return f"policy denies it now: {denials}", True
        if any(member.key in self._wanted for member in one.members):
            return "its changes are put together otherwise now", False
        return "the recommendation no longer holds", False

    def _close(self, close: Close) -> None:
        self._plan.closes.append(close)
        self._ground.room.freed()

    def _placed(self, unit: Unit) -> _Group | None:
        """The new pull request that a unit begins; None where it joins one or is held back."""
        asked = self._ground.memory.asked(unit)
        held = self._why_not_at_all(unit)
        if held is None:
            why = self._why_not_yet(unit, asked=asked)
            begun = Held(unit, why, waits=True, listed=True) if why else self._put(unit, asked)
            if not isinstance(begun, Held):
                return begun
            held = begun
        self._plan.held.append(held)
        return None

    def _why_not_at_all(self, unit: Unit) -> Held | None:
        if unit.denied:
            return Held(unit, f"policy denies it: {unit.denied}")
        if any(one.proposal.reconstructed for one in unit.items):
            return Held(unit, "decided for a past day; nothing is opened from a replay")
        no = self._ground.memory.no(unit)
        if no is not None:
            return Held(unit, no.reason, no.number, no.url, listed=not no.settled)
        if unit.rung is Rung.OBSERVE:
            return Held(unit, f"only observed: {unit.rung_reason or 'so says policy'}")
        return None

    def _why_not_yet(self, unit: Unit, *, asked: bool) -> str:
        """Why it waits; `asked`: a person ticked it, which goes beyond pace, not beyond safety."""
        if self._moved(unit):
            return MOVED
        if unit.rung is Rung.ADVISE and not asked:
            return f"only advised: {unit.rung_reason or 'so says policy'}"
        room = self._ground.room
        return (
            room.why_not_now(asked=asked)
            or self._stopped(unit.items)
            or room.why_too_much(unit, asked=asked)
        )

    def _put(self, unit: Unit, asked: bool) -> _Group | Held | None:
        """The group that a unit begins; None where it joins one; held where there is no room."""
        ground = self._ground
        by = ground.grouping.by
        shared = None if by == "value" or asked else unit.group(by)
        for group in self._groups[shared] if shared is not None else ():
            if fits([*group.units, unit], ground.grouping) and self._together(group, unit):
                group.units.append(unit)
                ground.room.take(unit)
                return None
        why = ground.room.why_no_new(asked=asked)
        if why:
            return Held(unit, why, waits=True, listed=True)
        key, branch = unit.keys[0], unit.branch
        if shared is not None:
            taken = {one.key for one in self._open} | {one.key for one in self._groups[shared]}
            key = free_part(shared, taken)
            branch = branch_of_group(f"{by}-{unit.shared(by)}", key)
        if branch in self._branches:
            told = f"#{self._branches[branch]}" if self._branches[branch] else "another change"
            return Held(unit, f"its branch is that of {told}", waits=True, listed=True)
        ground.room.opened()
        ground.room.take(unit)
        self._branches[branch] = 0
        group = _Group(key, branch, [unit])
        if shared is not None:
            self._groups[shared].append(group)
        return group

    def _together(self, group: _Group, unit: Unit) -> bool:
        return not group.units or not self._ground.together((*group.items, *unit.items))

    def _compare(self, group: _Group) -> None:
        """Write an open pull request again where what it says is no longer so, else keep it."""
        one, items = group.pull_request, group.items
        assert one is not None
        why = why_write(one, items, self._ground.owners(items), self._conflicting)
        automerge = self._may_automerge(group)
        if not why:
            low = rung_of(items).height < Rung.PROPOSE.height
            told = f"; policy would only {rung_of(items).value} it now" if low else ""
            reason = f"open already, for the same change{told}"
            self._plan.keeps.append(Keep(one, reason, automerge=automerge))
        elif any(self._moved(unit) for unit in group.units):
            self._plan.keeps.append(Keep(one, MOVED, automerge=automerge))
        else:
            self._plan.updates.append(
                Write(group.key, group.branch, items, why, one, automerge=automerge)
            )

    def _may_automerge(self, group: _Group) -> bool:
        items = group.items
        return (
            rung_of(items) is Rung.AUTOMERGE
            and decision_of(items) is Decision.ALLOW
            and not self._ground.room.frozen
            and not self._stopped(items)
        )

    def _stopped(self, items: Iterable[Wanted]) -> str:
        """What the circuit breaker says of it; empty where it is closed."""
        scopes = {"all"}
        for item in items:
            proposal = item.proposal
            scopes |= {
                f"kind:{proposal.kind.value}",
                f"team:{proposal.owner}",
                f"value:{proposal.change_key}",
            }
        return next(
            (
                f"stopped until a person resets {one.scope}: {one.reason}"
                for one in self._ground.trips
                if one.scope in scopes
            ),
            "",
        )

    def _moved(self, unit: Unit) -> bool:
        return any(one.changes.base_sha != self._ground.base_sha for one in unit.items)
