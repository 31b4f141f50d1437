"""What is wanted, held against what is open: what to open, update, close and leave alone.

The forge keeps all state; running again does nothing. How a forge works is not known here.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

from finops_dagster.domain.decisions import ChangeSet, Decision, Proposal, Verdict
from finops_dagster.domain.protocols import Forge
from finops_dagster.domain.pull_requests import FileChange, PullRequest, PullRequestState
from finops_dagster.gitops import marker
from finops_dagster.gitops.changes import branch_name
from finops_dagster.gitops.escaping import prose
from finops_dagster.gitops.rendering import render_body, render_commit_message, render_title
from finops_dagster.gitops.wanted import Shown, Wanted

LABEL = "finops"
LABEL_APPROVAL = "needs-approval"

_MOVED = "the branch moved while this was decided; the next run plans it again"


class ReconcilingForge(Forge, Protocol):
    """A forge that also tells whether a pull request still merges."""

    def mergeable(self, number: int) -> bool:
        """False only where a merge is known to conflict."""
        ...

    def tidy(self, pull_requests: Sequence[PullRequest]) -> None:
        """Delete what branches a killed run left of those that are no longer open."""
        ...


@dataclass(frozen=True)
class Limits:
    """How many pull requests may be open at once, and be opened in one run."""

    open_max: int
    new_max: int


@dataclass(frozen=True)
class Action:
    """One pull request, or one that could be, and why it was treated so."""

    key: str
    resource: str
    title: str
    reason: str
    number: int | None = None
    url: str = ""


@dataclass(frozen=True)
class Actions:
    """What a run did, or, where it may not act, what it would do."""

    acted: bool
    opened: tuple[Action, ...] = ()
    updated: tuple[Action, ...] = ()
    closed: tuple[Action, ...] = ()
    unchanged: tuple[Action, ...] = ()
    deferred: tuple[Action, ...] = ()
    """Wait for room under the limits."""
    withheld: tuple[Action, ...] = ()
    """Not to be opened: policy denies, a person rejected it, it was merged, or it is a replay."""


@dataclass
class _Run:
    forge: ReconcilingForge
    limits: Limits
    base_sha: str
    act: bool
    now: datetime
    by_key: dict[str, list[PullRequest]] = field(default_factory=dict)
    open_count: int = 0
    opened: list[Action] = field(default_factory=list)
    updated: list[Action] = field(default_factory=list)
    closed: list[Action] = field(default_factory=list)
    unchanged: list[Action] = field(default_factory=list)
    deferred: list[Action] = field(default_factory=list)
    withheld: list[Action] = field(default_factory=list)


def reconcile(
    wanted: Sequence[Wanted],
    forge: ReconcilingForge,
    limits: Limits,
    base_branch: str,
    act: bool,
    now: datetime,
    *,
    undecided: Collection[str] = (),
) -> Actions:
    """Make the forge's open pull requests those that are wanted, in the order given.

    `undecided`: resources that could not be judged today; their pull requests are left as they
    are, because a missing proposal says nothing about them. Idempotent: a second run with the
    same wanted changes nothing; a run that was killed is completed by the next. Raises
    Unavailable if the forge does not answer.
    """
    run = _Run(forge, limits, forge.head(base_branch), act, now)
    known = forge.pull_requests()
    if act:
        forge.tidy(known)
    for pull_request in known:
        run.by_key.setdefault(pull_request.key, []).append(pull_request)
    chosen: dict[str, Wanted] = {}
    for item in (Wanted(*one) for one in wanted):
        if item[0].key in chosen:
            _put(run.withheld, item, "the same value is proposed twice; the first is kept")
        else:
            chosen[item[0].key] = item
    still_open = {
        key: pull_request
        for key, pull_requests in run.by_key.items()
        for pull_request in pull_requests
        if pull_request.state is PullRequestState.OPEN
    }
    run.open_count = len(still_open)
    for key, pull_request in still_open.items():
        _vanished(run, pull_request, chosen.get(key), undecided)
    for key, item in chosen.items():
        if key in still_open:
            if item[1].decision is not Decision.DENY:
                _existing(run, still_open[key], *item)
        else:
            _new(run, item)
    return Actions(
        act,
        tuple(run.opened),
        tuple(run.updated),
        tuple(run.closed),
        tuple(run.unchanged),
        tuple(run.deferred),
        tuple(run.withheld),
    )


def _vanished(
    run: _Run, pull_request: PullRequest, item: Wanted | None, undecided: Collection[str]
) -> None:
    """Close what nobody wants any more; what a person works on is left to that person."""
    if item is not None and item[1].decision is not Decision.DENY:
        return
    if item is None and pull_request.resource in undecided:
        _keep(run, pull_request, "the resource could not be judged today; left as it is")
        return
    if item is None and not pull_request.resource:
        _keep(run, pull_request, "its marker was removed by a person; left alone")
        return
    if _stopped_by_a_person(run, pull_request):
        return
    if item is None:
        reason = "the recommendation no longer holds"
    else:
        reason = "policy denies it now: " + ", ".join(rule.id for rule in item[1].rules)
    if run.act:
        run.forge.comment(
            pull_request.number,
            "closed",
            f"Closed as superseded on {run.now:%Y-%m-%d}: {prose(reason)}.",
        )
        run.forge.close(pull_request.number, PullRequestState.SUPERSEDED)
    run.open_count -= 1
    run.closed.append(_action(pull_request, reason))


def _existing(
    run: _Run,
    pull_request: PullRequest,
    proposal: Proposal,
    verdict: Verdict,
    changes: ChangeSet,
) -> None:
    if _stopped_by_a_person(run, pull_request):
        return
    if pull_request.fingerprint != changes.fingerprint:
        reason = "the recommendation changed"
    elif pull_request.verdict is not verdict.decision:
        reason = f"the verdict changed to {verdict.decision.value}"
    elif pull_request.base_sha == changes.base_sha or run.forge.mergeable(pull_request.number):
        _keep(run, pull_request, "open already, for the same change")
        return
    else:
        reason = "written again on the newest commit, with which it conflicted"
    if changes.base_sha != run.base_sha:
        _keep(run, pull_request, _MOVED)
        return
    updated = _drawn(run, proposal, verdict, changes).model_copy(
        update={"number": pull_request.number, "branch": pull_request.branch}
    )
    if run.act:
        # Without a written head the branch counts as ours: a run that is killed between the two
        # writes below must not take its own commit for a person's.
        run.forge.update(pull_request.model_copy(update={"head_sha": ""}))
        updated = _written(run, updated, proposal, verdict, changes)
        updated = run.forge.update(updated)
    else:
        updated = updated.model_copy(update={"url": pull_request.url})
    run.updated.append(_action(updated, reason))


def _new(run: _Run, item: Wanted) -> None:
    proposal, verdict, changes = item
    if verdict.decision is Decision.DENY:
        _put(run.withheld, item, "policy denies it: " + ", ".join(r.id for r in verdict.rules))
        return
    if proposal.reconstructed:
        _put(run.withheld, item, "decided for a past day; nothing is opened from a replay")
        return
    for earlier in reversed(run.by_key.get(proposal.key, [])):
        same = earlier.fingerprint == changes.fingerprint
        # Without a fingerprint the marker was removed: a person's no is then taken as it stands.
        unmarked_no = not earlier.fingerprint and earlier.state is PullRequestState.REJECTED
        if earlier.state is PullRequestState.SUPERSEDED or not (same or unmarked_no):
            continue
        told = {
            PullRequestState.MERGED: "merged already",
            PullRequestState.REVERTED: "merged and reverted",
        }.get(earlier.state, "rejected by a person")
        reason = f"{told} for the same change, as #{earlier.number}"
        _put(run.withheld, item, reason, earlier.number, earlier.url)
        return
    if changes.base_sha != run.base_sha:
        _put(run.deferred, item, _MOVED)
        return
    if run.open_count >= run.limits.open_max:
        _put(run.deferred, item, f"{run.open_count} pull requests are open, the limit")
        return
    if len(run.opened) >= run.limits.new_max:
        _put(run.deferred, item, f"{len(run.opened)} were opened in this run, the limit")
        return
    drawn = _drawn(run, proposal, verdict, changes)
    if run.act:
        drawn = run.forge.open(_written(run, drawn, proposal, verdict, changes))
        run.opened.append(_action(drawn, "opened"))
    else:
        run.opened.append(_action(drawn, "would be opened"))
    run.open_count += 1


def _stopped_by_a_person(run: _Run, pull_request: PullRequest) -> bool:
    """Whether a person's commit is on the branch: then it is theirs, and is told so once."""
    known = marker.read(pull_request.body)
    if known is None or known.written_head in ("", pull_request.head_sha):
        return False
    if run.act:
        run.forge.comment(
            pull_request.number,
            "stopped",
            "A commit that was not made automatically is on this branch: it is not updated or "
            "closed automatically any more. Close it to let a new one be proposed.",
        )
    _keep(run, pull_request, "a person has committed to its branch; left alone")
    return True


def _drawn(run: _Run, proposal: Proposal, verdict: Verdict, changes: ChangeSet) -> PullRequest:
    """The pull request as it would be opened; number, head and address come from the forge."""
    approval = verdict.decision is Decision.NEEDS_APPROVAL
    paths = sorted({edit.file for edit in changes.edits})
    return PullRequest(
        number=0,
        key=proposal.key,
        kind=proposal.kind.value,
        resource=proposal.resource,
        branch=branch_name(proposal),
        base_sha=changes.base_sha,
        head_sha="",
        state=PullRequestState.OPEN,
        title=render_title([Wanted(proposal, verdict, changes)]),
        body=render_body([Wanted(proposal, verdict, changes)], Shown()),
        url="",
        files=tuple(
            FileChange(path=path, hunks=sum(edit.file == path for edit in changes.edits))
            for path in paths
        ),
        saving_per_month=proposal.saving_per_month,
        carbon_kg_per_month=proposal.carbon_kg_per_month,
        verdict=verdict.decision,
        rules=tuple(rule.id for rule in verdict.rules),
        fingerprint=changes.fingerprint,
        proposal_id=proposal.id,
        labels=(LABEL, LABEL_APPROVAL) if approval else (LABEL,),
    )


def _written(
    run: _Run, drawn: PullRequest, proposal: Proposal, verdict: Verdict, changes: ChangeSet
) -> PullRequest:
    head = run.forge.write_branch(
        drawn.branch,
        changes.base_sha,
        changes,
        render_commit_message([Wanted(proposal, verdict, changes)], Shown()),
    )
    return drawn.model_copy(update={"head_sha": head})


def _action(pull_request: PullRequest, reason: str) -> Action:
    return Action(
        pull_request.key,
        pull_request.resource,
        pull_request.title,
        reason,
        pull_request.number or None,
        pull_request.url,
    )


def _keep(run: _Run, pull_request: PullRequest, reason: str) -> None:
    run.unchanged.append(_action(pull_request, reason))


def _put(
    where: list[Action], item: Wanted, reason: str, number: int | None = None, url: str = ""
) -> None:
    of = item.proposal
    where.append(Action(of.key, of.resource, render_title([item]), reason, number, url))
