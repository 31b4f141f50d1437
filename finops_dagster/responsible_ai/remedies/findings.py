"""A chosen remedy as a finding: what it changes, why, and what would have to be true for none.

Which remedy is right is decided in choosing.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import date, timedelta

from finops_dagster.domain.decisions import Evidence, Finding, FindingKind
from finops_dagster.domain.models import ALL, COLUMNS, LIMIT, Breach, Check, Remedy
from finops_dagster.domain.money import NO_CARBON, NO_MONEY
from finops_dagster.domain.periods import day_start
from finops_dagster.responsible_ai.remedies.choosing import Choice

ENGINE = "model-remedies 1"
KINDS = {
    Remedy.ROLLBACK: FindingKind.MODEL_ROLLBACK,
    Remedy.CANARY: FindingKind.MODEL_CANARY,
    Remedy.PAUSE: FindingKind.MODEL_PAUSE,
    Remedy.RETRAIN: FindingKind.MODEL_RETRAIN,
}
_TOLD = 3
"""Breaches told in a reason; the rest are counted."""


def finding(
    choice: Choice,
    *,
    model: str,
    version: str,
    workload: str,
    owner: str,
    environment: str,
    answers: int,
    confidence: float,
    first: date,
    as_of: date,
) -> Finding:
    """The finding of a chosen remedy.

    `workload` is KIND/NAMESPACE/NAME of what serves the model, for where no value is changed;
    [first, as_of] the days judged, `answers` those in them, `confidence` the share of these days
    that were logged. It saves nothing: what is at stake is a figure of its evidence.
    """
    place = choice.place
    since = min((one.since for one in choice.breaches if one.since is not None), default=first)
    reason = f"{said(model, version, choice.breaches)} {choice.because}"
    if choice.no_edit:
        reason += f" No edit is known: {choice.no_edit}."
    return Finding(
        kind=KINDS[choice.remedy],
        resource=place.resource if place is not None else workload,
        field=place.field if place is not None else "",
        current=place.value if place is not None else "",
        proposed=choice.proposed,
        owner=owner,
        environment=environment or "unknown",
        saving_per_month=NO_MONEY,
        carbon_kg_per_month=NO_CARBON,
        risk=0.0,
        confidence=confidence,
        evidence=Evidence(
            window_start=day_start(since),
            window_end=day_start(as_of + timedelta(days=1)),
            samples=answers,
            figures=figures(choice.breaches),
        ),
        reason=reason,
        engine=ENGINE,
        as_of=as_of,
        wrong_if=choice.wrong_if,
        counterfactual=counterfactual(choice.breaches),
    )


def said(model: str, version: str, breaches: Sequence[Breach]) -> str:
    """What a model breaks, in a sentence: the gravest few with their reasons."""
    named = f"{model} {version}".strip()
    told = "; ".join(one.reason for one in breaches[:_TOLD])
    more = f"; and {len(breaches) - _TOLD} more" if len(breaches) > _TOLD else ""
    return f"{named} fails its gate: {told}{more}."


def figures(breaches: Iterable[Breach]) -> dict[str, float]:
    """What was measured and its limits, each with the check and the segment it is of."""
    found: dict[str, float] = {}
    for one in breaches:
        head = one.check.value if one.segment == ALL else f"{one.check.value} of {one.segment}"
        for name, value in one.figures.items():
            found[f"{head}: {name}"] = value
        if one.at_stake is not None:
            found[f"{head}: at_stake_per_month_{one.at_stake.currency.lower()}"] = float(
                one.at_stake.mid
            )
    return found


def counterfactual(breaches: Iterable[Breach]) -> tuple[str, ...]:
    """What would have to be true for no remedy, as one clause: every figure within its limit.

    Empty where a breach has no figure with a limit: then nothing can be said that would do.
    """
    clauses: dict[str, None] = {}
    for one in breaches:
        told = [_within(one, *figure) for figure in _limited(one)]
        if not told:
            return ()
        clauses |= dict.fromkeys(told)
    return (" and ".join(clauses),) if clauses else ()


def _within(breach: Breach, name: str, value: float, limit: float) -> str:
    where = "" if breach.segment == ALL else f" ({breach.segment})"
    columns = int(breach.figures.get(COLUMNS, 1))
    if breach.check in _CHECKS and columns > 1:
        return (
            f"none of {columns} columns{where} showed {_CHECKS[breach.check]} (the farthest moved "
            f"by {value:.3g}, its limit is {limit:.3g})"
        )
    head = f"{_CHECKS[breach.check]} " if breach.check in _CHECKS else ""
    way = "at least" if value < limit else "at most"
    named = name.replace("_", " ")
    return f"its {head}{named}{where} were {way} {limit:.3g} (it is {value:.3g})"


def _limited(breach: Breach) -> Iterable[tuple[str, float, float]]:
    """(name, value, limit) of each figure NAME that has a NAME_limit."""
    given = breach.figures
    for name, value in given.items():
        limit = given.get(f"{name}{LIMIT}")
        if limit is not None:
            yield name, value, limit


_CHECKS = {
    Check.DATA_DRIFT: "data drift",
    Check.PREDICTION_DRIFT: "drift of predictions",
    Check.CONCEPT_DRIFT: "concept drift",
}
