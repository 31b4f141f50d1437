"""Which merged changes were undone later, read from what landed on the target branch.

How a forge tells what landed is not known here.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

_COMMIT = re.compile(r"\bThis reverts commit ([0-9a-f]{40}|[0-9a-f]{64})\b")
"""What `git revert` writes, of a merge with `, reversing` behind it."""
_PULL_REQUEST = re.compile(r"(?im)^Reverts\s+(?:([\w.-]+/[\w.-]+))?#([0-9]+)\s*$")
"""What GitHub's revert button writes into the body of the pull request that it makes."""


@dataclass(frozen=True)
class Landed:
    """A commit or a pull request on the target branch."""

    names: frozenset[str]
    """By what it may be referred to: ids of its commits, #NUMBER."""
    undoes: frozenset[str]
    """Names of what it says it reverts."""
    at: datetime


def undone_by_commit(message: str) -> frozenset[str]:
    """Ids of the commits that a commit's message says it reverts."""
    return frozenset(_COMMIT.findall(message))


def undone_by_pull_request(body: str, repository: str) -> frozenset[str]:
    """`#NUMBER` of what a pull request's body says it reverts; of other repositories nothing."""
    return frozenset(
        f"#{number}"
        for named, number in _PULL_REQUEST.findall(body)
        if not named or named.lower() == repository.lower()
    )


def undone(landed: Iterable[Landed]) -> dict[str, datetime]:
    """Name -> when it was undone. A revert that was itself reverted undoes nothing."""
    newest_first = sorted(landed, key=lambda one: one.at, reverse=True)
    aliases = {name: one.names for one in newest_first for name in one.names if len(one.names) > 1}
    found: dict[str, datetime] = {}
    for one in newest_first:
        if any(name in found for name in one.names):
            continue
        for target in one.undoes:
            for name in aliases.get(target, frozenset({target})):
                found.setdefault(name, one.at)
    return found
