"""What it takes to watch many hourly series for a day, to keep their states and to take them up.

Prints JSON with --json, else indented. Series are simulated: days, weekends, noise. Seconds are of
the processor, on one core.
"""

from __future__ import annotations

import argparse
import json
import platform
import tempfile
import time
from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path

import numpy as np
import pandas as pd

from finops_dagster.defs.progress import own_peak_rss_bytes
from finops_dagster.engines.anomalies.fine import POINTS, Watches
from finops_dagster.storage.days import DayStore

FIRST = date(2026, 3, 1)
HOURS = 24


def _days(series: int, days: int, seed: int) -> Iterator[tuple[date, pd.DataFrame]]:
    rng = np.random.default_rng(seed)
    level = rng.lognormal(1, 1, series)
    swing = 1 + 0.4 * np.sin(2 * np.pi * np.arange(HOURS) / HOURS)
    names = np.repeat([f"Deployment/team/workload-{n}" for n in range(series)], HOURS)
    for number in range(days):
        day = FIRST + timedelta(days=number)
        quiet = 0.7 if day.weekday() > 4 else 1.0
        noise = 1 + 0.05 * rng.normal(size=(series, HOURS))
        times = pd.date_range(pd.Timestamp(day, tz="UTC"), periods=HOURS, freq="h")
        rows = {
            "resource": names, "cluster": "main", "container": "server", "metric": "cpu_cores",
            "time": np.tile(times, series), "step_seconds": 3600,
            "value": (level[:, None] * swing * quiet * noise).ravel(),
        }  # fmt: skip
        yield day, pd.DataFrame(rows)[list(POINTS)]


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--series", type=int, default=2000)
    parser.add_argument("--days", type=int, default=45, help="the last of them is the day told of")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    began = time.perf_counter()
    watches = Watches()
    spent = []
    found = 0
    for day, rows in _days(arguments.series, arguments.days, arguments.seed):
        before = time.process_time()
        found += len(watches.day(rows, day).found)
        spent.append(time.process_time() - before)
    with tempfile.TemporaryDirectory() as folder:
        store = DayStore(Path(folder))
        before = time.process_time()
        store.write_frame("states", watches.frame())
        wrote = time.process_time() - before
        size = store.path("states.parquet").stat().st_size
        kept = store.frame("states")
        assert kept is not None
        before = time.process_time()
        Watches.restored(kept)
        took = time.process_time() - before
    answer = {
        "benchmark": "fine_series",
        "machine": platform.platform(),
        "inputs": {"series": arguments.series, "days": arguments.days, "seed": arguments.seed},
        "seconds": round(time.perf_counter() - began, 2),
        "peak_rss_bytes": own_peak_rss_bytes(),
        "ours": {
            "day_seconds": round(spent[-1], 2),
            "all_days_seconds": round(sum(spent), 2),
            "write_seconds": round(wrote, 2),
            "take_up_seconds": round(took, 2),
            "state_bytes": size,
            "found": found,
        },
        "baselines": {},
    }
    print(json.dumps(answer) if arguments.json else json.dumps(answer, indent=1))


if __name__ == "__main__":
    main()
