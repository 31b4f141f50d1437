"""One protected attribute as groups of rows, and the table of what each group met with.

Counts and rates of single groups only; comparing them is in `comparison`, which of them may be
shown in `shielding`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from finops_dagster.responsible_ai.fairness.shielding import Places, withheld
from finops_dagster.responsible_ai.intervals import (
    calibration,
    calibration_error,
    mean,
    ratio_of_rates,
    wilson,
)
from finops_dagster.responsible_ai.results import (
    GroupRow,
    Interval,
    Task,
)


@dataclass(frozen=True)
class Attribute:
    """The answered rows of one attribute: where each group's are, and what was said of them."""

    name: str
    places: Mapping[str, NDArray[np.int64]]
    prediction: NDArray[np.float64]
    probability: NDArray[np.float64]
    label: NDArray[np.float64]
    nowhere: NDArray[np.int64]
    """Answered rows of no group."""

    @property
    def rows(self) -> int:
        return sum(len(place) for place in self.places.values())

    @property
    def unknown(self) -> int:
        return len(self.nowhere)

    @classmethod
    def of(
        cls, name: str, group: pd.Series[Any], outcomes: pd.DataFrame, answered: NDArray[np.bool_]
    ) -> Attribute:
        named = words(group)
        known = named.notna().to_numpy() & answered
        codes, names = pd.factorize(named.to_numpy()[known], sort=True)
        places = np.flatnonzero(known)
        order = np.argsort(codes, kind="stable")
        parts = np.split(places[order], np.flatnonzero(np.diff(codes[order])) + 1)
        probability = (
            outcomes["probability"].to_numpy(dtype="float64")
            if "probability" in outcomes.columns
            else np.full(len(outcomes), np.nan)
        )
        return cls(
            name=name,
            places=dict(zip(map(str, names), parts, strict=True)) if len(names) else {},
            prediction=outcomes["prediction"].to_numpy(dtype="float64"),
            probability=probability,
            label=outcomes["label"].to_numpy(dtype="float64"),
            nowhere=np.flatnonzero(answered & ~known),
        )


def words(column: pd.Series[Any]) -> pd.Series[Any]:
    """A column as words: whole numbers without a point, null for what is empty or no number."""
    text = column.astype("object").map(_word).astype("object").str.strip()
    gone = column.isna().to_numpy() | text.isin(["", "nan", "NaN", "<NA>"]).to_numpy()
    return text.astype("object").mask(gone, None)


def _word(one: Any) -> str:
    return str(int(one)) if isinstance(one, float) and one.is_integer() else str(one)


def largest_of(places: Places) -> str:
    """The group of most rows; empty where there is none."""
    return max(places, key=lambda group: (len(places[group]), group)) if places else ""


def group_rows(
    one: Attribute,
    shown: Places,
    judged: set[str],
    task: Task,
    smallest: int,
    lines: Sequence[NDArray[np.int64]] | None = None,
    gone: NDArray[np.bool_] | None = None,
) -> list[GroupRow]:
    """One row per shown group, without rates that fewer than `smallest` people bear.

    Nor is any rate shown that would let one of these be worked out (`withheld`). lines: sets of
    places in `shown` whose sum is known, without them the whole. gone: which of `shown` are not
    to be shown after all.
    """
    gone = np.zeros(len(shown), dtype=np.bool_) if gone is None else gone
    if gone.all():
        return []
    base = largest_of({g: p for (g, p), hide in zip(shown.items(), gone, strict=True) if not hide})
    largest = one.prediction[shown[base]] > 0.5
    counts = [_Counts.of(one, place) for place in shown.values()]
    alone = lines is None
    lines = [np.arange(len(shown))] if lines is None else lines
    nobody = _Counts.of(one, one.nowhere)

    def hidden(*kinds: str) -> NDArray[np.bool_]:
        table = np.array([[getattr(c, kind) for kind in kinds] for c in counts], dtype=np.int64)
        beside = np.array([getattr(nobody, kind) for kind in kinds], dtype=np.int64)
        return withheld(table, lines, smallest, beside=beside if alone else None, gone=gone)

    # With accuracy and the selection rate, either error rate tells the other's people too.
    labelled, errors = hidden("labelled"), hidden("positive", "negative")
    selected, scored = hidden("selected"), hidden("scored")
    return [
        _group_row(one, group, place, count, group in judged, task, base, largest,
                   labelled=not labelled[at], errors=not (labelled[at] or errors[at]),
                   selected=not selected[at], scored=not scored[at])
        for at, ((group, place), count) in enumerate(zip(shown.items(), counts, strict=True))
        if not gone[at]
    ]  # fmt: skip


@dataclass(frozen=True)
class _Counts:
    """People of a group who bear each kind of figure."""

    labelled: int
    positive: int
    negative: int
    selected: int
    scored: int

    @classmethod
    def of(cls, one: Attribute, place: NDArray[np.int64]) -> _Counts:
        known = place[np.isfinite(one.label[place])]
        positive = int((one.label[known] > 0.5).sum())
        return cls(
            labelled=len(known),
            positive=positive,
            negative=len(known) - positive,
            selected=int((one.prediction[known] > 0.5).sum()),
            scored=int(np.isfinite(one.probability[known]).sum()),
        )


def _group_row(
    one: Attribute,
    group: str,
    place: NDArray[np.int64],
    count: _Counts,
    judged: bool,
    task: Task,
    base: str,
    largest: NDArray[np.bool_],
    *,
    labelled: bool,
    errors: bool,
    selected: bool,
    scored: bool,
) -> GroupRow:
    known = place[np.isfinite(one.label[place])]
    label, said = one.label[known], one.prediction[known]
    selection = tpr = fpr = accuracy = absolute = signed = precision = None
    error: Interval | None = None
    ratio: Interval | None = None
    if task == "classification":
        picked = one.prediction[place] > 0.5
        selection = wilson(float(picked.sum()), len(place))
        ratio = ratio_of_rates(int(picked.sum()), len(place), int(largest.sum()), len(largest))
        if group == base and ratio is not None:
            ratio = Interval(ratio.value)
        positive, chosen = label > 0.5, said > 0.5
        if labelled and count.labelled:
            accuracy = wilson(float((positive == chosen).sum()), count.labelled)
        if errors and count.positive:
            tpr = wilson(float(chosen[positive].sum()), count.positive)
        if errors and count.negative:
            fpr = wilson(float(chosen[~positive].sum()), count.negative)
        if errors and selected and count.selected:
            precision = wilson(float(positive[chosen].sum()), count.selected)
        if scored and labelled and count.scored:
            valid = np.isfinite(one.probability[known])
            score = one.probability[known][valid]
            error = (
                calibration(label[valid], score)
                if judged
                else Interval(calibration_error(label[valid], score))
            )
    elif labelled and count.labelled:
        absolute, signed = mean(np.abs(said - label)), mean(said - label)
    return GroupRow(
        attribute=one.name,
        group=group,
        rows=len(place),
        labelled=count.labelled,
        selection_rate=selection,
        true_positive_rate=tpr,
        false_positive_rate=fpr,
        accuracy=accuracy,
        calibration_error=error,
        selection_ratio=ratio,
        mean_absolute_error=absolute,
        mean_error=signed,
        judged=judged,
        precision=precision,
    )
