"""Weekly schedules: windows that cover the hours in use, and their texts."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from finops_dagster.engines.optimisation.schedules import (
    HOURS_OF_WEEK,
    MAX_WINDOWS,
    Window,
    cpu_trigger,
    cron_triggers,
    crons,
    kept_by,
    minute_of_week,
    running,
    scaled_object,
    windows,
    words,
)

OFFICE = Window((0, 1, 2, 3, 4), 7, 12)


def week(*runs: tuple[int, int]) -> np.ndarray:
    """Hours of the week on, from runs of (first hour, length)."""
    on = np.zeros(HOURS_OF_WEEK, dtype=bool)
    for start, length in runs:
        on[np.arange(start, start + length) % HOURS_OF_WEEK] = True
    return on


def test_working_days_are_one_window() -> None:
    """Five windows where one would do are five lines that somebody has to keep."""
    assert windows(week(*((24 * day + 7, 12) for day in range(5)))) == (OFFICE,)


def test_different_spans_are_kept_apart_until_there_are_too_many() -> None:
    """A Saturday morning is not worth keeping the whole of it on; a spread of minutes is."""
    office = [(24 * day + 7, 12) for day in range(5)]
    assert windows(week(*office, (5 * 24 + 9, 3))) == (OFFICE, Window((5,), 9, 3))
    uneven = [(24 * day + 7, 10 + day) for day in range(5)]
    found = windows(week(*uneven))
    assert len(found) == MAX_WINDOWS
    assert (running(found)[::60] >= week(*uneven)).all()


def test_a_short_pause_is_bridged_and_a_night_shift_crosses_midnight() -> None:
    """A stop over lunch costs two starts; a night shift cut at midnight stops in its middle."""
    lunch = week(*(run for day in range(5) for run in ((24 * day + 7, 5), (24 * day + 14, 5))))
    assert windows(lunch) == (OFFICE,)
    night = windows(week(*((24 * day + 22, 8) for day in range(7))))
    assert night == (Window(tuple(range(7)), 22, 8),)
    assert crons(night[0], 10) == ("50 21 * * *", "0 6 * * *")
    assert words(night, "UTC") == "Mon-Sun 22:00-06:00 the next day UTC"


@pytest.mark.parametrize("on", [week(), np.ones(HOURS_OF_WEEK, dtype=bool)])
def test_nothing_or_everything_in_use_has_no_schedule(on: np.ndarray) -> None:
    """A schedule that never starts stops a workload for good."""
    assert windows(on) == ()


@given(st.lists(st.booleans(), min_size=HOURS_OF_WEEK, max_size=HOURS_OF_WEEK))
def test_windows_cover_all_hours_in_use(hours: list[bool]) -> None:
    """An hour in use that no window covers is an outage every week."""
    on = np.array(hours)
    found = windows(on)
    assert len(found) <= MAX_WINDOWS
    if found:
        assert (running(found)[::60] >= on).all()
    for window in found:
        assert window.hours < 24 or len(window.days) == 1


def test_cron_texts_start_ahead_and_name_days_as_cron_does() -> None:
    """Cron counts from Sunday: an office that starts a day late is shut on Mondays."""
    assert crons(OFFICE, 10) == ("50 6 * * 1-5", "0 19 * * 1-5")
    assert crons(Window((6,), 0, 24), 10) == ("50 23 * * 6", "0 0 * * 1")
    assert crons(Window((0, 2, 6), 9, 2), 0) == ("0 9 * * 0-1,3", "0 11 * * 0-1,3")


def test_running_adds_the_lead_and_the_way_down_around_the_week() -> None:
    """A lead that falls into the week before must not be lost."""
    kept = running((Window((0,), 0, 1),), before=10, after=5)
    assert kept.sum() == 75
    assert kept[-10:].all() and kept[:65].all()
    assert not kept[65]


def test_minutes_of_the_week_are_of_the_zone() -> None:
    """Hours told in a zone and counted in another stop people in the middle of their work."""
    times = pd.DatetimeIndex(["2026-03-30T06:05Z"]).tz_convert("Europe/Berlin")
    assert minute_of_week(times).tolist() == [8 * 60 + 5]


def test_declared_crons_are_read_as_keda_does() -> None:
    """Hours read wrong of a declared schedule take away what somebody asked for."""
    for start, end in (("50 6 * * 1-5", "0 19 * * 1-5"), ("50 6 * * MON-FRI", "0 19 * * mon-fri")):
        kept = kept_by([(start, end)])
        assert kept is not None
        assert (kept == running((OFFICE,), before=10)).all()
    night = kept_by([("0 22 * * *", "0 6 * * *")])
    assert night is not None
    assert (night == running((Window(tuple(range(7)), 22, 8),))).all()
    sunday = kept_by([("0 0 * * 7", "0 1 * * 0")])
    assert sunday is not None
    assert np.flatnonzero(sunday).tolist() == list(range(6 * 24 * 60, 6 * 24 * 60 + 60))
    for bad in ("*/5 * * * *", "0 6 1 * *", "0 6 * * 1#2", "0 6", "0 24 * * *", ""):
        assert kept_by([(bad, "0 19 * * *")]) is None


def test_a_scaled_object_holds_the_schedule_and_takes_an_autoscalers_place() -> None:
    """Two scalers of one workload pull it up and down in turn."""
    triggers = [*cron_triggers((OFFICE,), "UTC", 3), cpu_trigger(0.65)]
    text = scaled_object(
        "Deployment/shop/web", triggers, 1, 9, "HorizontalPodAutoscaler/shop/web-hpa"
    )
    assert yaml.safe_load(text) == {
        "apiVersion": "keda.sh/v1alpha1",
        "kind": "ScaledObject",
        "metadata": {
            "name": "web",
            "namespace": "shop",
            "annotations": {"scaledobject.keda.sh/transfer-hpa-ownership": "true"},
        },
        "spec": {
            "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "web"},
            "minReplicaCount": 1,
            "maxReplicaCount": 9,
            "advanced": {"horizontalPodAutoscalerConfig": {"name": "web-hpa"}},
            "triggers": [
                {
                    "type": "cron",
                    "metadata": {
                        "timezone": "UTC",
                        "start": "50 6 * * 1-5",
                        "end": "0 19 * * 1-5",
                        "desiredReplicas": "3",
                    },
                },
                {"type": "cpu", "metricType": "Utilization", "metadata": {"value": "65"}},
            ],
        },
    }
    kept = scaled_object("Deployment/shop/web", triggers, 1, 9, "ScaledObject/shop/own")
    assert yaml.safe_load(kept)["metadata"] == {"name": "own", "namespace": "shop"}


@pytest.mark.parametrize(
    "resource",
    ["InferenceService/ml/model", "Deployment/shop/a: b\nkind: Secret", "Deployment/{x}/web"],
)
def test_what_may_not_be_scaled_or_has_a_strange_name_gets_no_manifest(resource: str) -> None:
    """Names come from telemetry: one that is more than a name must not become a manifest."""
    assert scaled_object(resource, cron_triggers((OFFICE,), "UTC", 1), 0, 1) == ""
