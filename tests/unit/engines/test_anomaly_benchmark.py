"""benchmarks/anomaly.py --labelled counts events, alarms, delays and false alarms right."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from benchmarks import anomaly

ROOT = Path(__file__).parents[3]
HOURS = 1000
"""The first 150 are probation, of which nothing is counted."""


def test_alarms_near_each_other_are_one_event() -> None:
    """12 points between two are one event, 13 are two."""
    flags = np.zeros(60, dtype=bool)
    flags[[3, 4, 16, 29, 59]] = True
    assert anomaly.MERGE == 12
    assert anomaly._events(flags) == [(3, 16), (29, 29), (59, 59)]


@pytest.mark.parametrize(
    ("alarm", "hit", "delay"),
    [(87, 0, None), (88, 1, 0), (100, 1, 0), (107, 1, 7), (122, 1, 22), (123, 0, None)],
)
def test_an_alarm_is_of_an_event_within_the_tolerance(
    alarm: int, hit: int, delay: int | None
) -> None:
    """An event of points 100 to 110, with 12 before and after it."""
    assert anomaly.TOLERANCE == 12
    found = anomaly._found([(alarm, alarm)], [(100, 110)])
    assert (found["hit"], found["true_alarms"]) == (hit, hit)
    assert found["delays"] == ([] if delay is None else [delay])


def test_one_alarm_may_be_of_no_more_than_what_it_meets() -> None:
    found = anomaly._found([(0, 3), (105, 106), (300, 301)], [(100, 110), (400, 405), (108, 130)])
    assert found == {"events": 3, "hit": 2, "alarms": 3, "true_alarms": 1, "delays": [5, 0]}


def series(folder: Path, name: str, values: np.ndarray, label: np.ndarray) -> None:
    times = pd.date_range("2026-01-01", periods=len(values), freq="h")
    table = pd.DataFrame({"timestamp": times, "value": values, "label": label.astype(int)})
    table.to_csv(folder / f"{name}.csv", index=False)


def level(seed: int) -> np.ndarray:
    return np.random.default_rng(seed).normal(100, 1, HOURS)


@pytest.fixture(scope="module")
def said(tmp_path_factory: pytest.TempPathFactory) -> dict[str, object]:
    """Of three series: two spikes that are labelled and one that is not; a labelled shift, a label
    within probation; and a label on what is as usual."""
    folder = tmp_path_factory.mktemp("labelled")
    values, label = level(1), np.zeros(HOURS, dtype=bool)
    values[[400, 401, 700, 850]] = 160, 160, 40, 170
    label[398:404], label[700] = True, True
    series(folder, "spikes", values, label)
    values, label = level(2), np.zeros(HOURS, dtype=bool)
    values[600:606] += 50
    values[100] = 200
    label[595:620], label[100] = True, True
    series(folder, "shift", values, label)
    label = np.zeros(HOURS, dtype=bool)
    label[500:510] = True
    series(folder, "usual", level(3), label)
    command = [sys.executable, str(ROOT / "benchmarks" / "anomaly.py"), "--labelled", str(folder)]
    done = subprocess.run(
        [*command, "--json"], capture_output=True, text=True, check=True, cwd=ROOT,
        env={"PYTHONPATH": str(ROOT)},
    )  # fmt: skip
    answer: dict[str, object] = json.loads(done.stdout)["ours"]
    return answer


def test_planted_events_are_counted(said: dict[str, object]) -> None:
    """Of four labelled events after probation three are far out, at 2, 0 and 5 points after their
    first; one alarm of four is of nothing: in 3 series of 849 hours, 0.0660 a week."""
    assert (said["series"], said["points"], said["tolerance_points"]) == (3, 3000, 12)
    assert said["far_out"] == {
        "events": 4, "hit": 3, "alarms": 4,
        "precision": 0.75, "recall": 0.75, "f1": 0.75, "delay": 2.0,
        "false_per_series_week": round(1 / (3 * 849 / 168), 4),
    }  # fmt: skip


def test_the_other_class_finds_the_same_spikes(said: dict[str, object]) -> None:
    """Its false alarms are a feed's: only what it must find is held."""
    novel = said["never_seen"]
    assert isinstance(novel, dict)
    assert (novel["events"], novel["hit"], novel["recall"]) == (4, 3, 0.75)
    true = novel["precision"] * novel["alarms"]
    assert true == pytest.approx(round(true), abs=0.01)
    assert novel["f1"] == pytest.approx(1.5 * novel["precision"] / (novel["precision"] + 0.75),
                                        abs=1e-3)  # fmt: skip
