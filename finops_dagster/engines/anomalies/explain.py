"""Which incidents were to be expected: by an event, by what Git declares, by a commitment.

Each part of an incident must be: one that is not is news. What was declared is read elsewhere; here
it is held against what its costs really did.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta

import pandas as pd

from finops_dagster.domain.changes import By, Change
from finops_dagster.domain.dated import fits
from finops_dagster.domain.events import Event
from finops_dagster.domain.incidents import Explained, Incident, Part

LAG_DAYS = 3
"""A change shows in cost so many days after it was merged at most."""
LEAD_DAYS = 1
"""And so many before, as days of bills are cut otherwise than those of commits."""
BEFORE_DAYS = 14
_AFTER_DAYS = 7
_LEAST_SHARE, _MOST_SHARE = 0.5, 1.5
"""Of a part's move that must be that of what was changed. Beyond the upper one the rest moved the
other way by as much, which nobody declared."""
_BEGUN_SHARE = 0.1
"""What begins costs no more than this share of it before, and what ends no more after."""
_EVENT_DAYS = 14
"""Days within which a lasting change shows in cost: what begins later is not of it."""
_KEYS = ["account", "service", "team", "currency"]


@dataclass(frozen=True)
class Changes:
    """What was changed around the days on which incidents began, and what its costs did."""

    by_onset: Mapping[date, Sequence[Change]] = field(default_factory=dict)
    """`Incident.since` -> changes from LAG_DAYS before to LEAD_DAYS after it."""
    costs: pd.DataFrame = field(
        default_factory=lambda: pd.DataFrame(columns=[*_KEYS, "key", "ds", "cost"])
    )
    """account, service, team, currency, key (that of changes, empty for the rest), ds, cost
    (float): rows sum to what the leaf costs. Of a commitment, what it saves is a negative cost of
    its key, and stands in the rest as if it were paid."""


def explain(
    incidents: Sequence[Incident], events: Sequence[Event], changes: Changes, as_of: date
) -> list[Incident]:
    """The incidents in their order, each with what explains it, where each of its parts is."""
    by_leaf = {
        tuple(str(one) for one in leaf): rows
        for leaf, rows in changes.costs.groupby(_KEYS, sort=False)
    }
    return [_explained(one, events, changes, by_leaf, as_of) for one in incidents]


def _explained(
    incident: Incident,
    events: Sequence[Event],
    changes: Changes,
    by_leaf: Mapping[tuple[str, ...], pd.DataFrame],
    as_of: date,
) -> Incident:
    running = [
        event
        for event in events
        if event.is_known(as_of)
        and event.from_
        <= incident.since
        <= (event.until or event.from_ + timedelta(days=_EVENT_DAYS))
    ]
    made = changes.by_onset.get(incident.since, ())
    by: dict[By, None] = {}
    because: dict[str, None] = {}
    told: dict[str, Change] = {}
    for part in incident.dimensions:
        event = next((one for one in running if _is_of(part, one)), None)
        if event is not None:
            by[By.KNOWN_EVENT] = None
            because[f"{event.name}, from {event.from_}"] = None
            continue
        leaf = (part.account, part.service, part.team, part.money.currency)
        rows = by_leaf.get(leaf)
        found = _of_changes(incident, rows, made) if rows is not None else []
        if not found:
            return incident
        for change in found:
            by[change.by] = None
            told[change.key] = change
    for change in told.values():
        because[_words(change)] = None
    explained = Explained(by=tuple(by), because="; ".join(because), changes=tuple(told.values()))
    return incident.model_copy(update={"explained": explained})


def _is_of(part: Part, event: Event) -> bool:
    return fits(event.of, {"team": part.team, "service": part.service, "account": part.account})


def _of_changes(incident: Incident, rows: pd.DataFrame, changes: Sequence[Change]) -> list[Change]:
    """The changes that a leaf's move is of, the heaviest first; none where it is not of them.

    The move is the mean daily cost of its days, a week at most, less the mean of two weeks that
    end before any change of it can have shown.
    """
    days = pd.to_datetime(rows["ds"])
    since = pd.Timestamp(incident.since)
    end = since - pd.Timedelta(days=LAG_DAYS)
    begin = end - pd.Timedelta(days=BEFORE_DAYS)
    last = min(pd.Timestamp(incident.last_seen), since + pd.Timedelta(days=_AFTER_DAYS - 1))
    count = (last - since).days + 1
    before = rows[(days >= begin) & (days < end)].groupby("key")["cost"].sum() / BEFORE_DAYS
    after = rows[(days >= since) & (days <= last)].groupby("key")["cost"].sum() / count
    moved = after.sub(before, fill_value=0.0)
    total = float(moved.sum())
    if not total:
        return []
    found = []
    share = 0.0
    for change in changes:
        if change.key not in moved.index:
            continue
        was, now = float(before.get(change.key, 0.0)), float(after.get(change.key, 0.0))
        if change.by is By.GIT and change.begins and abs(was) > _BEGUN_SHARE * abs(now):
            continue
        if change.by is By.GIT and change.ends and abs(now) > _BEGUN_SHARE * abs(was):
            continue
        part = (now - was) / total
        share += part
        found.append((part, change))
    if not _LEAST_SHARE <= share <= _MOST_SHARE:
        return []
    found.sort(key=lambda one: (-abs(one[0]), one[1].key))
    return [change for _, change in found]


def _words(change: Change) -> str:
    """What was changed and by which commit, for people."""
    if change.by is By.COMMITMENT:
        return f"{change.name or change.key} {'begins' if change.begins else 'ends'}"
    if change.begins or change.ends:
        what = "begins" if change.begins else "ends"
    else:
        first = change.fields[0]
        what = f"{first.field} {first.before or 'unset'} to {first.after or 'unset'}"
        if len(change.fields) > 1:
            what += f" and {len(change.fields) - 1} more"
    newest = change.commits[-1] if change.commits else None
    return f"{change.key} {what}" + (
        f", commit {newest.sha[:10]} of {newest.on}" if newest else ", as Git declares"
    )
