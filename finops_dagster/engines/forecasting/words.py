"""What the features of a forecast are, in words that whoever pays the bill knows.

Features that tell of the same are one reason: contributions of one reason add up, as all do.
"""

from __future__ import annotations

import re
from datetime import date

from finops_dagster.engines.forecasting.engine import BASE
from finops_dagster.engines.forecasting.events import EVENT
from finops_dagster.engines.forecasting.reconcile import RECONCILIATION

BASE_WORDS = {
    "daily": "a usual day of its last week",
    "hourly": "the same hour of the day before",
    "weekly": "its last week",
}
"""What a forecast starts from, by frequency: a median or a last value, and the mean of what the
model adds to it for all series."""
_WEEKDAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
_LEVEL, _LONGER = "its average of the last two weeks", "its average of the last months"
_TREND, _STEADY, _AGE = "its trend, carried ahead", "how much it varies", "how long its history is"
_WEEKDAY, _MONTH, _HOUR = "the days of the week", "the time of the month", "the hour of the day"
_YEAR = "the time of the year"
_REASONS: tuple[tuple[str, str], ...] = (
    (r"last|mean_(3|7|14)|recent_change_\d+|day_mean_\d+|lag_\d+|smoothed_.*", _LEVEL),
    (r"mean_(4|8|13|26|28|52|56|112)|week_mean|base_over_day_mean", _LONGER),
    (r"weekday|same_weekday_.*|week_ago_.*|weekly_analogue_change", _WEEKDAY),
    (r"day_of_month|days_to_month_end|month_ago|two_months_ago", _MONTH),
    (r"hour|phase|days_ago_\d+|same_hour_.*|yesterday_.*", _HOUR),
    (r"year_ago.*|two_years_ago", _YEAR),
    (r"slope_\d+(_x_horizon)?|horizon", _TREND),
    (r"spread_\d+|zero_share_\d+|log_scale_over_level|scale_168_over_24", _STEADY),
    (r"history_length", _AGE),
    (RECONCILIATION, "making parts sum to their whole"),
)
"""Pattern of a feature's name -> the reason that it is part of."""


def reason(feature: str, day: date | None = None) -> str:
    """The reason that a feature is part of, of a day or, where none is given, of several.

    What is not known by name, such as the name of an event, is told as it is.
    """
    if feature == BASE:
        return BASE
    event = EVENT.format("")
    if feature.startswith(event):
        return f"the known event {feature.removeprefix(event)}"
    words = next((words for name, words in _REASONS if re.fullmatch(name, feature)), None)
    if words is None:
        return feature.replace("_", " ")
    if day is not None and words is _WEEKDAY:
        return f"it is a {_WEEKDAYS[day.weekday()]}"
    if day is not None and words is _MONTH:
        return f"it is the {_ordinal(day.day)} of the month"
    return words


def _ordinal(number: int) -> str:
    ending = {1: "st", 2: "nd", 3: "rd"}.get(number % 10, "th")
    return f"{number}{'th' if 10 <= number % 100 <= 20 else ending}"
