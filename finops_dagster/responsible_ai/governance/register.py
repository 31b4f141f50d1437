"""One entry of the register for each AI system: what it is, how it stands, what it owes and lacks.

Facts in, entries out; where they are read is the caller's business, how they look is in `pages`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import date, datetime
from enum import StrEnum

from finops_dagster.domain.decisions import GateResult
from finops_dagster.domain.models import ALL, Breach, Check, RiskClass
from finops_dagster.responsible_ai.governance.evidence import OF_CHECK, checks_for, rules_for
from finops_dagster.responsible_ai.governance.obligations import articles_for
from finops_dagster.responsible_ai.results import Grade


class Kind(StrEnum):
    """How an AI system is known of."""

    MONITORED = "monitored model"
    """The settings name it, and its answers are judged."""
    DECLARED = "declared in Git"
    """A manifest says that it is one; nobody judges its answers."""
    TRACKED = "in a model registry"
    """A tracking server has versions of it."""
    LANGUAGE = "language model"
    """Its tokens are counted, or paid for."""
    ENGINE = "engine of this product"
    UNREGISTERED = "unregistered"
    """It was found, and nobody wrote down what it is."""


@dataclass(frozen=True)
class Link:
    """A page, by its place relative to the page that links it."""

    text: str
    href: str


@dataclass(frozen=True)
class OpenBreach:
    """One breach that stands, and for how long."""

    breach: Breach
    since: date
    """First decided day from which on it stood on every decided day."""
    days: int
    """Days from then to the day of the register, both counted."""


@dataclass(frozen=True)
class JudgedDay:
    """What the gate said of it on one decided day."""

    day: date
    result: Grade
    reasons: tuple[str, ...]
    checks: tuple[Check, ...]
    """In breach."""
    links: tuple[Link, ...] = ()


@dataclass(frozen=True)
class Recorded:
    """One entry of the ledger that is about it."""

    id: str
    kind: str
    at: datetime
    what: str
    who: str
    """Who decided; `automation` where nobody had to."""


@dataclass(frozen=True)
class System:
    """One AI system as it is registered. Empty is what nobody said."""

    name: str
    kind: Kind
    owner: str = ""
    purpose: str = ""
    risk_class: RiskClass = RiskClass.UNKNOWN
    data: str = ""
    versions: tuple[str, ...] = ()
    """The newest first."""
    card: str = ""
    """Where its own card is."""
    place: str = ""
    """KIND/NAMESPACE/NAME that answers, or the provider of a language model."""
    protected: tuple[str, ...] = ()
    stoppable: bool = False
    """Git says how it is paused or rolled back."""
    logged: bool = False
    """Its answers are in a prediction log."""
    gate: GateResult | None = None
    judged: tuple[Check, ...] = ()
    """What of it was judged, in breach or not."""
    breaches: tuple[OpenBreach, ...] = ()
    energy_kwh_month: float | None = None
    changed: str = ""
    """Its last change, in words, with the pull request where there is one."""
    links: tuple[Link, ...] = ()
    history: tuple[JudgedDay, ...] = ()
    """The newest first."""
    recorded: tuple[Recorded, ...] = ()
    """The newest first."""
    found: tuple[str, ...] = ()
    """What findings say of it."""

    @property
    def result(self) -> str:
        """The gate's, or that there is none."""
        return self.gate.result if self.gate else "none"

    @property
    def missing(self) -> tuple[str, ...]:
        """What its register entry lacks, by its risk class, in words with the reference."""
        return _missing(self)

    @property
    def obligations(self) -> tuple[Obligation, ...]:
        """What the EU AI Act asks of it, and what evidence there is."""
        return _obligations(self)


@dataclass(frozen=True)
class Obligation:
    """One article that is shown for a system, with its evidence."""

    article: str
    title: str
    who: str
    evidence: tuple[str, ...]
    """One line for each check or rule that bears on it."""


@dataclass(frozen=True)
class Register:
    """All AI systems known on a day, those that need somebody first."""

    estate: str
    as_of: date
    systems: tuple[System, ...]

    def without_links(self) -> Register:
        """The same where the pages that it links are not beside it, such as an export."""
        kept = (
            replace(one, links=(), history=tuple(replace(day, links=()) for day in one.history))
            for one in self.systems
        )
        return replace(self, systems=tuple(kept))


_ORDER = {"fail": 0, "warn": 1, "none": 2, "pass": 3}
_RISKS = tuple(RiskClass)
_GRAVE = frozenset({RiskClass.PROHIBITED, RiskClass.HIGH})


def registered(estate: str, as_of: date, systems: Iterable[System]) -> Register:
    """The register, in the order in which somebody is needed: unregistered ones first, then by
    gate, risk class and name."""

    def order(one: System) -> tuple[bool, int, int, str]:
        return (
            one.kind is not Kind.UNREGISTERED,
            _ORDER[one.result],
            _RISKS.index(one.risk_class),
            one.name,
        )

    return Register(estate, as_of, tuple(sorted(systems, key=order)))


def open_breaches(
    name: str, gates: Mapping[date, Iterable[GateResult]], as_of: date
) -> tuple[OpenBreach, ...]:
    """Breaches of the gate `name` on `as_of`, with how long each stands. gates: decided day -> what
    was said then; days that were not decided break no chain, and no later day is looked at.

    The same breach is one of the same check, segment and figure: what it measures moves each day.
    """
    days = sorted((day for day in gates if day <= as_of), reverse=True)
    if not days or days[0] != as_of:
        return ()
    said = {day: {_key(one): one for one in _breaches(name, gates[day])} for day in days}
    found = []
    for key, breach in said[as_of].items():
        since = as_of
        for day in days:
            if key not in said[day]:
                break
            since = day
        found.append(OpenBreach(breach, since, (as_of - since).days + 1))
    return tuple(found)


def _breaches(name: str, gates: Iterable[GateResult]) -> tuple[Breach, ...]:
    return next((gate.breaches for gate in gates if gate.gate == name), ())


def _key(one: Breach) -> tuple[Check, str, str]:
    """Its check, whom it falls on, and which figure is past its limit."""
    return one.check, one.segment, next(iter(one.figures), "")


def _missing(one: System) -> tuple[str, ...]:
    high = one.risk_class in (*_GRAVE, RiskClass.UNKNOWN)
    ours = one.kind is Kind.ENGINE
    wanted: tuple[tuple[bool, str], ...] = (
        (one.kind is Kind.UNREGISTERED, "a registration (GOVERN 1.6)"),
        (not one.owner, "an owner (Article 26(2); GOVERN 2.1)"),
        (not one.purpose, "a purpose (Annex IV(1)(a); MAP 1.1)"),
        (one.risk_class is RiskClass.UNKNOWN, "a risk class (Article 6)"),
        (high and not one.data, "what it was trained on (Article 10; Annex IV(2)(d))"),
        (high and not one.card, "a card or technical documentation (Article 11)"),
        (high and not one.logged and not ours, "a log of its answers (Articles 12 and 26(6))"),
        (
            high and one.kind is Kind.MONITORED and not one.protected,
            "groups of people to compare (Article 10(2)(f))",
        ),
        (
            high and one.kind is Kind.MONITORED and not one.stoppable,
            "how it is stopped or rolled back (Article 14(4)(e); MANAGE 2.4)",
        ),
        (one.kind is Kind.MONITORED and one.gate is None, "a judgement (Article 72)"),
        (
            one.risk_class is RiskClass.PROHIBITED,
            "an end: practices of Article 5 may not be used",
        ),
    )
    return tuple(words for lacks, words in wanted if lacks)


def _obligations(one: System) -> tuple[Obligation, ...]:
    return tuple(
        Obligation(
            article.name, article.title, article.who,
            (*_checked(one, article.name), *_ruled(one, article.name)),
        )
        for article in articles_for(one.risk_class)
    )  # fmt: skip


def _checked(one: System, article: str) -> tuple[str, ...]:
    """What its checks say that bears on an article."""
    if one.gate is None:
        return ()
    by_check: dict[Check, list[OpenBreach]] = {}
    for each in one.breaches:
        by_check.setdefault(each.breach.check, []).append(each)
    lines = []
    for check in checks_for(article):
        label = check.value.replace("_", " ")
        if check in by_check:
            worst = by_check[check]
            grade = "fail" if any(each.breach.grade == "fail" for each in worst) else "warn"
            oldest = min(each.since for each in worst)
            lines.append(f"{label}: {grade}, {len(worst)} open since {oldest}")
        elif check in one.judged:
            lines.append(f"{label}: judged, within limits")
        else:
            continue
        lines[-1] += f" ({OF_CHECK[check].why})"
    return tuple(lines)


def _ruled(one: System, article: str) -> tuple[str, ...]:
    """Rules of policy that judge each change of what Git declares of it."""
    if not one.place or one.kind not in (Kind.MONITORED, Kind.DECLARED):
        return ()
    return tuple(f"policy {rule} judges each change in Git" for rule in rules_for(article))


def merged(declared: System, monitored: System) -> System:
    """A monitored model with what its manifest says where the settings say nothing."""
    return replace(
        monitored,
        owner=monitored.owner or declared.owner,
        purpose=monitored.purpose or declared.purpose,
        risk_class=declared.risk_class
        if monitored.risk_class is RiskClass.UNKNOWN
        else monitored.risk_class,
        data=monitored.data or declared.data,
        card=monitored.card or declared.card,
        place=monitored.place or declared.place,
        versions=monitored.versions or declared.versions,
    )


def segment_words(breach: Breach) -> str:
    """Whom a breach falls on."""
    return "everybody" if breach.segment == ALL else breach.segment
