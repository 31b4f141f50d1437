"""Which change puts a model in breach right: back to an earlier version, less traffic, a pause, a
training, or none that is known.

What a version was found to be is told by versions; how the change is said, by findings.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from finops_dagster.domain.decisions import Abstained, ValueLocation
from finops_dagster.domain.models import Breach, Check, Remedy, RiskClass
from finops_dagster.responsible_ai.remedies.values import date_of, until, with_version
from finops_dagster.responsible_ai.remedies.versions import HARMS, History, VersionRecord

MOVED = frozenset({Check.DATA_DRIFT, Check.CONCEPT_DRIFT})
"""Checks that say the world is another than the one it was trained on: no version is at fault."""
_GRAVE = frozenset({RiskClass.HIGH, RiskClass.PROHIBITED})
Place = ValueLocation | Abstained


@dataclass(frozen=True)
class Served:
    """What Git says of a model: each value where it lives, or why there is none to change."""

    version: Place
    canary: Place
    pause: Place
    retrain: Place


@dataclass(frozen=True)
class Choice:
    """The right change of one model; without `place` and `proposed` where no edit is known."""

    remedy: Remedy
    breaches: tuple[Breach, ...]
    """That it answers, the gravest first."""
    because: str
    """Why this one and no other, as sentences."""
    wrong_if: str
    place: ValueLocation | None = None
    proposed: str = ""
    no_edit: str = ""
    """Why no edit is known, in half a sentence; empty where one is."""
    back_to: VersionRecord | None = None


def choose(
    model: str,
    breaches: Sequence[Breach],
    versions: History | Abstained,
    served: Served,
    risk_class: RiskClass,
    *,
    as_of: date,
) -> Choice | Abstained | None:
    """The change for the breaches of one model as judged for `as_of`; None where none is due.

    Only what fails is answered: a warning is a likely breach, and policy holds automation back
    for it. Harm goes before drift: fairness or quality that was broken with a version is mended by
    the version before it, at once and whatever moved besides (rollback; EU AI Act, Article 20,
    corrective actions; NIST AI RMF, MANAGE 2.4). Where no version was compliant the model is paused
    if its owner said how and it is of high risk; else it is trained on what is so now.
    """
    failed = [one for one in breaches if one.grade == "fail"]
    harm = tuple(one for one in failed if one.check in HARMS)
    moved = tuple(one for one in failed if one.check in MOVED)
    if not failed:
        return None
    if harm:
        chosen = _by_version(harm, versions, served)
        if chosen is not None:
            return chosen
        measured = any(one.check in (Check.FAIRNESS, Check.QUALITY) for one in harm)
        if measured and risk_class in _GRAVE and isinstance(served.pause, ValueLocation):
            return _pause(harm, versions, served.pause)
        return _retrain(harm, f"{_why_no_version(versions)} ", served.retrain, as_of)
    if moved:
        return _retrain(moved, "", served.retrain, as_of)
    checks = ", ".join(sorted({one.check.value for one in failed}))
    return Abstained(subject=model, reason=f"nothing in Git is known to mend {checks}")


def _by_version(
    harm: tuple[Breach, ...], versions: History | Abstained, served: Served
) -> Choice | None:
    """Back to a version that met the limits, where the harm came with the one that runs."""
    if isinstance(versions, Abstained) or versions.began_with_it is not True:
        return None
    back = versions.last_compliant()
    if back is None:
        return None
    running = versions.running
    told = (
        f"Version {running.version}, which answers since {running.first}, was in breach from its "
        f"first days; version {back.span.version} was not: over its answers of "
        f"{back.judged_first} to {back.judged_last} ({back.answers:,}) {back.reason}."
    )
    canary = served.canary
    if versions.shares_traffic and isinstance(canary, ValueLocation) and _percent(canary.value):
        return Choice(
            Remedy.CANARY, harm,
            because=f"{told} {canary.value} % of the traffic goes to the newer one.",
            wrong_if=f"version {running.version} is not the one that gets the canary's share",
            place=canary, proposed="0", back_to=back,
        )  # fmt: skip
    wrong_if = (
        f"version {back.span.version} can no longer read what callers send, or a fault of its "
        "own was why it was replaced"
    )
    if isinstance(served.version, Abstained):
        return Choice(
            Remedy.ROLLBACK, harm, told, wrong_if, no_edit=served.version.reason, back_to=back
        )
    proposed = with_version(served.version.value, running.version, back.span.version)
    if proposed is None:
        no_edit = (
            f"{served.version.field} reads {served.version.value!r}, which does not name version "
            f"{running.version} once and alone"
        )
        return Choice(Remedy.ROLLBACK, harm, told, wrong_if, no_edit=no_edit, back_to=back)
    return Choice(Remedy.ROLLBACK, harm, told, wrong_if, served.version, proposed, back_to=back)


def _percent(text: str) -> bool:
    return text.isascii() and text.isdecimal() and 0 < int(text) <= 100


def _why_no_version(versions: History | Abstained) -> str:
    if isinstance(versions, Abstained):
        return f"Its versions cannot be told apart: {versions.reason}."
    running = versions.running
    if versions.began_with_it is False:
        return (
            f"Version {running.version} met the limits in its first days, from {running.first}: "
            "it did not come with the version, so an earlier one would not help."
        )
    if not versions.earlier:
        return f"No other version than {running.version} is in the log."
    found = "; ".join(f"{one.span.version}: {one.reason}" for one in versions.earlier[-3:])
    if versions.began_with_it is None:
        return (
            f"Whether it came with version {running.version} cannot be told on its first answers "
            f"({found})."
        )
    return f"No earlier version is known to be compliant ({found})."


def _pause(harm: tuple[Breach, ...], versions: History | Abstained, place: ValueLocation) -> Choice:
    because = (
        f"{_why_no_version(versions)} It is of high risk, and its owner named the value that "
        "stops it: it answers nobody until a person sets it back."
    )
    wrong_if = "no answer at all harms people more than these do"
    if place.value == "0":
        return Choice(
            Remedy.PAUSE, harm, because, wrong_if, no_edit="it is declared to be paused already"
        )
    return Choice(Remedy.PAUSE, harm, because, wrong_if, place, "0")


def _retrain(breaches: tuple[Breach, ...], first: str, place: Place, as_of: date) -> Choice:
    because = (
        f"{first}What it is given, or what is true of it, is no longer what it was trained on; "
        "a training on newer data is what can mend that."
    )
    wrong_if = "what moved is a fault in the data, which a training would teach it"

    def advised(no_edit: str) -> Choice:
        return Choice(Remedy.RETRAIN, breaches, because, wrong_if, no_edit=no_edit)

    if isinstance(place, Abstained):
        return advised(place.reason)
    if place.field.rsplit(".", 1)[-1] == "suspend":
        if place.value != "true":
            return advised(f"{place.resource} is not suspended: it trains at its own times")
        return Choice(Remedy.RETRAIN, breaches, because, wrong_if, place, "false")
    newer, declared = until(place.value, as_of), date_of(place.value)
    if newer is None or declared is None:
        return advised(
            f"{place.resource} {place.field} reads {place.value!r}: a date, or suspend of a "
            "CronJob, is what can be changed"
        )
    since = min((one.since for one in breaches if one.since is not None), default=None)
    if newer <= place.value or (since is not None and declared >= since):
        return advised(
            f"it is declared to be trained on data up to {declared} already: wait for the version "
            "that comes of it"
        )
    return Choice(Remedy.RETRAIN, breaches, because, wrong_if, place, newer)
