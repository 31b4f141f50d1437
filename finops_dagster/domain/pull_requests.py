"""Pull requests on a forge: their life, the issues beside them, what a forge asks and permits.

What is proposed and decided is next door, in decisions.
"""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum

from pydantic import BaseModel, ConfigDict

from finops_dagster.domain.decisions import Decision, Rung
from finops_dagster.domain.money import MoneyRange, Range


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class PullRequestState(StrEnum):
    """The life of a pull request."""

    OPEN = "open"
    MERGED = "merged"
    REJECTED = "rejected"
    SUPERSEDED = "superseded"
    REVERTED = "reverted"


class FileChange(_Frozen):
    path: str
    hunks: int


class Member(_Frozen):
    """One proposal's part of a pull request."""

    key: str
    """The proposal's change_key."""
    kind: str
    resource: str
    field: str
    before: str
    after: str
    fingerprint: str
    """Of its own change set."""
    proposal_id: str
    owner: str
    saving_per_month: MoneyRange


class PullRequest(_Frozen):
    """A change set on a forge, of one proposal or of several that were put together."""

    number: int
    key: str
    """Of one proposal its change_key; of a group what it is grouped by."""
    kind: str
    """Empty where members differ, as is resource."""
    resource: str
    branch: str
    base_sha: str
    head_sha: str
    state: PullRequestState
    title: str
    body: str
    url: str
    files: tuple[FileChange, ...]
    saving_per_month: MoneyRange
    carbon_kg_per_month: Range
    verdict: Decision
    rules: tuple[str, ...]
    fingerprint: str
    proposal_id: str
    labels: tuple[str, ...]
    members: tuple[Member, ...] = ()
    """Empty only where a person removed the marker."""
    opened_at: datetime | None = None
    """By the clock of the run that opened it; None where the marker was removed."""
    ended_at: datetime | None = None
    """By the forge: merged, closed, or, of a reverted one, when it was reverted."""
    ended_by: str = ""
    """Login of who merged or closed it; empty where the forge does not tell."""
    merge_sha: str = ""
    """The commit that merged it; empty where it is not merged."""
    rung: Rung = Rung.PROPOSE
    """How far automation may go with it: the lowest of its members'."""
    approvers: tuple[str, ...] = ()
    """Who is named in the body as who must approve."""
    ledger: str = ""
    """The ledger's head when it was written, SEQUENCE:HASH: the forge bears witness to it."""


class UseSeries(_Frozen):
    """What was used of a declared value, for the picture in a body."""

    unit: str
    """cores, GiB, replicas, GPUs: that of current and proposed."""
    starts: tuple[datetime, ...]
    """Beginnings of equal intervals, in order."""
    typical: tuple[float, ...]
    """Median of each interval; NaN is not allowed: an interval without data is left out."""
    peak: tuple[float, ...]
    """Largest of each interval."""
    current: float
    proposed: float


class CheckState(StrEnum):
    """What a commit status says."""

    SUCCESS = "success"
    PENDING = "pending"
    FAILURE = "failure"


class Issue(_Frozen):
    """An issue that this product keeps on a forge, found by its topic."""

    number: int
    topic: str
    title: str
    body: str
    url: str


class Protection(_Frozen):
    """What a forge asks of a branch before it merges into it."""

    branch: str
    protected: bool
    reviews: int = 0
    """Approving reviews at least."""
    checks: tuple[str, ...] = ()
    """Contexts of statuses that must succeed."""
    automerge: bool = False
    """Whether the forge merges by itself once all that is satisfied."""
    reason: str = ""
    """Why it is not known or not protected; empty where it is."""

    @property
    def holds(self) -> bool:
        """Whether anything at all is asked before a merge: without it nothing may automerge."""
        return self.protected and (self.reviews > 0 or bool(self.checks))


class Permission(_Frozen):
    """One right that is needed on a forge, and whether it was given."""

    name: str
    needed_for: str
    given: bool | None
    """None where the forge does not tell."""
    detail: str = ""
