"""Figures of what is known in arrays with gaps: NaN is skipped, and answers where all is NaN.

NumPy's own warn where nothing is known, and are several times slower.
"""

from __future__ import annotations

import numpy as np

Floats = np.ndarray


def mean(values: Floats) -> Floats:
    """Mean over the last axis of what is known; NaN where nothing is."""
    known = np.isfinite(values)
    count = known.sum(-1)
    total = np.where(known, values, 0.0).sum(-1)
    return np.where(count > 0, total / np.maximum(count, 1), np.nan)


def median(values: Floats, axis: int = -1) -> Floats:
    """Median over an axis of what is known; NaN where nothing is."""
    if not values.shape[axis]:
        return np.full(np.delete(values.shape, axis), np.nan)
    ordered = np.sort(values, axis=axis)  # NaN sorts last
    count = np.isfinite(values).sum(axis=axis, keepdims=True)
    low = np.take_along_axis(ordered, np.maximum((count - 1) // 2, 0), axis)
    high = np.minimum(np.maximum(count // 2, 0), values.shape[axis] - 1)
    middle = (low + np.take_along_axis(ordered, high, axis)) / 2
    return np.asarray(np.squeeze(np.where(count > 0, middle, np.nan), axis=axis))


def spread(values: Floats) -> Floats:
    """Standard deviation over the last axis of what is known."""
    centre = mean(values)
    return np.asarray(np.sqrt(np.maximum(mean((values - centre[..., None]) ** 2), 0.0)))
