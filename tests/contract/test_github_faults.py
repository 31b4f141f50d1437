"""Whatever goes wrong at whichever call to GitHub: told or tried again, nothing twice or lost.

A small run opens one pull request, updates another and opens the dashboard. Every case is one
fault at one of its calls, then a run without: GitHub must then hold what it holds where nothing
went wrong.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

import pytest

from finops_dagster.desired_state import index_files
from finops_dagster.domain.decisions import Abstained, Proposal
from finops_dagster.domain.errors import FinopsError, Stopped, Unavailable
from finops_dagster.domain.money import MoneyRange
from finops_dagster.gitops.changes import plan_change_set
from finops_dagster.gitops.github.forge import GitHubForge, Patience
from finops_dagster.gitops.reconcile import Rules, reconcile
from finops_dagster.gitops.room import Limits
from finops_dagster.gitops.wanted import Wanted
from tests.builders import NOW, deployment, proposal, verdict
from tests.contract.github_proxy import FAULTS, Killed, killed_at
from tests.contract.hosts import TOKEN, GitHubHost

WEB, API, JOB = "apps/web.yaml", "apps/api.yaml", "apps/job.yaml"
START = {WEB: deployment("web"), API: deployment("api"), JOB: deployment("job")}
TWO = Limits(open_max=2, new_max=10)
LITTLE = MoneyRange(low=Decimal(1), mid=Decimal(2), high=Decimal(3), currency="USD")
BEFORE = (proposal(),)
AFTER = (
    proposal(proposed="250m"),
    proposal(resource="Deployment/shop/api"),
    proposal(resource="Deployment/shop/job", saving_per_month=LITTLE),
)
"""One to update, one to open, and one that waits on the dashboard, which is to be opened, too."""
CLIENT_TIMEOUT_SECONDS = 0.5


def run(host: GitHubHost, proposals: tuple[Proposal, ...], *, dashboard: bool = True) -> None:
    """One run, as a process of its own would do it: nothing is remembered."""
    forge = GitHubForge(
        host.url, host.name, TOKEN, now=NOW, sleep=lambda _: None,
        patience=Patience(timeout_seconds=CLIENT_TIMEOUT_SECONDS, attempts=2),
    )  # fmt: skip
    wanted = []
    index = index_files(START, forge.head("main"))
    for of in proposals:
        planned = plan_change_set(of, index, ["apps/**"])
        assert not isinstance(planned, Abstained), planned
        wanted.append(Wanted(of, verdict(of), planned))
    reconcile(wanted, forge, TWO, "main", True, NOW, rules=Rules(dashboard=dashboard))


@dataclass(frozen=True)
class Held:
    """What GitHub holds, as far as it does not differ from one repository to the next."""

    pull_requests: tuple[tuple[object, ...], ...]
    branches: tuple[tuple[str, bytes, bytes], ...]
    statuses: tuple[str, ...]
    issues: tuple[tuple[str, str], ...]
    comments: tuple[int, ...]


def held(host: GitHubHost) -> Held:
    found = host.forge().pull_requests()
    branches = sorted(host.branches())
    heads = {one.branch: one.head_sha for one in found}
    return Held(
        tuple((one.number, one.state, one.title, one.branch, one.fingerprint) for one in found),
        tuple((branch, host.file(branch, WEB), host.file(branch, API)) for branch in branches),
        tuple(host.proxy.github.newest_state(heads[one]) for one in branches if one in heads),
        tuple((one, body) for one, body in host.issues() if "finops-issue dashboard" in body),
        tuple(len(host.forge().comments(one.number)) for one in found),
    )


def prepared(github_url: str) -> GitHubHost:
    host = GitHubHost(github_url, START)
    run(host, BEFORE, dashboard=False)
    host.proxy.forget()
    return host


@pytest.fixture(scope="module")
def faultless(github_url: str) -> tuple[int, Held]:
    """Calls of the run, and what it leaves, where nothing goes wrong."""
    host = prepared(github_url)
    run(host, AFTER)
    calls = host.proxy.count()
    left = held(host)
    assert [one[1] for one in left.pull_requests] == ["open", "open"]
    assert len(left.issues) == 1
    host.proxy.forget()
    run(host, AFTER)
    assert host.proxy.count(writes=True) == 0, "a second run of the same must write nothing"
    return calls, left


def survives(github_url: str, name: str, at: int, left: Held) -> None:
    """One fault at one call, then a run without."""
    host = prepared(github_url)
    host.proxy.inject(name, at=at)
    raised: FinopsError | None = None
    try:
        run(host, AFTER)
    except (Unavailable, Stopped) as error:
        raised = error
    told = ""
    if raised is not None:
        told = str(raised)
        assert raised.faults, f"{name} at {at}: {told}"
        assert all(fault.hint and fault.expected for fault in raised.faults)
        assert TOKEN not in told + repr(raised.faults)
    host.proxy.forget()
    run(host, AFTER)
    assert held(host) == left, f"{name} at call {at}, told {told!r}"


def is_killed(github_url: str, at: int, answered: bool, left: Held) -> None:
    host = prepared(github_url)
    with killed_at(at, answered=answered), pytest.raises(Killed):
        run(host, AFTER)
    host.proxy.forget()
    run(host, AFTER)
    assert held(host) == left, f"killed {'after' if answered else 'before'} call {at}"


@pytest.mark.parametrize("name", FAULTS)
def test_each_fault_at_some_calls(github_url: str, faultless: tuple[int, Held], name: str) -> None:
    """Harm: one bad answer of GitHub opens a pull request twice, or loses one."""
    calls, left = faultless
    # another call for each kind of fault: together they cross the run
    place = list(FAULTS).index(name)
    survives(github_url, name, (place * calls) // len(FAULTS), left)


@pytest.mark.parametrize("answered", [False, True])
def test_killed_at_some_calls(github_url: str, faultless: tuple[int, Held], answered: bool) -> None:
    """Harm: a run that is killed leaves what the next run takes for a person's work."""
    calls, left = faultless
    for at in range(calls // 2 + answered, calls, 6):
        is_killed(github_url, at, answered, left)


@pytest.mark.conformance
@pytest.mark.parametrize("name", FAULTS)
def test_each_fault_at_every_call(github_url: str, faultless: tuple[int, Held], name: str) -> None:
    """Harm: the one call that was not tried is the one that opens everything twice."""
    calls, left = faultless
    for at in range(calls):
        survives(github_url, name, at, left)


@pytest.mark.conformance
@pytest.mark.parametrize("answered", [False, True])
def test_killed_at_every_call(github_url: str, faultless: tuple[int, Held], answered: bool) -> None:
    """Harm: the one call that was not tried is the one after which nothing is right any more."""
    calls, left = faultless
    for at in range(calls):
        is_killed(github_url, at, answered, left)
