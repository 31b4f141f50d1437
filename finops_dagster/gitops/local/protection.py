"""What a local repository asks before something is merged into a branch, and whether it is there.

Protection is the repository's own configuration; statuses and reviews are references in it.
"""

from __future__ import annotations

import os

from finops_dagster.domain.pull_requests import CheckState, Permission, Protection
from finops_dagster.gitops.escaping import one_line
from finops_dagster.gitops.git_objects import Git
from finops_dagster.gitops.local.records import Documents, Status, Statuses

_STATUSES = "refs/finops/statuses/"
"""refs/finops/statuses/COMMIT points to what checks say of it."""
_REVIEWS = "refs/finops/reviews/"
"""refs/finops/reviews/N/NAME points to the commit of pull request N that NAME approves."""
_YES = {"true", "yes", "on", "1", ""}
"""How git writes a configured yes; a name without a value is one."""


class LocalProtection:
    """Rules of one bare repository, set with `git config finops.BRANCH.reviews` and the like."""

    def __init__(self, git: Git) -> None:
        self._git = git
        self._statuses = Documents(git, _STATUSES, Statuses, "status of ")

    def of(self, branch: str) -> Protection:
        """What is asked of `branch`: `reviews` (a number), `checks` (one a line), `automerge`.

        A number that cannot be read counts as one review: never as none.
        """
        configured = self._configured(branch)
        reviews = 0
        for text in configured.get("reviews", [])[-1:]:
            reviews = int(text) if text.isdecimal() else 1
        checks = tuple(dict.fromkeys(text for text in configured.get("checks", []) if text))
        protected = reviews > 0 or bool(checks)
        return Protection(
            branch=branch,
            protected=protected,
            reviews=reviews,
            checks=checks,
            automerge=any(t.lower() in _YES for t in configured.get("automerge", [])[-1:]),
            reason=""
            if protected
            else f"neither finops.{branch}.reviews nor finops.{branch}.checks is configured in "
            "the repository",
        )

    def missing(self, number: int, branch: str, head: str) -> str:
        """What still stands against merging `head` into `branch`; empty where nothing does."""
        asked = self.of(branch)
        if not asked.protected:
            return ""
        said = self.statuses(head) if asked.checks else {}
        waits = [
            f"{context} is {said[context].state.value if context in said else 'not there'}"
            for context in asked.checks
            if context not in said or said[context].state is not CheckState.SUCCESS
        ]
        given = list(self._git.references(f"{_REVIEWS}{number}/").values()).count(head)
        if given < asked.reviews:
            waits.append(f"{given} of {asked.reviews} reviews approve {head[:12]}")
        return "; ".join(waits)

    def statuses(self, commit: str) -> dict[str, Status]:
        """What checks say of a commit, by context."""
        found = self._statuses.get(commit)
        return dict(found[1].contexts) if found is not None else {}

    def set_status(self, commit: str, context: str, state: CheckState, description: str) -> None:
        """Say what a check came to."""
        said = Status(state=state, description=one_line(description, 140))
        self._statuses.change(
            commit,
            lambda known: Statuses(contexts={**known.contexts, context: said}),
            Statuses(),
        )

    def permissions(self) -> tuple[Permission, ...]:
        """Whether objects and references can be written."""
        return tuple(
            Permission(
                name=f"write {folder}",
                needed_for=needed_for,
                given=os.access(self._git.repository / folder, os.W_OK),
                detail=str(self._git.repository / folder),
            )
            for folder, needed_for in (
                ("objects", "commits and the texts of pull requests"),
                ("refs", "branches, pull requests, statuses and the dashboard"),
            )
        )

    def _configured(self, branch: str) -> dict[str, list[str]]:
        code, out, _ = self._git.attempt("config", "--null", "--get-regexp", r"^finops\.")
        found: dict[str, list[str]] = {}
        for pair in out.decode(errors="replace").split("\0") if code == 0 else ():
            key, _, value = pair.partition("\n")
            section, _, name = key.rpartition(".")
            if section == f"finops.{branch}":
                found.setdefault(name, []).append(value.strip())
        return found
