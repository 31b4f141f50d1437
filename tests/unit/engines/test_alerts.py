"""Who is told of which incident: never of one that was known, nor of the same one twice."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta

import pytest

from finops_dagster.domain.alerts import Alert, Answer, Held, Opinion
from finops_dagster.domain.changes import By
from finops_dagster.domain.events import Event
from finops_dagster.domain.incidents import Explained, Incident, Severity
from finops_dagster.engines.anomalies import Changes, explain
from finops_dagster.engines.anomalies.alerts import AlertRules, decide_alerts, factors
from tests.builders import incident

DAY = date(2026, 10, 20)
RULES = AlertRules(per_team_and_day=2, cool_off_days=7)


def answer(one: Incident, opinion: Opinion, said: date = DAY, until: date | None = None) -> Answer:
    parts = tuple((p.account, p.service, p.team, p.money.currency) for p in one.dimensions)
    at = datetime(said.year, said.month, said.day, 9, tzinfo=UTC)
    return Answer(incident=one.id, opinion=opinion, parts=parts, until=until, said_at=at)


def decided(
    incidents: Sequence[Incident],
    events: Sequence[Event] = (),
    answers: Sequence[Answer] = (),
    earlier: Sequence[Alert] = (),
    as_of: date = DAY,
) -> list[Held | None]:
    found = explain(incidents, events, Changes(), as_of)
    return [one.held for one in decide_alerts(found, answers, earlier, RULES, as_of)]


def event(**more: object) -> Event:
    return Event.model_validate({"name": "load test", "from": DAY, **more})


def test_a_new_incident_is_told_and_the_same_one_not_again() -> None:
    """A lasting rise told every morning is turned off, and the next one with it."""
    one = incident(service="compute", amount="100", ongoing=True)
    first = decide_alerts([one], (), (), RULES, DAY)
    assert [alert.held for alert in first] == [None]
    for after in (1, 7, 8, 60):
        day = DAY + timedelta(days=after)
        assert decided([one], earlier=first, as_of=day) == [Held.COOLING_OFF]


def test_deciding_a_day_again_tells_the_same() -> None:
    """A run that is repeated must not find its own alert and be silent."""
    one = incident(service="compute", amount="100")
    first = decide_alerts([one], (), (), RULES, DAY)
    assert decide_alerts([one], (), first, RULES, DAY) == first


def test_one_that_became_more_severe_is_told_again() -> None:
    """Silence must not outlast the size that it was agreed on."""
    first = decide_alerts([incident(severity=Severity.MEDIUM)], (), (), RULES, DAY)
    day = DAY + timedelta(days=2)
    held = [decided([incident(severity=s)], earlier=first, as_of=day) for s in Severity]
    assert held == [[Held.COOLING_OFF], [Held.COOLING_OFF], [None]]


def test_the_same_costs_are_not_told_again_within_the_cool_off() -> None:
    """A second incident of a service in a week is most often the first one still going."""
    first = decide_alerts([incident()], (), (), RULES, DAY)
    again = incident(since=DAY + timedelta(days=1), last_seen=DAY + timedelta(days=8))
    assert decided([again], earlier=first, as_of=DAY + timedelta(days=7)) == [Held.COOLING_OFF]
    assert decided([again], earlier=first, as_of=DAY + timedelta(days=8)) == [None]


def test_a_team_is_told_of_its_most_severe_in_whatever_currency() -> None:
    """Ten alerts a day are none; and 90 EUR are neither more nor less than 100 USD."""
    shares = {"a": 0.02, "b": 0.04, "c": 0.03, "d": 0.01}
    of_team = [incident(service=s, share_of_month=share) for s, share in shares.items()]
    severe = incident(service="e", currency="EUR", amount="1", severity=Severity.HIGH)
    other = incident(service="f", team="checkout")
    spent = Held.BUDGET_SPENT
    assert decided([*of_team, severe, other]) == [spent, None, spent, spent, None, None]


@pytest.mark.parametrize(
    ("of", "held"),
    [
        ({}, Held.KNOWN_EVENT),
        ({"team": ["SEARCH"]}, Held.KNOWN_EVENT),
        ({"service": ["comp*"], "account": ["1234"]}, Held.KNOWN_EVENT),
        ({"service": ["storage"]}, None),
    ],
)
def test_what_was_known_to_come_is_not_told(of: dict[str, list[str]], held: Held | None) -> None:
    """A planned migration that pages at night is the last one that is entered."""
    one = incident(service="compute", since=DAY)
    assert decided([one], [event(of=of)]) == [held]


def test_each_part_may_have_an_event_of_its_own_and_one_without_is_news() -> None:
    """A migration is told as two events, and what else moved that day is none of them."""
    one = incident(service="compute", since=DAY)
    both = (*one.dimensions, *incident(service="storage").dimensions)
    moved = one.model_copy(update={"dimensions": both})
    compute, storage = (event(of={"service": [name]}) for name in ("compute", "storage"))
    assert decided([moved], [compute, storage]) == [Held.KNOWN_EVENT]
    assert decided([moved], [compute]) == [None]


def test_an_event_covers_what_began_in_it_if_it_was_known() -> None:
    """An excuse that is found afterwards, or is over, excuses nothing."""
    early = incident(service="compute", since=DAY - timedelta(days=1))
    late = incident(service="compute", since=DAY + timedelta(days=3))
    ends = event(until=DAY + timedelta(days=2))
    assert decided([early], [ends], as_of=DAY) == [None]
    assert decided([late], [ends], as_of=DAY + timedelta(days=3)) == [None]
    learnt = event(known_from=DAY + timedelta(days=1))
    assert decided([incident(service="compute", since=DAY)], [learnt]) == [None]


@pytest.mark.parametrize(
    ("by", "severity", "held"),
    [
        ((By.GIT,), Severity.MEDIUM, Held.DECLARED),
        ((By.GIT,), Severity.HIGH, None),
        ((By.GIT, By.KNOWN_EVENT), Severity.HIGH, None),
        ((By.KNOWN_EVENT,), Severity.HIGH, Held.KNOWN_EVENT),
    ],
)
def test_what_a_commit_declares_is_told_where_it_is_large(
    by: tuple[By, ...], severity: Severity, held: Held | None
) -> None:
    """Three hundred replicas in place of three are declared, and nobody meant to pay for them."""
    explained = Explained(by=by, because="spec.replicas 3 to 300")
    one = incident(severity=severity, explained=explained)
    assert [alert.held for alert in decide_alerts([one], (), (), RULES, DAY)] == [held]


@pytest.mark.parametrize(("after", "held"), [(14, Held.KNOWN_EVENT), (15, None)])
def test_a_lasting_change_excuses_what_begins_with_it(after: int, held: Held | None) -> None:
    """An event without an end must not silence its costs for ever."""
    day = DAY + timedelta(days=after)
    assert decided([incident(since=day)], [event()], as_of=day) == [held]


def test_what_was_over_long_ago_is_no_news() -> None:
    """A first look at a bill must not call people for last month."""
    seen = [incident(since=DAY - timedelta(days=n)) for n in (7, 8)]
    goes_on = incident(since=DAY - timedelta(days=30), ongoing=True)
    assert decided([*seen, goes_on]) == [None, Held.OVER, None]


def test_an_acknowledged_one_is_held_until_its_day() -> None:
    """Who has it in hand needs no second call, until the day they said."""
    one = incident(service="compute", since=DAY - timedelta(days=2))
    until = answer(one, Opinion.ACKNOWLEDGED, until=DAY + timedelta(days=1))
    held = [decided([one], answers=[until], as_of=DAY + timedelta(days=n)) for n in (0, 1, 2)]
    assert held == [[Held.ACKNOWLEDGED], [Held.ACKNOWLEDGED], [None]]
    # the same cause under another day, and what began after the word
    earlier = incident(service="compute", since=DAY - timedelta(days=4))
    after = incident(service="compute", since=DAY + timedelta(days=1))
    assert decided([earlier, after], answers=[until], as_of=DAY + timedelta(days=1)) == [
        Held.ACKNOWLEDGED, None,
    ]  # fmt: skip


def test_words_move_thresholds_within_limits() -> None:
    """Feedback that could silence a cost for good, or make it cry at everything, would be used."""
    many = [incident(since=DAY - timedelta(days=n)) for n in range(9)]
    key = ("1234", "compute", "search", "USD")
    noise = [answer(one, Opinion.NOISE, one.since) for one in many]
    useful = [answer(one, Opinion.USEFUL, one.since) for one in many]
    assert factors(noise[:1], DAY) == {key: 1.25}
    assert factors(noise, DAY) == {key: 2.0}
    assert factors(useful, DAY) == {key: 0.8}
    late = answer(many[0], Opinion.USEFUL, DAY + timedelta(days=1))
    assert factors([*noise, late], DAY) == {key: 2.0}
    assert factors([answer(many[0], Opinion.ACKNOWLEDGED)], DAY) == {}


def test_the_newest_word_on_an_incident_counts_once() -> None:
    """Who clicks five times says no more than who clicks once, and may think better of it."""
    one = incident()
    noise = [answer(one, Opinion.NOISE, DAY - timedelta(days=n)) for n in (4, 3, 2)]
    useful = answer(one, Opinion.USEFUL, DAY - timedelta(days=1))
    assert list(factors(noise, DAY).values()) == [1.25]
    assert list(factors([*noise, useful], DAY).values()) == [0.9]


def test_nothing_later_is_read() -> None:
    """A day that is decided again must not know what people said of it since."""
    one = incident(service="compute", since=DAY - timedelta(days=2))
    later = DAY + timedelta(days=1)
    told = decide_alerts([one], (), (), RULES, later)
    words = [answer(one, opinion, later) for opinion in Opinion]
    assert decide_alerts([one], words, told, RULES, DAY) == decide_alerts([one], (), (), RULES, DAY)
