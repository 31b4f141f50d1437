"""Which incidents page on a day, which are held and why; and what people's word does to thresholds.

Pure: what pages were sent, what was said and what is expected are given.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from fnmatch import fnmatchcase

from finops_dagster.domain.incidents import (
    Acknowledgement,
    Alert,
    Feedback,
    Held,
    Incident,
    KnownEvent,
    Severity,
    Verdict,
)

LOWEST_FACTOR, HIGHEST_FACTOR = 0.8, 2.0
_FACTORS = {Verdict.NOISE: 1.25, Verdict.USEFUL: 0.9}
"""Three words of noise double a threshold, two of usefulness lower it by a fifth."""
_ORDER = {Severity.HIGH: 0, Severity.MEDIUM: 1, Severity.LOW: 2}


@dataclass(frozen=True)
class AlertPolicy:
    """How often people are woken."""

    pages_per_team_and_day: int = 3
    cool_off_days: int = 7
    """So long after a page for a leaf another pages for it only when it is more severe."""
    least: Severity = Severity.LOW


def alerts(
    incidents: Iterable[Incident],
    on: date,
    *,
    known: Sequence[KnownEvent] = (),
    acknowledged: Sequence[Acknowledgement] = (),
    earlier: Sequence[Alert] = (),
    policy: AlertPolicy | None = None,
) -> list[Alert]:
    """Of each incident that goes on or began lately, on day `on`: does it page its team?

    `earlier`: alerts of the days before, for the cool-off. An incident that paged does so again
    only when it became more severe. The budget goes to the most severe, then to the largest share
    of its account's month. In the order of the budget; those below `policy.least` are left out.
    """
    policy = policy or AlertPolicy()
    ranked = sorted(incidents, key=lambda i: (_ORDER[i.severity], -i.share_of_month, i.id))
    paged = [one for one in earlier if one.pages and one.on < on]
    spent = Counter(one.team for one in earlier if one.pages and one.on == on)
    out = []
    for incident in ranked:
        if _ORDER[incident.severity] > _ORDER[policy.least]:
            continue
        held, reason = (
            _expected(incident, known)
            or _acknowledged(incident, acknowledged, on)
            or _cooling_off(incident, paged, on, policy)
            or (None, "")
        )
        if held is None and spent[incident.owner] >= policy.pages_per_team_and_day:
            held = Held.BUDGET_SPENT
            reason = f"{incident.owner} was paged {spent[incident.owner]} times today"
        spent[incident.owner] += held is None
        out.append(
            Alert(
                incident=incident.id,
                team=incident.owner,
                leaf=incident.origin or incident.resource,
                on=on,
                severity=incident.severity,
                pages=held is None,
                held=held,
                reason=reason,
            )
        )
    return out


def factors(feedback: Iterable[Feedback], on: date) -> Mapping[str, float]:
    """By leaf, what its thresholds are multiplied by on day `on`: by words of the days before.

    Each noise times 1.25, each usefulness times 0.9, within 0.8 and 2. One word an incident: the
    newest counts.
    """
    newest: dict[tuple[str, str], Feedback] = {}
    for one in sorted(feedback, key=lambda f: f.on):
        if one.on < on:
            newest[one.leaf, one.incident] = one
    out: dict[str, float] = {}
    for (leaf, _), one in sorted(newest.items(), key=lambda item: (item[1].on, item[0])):
        factor = out.get(leaf, 1.0) * _FACTORS[one.verdict]
        out[leaf] = min(max(factor, LOWEST_FACTOR), HIGHEST_FACTOR)
    return out


def _expected(incident: Incident, known: Sequence[KnownEvent]) -> tuple[Held, str] | None:
    """Where every part of it is expected: one leaf that is not makes it news."""
    reasons = []
    for part in incident.dimensions:
        event = next(
            (
                one
                for one in known
                if one.first <= incident.since <= one.last
                and fnmatchcase(part.account, one.account)
                and fnmatchcase(part.service, one.service)
                and fnmatchcase(part.team, one.team)
            ),
            None,
        )
        if event is None:
            return None
        reasons.append(event.why)
    return (Held.KNOWN_EVENT, "; ".join(dict.fromkeys(reasons))) if reasons else None


def _acknowledged(
    incident: Incident, acknowledged: Sequence[Acknowledgement], on: date
) -> tuple[Held, str] | None:
    for one in acknowledged:
        open_ = one.until is None or on <= one.until
        if one.incident == incident.id and one.on <= on and open_:
            return Held.ACKNOWLEDGED, f"{one.by} looks after it since {one.on.isoformat()}"
    return None


def _cooling_off(
    incident: Incident, paged: Sequence[Alert], on: date, policy: AlertPolicy
) -> tuple[Held, str] | None:
    leaf = incident.origin or incident.resource
    for one in sorted(paged, key=lambda alert: alert.on, reverse=True):
        same = one.incident == incident.id
        lately = one.leaf == leaf and on - one.on <= timedelta(days=policy.cool_off_days)
        milder = _ORDER[incident.severity] >= _ORDER[one.severity]
        if (same or lately) and milder:
            what = "it" if same else f"another incident of {leaf}"
            return Held.COOLING_OFF, f"{one.team} was paged for {what} on {one.on.isoformat()}"
    return None
