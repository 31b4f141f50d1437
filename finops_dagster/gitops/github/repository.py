"""One repository on GitHub: its references, trees and blobs, a call or a few that belong together.

What a pull request is, and what is written into one, is the business of the modules above.
"""

from __future__ import annotations

import base64
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from functools import partial
from typing import TYPE_CHECKING, Any

from github.GithubException import GithubException, UnknownObjectException
from github.Repository import Repository

from finops_dagster.domain.errors import Fault, Stopped
from finops_dagster.domain.pull_requests import PullRequest
from finops_dagster.gitops.changes import BRANCH_PREFIX
from finops_dagster.gitops.git_objects import Author
from finops_dagster.gitops.github.answers import Answers
from finops_dagster.gitops.github.calls import Caller, Patience, told
from finops_dagster.gitops.github.client import Access, App, Transport
from finops_dagster.gitops.signing import Signer

if TYPE_CHECKING:
    from github.GitCommit import GitCommit
    from github.PullRequest import PullRequest as GithubPullRequest

_REGULAR = ("100644", "100755")


class GitHubRepository(ABC):
    """What every part of the forge stands on. No message ever holds the token or a key."""

    def __init__(
        self,
        api_url: str,
        repository: str,
        access: Access,
        *,
        now: datetime,
        branch: str = "main",
        author: Author | None = None,
        patience: Patience | None = None,
        sleep: Callable[[float], None] = time.sleep,
        answers: Answers | None = None,
        signer: Signer | None = None,
    ) -> None:
        """`repository`: OWNER/NAME; `branch`: what pull requests aim at; `now`: date of commits;
        `answers`: what is known from earlier runs.
        """
        self._name = repository
        self._branch = branch
        self._now = now
        self._access = access
        # An App's commits are signed by GitHub where no author is named and no key is given.
        self._author = None if isinstance(access, App) and signer is None else author or Author()
        self._signer = signer
        patience = patience or Patience()
        secret = access.private_key if isinstance(access, App) else access
        self._calls = Caller(repository, [secret], patience, sleep)
        self._transport = Transport(api_url, access, patience.timeout_seconds, answers)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self._name!r})"

    def head(self, branch: str) -> str:
        """Commit id of `branch`."""
        return self._calls.attempt(
            lambda: self._repository().get_git_ref(f"heads/{branch}").object.sha
        )

    def _repository(self) -> Repository:
        return Repository(self._transport, url=f"/repos/{self._name}")

    def _request(
        self, verb: str, path: str, content: dict[str, object] | None = None, **parameters: object
    ) -> tuple[dict[str, Any], Any]:
        """(headers, answer); `path` below the repository."""
        return self._transport.requestJsonAndCheck(
            verb, f"/repos/{self._name}{path}", parameters=parameters, input=content
        )

    def _pull(self, number: int) -> GithubPullRequest:
        pull = self._repository().get_pull(number)
        pull.complete()
        return pull

    @abstractmethod
    def _must_show(self, pull: GithubPullRequest) -> PullRequest:
        """The pull request as ours. Raises Stopped if it is none."""
        ...

    def _read(self, number: int) -> PullRequest:
        return self._must_show(self._calls.attempt(lambda: self._pull(number)))

    def _blob(self, sha: str) -> bytes:
        blob = self._calls.attempt(lambda: self._repository().get_git_blob(sha))
        return base64.b64decode(blob.content)

    def _file(self, commit: GitCommit, path: str) -> tuple[str, bytes]:
        """(mode, content) of a regular file. Raises Stopped if it is none."""
        found = self._entry(commit, path)
        if found is None:
            raise Stopped(f"{path} is not at {commit.sha}")
        mode, sha = found
        if mode not in _REGULAR:
            raise Stopped(f"{path} is not a regular file at {commit.sha}")
        return mode, self._blob(sha)

    def _entry(self, commit: GitCommit, path: str) -> tuple[str, str] | None:
        """(mode, id) of what is at a path; None if nothing is. Raises Stopped below a file."""
        sha, mode = commit.tree.sha, "040000"
        for part in path.split("/"):
            if mode != "040000":
                raise Stopped(f"{path} is below what is no folder at {commit.sha}")
            entries = self._calls.attempt(partial(self._repository().get_git_tree, sha)).tree
            found = next((entry for entry in entries if entry.path == part), None)
            if found is None:
                return None
            sha, mode = found.sha, found.mode
        return mode, sha

    def _heads(self, branch: str = BRANCH_PREFIX) -> dict[str, str]:
        """Branch -> commit: what GitHub says of a pull request's head may lag behind a push."""
        references = self._calls.attempt(
            lambda: list(self._repository().get_git_matching_refs(f"heads/{branch}"))
        )
        return {one.ref.removeprefix("refs/heads/"): one.object.sha for one in references}

    def _branch_commit(self, branch: str) -> GitCommit | None:
        def attempt() -> GitCommit | None:
            try:
                sha = self._repository().get_git_ref(f"heads/{branch}").object.sha
            except UnknownObjectException:
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
            self._request("PATCH", f"/git/refs/heads/{branch}", {"sha": sha, "force": True})

        self._calls.attempt(attempt)

    def _delete(self, branch: str) -> None:
        def attempt() -> None:
            try:
                self._request("DELETE", f"/git/refs/heads/{branch}")
            except GithubException as error:
                if error.status not in (404, 422):
                    raise

        self._calls.attempt(attempt)


@contextmanager
def refused(number: int, branch: str) -> Iterator[None]:
    """What GitHub says against a merge, as Stopped."""
    try:
        yield
    except GithubException as error:
        raise Stopped(f"GitHub does not merge #{number} into {branch}: {told(error)}", (
            Fault(
                code="conflict", expected=f"#{number} was expected to merge into {branch}.",
                hint="See on GitHub whether it conflicts or waits for checks or reviews.",
            ),
        )) from None  # fmt: skip
