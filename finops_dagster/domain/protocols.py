"""What two workers both need and defs introduces: the forge, the index, the policy judge."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Protocol

from finops_dagster.domain.decisions import (
    ChangeSet,
    DeclaredResource,
    Proposal,
    ValueLocation,
    Verdict,
)
from finops_dagster.domain.pull_requests import (
    CheckState,
    Issue,
    Permission,
    Protection,
    PullRequest,
    PullRequestState,
)


class Forge(Protocol):
    """A Git host with pull requests: a local bare repository, GitHub, others.

    One contract suite holds every backend. All raise Unavailable when the host does not answer.
    The forge keeps the state: a pull request's `key` and `fingerprint` are read back from it.
    """

    def head(self, branch: str) -> str:
        """Commit id of `branch`."""
        ...

    def pull_requests(self, state: PullRequestState | None = None) -> Sequence[PullRequest]:
        """Those this product opened, oldest first, found by branch prefix."""
        ...

    def write_branch(self, branch: str, base_sha: str, changes: ChangeSet, message: str) -> str:
        """Point `branch` at one commit on `base_sha` holding `changes`; returns its id.

        Idempotent: the same content gives the same commit. Raises Stopped if the bytes at
        `base_sha` are not what the change set says they are.
        """
        ...

    def open(self, pull_request: PullRequest) -> PullRequest:
        """Open it (its number is ignored) for a branch written before; returns it as opened.

        If one is open for the branch already, that one is returned.
        """
        ...

    def update(self, pull_request: PullRequest) -> PullRequest:
        """Replace title, body and labels of an open pull request."""
        ...

    def comment(self, number: int, topic: str, body: str) -> None:
        """Write or replace the one comment on `topic`."""
        ...

    def comments(self, number: int) -> Mapping[str, str]:
        """Comments of this product by topic."""
        ...

    def label(self, number: int, *, add: Sequence[str] = (), remove: Sequence[str] = ()) -> None:
        """Add and remove labels; a label that is missing is made, one that cannot be is let be."""
        ...

    def close(self, number: int, state: PullRequestState) -> PullRequest:
        """Close unmerged, as rejected or superseded, and delete its branch."""
        ...

    def merge(self, number: int) -> PullRequest:
        """Merge into the target branch. Raises Stopped on conflict."""
        ...

    def diff(self, number: int) -> str:
        """Unified diff of the pull request against its merge base."""
        ...

    def mergeable(self, number: int) -> bool:
        """False only where a merge is known to conflict."""
        ...

    def tidy(self, pull_requests: Sequence[PullRequest]) -> None:
        """Delete what branches a killed run left of those that are no longer open."""
        ...

    def set_status(self, commit: str, context: str, state: CheckState, description: str) -> None:
        """Say of a commit what a check came to; saying the same again writes nothing."""
        ...

    def automerge(self, number: int) -> PullRequest:
        """Have the forge merge it by itself once its protection is satisfied.

        Raises Stopped where the target branch is not protected or the forge does not do it.
        """
        ...

    def cancel_automerge(self, number: int) -> None:
        """Take back what `automerge` asked for; where nothing was asked nothing is done."""
        ...

    def protection(self, branch: str) -> Protection:
        """What the forge asks before it merges into `branch`."""
        ...

    def permissions(self) -> Sequence[Permission]:
        """Every right that is needed, and whether it was given."""
        ...

    def issue(self, topic: str) -> Issue | None:
        """The open issue that this product keeps on `topic`; None where there is none."""
        ...

    def write_issue(self, topic: str, title: str, body: str, *, replaces: str = "") -> Issue:
        """Open the issue on `topic`, or give it this title and body; the same writes nothing.

        `replaces`: the body that was read; where a person changed it meanwhile (ticked a box),
        nothing is written and Unavailable is raised, so that no tick is lost.
        """
        ...


class DesiredState(Protocol):
    """The index of a GitOps repository at one commit."""

    commit: str

    def resources(self) -> Mapping[str, DeclaredResource]:
        """By KIND/NAMESPACE/NAME."""
        ...

    def locate(self, resource: str, field: str) -> ValueLocation | None:
        """Where the value lives; None if the resource or the field is not declared."""
        ...

    def locations(self) -> Iterable[ValueLocation]:
        """Every scalar of every resource."""
        ...


class PolicyJudge(Protocol):
    """Something that evaluates the Rego bundle."""

    bundle: str

    def judge(self, proposal: Proposal, context: Mapping[str, Any]) -> Verdict:
        """Verdict on a proposal; context = resource (labels, manifest), environment, budget."""
        ...
