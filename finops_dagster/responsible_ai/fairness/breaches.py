"""Which figures of fairness are past their limits, and whom that falls on.

The limits are the gate's and the model's owner's; what follows from a breach is policy's.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING

from finops_dagster.domain.decisions import Abstained
from finops_dagster.domain.models import Breach, Check
from finops_dagster.responsible_ai.grading import ends, over, under
from finops_dagster.responsible_ai.results import (
    AttributeFairness,
    FairnessResult,
    Grade,
    GroupRow,
    Interval,
)

if TYPE_CHECKING:
    from finops_dagster.responsible_ai.gate import GateLimits


def breaches_of(
    fairness: FairnessResult | Abstained | None, limits: GateLimits
) -> tuple[Breach, ...]:
    """Breaches of `limits`, the gravest first; none where fairness could not be judged.

    The segment is the group that fares worst, `ATTRIBUTE=GROUP`, and of an intersection
    `ATTRIBUTE=GROUP, ATTRIBUTE=GROUP`. An intersection is told only where none of its attributes
    breaches the same limit as gravely by itself. Attributes that the limits ignore are left out,
    alone and in intersections.
    """
    if not isinstance(fairness, FairnessResult):
        return ()
    single: dict[tuple[str, str], Breach] = {}
    for one in fairness.attributes:
        if one.attribute in limits.ignore:
            continue
        rows = [row for row in fairness.groups if row.attribute == one.attribute]
        for figure, breach in _breaches(one, (one.attribute,), rows, limits):
            single[one.attribute, figure] = breach
    found = list(single.values())
    for each in fairness.intersections:
        if set(each.attributes) & set(limits.ignore):
            continue
        for figure, breach in _breaches(each.compared, each.attributes, each.groups, limits):
            alone = [single.get((name, figure)) for name in each.attributes]
            if not any(one and (one.grade == "fail" or breach.grade == "warn") for one in alone):
                found.append(breach)
    return tuple(sorted(found, key=lambda one: one.grade != "fail"))


def _breaches(
    one: AttributeFairness, names: tuple[str, ...], groups: Iterable[GroupRow], limits: GateLimits
) -> Iterator[tuple[str, Breach]]:
    rows = [row for row in groups if row.judged]
    said = " and ".join(names)
    ratio, limit = one.demographic_parity_ratio, limits.selection_ratio
    if ratio is not None and (grade := under(ratio, limit)) is not None:
        low, high = _extreme(min, rows, "selection_rate"), _extreme(max, rows, "selection_rate")
        reason = (
            f"{said}: {low.group} is selected {ratio.value:.2f} times as often as {high.group}"
            f"{ends(ratio)}; four fifths is the limit of {limit:g}"
        )
        yield "selection_ratio", _breach(grade, names, low, "selection_ratio", ratio, limit, reason)
    odds, limit = one.equalized_odds_difference, limits.odds_difference
    if odds is not None and (grade := over(odds, limit)) is not None:
        worst = _worst_errors(one, rows)
        reason = (
            f"{said}: error rates differ between groups by {odds.value:.2f}{ends(odds)}; "
            f"limit {limit:g}"
        )
        yield (
            "odds_difference",
            _breach(grade, names, worst, "odds_difference", odds, limit, reason),
        )
    error, limit = one.error_ratio, limits.error_ratio
    if error is not None and (grade := over(error, limit)) is not None:
        worst = _extreme(max, rows, "mean_absolute_error")
        reason = (
            f"{said}: the error of one group over another's is {error.value:.2f}{ends(error)}; "
            f"limit {limit:g}"
        )
        yield "error_ratio", _breach(grade, names, worst, "error_ratio", error, limit, reason)


def _extreme(pick: Callable[..., GroupRow], rows: Iterable[GroupRow], figure: str) -> GroupRow:
    """The row of the lowest or highest `figure` among those that have it."""
    return pick(
        (row for row in rows if getattr(row, figure) is not None),
        key=lambda row: getattr(row, figure).value,
    )


def _worst_errors(one: AttributeFairness, rows: list[GroupRow]) -> GroupRow:
    """Who bears the larger of both gaps: least often found where due, or most often accused."""
    missed, accused = one.true_positive_rate_difference, one.false_positive_rate_difference
    if missed is not None and accused is not None and missed.value >= accused.value:
        return _extreme(min, rows, "true_positive_rate")
    return _extreme(max, rows, "false_positive_rate")


def _breach(
    grade: Grade,
    names: tuple[str, ...],
    worst: GroupRow,
    figure: str,
    measured: Interval,
    limit: float,
    reason: str,
) -> Breach:
    figures = {figure: measured.value, f"{figure}_limit": limit}
    for end in ("low", "high"):
        bound = getattr(measured, end)
        if bound is not None:
            figures[f"{figure}_{end}"] = bound
    return Breach(
        check=Check.FAIRNESS,
        grade="fail" if grade == "fail" else "warn",
        reason=reason,
        segment=", ".join(f"{name}={part}" for name, part in zip(names, worst.parts, strict=True)),
        figures=figures,
    )
