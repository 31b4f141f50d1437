"""Inputs that are no numbers, and labels that come twice."""

from __future__ import annotations

from datetime import date, timedelta

import numpy as np
import pandas as pd

from finops_dagster.responsible_ai import DriftResult, judge_drift, model_windows
from finops_dagster.responsible_ai.windows import joinable_labels

AS_OF = date(2026, 3, 31)


def log(shifted: bool) -> pd.DataFrame:
    """Thirty-five days of answers; in the last seven most come from another city if shifted."""
    rng = np.random.default_rng(1)
    rows = []
    for back in range(35):
        day = AS_OF - timedelta(days=back)
        share = 0.9 if shifted and back < 7 else 0.3
        for number in range(60):
            city = "h-1" if rng.uniform() < share else "h-2"
            rows.append(
                {
                    "day": day,
                    "model": "m",
                    "prediction_id": f"{back}-{number}",
                    "features": {"age": rng.normal()},
                    "categories": [("city", city)],
                    "groups": {},
                    "prediction": 1.0,
                    "probability": 0.5,
                }
            )
    return pd.DataFrame(rows)


def drift(frame: pd.DataFrame) -> DriftResult:
    windows = model_windows(
        frame, None, model="m", features=("age", "city"), protected=(), as_of=AS_OF,
        reference_days=28, analysis_days=7,
    )  # fmt: skip
    assert isinstance(windows, tuple)
    judged = judge_drift(
        "m", windows[0].drift_frame(), windows[1].drift_frame(), seed=0, block="block: day"
    )
    assert isinstance(judged, DriftResult)
    return judged


def test_drift_of_hashed_categories_is_seen() -> None:
    """An input that is hashed, or no number, could move without anyone being told."""
    assert [one.feature for one in drift(log(shifted=True)).drifted] == ["city"]
    still = drift(log(shifted=False))
    assert not still.drifted
    assert "city" in [one.feature for one in still.features]


def test_log_without_categories_is_read_as_before() -> None:
    """Days that landed before there were categories must still be judged."""
    frame = log(shifted=False).drop(columns="categories")
    windows = model_windows(
        frame, None, model="m", features=("age",), protected=(), as_of=AS_OF,
        reference_days=28, analysis_days=7,
    )  # fmt: skip
    assert isinstance(windows, tuple)
    assert windows[1].features["age"].notna().all()


def test_label_known_last_counts() -> None:
    """A correction that names the time of the event would lose to the mistake it corrects."""
    first, then = date(2026, 3, 25), date(2026, 3, 30)
    known = pd.DataFrame(
        [
            {"day": then, "time": pd.Timestamp("2026-03-20", tz="UTC"), "label": 0.0},
            {"day": first, "time": pd.Timestamp("2026-03-25", tz="UTC"), "label": 1.0},
        ]
    ).assign(model="m", prediction_id="0-0")
    windows = model_windows(
        log(shifted=False), known, model="m", features=("age",), protected=(), as_of=AS_OF,
        reference_days=28, analysis_days=7,
    )  # fmt: skip
    assert isinstance(windows, tuple)
    assert windows[1].outcomes["label"].dropna().tolist() == [0.0]


def test_labels_that_can_be_no_truth_are_told_and_left_out() -> None:
    """A truth known before the question, or of no question, would count as the model's quality."""
    answers = pd.DataFrame(
        {
            "model": "m",
            "prediction_id": ["a", "b"],
            "time": pd.to_datetime(["2026-03-02", "2026-03-02"], utc=True),
        }
    )
    known = pd.DataFrame(
        [("a", "2026-03-01", 1.0), ("b", "2026-03-03", 1.0), ("b", "2026-03-04", 0.0),
         ("never asked", "2026-03-04", 1.0)],
        columns=["prediction_id", "time", "label"],
    ).assign(model="m")  # fmt: skip
    known["time"] = pd.to_datetime(known["time"], utc=True)
    left, told = joinable_labels(answers, known, "m")
    assert left is not None
    assert left["prediction_id"].tolist() == ["b", "b", "never asked"]
    assert [one.partition(" ")[0] for one in told] == ["1", "1", "1"]
    assert [word in one for word, one in zip(("none", "before", "last"), told, strict=True)] == [
        True, True, True,
    ]  # fmt: skip
    assert joinable_labels(answers, None, "m") == (None, ())
