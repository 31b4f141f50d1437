"""Taking measurements in from a store like Prometheus, as the product does, for many containers.

Prints JSON with --json, else a table; progress goes to stderr. The store is a process of its own
(`promstore`), and so is what takes in, so that its peak memory is its own. The floor asks the same
queries of the first days with plain HTTP, parses the answers and writes each number once; ratios
are of the time that a sample takes.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import platform
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))  # not there where a test runs this file
import processes
import promstore

DAYS = 14
CONTAINERS = (1_000, 10_000)
SERVER_LIMIT = 1_500_000
"""Samples a query, where Prometheus allows 50 million: what is planned too large is refused."""
CONCURRENCY = 2
FLOOR_DAYS = 2


def _ingest(folder: Path, url: str, first: date, last: date) -> dict[str, Any]:
    """Land every day by the product's own line; peak memory is told by who started this."""
    from finops_dagster.defs import line
    from finops_dagster.defs.estate import Estate
    from finops_dagster.settings import load

    (folder / "bills").mkdir()  # settings need a bill
    (folder / "finops.yaml").write_text(
        f"estate: bench\nas_of: {last}\nstart: {first}\n"
        "billing: [{name: bill, path: bills}]\n"
        f"telemetry:\n  - name: store\n    path: {url}\n    format: prometheus\n"
        f"    prometheus: {{cluster: bench, concurrency: {CONCURRENCY}, "
        f"reach_days: {(datetime.now(UTC).date() - first).days}}}\n"
    )
    estate = Estate(load(folder / "finops.yaml"))
    began = time.perf_counter()
    landed = line.land_window(estate, "measurements", first, last, datetime.now(UTC))
    seconds = time.perf_counter() - began
    faults = [str(fault) for one in landed for fault in one.set_faults]
    if faults or any(one.rows_quarantined for one in landed):
        raise SystemExit(f"measurements did not land: {faults}")
    (source,) = estate.sources("measurements")
    counted = source.statistics  # type: ignore[attr-defined]
    return {
        "seconds": seconds,
        "days": len(landed),
        "rows": sum(one.rows_landed for one in landed),
        "queries": counted.queries,
        "splits": counted.splits,
        "samples": counted.samples,
        "bytes": counted.bytes,
        "largest_answer_samples": counted.largest_answer,
        "largest_estimate_samples": counted.largest_estimate,
    }


def _floor(folder: Path, url: str, last: int) -> dict[str, Any]:
    """The same answers up to `last` over plain HTTP, parsed, and written to one Parquet file."""
    import http.client
    import urllib.parse

    import numpy as np
    import orjson
    import pyarrow as pa
    import pyarrow.parquet as pq

    connection = http.client.HTTPConnection(url.removeprefix("http://"))
    connection.request("GET", "/asked")
    every = json.loads(connection.getresponse().read())
    asked = [given for given in every if int(given["end"]) <= last]
    schema = pa.schema([("series", pa.int64()), ("time", pa.int64()), ("value", pa.float64())])
    samples = largest = 0
    began = time.perf_counter()
    with pq.ParquetWriter(folder / "floor.parquet", schema, compression="zstd") as writer:
        for given in asked:
            body = urllib.parse.urlencode(given)
            kind = {"Content-Type": "application/x-www-form-urlencoded"}
            connection.request("POST", "/api/v1/query_range", body, kind)
            text = connection.getresponse().read()
            largest = max(largest, len(text))
            result = orjson.loads(text)["data"]["result"]
            points = [point for series in result for point in series["values"]]
            lengths = [len(series["values"]) for series in result]
            table = pa.table(
                {
                    "series": np.repeat(np.arange(len(lengths)), lengths),
                    "time": np.array([point[0] for point in points], np.int64),
                    "value": np.array([point[1] for point in points], np.float64),
                },
                schema,
            )
            writer.write_table(table)
            samples += len(points)
    return {
        "seconds": time.perf_counter() - began,
        "samples": samples,
        "largest_answer_bytes": largest,
    }


def _differing(folder: Path, store: promstore.Store, first: date, days: int) -> list[str]:
    """Days and metrics whose landed sum is not the sum of what the store holds."""
    import duckdb

    names = [f"{name}_{resource}" if resource else name for name, resource, _ in promstore.METRICS]
    landed: dict[tuple[str, date], float] = {
        (metric, day): total
        for metric, day, total in duckdb.sql(
            "select metric, cast(time at time zone 'UTC' as date), sum(value) from "
            f"read_parquet('{folder}/.finops/landing/measurements/**/*.parquet', "
            "hive_partitioning=false) group by all"
        ).fetchall()
    }
    wrong = []
    for number, name in enumerate(names):
        for offset in range(days):
            held = store.total(number, store.first + offset * promstore.DAY)
            day = first + timedelta(days=offset)
            if not math.isclose(landed.get((name, day), 0.0), held, rel_tol=1e-9):
                wrong.append(f"{name} of {day}: landed {landed.get((name, day))}, held {held}")
    return wrong


def child(arguments: dict[str, Any]) -> dict[str, Any]:
    """What a process started by `in_a_process` does."""
    folder, url = Path(arguments["folder"]), arguments["url"]
    if arguments["step"] == "floor":
        return _floor(folder, url, arguments["last"])
    first, last = (date.fromisoformat(arguments[key]) for key in ("first", "last"))
    return _ingest(folder, url, first, last)


@contextmanager
def serving(store: promstore.Store) -> Iterator[str]:
    """The address of a process that serves `store`."""
    process = subprocess.Popen(
        [sys.executable, promstore.__file__, "--containers", str(store.containers),
         "--first", str(store.first), "--days", str(store.days),
         "--max-samples", str(store.max_samples)],
        stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    try:
        assert process.stdout is not None
        yield process.stdout.readline().strip()
    finally:
        process.terminate()
        process.wait(timeout=30)


def measure(containers: int, days: int) -> dict[str, Any]:
    """One size: taken in as the product does, held against the store, and the floor."""
    today = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    start = today - timedelta(days=days)
    first, last = start.date(), (today - timedelta(days=1)).date()
    store = promstore.Store(containers, int(start.timestamp()), days, SERVER_LIMIT)
    told = f"{containers:>7,} containers"
    with tempfile.TemporaryDirectory(prefix="finops-telemetry-") as scratch, serving(store) as url:
        ours = processes.in_a_process(
            __file__, "ingest", folder=scratch, url=url, first=str(first), last=str(last)
        )
        _say(told, "taken in", ours)
        wrong = _differing(Path(scratch), store, first, days)
        if wrong or ours["days"] != days:
            raise SystemExit(f"what landed is not what the store holds: {wrong[:3]}")
        until = store.first + FLOOR_DAYS * promstore.DAY
        floor = processes.in_a_process(__file__, "floor", folder=scratch, url=url, last=until)
        _say(told, "floor", floor)
    return {
        "containers": containers,
        "days": days,
        **{key: value for key, value in ours.items() if key != "seconds"},
        "seconds": round(ours["seconds"], 3),
        "samples_per_second": round(ours["samples"] / ours["seconds"]),
        "largest_answer_bytes": floor["largest_answer_bytes"],
        "ratio_to_floor": _ratio(ours, floor, "seconds"),
        "cpu_ratio_to_floor": _ratio(ours, floor, "cpu_seconds"),
        "floor": floor,
    }


def _ratio(ours: dict[str, Any], floor: dict[str, Any], time: str) -> float:
    """How much longer one sample takes."""
    each = ours[time] / ours["samples"], floor[time] / floor["samples"]
    return float(round(each[0] / each[1], 3))


def _say(told: str, step: str, found: dict[str, Any]) -> None:
    print(
        f"{told}  {step:<9}{found['seconds']:8.1f} s {found['cpu_seconds']:8.1f} s cpu "
        f"{found['peak_rss_bytes'] / 2**20:7.0f} MiB {found['samples']:>14,} samples",
        file=sys.stderr,
        flush=True,
    )


def show(result: dict[str, Any]) -> None:
    """A table for people."""
    print(
        "containers  days       samples  samples/s  peak MiB  largest answer (samples, MB)  ratio"
    )
    for size in result["ours"]["sizes"]:
        print(
            f"{size['containers']:>10,}  {size['days']:>4}  {size['samples']:>12,}  "
            f"{size['samples_per_second']:>9,}  {size['peak_rss_bytes'] / 2**20:>8.0f}  "
            f"{size['largest_answer_samples']:>14,}  {size['largest_answer_bytes'] / 1e6:>7.1f}  "
            f"{size['ratio_to_floor']:>5.2f}"
        )


def main() -> None:
    """Measure what was asked for."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--containers", type=int, nargs="+", default=list(CONTAINERS))
    parser.add_argument("--days", type=int, default=DAYS)
    parser.add_argument("--json", action="store_true", help="Print one JSON object.")
    parser.add_argument("--child", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.child:
        print(json.dumps(child(json.loads(given.child))))
        return
    began = time.perf_counter()
    sizes = [measure(containers, given.days) for containers in given.containers]
    largest, smallest = (pick(sizes, key=lambda s: s["containers"]) for pick in (max, min))
    result = {
        "benchmark": "telemetry",
        "machine": {
            "system": platform.platform(),
            "cores": os.cpu_count(),
            "python": platform.python_version(),
        },
        "inputs": {
            "containers": given.containers,
            "days": given.days,
            "metrics": len(promstore.METRICS),
            "scrape_seconds": promstore.SCRAPE,
            "step_seconds": promstore.STEP,
            "server_limit_samples": SERVER_LIMIT,
            "concurrency": CONCURRENCY,
        },
        "seconds": round(time.perf_counter() - began, 3),
        "peak_rss_bytes": max(size["peak_rss_bytes"] for size in sizes),
        "ours": {
            "sizes": sizes,
            "samples_per_second": largest["samples_per_second"],
            "largest_answer_samples": largest["largest_answer_samples"],
            "largest_answer_bytes": largest["largest_answer_bytes"],
            "peak_rss_bytes": largest["peak_rss_bytes"],
            "peak_growth": round(largest["peak_rss_bytes"] / smallest["peak_rss_bytes"], 3),
        },
        "baselines": {},
        "floor": largest["floor"],
        "ratio_to_floor": largest["ratio_to_floor"],
    }
    if given.json:
        print(json.dumps(result, indent=1))
    else:
        show(result)


if __name__ == "__main__":
    main()
