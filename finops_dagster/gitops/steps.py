"""The steps that a run is made of: what is closed, written, kept and held back.

How they are chosen is in planning, how they are done in reconcile.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from finops_dagster.domain.pull_requests import PullRequest
from finops_dagster.gitops.grouping import Unit
from finops_dagster.gitops.wanted import Wanted

REBASE_LABEL = "finops/rebase"
STOP_LABEL = "finops/stop"
AUTOMERGE_LABEL = "finops/automerge"
"""On what the forge was asked to merge by itself."""

AUTOCLOSED = " - autoclosed"

MOVED = "the branch moved while this was decided; the next run plans it again"


@dataclass(frozen=True)
class Keep:
    """An open pull request that stays as it is."""

    pull_request: PullRequest
    reason: str
    stale: str = ""
    """Of one that a person works on: why it would be closed; empty where it would not."""
    by_person: bool = False
    """A person's commit is on its branch."""
    denied: bool = False
    left_alone: bool = False
    """Not ours to touch: not even its status is written, save that policy denies it."""
    automerge: bool = False


@dataclass(frozen=True)
class Close:
    """An open pull request that nobody wants any more."""

    pull_request: PullRequest
    reason: str
    denied: bool = False
    snoozed: bool = False


@dataclass(frozen=True)
class Write:
    """A pull request to open, or one to write again."""

    key: str
    branch: str
    group: tuple[Wanted, ...]
    reason: str
    pull_request: PullRequest | None = None
    automerge: bool = False


@dataclass(frozen=True)
class Held:
    """A change that is not opened, and why."""

    unit: Unit
    reason: str
    number: int | None = None
    url: str = ""
    waits: bool = False
    """Until there is room for it; else it is not to be opened at all."""
    listed: bool = False
    """On the dashboard: a person's tick could open it."""


@dataclass
class Plan:
    """Steps, in the order in which they are done."""

    closes: list[Close] = field(default_factory=list)
    updates: list[Write] = field(default_factory=list)
    opens: list[Write] = field(default_factory=list)
    keeps: list[Keep] = field(default_factory=list)
    held: list[Held] = field(default_factory=list)
