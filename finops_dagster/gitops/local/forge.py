"""Pull requests inside a bare Git repository: data under refs/finops, branches beside the rest.

Nothing leaves the disk; a clone or plain git shows the same branches, commits and merges.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from datetime import datetime
from pathlib import Path

from finops_dagster.domain.decisions import ChangeSet
from finops_dagster.domain.errors import Fault, SettingsError, Stopped, Unavailable
from finops_dagster.domain.pull_requests import (
    CheckState,
    Issue,
    Permission,
    Protection,
    PullRequest,
    PullRequestState,
)
from finops_dagster.gitops import marker
from finops_dagster.gitops.changes import BRANCH_PREFIX
from finops_dagster.gitops.edits import apply_edits
from finops_dagster.gitops.escaping import one_line
from finops_dagster.gitops.git_objects import ZERO, Author, Git, is_object_id
from finops_dagster.gitops.local.issues import LocalIssues
from finops_dagster.gitops.local.protection import LocalProtection
from finops_dagster.gitops.local.pulls import HEADS, LocalPulls
from finops_dagster.gitops.local.records import PullRecord
from finops_dagster.gitops.signing import Signer


class LocalForge:
    """`Forge` over a bare repository. Safe for two runners at once: every write of a reference
    names the value it replaces.
    """

    def __init__(
        self, repository: Path | str, *, now: datetime, branch: str = "main",
        author: Author | None = None, signer: Signer | None = None,
    ) -> None:  # fmt: skip
        """`branch`: what pull requests aim at; `now`: the date of commits that are written.

        `signer`: signs what is committed to branches and merged; without one nothing is signed.

        Raises SettingsError if there is no such repository.
        """
        self._git = Git(Path(repository).resolve())
        self._branch = branch
        self._author = author or Author()
        self._signer = signer
        self._now = now
        self._rules = LocalProtection(self._git)
        self._life = LocalPulls(self._git, branch, now)
        self._pulls = self._life.records
        self._issues = LocalIssues(self._git)
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
        """All pull requests, or those in `state`, oldest first.

        There is no server: what is to be merged by itself is merged when it is looked at.
        """
        for number, (_, record) in self._pulls.all().items():
            if record.automerge and record.state is PullRequestState.OPEN:
                self._merge_if_satisfied(int(number))
        return [one for one in self._life.known() if state in (None, one.state)]

    def write_branch(self, branch: str, base_sha: str, changes: ChangeSet, message: str) -> str:
        """One commit on `base_sha` with the edits; the same tree there already is left alone."""
        if not branch.startswith(BRANCH_PREFIX) or not is_object_id(base_sha):
            raise Stopped(f"{branch!r} on {base_sha!r} is not a branch to write")
        tree = self._git.tree_with(base_sha, self._edited(base_sha, changes))
        reference = f"refs/heads/{branch}"
        old = self._git.resolve(reference)
        if old is not None and self._git.shape(old) == (tree, (base_sha,)):
            return old
        commit = self._commit(tree, (base_sha,), message)
        written = self._git.set_reference(reference, commit, old or ZERO)
        if not written and self._git.resolve(reference) != commit:
            raise Unavailable(f"{branch} was written by somebody else at the same time")
        return commit

    def _commit(self, tree: str, parents: tuple[str, ...], message: str) -> str:
        return self._git.commit(
            tree, parents, message, self._author, self._now,
            self._signer.signed if self._signer is not None else None,
        )  # fmt: skip

    def _edited(self, base_sha: str, changes: ChangeSet) -> dict[str, tuple[str, str]]:
        entries: dict[str, tuple[str, str]] = {}
        for path in sorted({edit.file for edit in changes.edits}):
            edits = [edit for edit in changes.edits if edit.file == path]
            if any(edit.creates for edit in edits):
                if len(edits) > 1 or not self._git.is_free(base_sha, path):
                    raise Stopped(f"{path} cannot be made at {base_sha}: something is there")
                mode, data = "100644", b""
            else:
                found = self._git.file(base_sha, path)
                if found is None:
                    raise Stopped(f"{path} is not a regular file at {base_sha}")
                mode, data = found
            entries[path] = (mode, self._git.write_blob(apply_edits(data, edits)))
        return entries

    def open(self, pull_request: PullRequest) -> PullRequest:
        """Record it under the next number; an open one for the branch is returned as it is."""

        def present() -> str | None:
            for existing in self._life.known():
                if (existing.branch, existing.state) == (
                    pull_request.branch, PullRequestState.OPEN,
                ):  # fmt: skip
                    return str(existing.number)
            return None

        record = PullRecord(
            branch=pull_request.branch,
            target=self._branch,
            state=PullRequestState.OPEN,
            comments={},
            **_written(pull_request),
        )
        number = int(self._pulls.add(record, present))
        opened = self._life.one(number)
        self._life.keep_head(number, opened.head_sha)
        return opened

    def update(self, pull_request: PullRequest) -> PullRequest:
        """Replace title, body, labels and what the body remembers."""
        number = pull_request.number
        oid, record = self._pulls.read(str(number))
        self._life.must_be_open(number)
        changed = record.model_copy(update=_written(pull_request))
        self._pulls.replace(str(number), changed, oid)
        if pull_request.head_sha:
            self._life.keep_head(number, pull_request.head_sha)
        return self._life.one(number)

    def comment(self, number: int, topic: str, body: str) -> None:
        """Write or replace the one comment on `topic`."""
        text = body[: marker.MAX_BODY_CHARACTERS]
        self._pulls.change(
            str(number),
            lambda known: known.model_copy(update={"comments": {**known.comments, topic: text}}),
        )

    def comments(self, number: int) -> Mapping[str, str]:
        """Comments by topic."""
        return dict(self._pulls.read(str(number))[1].comments)

    def label(self, number: int, *, add: Sequence[str] = (), remove: Sequence[str] = ()) -> None:
        """Add and remove labels."""
        self._pulls.change(
            str(number),
            lambda known: known.model_copy(
                update={
                    "labels": tuple(
                        one for one in dict.fromkeys((*known.labels, *add)) if one not in remove
                    )
                }
            ),
        )

    def close(self, number: int, state: PullRequestState) -> PullRequest:
        """Close unmerged and delete the branch; closing again does nothing."""
        if state not in (PullRequestState.REJECTED, PullRequestState.SUPERSEDED):
            raise ValueError(f"closing makes a pull request rejected or superseded, not {state}")
        oid, record = self._pulls.read(str(number))
        if record.state is PullRequestState.OPEN:
            self._life.must_be_open(number, merged_only=True)
            reference = f"refs/heads/{record.branch}"
            head = self._git.resolve(reference)
            if head is not None:
                self._life.keep_head(number, head)
            by_us = state is PullRequestState.SUPERSEDED
            closed = {
                "state": state,
                "head_sha": head or record.head_sha,
                "ended_at": self._now,
                "ended_by": self._author.name if by_us else self._user(),
            }
            self._pulls.replace(str(number), record.model_copy(update=closed), oid)
            if head is not None:
                self._git.set_reference(reference, ZERO, head)
        return self._life.one(number)

    def merge(self, number: int) -> PullRequest:
        """A merge commit on the target branch, then the branch is deleted; again does nothing.

        Raises Stopped also where the branch's protection is not satisfied.
        """
        return self._merge(number, self._user())

    def _merge(self, number: int, by: str) -> PullRequest:
        record = self._pulls.read(str(number))[1]
        pull_request = self._life.one(number)
        if pull_request.state is PullRequestState.MERGED:
            return pull_request
        self._life.must_be_open(number)
        reference = f"refs/heads/{record.branch}"
        base, head = self.head(self._branch), self._git.resolve(reference) or ZERO
        missing = self._rules.missing(number, self._branch, head)
        if missing:
            raise Stopped(f"#{number} may not be merged yet: {missing}", (
                Fault(
                    code="protected",
                    expected=f"{self._branch} is protected, and of #{number} {missing}.",
                    hint="A review is a reference refs/finops/reviews/"
                    f"{number}/NAME to the commit that NAME approves.",
                ),
            ))  # fmt: skip
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
        commit = self._commit(tree, (base, head), message)
        if not self._git.set_reference(f"refs/heads/{self._branch}", commit, base):
            raise Unavailable(f"{self._branch} moved at the same time; merge again")
        self._life.keep_head(number, head)
        merged = {
            "state": PullRequestState.MERGED,
            "head_sha": head,
            "merge_sha": commit,
            "ended_at": self._now,
            "ended_by": by,
        }
        self._pulls.change(str(number), lambda known: known.model_copy(update=merged))
        self._git.set_reference(reference, ZERO, head)
        return self._life.one(number)

    def automerge(self, number: int) -> PullRequest:
        """Merge it as soon as the branch's protection is satisfied: now, or when looked at next.

        Raises Stopped where the branch is not protected or its repository does not want it.
        """
        self._life.must_be_open(number)
        protection = self.protection(self._branch)
        if not protection.holds or not protection.automerge:
            wanted = protection.reason or f"finops.{self._branch}.automerge is not configured"
            raise Stopped(f"#{number} is not merged automatically: {wanted}", (
                Fault(
                    code="not_protected",
                    expected=f"{self._branch} was expected to be protected, and to allow it.",
                    hint=f"In the repository: `git config finops.{self._branch}.reviews 1` and "
                    f"`git config finops.{self._branch}.automerge true`.",
                ),
            ))  # fmt: skip
        self._pulls.change(str(number), lambda known: known.model_copy(update={"automerge": True}))
        self._merge_if_satisfied(number)
        return self._life.one(number)

    def cancel_automerge(self, number: int) -> None:
        """Leave the merge to a person again."""
        self._life.must_be_open(number)
        self._pulls.change(str(number), lambda known: known.model_copy(update={"automerge": False}))

    def _merge_if_satisfied(self, number: int) -> None:
        """Merge what its protection lets through; what conflicts waits for another look."""
        head = self._git.resolve(f"refs/heads/{self._pulls.read(str(number))[1].branch}")
        if head is None or not self.protection(self._branch).holds:
            return
        if not self._rules.missing(number, self._branch, head):
            with suppress(Stopped, Unavailable):
                self._merge(number, self._author.name)

    def mergeable(self, number: int) -> bool:
        """Whether it merges into the target branch as that is now."""
        head = self._git.resolve(f"refs/heads/{self._pulls.read(str(number))[1].branch}")
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
        pull_request = self._life.one(number)
        base = pull_request.base_sha
        if pull_request.state is PullRequestState.OPEN or not is_object_id(base):
            base = self.head(self._branch)
        return self._git.run(
            "diff", "--no-color", "--no-ext-diff", "--no-textconv", f"{base}...{self._tip(number)}"
        ).decode(errors="replace")

    def set_status(self, commit: str, context: str, state: CheckState, description: str) -> None:
        """Say of a commit what a check came to; saying the same again writes nothing."""
        if not is_object_id(commit):
            raise Stopped(f"{commit!r} is not a commit to say anything of")
        self._rules.set_status(commit, context, state, description)

    def protection(self, branch: str) -> Protection:
        """What the repository's configuration asks before something is merged into `branch`."""
        return self._rules.of(branch)

    def permissions(self) -> Sequence[Permission]:
        """Whether the repository can be written."""
        return self._rules.permissions()

    def issue(self, topic: str) -> Issue | None:
        """The open issue on `topic`; None where there is none."""
        return self._issues.on(topic)

    def write_issue(self, topic: str, title: str, body: str, *, replaces: str = "") -> Issue:
        """Open the issue on `topic`, or give it this title and body; the same writes nothing."""
        return self._issues.write(topic, title, body, replaces)

    def _tip(self, number: int) -> str:
        record = self._pulls.read(str(number))[1]
        still = record.state is PullRequestState.OPEN
        found = self._git.resolve(f"refs/heads/{record.branch}") if still else None
        return found or f"{HEADS}{number}"

    def _merged_tree(self, base: str, head: str) -> str | None:
        code, out, err = self._git.attempt("merge-tree", "--write-tree", base, head)
        if code not in (0, 1):
            told = err.decode(errors="replace").strip()
            raise Unavailable(f"git merge-tree failed (git 2.38 or newer is needed): {told}")
        return out.decode(errors="replace").split("\n", 1)[0] if code == 0 else None

    def _user(self) -> str:
        """Who works on this machine, as git knows; `local` where it does not."""
        code, out, _ = self._git.attempt("config", "user.name")
        return one_line(out.decode(errors="replace"), 100) if code == 0 else "local"


def _written(pull_request: PullRequest) -> dict[str, object]:
    """What a record takes from a pull request each time that is written."""
    return {
        "head_sha": pull_request.head_sha,
        "title": one_line(pull_request.title, 255),
        "body": marker.seal(pull_request),
        "labels": pull_request.labels,
    }
