"""Pull requests inside a bare Git repository: data under refs/finops, branches beside the rest.

Nothing leaves the disk; a clone or plain git shows the same branches, commits and merges.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

from pydantic import BaseModel, ConfigDict

from finops_dagster.domain.decisions import ChangeSet
from finops_dagster.domain.errors import Fault, SettingsError, Stopped, Unavailable
from finops_dagster.domain.pull_requests import PullRequest, PullRequestState
from finops_dagster.gitops import marker
from finops_dagster.gitops.changes import BRANCH_PREFIX
from finops_dagster.gitops.edits import apply_edits
from finops_dagster.gitops.escaping import one_line
from finops_dagster.gitops.git_objects import ZERO, Author, Git, is_object_id

_PULLS = "refs/finops/pulls/"
"""refs/finops/pulls/N points to a JSON blob: the pull request's record."""
_HEADS = "refs/finops/heads/"
"""refs/finops/heads/N keeps the last commit of a branch that is deleted."""


class _Record(BaseModel):
    """A pull request as it lies in the repository; the rest is in the marker of its body."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    branch: str
    target: str
    head_sha: str
    state: PullRequestState
    title: str
    body: str
    labels: tuple[str, ...]
    comments: dict[str, str]


class LocalForge:
    """`Forge` over a bare repository. Safe for two runners at once: every write of a reference
    names the value it replaces.
    """

    def __init__(
        self, repository: Path | str, *, now: datetime, branch: str = "main",
        author: Author | None = None,
    ) -> None:  # fmt: skip
        """`branch`: what pull requests aim at; `now`: the date of commits that are written.

        Raises SettingsError if there is no such repository.
        """
        self._git = Git(Path(repository).resolve())
        self._branch = branch
        self._author = author or Author()
        self._now = now
        code, _, _ = self._git.attempt("rev-parse", "--git-dir") if Path(repository).is_dir() else (
            1, b"", b""
        )  # fmt: skip
        if code != 0:
            raise SettingsError(f"{repository} is not a Git repository", (
                Fault(
                    code="no_repository", file=str(repository),
                    expected="A bare Git repository was expected.",
                    hint="Check desired_state.repository.",
                ),
            ))  # fmt: skip

    def head(self, branch: str) -> str:
        """Commit id of `branch`. Raises SettingsError if there is no such branch."""
        found = self._git.resolve(f"refs/heads/{branch}")
        if found is None:
            raise SettingsError(f"{self._git.repository} has no branch {branch!r}")
        return found

    def pull_requests(self, state: PullRequestState | None = None) -> Sequence[PullRequest]:
        """All pull requests, or those in `state`, oldest first."""
        records = self._records()
        heads = self._git.references(f"refs/heads/{BRANCH_PREFIX}")
        waiting = any(record.state is PullRequestState.OPEN for _, record in records)
        merged = self._merged() if waiting else frozenset()
        found: list[PullRequest] = []
        for number, record in records:
            branch = f"refs/heads/{record.branch}"
            now = record.state
            if now is PullRequestState.OPEN:
                # What a person did with plain git counts, as it would on any forge.
                if branch in merged or (branch not in heads and f"{_HEADS}{number}" in merged):
                    now = PullRequestState.MERGED
                elif branch not in heads:
                    now = PullRequestState.REJECTED
            head = heads.get(branch) if now is PullRequestState.OPEN else None
            pull_request = self._shown(number, record, now, head or record.head_sha)
            if pull_request is not None and state in (None, now):
                found.append(pull_request)
        return found

    def write_branch(self, branch: str, base_sha: str, changes: ChangeSet, message: str) -> str:
        """One commit on `base_sha` with the edits; the same tree there already is left alone."""
        if not branch.startswith(BRANCH_PREFIX) or not is_object_id(base_sha):
            raise Stopped(f"{branch!r} on {base_sha!r} is not a branch to write")
        entries: dict[str, tuple[str, str]] = {}
        for path in sorted({edit.file for edit in changes.edits}):
            found = self._git.file(base_sha, path)
            if found is None:
                raise Stopped(f"{path} is not a regular file at {base_sha}")
            mode, data = found
            edits = [edit for edit in changes.edits if edit.file == path]
            entries[path] = (mode, self._git.write_blob(apply_edits(data, edits)))
        tree = self._git.tree_with(base_sha, entries)
        reference = f"refs/heads/{branch}"
        old = self._git.resolve(reference)
        if old is not None and self._git.shape(old) == (tree, (base_sha,)):
            return old
        commit = self._git.commit(tree, (base_sha,), message, self._author, self._now)
        written = self._git.set_reference(reference, commit, old or ZERO)
        if not written and self._git.resolve(reference) != commit:
            raise Unavailable(f"{branch} was written by somebody else at the same time")
        return commit

    def open(self, pull_request: PullRequest) -> PullRequest:
        """Record it under the next number; an open one for the branch is returned as it is."""
        for _ in range(50):
            taken = self._git.references(_PULLS)
            for existing in self.pull_requests(PullRequestState.OPEN):
                if existing.branch == pull_request.branch:
                    return existing
            number = max((int(name.rpartition("/")[2]) for name in taken), default=0) + 1
            record = self._record(pull_request, PullRequestState.OPEN, {})
            self._keep_head(number, pull_request.head_sha)
            if self._git.set_reference(f"{_PULLS}{number}", self._blob(record), ZERO):
                return self._one(number)
        raise Unavailable("no number for a new pull request could be had")

    def update(self, pull_request: PullRequest) -> PullRequest:
        """Replace title, body, labels and what the body remembers."""
        number = pull_request.number
        oid, record = self._read(number)
        self._must_be_open(number)
        changed = self._record(pull_request, PullRequestState.OPEN, record.comments)
        self._replace(number, oid, changed)
        if pull_request.head_sha:
            self._keep_head(number, pull_request.head_sha)
        return self._one(number)

    def comment(self, number: int, topic: str, body: str) -> None:
        """Write or replace the one comment on `topic`."""
        oid, record = self._read(number)
        comments = {**record.comments, topic: body[: marker.MAX_BODY_CHARACTERS]}
        if comments != record.comments:
            self._replace(number, oid, record.model_copy(update={"comments": comments}))

    def comments(self, number: int) -> dict[str, str]:
        """Comments by topic."""
        return dict(self._read(number)[1].comments)

    def close(self, number: int, state: PullRequestState) -> PullRequest:
        """Close unmerged and delete the branch; closing again does nothing."""
        if state not in (PullRequestState.REJECTED, PullRequestState.SUPERSEDED):
            raise ValueError(f"closing makes a pull request rejected or superseded, not {state}")
        oid, record = self._read(number)
        if record.state is PullRequestState.OPEN:
            self._must_be_open(number, merged_only=True)
            reference = f"refs/heads/{record.branch}"
            head = self._git.resolve(reference)
            if head is not None:
                self._keep_head(number, head)
            last = head or record.head_sha
            closed = record.model_copy(update={"state": state, "head_sha": last})
            self._replace(number, oid, closed)
            if head is not None:
                self._git.set_reference(reference, ZERO, head)
        return self._one(number)

    def merge(self, number: int) -> PullRequest:
        """A merge commit on the target branch, then the branch is deleted; again does nothing."""
        oid, record = self._read(number)
        pull_request = self._one(number)
        if pull_request.state is PullRequestState.MERGED:
            return pull_request
        self._must_be_open(number)
        reference = f"refs/heads/{record.branch}"
        base, head = self.head(self._branch), self._git.resolve(reference) or ZERO
        tree = self._merged_tree(base, head)
        if tree is None:
            raise Stopped(f"#{number} conflicts with {self._branch}", (
                Fault(
                    code="conflict",
                    expected=f"#{number} was expected to merge into {self._branch} as it is now.",
                    hint="The next run writes it again on the newest commit.",
                ),
            ))  # fmt: skip
        message = f"Merge pull request #{number}: {one_line(pull_request.title)}\n"
        commit = self._git.commit(tree, (base, head), message, self._author, self._now)
        if not self._git.set_reference(f"refs/heads/{self._branch}", commit, base):
            raise Unavailable(f"{self._branch} moved at the same time; merge again")
        self._keep_head(number, head)
        merged = record.model_copy(update={"state": PullRequestState.MERGED, "head_sha": head})
        self._replace(number, oid, merged)
        self._git.set_reference(reference, ZERO, head)
        return self._one(number)

    def mergeable(self, number: int) -> bool:
        """Whether it merges into the target branch as that is now."""
        head = self._git.resolve(f"refs/heads/{self._read(number)[1].branch}")
        return head is not None and self._merged_tree(self.head(self._branch), head) is not None

    def tidy(self, pull_requests: Sequence[PullRequest]) -> None:
        """Delete branches of closed pull requests that are still where these ended."""
        heads = self._git.references(f"refs/heads/{BRANCH_PREFIX}")
        in_use = {one.branch for one in pull_requests if one.state is PullRequestState.OPEN}
        for one in pull_requests:
            reference = f"refs/heads/{one.branch}"
            if one.branch not in in_use and heads.get(reference) == one.head_sha:
                self._git.set_reference(reference, ZERO, one.head_sha)

    def diff(self, number: int) -> str:
        """Unified diff against the merge base."""
        pull_request = self._one(number)
        base = pull_request.base_sha
        if pull_request.state is PullRequestState.OPEN or not is_object_id(base):
            base = self.head(self._branch)
        return self._git.run(
            "diff", "--no-color", "--no-ext-diff", "--no-textconv", f"{base}...{self._tip(number)}"
        ).decode(errors="replace")

    def _tip(self, number: int) -> str:
        branch = f"refs/heads/{self._read(number)[1].branch}"
        found = self._git.resolve(branch) if self._is_open(number) else None
        return found or f"{_HEADS}{number}"

    def _is_open(self, number: int) -> bool:
        return self._read(number)[1].state is PullRequestState.OPEN

    def _merged_tree(self, base: str, head: str) -> str | None:
        code, out, err = self._git.attempt("merge-tree", "--write-tree", base, head)
        if code not in (0, 1):
            told = err.decode(errors="replace").strip()
            raise Unavailable(f"git merge-tree failed (git 2.38 or newer is needed): {told}")
        return out.decode(errors="replace").split("\n", 1)[0] if code == 0 else None

    def _merged(self) -> frozenset[str]:
        """References to heads that the target branch already holds."""
        out = self._git.run(
            "for-each-ref", "--format=%(refname)", f"--merged=refs/heads/{self._branch}",
            f"refs/heads/{BRANCH_PREFIX}", _HEADS,
        )  # fmt: skip
        return frozenset(out.decode().split("\n"))

    def _one(self, number: int) -> PullRequest:
        for pull_request in self.pull_requests():
            if pull_request.number == number:
                return pull_request
        raise _unknown(number)

    def _must_be_open(self, number: int, *, merged_only: bool = False) -> None:
        state = self._one(number).state
        if state is PullRequestState.OPEN or (merged_only and state is not PullRequestState.MERGED):
            return
        raise Stopped(f"#{number} is {state.value}, not open", (
            Fault(
                code="not_open", expected=f"#{number} was expected to be open.",
                hint="`finops prs` lists what is open.",
            ),
        ))  # fmt: skip

    def _shown(
        self, number: int, record: _Record, state: PullRequestState, head: str
    ) -> PullRequest | None:
        return marker.as_pull_request(
            record.body,
            number=number,
            branch=record.branch,
            head_sha=head,
            state=state,
            title=record.title,
            url=f"{self._git.repository}#{number}",
            labels=record.labels,
        )

    def _record(
        self, pull_request: PullRequest, state: PullRequestState, comments: dict[str, str]
    ) -> _Record:
        return _Record(
            branch=pull_request.branch,
            target=self._branch,
            head_sha=pull_request.head_sha,
            state=state,
            title=one_line(pull_request.title, 255),
            body=marker.seal(pull_request),
            labels=pull_request.labels,
            comments=comments,
        )

    def _records(self) -> list[tuple[int, _Record]]:
        references = self._git.references(_PULLS)
        numbers = [int(name.rpartition("/")[2]) for name in references]
        contents = self._git.blobs(list(references.values()))
        return sorted(
            (
                (number, _Record.model_validate_json(data))
                for number, data in zip(numbers, contents, strict=True)
            ),
            key=lambda pair: pair[0],
        )

    def _read(self, number: int) -> tuple[str, _Record]:
        oid = self._git.references(f"{_PULLS}{number}").get(f"{_PULLS}{number}")
        if oid is None:
            raise _unknown(number)
        return oid, _Record.model_validate_json(self._git.blobs([oid])[0])

    def _blob(self, record: _Record) -> str:
        return self._git.write_blob(record.model_dump_json(indent=1).encode())

    def _replace(self, number: int, old: str, record: _Record) -> None:
        if not self._git.set_reference(f"{_PULLS}{number}", self._blob(record), old):
            raise Unavailable(f"#{number} was written by somebody else at the same time")

    def _keep_head(self, number: int, commit: str) -> None:
        reference = f"{_HEADS}{number}"
        old = self._git.references(reference).get(reference, ZERO)
        if old != commit:
            self._git.set_reference(reference, commit, old)


def _unknown(number: int) -> Stopped:
    return Stopped(f"there is no pull request #{number}", (
        Fault(
            code="no_pull_request", expected=f"A pull request #{number} was expected.",
            hint="`finops prs` lists them.",
        ),
    ))  # fmt: skip
