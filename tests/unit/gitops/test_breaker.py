"""The circuit breaker: what stops what, that a stop lasts, and what a reset forgives."""

from __future__ import annotations

from datetime import datetime, timedelta
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from finops_dagster.domain.decisions import Decision
from finops_dagster.domain.money import MoneyRange, Range
from finops_dagster.domain.pull_requests import Member, PullRequest, PullRequestState
from finops_dagster.gitops.breaker import Effect, Thresholds, Trip, trips
from tests.builders import CPU, NOW

LIMITS = Thresholds()
SAVING = MoneyRange(low=Decimal(1), mid=Decimal(2), high=Decimal(3), currency="USD")


def ago(days: float) -> datetime:
    return NOW - timedelta(days=days)


def pull(
    number: int, days_ago: float = 1, *, state: PullRequestState = PullRequestState.MERGED,
    key: str = "", kind: str = "rightsize_cpu", owner: str = "checkout", before: str = "2",
    after: str = "1", saving: MoneyRange = SAVING,
) -> PullRequest:  # fmt: skip
    member = Member(
        key=key or f"key-{number}", kind=kind, resource="Deployment/shop/web", field=CPU,
        before=before, after=after, fingerprint=f"change-{number}", proposal_id=f"p-{number}",
        owner=owner, saving_per_month=saving,
    )  # fmt: skip
    return PullRequest(
        number=number, key=member.key, kind=kind, resource=member.resource, branch="finops/x",
        base_sha="", head_sha="", state=state, title="", body="", url="", files=(),
        saving_per_month=saving, carbon_kg_per_month=Range(low=0, mid=0, high=0),
        verdict=Decision.ALLOW, rules=(), fingerprint=member.fingerprint,
        proposal_id=member.proposal_id, labels=(), members=(member,), ended_at=ago(days_ago),
    )  # fmt: skip


def effect(number: int, **measured: float | str) -> Effect:
    values: dict[str, object] = {
        "oom_kills_before_per_day": None, "oom_kills_after_per_day": None,
        "cost_before_per_day": None, "cost_after_per_day": None, "currency": "USD", **measured,
    }  # fmt: skip
    return Effect(number=number, days_after=7.0, **values)  # type: ignore[arg-type]


def stopped(
    history: list[PullRequest], effects: list[Effect] | None = None, **reset: datetime
) -> dict[str, str]:
    found = trips(history, effects or [], LIMITS, NOW, (), {k.replace("__", ":"): v
                                                            for k, v in reset.items()})  # fmt: skip
    return {one.scope: one.reason for one in found}


def test_a_value_changed_too_often_is_stopped() -> None:
    """Harm: the same number is changed every few days and every review is for nothing."""
    history = [pull(n, 10 - n, key="key-a", before=str(9 - n), after=str(8 - n)) for n in (1, 2)]
    assert stopped(history) == {}
    history.append(pull(3, 1, key="key-a", before="6", after="5"))
    assert stopped(history) == {
        "value:key-a": f"Deployment/shop/web {CPU} was changed 3 times in 14 days, more than 2"
    }
    history[0] = pull(1, 15, key="key-a")
    assert stopped(history) == {}


def test_a_value_that_goes_to_and_fro_is_stopped_before_its_count() -> None:
    """Harm: automation lowers what it raised and raises what it lowered, within every limit."""
    often = Thresholds(changes_of_one_value=20)
    for values in (["500m", "1", "520m", "1100m"], ["a", "b", "a", "b"]):
        history = [
            pull(n, 9 - n, key="key-a", before=values[n], after=values[n + 1]) for n in range(3)
        ]
        assert trips(history[:2], [], often, NOW, (), {}) == ()
        (found,) = trips(history, [], often, NOW, (), {})
        assert found.scope == "value:key-a"
        assert " to ".join(values) in found.reason
    steady = [pull(n, 9 - n, key="key-a", before=str(9 - n), after=str(8 - n)) for n in range(4)]
    assert trips(steady, [], often, NOW, (), {}) == ()


def test_reverts_stop_their_kind_and_then_all() -> None:
    """Harm: people undo change after change, and automation goes on with more of them."""
    undone = PullRequestState.REVERTED
    history = [pull(n, state=undone) for n in range(2)]
    assert stopped(history) == {}
    history.append(pull(3, state=undone))
    assert set(stopped(history)) == {"kind:rightsize_cpu"}
    history += [pull(n, state=undone, kind=f"kind_{n}") for n in (4, 5)]
    assert set(stopped(history)) == {"kind:rightsize_cpu", "all"}


@pytest.mark.parametrize(
    ("before", "after", "stops"),
    [(1.0, 2.0, True), (1.0, 1.9, False), (0.0, 0.15, False), (0.0, 0.2, True), (0.0, 0.0, False)],
)
def test_oom_kills_after_merges_stop_their_kind(before: float, after: float, stops: bool) -> None:
    """Harm: every pull request kills another workload, and the next is opened."""
    measured = effect(1, oom_kills_before_per_day=before, oom_kills_after_per_day=after)
    assert set(stopped([pull(1)], [measured])) == ({"kind:rightsize_cpu"} if stops else set())


def test_kills_of_a_change_that_is_not_measured_yet_are_none() -> None:
    """Harm: two hours of data stop a kind, or let one through that cannot be told."""
    measured = effect(1, oom_kills_before_per_day=0.0)
    assert stopped([pull(1)], [measured, effect(99, oom_kills_after_per_day=9.0)]) == {}


def test_cost_that_rose_where_a_fall_was_promised_stops_the_team() -> None:
    """Harm: what was to save money costs more, for weeks; or other currencies are added up."""
    rose = [
        effect(1, cost_before_per_day=10.0, cost_after_per_day=12.5),
        effect(2, cost_before_per_day=900.0, cost_after_per_day=1.0, currency="EUR"),
    ]
    history = [pull(1), pull(2, owner="search")]
    found = stopped(history, rose)
    assert set(found) == {"team:checkout"}
    assert "12.50 USD a day after their merges, 10.00 before" in found["team:checkout"]
    dearer = MoneyRange(low=Decimal(-9), mid=Decimal(-5), high=Decimal(-1), currency="USD")
    assert stopped([pull(1, saving=dearer)], rose) == {}


def test_a_stop_lasts_until_a_person_resets_it_and_only_what_comes_later_counts() -> None:
    """Harm: a stop goes away by itself, or what led to it stops everything again after a reset."""
    undone = PullRequestState.REVERTED
    history = [pull(n, 3, state=undone) for n in range(3)]
    (first,) = trips(history, [], LIMITS, NOW, (), {})
    later = NOW + timedelta(days=60)
    assert trips([], [], LIMITS, later, (first,), {}) == (first,)
    reset = {"kind:rightsize_cpu": NOW + timedelta(hours=1)}
    assert trips(history, [], LIMITS, NOW + timedelta(days=1), (first,), reset) == ()
    history += [pull(n, -0.5, state=undone) for n in (4, 5, 6)]
    again = trips(history, [], LIMITS, NOW + timedelta(days=1), (first,), reset)
    assert [(one.scope, one.at) for one in again] == [
        ("all", NOW + timedelta(days=1)),
        ("kind:rightsize_cpu", NOW + timedelta(days=1)),
    ]
    assert again[1].reason.startswith("3 of them were reverted")


HISTORY = st.lists(
    st.builds(
        pull,
        st.integers(1, 40),
        st.floats(0, 20),
        state=st.sampled_from(PullRequestState),
        key=st.sampled_from(["key-a", "key-b"]),
        kind=st.sampled_from(["rightsize_cpu", "idle_workload"]),
        owner=st.sampled_from(["checkout", "search"]),
        before=st.sampled_from(["1", "2", "off"]),
        after=st.sampled_from(["1", "3", "on"]),
    ),
    max_size=9,
)


@settings(max_examples=80, deadline=None)
@given(HISTORY, HISTORY, st.floats(0, 30))
def test_more_changes_never_close_it_and_nothing_is_forgotten(
    history: list[PullRequest], more: list[PullRequest], days: float
) -> None:
    """Harm: a stop disappears because something else happened or time went by."""
    latched = trips(history, [], LIMITS, NOW, (), {})
    scopes = {one.scope for one in latched}
    counted = {one.scope for one in trips([*history, *more], [], LIMITS, NOW, (), {})}
    flapping = {one.scope for one in latched if "to and fro" in one.reason}
    assert scopes - flapping <= counted
    later = trips(more, [], LIMITS, NOW + timedelta(days=days), latched, {})
    assert later[: len(latched)] == latched


@settings(max_examples=40, deadline=None)
@given(HISTORY)
def test_a_reset_of_everything_leaves_nothing(history: list[PullRequest]) -> None:
    """Harm: what a person started again is stopped by the very same past."""
    latched = trips(history, [], LIMITS, NOW, (), {})
    reset = dict.fromkeys([one.scope for one in latched], NOW)
    assert trips(history, [], LIMITS, NOW, latched, reset) == ()


def test_what_is_latched_in_the_dashboard_is_what_is_latched_here() -> None:
    """Harm: a stop that was written down and read again counts as another."""
    trip = Trip("all", NOW, "why")
    assert trips([], [], LIMITS, NOW, (trip, trip), {}) == (trip,)
