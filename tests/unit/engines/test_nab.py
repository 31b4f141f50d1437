"""The scorer of NAB earns what NAB published of two detectors, point by point."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from benchmarks import nab

SHARED = Path(__file__).resolve().parents[4] / "shared" / "data"
PUBLISHED = "results/published_scores_numenta_windowedGaussian.parquet"
CLOSE = 1e-6
"""Rewards were published as 32-bit floats."""


@pytest.fixture(scope="module")
def root() -> Path:
    if not SHARED.is_dir():
        pytest.skip("../shared/data is not on this machine")
    return SHARED / "anomalies" / "nab"


def detected(root: Path, detector: str) -> Iterator[tuple[pd.DataFrame, nab.Scored]]:
    """Each file that the detector was run on, and what its points are worth."""
    windows, profile = nab.labelled(root), nab.profiles(root)["standard"]
    table = pd.read_parquet(root / PUBLISHED)
    for file, rows in table[table["detector"] == detector].groupby("file"):
        rows = rows.reset_index(drop=True)
        times = pd.to_datetime(rows["timestamp"]).tolist()
        yield rows, nab.points(times, windows[str(file)], profile)


@pytest.mark.parametrize("name", ["standard", "reward_low_FP_rate", "reward_low_FN_rate"])
def test_every_point_earns_what_was_published(root: Path, name: str) -> None:
    profile, windows = nab.profiles(root)[name], nab.labelled(root)
    thresholds = json.loads((root / "config" / "thresholds.json").read_text(encoding="utf-8"))
    threshold = thresholds["numenta"][name]["threshold"]
    published, scored, alarms = 0.0, {}, {}
    for rows, _ in detected(root, "numenta"):
        file = str(rows["file"][0])
        scored[file] = nab.points(
            pd.to_datetime(rows["timestamp"]).tolist(), windows[file], profile
        )
        alarms[file] = rows["anomaly_score"].to_numpy() >= threshold
        earned = nab.earned(scored[file], alarms[file], profile)
        told = rows[f"S(t)_{name}"].to_numpy()
        assert np.abs(earned - told).max() < CLOSE, file
        published += float(told.sum())
    ours = nab.score(scored, alarms, profile)
    assert ours["raw"] == pytest.approx(published, abs=1e-4)
    null, perfect = -profile.fn * ours["windows"], profile.tp * ours["windows"]
    assert ours["score"] == pytest.approx(100 * (published - null) / (perfect - null), abs=1e-3)


def test_alarms_whose_scores_were_rounded_earn_what_their_points_are_worth(root: Path) -> None:
    """The other detector's threshold is 1, and 32 bits round to it what lay below: which points
    were alarms is not known, but what an alarm earns is."""
    found = 0
    for rows, one in detected(root, "windowedGaussian"):
        told = rows["S(t)_standard"].to_numpy()
        possible = rows["anomaly_score"].to_numpy() >= 1.0
        outside = (told != 0) & (one.windows < 0)
        assert np.abs(told - one.rewards)[outside].max(initial=0) < CLOSE
        assert possible[outside].all()
        for window in {int(k) for k in one.windows if k >= 0}:
            inside = one.windows == window
            earned = float(told[inside][0])
            worth = np.append(one.rewards[inside & possible], -1.0)
            assert np.abs(worth - earned).min() < CLOSE
            found += earned != -1.0
    assert found > 10


def test_no_alarm_is_worth_nothing_and_the_first_point_of_each_window_everything() -> None:
    times = pd.date_range("2026-01-01", periods=1000, freq="5min").to_pydatetime().tolist()
    profile = nab.Profile(tp=1.0, fp=0.11, fn=1.0)
    one = nab.points(times, [(times[500], times[599]), (times[800], times[849])], profile)
    silent = np.zeros(1000, dtype=bool)
    perfect = silent.copy()
    perfect[[500, 800]] = True
    late = silent.copy()
    late[[599, 849, 999]] = True
    told = [
        nab.score({"a": one}, {"a": alarms}, profile)["score"] for alarms in (silent, perfect, late)
    ]
    assert told[:2] == [0.0, 100.0]
    assert 0 < told[2] < 60
