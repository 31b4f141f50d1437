"""The picture in a body: true to what was measured, and within what a forge draws."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

import pytest

from finops_dagster.domain.pull_requests import UseSeries
from finops_dagster.gitops.pictures import MAX_POINTS, picture

START = datetime(2026, 5, 1, tzinfo=UTC)


def series(hours: list[int], peak: float = 0.4, proposed: float = 0.5) -> UseSeries:
    return UseSeries(
        unit="cores",
        starts=tuple(START + timedelta(hours=hour) for hour in hours),
        typical=tuple(0.1 for _ in hours),
        peak=tuple(peak if hour == hours[len(hours) // 2] else 0.2 for hour in hours),
        current=2.0,
        proposed=proposed,
    )


def lines(text: str) -> list[list[float]]:
    return [
        [float(value) for value in found.split(",")] for found in re.findall(r"line \[(.*)\]", text)
    ]


@pytest.mark.parametrize("hours", [5, 59, 60, 61, 336, 2000])
def test_a_peak_is_in_the_picture_however_long_it_looks_back(hours: int) -> None:
    """Harm: the one hour that matters is averaged away, or the forge is given 2,000 points."""
    peak, typical, current, proposed = lines(picture(series(list(range(hours)))))
    assert len(peak) == len(typical) == len(current) == len(proposed) <= MAX_POINTS
    assert max(peak) == 0.4
    assert set(current) == {2.0}
    assert set(proposed) == {0.5}


def test_what_was_not_measured_is_not_drawn() -> None:
    """Harm: a day without data looks like a day without use: a line is drawn through it."""
    with_a_gap = [hour for hour in range(336) if not 100 <= hour < 150]
    peak = lines(picture(series(with_a_gap)))[0]
    # 60 spans of 5.6 hours would leave some empty; 11 of 30.5 are the most that do not.
    assert len(peak) == 11
    told = picture(series([0, 1, 2, 3, 300]))
    assert "mermaid" not in told
    assert told.startswith("Median use was 0.1 cores, the peak 0.4")


def test_the_sentence_says_what_the_picture_shows() -> None:
    """Harm: who reads by mail, or without pictures, approves what was exceeded all the time."""
    assert picture(series(list(range(10)))).endswith(
        "Median use was 0.1 cores, the peak 0.4, of 2 now and 0.5 proposed; the proposed value was "
        "not exceeded in any of 10 measured intervals."
    )
    assert "was exceeded in 1 of 10 measured" in picture(series(list(range(10)), peak=0.6))
    assert picture(series(list(range(10)), proposed=0.0)).endswith("of 2 now and 0 proposed.")
    assert picture(series([])) == ""
