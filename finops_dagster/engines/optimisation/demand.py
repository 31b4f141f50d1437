"""Demand series as sizing may use them: impossible numbers made missing, or why not.

What size they ask for is decided elsewhere.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from finops_dagster.engines.known import Floats

MIN_SAMPLES = 16
"""Measured intervals of a history: one for each of the blocks that its features are made of."""
MIN_COVERAGE = 0.5
"""Share of its intervals, from the first measured one on, that a history must have measured."""
PART = 1_000
"""Workloads that are held as one matrix at a time."""


def cleaned(values: Floats) -> Floats:
    """`values` (time,) as floats, negative and infinite ones missing, begun at the first known one.

    Raises ValueError where `values` has more than one dimension.
    """
    series = np.asarray(values, dtype=float)
    if series.ndim != 1:
        raise ValueError(f"a demand series has one dimension, not {series.ndim}")
    known = np.isfinite(series) & (series >= 0)
    if not known.any():
        return series[:0]
    return np.where(known, series, np.nan)[int(known.argmax()) :]


def why_not(series: Floats) -> str:
    """Why a `cleaned` series cannot be sized by; empty where it can."""
    known = int(np.isfinite(series).sum())
    if known < MIN_SAMPLES:
        return f"measured in {known} intervals, {MIN_SAMPLES} are needed"
    if known < MIN_COVERAGE * series.size:
        return f"measured in {known / series.size:.0%} of its intervals, half are needed"
    if np.nanmax(series) <= 0:
        return "demand was never above zero: there is nothing to size by"
    return ""


def matrices(series: Sequence[Floats]) -> Iterator[tuple[np.ndarray, Floats]]:
    """Positions and the matrix (workload, time) of series of one length, PART at most at a time."""
    lengths = np.array([one.size for one in series])
    for length in np.unique(lengths):
        places = np.flatnonzero(lengths == length)
        for start in range(0, places.size, PART):
            part = places[start : start + PART]
            yield part, np.stack([series[place] for place in part])


def sorted_known(matrix: Floats) -> tuple[Floats, np.ndarray]:
    """Rows sorted with missing values last, and how many of each row are known."""
    return np.sort(matrix, axis=-1), np.isfinite(matrix).sum(axis=-1)


def quantiles(ordered: Floats, known: np.ndarray, levels: Sequence[float]) -> Floats:
    """(workload, level) of what `sorted_known` returned, by linear interpolation.

    NumPy's default (Hyndman and Fan 1996, type 7), as its nanquantile at a fraction of its time.
    """
    place = np.asarray(levels)[None, :] * (known[:, None] - 1)
    low = np.floor(place).astype(int)
    rows = np.arange(len(ordered))[:, None]
    below = ordered[rows, low]
    above = ordered[rows, np.minimum(low + 1, known[:, None] - 1)]
    return np.asarray(below + (place - low) * (above - below))


def meter_step(series: Sequence[Floats], unit: float) -> float:
    """The step that every value is a multiple of; 0 where there is none above 0.2 % of `unit`.

    Between two steps of its meter a capacity is exceeded just as often as on the lower one, so
    only the steps are worth asking for. Judged on the first thousand series.
    """
    values = np.unique(np.concatenate([np.unique(one[np.isfinite(one)]) for one in series[:PART]]))
    gaps = np.diff(values)
    if gaps.size == 0:
        return 0.0
    step = float(gaps.min())
    if step < 0.002 * unit:
        return 0.0
    steps = values / step
    return step if bool(np.all(np.abs(steps - np.round(steps)) < 1e-6)) else 0.0
