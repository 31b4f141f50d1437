"""Reasons of a forecast in words: each feature has some, a day is named, nothing is a code."""

from __future__ import annotations

from datetime import date

import numpy as np
import pytest

from finops_dagster.engines.forecasting import Frequency
from finops_dagster.engines.forecasting.grid import lay_out
from finops_dagster.engines.forecasting.pool import _BUILDERS
from finops_dagster.engines.forecasting.recipes import RECIPES
from finops_dagster.engines.forecasting.words import BASE_WORDS, reason
from tests.unit.engines.test_forecasting import pool

MONDAY = date(2026, 11, 23)


@pytest.mark.parametrize("frequency", ["daily", "hourly", "weekly"])
def test_every_feature_has_a_reason_that_is_no_code(frequency: Frequency) -> None:
    """A feature that is added to the model must be told to whoever pays the bill."""
    grid = lay_out(pool(2, 600, frequency=frequency), RECIPES[frequency], 3)
    steps = np.arange(1.0, 4.0)
    made = _BUILDERS[frequency](grid.y, grid.y.shape[1] - 1, steps, grid.calendar, 0.01)
    told = {name: reason(name) for name in made.names}
    assert {name for name, words in told.items() if words == name.replace("_", " ")} == set()
    assert len(set(told.values())) <= 8
    assert frequency in BASE_WORDS


def test_a_day_is_named() -> None:
    """Of one day it is known which; of thirty it is not."""
    assert reason("same_weekday_2", MONDAY) == "it is a Monday"
    assert reason("weekday") == "the days of the week"
    assert reason("day_of_month", MONDAY) == "it is the 23rd of the month"
    assert [reason("month_ago", date(2026, 11, n)) for n in (1, 2, 11, 12, 13, 22)] == [
        f"it is the {n} of the month" for n in ("1st", "2nd", "11th", "12th", "13th", "22nd")
    ]
    assert reason("mean_7", MONDAY) == reason("last") == "its average of the last two weeks"


def test_what_was_added_to_the_model_is_told_by_its_name() -> None:
    """An event is named as the settings name it."""
    assert reason("event: move to Arm", MONDAY) == "the known event move to Arm"
    assert reason("reconciliation") == "making parts sum to their whole"
    assert reason("something_new") == "something new"
