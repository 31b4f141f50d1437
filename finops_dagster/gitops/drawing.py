"""A group of changes as the pull request it would be: sums, labels, members, what is remembered.

Its words are rendered in rendering.py; whether it is opened is planned elsewhere.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from finops_dagster.domain.decisions import Decision
from finops_dagster.domain.ids import content_id
from finops_dagster.domain.money import MoneyRange, Range, exact_sum
from finops_dagster.domain.pull_requests import FileChange, Member, PullRequest, PullRequestState
from finops_dagster.gitops.changes import combined
from finops_dagster.gitops.rendering import render_body, render_title
from finops_dagster.gitops.wanted import (
    Shown,
    Wanted,
    decision_of,
    fingerprint_of,
    rules_of,
    rung_of,
)

LABEL = "finops"
LABEL_APPROVAL = "needs-approval"

_KEPT_CHARACTERS = 300
"""A marker must fit into a body with its members, whatever their names and values are."""


def kept(text: str) -> str:
    """A name or value as a pull request remembers it: a long one by its beginning and its hash."""
    if len(text) <= _KEPT_CHARACTERS:
        return text
    return f"{text[:_KEPT_CHARACTERS]}~{content_id('text', text)}"


def labels_of(group: Sequence[Wanted], others: Sequence[str] = ()) -> tuple[str, ...]:
    """Its labels, with those that people gave it."""
    approval = decision_of(group) is Decision.NEEDS_APPROVAL
    ours = (LABEL, LABEL_APPROVAL) if approval else (LABEL,)
    return tuple(dict.fromkeys((*ours, *(one for one in others if one != LABEL_APPROVAL))))


def draw(
    group: Sequence[Wanted], key: str, branch: str, shown: Shown, opened_at: datetime
) -> PullRequest:
    """The pull request as it would be opened; number, head and address come from the forge."""
    changes = combined(key, [one.changes for one in group])
    proposals = [one.proposal for one in group]
    kinds = {one.kind.value for one in proposals}
    resources = {one.resource for one in proposals}
    carbon = [one.carbon_kg_per_month for one in proposals]
    return PullRequest(
        number=0,
        key=key,
        kind=kinds.pop() if len(kinds) == 1 else "",
        resource=kept(resources.pop()) if len(resources) == 1 else "",
        branch=branch,
        base_sha=changes.base_sha,
        head_sha="",
        state=PullRequestState.OPEN,
        title=render_title(group),
        body=render_body(group, shown),
        url="",
        files=tuple(
            FileChange(path=path, hunks=sum(edit.file == path for edit in changes.edits))
            for path in sorted({edit.file for edit in changes.edits})
        ),
        saving_per_month=_sum([one.saving_per_month for one in proposals]),
        carbon_kg_per_month=Range(
            low=sum(one.low for one in carbon),
            mid=sum(one.mid for one in carbon),
            high=sum(one.high for one in carbon),
        ),
        verdict=decision_of(group),
        rules=rules_of(group),
        fingerprint=fingerprint_of(group),
        proposal_id=proposals[0].id,
        labels=labels_of(group),
        members=tuple(_member(one) for one in group),
        opened_at=opened_at,
        rung=rung_of(group),
        approvers=shown.owners,
        ledger=shown.ledger,
    )


def _member(one: Wanted) -> Member:
    proposal = one.proposal
    return Member(
        key=proposal.change_key,
        kind=proposal.kind.value,
        resource=kept(proposal.resource),
        field=kept(proposal.field),
        before=kept(proposal.current),
        after=kept(proposal.proposed),
        fingerprint=one.changes.fingerprint,
        proposal_id=proposal.id,
        owner=kept(proposal.owner),
        saving_per_month=proposal.saving_per_month,
    )


def _sum(ranges: Sequence[MoneyRange]) -> MoneyRange:
    """Ends added up, as wide as it could be: errors of one kind go together. One currency."""
    return MoneyRange(
        low=exact_sum(*(one.low for one in ranges)),
        mid=exact_sum(*(one.mid for one in ranges)),
        high=exact_sum(*(one.high for one in ranges)),
        currency=ranges[0].currency,
    )
