"""Which incidents page, which are held and why, and what feedback does to thresholds."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import pytest

from finops_dagster.domain.decisions import Evidence
from finops_dagster.domain.incidents import (
    Acknowledgement,
    Alert,
    Channel,
    Feedback,
    Held,
    Incident,
    KnownEvent,
    Part,
    Severity,
    Verdict,
)
from finops_dagster.domain.money import Money, MoneyRange
from finops_dagster.engines.anomalies import AlertPolicy, alerts, factors

TODAY = date(2026, 5, 20)


def incident(
    name: str = "a",
    severity: Severity = Severity.MEDIUM,
    share: float = 0.02,
    team: str = "payments",
    since: date = TODAY,
    parts: tuple[str, ...] = (),
) -> Incident:
    money = Money(amount=Decimal(10), currency="USD")
    return Incident(
        kind=Channel.POINT,
        resource=f"acc/{name}/{team}",
        owner=team,
        since=since,
        last_seen=since,
        ongoing=True,
        currency="USD",
        money=money,
        saving_per_month=MoneyRange(
            low=Decimal(0), mid=Decimal(0), high=Decimal(0), currency="USD"
        ),
        cause="",
        dimensions=tuple(
            Part(account="acc", service=one, team=team, money=money) for one in parts or (name,)
        ),
        confidence=1.0,
        evidence=Evidence(
            window_start=datetime(2026, 1, 1, tzinfo=UTC),
            window_end=datetime(2026, 5, 20, tzinfo=UTC),
            samples=1,
            figures={},
        ),
        as_of=TODAY,
        origin=f"acc/{name}/{team}",
        severity=severity,
        share_of_month=share,
    )


def page(one: Incident, on: date, severity: Severity = Severity.MEDIUM) -> Alert:
    return Alert(
        incident=one.id, team=one.owner, leaf=one.origin, on=on, severity=severity, pages=True
    )


def test_an_incident_pages_its_team() -> None:
    """An incident that nobody is told of costs on."""
    (alert,) = alerts([incident()], TODAY)
    assert alert.pages
    assert alert.held is None
    assert (alert.team, alert.leaf, alert.on) == ("payments", "acc/a/payments", TODAY)


@pytest.mark.parametrize(
    ("event", "held"),
    [
        (KnownEvent(service="a*", first=TODAY, last=TODAY, why="move"), Held.KNOWN_EVENT),
        (KnownEvent(team="paym?nts", first=TODAY, last=TODAY, why="move"), Held.KNOWN_EVENT),
        (KnownEvent(service="A", first=TODAY, last=TODAY, why="move"), None),
        (KnownEvent(account="other", first=TODAY, last=TODAY, why="move"), None),
        (KnownEvent(first=date(2026, 5, 1), last=date(2026, 5, 19), why="move"), None),
        (KnownEvent(first=date(2026, 5, 21), last=date(2026, 5, 30), why="move"), None),
    ],
)
def test_what_is_expected_is_held_with_its_reason(event: KnownEvent, held: Held | None) -> None:
    """A migration that was announced wakes nobody; the week after it does."""
    (alert,) = alerts([incident("ab" if event.service == "a*" else "a")], TODAY, known=[event])
    assert alert.held is held
    assert alert.pages is (held is None)
    assert alert.reason == ("move" if held else "")


def test_one_part_that_is_not_expected_makes_it_news() -> None:
    """A migration must not hide what else went wrong that day."""
    event = KnownEvent(service="a", first=TODAY, last=TODAY, why="move")
    (alert,) = alerts([incident(parts=("a", "b"))], TODAY, known=[event])
    assert alert.pages
    other = KnownEvent(service="b", first=TODAY, last=TODAY, why="sale")
    (alert,) = alerts([incident(parts=("a", "b"))], TODAY, known=[event, other])
    assert alert.reason == "move; sale"


def test_an_acknowledged_incident_is_left_to_its_person() -> None:
    """Two people on one incident are one too many; after the date it is anybody's again."""
    one = incident()
    word = Acknowledgement(incident=one.id, by="kim", on=date(2026, 5, 18), until=TODAY)
    (alert,) = alerts([one], TODAY, acknowledged=[word])
    assert alert.held is Held.ACKNOWLEDGED
    assert alert.reason == "kim looks after it since 2026-05-18"
    (alert,) = alerts([one], TODAY + timedelta(days=1), acknowledged=[word])
    assert alert.pages
    (alert,) = alerts([one], date(2026, 5, 17), acknowledged=[word])
    assert alert.pages


def test_an_incident_pages_again_only_when_it_is_worse() -> None:
    """The same page every morning is ignored by the third."""
    one = incident(since=date(2026, 4, 1))
    sent = [page(one, date(2026, 4, 1))]
    (alert,) = alerts([one], TODAY, earlier=sent)
    assert alert.held is Held.COOLING_OFF
    assert "paged for it on 2026-04-01" in alert.reason
    worse = one.model_copy(update={"severity": Severity.HIGH})
    (alert,) = alerts([worse], TODAY, earlier=sent)
    assert alert.pages


def test_a_leaf_cools_off() -> None:
    """A leaf that spikes every second day is one talk, not ten pages."""
    before = incident(since=date(2026, 5, 13))
    sent = [page(before, date(2026, 5, 13))]
    (alert,) = alerts([incident()], TODAY, earlier=sent)
    assert alert.held is Held.COOLING_OFF
    (alert,) = alerts([incident(since=date(2026, 5, 21))], date(2026, 5, 21), earlier=sent)
    assert alert.pages
    (alert,) = alerts([incident("b")], TODAY, earlier=sent)
    assert alert.pages


def test_the_budget_goes_to_what_weighs_most() -> None:
    """Ten pages on one day: the one that matters must be among the first three."""
    many = [
        incident("a", Severity.LOW, 0.001),
        incident("b", Severity.HIGH, 0.06),
        incident("c", Severity.MEDIUM, 0.02),
        incident("d", Severity.HIGH, 0.5),
        incident("e", Severity.LOW, 0.001, team="search"),
    ]
    policy = AlertPolicy(pages_per_team_and_day=2)
    found = {one.leaf: one for one in alerts(many, TODAY, policy=policy)}
    assert {leaf for leaf, one in found.items() if one.pages} == {
        "acc/d/payments", "acc/b/payments", "acc/e/search",
    }  # fmt: skip
    assert found["acc/c/payments"].held is Held.BUDGET_SPENT
    assert found["acc/c/payments"].reason == "payments was paged 2 times today"


def test_what_is_held_spends_no_budget_and_a_second_run_of_the_day_spends_none_anew() -> None:
    """A rerun must not page the next three."""
    event = KnownEvent(service="a", first=TODAY, last=TODAY, why="move")
    policy = AlertPolicy(pages_per_team_and_day=1)
    both = [incident("a", Severity.HIGH), incident("b")]
    first = alerts(both, TODAY, known=[event], policy=policy)
    assert [one.pages for one in first] == [False, True]
    third = incident("c", Severity.HIGH)
    (alert,) = alerts([third], TODAY, earlier=first, policy=policy)
    assert alert.held is Held.BUDGET_SPENT


def test_milder_than_asked_for_is_left_out() -> None:
    """A team may ask for what is severe alone."""
    policy = AlertPolicy(least=Severity.HIGH)
    assert alerts([incident()], TODAY, policy=policy) == []


def said(verdict: Verdict, number: int, on: date = date(2026, 5, 1)) -> Feedback:
    return Feedback(incident=str(number), leaf="acc/a/t", verdict=verdict, on=on)


@pytest.mark.parametrize(
    ("words", "factor"),
    [
        ([Verdict.NOISE], 1.25),
        ([Verdict.NOISE] * 9, 2.0),
        ([Verdict.USEFUL], 0.9),
        ([Verdict.USEFUL] * 9, 0.8),
        ([Verdict.NOISE, Verdict.USEFUL], 1.125),
    ],
)
def test_feedback_moves_thresholds_within_limits(words: list[Verdict], factor: float) -> None:
    """Nobody may switch a leaf off by saying noise often enough."""
    feedback = [said(word, number) for number, word in enumerate(words)]
    assert factors(feedback, TODAY) == {"acc/a/t": pytest.approx(factor)}


def test_feedback_counts_from_the_day_after_and_once_an_incident() -> None:
    """A verdict of a past day must not know what was said of it later."""
    assert factors([said(Verdict.NOISE, 1, TODAY)], TODAY) == {}
    changed = [said(Verdict.NOISE, 1), said(Verdict.USEFUL, 1, date(2026, 5, 2))]
    assert factors(changed, TODAY) == {"acc/a/t": pytest.approx(0.9)}
