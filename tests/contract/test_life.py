"""The life of one pull request on every forge, from its opening to each of its ends."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal

from finops_dagster.domain.decisions import Decision, FindingKind, Rung
from finops_dagster.domain.money import MoneyRange
from finops_dagster.domain.pull_requests import PullRequest, PullRequestState
from finops_dagster.gitops.memory import SNOOZE_LABEL
from finops_dagster.gitops.reconcile import Rules
from finops_dagster.gitops.steps import REBASE_LABEL, STOP_LABEL
from tests.builders import MEMORY, NOW
from tests.contract.life import API, START, WEB, Life, cpu, memory, reasons

DAY = timedelta(days=1)


def ended(one: PullRequest) -> datetime:
    """When it ended, by the forge's clock or the run's, whichever is later."""
    assert one.ended_at is not None
    return max(one.ended_at, NOW)


def test_opened(life: Life) -> None:
    """Harm: the forge does not hold what later runs need: whose change it is, since when."""
    one = life.opened(cpu())
    of = cpu()
    assert (one.key, one.state) == (of.change_key, PullRequestState.OPEN)
    assert one.opened_at == NOW
    (member,) = one.members
    assert (member.key, member.kind, member.field) == (of.change_key, "rightsize_cpu", of.field)
    assert (member.before, member.after, member.owner) == ("2", "500m", "checkout")
    assert member.saving_per_month == of.saving_per_month
    assert one.rung is Rung.PROPOSE
    assert "web" in one.branch


def test_two_workloads_of_one_file_have_a_branch_each(life: Life) -> None:
    """Harm: the second change of a file overwrites the branch of the first."""
    done = life.run(cpu(), memory())
    one, two = life.open()
    assert len(done.opened) == 2
    assert one.branch != two.branch
    assert life.host.file(one.branch, WEB) == START[WEB].replace(b"cpu: 2 ", b"cpu: 500m ")
    assert life.host.file(two.branch, WEB) == START[WEB].replace(b"memory: 4Gi", b"memory: 1Gi")


def test_two_proposals_of_the_same_bytes_are_one(life: Life) -> None:
    """Harm: one line is changed by two pull requests, and the second conflicts with the first."""
    idle = cpu(kind=FindingKind.IDLE_WORKLOAD)
    one = life.opened(cpu(), idle)
    assert {member.kind for member in one.members} == {"rightsize_cpu", "idle_workload"}
    again = life.run(cpu(), idle)
    assert (len(again.unchanged), again.opened, again.updated) == (1, (), ())
    other = life.run(cpu(), idle.model_copy(update={"proposed": "250m"}))
    assert reasons(other.withheld) == ["the same value is proposed twice; the first is kept"]
    assert [kept.number for kept in life.open()] == [one.number]


def test_updated_only_when_what_it_says_changes(life: Life) -> None:
    """Harm: reviewers are notified of an edit every day, or read yesterday's number."""
    first = life.opened(cpu())
    busier = cpu(
        saving_per_month=MoneyRange(
            low=Decimal(400), mid=Decimal(470), high=Decimal(550), currency="USD"
        )
    )
    kept = life.run(busier, now=NOW + DAY)
    assert (len(kept.unchanged), kept.updated) == (1, ())
    assert life.open() == [first]
    assert len(life.run(cpu(proposed="700m"), now=NOW + DAY).updated) == 1
    asks = life.wanted(cpu(proposed="700m"), Decision.NEEDS_APPROVAL)
    assert "the verdict changed" in life.run(asks).updated[0].reason
    low = life.wanted(cpu(proposed="700m"), Decision.NEEDS_APPROVAL, Rung.ADVISE)
    told = life.run(low)
    assert "the rung changed to advise" in told.updated[0].reason
    assert "policy would only advise it now" in life.run(low).unchanged[0].reason
    owned = life.run(low, owners=lambda group: ("@acme/shop",))
    assert "who must approve" in owned.updated[0].reason
    (now,) = life.open()
    assert (now.number, now.opened_at) == (first.number, NOW)
    assert (now.rung, now.approvers) == (Rung.ADVISE, ("@acme/shop",))


def test_superseded_and_autoclosed(life: Life) -> None:
    """Harm: advice that no longer holds stays open, or vanishes without a word."""
    first = life.opened(cpu())
    done = life.run()
    (now,) = life.all()
    assert reasons(done.closed) == ["the recommendation no longer holds"]
    assert now.state is PullRequestState.SUPERSEDED
    assert now.title == f"{first.title} - autoclosed"
    assert now.branch not in life.host.branches()
    assert "no longer holds" in life.host.forge().comments(now.number)["closed"]
    assert not life.run().closed
    assert len(life.run(cpu()).opened) == 1


def test_a_close_that_was_cut_off_is_completed_or_taken_back(life: Life) -> None:
    """Harm: a run that died while closing leaves a title that says closed on an open one."""
    first = life.opened(cpu())
    half = first.model_copy(update={"title": f"{first.title} - autoclosed"})
    life.host.forge().update(half)
    back = life.run(cpu())
    assert reasons(back.updated) == ["it is wanted again"]
    assert life.open()[0].title == first.title
    life.host.forge().update(half)
    life.run()
    assert life.all()[0].title == f"{first.title} - autoclosed"


def test_another_kind_for_the_same_value_supersedes(life: Life) -> None:
    """Harm: a request to lower a value stays open beside one to raise it."""
    first = life.opened(cpu())
    short = cpu(kind=FindingKind.UNDERPROVISIONED_CPU, proposed="3")
    done = life.run(short)
    assert [one.number for one in done.closed] == [first.number]
    (now,) = life.open()
    assert now.branch == first.branch
    assert b"cpu: 3 " in life.host.file(now.branch, WEB)


def test_rejected(life: Life) -> None:
    """Harm: a bot that asks the same question again after a no, or never again though all
    changed."""
    first = life.opened(cpu())
    life.host.close(first.number)
    until = ended(life.numbered(first.number)) + 90 * DAY
    for same in (cpu(), cpu(proposed="550m")):
        done = life.run(same, now=NOW + DAY)
        assert not done.opened
        assert f"rejected by a person, as #{first.number}" in done.withheld[0].reason
        assert done.withheld[0].number == first.number
    assert not life.run(cpu(), now=until - DAY).opened
    assert len(life.run(cpu(proposed="600m"), now=NOW + DAY, act=False).opened) == 1
    more = MoneyRange(low=Decimal(500), mid=Decimal(577), high=Decimal(600), currency="USD")
    richer = life.run(cpu(saving_per_month=more), now=NOW + DAY, act=False)
    assert len(richer.opened) == 1
    other = more.model_copy(update={"currency": "EUR"})
    assert not life.run(cpu(saving_per_month=other), now=NOW + DAY, act=False).opened
    assert len(life.run(cpu(), now=until + DAY).opened) == 1


def test_an_older_no_still_counts_after_a_newer_one(life: Life) -> None:
    """Harm: after a second rejection of another value, the first question is asked again."""
    for value in ("500m", "900m"):
        one = life.opened(cpu(proposed=value))
        life.host.close(one.number)
    assert not life.run(cpu()).opened


def test_snoozed_by_label(life: Life) -> None:
    """Harm: `not now` is heard as `never`, or not at all."""
    first = life.opened(cpu())
    life.label(first.number, SNOOZE_LABEL)
    done = life.run(cpu())
    assert reasons(done.closed) == ["snoozed for 30 days"]
    closed = life.numbered(first.number)
    assert closed.state is PullRequestState.SUPERSEDED
    assert closed.title == first.title
    assert "snoozed" in life.host.forge().comments(first.number)["closed"]
    assert not life.run(cpu()).opened
    assert not life.run(cpu(proposed="900m"), now=ended(closed) + 29 * DAY).opened
    assert len(life.run(cpu(), now=ended(closed) + 31 * DAY).opened) == 1


def test_reverted_by_value(life: Life) -> None:
    """Harm: the bot overrides a person's rollback of what it had merged."""
    first = life.opened(cpu())
    life.host.forge().merge(first.number)
    assert b"cpu: 500m" in life.host.file("main", WEB)
    life.host.commit("main", {WEB: START[WEB]})
    for value in ("500m", "900m"):
        done = life.run(cpu(proposed=value), now=NOW + DAY)
        assert not done.opened
        assert "merged and set back by a person" in done.withheld[0].reason
    assert "reads as before again" in life.host.forge().comments(first.number)["reverted"]
    until = max(ended(life.numbered(first.number)), NOW + DAY) + 180 * DAY
    assert not life.run(cpu(proposed="900m"), now=until - DAY).opened
    assert len(life.run(cpu(), now=until + DAY).opened) == 1


def test_merged_and_further_advice(life: Life) -> None:
    """Harm: a value that was merged once is never looked at again."""
    life.host.forge().merge(life.opened(cpu()).number)
    assert len(life.run(cpu(current="500m", proposed="250m")).opened) == 1


def test_human_edited(life: Life) -> None:
    """Harm: a reviewer's correction is overwritten, or he is told of it every day."""
    first = life.opened(cpu())
    theirs = life.host.commit(first.branch, {"notes.txt": b"mine\n"})
    for value in ("700m", "800m"):
        done = life.run(cpu(proposed=value))
        assert reasons(done.unchanged) == ["a person committed to its branch; left alone"]
    assert list(life.host.forge().comments(first.number)) == ["stopped"]
    gone = life.run()
    assert not gone.closed
    assert "would be closed now" in life.host.forge().comments(first.number)["stopped"]
    assert list(life.host.forge().comments(first.number)) == ["stopped"]
    (now,) = life.open()
    assert now.head_sha == theirs
    assert ("human_decision", "committed") in {(e.kind, e.what) for e in gone.events}


def test_label_rebase_regenerates_once(life: Life) -> None:
    """Harm: there is no way back from a person's commit, or every run writes again."""
    first = life.opened(cpu())
    life.host.commit(first.branch, {"notes.txt": b"mine\n"})
    life.label(first.number, REBASE_LABEL, "theirs")
    done = life.run(cpu())
    assert reasons(done.updated) == [f"written again, as the label {REBASE_LABEL} asks"]
    (now,) = life.open()
    assert REBASE_LABEL not in now.labels
    assert "theirs" in now.labels
    assert life.host.parents(now.head_sha) == [life.head]
    assert not life.run(cpu()).updated


def test_label_stop(life: Life) -> None:
    """Harm: `hands off` is not obeyed."""
    first = life.opened(cpu())
    life.label(first.number, STOP_LABEL)
    for items in ((), (cpu(proposed="900m"),)):
        done = life.run(*items)
        assert (done.closed, done.updated, done.opened) == ((), (), ())
        assert STOP_LABEL in done.unchanged[0].reason
    life.host.forge().label(first.number, remove=[STOP_LABEL])
    assert len(life.run(cpu(proposed="900m")).updated) == 1


def test_conflicted(life: Life) -> None:
    """Harm: a pull request that no longer merges waits for ever, or loses a person's line."""
    first = life.opened(cpu())
    life.host.commit("main", {WEB: START[WEB].replace(b"# measured once", b"# measured twice")})
    done = life.run(cpu())
    assert "conflicted" in done.updated[0].reason
    (now,) = life.open()
    assert life.host.parents(now.head_sha) == [life.head]
    life.host.forge().merge(first.number)
    assert b"cpu: 500m    # measured twice" in life.host.file("main", WEB)


def test_a_base_that_moved_elsewhere_is_no_reason_to_write(life: Life) -> None:
    """Harm: every merge on main rewrites and re-notifies every open pull request."""
    first = life.opened(cpu())
    life.host.commit("main", {API: START[API] + b"# more\n"})
    assert len(life.run(cpu()).unchanged) == 1
    assert life.open() == [first]


def test_a_marker_that_was_removed(life: Life) -> None:
    """Harm: a tidied body leads to a second pull request, or to a lost no."""
    first = life.opened(cpu())
    life.host.tidy_body(first.number)
    for items in ((), (cpu(),)):
        done = life.run(*items)
        assert (done.opened, done.updated, done.closed) == ((), (), ())
        assert "its marker was removed" in done.unchanged[0].reason
    life.label(first.number, REBASE_LABEL)
    assert len(life.run(cpu()).updated) == 1
    assert life.open()[0].members
    life.host.tidy_body(first.number)
    life.host.close(first.number)
    assert "rejected by a person" in life.run(cpu()).withheld[0].reason


def test_denied_later(life: Life) -> None:
    """Harm: what policy forbids today can still be merged because it was opened yesterday."""
    life.opened(cpu())
    done = life.run(life.wanted(cpu(), Decision.DENY))
    assert reasons(done.closed) == ["policy denies it now: finops.headroom"]
    assert not life.open()


def test_the_ladder(life: Life) -> None:
    """Harm: what policy only advises is opened, or what it only observes is shown."""
    observed = life.wanted(cpu(), rung=Rung.OBSERVE, reason="A new rule.")
    advised = life.wanted(memory(), rung=Rung.ADVISE, reason="A new kind.")
    done = life.run(observed, advised)
    assert not done.opened
    assert reasons(done.withheld) == ["only observed: A new rule."]
    assert reasons(done.deferred) == ["only advised: A new kind."]


def test_what_changes_under_the_run_is_left_to_the_next(life: Life) -> None:
    """Harm: one pull request that a person merges meanwhile stops the whole run."""
    first = life.opened(cpu())

    class Meanwhile:
        """A forge on which a person merges just before the first is updated."""

        def __init__(self) -> None:
            self._forge = life.host.forge()

        def __getattr__(self, name: str) -> object:
            return getattr(self._forge, name)

        def update(self, one: PullRequest) -> PullRequest:
            self._forge.merge(first.number)
            return self._forge.update(one)

    done = life.run(cpu(proposed="900m"), memory(), forge=Meanwhile())
    assert "changed under the run" in done.unchanged[0].reason
    assert [one.state for one in life.all()] == [PullRequestState.MERGED, PullRequestState.OPEN]
    assert [one.members[0].field for one in life.open()] == [MEMORY]


def test_two_runners_at_once(life: Life) -> None:
    """Harm: two schedules meet, and each change is opened twice."""

    class Rival:
        """A forge on which another run does all of its work between our reading and opening."""

        def __init__(self) -> None:
            self._forge = life.host.forge()
            self._waits = True

        def __getattr__(self, name: str) -> object:
            return getattr(self._forge, name)

        def open(self, one: PullRequest) -> PullRequest:
            if self._waits:
                self._waits = False
                life.run(cpu(), memory())
            return self._forge.open(one)

    life.run(cpu(), memory(), forge=Rival())
    assert sorted(one.members[0].field for one in life.open()) == sorted([cpu().field, MEMORY])
    for one in life.open():
        assert one.branch in life.host.branches()
    assert len(life.run(cpu(), memory()).unchanged) == 2


def test_a_double_is_withdrawn(life: Life) -> None:
    """Harm: two pull requests for one change wait side by side for ever."""
    first = life.opened(cpu())
    forge = life.host.forge()
    double = first.model_copy(update={"branch": f"finops/other-{'0' * 16}", "labels": ("finops",)})
    head = forge.write_branch(double.branch, life.head, life.wanted(cpu()).changes, "m")
    second = forge.open(double.model_copy(update={"head_sha": head}))
    done = life.run(cpu())
    assert reasons(done.closed) == [f"the same change is open as #{first.number}"]
    assert [one.number for one in life.open()] == [first.number] != [second.number]


def test_people_are_heard(life: Life) -> None:
    """Harm: nobody can say afterwards who merged, rejected or held back what."""
    one = life.opened(cpu())
    life.host.forge().merge(one.number)
    two = life.opened(memory())
    life.host.close(two.number)
    three = life.opened(cpu("api"))
    life.label(three.number, STOP_LABEL)
    wanted = [cpu("api")]
    told = {(e.kind, e.what, e.number) for e in life.run(*wanted).events}
    assert told == {
        ("human_decision", "merged", one.number),
        ("human_decision", "rejected", two.number),
        ("human_decision", "labelled", three.number),
    }
    assert life.run(*wanted).events == life.run(*wanted).events
    opening = life.run(cpu("api"), cpu("job")).events
    assert ("action", "opened", 4) in {(e.kind, e.what, e.number) for e in opening}


def test_nothing_is_done_without_leave(life: Life) -> None:
    """Harm: `--no-act` labels, comments, ticks off or writes a dashboard."""
    life.rules = replace(Rules(), dashboard=True)
    first = life.opened(cpu())
    life.label(first.number, REBASE_LABEL)
    before, branches = life.all(), life.host.branches()
    done = life.run(cpu(), memory(), act=False)
    assert len(done.opened) == len(done.updated) == 1
    assert (life.all(), life.host.branches()) == (before, branches)
