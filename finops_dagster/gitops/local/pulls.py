"""Pull requests as they stand in a local repository, with what people did by plain git.

Opening, merging and closing them is in forge.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from datetime import datetime

from finops_dagster.domain.errors import Fault, Stopped, Unavailable
from finops_dagster.domain.pull_requests import PullRequest, PullRequestState
from finops_dagster.gitops import marker
from finops_dagster.gitops.changes import BRANCH_PREFIX
from finops_dagster.gitops.git_objects import ZERO, Git
from finops_dagster.gitops.local.history import holds, merge_of, merged_branches, reverted
from finops_dagster.gitops.local.records import Documents, PullRecord

_PULLS = "refs/finops/pulls/"
"""refs/finops/pulls/N points to the pull request's record."""
HEADS = "refs/finops/heads/"
"""refs/finops/heads/N keeps the last commit of a branch that is deleted."""


class LocalPulls:
    """Every pull request of one bare repository that aims at `branch`."""

    def __init__(self, git: Git, branch: str, now: datetime) -> None:
        self._git = git
        self._branch = branch
        self._now = now
        self.records = Documents(git, _PULLS, PullRecord, "pull request #")

    def known(self) -> list[PullRequest]:
        """Every pull request as it stands, oldest first."""
        kept = self.records.all()
        records = sorted(((int(name), one) for name, (_, one) in kept.items()), key=lambda p: p[0])
        heads = self._git.references(f"refs/heads/{BRANCH_PREFIX}")
        if any(record.state is PullRequestState.OPEN for _, record in records):
            merged = merged_branches(self._git, self._branch, f"refs/heads/{BRANCH_PREFIX}")
            records = [
                (n, self._noticed(n, kept[str(n)][0], one, heads, merged)) for n, one in records
            ]
        merges = [
            one.merge_sha or one.head_sha
            for _, one in records
            if one.state is PullRequestState.MERGED
        ]
        undone = reverted(self._git, self._branch, merges)
        found: list[PullRequest] = []
        for number, record in records:
            back = undone.get(record.merge_sha) or undone.get(record.head_sha)
            if record.state is PullRequestState.MERGED and back is not None:
                record = record.model_copy(
                    update={
                        "state": PullRequestState.REVERTED,
                        "ended_at": back.at,
                        "ended_by": back.by,
                    }
                )
            still = record.state is PullRequestState.OPEN
            head = heads.get(f"refs/heads/{record.branch}") if still else None
            pull_request = marker.as_pull_request(
                record.body,
                number=number,
                branch=record.branch,
                head_sha=head or record.head_sha,
                state=record.state,
                title=record.title,
                url=f"{self._git.repository}#{number}",
                labels=record.labels,
                ended_at=record.ended_at,
                ended_by=record.ended_by,
                merge_sha=record.merge_sha,
            )
            if pull_request is not None:
                found.append(pull_request)
        return found

    def _noticed(
        self,
        number: int,
        oid: str,
        record: PullRecord,
        heads: Mapping[str, str],
        merged: frozenset[str],
    ) -> PullRecord:
        """A record with what a person did by plain git, which counts as on any forge.

        What is seen is kept: nothing else remembers when a branch was deleted. A merge that is
        pushed after the deletion still counts.
        """
        branch = f"refs/heads/{record.branch}"
        if record.state is not PullRequestState.OPEN or (branch in heads and branch not in merged):
            return record
        last = heads.get(branch) or self._git.resolve(f"{HEADS}{number}") or record.head_sha
        if branch in merged or (branch not in heads and holds(self._git, self._branch, last)):
            done = merge_of(self._git, self._branch, last)
            seen = {
                "state": PullRequestState.MERGED,
                "head_sha": last,
                "merge_sha": done.commit,
                "ended_at": done.at,
                "ended_by": done.by,
            }
            shown = kept = record.model_copy(update=seen)
        else:
            kept = record.model_copy(update={"ended_at": record.ended_at or self._now})
            shown = kept.model_copy(update={"state": PullRequestState.REJECTED})
        if kept != record:
            # a reader who may not write, or a rival who was faster, sees the same
            with suppress(Unavailable):
                self.records.put(str(number), kept, oid)
        return shown

    def one(self, number: int) -> PullRequest:
        """One of them. Raises Stopped if there is none of that number."""
        for pull_request in self.known():
            if pull_request.number == number:
                return pull_request
        self.records.read(str(number))
        raise Stopped(f"pull request #{number} is none of this product's")

    def must_be_open(self, number: int, *, merged_only: bool = False) -> None:
        """Raises Stopped if it is not open; `merged_only`: only if it is merged."""
        state = self.one(number).state
        if state is PullRequestState.OPEN or (merged_only and state is not PullRequestState.MERGED):
            return
        raise Stopped(f"#{number} is {state.value}, not open", (
            Fault(
                code="not_open", expected=f"#{number} was expected to be open.",
                hint="`finops prs` lists what is open.",
            ),
        ))  # fmt: skip

    def keep_head(self, number: int, commit: str) -> None:
        """Keep the commit that its branch ends at, for when the branch is deleted."""
        reference = f"{HEADS}{number}"
        old = self._git.references(reference).get(reference, ZERO)
        if old != commit:
            self._git.set_reference(reference, commit, old)
