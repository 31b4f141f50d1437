"""What a repository on GitHub held at a commit, and who changed it when: all for the index.

Nothing is written here.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING

from finops_dagster.domain.changes import Commit
from finops_dagster.domain.errors import Unavailable
from finops_dagster.gitops.github.repository import GitHubRepository

if TYPE_CHECKING:
    from github.Commit import Commit as CommitOfBranch


class GitHubHistory(GitHubRepository):
    """Commits and files of a repository."""

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
