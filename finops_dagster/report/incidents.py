"""A page for each incident: what, since when, how much, why, whose, what to do.

What an incident is and what it cost is the engine's to say.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from finops_dagster.domain.alerts import Alert
from finops_dagster.domain.incidents import Channel, Incident, Part
from finops_dagster.domain.money import Money
from finops_dagster.report import charts
from finops_dagster.report.page import rendered, visible, written
from finops_dagster.report.spend import UNTAGGED

FOLDER = "incidents"
_FACTS = (Channel.NEW, Channel.MISSING, Channel.PRICE)
"""Kinds that are seen, and not told by a chance."""
_FOUND = {
    Channel.POINT: "a day far from what its level, weekday and day of month make expected",
    Channel.SLOW: "a week that has crept away from the weeks before it",
    Channel.PRICE: "a unit price that stood still and moved",
    Channel.MISSING: "most of the account absent",
    Channel.NEW: "costs that there were none of",
    Channel.MIX: "as much as before, on units of another price",
    Channel.OFFSETTING: "two moves that hide each other in the total",
}
_DRAWN = 6
"""Parts that are drawn, the heaviest first."""


@dataclass(frozen=True)
class Course:
    """Daily cost of one part of an incident, and what it would have been without."""

    part: Part
    days: tuple[date, ...]
    cost: tuple[float, ...]
    usual: tuple[float | None, ...]
    """None before it began."""


@dataclass(frozen=True)
class IncidentPage:
    """What the page of one incident is made of."""

    estate: str
    incident: Incident
    alert: Alert
    courses: Sequence[Course]
    """Of its parts, in their order."""


def place(incident: Incident) -> str:
    """Path of its page, from the day's folder of reports; made of hexadecimal digits alone."""
    return f"{FOLDER}/{incident.id}.html"


def write_incident(page: IncidentPage, folder: Path) -> Path:
    """Write the page below the day's `folder`, atomically, and return its path."""
    view = {
        "page": page,
        "one": page.incident,
        "found": _FOUND[page.incident.kind],
        "is_fact": page.incident.kind in _FACTS,
        "has_owner": page.incident.owner not in ("", UNTAGGED),
        "changes": page.incident.explained.changes if page.incident.explained else (),
        "effects": _effects(page.incident),
        "drawn": [(course, _chart(course, page.incident)) for course in page.courses[:_DRAWN]],
    }
    return written(folder / place(page.incident), rendered("incident.html.j2", view))


def _effects(incident: Incident) -> dict[str, Money]:
    """In words, in the order in which they are thought of."""
    told = incident.effects
    if told is None:
        return {}
    amounts = {
        "dearer or cheaper units": told.price,
        "more or fewer units": told.quantity,
        "other units of the same measure": told.mix,
    }
    return {
        name: Money(amount=amount, currency=incident.currency) for name, amount in amounts.items()
    }


def _chart(course: Course, incident: Incident) -> object:
    who = f"{course.part.service} of {course.part.team or 'nobody'}"
    title = f"Daily cost of {visible(who)} in {incident.currency}, and what was usual"
    return charts.course_chart(course.days, course.cost, course.usual, incident.since, title)
