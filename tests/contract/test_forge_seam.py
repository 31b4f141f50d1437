"""What a forge promises beside opening pull requests, held against every backend."""

from __future__ import annotations

from decimal import Decimal

import pytest

from finops_dagster.domain.decisions import ChangeSet, Decision, Edit
from finops_dagster.domain.errors import Stopped, Unavailable
from finops_dagster.domain.money import MoneyRange, Range
from finops_dagster.domain.pull_requests import (
    CheckState,
    FileChange,
    PullRequest,
    PullRequestState,
)
from tests.builders import NOW, deployment
from tests.contract.hosts import GitHubHost, Host

WEB = "apps/web.yaml"
START = {WEB: deployment("web")}


def changes(host: Host, *edits: Edit) -> ChangeSet:
    return ChangeSet(
        proposal_id="proposal-1", key="key-0123456789abcdef",
        base_sha=host.forge().head("main"), edits=edits,
    )  # fmt: skip


def lower_cpu(host: Host) -> ChangeSet:
    data = host.file("main", WEB)
    start = data.index(b"cpu: ") + 5
    end = data.index(b" ", start)
    before = data[start:end].decode()
    after = "500m" if before == "2" else "250m"
    edit = Edit(file=WEB, start_byte=start, end_byte=end, before=before, after=after)
    return changes(host, edit)


def opened(host: Host, branch: str = "finops/web-0123456789abcdef") -> PullRequest:
    forge = host.forge()
    change = lower_cpu(host)
    head = forge.write_branch(branch, change.base_sha, change, "Lower it\n\nbecause\n")
    return forge.open(
        PullRequest(
            number=0, key=change.key, kind="rightsize_cpu", resource="Deployment/shop/web",
            branch=branch, base_sha=change.base_sha, head_sha=head, state=PullRequestState.OPEN,
            title="Lower the CPU of web", body="One sentence.", url="",
            files=(FileChange(path=WEB, hunks=1),),
            saving_per_month=MoneyRange(
                low=Decimal(1), mid=Decimal(2), high=Decimal(3), currency="USD"
            ),
            carbon_kg_per_month=Range(low=1, mid=2, high=3), verdict=Decision.ALLOW, rules=(),
            fingerprint=change.fingerprint, proposal_id="proposal-1", labels=("finops",),
            opened_at=NOW,
        )
    )  # fmt: skip


def now_of(host: Host, number: int) -> PullRequest:
    return next(one for one in host.forge().pull_requests() if one.number == number)


def test_a_file_is_made_where_there_was_none(host: Host) -> None:
    """Harm: an overlay that is proposed overwrites what a person put there meanwhile."""
    new = "apps/overlays/prod/web.yaml"
    made = Edit(file=new, start_byte=0, end_byte=0, before="", after="a: 1\n", creates=True)
    change = changes(host, made)
    host.forge().write_branch("finops/x-1", change.base_sha, change, "m")
    assert host.file("finops/x-1", new) == b"a: 1\n"
    assert host.file("finops/x-1", WEB) == START[WEB]
    host.commit("main", {new: b"mine: 1\n"})
    with pytest.raises(Stopped):
        host.forge().write_branch("finops/x-2", host.forge().head("main"), change, "m")
    below = made.model_copy(update={"file": f"{WEB}/below.yaml"})
    with pytest.raises(Stopped):
        host.forge().write_branch("finops/x-3", change.base_sha, changes(host, below), "m")


def test_labels_are_made_added_and_removed(host: Host) -> None:
    """Harm: a label that nobody made before fails the run, or what people set is taken away."""
    number = opened(host).number
    host.forge().label(number, add=["finops/rebase", "finops/snooze-30d"])
    host.forge().label(number, remove=["finops/snooze-30d", "never there"])
    assert now_of(host, number).labels == ("finops", "finops/rebase")


def test_a_verdict_is_said_of_a_commit_once(host: Host) -> None:
    """Harm: a verdict that reviewers rely on is missing, or is written again each hour."""
    head = opened(host).head_sha
    for state in (CheckState.PENDING, CheckState.SUCCESS, CheckState.SUCCESS):
        host.forge().set_status(head, "finops/policy", state, "allowed by 14 rules " + "x" * 200)
    if isinstance(host, GitHubHost):
        made = [call for call in host.proxy.calls if "/statuses/" in call.path and call.writes]
        assert [call.status for call in made] == [201, 201]


def test_comments_are_told_by_topic(host: Host) -> None:
    """Harm: a bot repeats itself under a pull request, or loses what it said."""
    number = opened(host).number
    host.forge().comment(number, "stopped", "first")
    host.forge().comment(number, "closed", "other")
    host.forge().comment(number, "stopped", "second")
    assert host.forge().comments(number) == {"stopped": "second", "closed": "other"}


def test_one_issue_is_kept_by_its_topic(host: Host) -> None:
    """Harm: each run opens another dashboard."""
    assert host.forge().issue("dashboard") is None
    first = host.forge().write_issue("dashboard", "What waits", "- [ ] one")
    again = host.forge().write_issue("dashboard", "What waits", "- [ ] two", replaces=first.body)
    assert again.number == first.number
    found = host.forge().issue("dashboard")
    assert found is not None
    assert (found.number, found.title, found.body) == (first.number, "What waits", "- [ ] two")
    assert host.forge().issue("another") is None


def test_the_same_issue_writes_nothing(host: Host) -> None:
    """Harm: people are told each hour of an issue that did not change."""
    first = host.forge().write_issue("dashboard", "What waits", "- [ ] one")
    if isinstance(host, GitHubHost):
        host.proxy.forget()
    again = host.forge().write_issue("dashboard", "What waits", "- [ ] one", replaces=first.body)
    assert again == first
    if isinstance(host, GitHubHost):
        assert host.proxy.count(writes=True) == 0


def test_a_tick_made_meanwhile_is_not_overwritten(host: Host) -> None:
    """Harm: a person ticks a box while a run writes the issue, and the tick is lost."""
    first = host.forge().write_issue("dashboard", "What waits", "- [ ] one")
    host.edit_issue(first, "- [x] one")
    with pytest.raises(Unavailable) as raised:
        host.forge().write_issue("dashboard", "What waits", "- [ ] two", replaces=first.body)
    assert raised.value.message
    found = host.forge().issue("dashboard")
    assert found is not None
    assert found.body == "- [x] one"


def test_protection_is_told(host: Host) -> None:
    """Harm: what merges by itself does so into a branch that asks for nothing."""
    bare = host.forge().protection("main")
    assert not bare.protected and not bare.holds
    assert bare.reason
    host.protect(reviews=2, checks=["ci/test", "finops/policy"])
    told = host.forge().protection("main")
    assert (told.protected, told.reviews, told.checks) == (True, 2, ("ci/test", "finops/policy"))
    assert told.automerge and told.holds
    assert told.reason == ""


def test_nothing_automerges_without_protection(host: Host) -> None:
    """Harm: a change that no check and no person saw reaches production."""
    number = opened(host).number
    with pytest.raises(Stopped) as raised:
        host.forge().automerge(number)
    assert "main" in str(raised.value)
    assert raised.value.faults[0].hint
    assert now_of(host, number).state is PullRequestState.OPEN
    host.protect(checks=["finops/policy"], automerge=False)
    with pytest.raises(Stopped):
        host.forge().automerge(number)
    assert now_of(host, number).state is PullRequestState.OPEN


def test_automerge_waits_for_what_is_asked(host: Host) -> None:
    """Harm: a pull request merges before its check succeeded, or never."""
    one = opened(host)
    host.protect(checks=["finops/policy"])
    with pytest.raises(Stopped):
        host.forge().merge(one.number)
    host.forge().set_status(one.head_sha, "finops/policy", CheckState.FAILURE, "denied")
    host.forge().automerge(one.number)
    host.forge().automerge(one.number)
    assert now_of(host, one.number).state is PullRequestState.OPEN
    host.forge().set_status(one.head_sha, "finops/policy", CheckState.SUCCESS, "allowed")
    merged = now_of(host, one.number)
    assert merged.state is PullRequestState.MERGED
    assert b"cpu: 500m" in host.file("main", WEB)


def test_what_nothing_holds_back_is_merged(host: Host) -> None:
    """Harm: a change whose checks are through waits for ever: no event comes any more."""
    one = opened(host)
    host.protect(checks=["finops/policy"])
    host.forge().set_status(one.head_sha, "finops/policy", CheckState.SUCCESS, "allowed")
    assert host.forge().automerge(one.number).state is PullRequestState.MERGED


def test_a_review_that_is_asked_for_is_waited_for(host: Host) -> None:
    """Harm: CODEOWNERS are passed over."""
    one = opened(host)
    host.protect(reviews=1)
    with pytest.raises(Stopped):
        host.forge().merge(one.number)
    host.approve(one.number)
    assert host.forge().merge(one.number).state is PullRequestState.MERGED


def test_how_it_ended_is_remembered(host: Host) -> None:
    """Harm: the record of what people decided, and when, is lost."""
    one = opened(host)
    assert (one.ended_at, one.ended_by, one.merge_sha) == (None, "", "")
    merged = host.forge().merge(one.number)
    assert merged.merge_sha == host.forge().head("main")
    assert merged.ended_at is not None
    assert now_of(host, one.number) == merged
    other = opened(host, "finops/web-00000000000000ff")
    host.close(other.number)
    closed = now_of(host, other.number)
    assert closed.state is PullRequestState.REJECTED
    assert closed.ended_at is not None
    assert closed.merge_sha == ""
    if isinstance(host, GitHubHost):
        assert {merged.ended_by, closed.ended_by} == {"acme"}


@pytest.mark.parametrize("of", ["merge", "head"])
def test_a_revert_is_seen(host: Host, of: str) -> None:
    """Harm: the bot proposes again what people took back, and fights them."""
    merged = host.forge().merge(opened(host).number)
    sha = merged.merge_sha if of == "merge" else merged.head_sha
    host.commit("main", START, f"Revert it\n\nThis reverts commit {sha}, reversing\nchanges.\n")
    reverted = now_of(host, merged.number)
    assert reverted.state is PullRequestState.REVERTED
    assert reverted.ended_at is not None
    assert list(host.forge().pull_requests(PullRequestState.MERGED)) == []


def test_a_revert_that_was_reverted_is_none(host: Host) -> None:
    """Harm: a change that is in force counts as taken back, and trips the breaker."""
    merged = host.forge().merge(opened(host).number)
    changed = host.file("main", WEB)
    sha = host.commit("main", START, f"Revert\n\nThis reverts commit {merged.merge_sha}.\n")
    host.commit("main", {WEB: changed}, f"Revert Revert\n\nThis reverts commit {sha}.\n")
    assert now_of(host, merged.number).state is PullRequestState.MERGED


def test_every_right_is_listed(host: Host) -> None:
    """Harm: what the token lacks shows only in the middle of a run."""
    told = host.forge().permissions()
    assert len(told) >= 2
    assert all(one.name and one.needed_for and one.given is True for one in told)
