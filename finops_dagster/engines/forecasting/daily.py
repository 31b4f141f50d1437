"""Windows and features of daily series, made for cost: weekdays, month ends, zeros, launches.

Hourly and weekly series have modules of their own.
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
from finops_dagster.engines.known import Floats, mean, median, spread

_LEVEL_SHARE = 0.02
"""The scale is at least so much of the level: a flat series has noise of its own size."""


def windows(y: Floats, origin: int, steps: Floats, calendar: Calendar, floor: float) -> Windows:
    """Base = median of 7 days; scale = max(mean |7-day difference| of 56, 2 % of level, floor),
    within reach of the level."""
    window = y[:, : origin + 1]
    base = median(tail(window, 7))
    year = tail(window, 112)
    differences = np.abs(year[:, -56:] - year[:, -63:-7])
    level = mean(np.abs(year[:, -28:]))
    scale = np.fmax(mean(differences), _LEVEL_SHARE * level)
    scale = np.fmax(within_reach(scale, year[:, -56:], 7), floor)

    def z(values: Floats) -> Floats:
        shape = (-1,) + (1,) * (values.ndim - 1)
        return np.asarray((values - base.reshape(shape)) / scale.reshape(shape))

    slopes = {n: slope(year[:, -n:]) / scale for n in (14, 28, 56)}
    zero = np.where(np.isfinite(year[:, -28:]), (year[:, -28:] == 0).astype(float), np.nan)
    per_series = {f"mean_{n}": z(mean(year[:, -n:])) for n in (3, 7, 14, 28, 56, 112)}
    per_series |= {f"spread_{n}": spread(year[:, -n:]) / scale for n in (7, 28)}
    per_series |= {f"slope_{n}": value for n, value in slopes.items()}
    per_series["zero_share_28"] = mean(zero)
    per_series["log_scale_over_level"] = np.log(scale / np.fmax(level, floor))
    per_series["history_length"] = np.log1p(history_length(window))
    per_series["last"] = z(window[:, -1])

    target = origin + steps.astype(int)
    per_step = {
        "horizon": steps,
        "weekday": calendar.weekday[target],
        "day_of_month": calendar.day_of_month[target],
        "days_to_month_end": calendar.days_to_month_end[target],
    }
    whole_weeks = np.ceil(steps / 7).astype(int)
    weeks = np.stack([target - 7 * (whole_weeks + k) for k in range(4)])
    same = at(window, weeks)
    both = {f"same_weekday_{k + 1}": z(same[:, k]) for k in range(4)}
    both["same_weekday_mean_4"] = z(mean(np.moveaxis(same, 1, -1)))
    for n, value in slopes.items():
        both[f"slope_{n}_x_horizon"] = value[:, None] * steps[None, :]
    ago = _seen_month(calendar, target, origin)
    both["month_ago"] = z(at(window, ago))
    both["two_months_ago"] = z(at(window, _back(calendar, ago)))
    names, features = assemble(per_series, per_step, both)
    return Windows(np.broadcast_to(base[:, None], features.shape[:2]), scale, features, names)


def _seen_month(calendar: Calendar, target: np.ndarray, origin: int) -> np.ndarray:
    """The same day of the newest month before that is at or before the origin."""
    position = _back(calendar, target)
    while (position > origin).any():
        position = np.where(position > origin, _back(calendar, position), position)
    return position


def _back(calendar: Calendar, position: np.ndarray) -> np.ndarray:
    """One month back; what is before the start stays before it."""
    return np.where(position >= 0, calendar.month_back[np.maximum(position, 0)], -1)
