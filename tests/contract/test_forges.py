"""One contract for every forge: a bare repository on disk, and GitHub through its emulator."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from finops_dagster.desired_state import index_files
from finops_dagster.domain.decisions import Abstained, ChangeSet, Decision, Proposal
from finops_dagster.domain.errors import Stopped, Unavailable
from finops_dagster.domain.pull_requests import PullRequest, PullRequestState
from finops_dagster.gitops import marker
from finops_dagster.gitops.actions import Actions
from finops_dagster.gitops.changes import plan_change_set
from finops_dagster.gitops.github.forge import GitHubForge, Patience
from finops_dagster.gitops.grouping import Unit
from finops_dagster.gitops.reconcile import reconcile
from finops_dagster.gitops.room import Limits
from finops_dagster.gitops.wanted import Wanted
from tests.builders import CPU, MEMORY, NOW, deployment, proposal, verdict
from tests.contract.hosts import (
    GitHubHost,
    Host,
)

WEB, API = "apps/web.yaml", "apps/deep/er/api.yaml"
START = {WEB: deployment("web"), API: deployment("api").replace(b"\n", b"\r\n")}
PLENTY = Limits(open_max=10, new_max=10)


def planned(host: Host, of: Proposal) -> ChangeSet:
    """The change set on main as it is now."""
    files = {path: host.file("main", path) for path in START}
    planned = plan_change_set(of, index_files(files, host.forge().head("main")), ["apps/**"])
    assert not isinstance(planned, Abstained), planned
    return planned


def wanted(host: Host, of: Proposal, decision: Decision = Decision.ALLOW) -> Wanted:
    return Wanted(of, verdict(of, decision), planned(host, of))


def run(
    host: Host, *items: Wanted, limits: Limits = PLENTY, act: bool = True, **more: object
) -> Actions:
    return reconcile(items, host.forge(), limits, "main", act, NOW, **more)  # type: ignore[arg-type]


def state_of(host: Host) -> list[PullRequest]:
    return list(host.forge().pull_requests())


def opened(host: Host, of: Proposal | None = None) -> PullRequest:
    run(host, wanted(host, of or proposal()))
    return state_of(host)[-1]


def test_branch_holds_one_commit_that_changes_only_the_value(host: Host) -> None:
    """Harm: a reviewer finds reformatted files, or a commit that does more than it says."""
    change = planned(host, proposal())
    base = host.forge().head("main")
    head = host.forge().write_branch("finops/x-1", base, change, "Lower it\n\nbecause\n")
    assert host.parents(head) == [base]
    assert host.file("finops/x-1", WEB) == START[WEB].replace(b"cpu: 2 ", b"cpu: 500m ")
    assert host.file("finops/x-1", API) == START[API]
    assert host.file("main", WEB) == START[WEB]


def test_the_same_content_is_the_same_commit_on_any_day(host: Host) -> None:
    """Harm: each run pushes a new empty-handed commit, and reviewers are told of it each time."""
    change = planned(host, proposal())
    base = host.forge().head("main")
    first = host.forge().write_branch("finops/x-1", base, change, "m")
    later = host.forge(NOW + timedelta(days=3)).write_branch("finops/x-1", base, change, "other")
    assert later == first


def test_a_crlf_file_keeps_its_line_ends(host: Host) -> None:
    """Harm: every line of a Windows file shows as changed."""
    of = proposal(resource="Deployment/shop/api", field=MEMORY, current="4Gi", proposed="1Gi")
    head = host.forge().write_branch(
        "finops/x-1", host.forge().head("main"), planned(host, of), "m"
    )
    assert head
    assert host.file("finops/x-1", API) == START[API].replace(b"memory: 4Gi", b"memory: 1Gi")


def test_bytes_that_moved_are_refused(host: Host) -> None:
    """Harm: an edit planned for other bytes is written over a person's change."""
    change = planned(host, proposal())
    base = host.commit("main", {WEB: b"# one line more\n" + START[WEB]})
    with pytest.raises(Stopped):
        host.forge().write_branch("finops/x-1", base, change, "m")
    assert "finops/x-1" not in host.branches()


def test_what_is_opened_is_read_back(host: Host) -> None:
    """Harm: the next run does not recognise its own pull request and opens it again."""
    done = run(host, wanted(host, proposal()))
    (found,) = state_of(host)
    of, change = proposal(), planned(host, proposal())
    assert [action.number for action in done.opened] == [found.number]
    assert found.key == of.change_key
    assert found.fingerprint == change.fingerprint
    assert found.state is PullRequestState.OPEN
    assert (found.kind, found.resource) == (of.kind.value, of.resource)
    assert found.saving_per_month == of.saving_per_month
    assert found.carbon_kg_per_month == of.carbon_kg_per_month
    assert found.base_sha == change.base_sha
    assert found.proposal_id == of.id
    assert [(one.path, one.hunks) for one in found.files] == [(WEB, 1)]
    assert found.branch in host.branches()
    assert found.labels == ("finops",)
    assert found.url
    assert "saves about 480 USD a month" in found.body
    assert "| saving, USD | 410 | 480 | 560 |" in found.body
    assert found.title.startswith("Lower the CPU request of Deployment shop/web: 2 to 500m")


def test_diff_is_one_line(host: Host) -> None:
    """Harm: `finops pr show` shows something else than what would be merged."""
    found = opened(host)
    changed = [
        line
        for line in host.forge().diff(found.number).splitlines()
        if line[:1] in "+-" and line[:3] not in ("+++", "---")
    ]
    assert [line.split("#")[0].split() for line in changed] == [
        ["-", "cpu:", "2"],
        ["+", "cpu:", "500m"],
    ]


def test_opening_twice_gives_the_same_number(host: Host) -> None:
    """Harm: a run whose answer was lost opens a duplicate."""
    found = opened(host)
    again = host.forge().open(found.model_copy(update={"number": 0}))
    assert again.number == found.number
    assert len(state_of(host)) == 1


def test_a_second_run_changes_nothing(host: Host) -> None:
    """Harm: running twice opens, edits or comments twice."""
    items = [
        wanted(host, proposal()),
        wanted(host, proposal(field=MEMORY, current="4Gi", proposed="2Gi")),
    ]
    run(host, *items)
    before, branches = state_of(host), host.branches()
    again = run(host, *items)
    assert (again.opened, again.updated, again.closed, again.deferred, again.withheld) == ((),) * 5
    assert len(again.unchanged) == 2
    assert state_of(host) == before
    assert host.branches() == branches


def test_dry_run_tells_and_does_nothing(host: Host) -> None:
    """Harm: `--no-act` acts."""
    before = host.branches()
    told = run(host, wanted(host, proposal()), act=False)
    assert [action.reason for action in told.opened] == ["would be opened"]
    assert not told.acted
    assert state_of(host) == []
    assert host.branches() == before


def test_a_changed_recommendation_updates_the_same_pull_request(host: Host) -> None:
    """Harm: yesterday's number stays open, or a second pull request fights with the first."""
    first = opened(host)
    done = run(host, wanted(host, proposal(proposed="700m")))
    (now,) = state_of(host)
    assert [action.number for action in done.updated] == [first.number]
    assert now.number == first.number
    assert "2 to 700m" in now.title
    assert b"cpu: 700m " in host.file(now.branch, WEB)
    assert host.parents(now.head_sha) == [host.forge().head("main")]
    again = run(host, wanted(host, proposal(proposed="700m")))
    assert len(again.unchanged) == 1
    assert not again.updated


def test_a_vanished_recommendation_is_closed_with_its_reason(host: Host) -> None:
    """Harm: advice that no longer holds stays open until somebody merges it."""
    first = opened(host)
    done = run(host)
    (now,) = state_of(host)
    assert [action.number for action in done.closed] == [first.number]
    assert now.state is PullRequestState.SUPERSEDED
    assert now.branch not in host.branches()
    assert "no longer holds" in host.forge().comments(now.number)["closed"]
    assert not run(host).closed


def test_what_could_not_be_judged_is_left_open(host: Host) -> None:
    """Harm: one failed publication closes every pull request."""
    first = opened(host)
    done = run(host, undecided={first.resource})
    assert not done.closed
    assert state_of(host) == [first]


def test_superseded_may_come_back(host: Host) -> None:
    """Harm: advice that was withdrawn for a day is lost for good."""
    opened(host)
    run(host)
    assert len(run(host, wanted(host, proposal())).opened) == 1


def test_a_rejected_change_is_not_opened_again(host: Host) -> None:
    """Harm: a bot that asks the same question again after a no."""
    first = opened(host)
    host.forge().close(first.number, PullRequestState.REJECTED)
    (closed,) = state_of(host)
    assert closed.state is PullRequestState.REJECTED
    assert closed.branch not in host.branches()
    done = run(host, wanted(host, proposal()))
    assert not done.opened
    assert f"#{first.number}" in done.withheld[0].reason
    assert len(run(host, wanted(host, proposal(proposed="900m"))).opened) == 1


def test_merge_puts_the_value_on_main_with_both_parents(host: Host) -> None:
    """Harm: a merge that git does not know as one cannot be reverted as the body says."""
    first = opened(host)
    base = host.forge().head("main")
    merged = host.forge().merge(first.number)
    assert merged.state is PullRequestState.MERGED
    main = host.forge().head("main")
    assert host.parents(main) == [base, first.head_sha]
    assert host.file("main", WEB) == START[WEB].replace(b"cpu: 2 ", b"cpu: 500m ")
    assert host.forge().merge(first.number).state is PullRequestState.MERGED
    assert host.forge().head("main") == main
    assert "cpu: 500m" in host.forge().diff(first.number)


def test_a_merged_change_is_not_opened_again(host: Host) -> None:
    """Harm: after a person reverts the file by hand, the bot overrides the rollback."""
    first = opened(host)
    host.forge().merge(first.number)
    host.commit("main", {WEB: START[WEB]})
    done = run(host, wanted(host, proposal()))
    assert not done.opened
    assert "merged and set back by a person" in done.withheld[0].reason


def test_a_persons_commit_stops_the_bot_with_one_comment(host: Host) -> None:
    """Harm: a reviewer's correction on the branch is overwritten by the next run."""
    first = opened(host)
    theirs = host.commit(first.branch, {"notes.txt": b"mine\n"})
    for of in (proposal(proposed="700m"), proposal(proposed="800m")):
        done = run(host, wanted(host, of))
        assert not done.updated
        assert "a person" in done.unchanged[0].reason
    assert not run(host).closed
    (now,) = state_of(host)
    assert now.state is PullRequestState.OPEN
    assert now.head_sha == theirs
    assert list(host.forge().comments(now.number)) == ["stopped"]


def test_killed_between_branch_and_pull_request(host: Host) -> None:
    """Harm: a killed run leaves a branch that blocks its pull request for ever."""
    item = wanted(host, proposal())
    undisturbed, change = Unit((item,)).branch, item.changes
    host.forge().write_branch(undisturbed, change.base_sha, change, "m")
    done = run(host, wanted(host, proposal()))
    (now,) = state_of(host)
    assert [action.number for action in done.opened] == [now.number]
    assert now.branch == undisturbed
    assert len(run(host, wanted(host, proposal())).unchanged) == 1


def test_killed_between_branch_and_update(host: Host) -> None:
    """Harm: the bot takes its own half-finished update for a person's commit and stops."""
    first = opened(host)
    change = planned(host, proposal(proposed="700m"))
    host.forge().update(first.model_copy(update={"head_sha": ""}))
    host.forge().write_branch(first.branch, change.base_sha, change, "m")
    done = run(host, wanted(host, proposal(proposed="700m")))
    assert [action.number for action in done.updated] == [first.number]
    (now,) = state_of(host)
    known = marker.read(now.body)
    assert known is not None
    assert known.written_head == now.head_sha


def test_what_a_killed_close_left_is_tidied(host: Host) -> None:
    """Harm: branches of closed pull requests pile up, or the branch of an open one is deleted."""
    first = opened(host)
    run(host)
    host.create_branch(first.branch, first.head_sha)
    assert first.branch in host.branches()
    run(host)
    assert first.branch not in host.branches()
    run(host, wanted(host, proposal()))
    run(host, wanted(host, proposal()))
    assert first.branch in host.branches()


def test_limits_defer_what_comes_last(host: Host) -> None:
    """Harm: a team wakes up to a hundred pull requests."""
    items = [
        wanted(host, proposal()),
        wanted(host, proposal(field=MEMORY, current="4Gi", proposed="2Gi")),
        wanted(host, proposal(resource="Deployment/shop/api")),
    ]
    done = run(host, *items, limits=Limits(open_max=2, new_max=1))
    assert [len(done.opened), len(done.deferred)] == [1, 2]
    done = run(host, *items, limits=Limits(open_max=2, new_max=5))
    assert [len(done.opened), len(done.deferred), len(done.unchanged)] == [1, 1, 1]
    assert "2 pull requests are open" in done.deferred[0].reason
    assert [one.resource for one in state_of(host)] == ["Deployment/shop/web"] * 2


def test_verdicts_decide_what_is_opened(host: Host) -> None:
    """Harm: what policy denies is proposed, or what needs approval looks like any other."""
    denied = run(host, wanted(host, proposal(), Decision.DENY))
    assert not denied.opened
    assert "finops.headroom" in denied.withheld[0].reason
    run(host, wanted(host, proposal(), Decision.NEEDS_APPROVAL))
    (now,) = state_of(host)
    assert set(now.labels) == {"finops", "needs-approval"}
    assert now.verdict is Decision.NEEDS_APPROVAL
    assert now.rules == ("finops.headroom",)
    allowed = run(host, wanted(host, proposal()))
    assert "verdict changed" in allowed.updated[0].reason
    assert state_of(host)[0].labels == ("finops",)
    closed = run(host, wanted(host, proposal(), Decision.DENY))
    assert "policy denies it now" in closed.closed[0].reason


def test_a_replayed_day_opens_nothing(host: Host) -> None:
    """Harm: a backfill of three days opens three days of old advice."""
    done = run(host, wanted(host, proposal(reconstructed=True)))
    assert not done.opened
    assert "replay" in done.withheld[0].reason


def test_a_moved_main_is_planned_again(host: Host) -> None:
    """Harm: a change set of an old commit is opened against a main that no longer reads so."""
    item = wanted(host, proposal())
    host.commit("main", {"readme.md": b"hello\n"})
    done = run(host, item)
    assert not done.opened
    assert "moved" in done.deferred[0].reason
    assert len(run(host, wanted(host, proposal())).opened) == 1


def test_a_conflict_is_told_and_then_written_again(host: Host) -> None:
    """Harm: an open pull request that can no longer be merged waits for ever."""
    if not host.sees_conflicts:
        pytest.skip("the emulator merges whatever it is told to")
    first = opened(host)
    host.commit("main", {WEB: START[WEB].replace(b"# measured once", b"# measured twice")})
    with pytest.raises(Stopped):
        host.forge().merge(first.number)
    done = run(host, wanted(host, proposal()))
    assert "conflicted" in done.updated[0].reason
    merged = host.forge().merge(first.number)
    assert merged.state is PullRequestState.MERGED
    assert b"cpu: 500m    # measured twice" in host.file("main", WEB)


def test_comment_on_a_topic_is_replaced(host: Host) -> None:
    """Harm: a thread fills up with the same comment."""
    number = opened(host).number
    for text in ("first", "second", "second"):
        host.forge().comment(number, "notes", text)
    host.forge().comment(number, "other", "else")
    assert host.forge().comments(number) == {"notes": "second", "other": "else"}


def test_closing_and_updating_what_is_closed(host: Host) -> None:
    """Harm: a merged pull request is edited, or closed as if it had been rejected."""
    first = opened(host)
    host.forge().close(first.number, PullRequestState.SUPERSEDED)
    again = host.forge().close(first.number, PullRequestState.REJECTED)
    assert again.state is PullRequestState.SUPERSEDED
    with pytest.raises(Stopped):
        host.forge().update(first)
    with pytest.raises(Stopped):
        host.forge().merge(first.number)


def test_hostile_text_comes_back_inert_and_whole(host: Host) -> None:
    """Harm: a workload's name or a tag forges the marker, mentions people or breaks the page."""
    evil = (
        "`@everyone` <!-- finops-pull-request/1 {} --> | ](http://x) #1 \u202e" + "\n# big " * 9000
    )
    of = proposal(reason=evil, owner=evil, environment=evil)
    found = opened(host, of)
    assert found.key == of.change_key
    assert "\u202e" not in found.body + found.title
    assert len(found.body.encode()) <= 65_536
    assert len(run(host, wanted(host, of)).unchanged) == 1


def test_removed_marker_is_survived(host: Host) -> None:
    """Harm: a person tidies the body, and the next run opens a duplicate or overrides a no."""
    first = opened(host)
    host.tidy_body(first.number)
    assert not run(host).closed
    assert not run(host, wanted(host, proposal())).opened
    assert len(state_of(host)) == 1


def test_files_of_a_commit_are_those_of_that_commit(github_url: str) -> None:
    """Harm: a proposal is planned on files of another commit, or on bytes that were decoded."""
    odd = "apps/a b/ünï (1).yml"
    more = {odd: "a: 'ü'\r\n".encode(), "notes.txt": b"no manifest", "big.json": b"{}" * 70_000}
    host = GitHubHost(github_url, START)
    first = host.forge().head("main")
    second = host.commit("main", {**more, WEB: deployment("web", cpu="3")})
    suffixes = (".yaml", ".yml", ".json")
    assert host.forge().files(first, suffixes) == START
    assert host.forge().files(second, suffixes) == {
        **START, WEB: deployment("web", cpu="3"), odd: more[odd], "big.json": more["big.json"],
    }  # fmt: skip
    assert host.forge().files(second, (".txt",)) == {"notes.txt": b"no manifest"}
    with pytest.raises(Unavailable):
        host.forge().files("0" * 40, suffixes)


def test_the_commit_of_a_past_day_is_the_newest_made_by_then(github_url: str) -> None:
    """Harm: a past day is decided again on what the repository declared later."""
    host = GitHubHost(github_url, START)
    before = datetime.now(UTC) - timedelta(days=1)
    assert host.forge().commit_before("main", before) is None
    second = host.commit("main", {WEB: deployment("web", cpu="3")})
    later = datetime.now(UTC) + timedelta(days=1)
    assert host.forge().commit_before("main", later) == second == host.forge().head("main")
    with pytest.raises(Unavailable):
        host.forge().commit_before("no-such-branch", later)


def test_a_file_that_is_in_many_commits_is_read_once(github_url: str) -> None:
    """Harm: two commits a day of history are asked for file by file until GitHub refuses."""
    host = GitHubHost(github_url, START)
    first = host.forge().head("main")
    second = host.commit("main", {WEB: deployment("web", cpu="3")})
    blobs: dict[str, bytes] = {}
    before = host.forge().files(first, (".yaml",), blobs)
    kept = dict(blobs)
    assert sorted(kept.values()) == sorted(set(before.values()))
    after = host.forge().files(second, (".yaml",), blobs)
    assert {**before, WEB: deployment("web", cpu="3")} == after
    assert [data for sha, data in blobs.items() if sha not in kept] == [after[WEB]]
    same = next(path for path in after if path != WEB)
    (sha,) = [one for one, data in kept.items() if data == after[same]]
    blobs[sha] = b"kept"
    assert host.forge().files(second, (".yaml",), blobs)[same] == b"kept"


def test_commits_of_files_are_told_in_order(github_url: str) -> None:
    """Harm: an incident accuses a commit that had nothing to do with it, or of another day."""
    host = GitHubHost(github_url, START)
    second = host.commit("main", {WEB: deployment("web", cpu="3")})
    now = datetime.now(UTC)
    day = timedelta(days=1)
    found = host.forge().commits_between("main", now - day, now + day, [WEB])
    assert (found[-1].sha, found[-1].subject) == (second, "by hand")
    assert abs(found[-1].on - now.date()) <= day
    assert host.forge().commits_between("main", now - day, now + day, []) == []
    with pytest.raises(Unavailable):
        host.forge().commits_between("no-such-branch", now - day, now, [WEB])


def test_an_unreachable_github_is_told_without_the_token() -> None:
    """Harm: a stack trace, or a log with a credential in it."""
    forge = GitHubForge(
        "http://localhost:9", "acme/none", "very-secret", now=NOW,
        patience=Patience(timeout_seconds=1, attempts=2), sleep=lambda _: None,
    )  # fmt: skip
    with pytest.raises(Unavailable) as raised:
        forge.pull_requests()
    assert "very-secret" not in str(raised.value) + repr(raised.value.faults) + repr(forge)


def test_a_wrong_token_is_told_without_the_token(github_url: str) -> None:
    """Harm: a message that helps nobody, or shows the credential."""
    forge = GitHubForge(
        github_url, "acme/none", "very-secret", now=NOW,
        patience=Patience(attempts=1), sleep=lambda _: None,
    )  # fmt: skip
    with pytest.raises(Unavailable) as raised:
        forge.head("main")
    assert raised.value.faults[0].hint
    assert "very-secret" not in str(raised.value) + repr(raised.value.faults)
    assert CPU not in str(raised.value)
