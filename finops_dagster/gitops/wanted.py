"""What a pull request is made of: judged proposals with their edits, and what is shown beside.

How they are put together, written and rendered is elsewhere.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from finops_dagster.domain.decisions import ChangeSet, Decision, Proposal, Rung, Verdict
from finops_dagster.domain.ids import content_id
from finops_dagster.domain.pull_requests import UseSeries


class Wanted(NamedTuple):
    """One proposal that policy has judged, and the edits that would do it."""

    proposal: Proposal
    verdict: Verdict
    changes: ChangeSet


@dataclass(frozen=True)
class Shown:
    """What a body shows beside the proposals themselves."""

    owners: tuple[str, ...] = ()
    """Whom CODEOWNERS names for the files, and who may approve by policy."""
    uses: Mapping[str, UseSeries] = field(default_factory=dict)
    """Proposal id -> what was used of the value; none where it is not measured."""
    records: Mapping[str, str] = field(default_factory=dict)
    """Kind -> one sentence on what earlier changes of it came to; none where none is known."""
    ledger: str = ""
    """Hash of the ledger's newest entry, kept in the commit so that the forge bears witness."""


def decision_of(group: Sequence[Wanted]) -> Decision:
    """The severest verdict."""
    return max((one.verdict.decision for one in group), key=lambda decision: decision.severity)


def rules_of(group: Sequence[Wanted]) -> tuple[str, ...]:
    """Ids of the rules that spoke, each once."""
    return tuple(dict.fromkeys(rule.id for one in group for rule in one.verdict.rules))


def rung_of(group: Sequence[Wanted]) -> Rung:
    """The lowest rung: a group goes no further than any of its members may."""
    return min((one.verdict.rung for one in group), key=lambda rung: rung.height)


def fingerprint_of(group: Sequence[Wanted]) -> str:
    """Of what is written, whatever the order of members."""
    prints = sorted(one.changes.fingerprint for one in group)
    return prints[0] if len(prints) == 1 else content_id("change", prints)
