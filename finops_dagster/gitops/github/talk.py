"""What is said on GitHub beside a change: comments, labels, statuses, and the issues we keep.

What they say is written elsewhere.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING
from urllib.parse import quote

import github
from github.GithubException import GithubException

from finops_dagster.domain.errors import Fault, Unavailable
from finops_dagster.domain.pull_requests import CheckState, Issue
from finops_dagster.gitops import marker
from finops_dagster.gitops.escaping import one_line
from finops_dagster.gitops.github.calls import told
from finops_dagster.gitops.github.repository import GitHubRepository

if TYPE_CHECKING:
    from github.Issue import Issue as GithubIssue
    from github.IssueComment import IssueComment

ISSUE_LABEL = "finops"
_LABEL_COLOUR = "0e8a16"
_DESCRIPTION_CHARACTERS = 140
"""GitHub's limit for the description of a commit status."""
_MARK_CHARACTERS = 200
_INSIDERS = ("OWNER", "MEMBER", "COLLABORATOR")
_log = logging.getLogger(__name__)


class GitHubTalk(GitHubRepository):
    """Comments, labels, statuses and issues of a repository."""

    def comment(self, number: int, topic: str, body: str) -> None:
        """Write or replace the one comment on `topic`; an equal one is left alone."""
        text = _marked(body, _comment_mark(topic))

        def attempt() -> None:
            found = self._comment_on(number, topic)
            if found is None:
                self._repository().get_issue(number).create_comment(text)
            elif _plain(found.body) != text:
                found.edit(text)

        self._calls.attempt(attempt)

    def comments(self, number: int) -> dict[str, str]:
        """Comments of this product by topic."""
        found: dict[str, str] = {}
        for comment in self._calls.attempt(lambda: self._comments(number)):
            body, mark, topic = _plain(comment.body).rpartition("<!-- finops-comment ")
            if mark:
                found[topic.removesuffix("-->").strip()] = body.strip()
        return found

    def label(self, number: int, *, add: Sequence[str] = (), remove: Sequence[str] = ()) -> None:
        """Add and remove labels; one that cannot be made or set is logged and let be."""
        for name in add:
            self._try_label(self._add_label, number, name)
        for name in remove:
            self._try_label(self._remove_label, number, name)

    def set_status(self, commit: str, context: str, state: CheckState, description: str) -> None:
        """Say of a commit what a check came to; saying the same again writes nothing.

        Where the token may not, it is logged and let be: protection that asks for it still holds.
        """
        said = one_line(description, _DESCRIPTION_CHARACTERS)

        def attempt() -> None:
            found = self._request("GET", f"/commits/{commit}/status", per_page=100)[1]
            if (context, state.value, said) in (
                (one["context"], one["state"], one["description"]) for one in found["statuses"]
            ):
                return
            content: dict[str, object] = {
                "state": state.value, "context": context, "description": said
            }  # fmt: skip
            self._request("POST", f"/statuses/{commit}", content)

        try:
            self._calls.attempt(attempt, passing=(403,))
        except GithubException as error:
            _log.warning("%s of %s is not said: %s", context, commit, told(error))

    def issue(self, topic: str) -> Issue | None:
        """The open issue that this product keeps on `topic`, the oldest if there are several."""
        found = self._calls.attempt(lambda: self._issue(topic))
        return _as_issue(found, topic) if found is not None else None

    def write_issue(self, topic: str, title: str, body: str, *, replaces: str = "") -> Issue:
        """Open the issue on `topic`, or give it this title and body; the same writes nothing.

        GitHub has no conditional write: `replaces` is held against the body as it is read right
        before.
        """
        text = _marked(body, _issue_mark(topic))
        heading = one_line(title, 255)

        def attempt() -> Issue:
            found = self._issue(topic)
            if found is None:
                made = self._repository().create_issue(heading, text, labels=[ISSUE_LABEL])
                first = self._issue(topic) or made
                if first.number != made.number:  # another runner was faster
                    made.edit(state="closed")
                return _as_issue(first, topic)
            known = _as_issue(found, topic)
            if replaces and known.body != replaces.strip():
                raise _changed_meanwhile(known.number)
            if (known.title, _plain(found.body)) == (heading, text):
                return known
            found.edit(title=heading, body=text)
            return _as_issue(found, topic)

        return self._calls.attempt(attempt)

    def _issue(self, topic: str) -> GithubIssue | None:
        """By its label in one call; by reading all that are open where that was taken off.

        Only those who belong to the repository can label: an issue without is believed only from
        them, or a stranger's ticks would count.
        """
        mark = _issue_mark(topic)
        for labels in ([ISSUE_LABEL], []):
            for one in self._repository().get_issues(
                state="open", labels=labels, sort="created", direction="asc"
            ):
                if one.pull_request is not None or not _plain(one.body or "").endswith(mark):
                    continue
                if labels or one.user.type == "Bot" or one.author_association in _INSIDERS:
                    return one
        return None

    def _comments(self, number: int) -> list[IssueComment]:
        return list(self._repository().get_issue(number).get_comments())

    def _comment_on(self, number: int, topic: str) -> IssueComment | None:
        mark = _comment_mark(topic)
        return next((c for c in self._comments(number) if _plain(c.body).endswith(mark)), None)

    def _add_label(self, number: int, name: str) -> None:
        try:
            self._request("POST", f"/issues/{number}/labels", {"labels": [name]})
        except GithubException as error:
            if error.status not in (404, 422):
                raise
            self._repository().create_label(name, _LABEL_COLOUR)
            self._request("POST", f"/issues/{number}/labels", {"labels": [name]})

    def _remove_label(self, number: int, name: str) -> None:
        try:
            self._request("DELETE", f"/issues/{number}/labels/{quote(name, safe='')}")
        except github.UnknownObjectException:
            return

    def _try_label(self, change: Callable[[int, str], None], number: int, name: str) -> None:
        try:
            self._calls.attempt(lambda: change(number, name))
        except Unavailable as error:
            _log.warning("label %r of #%d is let be: %s", name, number, error.message)


def _plain(text: str) -> str:
    """As it was written: GitHub's own editor ends lines as Windows does."""
    return text.replace("\r\n", "\n").strip()


def _marked(body: str, mark: str) -> str:
    """`body` with a hidden mark at its end, within GitHub's limit."""
    return f"{body.strip()[: marker.MAX_BODY_CHARACTERS - _MARK_CHARACTERS]}\n\n{mark}"


def _comment_mark(topic: str) -> str:
    return f"<!-- finops-comment {topic} -->"


def _issue_mark(topic: str) -> str:
    return f"<!-- finops-issue {topic} -->"


def _as_issue(found: GithubIssue, topic: str) -> Issue:
    body = _plain(found.body or "").removesuffix(_issue_mark(topic)).strip()
    return Issue(number=found.number, topic=topic, title=found.title, body=body, url=found.html_url)


def _changed_meanwhile(number: int) -> Unavailable:
    return Unavailable(f"issue #{number} was changed by a person meanwhile; nothing is written", (
        Fault(
            code="changed_meanwhile",
            expected=f"Issue #{number} was expected to read as it did when it was read.",
            hint="Run again: what was changed is then taken into account.",
        ),
    ))  # fmt: skip
