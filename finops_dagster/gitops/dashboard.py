"""The dashboard issue: what is not opened yet, and what people ticked there.

When anything is opened is reconcile's business.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from pydantic import TypeAdapter, ValidationError

from finops_dagster.domain.errors import Fault, Stopped
from finops_dagster.domain.money import MoneyRange
from finops_dagster.gitops.breaker import Trip
from finops_dagster.gitops.escaping import code, one_line, prose
from finops_dagster.gitops.hidden import hide, revealed
from finops_dagster.gitops.marker import MAX_BODY_CHARACTERS
from finops_dagster.gitops.words import amount, total

TOPIC = "dashboard"
SNOOZE_DAYS = 30
RESET_DAYS = 180
"""Days for which a reset is remembered: the longest window that the breaker looks back on."""


class Choice(StrEnum):
    """What a person may tick for a change that is not open."""

    OPEN = "open"
    SNOOZE = "snooze"
    REJECT = "reject"


@dataclass(frozen=True)
class Waits:
    """One change that is not open, and why."""

    key: str
    """The change_key."""
    fingerprint: str
    """Of its change set."""
    title: str
    """Tells its saving too."""
    owner: str
    saving_per_month: MoneyRange
    """Added up with that of others that wait for the same reason."""
    reason: str
    """Why it waits."""


@dataclass(frozen=True)
class Remembered:
    """What a person chose for a change, kept in the issue by its fingerprint."""

    key: str
    fingerprint: str
    choice: Choice
    at: datetime
    """By the clock of the run that read it first."""
    saving_mid: str
    """Expected saving a month when it was chosen, as text."""
    proposed: str
    """The value it would have set."""
    title: str = ""
    """Of the change when it was chosen, for people."""
    until: datetime | None = None
    """When the choice ends; None where that is not told."""


@dataclass(frozen=True)
class Ticked:
    """What the issue says: choices that are new, and what it remembers of earlier ones."""

    choices: Mapping[str, Choice] = field(default_factory=dict)
    """By change_key; of several ticked for one change the most cautious."""
    remembered: tuple[Remembered, ...] = ()
    """Without what a person ticked to be forgotten."""
    trips: tuple[Trip, ...] = ()
    """Where the breaker was open when it was written."""
    reset: frozenset[str] = frozenset()
    """Scopes that a person ticked to be reset since."""
    resets: Mapping[str, datetime] = field(default_factory=dict)
    """Scope -> when it was reset before: what came earlier does not count any more."""


_FORGET, _RESET = "forget", "reset"
_LABELS = {
    Choice.OPEN.value: "open now",
    Choice.SNOOZE.value: f"snooze for {SNOOZE_DAYS} days",
    Choice.REJECT.value: "reject",
}
_CAUTION = (Choice.OPEN, Choice.SNOOZE, Choice.REJECT)
_TICKED = re.compile(r"\s*(?:[-*+]|\d+[.)])\s*\[\s*[xX]\s*\]")
_UNTICKED = re.compile(r"(\s*(?:[-*+]|\d+[.)])\s*\[)\s*(\])")
_MARK = "<!-- finops-dashboard/1 -->"
_REMEMBERED, _TRIP, _RESETS = "finops-remembered", "finops-trip", "finops-resets"
_KEPT = TypeAdapter(Remembered)
_TRIPPED = TypeAdapter(Trip)
_TIMES = TypeAdapter(dict[str, datetime])
_INTRODUCTION = (
    "What automation would change, and has not opened as a pull request yet. Tick a box: the next "
    "run does it. Nothing here is merged without its pull request."
)
_FULL = (
    "_{count} more wait and are not shown: the issue is full. `finops prs` and the day's report "
    "list what is opened, `finops proposals` all._"
)
_LOST = "_{count} older choices are not remembered any more: the issue is full._"


def render(
    waits: Sequence[Waits],
    remembered: Sequence[Remembered],
    trips: Sequence[Trip],
    now: datetime,
    *,
    resets: Mapping[str, datetime] | None = None,
) -> str:
    """Markdown of the issue; the same while nothing changes, for it tells no time of its own.

    `resets`: those of `Ticked.resets` and of what was reset since; kept for RESET_DAYS. What waits
    is cut at the forge's limit, in the order given, and what is not shown is counted; what is
    remembered is never cut for it.
    """
    kept = {
        scope: at
        for scope, at in sorted((resets or {}).items())
        if at > now - timedelta(days=RESET_DAYS)
    }
    titles = {one.key: one.title for one in waits}
    top = [_MARK, "", _INTRODUCTION, ""]
    if kept:
        top[1:1] = [_hidden(_RESETS, _TIMES, kept)]
    if trips:
        top += ["## Stopped by the circuit breaker", "", *map(_trip, trips), ""]
    end = [_choice(one, titles.get(one.key, "")) for one in remembered]
    lost = 0
    reserved = _size([*top, _FULL, _LOST, "## What people chose", "## Nothing waits"]) + 200
    while end and reserved + _size(end) > MAX_BODY_CHARACTERS:
        end, lost = end[1:], lost + 1
    tail = ["## What people chose", "", *end, ""] if end else []
    if lost:
        tail += [_LOST.format(count=lost), ""]
    middle = _waiting(waits, MAX_BODY_CHARACTERS - reserved - _size(end))
    return "\n".join([*top, *middle, *tail]).rstrip() + "\n"


def read(body: str) -> Ticked:
    """What a body says, however people edited it: what cannot be read any more says nothing."""
    boxes = list(_ticked(body))
    choices: dict[str, Choice] = {}
    for name, key in boxes:
        if name in _LABELS:
            choice = Choice(name)
            choices[key] = max(choices.get(key, choice), choice, key=_CAUTION.index)
    forgotten = {key for name, key in boxes if name == _FORGET}
    remembered = {one.key: one for one in _typed(_KEPT, _REMEMBERED, body)}
    trips = {one.scope: one for one in _typed(_TRIPPED, _TRIP, body)}
    resets: dict[str, datetime] = {}
    for times in _typed(_TIMES, _RESETS, body):
        resets.update(times)
    return Ticked(
        choices=choices,
        remembered=tuple(one for key, one in remembered.items() if key not in forgotten),
        trips=tuple(trips.values()),
        reset=frozenset(scope for name, scope in boxes if name == _RESET),
        resets=resets,
    )


def ticked(body: str, name: str, key: str) -> str:
    """The body with one box ticked, as a person would: `open`, `snooze`, `reject` or `forget` of a
    change, `reset` of a scope. Raises Stopped if there is no such box.
    """
    lines = body.split("\n")
    for number, line in enumerate(lines):
        if key in revealed(f"finops-{name}", line):
            lines[number] = _UNTICKED.sub(r"\1x\2", line, count=1)
            return "\n".join(lines)
    raise Stopped(f"the dashboard has no box to {name} {key}", (
        Fault(
            code="no_box", expected=f"A box to {name} {key} was expected.",
            hint="`finops dashboard` shows the boxes there are.",
        ),
    ))  # fmt: skip


def _box(name: str, key: str) -> str:
    return f"- [ ] {hide(f'finops-{name}', key)}"


def _hidden(name: str, type_: TypeAdapter[Any], value: object) -> str:
    return hide(name, type_.dump_python(value, mode="json"))


def _trip(trip: Trip) -> str:
    kept = _hidden(_TRIP, _TRIPPED, replace(trip, reason=trip.reason[:500]))
    return (
        f"- **{code(trip.scope, 120)}** since {trip.at:%Y-%m-%d}: {prose(trip.reason)} {kept}\n"
        f"  {_box(_RESET, trip.scope)} reset: what comes from now on counts alone"
    )


def _choice(one: Remembered, title: str) -> str:
    title = one.title or title
    kept = replace(one, title=one_line(title))
    until = one.until
    if until is None and one.choice is Choice.SNOOZE:
        until = one.at + timedelta(days=SNOOZE_DAYS)
    told = {Choice.OPEN: "to be opened", Choice.SNOOZE: "snoozed", Choice.REJECT: "rejected"}
    return (
        f"{_box(_FORGET, one.key)} forget: {prose(title, 200) or 'a change'} "
        f"({code(one.key, 60)}), {told[one.choice]} on {one.at:%Y-%m-%d}"
        + (f", until {until:%Y-%m-%d}" if until is not None else "")
        + f" {_hidden(_REMEMBERED, _KEPT, kept)}"
    )


def _waiting(waits: Sequence[Waits], room: int) -> list[str]:
    if not waits:
        return ["## Nothing waits", ""]
    groups: dict[str, list[Waits]] = {}
    for one in waits:
        groups.setdefault(one.reason, []).append(one)
    lines: list[str] = []
    shown = 0
    for reason, members in groups.items():
        saved = total(one.saving_per_month for one in members)
        money = ", ".join(f"{amount(mid)} {name}" for name, mid in saved.items())
        count = f"{len(members)} changes" if len(members) > 1 else "1 change"
        heading = [f"## {prose(reason)}", "", f"{count}, saving {money} a month.", ""]
        room -= _size(heading)
        for number, one in enumerate(members):
            text = _wait(one)
            room -= _size([text])
            if room < 0:
                return [*lines, "", _FULL.format(count=len(waits) - shown), ""]
            lines += [*heading, text] if number == 0 else [text]
            shown += 1
        lines.append("")
    return lines


def _wait(one: Waits) -> str:
    boxes = [f"  {_box(name, one.key)} {label}" for name, label in _LABELS.items()]
    owner = f", of {prose(one.owner, 80)}" if one.owner else ""
    return "\n".join([f"- **{prose(one.title, 200)}**{owner} ({code(one.key, 60)})", *boxes])


def _ticked(body: str) -> Iterator[tuple[str, str]]:
    """(name, key) of each ticked box."""
    for line in body.splitlines():
        if _TICKED.match(line):
            for name in (*_LABELS, _FORGET, _RESET):
                for key in revealed(f"finops-{name}", line):
                    if isinstance(key, str):
                        yield name, key


def _typed(type_: TypeAdapter[Any], name: str, body: str) -> Iterator[Any]:
    for payload in revealed(name, body):
        try:
            yield type_.validate_python(payload)
        except ValidationError:
            continue


def _size(lines: Sequence[str]) -> int:
    return sum(len(line.encode()) + 1 for line in lines)
