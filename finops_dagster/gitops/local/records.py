"""Documents that the local forge keeps in the repository: JSON blobs that references point to.

What a pull request's life is made of is in forge.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Generic, TypeVar

from pydantic import BaseModel, ConfigDict

from finops_dagster.domain.errors import Fault, Stopped, Unavailable
from finops_dagster.domain.pull_requests import CheckState, PullRequestState
from finops_dagster.gitops.git_objects import ZERO, Git

_ATTEMPTS = 50
"""Rivals that may be faster in a row before a writer gives up."""


class Document(BaseModel):
    """What lies in a blob."""

    model_config = ConfigDict(frozen=True, extra="ignore")


class PullRecord(Document):
    """A pull request as it lies in the repository; the rest is in the marker of its body."""

    branch: str
    target: str
    head_sha: str
    state: PullRequestState
    title: str
    body: str
    labels: tuple[str, ...]
    comments: dict[str, str]
    automerge: bool = False
    """Asked for, and done as soon as the branch's protection is satisfied."""
    merge_sha: str = ""
    ended_at: datetime | None = None
    """Of one whose branch somebody deleted: when that was first seen."""
    ended_by: str = ""


class IssueRecord(Document):
    """An issue; one that is closed is deleted."""

    topic: str
    title: str
    body: str


class Status(Document):
    """What one check says of a commit."""

    state: CheckState
    description: str


class Statuses(Document):
    """Every check of one commit, by context."""

    contexts: dict[str, Status] = {}


Kept = TypeVar("Kept", bound=Document)


class Documents(Generic[Kept]):
    """Documents of one type under one prefix; every write names the document that it replaces."""

    def __init__(self, git: Git, prefix: str, type_: type[Kept], called: str) -> None:
        """`called`: what people call one of them, before its name."""
        self._git = git
        self._prefix = prefix
        self._type = type_
        self._called = called

    def all(self) -> dict[str, tuple[str, Kept]]:
        """Name -> (object id, document)."""
        found = self._git.references(self._prefix)
        contents = self._git.blobs(list(found.values()))
        return {
            name.removeprefix(self._prefix): (oid, self._type.model_validate_json(data))
            for (name, oid), data in zip(found.items(), contents, strict=True)
        }

    def get(self, name: str) -> tuple[str, Kept] | None:
        """(object id, document); None if there is none of that name."""
        reference = f"{self._prefix}{name}"
        oid = self._git.references(reference).get(reference)
        if oid is None:
            return None
        return oid, self._type.model_validate_json(self._git.blobs([oid])[0])

    def read(self, name: str) -> tuple[str, Kept]:
        """As get. Raises Stopped if there is none of that name."""
        found = self.get(name)
        if found is None:
            raise Stopped(f"there is no {self._called}{name}", (
                Fault(
                    code="no_pull_request", expected=f"A {self._called}{name} was expected.",
                    hint="`finops prs` lists them.",
                ),
            ))  # fmt: skip
        return found

    def put(self, name: str, document: Kept, old: str = ZERO) -> bool:
        """Write it in place of object `old` (none: it must be new); False if a rival was faster."""
        blob = self._git.write_blob(document.model_dump_json(indent=1).encode())
        return blob == old or self._git.set_reference(f"{self._prefix}{name}", blob, old)

    def replace(self, name: str, document: Kept, old: str) -> None:
        """As put. Raises Unavailable if a rival was faster."""
        if not self.put(name, document, old):
            raise Unavailable(f"{self._called}{name} was written by somebody else at the same time")

    def change(
        self, name: str, change: Callable[[Kept], Kept], missing: Kept | None = None
    ) -> None:
        """Write what `change` makes of it, of `missing` where there is none; rivals are followed.

        Raises Stopped if there is none and nothing to begin with, Unavailable if rivals do not end.
        """
        for _ in range(_ATTEMPTS):
            found = self.get(name)
            if found is None and missing is not None:
                found = ZERO, missing
            oid, document = found if found is not None else self.read(name)
            changed = change(document)
            if changed == document or self.put(name, changed, oid):
                return
        raise Unavailable(f"{self._called}{name} is written by others again and again")

    def add(self, document: Kept, present: Callable[[], str | None]) -> str:
        """Number of a new document, or what `present` says is there already; rivals are followed.

        Raises Unavailable if rivals do not end.
        """
        for _ in range(_ATTEMPTS):
            # names first: what a rival adds between the two reads takes the number
            taken = self._git.references(self._prefix)
            known = present()
            if known is not None:
                return known
            number = max((int(name.rpartition("/")[2]) for name in taken), default=0) + 1
            if self.put(str(number), document):
                return str(number)
        raise Unavailable(f"no number for a new {self._called.rstrip('# ')} could be had")
