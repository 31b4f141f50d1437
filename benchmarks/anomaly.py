"""Anomalies of fine series: NAB's files, or a folder of labelled ones.

--nab ROOT reads ROOT/data/*/*.csv, never the labels, and writes to --out what NAB's own runner
reads; benchmarks/nab.py scores it. --labelled DIR reads CSV files of a time, a value and a label,
and prints how the events they name were found. One threshold serves all series.
"""

from __future__ import annotations

import argparse
import json
import math
import platform
import sys
import time
from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

sys.path.insert(0, str(Path(__file__).parent))  # not there where a test runs this file
import nab

from finops_dagster.defs.progress import own_peak_rss_bytes
from finops_dagster.engines.anomalies.fine_memory import MEMORY
from finops_dagster.engines.anomalies.novelty import ALARM, FAR, Judged, Watch

TOLERANCE = 12
"""Points before and after a labelled event in which an alarm is still of it."""
MERGE = 12
"""Points between two that are far out, or labelled, of one event."""


def judged(times: pd.Series, values: pd.Series) -> list[Judged]:
    """Every point of a series, each by those before it."""
    gaps = times.diff().dropna()
    step = pd.Timedelta(gaps[gaps > timedelta(0)].median()).to_pytimedelta()
    watch = Watch(step=step, warm_up=nab.probation(len(times)))
    return watch.judge_all([at.to_pydatetime() for at in times], values.astype(float).tolist())


def _nab(root: Path, out: Path) -> dict[str, Any]:
    """Write OUT/CATEGORY/NAME_FILE.csv of each file, and OUT/threshold.json."""
    files = sorted((root / "data").glob("*/*.csv"))
    rows = alarms = 0
    for file in files:
        print(f"anomaly  {file.parent.name}/{file.name}", file=sys.stderr)
        table = pd.read_csv(file)
        times = pd.to_datetime(table["timestamp"])
        # a repeated time is an hour that clocks were put back: its points are judged in their order
        steady = _steady(times)
        said = judged(steady, table["value"])
        table["anomaly_score"] = [one.score for one in said]
        table["label"] = 0
        place = out / file.parent.name / f"{out.name}_{file.name}"
        place.parent.mkdir(parents=True, exist_ok=True)
        table.to_csv(place, index=False)
        rows, alarms = rows + len(table), alarms + sum(one.novel for one in said)
    (out / "threshold.json").write_text(json.dumps({"threshold": ALARM}) + "\n", encoding="utf-8")
    return {"series": len(files), "points": rows, "alarms": alarms}


def _steady(times: pd.Series) -> pd.Series:
    """Times that never go back: one that does is put a second after the one before."""
    out, last = [], None
    for at in times:
        if last is not None and at <= last:
            at = last + timedelta(seconds=1)
        out.append(at)
        last = at
    return pd.Series(out)


def _events(flags: np.ndarray) -> list[tuple[int, int]]:
    """First and last point of each run of flags, runs that are near each other merged."""
    events: list[tuple[int, int]] = []
    for i in np.flatnonzero(flags):
        if events and i - events[-1][1] <= MERGE:
            events[-1] = (events[-1][0], int(i))
        else:
            events.append((int(i), int(i)))
    return events


def _found(said: list[tuple[int, int]], true: list[tuple[int, int]]) -> dict[str, Any]:
    """Events hit, alarms that hit one, and points from an event's begin to its first alarm."""

    def meets(one: tuple[int, int], other: tuple[int, int]) -> bool:
        return one[0] <= other[1] + TOLERANCE and one[1] >= other[0] - TOLERANCE

    delays = [
        max(0, min(alarm[0] for alarm in said if meets(alarm, event)) - event[0])
        for event in true
        if any(meets(alarm, event) for alarm in said)
    ]
    return {
        "events": len(true),
        "hit": len(delays),
        "alarms": len(said),
        "true_alarms": sum(any(meets(alarm, event) for event in true) for alarm in said),
        "delays": delays,
    }


def _labelled(folder: Path) -> dict[str, Any]:
    """Event precision, recall, F1 and delay of both classes over CSV files with a label column."""
    counts: dict[str, list[dict[str, Any]]] = {"never_seen": [], "far_out": []}
    points, weeks = 0, 0.0
    files = sorted(folder.rglob("*.csv"))
    for file in files:
        print(f"anomaly  {file.name}", file=sys.stderr)
        table = pd.read_csv(file)
        names = {str(column).lower(): column for column in table.columns}
        label = table[_column(file, names, "label", "is_anomaly", "anomaly")].to_numpy() > 0
        value = table[_column(file, names, "value")]
        stamp = table[_column(file, names, "timestamp", "time", "ds")]
        numeric = pd.api.types.is_numeric_dtype(stamp)
        times = _steady(pd.to_datetime(stamp, unit="s") if numeric else pd.to_datetime(stamp))
        said = judged(times, value)
        start = nab.probation(len(times))
        true = [event for event in _events(label) if event[1] >= start]
        for name, flags in (
            ("never_seen", np.array([one.novel for one in said])),
            ("far_out", np.array([one.far for one in said])),
        ):
            counts[name].append(_found(_events(flags), true))
        points += len(said)
        weeks += (times.iloc[-1] - times.iloc[start]) / timedelta(weeks=1)
    return {
        "series": len(files),
        "points": points,
        "tolerance_points": TOLERANCE,
        **{name: _summed(one, weeks) for name, one in counts.items()},
    }


def _column(file: Path, names: dict[str, Any], *wanted: str) -> Any:
    for name in wanted:
        if name in names:
            return names[name]
    raise SystemExit(f"{file}: no column {' or '.join(wanted)}; it has {', '.join(names)}")


def _summed(some: list[dict[str, Any]], weeks: float) -> dict[str, Any]:
    total = {key: sum(one[key] for one in some) for key in ("events", "hit", "alarms")}
    true = sum(one["true_alarms"] for one in some)
    delays = [delay for one in some for delay in one["delays"]]
    precision = true / total["alarms"] if total["alarms"] else math.nan
    recall = total["hit"] / total["events"] if total["events"] else math.nan
    both = precision + recall
    return {
        **total,
        "precision": _told(precision),
        "recall": _told(recall),
        "f1": _told(2 * precision * recall / both if both else math.nan),
        "delay": _told(float(np.median(delays)) if delays else math.nan),
        "false_per_series_week": _told((total["alarms"] - true) / weeks if weeks else math.nan),
    }


def _told(figure: float) -> float | None:
    return round(figure, 4) if math.isfinite(figure) else None


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--nab", type=Path, metavar="ROOT")
    parser.add_argument("--out", type=Path)
    parser.add_argument("--labelled", type=Path, metavar="DIR")
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    if (arguments.nab is None) == (arguments.labelled is None):
        parser.error("one of --nab and --labelled")
    if arguments.nab is not None and arguments.out is None:
        parser.error("--nab takes --out")
    began = time.perf_counter()
    if arguments.nab is not None:
        ours = _nab(arguments.nab, arguments.out)
    else:
        ours = _labelled(arguments.labelled)
    seconds = time.perf_counter() - began
    result = {
        "benchmark": "anomaly",
        "machine": platform.platform(),
        "inputs": {
            "alarm": ALARM,
            "far": FAR,
            "memory_points": MEMORY,
            "warm_up": nab.probation(nab.PROBATION_ROWS),
        },
        "seconds": round(seconds, 2),
        "peak_rss_bytes": own_peak_rss_bytes(),
        "ours": {**ours, "points_per_second": round(ours["points"] / seconds)},
        "baselines": {},
    }
    print(json.dumps(result) if arguments.json else json.dumps(result, indent=1))


if __name__ == "__main__":
    main()
