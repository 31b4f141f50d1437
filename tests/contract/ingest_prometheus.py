"""Takes days of a Prometheus in, as a process that can be killed, and prints what it counted."""

from __future__ import annotations

import json
import resource
import sys
from dataclasses import asdict
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from finops_dagster.sources.prometheus import PrometheusOptions, PrometheusSource


def main(given: dict[str, Any]) -> None:
    """Write the rows of every day from `first` to `last` to `folder`/landed."""
    folder = Path(given["folder"])
    first, last = (date.fromisoformat(given[key]) for key in ("first", "last"))
    now = datetime(last.year, last.month, last.day, 6, tzinfo=UTC) + timedelta(days=1)
    source = PrometheusSource(
        name="store",
        url=given["url"],
        options=PrometheusOptions(**given["options"], reach_days=(last - first).days + 1),
        folder=folder / "mirror",
        now=lambda: now,
    )
    (folder / "landed").mkdir(exist_ok=True)
    notes: list[str] = []
    quarantined = 0
    for delivery in source.deliveries():
        with source.read(delivery) as reading:
            aside = folder / f"{delivery.partition}.part"
            with pq.ParquetWriter(aside, reading.rows.schema) as writer:
                for batch in reading.rows:
                    writer.write_batch(batch)
            quarantined += reading.quarantine.read_all().num_rows
            notes += [note.code for note in reading.landed.conformance]
            aside.replace(folder / "landed" / f"{delivery.partition}.parquet")
    counted = {
        key: value for key, value in vars(source.statistics).items() if not key.startswith("_")
    }
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    print(json.dumps({**counted, "peak_rss_bytes": peak, "notes": notes, "quarantined": quarantined}))


if __name__ == "__main__":
    main(json.loads(sys.argv[1]))
