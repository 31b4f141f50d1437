"""NAB's own arithmetic: rewards of points, scores at a threshold, and what 100 and 0 are.

As the Numenta Anomaly Benchmark 1.1 scores (Lavin and Ahmad 2015, arXiv 1510.03336; its scorer and
sweeper). Checked against the per-point rewards that it published of two detectors.
"""

from __future__ import annotations

import argparse
import json
import math
import platform
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

PROBATION_SHARE = 0.15
PROBATION_ROWS = 5000
"""Probation is 15 % of a file, of no more than so many rows."""
_FAR_BEHIND = 3.0


@dataclass(frozen=True)
class Profile:
    """What hits, false alarms and misses count."""

    tp: float
    fp: float
    fn: float


@dataclass(frozen=True)
class Scored:
    """The points of one file: reward of an alarm there, and the number of its window or -1."""

    rewards: np.ndarray
    windows: np.ndarray
    probation: int


def profiles(root: Path) -> dict[str, Profile]:
    """Profiles by name, from NAB's config."""
    given = json.loads((root / "config" / "profiles.json").read_text(encoding="utf-8"))
    return {
        name: Profile(one["CostMatrix"]["tpWeight"], one["CostMatrix"]["fpWeight"],
                      one["CostMatrix"]["fnWeight"])
        for name, one in given.items()
    }  # fmt: skip


def labelled(root: Path) -> dict[str, list[tuple[datetime, datetime]]]:
    """Windows of true anomalies by file."""
    given = json.loads((root / "labels" / "combined_windows.json").read_text(encoding="utf-8"))
    return {
        name: [(pd.Timestamp(a).to_pydatetime(), pd.Timestamp(b).to_pydatetime()) for a, b in some]
        for name, some in given.items()
    }


def probation(rows: int) -> int:
    """Points at a file's start that are not scored."""
    return math.floor(PROBATION_SHARE * min(rows, PROBATION_ROWS))


def _sigmoid(position: float) -> float:
    """1 at a window's left edge and before it, 0 at its right, -1 far behind it."""
    return -1.0 if position > _FAR_BEHIND else 2 / (1 + math.exp(5 * position)) - 1


def points(
    times: Sequence[datetime], windows: Sequence[tuple[datetime, datetime]], profile: Profile
) -> Scored:
    """What an alarm at each point of a file earns. `times` in order, as `windows` are."""
    place = {at: i for i, at in enumerate(times)}
    spans = [(place[first], place[last]) for first, last in windows]
    rewards = np.empty(len(times))
    named = np.full(len(times), -1)
    most = _sigmoid(-1.0)
    for i in range(len(times)):
        inside = next((k for k, (first, last) in enumerate(spans) if first <= i <= last), None)
        if inside is not None:
            first, last = spans[inside]
            position = -(last - i + 1) / (last - first + 1)
            rewards[i], named[i] = profile.tp * _sigmoid(position) / most, inside
            continue
        behind = [span for span in spans if span[1] < i]
        if not behind:
            rewards[i] = -profile.fp
        else:
            first, last = behind[-1]
            rewards[i] = profile.fp * _sigmoid((i - last) / (last - first))
    return Scored(rewards, named, probation(len(times)))


def earned(one: Scored, alarms: np.ndarray, profile: Profile) -> np.ndarray:
    """What alarms earn, point by point: a window's best, or its miss, stands at its first point."""
    counted = alarms & (np.arange(len(alarms)) >= one.probation)
    out = np.where(counted & (one.windows < 0), one.rewards, 0.0)
    for k in _windows(one):
        inside = np.flatnonzero(one.windows == k)
        hits = one.rewards[inside][counted[inside]]
        out[inside[0]] = hits.max() if len(hits) else -profile.fn
    return out


def _windows(one: Scored) -> list[int]:
    """Numbers of the windows that are scored."""
    return [int(k) for k in np.unique(one.windows[one.probation :]) if k >= 0]


def score(
    scored: Mapping[str, Scored], alarms: Mapping[str, np.ndarray], profile: Profile
) -> dict[str, float]:
    """Raw and normalised score of alarms by file.

    100 is an alarm at the first point of every window and no other, 0 no alarm at all.
    """
    rewards = {name: earned(one, alarms[name], profile) for name, one in scored.items()}
    raw = sum(float(some.sum()) for some in rewards.values())
    windows = sum(len(_windows(one)) for one in scored.values())
    null, perfect = -profile.fn * windows, profile.tp * windows
    missed = sum(int((rewards[name] == -profile.fn).sum()) for name in scored)
    outside = sum(
        int((alarms[name] & (one.windows < 0))[one.probation :].sum())
        for name, one in scored.items()
    )
    return {
        "score": 100 * (raw - null) / (perfect - null) if windows else math.nan,
        "raw": raw,
        "windows": windows,
        "windows_missed": missed,
        "false_alarms": outside,
    }


def read(root: Path, results: Path) -> tuple[dict[str, pd.DataFrame], float]:
    """What a detector said, by NAB's name of the file, and its threshold."""
    threshold = json.loads((results / "threshold.json").read_text(encoding="utf-8"))["threshold"]
    said = {
        f"{file.parent.name}/{file.name.removeprefix(f'{results.name}_')}": pd.read_csv(file)
        for file in sorted(results.glob("*/*.csv"))
    }
    windows = labelled(root)
    return {name: table for name, table in said.items() if name in windows}, threshold


def scores(root: Path, said: Mapping[str, pd.DataFrame], threshold: float) -> dict[str, Any]:
    """Score of each profile over the files that were said something of."""
    windows = labelled(root)
    times = {name: pd.to_datetime(table["timestamp"]).tolist() for name, table in said.items()}
    alarms = {name: table["anomaly_score"].to_numpy() >= threshold for name, table in said.items()}
    return {
        profile: score(
            {name: points(some, windows[name], weights) for name, some in times.items()},
            alarms,
            weights,
        )
        for profile, weights in profiles(root).items()
    }


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--root", type=Path, required=True, help="NAB: data, labels, config")
    parser.add_argument(
        "--results", type=Path, help="what a detector wrote; default: ours, run now"
    )
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    began = time.perf_counter()
    with tempfile.TemporaryDirectory() as folder:
        results = arguments.results
        if results is None:
            results = Path(folder) / "finops"
            detect = [sys.executable, str(Path(__file__).with_name("anomaly.py"))]
            subprocess.run(
                [*detect, "--nab", str(arguments.root), "--out", str(results), "--json"],
                stdout=subprocess.DEVNULL,
                check=True,
            )
        said, threshold = read(arguments.root, results)
    ours = scores(arguments.root, said, threshold)
    answer = {
        "benchmark": "nab",
        "machine": platform.platform(),
        "inputs": {"files": len(said), "threshold": threshold},
        "seconds": round(time.perf_counter() - began, 2),
        "ours": ours,
    }
    print(json.dumps(answer) if arguments.json else pd.DataFrame(ours).round(2).to_string())


if __name__ == "__main__":
    main()
