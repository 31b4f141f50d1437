"""Pull requests on GitHub or GitHub Enterprise, through its REST API.

What is proposed and whether it may be is decided elsewhere; nothing is kept here between calls.
"""

from __future__ import annotations

import base64
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING

import github
from github.GithubException import GithubException

from finops_dagster.domain.changes import Commit
from finops_dagster.domain.decisions import ChangeSet
from finops_dagster.domain.errors import Fault, Stopped, Unavailable
from finops_dagster.domain.pull_requests import PullRequest, PullRequestState
from finops_dagster.gitops import marker
from finops_dagster.gitops.changes import BRANCH_PREFIX
from finops_dagster.gitops.edits import apply_edits
from finops_dagster.gitops.escaping import one_line
from finops_dagster.gitops.git_objects import Author, is_object_id
from finops_dagster.gitops.github_calls import Caller, Patience, told

if TYPE_CHECKING:
    from github.Commit import Commit as CommitOfBranch
    from github.GitCommit import GitCommit
    from github.IssueComment import IssueComment
    from github.PullRequest import PullRequest as GithubPullRequest
    from github.Repository import Repository

SUPERSEDED_LABEL = "finops/superseded"
REVERTED_LABEL = "finops/reverted"


class GitHubForge:
    """`Forge` over one GitHub repository. Raises Unavailable when GitHub does not do its part;
    no message ever holds the token.
    """

    def __init__(
        self,
        api_url: str,
        repository: str,
        token: str,
        *,
        now: datetime,
        branch: str = "main",
        author: Author | None = None,
        patience: Patience | None = None,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        """`repository`: OWNER/NAME; `branch`: what pull requests aim at; `now`: date of commits."""
        self._name = repository
        self._branch = branch
        self._now = now
        self._author = author or Author()
        patience = patience or Patience()
        self._calls = Caller(repository, token, patience, sleep)
        self._github = github.Github(
            auth=github.Auth.Token(token),
            base_url=api_url.rstrip("/"),
            timeout=patience.timeout_seconds,
            per_page=100,
            retry=None,  # retried here: PyGithub would repeat what creates
            seconds_between_requests=0,
            seconds_between_writes=0,
            lazy=True,
        )

    def __repr__(self) -> str:
        return f"GitHubForge({self._name!r})"

    def head(self, branch: str) -> str:
        """Commit id of `branch`."""
        return self._calls.attempt(
            lambda: self._repository().get_git_ref(f"heads/{branch}").object.sha
        )

    def pull_requests(self, state: PullRequestState | None = None) -> Sequence[PullRequest]:
        """All pull requests of this product's branches in this repository, oldest first."""
        asked = "open" if state is PullRequestState.OPEN else "all"
        pulls = self._calls.attempt(
            lambda: list(self._repository().get_pulls(asked, sort="created", direction="asc"))
        )
        heads = self._heads()
        found = [shown for pull in pulls if (shown := self._shown(pull, heads)) is not None]
        return sorted(
            (one for one in found if state in (None, one.state)), key=lambda one: one.number
        )

    def write_branch(self, branch: str, base_sha: str, changes: ChangeSet, message: str) -> str:
        """One commit on `base_sha` with the edits; the same tree there already is left alone."""
        if not branch.startswith(BRANCH_PREFIX) or not is_object_id(base_sha):
            raise Stopped(f"{branch!r} on {base_sha!r} is not a branch to write")
        base = self._calls.attempt(lambda: self._repository().get_git_commit(base_sha))
        elements = []
        for path in sorted({edit.file for edit in changes.edits}):
            mode, data = self._file(base, path)
            edited = apply_edits(data, [edit for edit in changes.edits if edit.file == path])
            content = base64.b64encode(edited).decode()
            create = partial(self._repository().create_git_blob, content, "base64")
            blob = self._calls.attempt(create)
            elements.append(github.InputGitTreeElement(path, mode, "blob", sha=blob.sha))
        tree = self._calls.attempt(lambda: self._repository().create_git_tree(elements, base.tree))
        old = self._branch_commit(branch)
        if (
            old is not None
            and old.tree.sha == tree.sha
            and [p.sha for p in old.parents] == [base_sha]
        ):
            return old.sha
        who = github.InputGitAuthor(
            self._author.name,
            self._author.email,
            self._now.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        )
        commit = self._calls.attempt(
            lambda: self._repository().create_git_commit(message, tree, [base], who, who)
        )
        self._point(branch, commit.sha, exists=old is not None)
        return commit.sha

    def open(self, pull_request: PullRequest) -> PullRequest:
        """Open it; one that is open for the branch is returned (and given its labels)."""

        def attempt() -> PullRequest:
            # Looked for at each attempt: a lost answer must not lead to a second pull request.
            existing = self._open_for(pull_request.branch)
            if existing is not None:
                return existing
            made = self._repository().create_pull(
                self._branch,
                pull_request.branch,
                title=one_line(pull_request.title, 255),
                body=marker.seal(pull_request),
            )
            return self._must_show(made)

        opened = self._calls.attempt(attempt)
        if set(pull_request.labels) <= set(opened.labels):
            return opened
        return self._labelled(opened.number, pull_request.labels)

    def update(self, pull_request: PullRequest) -> PullRequest:
        """Replace title, body, labels and what the body remembers."""
        number = pull_request.number
        self._must_be_open(number)
        self._calls.attempt(
            lambda: self._pull(number).edit(
                title=one_line(pull_request.title, 255), body=marker.seal(pull_request)
            )
        )
        return self._labelled(number, pull_request.labels)

    def comment(self, number: int, topic: str, body: str) -> None:
        """Write or replace the one comment on `topic`; an equal one is left alone."""
        text = f"{body[: marker.MAX_BODY_CHARACTERS - 200]}\n\n{_comment_mark(topic)}"

        def attempt() -> None:
            found = self._comment_on(number, topic)
            if found is None:
                self._pull(number).create_issue_comment(text)
            elif found.body.strip() != text.strip():
                found.edit(text)

        self._calls.attempt(attempt)

    def comments(self, number: int) -> dict[str, str]:
        """Comments of this product by topic."""
        found: dict[str, str] = {}
        for comment in self._calls.attempt(lambda: list(self._pull(number).get_issue_comments())):
            body, mark, topic = comment.body.rpartition("<!-- finops-comment ")
            if mark:
                found[topic.removesuffix("-->").strip()] = body.strip()
        return found

    def close(self, number: int, state: PullRequestState) -> PullRequest:
        """Close unmerged and delete the branch; closing again does nothing."""
        if state not in (PullRequestState.REJECTED, PullRequestState.SUPERSEDED):
            raise ValueError(f"closing makes a pull request rejected or superseded, not {state}")
        pull_request = self._must_show(self._calls.attempt(lambda: self._pull(number)))
        if pull_request.state is PullRequestState.OPEN:
            if state is PullRequestState.SUPERSEDED:
                self._labelled(number, (*pull_request.labels, SUPERSEDED_LABEL))
            self._calls.attempt(lambda: self._pull(number).edit(state="closed"))
        elif pull_request.state is PullRequestState.MERGED:
            raise _not_open(number, pull_request.state)
        self._delete(pull_request.branch)
        return self._must_show(self._calls.attempt(lambda: self._pull(number)))

    def merge(self, number: int) -> PullRequest:
        """Merge with a merge commit and delete the branch. Raises Stopped if GitHub refuses."""
        pull_request = self._must_show(self._calls.attempt(lambda: self._pull(number)))
        if pull_request.state is PullRequestState.MERGED:
            return pull_request
        self._must_be_open(number)

        def attempt() -> None:
            pull = self._pull(number)
            if not pull.merged:
                pull.merge(merge_method="merge", sha=pull_request.head_sha)

        with _refused(number, self._branch):
            self._calls.attempt(attempt, passing=(405, 409, 422))
        self._delete(pull_request.branch)
        return self._must_show(self._calls.attempt(lambda: self._pull(number)))

    def mergeable(self, number: int) -> bool:
        """False only where GitHub knows of a conflict; it may not have looked yet."""
        found: bool | None = self._calls.attempt(lambda: self._pull(number)).mergeable
        return found is not False

    def tidy(self, pull_requests: Sequence[PullRequest]) -> None:
        """Delete branches of closed pull requests that are still where these ended."""
        heads = self._heads()
        in_use = {one.branch for one in pull_requests if one.state is PullRequestState.OPEN}
        for one in pull_requests:
            if one.branch not in in_use and heads.get(one.branch) == one.head_sha:
                self._delete(one.branch)

    def diff(self, number: int) -> str:
        """Unified diff against the merge base, from GitHub's comparison."""
        pull_request = self._must_show(self._calls.attempt(lambda: self._pull(number)))
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

    def commit_before(self, branch: str, before: datetime) -> str | None:
        """The newest commit of `branch` made at or before `before`; None if it is younger."""

        def attempt() -> str | None:
            commits = self._repository().get_commits(sha=branch, until=before)
            return next((commit.sha for commit in commits), None)

        return self._calls.attempt(attempt)

    def commits_between(
        self, branch: str, since: datetime, until: datetime, files: Iterable[str]
    ) -> list[Commit]:
        """Commits of `branch` after `since` up to `until` that touch any of `files`, oldest first.

        A call for each file.
        """

        def attempt(file: str) -> list[CommitOfBranch]:
            return list(
                self._repository().get_commits(sha=branch, path=file, since=since, until=until)
            )

        # GitHub tells the newest first and dates to the second: sorting keeps what it tells of one.
        found = {
            one.sha: one
            for file in files
            for one in reversed(self._calls.attempt(partial(attempt, file)))
        }
        return [
            Commit(
                sha=one.sha,
                on=one.commit.committer.date.astimezone(UTC).date(),
                subject=one.commit.message.partition("\n")[0],
            )
            for one in sorted(found.values(), key=lambda one: one.commit.committer.date)
        ]

    def files(
        self, commit: str, suffixes: tuple[str, ...], blobs: dict[str, bytes] | None = None
    ) -> dict[str, bytes]:
        """Path -> bytes of the regular files at a commit whose names end so.

        `blobs`: id -> bytes of those read before; each that has to be read is added.
        """
        known = blobs if blobs is not None else {}
        tree = self._calls.attempt(lambda: self._repository().get_git_tree(commit, recursive=True))
        if tree.raw_data.get("truncated"):
            raise Unavailable(f"{self._name} is too large to be listed by GitHub; use a clone")
        wanted = {
            entry.path: entry.sha
            for entry in tree.tree
            if entry.type == "blob" and entry.mode != "120000" and entry.path.endswith(suffixes)
        }
        for sha in set(wanted.values()) - known.keys():
            known[sha] = self._blob(sha)
        return {path: known[sha] for path, sha in wanted.items()}

    # One call, or a few that belong together.

    def _repository(self) -> Repository:
        return self._github.get_repo(self._name)

    def _pull(self, number: int) -> GithubPullRequest:
        pull = self._repository().get_pull(number)
        pull.complete()
        return pull

    def _blob(self, sha: str) -> bytes:
        blob = self._calls.attempt(lambda: self._repository().get_git_blob(sha))
        return base64.b64decode(blob.content)

    def _file(self, commit: GitCommit, path: str) -> tuple[str, bytes]:
        tree_sha, mode = commit.tree.sha, ""
        for part in path.split("/"):
            entries = self._calls.attempt(partial(self._repository().get_git_tree, tree_sha)).tree
            found = next((entry for entry in entries if entry.path == part), None)
            if found is None:
                raise Stopped(f"{path} is not at {commit.sha}")
            tree_sha, mode = found.sha, found.mode
        if mode not in ("100644", "100755"):
            raise Stopped(f"{path} is not a regular file at {commit.sha}")
        return mode, self._blob(tree_sha)

    def _heads(self, branch: str = BRANCH_PREFIX) -> dict[str, str]:
        """Branch -> commit: what GitHub says of a pull request's head may lag behind a push."""
        references = self._calls.attempt(
            lambda: list(self._repository().get_git_matching_refs(f"heads/{branch}"))
        )
        return {one.ref.removeprefix("refs/heads/"): one.object.sha for one in references}

    def _branch_commit(self, branch: str) -> GitCommit | None:
        def attempt() -> GitCommit | None:
            try:
                reference = self._repository().get_git_ref(f"heads/{branch}")
                sha = reference.object.sha
            except github.UnknownObjectException:
                return None
            return self._repository().get_git_commit(sha)

        return self._calls.attempt(attempt)

    def _point(self, branch: str, sha: str, *, exists: bool) -> None:
        def attempt() -> None:
            if not exists:
                try:
                    self._repository().create_git_ref(f"refs/heads/{branch}", sha)
                    return
                except GithubException as error:
                    if error.status != 422:
                        raise
            self._request("PATCH", f"git/refs/heads/{branch}", {"sha": sha, "force": True})

        self._calls.attempt(attempt)

    def _delete(self, branch: str) -> None:
        def attempt() -> None:
            try:
                self._request("DELETE", f"git/refs/heads/{branch}", None)
            except GithubException as error:
                if error.status not in (404, 422):
                    raise

        self._calls.attempt(attempt)

    def _request(self, verb: str, path: str, content: dict[str, object] | None) -> None:
        self._github.requester.requestJsonAndCheck(
            verb, f"/repos/{self._name}/{path}", input=content
        )

    def _open_for(self, branch: str) -> PullRequest | None:
        owner = self._name.partition("/")[0]
        for pull in self._repository().get_pulls("open", head=f"{owner}:{branch}"):
            if pull.head.ref == branch:
                return self._must_show(pull)
        return None

    def _labelled(self, number: int, labels: Sequence[str]) -> PullRequest:
        self._calls.attempt(lambda: self._pull(number).set_labels(*labels))
        return self._must_show(self._calls.attempt(lambda: self._pull(number)))

    def _comment_on(self, number: int, topic: str) -> IssueComment | None:
        mark = _comment_mark(topic)
        for comment in self._pull(number).get_issue_comments():
            if comment.body.rstrip().endswith(mark):
                return comment
        return None

    def _must_be_open(self, number: int) -> None:
        state = self._must_show(self._calls.attempt(lambda: self._pull(number))).state
        if state is not PullRequestState.OPEN:
            raise _not_open(number, state)

    def _must_show(self, pull: GithubPullRequest) -> PullRequest:
        shown = self._shown(pull, self._heads(pull.head.ref))
        if shown is None:
            raise Stopped(f"#{pull.number} is not one of this product's pull requests")
        return shown

    def _shown(self, pull: GithubPullRequest, heads: dict[str, str]) -> PullRequest | None:
        home: Repository | None = pull.head.repo  # null once a fork is deleted
        if home is None or home.full_name.lower() != self._name.lower():
            return None
        if not pull.head.ref.startswith(BRANCH_PREFIX) or pull.base.ref != self._branch:
            return None
        labels = tuple(sorted(label.name for label in pull.labels))
        state = _state(pull, labels)
        head = heads.get(pull.head.ref) if state is PullRequestState.OPEN else None
        return marker.as_pull_request(
            pull.body or "",
            number=pull.number,
            branch=pull.head.ref,
            head_sha=head or pull.head.sha,
            state=state,
            title=pull.title,
            url=pull.html_url,
            labels=labels,
        )


@contextmanager
def _refused(number: int, branch: str) -> Iterator[None]:
    try:
        yield
    except GithubException as error:
        raise Stopped(f"GitHub does not merge #{number} into {branch}: {told(error)}", (
            Fault(
                code="conflict", expected=f"#{number} was expected to merge into {branch}.",
                hint="See on GitHub whether it conflicts or waits for checks or reviews.",
            ),
        )) from None  # fmt: skip


def _state(pull: GithubPullRequest, labels: tuple[str, ...]) -> PullRequestState:
    if pull.state == "open":
        return PullRequestState.OPEN
    if pull.merged_at is not None:
        return PullRequestState.REVERTED if REVERTED_LABEL in labels else PullRequestState.MERGED
    return PullRequestState.SUPERSEDED if SUPERSEDED_LABEL in labels else PullRequestState.REJECTED


def _comment_mark(topic: str) -> str:
    return f"<!-- finops-comment {topic} -->"


def _not_open(number: int, state: PullRequestState) -> Stopped:
    return Stopped(f"#{number} is {state.value}, not open")
