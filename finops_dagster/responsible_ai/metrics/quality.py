"""Quality of a window's answers against labels, each figure with its interval and its source.

Figures of single groups and between them are of `fairness`; how they become rows, of `rows`.
"""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from finops_dagster.responsible_ai.intervals import (
    Z95,
    area_under_curve,
    calibration,
    mean,
    wilson,
)
from finops_dagster.responsible_ai.results import Interval, Task

Figure = tuple[str, Interval, int]
"""Name, figure, and how many rows bear it."""
_CLIP = 1e-15
"""Probabilities are held this far from 0 and 1 in logarithms, as scikit-learn long did."""


def quality(outcomes: pd.DataFrame, task: Task, smallest: int) -> tuple[list[Figure], list[str]]:
    """Figures over the labelled rows, and why others are not shown.

    outcomes: prediction, label and probability, NaN where unknown. Rates that fewer than
    `smallest` people bear are left out, and with them those from which they could be worked out.
    """
    known = outcomes[outcomes["prediction"].notna() & outcomes["label"].notna()]
    if not len(known):
        return [], []
    if len(known) < smallest:
        return [], [f"quality: fewer than {smallest} labelled answers, which would tell of each"]
    if task == "regression":
        return _regression(known)
    return _classification(known, smallest)


def _classification(known: pd.DataFrame, smallest: int) -> tuple[list[Figure], list[str]]:
    said, label = known["prediction"].to_numpy(), known["label"].to_numpy()
    count, told = len(known), []
    found: list[Figure] = [
        ("accuracy", wilson(float((said == label).sum()), count), count),
        ("selection_rate", wilson(float(said.sum()), count), count),
    ]
    both, chosen, ones = float((said * label).sum()), float(said.sum()), float(label.sum())
    zeros = count - ones
    few = [
        what
        for what, people in (("label is class 1", ones), ("label is class 0", zeros))
        if 0 < people < smallest
    ]
    if few:
        told.append(f"rates of errors: fewer than {smallest} people whose {few[0]}")
    else:
        found.append(("base_rate", wilson(ones, count), count))
        found += _rates(both, chosen, ones, zeros, smallest)
    for name, total in (("class 1", ones), ("class 0", zeros)):
        if not total:
            told.append(f"no label is {name}: rates over such rows and roc_auc have no meaning")
    if not chosen:
        told.append("no answer is class 1: precision has no meaning")
    scored = known[known["probability"].notna()]
    if len(scored) >= smallest:
        found += _scores(scored["label"].to_numpy(), scored["probability"].to_numpy())
    return found, told


def _rates(
    both: float, chosen: float, ones: float, zeros: float, smallest: int
) -> Iterator[Figure]:
    if ones:
        for name in ("true_positive_rate", "recall"):
            yield name, wilson(both, ones), int(ones)
    if zeros:
        yield "false_positive_rate", wilson(chosen - both, zeros), int(zeros)
    if chosen >= smallest:
        yield "precision", wilson(both, chosen), int(chosen)
    if chosen + ones:
        yield "f1", _f1(both, chosen, ones), int(chosen + ones - both)


def _f1(both: float, chosen: float, ones: float) -> Interval:
    """F1 rises with Jaccard's J = TP / (TP + FP + FN), a proportion: F1 = 2 J / (1 + J)."""
    jaccard = wilson(both, chosen + ones - both)
    ends = (
        None if end is None else 2 * end / (1 + end)
        for end in (jaccard.value, jaccard.low, jaccard.high)
    )
    value, low, high = ends
    return Interval(value or 0.0, low, high)


def _scores(label: NDArray[np.float64], score: NDArray[np.float64]) -> Iterator[Figure]:
    rows = len(label)
    area = area_under_curve(label, score)
    if area is not None:
        yield "roc_auc", area, rows
    held = np.clip(score, _CLIP, 1 - _CLIP)
    yield "log_loss", mean(-np.where(label > 0.5, np.log(held), np.log1p(-held))), rows
    # G. W. Brier 1950, in its form for two classes.
    yield "brier_score", mean((score - label) ** 2), rows
    yield "calibration_error", calibration(label, score), rows


def _regression(known: pd.DataFrame) -> tuple[list[Figure], list[str]]:
    said, label = known["prediction"].to_numpy(), known["label"].to_numpy()
    rows, error = len(known), known["prediction"].to_numpy() - known["label"].to_numpy()
    size = np.abs(error)
    square = mean(error**2)
    found: list[Figure] = [
        ("mean_absolute_error", mean(size), rows),
        ("root_mean_squared_error", _root(square), rows),
        ("mean_error", mean(error), rows),
        ("median_absolute_error", _quantile(size, 0.5), rows),
        ("absolute_error_p90", _quantile(size, 0.9), rows),
    ]
    told = []
    spread = (label - label.mean()) ** 2
    if spread.mean() > 0:
        found.append(("r2", _explained(error**2, spread), rows))
    else:
        told.append("every label is the same: r2 has no meaning")
    if (label != 0).all():
        found.append(("mean_absolute_percentage_error", mean(size / np.abs(label)), rows))
    else:
        told.append("some labels are 0: mean_absolute_percentage_error has no meaning")
    both = np.abs(said) + np.abs(label)
    # Of S. Makridakis 1993, as M4 has it: 0 to 2; 0 where both are 0.
    symmetric = np.divide(2 * size, both, out=np.zeros(rows), where=both > 0)
    found.append(("symmetric_mean_absolute_percentage_error", mean(symmetric), rows))
    return found, told


def _root(square: Interval) -> Interval:
    low, high = (
        None if end is None else math.sqrt(max(end, 0.0)) for end in (square.low, square.high)
    )
    return Interval(math.sqrt(square.value), low, high)


def _quantile(size: NDArray[np.float64], level: float) -> Interval:
    """A quantile with the interval of its order statistics (W. J. Conover 1999, 3.2)."""
    ordered, rows = np.sort(size), len(size)
    half = Z95 * math.sqrt(rows * level * (1 - level))
    low = max(0, math.floor(rows * level - half) - 1)
    high = min(rows - 1, math.ceil(rows * level + half))
    return Interval(float(np.quantile(ordered, level)), float(ordered[low]), float(ordered[high]))


def _explained(square: NDArray[np.float64], spread: NDArray[np.float64]) -> Interval:
    """1 - mean square error over variance, its interval by linearising the quotient."""
    quotient = float(square.mean() / spread.mean())
    residual = mean((square - quotient * spread) / spread.mean())
    if residual.high is None:
        return Interval(1 - quotient)
    half = residual.high - residual.value
    return Interval(1 - quotient, 1 - quotient - half, 1 - quotient + half)
