"""Schedules of five fields: which hours they name."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from finops_dagster.settings.cron import cron_fault, names_hour

MONDAY = datetime(2026, 5, 4, tzinfo=UTC)


@pytest.mark.parametrize(
    ("schedule", "named"),
    [
        ("* 7-16 * * 1-5", ["Mon 07", "Mon 16", "Fri 12"]),
        ("30 7 * * mon", ["Mon 07"]),
        ("0 */6 * * *", ["Mon 00", "Mon 06", "Sat 12", "Sun 18"]),
        ("0 20-23/2 * * 7", ["Sun 20", "Sun 22"]),
        ("0 9/4 * * 0", ["Sun 09", "Sun 13", "Sun 17", "Sun 21"]),
        ("0 5 6 may *", ["Wed 05"]),
        ("0 5 6 5 fri", ["Wed 05", "Fri 05"]),
        ("0 5 6 6 *", []),
        ("0 5,6 4-5 * *", ["Mon 05", "Mon 06", "Tue 05", "Tue 06"]),
    ],
)
def test_hours_that_are_named(schedule: str, named: list[str]) -> None:
    """Harm: pull requests come outside the hours that a team agreed to."""
    assert cron_fault(schedule) is None
    hours = [MONDAY + timedelta(hours=hour) for hour in range(24 * 7)]
    found = [f"{hour:%a %H}" for hour in hours if names_hour(schedule, hour)]
    assert set(named) <= set(found)
    if "7-16" in schedule:
        assert len(found) == 50
    elif "*/6" in schedule:
        assert len(found) == 28
    else:
        assert found == sorted(named, key=lambda one: [f"{h:%a %H}" for h in hours].index(one))


@given(st.datetimes(timezones=st.just(UTC)), st.integers(0, 23), st.integers(0, 6))
def test_a_named_hour_is_named_whatever_its_minute(
    moment: datetime, hour: int, weekday: int
) -> None:
    """Harm: a run at five past misses the hour that `0 7 * * *` names."""
    schedule = f"0 {hour} * * {weekday}"
    expected = moment.hour == hour and moment.isoweekday() % 7 == weekday
    assert names_hour(schedule, moment) is expected
    assert names_hour("* * * * *", moment)
