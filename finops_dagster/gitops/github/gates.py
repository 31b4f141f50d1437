"""What GitHub asks before it merges, what the token may do, and merging once all is satisfied.

Whether a change may merge by itself is policy's business; GitHub's protection has the last word.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any
from urllib.parse import quote

from github.GithubException import GithubException

from finops_dagster.domain.errors import Fault, Stopped
from finops_dagster.domain.pull_requests import Permission, Protection, PullRequest
from finops_dagster.gitops.escaping import one_line
from finops_dagster.gitops.github.calls import told
from finops_dagster.gitops.github.client import App
from finops_dagster.gitops.github.repository import GitHubRepository, refused

NEEDED = {
    "metadata": ("read", "finding the repository", ""),
    "contents": ("write", "branches and merges", "/git/matching-refs/heads/finops/"),
    "pull_requests": ("write", "opening, changing and closing them", "/pulls"),
    "issues": ("write", "labels, comments and the dashboard", "/issues"),
    "statuses": ("write", "the policy's verdict on commits", "/commits/{branch}/statuses"),
    "administration": (
        "read",
        "seeing which reviews are required",
        "/branches/{branch}/protection",
    ),
}
"""Right -> at least, needed for, what is read to see whether it was given (docs: permissions
required for fine-grained personal access tokens)."""
_SCOPES = ("repo", "public_repo")
_PUBLIC_ENOUGH = ("metadata",)


class GitHubGates(GitHubRepository):
    """Protection, permissions and merging of a repository."""

    def merge(self, number: int) -> PullRequest:
        """Merge with a merge commit and delete the branch. Raises Stopped if GitHub refuses."""
        pull_request = self._read(number)
        self._merge(pull_request)
        self._delete(pull_request.branch)
        return self._read(number)

    def mergeable(self, number: int) -> bool:
        """False only where GitHub knows of a conflict; it may not have looked yet."""
        found: bool | None = self._calls.attempt(lambda: self._pull(number)).mergeable
        return found is not False

    def automerge(self, number: int) -> PullRequest:
        """Have GitHub merge it once its branch protection is satisfied; again does nothing.

        What nothing holds back any more (`clean status`) is merged here, by the same protection.
        Raises Stopped where the branch is not protected or the repository does not allow it.
        """
        pull_request = self._read(number)
        protection = self.protection(self._branch)
        if not protection.holds or not protection.automerge:
            raise _no_automerge(number, protection)

        def attempt() -> None:
            pull = self._pull(number)
            if not pull.auto_merge and not pull.merged:
                pull.enable_automerge("MERGE", expected_head_oid=pull_request.head_sha)

        try:
            self._calls.attempt(attempt, passing=(400,))
        except GithubException as error:
            if "clean status" not in told(error):
                raise _not_enabled(number, told(error)) from None
            self._merge(pull_request)
        return self._read(number)

    def cancel_automerge(self, number: int) -> None:
        """Leave the merge to a person again."""

        def attempt() -> None:
            pull = self._pull(number)
            if pull.auto_merge and not pull.merged:
                pull.disable_automerge()

        self._calls.attempt(attempt)

    def protection(self, branch: str) -> Protection:
        """From rulesets, which may be read with the repository, and from branch protection, whose
        reviews are told to administrators alone.
        """
        checks: set[str] = set()
        reviews = 0
        protected = False
        reasons: list[str] = []
        repository = self._calls.attempt(lambda: self._request("GET", "")[1])
        found = self._calls.attempt(lambda: self._request("GET", f"/branches/{quote(branch)}")[1])
        for kind, parameters in self._rules(branch, reasons):
            protected = True
            if kind == "pull_request":
                reviews = max(reviews, parameters.get("required_approving_review_count") or 0)
            elif kind == "required_status_checks":
                asked = parameters.get("required_status_checks") or ()
                checks |= {one["context"] for one in asked}
        if found.get("protected"):
            protected = True
            # what everybody may read of it, then what administrators may
            checks |= _contexts((found.get("protection") or {}).get("required_status_checks"))
            details = self._classic_protection(branch, reasons)
            checks |= _contexts(details.get("required_status_checks"))
            asked_reviews = details.get("required_pull_request_reviews") or {}
            reviews = max(reviews, asked_reviews.get("required_approving_review_count") or 0)
        if not protected:
            reasons.insert(0, f"no ruleset and no branch protection covers {branch}")
        allowed = repository.get("allow_auto_merge")
        return Protection(
            branch=branch,
            protected=protected,
            reviews=reviews,
            checks=tuple(sorted(checks)),
            automerge=allowed is True,
            reason="; ".join(reasons),
        )

    def permissions(self) -> Sequence[Permission]:
        """By the scopes of a classic token, the grants of an App, and by reading what else may be
        told without writing: GitHub does not tell what a fine-grained token may write.
        """
        headers, repository = self._calls.attempt(lambda: self._request("GET", ""))
        scopes = headers.get("x-oauth-scopes")
        if isinstance(self._access, App):
            return list(self._granted_to_app(self._access))
        if scopes:
            return list(_by_scopes(scopes, private=bool(repository.get("private", True))))
        may_push = (repository.get("permissions") or {}).get("push")
        return [self._by_reading(name, may_push=may_push is not False) for name in NEEDED]

    def _merge(self, pull_request: PullRequest) -> None:
        number = pull_request.number

        def attempt() -> None:
            pull = self._pull(number)
            if pull.merged:
                return
            if pull.state != "open":
                raise Stopped(f"#{number} is closed, not open")
            pull.merge(merge_method="merge", sha=pull_request.head_sha)

        with refused(number, self._branch):
            self._calls.attempt(attempt, passing=(405, 409, 422))

    def _rules(self, branch: str, reasons: list[str]) -> Iterator[tuple[str, dict[str, Any]]]:
        try:
            rules = self._calls.attempt(
                lambda: self._request("GET", f"/rules/branches/{quote(branch)}", per_page=100)[1],
                passing=(403, 404),
            )
        except GithubException as error:
            reasons.append(f"rulesets cannot be read: {told(error)}")
            return
        for rule in rules:
            yield rule["type"], rule.get("parameters") or {}

    def _classic_protection(self, branch: str, reasons: list[str]) -> dict[str, Any]:
        try:
            details: dict[str, Any] = self._calls.attempt(
                lambda: self._request("GET", f"/branches/{quote(branch)}/protection")[1],
                passing=(403, 404),
            )
        except GithubException as error:
            # A branch that only a ruleset protects answers so, too.
            if "not protected" not in told(error).lower():
                reasons.append(f"required reviews may not be read: {told(error)}")
            return {}
        return details

    def _granted_to_app(self, app: App) -> Iterator[Permission]:
        def attempt() -> dict[str, str]:
            transport = self._transport.withAuth(app.auth())
            path = f"/app/installations/{app.installation_id}"
            granted: dict[str, str] = transport.requestJsonAndCheck("GET", path)[1]["permissions"]
            return granted

        granted = self._calls.attempt(attempt)
        for name, (least, why, _) in NEEDED.items():
            level = granted.get(name, "none")
            given = level in ("write", "admin") or level == least
            yield Permission(name=name, needed_for=why, given=given, detail=f"{least}; has {level}")

    def _by_reading(self, name: str, *, may_push: bool) -> Permission:
        least, why, path = NEEDED[name]
        if not may_push and least == "write":
            detail = f"{least}; its owner may not push"
            return Permission(name=name, needed_for=why, given=False, detail=detail)
        try:
            self._calls.attempt(
                lambda: self._request("GET", path.format(branch=quote(self._branch)), per_page=1),
                passing=(403, 404),
            )
        except GithubException as error:
            if "not protected" not in told(error).lower():
                detail = f"{least}; may not even read: {told(error)}"
                return Permission(name=name, needed_for=why, given=False, detail=detail)
        if least == "read":
            return Permission(name=name, needed_for=why, given=True, detail=least)
        detail = f"{least}; may read, GitHub does not tell whether it may write"
        return Permission(name=name, needed_for=why, given=None, detail=detail)


def _by_scopes(scopes: str, *, private: bool) -> Iterator[Permission]:
    has = {scope.strip() for scope in scopes.split(",")}
    enough = bool(has & set(_SCOPES[:1] if private else _SCOPES))
    for name, (_, why, _) in NEEDED.items():
        given = enough or (not private and name in _PUBLIC_ENOUGH)
        detail = f"scope {'repo' if private else 'public_repo'}; has {one_line(scopes) or 'none'}"
        yield Permission(name=name, needed_for=why, given=given, detail=detail)


def _contexts(required: dict[str, Any] | None) -> set[str]:
    found = required or {}
    named = {one["context"] for one in found.get("checks") or ()}
    return named | set(found.get("contexts") or ())


def _no_automerge(number: int, protection: Protection) -> Stopped:
    branch = protection.branch
    if not protection.protected:
        why = f"{branch} is not protected"
    elif not protection.holds:
        why = f"the protection of {branch} asks for no review and no status check"
    else:
        why = "the repository does not allow auto-merge"
    why += f" ({protection.reason})" if protection.reason else ""
    return Stopped(f"#{number} is not set to merge by itself: {why}", (
        Fault(
            code="automerge_refused",
            expected=f"A protected {branch} and auto-merge allowed were expected; {why}.",
            hint="Protect the branch with required reviews or checks and allow auto-merge in the "
            "repository's settings; `finops doctor --forge` shows what is found.",
        ),
    ))  # fmt: skip


def _not_enabled(number: int, why: str) -> Stopped:
    return Stopped(f"GitHub does not set #{number} to merge by itself: {why}", (
        Fault(
            code="automerge_refused",
            expected=f"#{number} was expected to wait for its checks and reviews.",
            hint="See on GitHub what holds it; a person can still merge it.",
        ),
    ))  # fmt: skip
