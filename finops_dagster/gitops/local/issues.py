"""Issues inside a bare Git repository, one for each topic.

What is written in them is not known here.
"""

from __future__ import annotations

from finops_dagster.domain.errors import Unavailable
from finops_dagster.domain.pull_requests import Issue
from finops_dagster.gitops.escaping import one_line
from finops_dagster.gitops.git_objects import Git
from finops_dagster.gitops.local.records import Documents, IssueRecord
from finops_dagster.gitops.marker import MAX_BODY_CHARACTERS

_ISSUES = "refs/finops/issues/"
"""refs/finops/issues/N points to an open issue."""


class LocalIssues:
    """The open issues of one repository."""

    def __init__(self, git: Git) -> None:
        self._git = git
        self._records = Documents(git, _ISSUES, IssueRecord, "issue #")

    def on(self, topic: str) -> Issue | None:
        """The open issue on `topic`; None where there is none."""
        number = self._number(topic)
        return self._shown(number) if number is not None else None

    def write(self, topic: str, title: str, body: str, replaces: str) -> Issue:
        """Open the issue on `topic`, or give it this title and body.

        Raises Unavailable if its body is neither `replaces` (empty: any) nor this one already.
        """
        written = IssueRecord(
            topic=topic, title=one_line(title, 255), body=body[:MAX_BODY_CHARACTERS]
        )
        number = self._records.add(written, lambda: self._number(topic))
        oid, found = self._records.read(number)
        if replaces and found.body not in (replaces, written.body):
            raise Unavailable(f"the issue on {topic} was changed meanwhile; it is read again")
        self._records.replace(number, written, oid)
        return self._shown(number)

    def _number(self, topic: str) -> str | None:
        numbers = [name for name, (_, one) in self._records.all().items() if one.topic == topic]
        return min(numbers, key=int, default=None)

    def _shown(self, number: str) -> Issue:
        found = self._records.read(number)[1]
        url = f"{self._git.repository}#issue-{number}"
        return Issue(
            number=int(number), topic=found.topic, title=found.title, body=found.body, url=url
        )
