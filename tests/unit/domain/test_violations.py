"""When violations of policy turn: what the ledger is given, and how old each of them is."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from finops_dagster.domain.decisions import Decision
from finops_dagster.domain.violations import (
    Seen,
    Turned,
    Violation,
    ViolationTurn,
    first_days,
    turns,
)

DAY = date(2026, 5, 4)
NOBODY: frozenset[str] = frozenset()


def violation(name: str = "web", **changes: Any) -> Violation:
    """A Deployment over its memory; `changes` replace fields."""
    given: dict[str, Any] = {
        "resource": f"Deployment/shop/{name}",
        "seen": Seen.DECLARED,
        "owner": "checkout",
        "environment": "prod",
        "rule_id": "serverless.memory",
        "title": "Over its ceiling",
        "decision": Decision.DENY,
        "actual": "1536 MiB",
        "limit": "1024 MiB",
        "fix": "Lower it.",
        "file": "web.yaml",
        **changes,
    }
    return Violation(**given)


def test_one_that_stands_is_recorded_once_and_ages() -> None:
    """Harm: the ledger grows by every violation every day, and nobody sees how old one is."""
    ledger = turns([], [violation()], NOBODY, DAY)
    assert [(one.turned, one.day, one.first_day) for one in ledger] == [(Turned.APPEARED, DAY, DAY)]
    later = DAY + timedelta(days=9)
    assert turns(ledger, [violation()], NOBODY, later) == []
    assert first_days(ledger, later) == {("Deployment/shop/web", "serverless.memory"): DAY}


def test_one_that_reads_otherwise_keeps_its_first_day() -> None:
    """Harm: who adds one MiB to a violation makes it new again."""
    ledger = turns([], [violation()], NOBODY, DAY)
    ledger += turns(ledger, [violation(actual="1537 MiB")], NOBODY, DAY + timedelta(days=3))
    assert [(one.turned, one.first_day) for one in ledger] == [
        (Turned.APPEARED, DAY),
        (Turned.CHANGED, DAY),
    ]


def test_one_that_was_gone_begins_anew() -> None:
    """Harm: a violation that was mended and came back looks as if nobody had ever mended it."""
    second, third = DAY + timedelta(days=1), DAY + timedelta(days=2)
    ledger = turns([], [violation()], NOBODY, DAY)
    ledger += turns(ledger, [], NOBODY, second)
    assert (ledger[-1].turned, ledger[-1].day) == (Turned.ENDED, second)
    assert first_days(ledger, second) == {}
    ledger += turns(ledger, [violation()], NOBODY, third)
    assert first_days(ledger, third) == {("Deployment/shop/web", "serverless.memory"): third}
    assert len({one.id for one in ledger}) == 3, "the same id would not be written again"


def test_what_was_not_looked_at_has_not_ended() -> None:
    """Harm: a manifest that cannot be read today mends every violation in it."""
    ledger = turns([], [violation(), violation("api")], NOBODY, DAY)
    ended = turns(ledger, [], frozenset({"Deployment/shop/web"}), DAY + timedelta(days=1))
    assert [one.violation.resource for one in ended] == ["Deployment/shop/api"]


def test_an_earlier_day_decided_again_records_nothing() -> None:
    """Harm: what is decided again for last week ends what stands today."""
    ledger = turns([], [violation()], NOBODY, DAY)
    assert turns(ledger, [], NOBODY, DAY - timedelta(days=1)) == []


@given(st.lists(st.sets(st.tuples(st.sampled_from("abc"), st.sampled_from("12"))), max_size=8))
def test_the_ledger_tells_every_day_what_stood(days: list[set[tuple[str, str]]]) -> None:
    """Harm: changes there and back leave the ledger telling another state than the last one.

    Held against the obvious: the first of the last days in a row on which each was seen.
    """
    ledger: list[ViolationTurn] = []
    for number, seen in enumerate(days):
        day = DAY + timedelta(days=number)
        today = [violation(name, actual=max(a for n, a in seen if n == name))
                 for name in sorted({name for name, _ in seen})]  # fmt: skip
        new = turns(ledger, today, NOBODY, day)
        ledger += new
        assert turns(ledger, today, NOBODY, day) == [], "running again changes nothing"
        wanted = {}
        for one in today:
            begun = number
            while begun and any(f"Deployment/shop/{n}" == one.resource for n, _ in days[begun - 1]):
                begun -= 1
            wanted[one.key] = DAY + timedelta(days=begun)
        assert first_days(ledger, day) == wanted
        last = {turn.violation.key: turn for turn in ledger}
        assert {k: t.violation for k, t in last.items() if t.turned is not Turned.ENDED} == {
            one.key: one for one in today
        }
    assert len({one.id for one in ledger}) == len(ledger)
