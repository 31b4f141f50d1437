"""What the doctor says: one check, its outcome, and what to do about it; and what it is lent.

Nothing here checks anything.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum

from finops_dagster.domain.pull_requests import Permission, Protection


class Outcome(StrEnum):
    """ok; warn: works, but less than it could; fail: a run would stop or do nothing."""

    OK = "ok"
    WARN = "warn"
    FAIL = "fail"


@dataclass(frozen=True)
class Check:
    """One thing looked at. `fix` is empty when the result is ok."""

    name: str
    result: Outcome
    detail: str
    fix: str = ""


@dataclass(frozen=True)
class Probes:
    """What other packages know and the doctor asks them. Each may raise FinopsError."""

    deliveries: Callable[[str, str], int]
    """(group such as "billing", source name) -> number of deliveries found."""
    policies: Callable[[], str]
    """Loads the policy bundle in force and returns its id."""
    allocation: Callable[[], str]
    """Reads the allocation file in force and says what is in it."""
    permissions: Callable[[], Sequence[Permission]]
    """Every right that is needed on the forge, and whether it was given."""
    protection: Callable[[str], Protection]
    """What the forge asks before it merges into a branch."""
    may_edit: Callable[[str, Sequence[str]], bool]
    """(file in the repository, allowed_paths) -> whether it may be edited."""


def ok(name: str, detail: str) -> Check:
    """A check that passed."""
    return Check(name, Outcome.OK, detail)


def warn(name: str, detail: str, fix: str) -> Check:
    """A check that found less than there could be."""
    return Check(name, Outcome.WARN, detail, fix)


def fail(name: str, detail: str, fix: str) -> Check:
    """A check that failed."""
    return Check(name, Outcome.FAIL, detail, fix)
