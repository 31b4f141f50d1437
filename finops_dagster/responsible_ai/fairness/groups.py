"""One protected attribute as groups of rows, and the table of what each group met with.

Counts and rates of single groups only; comparing them is in `comparison`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from finops_dagster.responsible_ai.intervals import (
    calibration_error,
    mean,
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
    unknown: int

    @property
    def rows(self) -> int:
        return sum(len(place) for place in self.places.values())

    @classmethod
    def of(
        cls, name: str, group: pd.Series[Any], outcomes: pd.DataFrame, answered: NDArray[np.bool_]
    ) -> Attribute:
        known = group.notna().to_numpy() & answered
        texts = group.astype(str).to_numpy()
        codes, names = pd.factorize(texts[known], sort=True)
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
            unknown=int((answered & ~known).sum()),
        )


def largest_of(places: Mapping[str, NDArray[np.int64]]) -> str:
    """The group of most rows; empty where there is none."""
    return max(places, key=lambda group: (len(places[group]), group)) if places else ""


def group_rows(
    one: Attribute,
    shown: Mapping[str, NDArray[np.int64]],
    judged: set[str],
    task: Task,
    smallest: int,
) -> list[GroupRow]:
    """One row per shown group; rates that fewer than `smallest` people bear are left out."""
    base = None
    if task == "classification" and shown:
        base = float((one.prediction[shown[largest_of(shown)]] > 0.5).mean())
    return [
        _group_row(one, group, place, group in judged, task, smallest, base)
        for group, place in shown.items()
    ]


def _group_row(
    one: Attribute,
    group: str,
    place: NDArray[np.int64],
    judged: bool,
    task: Task,
    smallest: int,
    base: float | None,
) -> GroupRow:
    known = place[np.isfinite(one.label[place])]
    label, said = one.label[known], one.prediction[known]
    enough = len(known) >= smallest
    selection = tpr = fpr = accuracy = absolute = signed = None
    error = ratio = None
    if task == "classification":
        selected = one.prediction[place] > 0.5
        selection = wilson(float(selected.sum()), len(place))
        ratio = Interval(selection.value / base) if base else None
        positive, chosen = label > 0.5, said > 0.5
        if enough:
            accuracy = wilson(float((positive == chosen).sum()), len(known))
        if positive.sum() >= smallest:
            tpr = wilson(float(chosen[positive].sum()), int(positive.sum()))
        if (~positive).sum() >= smallest:
            fpr = wilson(float(chosen[~positive].sum()), int((~positive).sum()))
        scored = np.isfinite(one.probability[known])
        if scored.sum() >= smallest:
            error = Interval(calibration_error(label[scored], one.probability[known][scored]))
    elif enough:
        absolute, signed = mean(np.abs(said - label)), mean(said - label)
    return GroupRow(
        attribute=one.name,
        group=group,
        rows=len(place),
        labelled=len(known),
        selection_rate=selection,
        true_positive_rate=tpr,
        false_positive_rate=fpr,
        accuracy=accuracy,
        calibration_error=error,
        selection_ratio=ratio,
        mean_absolute_error=absolute,
        mean_error=signed,
        judged=judged,
    )
