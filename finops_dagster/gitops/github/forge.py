"""Pull requests on GitHub or GitHub Enterprise, through its API.

What is proposed and whether it may be is decided elsewhere; nothing is kept here between calls.
"""

from __future__ import annotations

import base64
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from functools import cached_property, partial
from typing import TYPE_CHECKING, Any

import github
from github.GithubException import GithubException

from finops_dagster.domain.decisions import ChangeSet, Edit
from finops_dagster.domain.errors import Fault, Stopped
from finops_dagster.domain.pull_requests import PullRequest, PullRequestState
from finops_dagster.gitops import marker
from finops_dagster.gitops.changes import BRANCH_PREFIX
from finops_dagster.gitops.edits import apply_edits
from finops_dagster.gitops.escaping import one_line
from finops_dagster.gitops.git_objects import is_object_id
from finops_dagster.gitops.github.calls import Patience
from finops_dagster.gitops.github.gates import GitHubGates
from finops_dagster.gitops.github.history import GitHubHistory
from finops_dagster.gitops.github.talk import GitHubTalk
from finops_dagster.gitops.reverts import (
    Landed,
    undone,
    undone_by_commit,
    undone_by_pull_request,
)
from finops_dagster.gitops.signing import commit_bytes

if TYPE_CHECKING:
    from github.GitCommit import GitCommit
    from github.GitTree import GitTree
    from github.PullRequest import PullRequest as GithubPullRequest
    from github.Repository import Repository

__all__ = ["GitHubForge", "Patience"]

SUPERSEDED_LABEL = "finops/superseded"
REVERTED_LABEL = "finops/reverted"
_SUPERSEDED_MARK = "<!-- finops-superseded -->"
"""Written with the closing itself: the label is for people, and may fail."""
_REVERTS_WITHIN = timedelta(days=400)
_ENDED_BY = 20
"""Of so many that people ended last it is asked who did: one call each, free if unchanged."""


class GitHubForge(GitHubHistory, GitHubTalk, GitHubGates):
    """`Forge` over one GitHub repository. Raises Unavailable when GitHub does not do its part."""

    def pull_requests(self, state: PullRequestState | None = None) -> Sequence[PullRequest]:
        """All pull requests of this product's branches in this repository, oldest first."""
        asked = "open" if state is PullRequestState.OPEN else "all"
        pulls = self._calls.attempt(
            lambda: list(self._repository().get_pulls(asked, sort="created", direction="asc"))
        )
        heads = self._heads()
        reverted = self._reverted(pulls)
        found = [
            shown for pull in pulls if (shown := self._shown(pull, heads, reverted)) is not None
        ]
        found.sort(key=lambda one: one.number)
        return [one for one in self._with_who_ended(found) if state in (None, one.state)]

    def write_branch(self, branch: str, base_sha: str, changes: ChangeSet, message: str) -> str:
        """One commit on `base_sha` with the edits; the same tree there already is left alone."""
        if not branch.startswith(BRANCH_PREFIX) or not is_object_id(base_sha):
            raise Stopped(f"{branch!r} on {base_sha!r} is not a branch to write")
        base = self._calls.attempt(lambda: self._repository().get_git_commit(base_sha))
        elements = []
        for path in sorted({edit.file for edit in changes.edits}):
            edits = [edit for edit in changes.edits if edit.file == path]
            mode, data = self._edited(base, path, edits)
            content = base64.b64encode(data).decode()
            create = partial(self._repository().create_git_blob, content, "base64")
            blob = self._calls.attempt(create)
            elements.append(github.InputGitTreeElement(path, mode, "blob", sha=blob.sha))
        tree = self._calls.attempt(lambda: self._repository().create_git_tree(elements, base.tree))
        old = self._branch_commit(branch)
        if (
            old is not None
            and old.tree.sha == tree.sha
            and [parent.sha for parent in old.parents] == [base_sha]
        ):
            return old.sha
        commit = self._commit(tree, base, message)
        self._point(branch, commit, exists=old is not None)
        return commit

    def open(self, pull_request: PullRequest) -> PullRequest:
        """Open it; one that is open for the branch is returned (and given its labels)."""

        def attempt() -> PullRequest:
            # Looked for at each attempt: a lost answer must not lead to a second pull request.
            existing = self._open_for(pull_request.branch)
            if existing is not None:
                return existing
            try:
                made = self._repository().create_pull(
                    self._branch,
                    pull_request.branch,
                    title=one_line(pull_request.title, 255),
                    body=marker.seal(pull_request),
                )
            except GithubException as error:
                # Another runner may have been faster: GitHub opens one for a branch, then 422.
                existing = self._open_for(pull_request.branch) if error.status == 422 else None
                if existing is None:
                    raise
                return existing
            return self._must_show(made)

        opened = self._calls.attempt(attempt)
        missing = sorted(set(pull_request.labels) - set(opened.labels))
        if not missing:
            return opened
        self.label(opened.number, add=missing)
        return self._read(opened.number)

    def update(self, pull_request: PullRequest) -> PullRequest:
        """Replace title, body, labels and what the body remembers."""
        number = pull_request.number
        known = self._must_be_open(number)
        self._calls.attempt(
            lambda: (
                self._repository()
                .get_pull(number)
                .edit(title=one_line(pull_request.title, 255), body=marker.seal(pull_request))
            )
        )
        has, wanted = set(known.labels), set(pull_request.labels)
        self.label(number, add=sorted(wanted - has), remove=sorted(has - wanted))
        return self._read(number)

    def close(self, number: int, state: PullRequestState) -> PullRequest:
        """Close unmerged and delete the branch; closing again does nothing."""
        if state not in (PullRequestState.REJECTED, PullRequestState.SUPERSEDED):
            raise ValueError(f"closing makes a pull request rejected or superseded, not {state}")
        pull_request = self._read(number)
        if pull_request.state is PullRequestState.OPEN:
            ending: dict[str, Any] = {"state": "closed"}
            if state is PullRequestState.SUPERSEDED:
                self.label(number, add=[SUPERSEDED_LABEL])
                ending["body"] = _superseded(pull_request.body)
            self._calls.attempt(lambda: self._repository().get_pull(number).edit(**ending))
        elif pull_request.state in (PullRequestState.MERGED, PullRequestState.REVERTED):
            raise _not_open(number, pull_request.state)
        self._delete(pull_request.branch)
        return self._read(number)

    def tidy(self, pull_requests: Sequence[PullRequest]) -> None:
        """Delete branches of closed pull requests that are still where these ended."""
        heads = self._heads()
        in_use = {one.branch for one in pull_requests if one.state is PullRequestState.OPEN}
        for one in pull_requests:
            if one.branch not in in_use and heads.get(one.branch) == one.head_sha:
                self._delete(one.branch)

    def diff(self, number: int) -> str:
        """Unified diff against the merge base, from GitHub's comparison."""
        pull_request = self._read(number)
        base = pull_request.base_sha
        if pull_request.state is PullRequestState.OPEN or not is_object_id(base):
            base = self._branch
        files = self._calls.attempt(
            lambda: list(self._repository().compare(base, pull_request.head_sha).files)
        )
        return "".join(
            f"diff --git a/{one.filename} b/{one.filename}\n--- a/{one.filename}\n"
            f"+++ b/{one.filename}\n{(one.patch or '').rstrip(chr(10))}\n"
            for one in files
        )

    @cached_property
    def _owner(self) -> str:
        """Who owns it by now, if it was renamed or transferred."""
        found = self._calls.attempt(lambda: self._request("GET", "")[1])
        return str(found["full_name"]).partition("/")[0]

    def _edited(self, base: GitCommit, path: str, edits: list[Edit]) -> tuple[str, bytes]:
        if not any(edit.creates for edit in edits):
            mode, data = self._file(base, path)
            return mode, apply_edits(data, edits)
        if self._entry(base, path) is not None:
            raise Stopped(f"{path} was to be made new, but is at {base.sha} already")
        return "100644", apply_edits(b"", edits)

    def _commit(self, tree: GitTree, base: GitCommit, message: str) -> str:
        content: dict[str, object] = {
            "message": message, "tree": tree.sha, "parents": [base.sha]
        }  # fmt: skip
        if self._author is not None:
            who = {
                "name": self._author.name,
                "email": self._author.email,
                "date": self._now.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
            }
            content |= {"author": who, "committer": who}
        if self._signer is not None and self._author is not None:
            content["signature"] = self._signer.signature(
                commit_bytes(tree.sha, (base.sha,), message, self._author, self._now)
            )
        made = self._calls.attempt(lambda: self._request("POST", "/git/commits", content)[1])
        return str(made["sha"])

    def _open_for(self, branch: str) -> PullRequest | None:
        for pull in self._repository().get_pulls("open", head=f"{self._owner}:{branch}"):
            if pull.head.ref == branch:
                return self._must_show(pull)
        return None

    def _must_be_open(self, number: int) -> PullRequest:
        found = self._read(number)
        if found.state is not PullRequestState.OPEN:
            raise _not_open(number, found.state)
        return found

    def _must_show(self, pull: GithubPullRequest) -> PullRequest:
        shown = self._shown(pull, self._heads(pull.head.ref), {})
        if shown is None:
            raise Stopped(f"#{pull.number} is not one of this product's pull requests")
        return self._with_who_ended([shown])[0]

    def _shown(
        self, pull: GithubPullRequest, heads: dict[str, str], reverted: dict[str, datetime]
    ) -> PullRequest | None:
        if not self._is_ours(pull):
            return None
        labels = tuple(sorted(label.name for label in pull.labels))
        undone_at = reverted.get(f"#{pull.number}")
        state = _state(pull, labels, undone_at)
        head = heads.get(pull.head.ref) if state is PullRequestState.OPEN else None
        ended = undone_at or pull.merged_at or pull.closed_at
        return marker.as_pull_request(
            pull.body or "",
            number=pull.number,
            branch=pull.head.ref,
            head_sha=head or pull.head.sha,
            state=state,
            title=pull.title,
            url=pull.html_url,
            labels=labels,
            ended_at=ended if state is not PullRequestState.OPEN else None,
            merge_sha=pull.merge_commit_sha or "" if pull.merged_at is not None else "",
        )

    def _is_ours(self, pull: GithubPullRequest) -> bool:
        home: Repository | None = pull.head.repo  # null once a fork is deleted
        return (
            home is not None
            and home.id == pull.base.repo.id
            and pull.head.ref.startswith(BRANCH_PREFIX)
            and pull.base.ref == self._branch
        )

    def _reverted(self, pulls: Sequence[GithubPullRequest]) -> dict[str, datetime]:
        """#NUMBER of what was undone on the target branch -> when.

        By pull requests that say so, and by commits since the oldest merge of ours that matters.
        """
        merged = [
            (pull, when)
            for pull in pulls
            if (when := pull.merged_at) is not None and pull.base.ref == self._branch
        ]
        ours = [when for pull, when in merged if self._is_ours(pull)]
        if not ours:
            return {}
        since = max(min(ours), self._now - _REVERTS_WITHIN)
        commits = self._calls.attempt(
            lambda: list(self._repository().get_commits(sha=self._branch, since=since))
        )
        landed = [
            Landed(
                frozenset({one.sha}),
                undone_by_commit(one.commit.message),
                one.commit.committer.date,
            )
            for one in commits
        ]
        landed += [
            Landed(
                frozenset({f"#{pull.number}", pull.head.sha, pull.merge_commit_sha or ""} - {""}),
                undone_by_pull_request(pull.body or "", pull.base.repo.full_name),
                when,
            )
            for pull, when in merged
        ]
        return undone(landed)

    def _with_who_ended(self, found: Sequence[PullRequest]) -> list[PullRequest]:
        """With the login of who merged or rejected those that ended last."""
        ended = [
            one
            for one in found
            if one.ended_at is not None and one.state is not PullRequestState.SUPERSEDED
        ]
        ended.sort(key=lambda one: one.ended_at or self._now, reverse=True)
        who = {one.number: self._who_closed(one.number) for one in ended[:_ENDED_BY]}
        return [
            one.model_copy(update={"ended_by": who[one.number]}) if one.number in who else one
            for one in found
        ]

    def _who_closed(self, number: int) -> str:
        """GitHub tells it of the issue that a pull request is, merged or not."""
        try:
            found = self._calls.attempt(
                lambda: self._request("GET", f"/issues/{number}")[1], passing=(403, 404, 410)
            )
        except GithubException:
            return ""
        return str((found.get("closed_by") or {}).get("login") or "")


def _superseded(body: str) -> str:
    marked = f"{body}\n{_SUPERSEDED_MARK}"
    return marked if len(marked) <= marker.MAX_BODY_CHARACTERS else body


def _state(
    pull: GithubPullRequest, labels: tuple[str, ...], undone_at: datetime | None
) -> PullRequestState:
    if pull.state == "open":
        return PullRequestState.OPEN
    if pull.merged_at is not None:
        reverted = undone_at is not None or REVERTED_LABEL in labels
        return PullRequestState.REVERTED if reverted else PullRequestState.MERGED
    superseded = SUPERSEDED_LABEL in labels or (pull.body or "").rstrip().endswith(_SUPERSEDED_MARK)
    return PullRequestState.SUPERSEDED if superseded else PullRequestState.REJECTED


def _not_open(number: int, state: PullRequestState) -> Stopped:
    return Stopped(f"#{number} is {state.value}, not open", (
        Fault(
            code="not_open", expected=f"#{number} was expected to be open.",
            hint="`finops prs` lists what is open.",
        ),
    ))  # fmt: skip
