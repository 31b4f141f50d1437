"""What a window tells: its base, its scale, and the features of every horizon, vectorised.

Only values at or before the origin are read; a centred window would leak.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from finops_dagster.engines.forecasting.grid import Calendar
from finops_dagster.engines.known import Floats, mean, median

_REACH = 10
"""A charge of 30 days' cost each month makes a scale of twice a day's."""


@dataclass(frozen=True)
class Windows:
    """One origin of all series: z = (y - base) / scale, features (series, horizon, feature)."""

    base: Floats
    """(series, horizon): what z is counted from; the same for all horizons but hourly."""
    scale: Floats
    """(series,), above 0."""
    features: Floats
    names: tuple[str, ...]


Builder = Callable[[Floats, int, Floats, Calendar, float], Windows]
"""(y, origin position, steps 1..H, calendar, scale floor in units of y) -> Windows."""


def within_reach(scale: Floats, window: Floats, season: int) -> Floats:
    """`scale` (series,) held to 10 times what the series ordinarily is, unless it is so now.

    One purchase of a thousand days' cost would else leave weeks of forecasts that are off by days'
    cost, since a model errs by some hundredths of the scale. Ordinary is the median of |window|,
    now the mean of its last season; a series of zeros and amounts has no such level.
    """
    size = np.abs(window)
    ordinary = median(size)
    most = _REACH * np.fmax(ordinary, mean(size[:, -season:]))
    return np.where(ordinary > 0, np.fmin(scale, most), scale)


def slope(values: Floats) -> Floats:
    """Least-squares slope a step over the last axis; NaN where any value is missing."""
    n = values.shape[-1]
    x = np.arange(n) - (n - 1) / 2
    return np.asarray(values @ (x / (x @ x)))


def tail(window: Floats, n: int) -> Floats:
    """The last `n` columns, filled in front with NaN where there are fewer."""
    have = window.shape[1]
    if have >= n:
        return window[:, have - n :]
    return np.concatenate([np.full((window.shape[0], n - have), np.nan), window], axis=1)


def at(window: Floats, positions: np.ndarray) -> Floats:
    """Columns at `positions` (any shape); NaN where a position is before the start."""
    flat = positions.reshape(-1)
    out = np.where(flat >= 0, window[:, np.maximum(flat, 0)], np.nan)
    return out.reshape(window.shape[0], *positions.shape)


def history_length(window: Floats) -> Floats:
    """Steps from the first known value to the origin."""
    known = np.isfinite(window)
    return np.where(known.any(1), window.shape[1] - known.argmax(1), 0).astype(float)


def assemble(
    per_series: dict[str, Floats], per_step: dict[str, Floats], both: dict[str, Floats]
) -> tuple[tuple[str, ...], Floats]:
    """Names and features (series, horizon, feature) as float32, in the dicts' order."""
    n = next(iter(per_series.values())).shape[0]
    steps = next(iter(per_step.values())).shape[0]
    parts = [np.broadcast_to(v[:, None], (n, steps)) for v in per_series.values()]
    parts += [np.broadcast_to(v[None, :], (n, steps)) for v in per_step.values()]
    parts += list(both.values())
    return (*per_series, *per_step, *both), np.stack(parts, axis=-1).astype(np.float32)
