"""Figures of rows by the number of the group that each is in, missing values left out.

pandas hashes the names of groups anew for each figure; numbers made once do for all.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from finops_dagster.engines.known import Floats


def numbered(values: Any) -> tuple[np.ndarray, np.ndarray]:
    """The place of each value among the distinct ones, and these, rising. Missing ones get -1."""
    codes, distinct = pd.factorize(values)
    distinct = np.asarray(distinct)
    order = np.argsort(distinct)
    place = np.empty(len(order) + 1, dtype=np.int64)
    place[order] = np.arange(len(order))
    place[-1] = -1
    return place[codes], distinct[order]


def sums(values: Floats, of: np.ndarray, count: int) -> Floats:
    """Sum by group; NaN where nothing is known."""
    total, number = _totals(values, of, count)
    return np.where(number > 0, total, np.nan)


def means(values: Floats, of: np.ndarray, count: int) -> Floats:
    """Mean by group; NaN where nothing is known."""
    total, number = _totals(values, of, count)
    return np.where(number > 0, total / np.maximum(number, 1), np.nan)


def _totals(values: Floats, of: np.ndarray, count: int) -> tuple[Floats, np.ndarray]:
    known = np.flatnonzero(~np.isnan(values))
    if not known.size:
        return np.zeros(count), np.zeros(count, dtype=int)
    if known.size < values.size:
        of, values = of[known], values[known]
    return np.bincount(of, values, minlength=count), np.bincount(of, minlength=count)


def highest(values: Floats, of: np.ndarray, count: int) -> Floats:
    """Largest by group; NaN where nothing is known."""
    known = np.flatnonzero(~np.isnan(values))
    top = np.full(count, -np.inf)
    np.maximum.at(top, of[known], values[known])
    return np.where(np.isneginf(top), np.nan, top)


def bounds(of: np.ndarray, count: int) -> np.ndarray:
    """Where each group of rising numbers begins, and the last ends: count + 1 places."""
    return np.searchsorted(of, np.arange(count + 1))


def quantile(values: Floats, level: float) -> float:
    """Of what is known, by linear interpolation; NaN where nothing is."""
    return float(quantiles(values, np.zeros(values.size, dtype=int), 1, (level,))[0, 0])


def quantiles(values: Floats, of: np.ndarray, count: int, levels: Sequence[float]) -> Floats:
    """(group, level) by linear interpolation of rising groups; NaN where nothing is known."""
    out = np.full((count, len(levels)), np.nan)
    ends = bounds(of, count)
    for group in range(count):
        ordered = np.sort(values[ends[group] : ends[group + 1]])
        known = ordered[: ordered.size - int(np.isnan(ordered).sum())]
        if known.size:
            place = np.asarray(levels) * (known.size - 1)
            low = np.floor(place).astype(int)
            above = known[np.minimum(low + 1, known.size - 1)]
            out[group] = known[low] + (above - known[low]) * (place - low)
    return out
