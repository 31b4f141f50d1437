"""The dashboard issue through one run: what people ticked is read first, what waits written last.

How it looks and how ticks are read from it is in dashboard.py.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import replace
from datetime import datetime

from finops_dagster.domain.errors import Unavailable
from finops_dagster.domain.protocols import Forge
from finops_dagster.gitops import dashboard
from finops_dagster.gitops.actions import Event
from finops_dagster.gitops.breaker import Trip
from finops_dagster.gitops.dashboard import Choice, Remembered, Waits
from finops_dagster.gitops.memory import Memory, remember
from finops_dagster.gitops.rendering import render_title
from finops_dagster.gitops.steps import Held, Plan, Write
from finops_dagster.gitops.wanted import Wanted

TITLE = "FinOps: changes that wait"


class Board:
    """What the dashboard says as a run begins, and how it is left."""

    def __init__(
        self,
        forge: Forge,
        now: datetime,
        wanted: Sequence[Wanted],
        undecided: Collection[str],
        *,
        kept: bool,
    ) -> None:
        """`undecided`: resources that could not be judged today; `kept`: False for no dashboard."""
        self._forge = forge
        self._now = now
        self._kept = kept
        self._issue = forge.issue(dashboard.TOPIC) if kept else None
        self.ticked = dashboard.read(self._issue.body if self._issue is not None else "")
        self._wanted = {one.proposal.change_key: one for one in wanted}
        self._undecided = bool(undecided)
        chosen = {one.key: one for one in self.ticked.remembered}
        for key, choice in self.ticked.choices.items():
            chosen[key] = remember(key, self._wanted.get(key), choice, now)
        self.remembered: tuple[Remembered, ...] = tuple(chosen.values())
        self.resets = {**self.ticked.resets, **dict.fromkeys(self.ticked.reset, now)}

    def decisions(self) -> Iterator[Event]:
        """What people ticked since the last run."""
        for key, choice in self.ticked.choices.items():
            yield self._event("ticked", key, choice.value)
        for scope in sorted(self.ticked.reset):
            yield self._event("reset", scope, "the circuit breaker is closed again")

    def _event(self, what: str, key: str, reason: str) -> Event:
        return Event(kind="human_decision", what=what, key=key, when=self._now, reason=reason)

    def write(
        self, plan: Plan, failed: Sequence[Write], memory: Memory, trips: Sequence[Trip]
    ) -> str:
        """Leave it as things are after the plan; what to note where that could not be done.

        `failed`: what the forge did not let be opened.
        """
        waiting = {key for held in plan.held for key in held.unit.keys}
        waiting |= {item.proposal.change_key for step in failed for item in step.group}
        waits = [_waits(held) for held in plan.held if held.listed]
        kept = [
            replace(one, until=memory.until(one))
            for one in self.remembered
            if memory.holds(one)
            and (one.choice is not Choice.OPEN or one.key in waiting or self._may_return(one.key))
        ]
        if not self._kept or not (self._issue or waits or kept or trips):
            return ""
        body = dashboard.render(waits, kept, trips, self._now, resets=self.resets)
        before = self._issue.body if self._issue is not None else ""
        try:
            self._forge.write_issue(dashboard.TOPIC, TITLE, body, replaces=before)
        except Unavailable as error:
            # most often a person who ticked meanwhile; the next run reads and writes it
            return f"the dashboard was not written: {error.message}"
        return ""

    def _may_return(self, key: str) -> bool:
        """Whether a change that is not wanted today may only not have been judged."""
        return key not in self._wanted and self._undecided


def _waits(held: Held) -> Waits:
    proposal, _, changes = held.unit.lead
    return Waits(
        key=held.unit.keys[0],
        fingerprint=changes.fingerprint,
        title=render_title(held.unit.items),
        owner=proposal.owner,
        saving_per_month=proposal.saving_per_month,
        reason=held.reason,
    )
