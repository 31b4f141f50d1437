"""Windows and features of weekly series: recent lags, levels, slopes and the year before.

Daily and hourly series have modules of their own.
"""

from __future__ import annotations

import numpy as np

from finops_dagster.engines.forecasting.grid import Calendar
from finops_dagster.engines.forecasting.windows import (
    Windows,
    assemble,
    at,
    history_length,
    slope,
    tail,
    within_reach,
)
from finops_dagster.engines.known import Floats, mean, spread

YEAR = 52
_SLOPES = (8, 13, 26, 52)
_SMOOTHING = (0.1, 0.3, 0.6)


def windows(y: Floats, origin: int, steps: Floats, calendar: Calendar, floor: float) -> Windows:
    """Base = the last known value of four; scale = mean |1-step difference| of 52 weeks."""
    window = y[:, : origin + 1]
    recent = tail(window, 2 * YEAR)
    base = recent[:, -1]
    for back in (2, 3, 4):
        base = np.where(np.isfinite(base), base, recent[:, -back])
    scale = mean(np.abs(np.diff(recent[:, -YEAR - 1 :], axis=1)))
    scale = np.fmax(within_reach(scale, recent[:, -YEAR:], 1), floor)
    level = mean(np.abs(recent[:, -YEAR:]))

    def z(values: Floats) -> Floats:
        shape = (-1,) + (1,) * (values.ndim - 1)
        return np.asarray((values - base.reshape(shape)) / scale.reshape(shape))

    per_series = {f"lag_{k}": z(recent[:, -k]) for k in range(2, 27)}
    per_series |= {f"mean_{n}": z(mean(recent[:, -n:])) for n in (4, 8, 13, 26, 52)}
    per_series |= {f"spread_{n}": spread(recent[:, -n:]) / scale for n in (4, 13, 52)}
    slopes = {n: slope(recent[:, -n:]) / scale for n in _SLOPES}
    per_series |= {f"slope_{n}": value for n, value in slopes.items()}
    for rate in _SMOOTHING:
        weights = rate * (1 - rate) ** np.arange(YEAR)[::-1]
        known = np.isfinite(recent[:, -YEAR:])
        total = (np.where(known, recent[:, -YEAR:], 0.0) * weights).sum(1)
        per_series[f"smoothed_{rate}"] = z(total / np.maximum((known * weights).sum(1), 1e-12))
    per_series["log_scale_over_level"] = np.log(scale / np.fmax(level, floor))
    per_series["history_length"] = np.log1p(history_length(window))
    target = origin + steps.astype(int)
    place = np.where(target - YEAR > origin, target - 2 * YEAR, target - YEAR)
    both = {"year_ago": z(at(window, place)), "two_years_ago": z(at(window, place - YEAR))}
    now_then = at(window, np.full(len(steps), origin - YEAR))
    both["year_ago_change"] = np.asarray((at(window, place) - now_then) / scale[:, None])
    for n, value in slopes.items():
        both[f"slope_{n}_x_horizon"] = value[:, None] * steps[None, :]
    names, features = assemble(per_series, {"horizon": steps}, both)
    return Windows(np.broadcast_to(base[:, None], features.shape[:2]), scale, features, names)
