"""Which incidents people are told of today: few, none twice, none that was to be expected.

An incident that is held is on every page and list; it only calls nobody.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, timedelta

from finops_dagster.domain.alerts import Alert, Answer, Held, LeafKey, Opinion
from finops_dagster.domain.changes import By
from finops_dagster.domain.incidents import Incident, Part, Severity

LEAST_FACTOR, MOST_FACTOR = 0.8, 2.0
"""Limits of what answers may do to thresholds: a leaf called noise ten times is still watched for
what is twice as far out, and one called useful does not begin to cry at everything."""
_STEP = {Opinion.NOISE: 1.25, Opinion.USEFUL: 0.9}
"""Three words of noise double a threshold, and two of useful take it down by a fifth."""
_RANK = {Severity.HIGH: 0, Severity.MEDIUM: 1, Severity.LOW: 2}


@dataclass(frozen=True)
class AlertRules:
    """How much people are told."""

    per_team_and_day: int = 3
    cool_off_days: int = 7
    """After an alert of the same costs, days without another unless it is more severe."""


def leaf_key(part: Part) -> LeafKey:
    """By what a part of an incident is known in answers, alerts and thresholds."""
    return part.account, part.service, part.team, part.money.currency


def factors(answers: Iterable[Answer], as_of: date) -> dict[LeafKey, float]:
    """By leaf: what its thresholds are multiplied by, from what was said of it up to `as_of`.

    Each word of noise is times 1.25, each of useful times 0.9, within the limits at every step: so
    that the newest words count, however many there were before. One word an incident: its newest.
    """
    found: dict[LeafKey, float] = {}
    said = [one for one in _said(answers, as_of) if one.opinion in _STEP]
    for answer in {one.incident: one for one in said}.values():
        step = _STEP[answer.opinion]
        for part in answer.parts:
            moved = found.get(part, 1.0) * step
            found[part] = min(max(moved, LEAST_FACTOR), MOST_FACTOR)
    return found


def decide_alerts(
    incidents: Sequence[Incident],
    answers: Iterable[Answer],
    earlier: Iterable[Alert],
    rules: AlertRules,
    as_of: date,
) -> list[Alert]:
    """An alert for each incident, as `explain` left it, told or held, in their order.

    `earlier`: alerts of days before; those of `as_of` and after, and answers after it, are not
    read. A team's budget goes to the most severe, then to the largest share of its account's month:
    amounts of two currencies are not compared.
    """
    said = _said(answers, as_of)
    told = [one for one in earlier if one.held is None and one.as_of < as_of]
    spent: Counter[str] = Counter()
    found: dict[str, Alert] = {}
    ranked = sorted(incidents, key=lambda i: (_RANK[i.severity], -i.share_of_month, i.id))
    for incident in ranked:
        reason = (
            _expected(incident)
            or _over(incident, rules, as_of)
            or _in_hand(incident, said, as_of)
            or _cooling(incident, told, rules, as_of)
        )
        if reason is None and spent[incident.owner] >= rules.per_team_and_day:
            told_of = spent[incident.owner]
            reason = Held.BUDGET_SPENT, f"{told_of} more severe ones of the team are told today"
        spent[incident.owner] += reason is None
        held, because = reason or (None, "")
        found[incident.id] = Alert(
            incident=incident.id,
            owner=incident.owner,
            parts=tuple(leaf_key(part) for part in incident.dimensions),
            severity=incident.severity,
            held=held,
            because=because,
            as_of=as_of,
        )
    return [found[incident.id] for incident in incidents]


def _said(answers: Iterable[Answer], as_of: date) -> list[Answer]:
    """What was said by then, in the order of saying."""
    by_then = [one for one in answers if one.said_at.date() <= as_of]
    return sorted(by_then, key=lambda one: (one.said_at, one.incident))


def _expected(incident: Incident) -> tuple[Held, str] | None:
    """Where it is explained. What Git declares is told all the same where it is a large one: that a
    commit asks for ten times as much does not say that anybody meant to pay it.
    """
    if incident.explained is None:
        return None
    if set(incident.explained.by) == {By.KNOWN_EVENT}:
        return Held.KNOWN_EVENT, incident.explained.because
    if incident.severity is Severity.HIGH:
        return None
    return Held.DECLARED, incident.explained.because


def _over(incident: Incident, rules: AlertRules, as_of: date) -> tuple[Held, str] | None:
    """Where it is no news any more: a first look at a bill finds a month of them."""
    if incident.ongoing or as_of - incident.last_seen <= timedelta(days=rules.cool_off_days):
        return None
    return Held.OVER, f"over since {incident.last_seen}"


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
    incident: Incident, told: Sequence[Alert], rules: AlertRules, as_of: date
) -> tuple[Held, str] | None:
    """Where it was told, or its heaviest part was lately, and it is no more severe now."""
    lead = leaf_key(incident.dimensions[0])
    since = as_of - timedelta(days=rules.cool_off_days)
    for one in sorted(told, key=lambda alert: alert.as_of, reverse=True):
        is_it = one.incident == incident.id or (lead in one.parts and incident.since <= one.as_of)
        lately = lead in one.parts and one.as_of >= since
        if (is_it or lately) and _RANK[incident.severity] >= _RANK[one.severity]:
            return Held.COOLING_OFF, f"told{'' if is_it else ' of its costs'} on {one.as_of}"
    return None
