"""The hidden comment at the end of a pull request's body, by which the forge keeps our state.

What a person reads in the body is written in rendering.py.
"""

from __future__ import annotations

from datetime import datetime

from pydantic import BaseModel, ConfigDict, ValidationError

from finops_dagster.domain.decisions import Decision, Rung
from finops_dagster.domain.money import NO_CURRENCY, MoneyRange, Range
from finops_dagster.domain.pull_requests import FileChange, Member, PullRequest, PullRequestState
from finops_dagster.gitops.changes import is_branch_of_ours
from finops_dagster.gitops.escaping import shortened
from finops_dagster.gitops.hidden import hide, pattern, revealed

MAX_BODY_CHARACTERS = 65_536
"""GitHub's limit for the body of a pull request or comment; also held in bytes here."""

_NAME = "finops-pull-request/1"


class Metadata(BaseModel):
    """What the body remembers of the pull request; `written_head` is the commit we wrote."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    key: str
    fingerprint: str
    kind: str
    resource: str
    base_sha: str
    written_head: str
    files: tuple[FileChange, ...]
    saving_per_month: MoneyRange
    carbon_kg_per_month: Range
    verdict: Decision
    rules: tuple[str, ...]
    proposal_id: str
    members: tuple[Member, ...] = ()
    opened_at: datetime | None = None
    rung: Rung = Rung.PROPOSE
    approvers: tuple[str, ...] = ()
    ledger: str = ""


def metadata_of(pull_request: PullRequest) -> Metadata:
    """What must be remembered of a pull request as it is about to be written."""
    return Metadata(
        key=pull_request.key,
        fingerprint=pull_request.fingerprint,
        kind=pull_request.kind,
        resource=pull_request.resource,
        base_sha=pull_request.base_sha,
        written_head=pull_request.head_sha,
        files=pull_request.files,
        saving_per_month=pull_request.saving_per_month,
        carbon_kg_per_month=pull_request.carbon_kg_per_month,
        verdict=pull_request.verdict,
        rules=pull_request.rules,
        proposal_id=pull_request.proposal_id,
        members=pull_request.members,
        opened_at=pull_request.opened_at,
        rung=pull_request.rung,
        approvers=pull_request.approvers,
        ledger=pull_request.ledger,
    )


def seal(pull_request: PullRequest) -> str:
    """The body with its marker, shortened where it would pass the limit."""
    remembered = metadata_of(pull_request).model_dump(mode="json")
    marker = f"\n\n{hide(_NAME, remembered)}\n"
    return shortened(visible(pull_request.body), MAX_BODY_CHARACTERS - len(marker.encode())) + (
        marker
    )


def read(body: str) -> Metadata | None:
    """The last marker in a body; None if there is none that can be believed."""
    found = revealed(_NAME, body)
    if not found:
        return None
    try:
        return Metadata.model_validate(found[-1])
    except ValidationError:
        return None


def visible(body: str) -> str:
    """The body without its marker."""
    return pattern(_NAME).sub("", body).rstrip()


def as_pull_request(
    body: str,
    *,
    number: int,
    branch: str,
    head_sha: str,
    state: PullRequestState,
    title: str,
    url: str,
    labels: tuple[str, ...],
    ended_at: datetime | None = None,
    ended_by: str = "",
    merge_sha: str = "",
) -> PullRequest | None:
    """The pull request that a forge's record and the marker in its body make.

    Where a person removed the marker, the branch still tells that it is ours and stands in for the
    key; the rest is empty (and of no currency). None if it is none of ours.
    """
    found = read(body)
    if found is None:
        if not is_branch_of_ours(branch):
            return None
        found = Metadata(
            key=branch, fingerprint="", kind="", resource="", base_sha="", written_head="",
            files=(),
            saving_per_month=MoneyRange.model_validate(
                {"low": 0, "mid": 0, "high": 0, "currency": NO_CURRENCY}
            ),
            carbon_kg_per_month=Range(low=0, mid=0, high=0),
            verdict=Decision.NEEDS_APPROVAL, rules=(), proposal_id="",
        )  # fmt: skip
    return PullRequest(
        number=number,
        key=found.key,
        kind=found.kind,
        resource=found.resource,
        branch=branch,
        base_sha=found.base_sha,
        head_sha=head_sha,
        state=state,
        title=title,
        body=body,
        url=url,
        files=found.files,
        saving_per_month=found.saving_per_month,
        carbon_kg_per_month=found.carbon_kg_per_month,
        verdict=found.verdict,
        rules=found.rules,
        fingerprint=found.fingerprint,
        proposal_id=found.proposal_id,
        labels=labels,
        members=found.members,
        opened_at=found.opened_at,
        ended_at=ended_at,
        ended_by=ended_by,
        merge_sha=merge_sha,
        rung=found.rung,
        approvers=found.approvers,
        ledger=found.ledger,
    )
