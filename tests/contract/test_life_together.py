"""Many pull requests on every forge: limits, groups, dashboard, circuit breaker, automerge."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, datetime, timedelta
from decimal import Decimal

import pytest

from finops_dagster.domain.decisions import Decision, FindingKind, Proposal, Rung
from finops_dagster.domain.errors import Stopped
from finops_dagster.domain.money import MoneyRange
from finops_dagster.domain.pull_requests import PullRequestState
from finops_dagster.gitops.breaker import Thresholds
from finops_dagster.gitops.grouping import Grouping
from finops_dagster.gitops.reconcile import Rules
from finops_dagster.gitops.room import Freeze, Limits
from finops_dagster.gitops.steps import AUTOMERGE_LABEL, STOP_LABEL
from tests.builders import NOW
from tests.contract.life import API, BY_TEAM, PLENTY, START, WEB, Life, cpu, memory, reasons

DAY, HOUR = timedelta(days=1), timedelta(hours=1)
BOARD = Rules(dashboard=True)
ALL = [of(name) for name in ("web", "api", "job") for of in (cpu, memory)]


def saves(mid: int, currency: str = "USD") -> MoneyRange:
    half = Decimal(abs(mid)) / 2
    return MoneyRange(low=mid - half, mid=Decimal(mid), high=mid + half, currency=currency)


# Limits


def test_limited_per_hour_from_the_forges_record(life: Life) -> None:
    """Harm: a limit per run is no limit for a loop that runs every five minutes."""
    life.limits = Limits(open_max=10, new_max=2)
    first = life.run(*ALL)
    assert len(first.opened) == 2
    assert set(reasons(first.deferred)) == {"2 were opened in this hour, the limit"}
    assert not life.run(*ALL, now=NOW + timedelta(minutes=59)).opened
    life.host.close(1)  # what was opened counts, whatever became of it
    assert not life.run(*ALL, now=NOW + timedelta(minutes=59)).opened
    assert len(life.run(*ALL, now=NOW + HOUR).opened) == 2


def test_limited_in_all(life: Life) -> None:
    """Harm: reviewers drown, or what is closed never makes room."""
    life.limits = Limits(open_max=3, new_max=10)
    assert len(life.run(*ALL).opened) == 3
    assert set(reasons(life.run(*ALL).deferred)) == {"3 pull requests are open, the limit"}
    kept = [one for one in ALL if one.change_key != life.open()[0].key]
    done = life.run(*kept)
    assert (len(done.closed), len(done.opened)) == (1, 1)


def test_limited_in_money_per_team_and_day(life: Life) -> None:
    """Harm: one team's budget is turned over in a morning, or two currencies are added."""
    life.limits = replace(PLENTY, money_per_team_per_day=Decimal(1000))
    items = [
        cpu(saving_per_month=saves(600)),
        memory(saving_per_month=saves(500)),
        cpu("api", saving_per_month=saves(900, "EUR")),
        memory("api", saving_per_month=saves(700), owner="search"),
        cpu("job", saving_per_month=saves(-450), kind=FindingKind.UNDERPROVISIONED_CPU),
    ]
    done = life.run(*items)
    assert len(done.opened) == 4
    assert reasons(done.deferred) == [
        "600.00 USD a month is more than is left of 1,000.00 USD for checkout today",
    ]
    assert not life.run(*items, now=NOW + 2 * HOUR).opened
    assert len(life.run(*items, now=NOW + DAY).opened) == 1


def test_limited_in_time(life: Life) -> None:
    """Harm: pull requests come at night, or on the days on which nobody may merge."""
    life.limits = replace(PLENTY, scheduled=False)
    assert reasons(life.run(cpu()).deferred) == ["outside the hours of the schedule"]
    freeze = Freeze(NOW.date(), NOW.date() + DAY, "year end")
    life.limits = replace(PLENTY, freezes=(freeze,))
    assert reasons(life.run(cpu()).deferred) == ["frozen until 2026-05-05: year end"]
    assert not life.run(cpu(), now=datetime.combine(date(2026, 5, 5), NOW.timetz())).opened
    assert len(life.run(cpu(), now=NOW + 2 * DAY).opened) == 1


def test_what_is_worth_most_comes_first_but_safety_before(life: Life) -> None:
    """Harm: room is spent on pennies while a workload is short of memory."""
    life.limits = Limits(open_max=10, new_max=1)
    short = memory("job", kind=FindingKind.UNDERPROVISIONED_MEMORY, saving_per_month=saves(-20))
    short = short.model_copy(update={"proposed": "6Gi"})
    items = [
        cpu(saving_per_month=saves(100)),
        memory(saving_per_month=saves(1000), risk=0.95),
        cpu("api", saving_per_month=saves(400)),
        short,
        memory("api", saving_per_month=saves(90_000, "JPY"), order=1),
    ]
    order = []
    for hour in range(5):
        (one,) = life.run(*items, now=NOW + hour * HOUR).opened
        order.append(one.key)
    expected = [short, items[4], items[2], items[0], items[1]]
    assert order == [one.change_key for one in expected]


# Groups


def test_grouped_by_team(life: Life) -> None:
    """Harm: a team gets ten pull requests for ten lines."""
    life.rules = BY_TEAM
    other = cpu("job", owner="search")
    done = life.run(cpu(), memory(), cpu("api"), other)
    assert len(done.opened) == 2
    whole, alone = sorted(life.open(), key=lambda one: -len(one.members))
    assert {member.key for member in whole.members} == {
        one.change_key for one in (cpu(), memory(), cpu("api"))
    }
    assert whole.saving_per_month == saves(480).model_copy(
        update={"low": Decimal(1230), "mid": Decimal(1440), "high": Decimal(1680)}
    )
    assert (whole.resource, whole.kind) == ("", "rightsize_cpu")
    assert len(alone.members) == 1
    both = START[WEB].replace(b"cpu: 2 ", b"cpu: 500m ").replace(b"memory: 4Gi", b"memory: 1Gi")
    assert life.host.file(whole.branch, WEB) == both
    assert life.host.file(whole.branch, API) == START[API].replace(b"cpu: 2 ", b"cpu: 500m ")
    again = life.run(cpu(), memory(), cpu("api"), other)
    assert (len(again.unchanged), again.opened, again.updated) == (2, (), ())


def test_members_join_and_leave_the_same_branch(life: Life) -> None:
    """Harm: a group is closed and opened anew, with its discussion, each time a member changes."""
    life.rules = BY_TEAM
    first = life.opened(cpu())
    joined = life.run(cpu(), memory("api"), now=NOW + DAY)
    assert reasons(joined.updated) == ["1 changes joined, 0 left"]
    assert not joined.opened
    left = life.run(memory("api"), now=NOW + 2 * DAY)
    assert reasons(left.updated) == ["0 changes joined, 1 left"]
    (now,) = life.open()
    assert (now.number, now.branch, now.key) == (first.number, first.branch, first.key)
    assert life.host.file(now.branch, WEB) == START[WEB]
    assert now.opened_at == NOW


@pytest.mark.parametrize(("by", "count"), [("value", 4), ("file", 2), ("kind", 2)])
def test_grouped_otherwise(life: Life, by: str, count: int) -> None:
    """Harm: a setting of how changes are put together does nothing."""
    life.rules = Rules(grouping=Grouping(by, max_lines=10, max_risk=0.5))  # type: ignore[arg-type]
    small = {"kind": FindingKind.RIGHTSIZE_MEMORY}
    items = [cpu(), memory(**small), cpu("api"), memory("api", **small)]
    assert len(life.run(*items).opened) == count
    assert len(life.run(*items).unchanged) == count


def test_a_group_keeps_to_its_limits(life: Life) -> None:
    """Harm: a pull request that nobody can review, or whose risks add up unseen."""
    life.rules = Rules(grouping=Grouping("team", max_lines=2, max_risk=0.5))
    life.run(*ALL)
    assert sorted(len(one.members) for one in life.open()) == [2, 2, 2]
    assert len({one.key for one in life.open()}) == 3
    risky = Life(life.host, Rules(grouping=Grouping("team", max_lines=9, max_risk=0.03)))
    risky.run(*ALL)
    # 1 - 0.988^2 = 2.4 %, 1 - 0.988^3 = 3.6 %
    assert sorted(len(one.members) for one in life.open()) == [2, 2, 2]
    worse = [one.model_copy(update={"risk": 0.02}) for one in ALL]
    done = risky.run(*worse)
    assert sorted(len(one.members) for one in life.open()) == [1, 1, 1, 1, 1, 1]
    assert (len(done.updated), len(done.opened)) == (3, 3)


def test_what_needs_approval_stays_apart(life: Life) -> None:
    """Harm: a yes to the harmless is taken for a yes to what a person must approve."""
    life.rules = BY_TEAM
    asks = life.wanted(memory("api"), Decision.NEEDS_APPROVAL)
    life.run(cpu(), memory(), asks)
    assert sorted((len(one.members), one.verdict) for one in life.open()) == [
        (1, Decision.NEEDS_APPROVAL),
        (2, Decision.ALLOW),
    ]
    life.run(cpu(), life.wanted(memory(), Decision.NEEDS_APPROVAL), asks)
    assert sorted((len(one.members), one.verdict) for one in life.open()) == [
        (1, Decision.ALLOW),
        (2, Decision.NEEDS_APPROVAL),
    ]


def test_money_of_two_currencies_stays_apart(life: Life) -> None:
    """Harm: a body that adds euros to dollars."""
    life.rules = BY_TEAM
    life.run(cpu(), memory(saving_per_month=saves(480, "EUR")))
    assert {one.saving_per_month.currency for one in life.open()} == {"USD", "EUR"}


def test_closing_a_group_rejects_its_members(life: Life) -> None:
    """Harm: a no to a group brings its members back one by one."""
    life.rules = BY_TEAM
    first = life.opened(cpu(), memory())
    life.host.close(first.number)
    done = life.run(cpu(), memory(), cpu("api"))
    assert len(done.withheld) == 2
    assert all(f"#{first.number}" in one.reason for one in done.withheld)
    (now,) = life.open()
    assert [member.resource for member in now.members] == ["Deployment/shop/api"]


def test_what_does_not_go_together_is_opened_apart(life: Life) -> None:
    """Harm: one change that breaks a group keeps all of it from being opened."""
    life.rules = BY_TEAM
    together = life.together

    def refused(group: object) -> str:
        names = {one.proposal.resource for one in group}  # type: ignore[attr-defined]
        return "it would change api too" if len(names) > 1 else together(group)  # type: ignore[arg-type]

    life.together = refused  # type: ignore[method-assign]
    life.run(cpu(), memory(), cpu("api"))
    assert sorted(len(one.members) for one in life.open()) == [1, 2]


def test_a_member_that_cannot_be_judged_keeps_its_group_as_it_is(life: Life) -> None:
    """Harm: a failed publication takes a change out of a pull request under review."""
    life.rules = BY_TEAM
    first = life.opened(cpu(), cpu("api"))
    done = life.run(cpu(), undecided={"Deployment/shop/api"})
    assert not done.updated
    assert life.open() == [first]


def test_a_denied_member_leaves_its_group(life: Life) -> None:
    """Harm: what policy forbids stays in a group, or takes the group down with it."""
    life.rules = BY_TEAM
    life.opened(cpu(), cpu("api"))
    done = life.run(cpu(), life.wanted(cpu("api"), Decision.DENY))
    assert reasons(done.updated) == ["0 changes joined, 1 left"]
    assert reasons(done.withheld) == ["policy denies it: finops.headroom"]
    assert not life.run(life.wanted(cpu(), Decision.DENY)).updated
    assert not life.open()


# The dashboard


def test_the_dashboard_lists_what_waits(life: Life) -> None:
    """Harm: what is not opened is known to nobody."""
    life.rules, life.limits = BOARD, Limits(open_max=10, new_max=1)
    done = life.run(cpu(saving_per_month=saves(900)), memory())
    assert len(done.deferred) == 1
    assert "4Gi to 1Gi" in life.board()
    assert "were opened in this hour" in life.board()
    before = life.board()
    life.run(cpu(saving_per_month=saves(900)), memory(), now=NOW + timedelta(minutes=5))
    assert life.board() == before
    life.run(cpu(saving_per_month=saves(900)), memory(), now=NOW + HOUR)
    assert "Nothing waits" in life.board()


def test_no_dashboard_without_something_to_say(life: Life) -> None:
    """Harm: an empty issue greets every new user."""
    life.rules = BOARD
    life.run(cpu())
    assert life.host.forge().issue("dashboard") is None


def test_ticked_to_open(life: Life) -> None:
    """Harm: a person asks for a change and waits for the limits of machines."""
    life.rules = BOARD
    life.limits = Limits(open_max=2, new_max=1, scheduled=False)
    advised = life.wanted(cpu(), rung=Rung.ADVISE, reason="A new kind.")
    life.run(advised, memory())
    assert not life.open()
    for one in (cpu(), memory()):
        life.tick("open", one.change_key)
    done = life.run(advised, memory())
    assert len(done.opened) == 2
    assert {(e.kind, e.what, e.reason) for e in done.events if e.what == "ticked"} == {
        ("human_decision", "ticked", "open")
    }
    life.host.close(life.open()[0].number)
    assert not life.run(advised, memory()).opened  # the tick was used up


def test_a_tick_goes_not_beyond_safety(life: Life) -> None:
    """Harm: a box on a page overrides a freeze, the limit of open ones or policy."""
    life.rules = BOARD
    frozen = replace(PLENTY, freezes=(Freeze(NOW.date(), NOW.date(), "year end"),))
    life.limits = frozen
    life.run(cpu())
    life.tick("open", cpu().change_key)
    assert reasons(life.run(cpu()).deferred) == ["frozen until 2026-05-04: year end"]
    life.limits = Limits(open_max=0, new_max=9)
    assert "the limit" in life.run(cpu(), now=NOW + DAY).deferred[0].reason
    life.limits = replace(PLENTY, scheduled=False)
    denied = life.wanted(cpu(), Decision.DENY)
    assert "policy denies" in life.run(denied, now=NOW + DAY).withheld[0].reason
    assert len(life.run(cpu(), now=NOW + DAY).opened) == 1  # it was remembered meanwhile


def test_ticked_to_snooze_or_reject(life: Life) -> None:
    """Harm: a no on the dashboard is forgotten by the next run, or holds for ever."""
    life.rules, life.limits = BOARD, replace(PLENTY, scheduled=False)
    life.run(cpu(), memory())
    life.tick("snooze", cpu().change_key)
    life.tick("reject", memory().change_key)
    life.run(cpu(), memory())
    life.limits = PLENTY
    again = life.run(cpu(), memory(), now=NOW + DAY)
    assert not again.opened
    assert sorted(reasons(again.withheld)) == [
        "rejected on the dashboard, until 2026-08-02",
        "snoozed on the dashboard, until 2026-06-03",
    ]
    assert life.run(memory(proposed="3Gi"), now=NOW + DAY, act=False).opened
    assert len(life.run(cpu(), memory(), now=NOW + 31 * DAY).opened) == 1
    assert len(life.run(cpu(), memory(), now=NOW + 91 * DAY).opened) == 1


def test_a_tick_is_not_lost_to_a_day_without_the_change(life: Life) -> None:
    """Harm: a no that was ticked is forgotten because a source was late that day."""
    life.rules, life.limits = BOARD, replace(PLENTY, scheduled=False)
    life.run(cpu())
    life.tick("reject", cpu().change_key)
    life.run(undecided={"Deployment/shop/web"})
    life.limits = PLENTY
    assert "rejected on the dashboard" in life.run(cpu(), now=NOW + DAY).withheld[0].reason


def test_a_tick_under_the_run_is_read_by_the_next(life: Life) -> None:
    """Harm: a box that was ticked while the run worked is written over."""
    life.rules, life.limits = BOARD, replace(PLENTY, scheduled=False)
    life.run(cpu())

    class Meanwhile:
        def __init__(self) -> None:
            self._forge = life.host.forge()

        def __getattr__(self, name: str) -> object:
            return getattr(self._forge, name)

        def write_issue(self, *given: object, **more: object) -> object:
            life.tick("reject", cpu().change_key)
            return self._forge.write_issue(*given, **more)  # type: ignore[arg-type]

    told = life.run(cpu(), memory(), forge=Meanwhile())
    assert any("dashboard was not written" in note for note in told.notes)
    life.limits = PLENTY
    done = life.run(cpu(), memory(), now=NOW + DAY)
    assert [one.key for one in done.opened] == [memory().change_key]


# The circuit breaker


def test_breaker_tripped_and_reset(life: Life) -> None:
    """Harm: automation goes on after people took back what it did, or never starts again."""
    once = BOARD.breaker.__class__(reverts=1)
    life.rules = replace(BOARD, breaker=once)
    first = life.opened(cpu())
    life.host.forge().merge(first.number)
    revert(life, first.number)
    when = max(ended_at(life, first.number), NOW) + HOUR
    waits = cpu("api")
    done = life.run(waits, now=when)
    assert not done.opened
    (trip,) = done.trips
    assert trip.scope == "kind:rightsize_cpu"
    assert done.deferred[0].reason.startswith("stopped until a person resets kind:rightsize_cpu")
    assert "Stopped by the circuit breaker" in life.board()
    assert not life.run(waits, now=when + 60 * DAY).opened  # until a person resets it
    other = cpu("job", kind=FindingKind.IDLE_WORKLOAD)
    assert len(life.run(waits, other, now=when).opened) == 1
    life.tick("reset", trip.scope)
    again = life.run(waits, other, now=when + HOUR)
    assert len(again.opened) == 1
    assert ("human_decision", "reset", trip.scope) in {
        (e.kind, e.what, e.key) for e in again.events
    }
    assert not life.run(waits, other, now=when + 2 * HOUR).trips


def test_breaker_leaves_open_what_is_open(life: Life) -> None:
    """Harm: a stop of automation throws away what people are reviewing."""
    life.rules = replace(BOARD, breaker=Thresholds(reverts=1))
    first = life.opened(cpu())
    life.host.forge().merge(first.number)
    second = life.opened(memory("api", kind=FindingKind.RIGHTSIZE_CPU))
    revert(life, first.number)
    when = max(ended_at(life, first.number), NOW) + HOUR
    done = life.run(memory("api", kind=FindingKind.RIGHTSIZE_CPU), now=when)
    assert done.trips
    assert [one.number for one in done.unchanged] == [second.number]


def revert(life: Life, number: int) -> None:
    """A person reverts the merge, as git does it."""
    merged = life.numbered(number)
    message = f'Revert "x"\n\nThis reverts commit {merged.merge_sha}.'
    life.host.commit("main", {WEB: START[WEB]}, message)
    assert life.numbered(number).state is PullRequestState.REVERTED


def ended_at(life: Life, number: int) -> datetime:
    found = life.numbered(number).ended_at
    assert found is not None
    return found


# Automerge


def merging(life: Life, *of: Proposal, now: datetime = NOW) -> list[int | None]:
    done = life.run(*(life.wanted(one, rung=Rung.AUTOMERGE) for one in of), now=now)
    return [one.number for one in done.automerged]


def test_automerged_one_by_one(life: Life) -> None:
    """Harm: two changes are merged on a base that only one of them was checked against."""
    life.host.protect(checks=["finops/policy"])
    assert merging(life, cpu(), cpu("api")) == [1]
    assert [one.state for one in life.all()] == [PullRequestState.MERGED, PullRequestState.OPEN]
    assert b"cpu: 500m" in life.host.file("main", WEB)
    assert merging(life, cpu("api")) == [2]
    assert b"cpu: 500m" in life.host.file("main", API)
    told = {(e.kind, e.what, e.number) for e in life.run().events}
    assert told == {("action", "merged", 1), ("action", "merged", 2)}


def test_automerge_waits_for_the_forges_protection(life: Life) -> None:
    """Harm: `automerge` goes round the review that the branch asks for."""
    life.host.protect(reviews=1)
    assert merging(life, cpu()) == [1]
    (one,) = life.open()
    assert AUTOMERGE_LABEL in one.labels
    assert merging(life, cpu()) == []  # asked once
    life.host.approve(1)
    life.run(life.wanted(cpu(), rung=Rung.AUTOMERGE))
    assert life.numbered(1).state is PullRequestState.MERGED


def test_nothing_is_automerged_without_protection(life: Life) -> None:
    """Harm: an unprotected branch is merged into by a machine alone."""
    done = life.run(life.wanted(cpu(), rung=Rung.AUTOMERGE))
    assert (len(done.opened), done.automerged) == (1, ())
    assert "not protected" in done.notes[0]
    life.host.protect(checks=["finops/policy"], automerge=False)
    refused = life.run(life.wanted(cpu(), rung=Rung.AUTOMERGE))
    assert not refused.automerged
    assert "#1 is not merged" in refused.notes[0]
    assert len(life.open()) == 1


def test_what_is_never_automerged(life: Life) -> None:
    """Harm: a machine merges what a person must approve, in a freeze, or against a label."""
    life.host.protect(checks=["finops/policy"])
    asks = life.wanted(cpu(), Decision.NEEDS_APPROVAL, Rung.AUTOMERGE)
    assert not life.run(asks).automerged
    life.run(cpu())
    life.label(1, STOP_LABEL)
    assert merging(life, cpu()) == []
    life.host.forge().label(1, remove=[STOP_LABEL])
    life.limits = replace(PLENTY, freezes=(Freeze(NOW.date(), NOW.date(), "year end"),))
    assert merging(life, cpu()) == []
    life.limits = PLENTY
    life.rules = BY_TEAM
    mixed = [life.wanted(memory("api"), rung=Rung.AUTOMERGE), life.wanted(cpu("job"))]
    done = life.run(*mixed)
    assert not done.automerged
    assert len(life.open()) == 1


def test_automerge_is_taken_back_where_it_is_allowed_no_more(life: Life) -> None:
    """Harm: what the forge was asked to merge is merged weeks later, though policy no longer lets
    it go so far, or in a freeze.
    """
    life.host.protect(reviews=1)
    assert merging(life, cpu()) == [1]
    life.run(life.wanted(cpu(), rung=Rung.PROPOSE))
    (one,) = life.open()
    assert AUTOMERGE_LABEL not in one.labels
    life.host.approve(1)
    life.run(life.wanted(cpu(), rung=Rung.PROPOSE))
    assert life.numbered(1).state is PullRequestState.OPEN
    assert merging(life, cpu()) == [1]
    assert life.numbered(1).state is PullRequestState.MERGED


def test_a_status_says_what_policy_says(life: Life) -> None:
    """Harm: a required check never comes, or says yes to what policy denies."""
    life.host.protect(checks=["finops/policy"])
    asks = life.opened(life.wanted(cpu(), Decision.NEEDS_APPROVAL))
    with pytest.raises(Stopped):
        life.host.forge().merge(asks.number)
    life.run(cpu())
    assert life.host.forge().merge(asks.number).state is PullRequestState.MERGED
