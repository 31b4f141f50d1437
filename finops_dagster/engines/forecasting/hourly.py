"""Windows and features of hourly series: yesterday, the same hour of past days, last week.

Daily and weekly series have modules of their own.
"""

from __future__ import annotations

import numpy as np

from finops_dagster.engines.forecasting.grid import Calendar
from finops_dagster.engines.forecasting.windows import (
    Windows,
    assemble,
    at,
    tail,
    within_reach,
)
from finops_dagster.engines.known import Floats, mean, median, spread

DAY, WEEK = 24, 168


def windows(y: Floats, origin: int, steps: Floats, calendar: Calendar, floor: float) -> Windows:
    """Base = the same hour of the last day; scale = mean |24-step difference| of 168 hours."""
    window = y[:, : origin + 1]
    recent = tail(window, 2 * WEEK + DAY)
    differences = recent[:, DAY:] - recent[:, :-DAY]
    scale = mean(np.abs(differences[:, -WEEK:]))
    scale = np.fmax(within_reach(scale, recent[:, -WEEK:], DAY), floor)
    level = mean(np.abs(recent[:, -WEEK:]))
    target = origin + steps.astype(int)
    cycles = np.ceil(steps / DAY).astype(int)
    days_ago = np.stack([target - DAY * (cycles + k) for k in range(7)])
    same = at(window, days_ago)
    base = same[:, 0]
    # an hour that is not known: what the hours around usually are, so that the row is not lost
    base = np.where(np.isfinite(base), base, median(np.moveaxis(same, 1, -1)))

    def z(values: Floats) -> Floats:
        return np.asarray((values - base) / scale[:, None])

    def shape(values: Floats) -> Floats:
        return np.asarray(values / scale)

    day_means = [
        mean(recent[:, recent.shape[1] - DAY * (k + 1) : recent.shape[1] - DAY * k])
        for k in range(7)
    ]
    last_mean = day_means[0]
    per_series = {f"recent_change_{n}": shape(mean(differences[:, -n:])) for n in (1, 2, 3, 6, 12)}
    per_series |= {f"day_mean_{k}": shape(day_means[k] - last_mean) for k in range(1, 7)}
    per_series["week_mean"] = shape(mean(recent[:, -WEEK:]) - last_mean)
    per_series["spread_24"] = shape(spread(recent[:, -DAY:]))
    per_series["spread_168"] = shape(spread(recent[:, -WEEK:]))
    day_scale = mean(np.abs(differences[:, -DAY:]))
    per_series["scale_168_over_24"] = np.log(scale / np.fmax(day_scale, floor))
    per_series["log_scale_over_level"] = np.log(scale / np.fmax(level, floor))
    per_series["last"] = shape(window[:, -1] - last_mean)
    per_step = {
        "horizon": steps,
        "phase": (steps - 1) % DAY,
        "hour": calendar.hour[target],
        "weekday": calendar.weekday[target],
    }
    both = {f"days_ago_{k + 1}": z(same[:, k]) for k in range(1, 7)}
    both["same_hour_median_3"] = z(median(np.moveaxis(same[:, :3], 1, -1)))
    both["same_hour_mean_7"] = z(mean(np.moveaxis(same, 1, -1)))
    both["yesterday_before"] = z(at(window, days_ago[0] - 1))
    after = days_ago[0] + 1
    both["yesterday_after"] = z(at(window, np.where(after > origin, after - DAY, after)))
    weeks = np.ceil(steps / WEEK).astype(int)
    week_ago = target - WEEK * weeks
    for k in (1, 2):
        place = week_ago - WEEK * (k - 1)
        both[f"week_ago_{k}"] = z(at(window, place))
        both[f"week_ago_{k}_before"] = z(at(window, place - 1))
        both[f"week_ago_{k}_after"] = z(at(window, np.where(place >= origin, -1, place + 1)))
    # how the same hours moved a week ago, and last week's value carried to the present level
    analogue = at(window, week_ago) - at(window, week_ago - DAY * cycles)
    both["weekly_analogue_change"] = np.asarray(analogue / scale[:, None])
    week_before = mean(tail(window, WEEK + DAY)[:, :DAY])
    both["week_ago_at_level"] = z(at(window, week_ago) + (last_mean - week_before)[:, None])
    both["base_over_day_mean"] = np.asarray((base - last_mean[:, None]) / scale[:, None])
    names, features = assemble(per_series, per_step, both)
    return Windows(base, scale, features, names)
