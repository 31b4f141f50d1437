"""What a pull request is made of: judged proposals with their edits, and what is shown beside.

How they are put together, written and rendered is elsewhere.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from finops_dagster.domain.decisions import ChangeSet, Proposal, Verdict
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
