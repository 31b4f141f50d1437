"""What the ledger has about AI systems: findings, proposals, verdicts, pull requests, decisions.

Which system an entry is about is told by the resource that it names.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import date
from typing import Any

from finops_dagster.defs.estate import Estate
from finops_dagster.domain.pull_requests import PullRequestState
from finops_dagster.responsible_ai.governance.register import Recorded
from finops_dagster.storage.ledger import Entry

AUTOMATION = "automation"
_NAMES = ("resource", "model", "subject", "workload", "name")


def recorded(estate: Estate, as_of: date) -> Iterator[tuple[set[str], Recorded]]:
    """(names of what an entry is about, the entry), the newest first.

    Of a past day that is decided again, entries written later than its decision was due are left
    out.
    """
    cutoff = estate.cutoff(as_of) if estate.is_replay(as_of) else None
    entries = [one for one in estate.ledger.entries() if not cutoff or one.recorded_at <= cutoff]
    about = {one.id: _names(one.payload) for one in entries}
    for one in reversed(entries):
        names = about[one.id] | about.get(str(one.payload.get("subject", "")), set())
        if names:
            yield names, Recorded(one.id, one.kind, one.recorded_at, _what(one), _who(one))


def _names(payload: Mapping[str, Any]) -> set[str]:
    found = {str(payload[key]) for key in _NAMES if isinstance(payload.get(key), str)}
    for member in payload.get("members") or ():
        if isinstance(member, Mapping):
            found.add(str(member.get("resource", "")))
    return found - {""}


def _what(entry: Entry) -> str:
    payload = entry.payload
    for key in ("reason", "title", "decision", "what", "result"):
        value = payload.get(key)
        if isinstance(value, str) and value:
            state = payload.get("state")
            return f"{value} ({state})" if isinstance(state, str) else value
    return str(payload.get("kind", ""))


def _who(entry: Entry) -> str:
    payload = entry.payload
    for key in ("ended_by", "by", "actor", "author", "who"):
        if isinstance(payload.get(key), str) and payload[key]:
            return str(payload[key])
    if payload.get("state") == PullRequestState.MERGED.value:
        return "a person, whom the forge does not name"
    return AUTOMATION
