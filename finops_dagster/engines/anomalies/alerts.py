"""Which incidents people are told of today: few, none twice, none that was to be expected.

An incident that is held is on every page and list; it only calls nobody.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, timedelta

from finops_dagster.domain.alerts import Alert, Answer, Held, LeafKey, Opinion
from finops_dagster.domain.dated import fits
from finops_dagster.domain.events import Event
from finops_dagster.domain.incidents import Incident, Part

LEAST_FACTOR, MOST_FACTOR = 0.8, 2.0
"""Limits of what answers may do to thresholds: a leaf called noise ten times is still watched for
what is twice as far out, and one called useful does not begin to cry at everything."""
_STEP = {Opinion.NOISE: 1.25, Opinion.USEFUL: 0.9}
"""Three words of noise double a threshold, and two of useful take it down by a fifth."""
_SHOWS_DAYS = 14
"""Days within which a lasting change shows in cost: what begins later is not of it."""
_GROWN = 2
"""An incident this many times as large as when it was told is news again."""


@dataclass(frozen=True)
class AlertRules:
    """How much people are told."""

    per_team_and_day: int = 3
    cool_off_days: int = 7
    """After an alert of the same costs, days without another unless it has doubled."""


def leaf_key(part: Part) -> LeafKey:
    """By what a part of an incident is known in answers, alerts and thresholds."""
    return part.account, part.service, part.team, part.money.currency


def factors(answers: Iterable[Answer], as_of: date) -> dict[LeafKey, float]:
    """By leaf: what its thresholds are multiplied by, from what was said of it up to `as_of`.

    Each word of noise is times 1.25, each of useful times 0.9, within the limits at every step: so
    that the newest words count, however many there were before.
    """
    found: dict[LeafKey, float] = {}
    for answer in _said(answers, as_of):
        step = _STEP.get(answer.opinion)
        if step is None:
            continue
        for part in answer.parts:
            moved = found.get(part, 1.0) * step
            found[part] = min(max(moved, LEAST_FACTOR), MOST_FACTOR)
    return found


def decide_alerts(
    incidents: Sequence[Incident],
    events: Sequence[Event],
    answers: Iterable[Answer],
    earlier: Iterable[Alert],
    rules: AlertRules,
    as_of: date,
) -> list[Alert]:
    """An alert for each incident, told or held, in their order.

    `earlier`: alerts of days before; those of `as_of` and after, and answers after it, are not
    read. A team's budget goes to the largest first, a currency at a time: amounts of two
    currencies are not compared, so each currency has the budget to itself.
    """
    said = _said(answers, as_of)
    since = as_of - timedelta(days=rules.cool_off_days)
    told = [one for one in earlier if one.held is None and since <= one.as_of < as_of]
    spent: Counter[tuple[str, str]] = Counter()
    found: dict[str, Alert] = {}
    for incident in sorted(incidents, key=lambda one: (-abs(one.money.amount), one.id)):
        reason = (
            _expected(incident, events, as_of)
            or _over(incident, rules, as_of)
            or _in_hand(incident, said, as_of)
            or _cooling(incident, told, rules)
        )
        budget = incident.owner, incident.currency
        if reason is None:
            spent[budget] += 1
            if spent[budget] > rules.per_team_and_day:
                most = rules.per_team_and_day
                reason = Held.BUDGET_SPENT, f"{most} larger ones of the team are told today"
        held, because = reason or (None, "")
        found[incident.id] = Alert(
            incident=incident.id,
            owner=incident.owner,
            parts=tuple(leaf_key(part) for part in incident.dimensions),
            size=abs(incident.money.amount),
            held=held,
            because=because,
            as_of=as_of,
        )
    return [found[incident.id] for incident in incidents]


def _said(answers: Iterable[Answer], as_of: date) -> list[Answer]:
    """What was said by then, in the order of saying."""
    by_then = [one for one in answers if one.said_at.date() <= as_of]
    return sorted(by_then, key=lambda one: (one.said_at, one.incident))


def _expected(incident: Incident, events: Sequence[Event], as_of: date) -> tuple[Held, str] | None:
    """Where all its parts, and the day it began, are of one known event."""
    for event in events:
        last = event.until or event.from_ + timedelta(days=_SHOWS_DAYS)
        if (
            event.from_ <= incident.since <= last
            and event.is_known(as_of)
            and all(_is_of(part, event) for part in incident.dimensions)
        ):
            return Held.KNOWN_EVENT, f"{event.name}, from {event.from_}"
    return None


def _over(incident: Incident, rules: AlertRules, as_of: date) -> tuple[Held, str] | None:
    """Where it is no news any more: a first look at a bill finds a month of them."""
    if incident.ongoing or as_of - incident.last_seen <= timedelta(days=rules.cool_off_days):
        return None
    return Held.OVER, f"over since {incident.last_seen}"


def _is_of(part: Part, event: Event) -> bool:
    return fits(event.of, {"team": part.team, "service": part.service, "account": part.account})


def _in_hand(incident: Incident, said: Sequence[Answer], as_of: date) -> tuple[Held, str] | None:
    """Where it was acknowledged: it, or what had begun by then and has its heaviest part.

    Its id changes when another part comes to weigh most, or an earlier day turns out to be its.
    """
    lead = leaf_key(incident.dimensions[0])
    holding = [
        one
        for one in said
        if one.opinion is Opinion.ACKNOWLEDGED
        and (one.until is None or one.until >= as_of)
        and (
            one.incident == incident.id
            or (lead in one.parts and incident.since <= one.said_at.date())
        )
    ]
    if not holding:
        return None
    answer = max(holding, key=lambda one: one.said_at)
    until = f" until {answer.until}" if answer.until is not None else ""
    return Held.ACKNOWLEDGED, f"acknowledged on {answer.said_at.date()}{until}"


def _cooling(
    incident: Incident, told: Sequence[Alert], rules: AlertRules
) -> tuple[Held, str] | None:
    """Where its costs were told lately, and it is not twice as large since."""
    lead = leaf_key(incident.dimensions[0])
    lately = [one for one in told if lead in one.parts or one.incident == incident.id]
    if not lately:
        return None
    last = max(lately, key=lambda one: one.as_of)
    if abs(incident.money.amount) >= _GROWN * last.size:
        return None
    return Held.COOLING_OFF, f"told on {last.as_of}, {rules.cool_off_days} days without another"
