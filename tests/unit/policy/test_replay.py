"""What another policy would have said: proposals and pull requests compared, money by currency."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

from finops_dagster.domain.decisions import Decision, FindingKind
from finops_dagster.domain.money import MoneyRange, Range
from finops_dagster.domain.pull_requests import PullRequest, PullRequestState
from finops_dagster.policy.replay import (
    Reach,
    Replayed,
    pull_request_of,
    reach,
    reaches,
    replayed,
    totals,
)
from tests.builders import proposal, verdict

DAY = date(2026, 5, 4)


def money(amount: str, currency: str = "USD") -> MoneyRange:
    value = Decimal(amount)
    return MoneyRange(low=value, mid=value, high=value, currency=currency)


def pull(number: int, key: str, state: PullRequestState, **changes: Any) -> PullRequest:
    given: dict[str, Any] = {
        "number": number, "key": key, "kind": "", "resource": "", "branch": "b", "base_sha": "",
        "head_sha": "", "state": state, "title": "", "body": "", "url": "", "files": (),
        "saving_per_month": money("1"), "carbon_kg_per_month": Range(low=0, mid=0, high=0),
        "verdict": Decision.ALLOW, "rules": (), "fingerprint": "", "proposal_id": "", "labels": (),
        **changes,
    }  # fmt: skip
    return PullRequest(**given)


def item(
    name: str,
    before: Decision,
    after: Decision,
    state: PullRequestState | None,
    amount: str = "10",
    currency: str = "USD",
    day: date = DAY,
) -> Replayed:
    one = proposal(resource=f"Deployment/shop/{name}", saving_per_month=money(amount, currency))
    held = None if state is None else pull(1, one.change_key, state)
    return replayed(day, one, None, verdict(one, before), verdict(one, after), held)


def test_rules_that_come_and_go_are_named() -> None:
    """Harm: a changed verdict without the rule that changed it cannot be argued with."""
    found = item("web", Decision.ALLOW, Decision.DENY, None)
    assert (found.rules_added, found.rules_dropped) == (("finops.headroom",), ())
    back = item("web", Decision.DENY, Decision.ALLOW, None)
    assert (back.rules_added, back.rules_dropped) == ((), ("finops.headroom",))
    assert found.realised is None


def test_reach_is_what_people_undid_or_did_all_the_same() -> None:
    """Harm: a policy that blocks what everybody merges is taken for a careful one."""
    merged, reverted = PullRequestState.MERGED, PullRequestState.REVERTED
    assert reach(Decision.DENY, merged) is Reach.OVERREACH
    assert reach(Decision.DENY, reverted) is None
    assert reach(Decision.ALLOW, reverted) is Reach.UNDERREACH
    assert reach(Decision.NEEDS_APPROVAL, PullRequestState.REJECTED) is Reach.UNDERREACH
    assert reach(Decision.ALLOW, merged) is None
    assert reach(Decision.ALLOW, None) is None
    assert reach(Decision.DENY, PullRequestState.OPEN) is None


def test_a_change_proposed_on_many_days_counts_once_and_no_currency_joins_another() -> None:
    """Harm: a saving of 10 a month that waited for ten days is told as 100; EUR is added to USD."""
    allow, deny, merged = Decision.ALLOW, Decision.DENY, PullRequestState.MERGED
    items = [
        item("web", allow, deny, merged, "11", day=date(2026, 5, 3)),
        item("web", allow, deny, merged, "12"),
        item("api", allow, deny, merged, "5"),
        item("db", allow, deny, merged, "7", "EUR"),
        item("old", allow, allow, None, "1"),
    ]
    assert [(t.what, t.currency, t.changes, t.saving_per_month) for t in totals(items)] == [
        ("allow -> allow", "USD", 1, Decimal(1)),
        ("allow -> deny", "EUR", 1, Decimal(7)),
        ("allow -> deny", "USD", 2, Decimal(17)),
    ]
    assert [(t.what, t.currency, t.changes, t.saving_per_month) for t in reaches(items)] == [
        ("overreach after", "EUR", 1, Decimal(7)),
        ("overreach after", "USD", 2, Decimal(17)),
    ]


def test_the_pull_request_is_the_one_of_that_time() -> None:
    """Harm: a change rejected in spring is told to have been merged, as it was in autumn."""
    one = proposal(kind=FindingKind.RIGHTSIZE_CPU)
    ended = datetime(2026, 5, 1, tzinfo=UTC)
    first = pull(1, one.change_key, PullRequestState.REJECTED, ended_at=ended)
    second = pull(2, one.change_key, PullRequestState.MERGED)
    assert pull_request_of(one, date(2026, 4, 30), [second, first]) == first
    assert pull_request_of(one, DAY, [second, first]) == second
    assert pull_request_of(one, DAY, [first, pull(3, "another", PullRequestState.OPEN)]) is None
