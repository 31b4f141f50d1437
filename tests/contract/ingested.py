"""The product's own way from a store to landing, in a process that can be killed, and what landed.

Run as a program it lands the days it is told of and prints what was counted.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from finops_dagster.defs import line
from finops_dagster.defs.estate import Estate
from finops_dagster.defs.progress import own_peak_rss_bytes
from finops_dagster.settings import load

ROOT = Path(__file__).parents[2]
KEYS = ("time", "metric", "cluster", "namespace", "kind", "name", "container")


def started(
    url: str, folder: Path, first: date, last: date, **options: Any
) -> subprocess.Popen[str]:
    """A process that takes in the days from `first` to `last` of the store at `url`."""
    (folder / "bills").mkdir(parents=True, exist_ok=True)
    reach = (datetime.now(UTC).date() - first).days
    settings = {
        "estate": "rig",
        "as_of": str(last),
        "start": str(first),
        "billing": [{"name": "bill", "path": "bills"}],  # settings need one
        "telemetry": [
            {
                "name": "store",
                "path": url,
                "format": "prometheus",
                "prometheus": {"reach_days": reach, **options},
            }
        ],
    }
    (folder / "finops.yaml").write_text(json.dumps(settings))  # JSON is YAML
    return subprocess.Popen(
        [sys.executable, __file__, str(folder), str(first), str(last)],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )  # fmt: skip


def ingest(url: str, folder: Path, first: date, last: date, **options: Any) -> dict[str, Any]:
    """Take in and wait for it; what was counted."""
    process = started(url, folder, first, last, **options)
    out, errors = process.communicate(timeout=3600)
    assert process.returncode == 0, f"ended with {process.returncode}: {errors[-3000:]}"
    answer: dict[str, Any] = json.loads(out)
    return answer


def landed(folder: Path) -> pa.Table:
    """Every row that was taken in, in order; the id of a delivery names the address asked."""
    lake = Estate(load(folder / "finops.yaml")).lake
    files = [lake.rows_file(one.delivery) for one in lake.records("measurements")]
    table = pa.concat_tables(pq.read_table(file, partitioning=None) for file in files)
    order = [(key, "ascending") for key in KEYS]
    return table.drop_columns(["delivery_id"]).sort_by(order)


def main(folder: Path, first: date, last: date) -> None:
    """Land the days by the product's own line."""
    estate = Estate(load(folder / "finops.yaml"))
    results = line.land_window(estate, "measurements", first, last, datetime.now(UTC))
    statistics = vars(estate.sources("measurements")[0].statistics)  # type: ignore[attr-defined]
    counted = {key: value for key, value in statistics.items() if not key.startswith("_")}
    notes = sorted({note.code for one in results for note in one.conformance})
    print(
        json.dumps(
            {
                **counted,
                "peak_rss_bytes": own_peak_rss_bytes(),
                "notes": notes,
                "days": len(results),
                "rows": sum(one.rows_landed for one in results),
                "quarantined": sum(one.rows_quarantined for one in results),
            }
        )
    )


if __name__ == "__main__":
    main(Path(sys.argv[1]), *map(date.fromisoformat, sys.argv[2:]))
