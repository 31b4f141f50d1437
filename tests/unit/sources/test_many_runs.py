"""A million runs of a tracking store go through in bounded memory."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.conformance

RUNS = 1_000_000
LIMIT_BYTES = 2 * 2**30
"""DuckDB's own limit is half of it; the rest is Python with its libraries, and Arrow's batches."""
READ = """
import sys
from datetime import date, timedelta
from pathlib import Path
from finops_dagster.sources.mlflow import MlflowOptions, tracked_runs
from finops_dagster.sources.mlflow.records import run_record
import pyarrow.parquet as pq

class Many:
    def runs(self, window):
        for number in range(int(sys.argv[2])):
            start = window.ended_from + number * 997 % (3 * 86_400_000)
            run = {"run_id": f"{number * 2654435761 % 2**32:032x}{number:08x}", "run_name": "r",
                   "user_id": "ana", "status": "FINISHED", "lifecycle_stage": "active",
                   "start_time": start, "end_time": start + 60_000}
            yield run_record(run, "e", [("auc", 0.5, start), ("loss", 1.5, start)],
                             [("depth", "6"), ("rate", "0.1")], [("team", "risk"), ("k", "v" * 40)])

scratch = Path(sys.argv[1]) / "scratch"
scratch.mkdir()
days = [date(2026, 3, 1) + timedelta(days=one) for one in range(3)]
found = tracked_runs(Many(), MlflowOptions(reach_days=3), days, scratch)
print(sum(pq.read_metadata(file).num_rows for file in found.values()),
      Path("/proc/self/status").read_text().split("VmHWM:")[1].split()[0])
"""


def test_a_million_runs_fit(tmp_path: Path) -> None:
    """A store of years must not need a larger machine than the rest of the line."""
    script = tmp_path / "read.py"  # in a program without a file DuckDB shows a progress bar
    script.write_text(READ, encoding="utf-8")
    done = subprocess.run(
        [sys.executable, str(script), str(tmp_path), str(RUNS)],
        capture_output=True,
        text=True,
        check=True,
        timeout=1800,
    )
    rows, peak_kilobytes = map(int, done.stdout.split())
    assert RUNS <= rows < RUNS * 1.01
    assert peak_kilobytes * 1024 < LIMIT_BYTES, peak_kilobytes
