"""A run that is killed after any of its writes is completed by the next."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from finops_dagster.domain.decisions import Decision, Rung
from finops_dagster.gitops import dashboard
from finops_dagster.gitops.local.forge import LocalForge
from finops_dagster.gitops.memory import SNOOZE_LABEL
from finops_dagster.gitops.reconcile import Rules
from finops_dagster.gitops.steps import AUTOMERGE_LABEL, REBASE_LABEL
from tests.builders import git
from tests.contract.hosts import LocalHost
from tests.contract.life import JOB, START, WEB, Life, cpu, memory

WRITES = {
    "write_branch", "open", "update", "comment", "label", "close", "set_status", "automerge",
    "cancel_automerge",
    "write_issue", "tidy",
}  # fmt: skip


class KilledError(BaseException):
    """The process is gone."""


class Cut:
    """A forge whose caller is killed after so many writes."""

    def __init__(self, forge: LocalForge, after: int) -> None:
        self._forge = forge
        self._after = after
        self.writes = 0

    def __getattr__(self, name: str) -> Callable[..., Any]:
        def call(*given: Any, **more: Any) -> Any:
            answer = getattr(self._forge, name)(*given, **more)
            self.writes += name in WRITES
            if name in WRITES and self.writes == self._after:
                raise KilledError
            return answer

        return call


def prepared(folder: Path) -> LocalHost:
    """Something to snooze, to rebase, to deny, and a value that a person set back."""
    host = LocalHost(folder, START)
    life = Life(host)
    first = life.opened(cpu())
    host.forge().merge(first.number)
    host.commit("main", {WEB: START[WEB]})  # the value is set back
    job, web, _ = life.run(cpu("job"), memory(), memory("job")).opened
    for one, label in ((job, SNOOZE_LABEL), (web, REBASE_LABEL)):
        assert one.number is not None
        life.label(one.number, label)
    host.protect(checks=["finops/policy"])
    return host


def run(host: LocalHost, cut: int = 0) -> Cut:
    life = Life(host, replace(Rules(), dashboard=True))
    forge = Cut(host.forge(), cut)
    idle = cpu("job", kind="idle_workload", field="spec.replicas", current="3", proposed="1")
    found = life.index().locate(idle.resource, idle.field)
    assert found is not None
    life.run(
        cpu(),
        cpu("job"),
        memory(),
        life.wanted(memory("job"), Decision.DENY),
        *([life.wanted(idle, rung=Rung.AUTOMERGE)] if found.value == idle.current else []),
        forge=forge,
    )
    return forge


def state(host: LocalHost) -> object:
    """All that people see."""
    forge = host.forge()
    issue = forge.issue(dashboard.TOPIC)
    return (
        [
            (
                one.number, one.branch, one.state, one.title, one.fingerprint,
                # a label that tells how something was merged is all that may be missing
                set(one.labels) - {AUTOMERGE_LABEL},
                one.members, dict(forge.comments(one.number)),
                git(host.bare, "ls-tree", "-r", one.head_sha),
            )
            for one in forge.pull_requests()
        ],
        sorted(host.branches()),
        {path: host.file("main", path) for path in (WEB, JOB)},
        issue.body if issue is not None else "",
    )  # fmt: skip


def test_killed_after_any_write_the_next_run_completes_it(tmp_path: Path) -> None:
    """Harm: a killed run opens twice, takes its own commit for a person's, or loses a proposal."""
    start = prepared(tmp_path / "start")
    undisturbed = copied(start, tmp_path / "whole")
    writes = run(undisturbed).writes
    run(undisturbed)
    expected = state(undisturbed)
    assert writes > 15
    for after in range(1, writes + 1):
        host = copied(start, tmp_path / f"cut-{after}")
        try:
            run(host, after)
        except KilledError:
            run(host)
        assert state(host) == expected, after
        shutil.rmtree(host.folder)


def copied(host: LocalHost, folder: Path) -> LocalHost:
    shutil.copytree(host.bare, folder / host.bare.name)
    other = LocalHost.__new__(LocalHost)
    other.folder, other.bare = folder, folder / host.bare.name
    return other
