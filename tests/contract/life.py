"""What the tests of a pull request's life share: an estate of three files, and runs on it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from finops_dagster.desired_state import RepositoryIndex, index_files
from finops_dagster.domain.decisions import Abstained, Decision, Proposal, Rung
from finops_dagster.domain.pull_requests import PullRequest, PullRequestState
from finops_dagster.gitops import dashboard
from finops_dagster.gitops.actions import Actions
from finops_dagster.gitops.changes import plan_change_set, refusal_together
from finops_dagster.gitops.grouping import Grouping
from finops_dagster.gitops.reconcile import Rules, reconcile
from finops_dagster.gitops.room import Limits
from finops_dagster.gitops.wanted import Wanted
from tests.builders import MEMORY, NOW, deployment, proposal, verdict
from tests.contract.hosts import Host

WEB, API, JOB = "apps/web.yaml", "apps/api.yaml", "apps/job.yaml"
START = {path: deployment(name) for path, name in ((WEB, "web"), (API, "api"), (JOB, "job"))}
PLENTY = Limits(open_max=10, new_max=10)
BY_TEAM = Rules(grouping=Grouping("team", max_lines=10, max_risk=0.05))


def cpu(name: str = "web", **changes: Any) -> Proposal:
    """Lower the CPU request of one workload."""
    return proposal(**{"resource": f"Deployment/shop/{name}", **changes})


def memory(name: str = "web", **changes: Any) -> Proposal:
    """Lower the memory request of one workload."""
    return cpu(name, **{"field": MEMORY, "current": "4Gi", "proposed": "1Gi", **changes})


class Life:
    """Runs on one host, as if one after the other on days of its choosing."""

    def __init__(self, host: Host, rules: Rules | None = None, limits: Limits = PLENTY) -> None:
        self.host = host
        self.rules = rules or Rules()
        self.limits = limits
        self._indexes: dict[str, RepositoryIndex] = {}

    def wanted(
        self,
        of: Proposal,
        decision: Decision = Decision.ALLOW,
        rung: Rung = Rung.PROPOSE,
        reason: str = "",
    ) -> Wanted:
        """A proposal, judged, with its edits on main as it is now."""
        change = plan_change_set(of, self.index(), ["apps/**"])
        assert not isinstance(change, Abstained), change
        judged = verdict(of, decision).model_copy(update={"rung": rung, "rung_reason": reason})
        return Wanted(of, judged, change)

    def index(self) -> RepositoryIndex:
        """Of main as it is now."""
        head = self.head
        if head not in self._indexes:
            files = {path: self.host.file(head, path) for path in START}
            self._indexes[head] = index_files(files, head)
        return self._indexes[head]

    @property
    def head(self) -> str:
        return self.host.forge().head("main")

    def run(
        self, *items: Proposal | Wanted, now: datetime = NOW, forge: Any = None, **more: Any
    ) -> Actions:
        """One run that wants exactly these."""
        wanted = [one if isinstance(one, Wanted) else self.wanted(one) for one in items]
        return reconcile(
            wanted,
            forge or self.host.forge(now),
            self.limits,
            "main",
            more.pop("act", True),
            now,
            rules=self.rules,
            together=self.together,
            **more,
        )

    def together(self, group: Sequence[Wanted]) -> str:
        """Whether the edits of a group go together."""
        return refusal_together(group, self.index())

    def all(self) -> list[PullRequest]:
        return list(self.host.forge().pull_requests())

    def open(self) -> list[PullRequest]:
        return [one for one in self.all() if one.state is PullRequestState.OPEN]

    def opened(self, *items: Proposal | Wanted, **more: Any) -> PullRequest:
        """The one pull request that a run opens."""
        done = self.run(*items, **more)
        (number,) = [one.number for one in done.opened]
        return self.numbered(number)

    def numbered(self, number: int | None) -> PullRequest:
        (found,) = [one for one in self.all() if one.number == number]
        return found

    def label(self, number: int, *labels: str) -> None:
        """A person labels a pull request."""
        self.host.forge().label(number, add=labels)

    def board(self) -> str:
        """The dashboard as people see it."""
        issue = self.host.forge().issue(dashboard.TOPIC)
        assert issue is not None
        return issue.body

    def tick(self, name: str, key: str) -> None:
        """A person ticks a box of the dashboard."""
        issue = self.host.forge().issue(dashboard.TOPIC)
        assert issue is not None
        self.host.edit_issue(issue, dashboard.ticked(issue.body, name, key))


def reasons(actions: Sequence[Any]) -> list[str]:
    return [one.reason for one in actions]
