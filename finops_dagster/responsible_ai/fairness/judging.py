"""Fairness of one model's answers by protected group: tables and differences with intervals.

Measures only; which difference is too large is decided in `gate`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import pandas as pd

from finops_dagster.domain.decisions import Abstained
from finops_dagster.responsible_ai.fairness.comparison import compare
from finops_dagster.responsible_ai.fairness.groups import Attribute, group_rows
from finops_dagster.responsible_ai.fairness.intersections import intersections
from finops_dagster.responsible_ai.fairness.shielding import shielded
from finops_dagster.responsible_ai.results import (
    AttributeFairness,
    FairnessResult,
    GroupRow,
    Intersection,
    Task,
)

SMALLEST_GROUP = 20
"""k: a group of fewer people is not shown, nor a rate that fewer bear (k-anonymity,
L. Sweeney 2002)."""
SMALLEST_SHARE = 0.02
"""Groups under 2 % of those judged are shown and not compared, as in 29 CFR 1607.15(A)(2)(a)."""
LEFT_OUT_SHARE = 0.05
"""Share of rows left out above which the rest may not stand for all, and that is said aloud."""
_ERRORS = "errors of"


def judge_fairness(
    subject: str,
    groups: pd.DataFrame,
    outcomes: pd.DataFrame,
    *,
    task: Task,
    seed: int,
    smallest_group: int = SMALLEST_GROUP,
) -> FairnessResult | Abstained:
    """Fairness over every column of `groups`, whose rows are those of `outcomes`.

    outcomes: prediction (0 or 1 for classifiers), label (NaN where not known) and, for
    classifiers, probability (may be NaN). Selection rates need predictions alone; error rates are
    over labelled rows. Rows without a group are left out of that attribute and counted.
    """
    prediction = outcomes["prediction"].to_numpy(dtype="float64")
    answered = np.isfinite(prediction)
    if not answered.any():
        return Abstained(subject=subject, reason="no prediction has a value")
    abstained: list[Abstained] = []
    notes: list[str] = []
    _left_out(subject, "prediction", int((~answered).sum()), len(answered), notes, abstained)
    outcomes, outside = _within(outcomes)
    if outside:
        notes.append(f"{outside} probabilities are outside 0 to 1 and are left out")
    labels = outcomes["label"].to_numpy(dtype="float64")
    labelled = bool(np.isfinite(labels[answered]).any())
    if groups.shape[1] == 0:
        notes.append("Its owner names no protected group, so nothing is compared")
    elif not labelled:
        abstained.append(
            Abstained(
                subject=f"{_ERRORS} {subject}",
                reason="no label has arrived: only what the model said could be compared",
            )
        )
    known = np.isfinite(labels)
    kinds = (known & (labels > 0.5), known & (labels <= 0.5)) if task == "classification" else ()
    hidden: list[str] = []
    rows: list[GroupRow] = []
    attributes: list[AttributeFairness] = []
    parts: list[Attribute] = []
    for name in map(str, groups.columns):
        one = Attribute.of(name, groups[name], outcomes, answered)
        _left_out(subject, name, one.unknown, one.rows + one.unknown, notes, abstained)
        shown = shielded(one.places, one.unknown, smallest_group, kinds, SMALLEST_SHARE)
        if shown.told:
            hidden.append(f"{name}: {shown.told}")
        one = replace(one, places=shown.places)
        parts.append(one)
        judged = {
            g: place
            for g, place in shown.places.items()
            if g != shown.mixed and len(place) >= SMALLEST_SHARE * one.rows
        }
        table = group_rows(one, shown.places, set(judged), task, smallest_group)
        rows.extend(table)
        if len(judged) < 2:
            abstained.append(
                Abstained(
                    subject=f"{subject}: {name}",
                    reason="fewer than two groups are large enough to compare",
                )
            )
            continue
        compared = compare(one, judged, table, task, seed)
        attributes.append(compared)
        nothing = compared.equalized_odds_difference is None and compared.error_ratio is None
        if labelled and nothing:
            abstained.append(
                Abstained(
                    subject=f"{_ERRORS} {subject} by {name}",
                    reason="fewer than two groups have enough labelled rows to compare",
                )
            )
    crossed, untold = intersections(
        subject, parts, task=task, seed=seed, smallest=smallest_group, share=SMALLEST_SHARE
    )
    notes += untold
    return FairnessResult(
        subject=subject,
        task=task,
        rows=int(answered.sum()),
        labelled=int(np.isfinite(labels[answered]).sum()),
        groups=tuple(rows),
        attributes=tuple(attributes),
        shielded=tuple(hidden),
        notes=tuple(notes),
        abstained=tuple(abstained),
        intersections=crossed,
    )


def _within(outcomes: pd.DataFrame) -> tuple[pd.DataFrame, int]:
    """`outcomes` without probabilities that are none, and how many these were."""
    if "probability" not in outcomes.columns:
        return outcomes, 0
    probability = outcomes["probability"].to_numpy(dtype="float64")
    outside = (probability < 0) | (probability > 1)
    if not outside.any():
        return outcomes, 0
    kept = np.where(outside, np.nan, probability)
    return outcomes.assign(probability=kept), int(outside.sum())


def with_errors_of(
    answers: FairnessResult, errors: FairnessResult | Abstained, window: str
) -> FairnessResult:
    """`answers` with the error rates of another window, the newest whose labels have arrived."""
    if isinstance(errors, Abstained):
        return replace(answers, abstained=(*answers.abstained, errors))
    rows = {(row.attribute, row.group): row for row in errors.groups}
    compared = {one.attribute: one for one in errors.attributes}
    crossed = {one.attributes: one for one in errors.intersections}
    kept = tuple(one for one in answers.abstained if not one.subject.startswith(_ERRORS))
    return replace(
        answers,
        labelled=errors.labelled,
        groups=tuple(_row_with_errors(row, rows) for row in answers.groups),
        attributes=tuple(
            _compared_with_errors(one, compared.get(one.attribute)) for one in answers.attributes
        ),
        intersections=tuple(
            _crossed_with_errors(one, crossed.get(one.attributes)) for one in answers.intersections
        ),
        notes=(*answers.notes, f"Error rates are of {window}, the newest days with labels"),
        abstained=(
            *kept,
            *(one for one in errors.abstained if one not in kept),
        ),
    )


def _compared_with_errors(
    one: AttributeFairness, other: AttributeFairness | None
) -> AttributeFairness:
    if other is None:
        return one
    return replace(
        other,
        largest_group=one.largest_group,
        demographic_parity_difference=one.demographic_parity_difference,
        demographic_parity_ratio=one.demographic_parity_ratio,
    )


def _crossed_with_errors(one: Intersection, other: Intersection | None) -> Intersection:
    if other is None:
        return one
    rows = {(row.attribute, row.group): row for row in other.groups}
    return replace(
        one,
        groups=tuple(_row_with_errors(row, rows) for row in one.groups),
        compared=_compared_with_errors(one.compared, other.compared),
    )


def _row_with_errors(row: GroupRow, rows: Mapping[tuple[str, str], GroupRow]) -> GroupRow:
    other = rows.get((row.attribute, row.group))
    if other is None:
        return row
    return replace(
        other,
        rows=row.rows,
        selection_rate=row.selection_rate,
        selection_ratio=row.selection_ratio,
        judged=row.judged,
    )


def _left_out(
    subject: str, what: str, count: int, total: int, notes: list[str], abstained: list[Abstained]
) -> None:
    if not count:
        return
    text = f"{count} of {total} rows have no {what} and are left out"
    if count > LEFT_OUT_SHARE * total:
        abstained.append(Abstained(subject=f"{subject}: {what}", reason=text))
    else:
        notes.append(text)
