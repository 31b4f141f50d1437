"""Finding the waste of thousands of workloads, as the product reads and judges a publication.

Prints JSON with --json, else a table; progress goes to stderr. The publication is drawn and written
first: 14 days of five-minute rows as the mart has them, one of each container (mean of all its
replicas, and of one replica the largest and the 95th percentile within the five minutes) and one of
its pods (replicas, network); two months of days before; charges. Finding runs in a process of its
own, so that its peak memory is its own; what is declared is given to it as frames, since Git is
another benchmark's business. The floor is the quantiles of CPU and the largest memory of each
container, asked of the same files with DuckDB alone.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import platform
import sys
import tempfile
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

sys.path.insert(0, str(Path(__file__).parent))  # not there where a test runs this file
import processes

from finops_dagster.defs.insight import running
from finops_dagster.defs.insight.waste.workloads import part_reader
from finops_dagster.engines.optimisation import Context, Measured, fleet
from finops_dagster.engines.optimisation.find import find_in_parts
from finops_dagster.storage.publication import PublicationStore, Version

AS_OF = date(2026, 3, 29)
WORKLOADS = (1_000, 5_000, 50_000)
DAYS, PEAK_DAYS = 14, 62
STEP = 300
PER_DAY = 86_400 // STEP
GIB = 1024**3
BLOCK = 400
"""Workloads drawn at a time: 230,400 rows of a day."""
_ENVIRONMENTS = ("production", "production", "production", "staging", "dev")
_PRICES = {"cpu": ("vCPU-hours", "vCPU-Hours", 0.04), "memory": ("GiB-hours", "GiB-Hours", 0.005)}
_TIME = pa.timestamp("us", tz="UTC")


class Block:
    """Workloads `first` to before `end`: what each declares, and what it used."""

    def __init__(self, seed: int, first: int, end: int, days: int = DAYS) -> None:
        self.count = end - first
        self.numbers = np.arange(first, end)
        # names rise with numbers, as the mart's rows do
        self.names = [f"Deployment/team-{n // 500:03d}/app-{n:06d}" for n in self.numbers]
        self.environments = [_ENVIRONMENTS[n % len(_ENVIRONMENTS)] for n in self.numbers]
        self._rng = np.random.default_rng([seed, first])
        self._minutes = np.arange(days * PER_DAY)
        self.replicas = self._rng.integers(1, 6, self.count).astype(float)
        self.cpu, self.network = self._used()
        level = np.exp(self._rng.normal(20, 1, (self.count, 1)))
        wobble = 1 + 0.05 * self._rng.random((self.count, self._minutes.size), dtype=np.float32)
        self.memory = np.round(level * wobble / 4096) * 4096
        high = np.quantile(self.cpu[:, ::8], 0.98, axis=1)
        self.millicores = np.ceil(np.maximum(high * self._between(0.8, 5), 0.05) * 1000)
        self.mebibytes = np.ceil(self.memory.max(axis=1) * self._between(0.97, 3) / 2**20)

    def _between(self, low: float, high: float) -> np.ndarray:
        return self._rng.uniform(low, high, self.count)

    def _used(self) -> tuple[np.ndarray, np.ndarray]:
        """Cores of one replica, with days, bursts and noise; a twentieth does nothing, and half
        of what is for development sleeps outside of working hours. Bytes a second received."""
        shape, rng = (self.count, self._minutes.size), self._rng
        hour = self._minutes // (3600 // STEP)
        level = np.exp(rng.normal(-1.5, 1.0, (self.count, 1)))
        day = 1 + self._between(0, 0.6)[:, None] * np.sin(self._minutes * 2 * np.pi / PER_DAY)
        cpu = level * day * rng.standard_gamma(8, shape, dtype=np.float32) / 8
        cpu *= 1 + 2 * (rng.random(shape, dtype=np.float32) < 0.005)
        asleep = (hour % 24 < 7) | (hour % 24 >= 19) | ((hour // 24 + 1) % 7 >= 5)
        dev = np.array([one == "dev" for one in self.environments]) & (self._between(0, 1) < 0.5)
        cpu[np.ix_(dev, asleep)] *= 0.01
        idle = self._between(0, 1) < 0.05
        cpu[idle] = 0.001 * rng.random((int(idle.sum()), self._minutes.size))
        network = np.round(2e4 * rng.random(shape, dtype=np.float32))
        network[idle] = 20.0
        return np.round(cpu, 5), network.astype(float)

    def rows(self, day: int, first: date) -> pa.Table:
        """A day of fct_workload_measurements, in its order: of each workload the pods' rows, then
        the container's."""
        when = first + timedelta(days=day)
        part = slice(day * PER_DAY, (day + 1) * PER_DAY)
        start = int(datetime(when.year, when.month, when.day, tzinfo=UTC).timestamp() * 1e6)
        times = start + np.arange(PER_DAY) * STEP * 1_000_000
        total = self.count * 2 * PER_DAY
        replicas = self.replicas[:, None]
        words = pa.array(np.repeat(np.arange(self.count, dtype=np.int32), 2 * PER_DAY))

        def word(each: list[str]) -> pa.DictionaryArray:
            return pa.DictionaryArray.from_arrays(words, pa.array(each))

        def pods(values: np.ndarray) -> pa.Array:
            return self._half(0, values)

        def container(values: np.ndarray) -> pa.Array:
            return self._half(1, values)

        cpu, memory = self.cpu[:, part], self.memory[:, part]
        high = cpu * (1 + 0.2 * np.minimum(replicas - 1, 1))
        ones = np.ones((1, PER_DAY))
        place = np.tile(np.repeat(np.array([0, 1], dtype=np.int8), PER_DAY), self.count)
        return pa.table(
            {
                "day": pa.repeat(pa.scalar(when), total),
                "resource": word(self.names),
                "cluster": pa.repeat("main", total),
                "namespace": word([name.split("/")[1] for name in self.names]),
                "kind": pa.repeat("Deployment", total),
                "name": word([name.split("/")[2] for name in self.names]),
                "container": pa.DictionaryArray.from_arrays(pa.array(place), ["", "server"]),
                "time": pa.array(np.tile(times, 2 * self.count), pa.int64()).cast(_TIME),
                "interval_seconds": pa.repeat(STEP, total),
                "cpu_cores": container(cpu * replicas),
                "cpu_request_cores": container(self.millicores[:, None] / 1000 * replicas * ones),
                "memory_working_set_bytes": container(memory * replicas),
                "memory_request_bytes": container(
                    self.mebibytes[:, None] * 2**20 * replicas * ones
                ),
                "replicas": pods(replicas * ones),
                "network_receive_bytes_per_second": pods(self.network[:, part]),
                "cpu_cores_replica_max": container(np.round(high * 1.1, 5)),
                "cpu_cores_replica_p95": container(np.round(high, 5)),
                "memory_replica_max_bytes": container(memory),
                "memory_replica_p95_bytes": container(memory),
            }
        )

    def _half(self, which: int, values: np.ndarray) -> pa.Array:
        """`values` in one of the two rows of a time, null in the other."""
        both = np.full((self.count, 2, PER_DAY), np.nan)
        both[:, which] = values
        return pa.array(both.ravel(), from_pandas=True)

    def charges(self, first: date, last: date) -> pa.Table:
        """fct_costs_daily of [first, last]: CPU and memory that is requested, by day."""
        days = [first + timedelta(days=n) for n in range((last - first).days + 1)]
        units = {"cpu": self.millicores / 1000, "memory": self.mebibytes / 1024}
        rows = []
        for place, name in enumerate(self.names):
            for meter, (sku, unit, price) in _PRICES.items():
                quantity = Decimal(f"{units[meter][place] * self.replicas[place] * 24:.6f}")
                cost = quantity * Decimal(str(price))
                rows.append((name, sku, unit, quantity, cost, self.environments[place]))
        columns = list(zip(*rows, strict=True))
        names = ("resource", "sku_meter", "consumed_unit", "consumed_quantity", "effective_cost")
        table = pa.table(
            {
                **dict(zip(names, columns, strict=False)),
                "contracted_cost": columns[4],
                "list_cost": columns[4],
                "environment": columns[5],
                "team": [name.split("/")[1] for name in columns[0]],
            },
            _CHARGES,
        )
        total = len(rows)
        constants = {
            "billing_currency": "USD", "charge_category": "Usage", "provider_name": "AWS",
            "billing_account_id": "1", "service_name": "EKS", "region_id": "eu-west-1",
        }  # fmt: skip
        for name, value in constants.items():
            table = table.append_column(name, pa.repeat(value, total))
        nothing = pa.nulls(total, pa.string())
        table = table.append_column("commitment_discount_status", nothing)
        return pa.concat_tables(
            table.append_column("charge_date", pa.repeat(pa.scalar(day), total)) for day in days
        )

    def before(self, when: date) -> pa.Table:
        """A day of fct_workload_utilisation_daily before the window: as high as the first of it."""
        cpu = np.quantile(self.cpu[:, :PER_DAY], 0.95, axis=1) * self.replicas
        memory = self.memory[:, :PER_DAY].max(axis=1) * self.replicas
        return pa.table(
            {
                "day": pa.repeat(pa.scalar(when), self.count),
                "resource": self.names,
                "cluster": pa.repeat("main", self.count),
                "container": pa.repeat("server", self.count),
                "cpu_cores_p95": cpu,
                "memory_bytes_max": memory,
            }
        )

    def declared(self) -> list[tuple[str, str, str, str]]:
        """resource, field, container, current: requests and replicas."""
        base = "spec.template.spec.containers[name=server].resources.requests"
        found = []
        for place, name in enumerate(self.names):
            found += [
                (name, f"{base}.cpu", "server", f"{self.millicores[place]:.0f}m"),
                (name, f"{base}.memory", "server", f"{self.mebibytes[place]:.0f}Mi"),
                (name, "spec.replicas", "", f"{self.replicas[place]:.0f}"),
            ]
        return found


_MONEY = pa.decimal128(38, 10)
_CHARGES = pa.schema(
    [
        ("resource", pa.string()),
        ("sku_meter", pa.string()),
        ("consumed_unit", pa.string()),
        ("consumed_quantity", _MONEY),
        ("effective_cost", _MONEY),
        ("contracted_cost", _MONEY),
        ("list_cost", _MONEY),
        ("environment", pa.string()),
        ("team", pa.string()),
    ]
)


class Lake:
    """Files of a publication that are written block by block, each mart's partition one file."""

    def __init__(self, root: Path, stack: ExitStack) -> None:
        self._store, self._stack = PublicationStore(root), stack
        self._writers: dict[tuple[str, date], pq.ParquetWriter] = {}
        self._rows: Counter[tuple[str, date]] = Counter()

    def add(self, mart: str, partition: date, rows: pa.Table) -> None:
        """Write rows at the end of a partition's file."""
        key = mart, partition
        if key not in self._writers:
            path = self._store.path(self._version(key))
            path.parent.mkdir(parents=True)
            self._writers[key] = self._stack.enter_context(
                pq.ParquetWriter(path, rows.schema, compression="zstd", compression_level=1)
            )
        self._rows[key] += rows.num_rows
        self._writers[key].write_table(rows, row_group_size=122_880)

    def _version(self, key: tuple[str, date]) -> Version:
        named = hashlib.sha256(f"{key[0]} {key[1]}".encode()).hexdigest()
        known = datetime(AS_OF.year, AS_OF.month, AS_OF.day, tzinfo=UTC) + timedelta(days=1)
        rows = self._rows[key]
        return Version(
            mart=key[0], partition=key[1], sha256=named, rows=rows, known_at=known, inputs=()
        )

    def publish(self) -> None:
        """Put what was written in force."""
        self._stack.close()
        now = datetime(AS_OF.year, AS_OF.month, AS_OF.day, tzinfo=UTC) + timedelta(days=2)
        self._store.publish([self._version(key) for key in self._writers], now)


def blocks(workloads: int, seed: int, days: int = DAYS) -> Iterator[Block]:
    """All workloads, some at a time."""
    for first in range(0, workloads, BLOCK):
        yield Block(seed, first, min(first + BLOCK, workloads), days)


def write(folder: Path, workloads: int, seed: int, days: int) -> dict[str, Any]:
    """Write the publication, and what is declared beside it."""
    began = time.perf_counter()
    first = AS_OF - timedelta(days=days - 1)
    declared: list[tuple[str, str, str, str]] = []
    owners: list[tuple[str, str, str]] = []
    rows = 0
    with ExitStack() as stack:
        lake = Lake(folder / "published", stack)
        for block in blocks(workloads, seed, days):
            for day in range(days):
                table = block.rows(day, first)
                rows += table.num_rows
                lake.add("fct_workload_measurements", first + timedelta(days=day), table)
            for day in range(1, PEAK_DAYS + 1):
                when = first - timedelta(days=day)
                lake.add("fct_workload_utilisation_daily", when, block.before(when))
            lake.add("fct_costs_daily", AS_OF.replace(day=1), block.charges(first, AS_OF))
            declared += block.declared()
            owners += [
                (name, name.split("/")[1], environment)
                for name, environment in zip(block.names, block.environments, strict=True)
            ]
        lake.publish()
    values = pd.DataFrame(declared, columns=["resource", "field", "container", "current"])
    values.to_parquet(folder / "declared.parquet")
    pd.DataFrame(owners, columns=["resource", "owner", "environment"]).to_parquet(
        folder / "owners.parquet"
    )
    measured = (folder / "published/marts/fct_workload_measurements").rglob("*.parquet")
    return {
        "write_seconds": round(time.perf_counter() - began, 1),
        "rows": rows,
        "bytes": sum(path.stat().st_size for path in measured),
    }


class Stages:
    """Seconds by stage."""

    def __init__(self) -> None:
        self.seconds: defaultdict[str, float] = defaultdict(float)
        self.calls: Counter[str] = Counter()

    def timed(self, stage: str, function: Callable[..., Any]) -> Callable[..., Any]:
        """`function`, with the time that it takes counted."""

        def counted(*given: Any, **named: Any) -> Any:
            began = time.perf_counter()
            try:
                return function(*given, **named)
            finally:
                self.seconds[stage] += time.perf_counter() - began
                self.calls[stage] += 1

        return counted


def found(folder: Path, workloads: int, seed: int, days: int) -> dict[str, Any]:
    """Find the waste of the publication, as the product does on a day."""
    values = pd.read_parquet(folder / "declared.parquet")
    owners = pd.read_parquet(folder / "owners.parquet")
    context = Context(
        values=values,
        resources=frozenset(values["resource"]),
        managed={},
        undeclared=frozenset(),
        unsure={},
        owners=owners,
        intensity=pd.DataFrame({"resource": owners["resource"], "gco2e_per_kwh": 400.0}),
    )
    store = PublicationStore(folder / "published")
    manifest = store.current()
    assert manifest is not None  # it was published a moment ago
    reader = store.reader(manifest)
    stages = Stages()
    fleet.learn_fleet = stages.timed("learn", fleet.learn_fleet)  # type: ignore[attr-defined]
    began, before = time.perf_counter(), time.process_time()
    rows = stages.timed("count", running.measured_rows)(reader, AS_OF, days)
    peaks = stages.timed("peaks", running.peaks)(
        reader, AS_OF - timedelta(days=days + PEAK_DAYS), AS_OF - timedelta(days=days)
    )
    read = stages.timed("read", part_reader(reader, AS_OF, days))
    result = find_in_parts(Measured(rows, read), context, AS_OF, daily=peaks)
    seconds = time.perf_counter() - began
    stages.seconds["judge"] = seconds - sum(stages.seconds.values())
    return {
        "seconds": round(seconds, 1),
        "processor_seconds": round(time.process_time() - before, 1),
        "stages": {name: round(each, 1) for name, each in stages.seconds.items()},
        "parts": stages.calls["read"],
        "findings": dict(sorted(Counter(f.kind.value for f in result.findings).items())),
        "sized_by_risk": sum("risk model" in f.engine for f in result.findings),
        "abstained": len(result.abstained),
    }


def floor(folder: Path, workloads: int, seed: int, days: int) -> dict[str, Any]:
    """Quantiles of CPU and the largest memory of each container, by DuckDB."""
    import duckdb

    files = f"{folder}/published/marts/fct_workload_measurements/*/*/data.parquet"
    began = time.perf_counter()
    with duckdb.connect() as connection:
        connection.execute("set threads = 2")
        connection.execute(f"set temp_directory = '{folder}/spilled'")
        answer = connection.execute(
            f"""
            select
                resource, container,
                quantile_cont(cpu_cores, [0.5, 0.95, 0.99, 0.995, 1]) as cpu,
                max(memory_working_set_bytes) as memory
            from read_parquet('{files}') where container <> '' group by all
            """
        ).to_arrow_table()
    return {"floor_seconds": round(time.perf_counter() - began, 1), "containers": answer.num_rows}


STEPS: dict[str, Callable[..., dict[str, Any]]] = {"write": write, "find": found, "floor": floor}


def measure(workloads: list[int], days: int, seed: int) -> dict[str, Any]:
    """Each size in turn; the figures at the top are the largest's."""
    sizes = []
    for count in workloads:
        with tempfile.TemporaryDirectory(prefix="finops-optimise-") as folder:
            given = {"folder": folder, "workloads": count, "seed": seed, "days": days}
            print(f"optimise  {count:>7,} workloads: writing", file=sys.stderr)
            written = processes.in_a_process(__file__, "write", **given)
            print(f"optimise  {count:>7,} workloads: finding", file=sys.stderr)
            ours = processes.in_a_process(__file__, "find", **given)
            bare = processes.in_a_process(__file__, "floor", **given)
        sizes.append(
            {
                "workloads": count,
                "days": days,
                **{name: written[name] for name in ("rows", "bytes", "write_seconds")},
                **{name: value for name, value in ours.items() if name != "cpu_seconds"},
                "rows_per_second": round(written["rows"] / ours["seconds"]),
                "floor_seconds": bare["floor_seconds"],
                "floor_peak_rss_bytes": bare["peak_rss_bytes"],
                "ratio_to_floor": round(ours["seconds"] / max(bare["floor_seconds"], 0.1), 1),
            }
        )
        print(f"optimise  {json.dumps(sizes[-1])}", file=sys.stderr)
    largest = sizes[-1]
    before = sizes[-2] if len(sizes) > 1 else largest
    return {
        "benchmark": "optimise",
        "machine": {
            "system": platform.platform(),
            "cores": os.cpu_count(),
            "python": platform.python_version(),
        },
        "inputs": {"workloads": workloads, "days": days, "step_seconds": STEP, "seed": seed},
        "seconds": largest["seconds"],
        "peak_rss_bytes": largest["peak_rss_bytes"],
        "ours": {
            "sizes": sizes,
            "seconds": largest["seconds"],
            "peak_rss_bytes": largest["peak_rss_bytes"],
            "peak_growth": round(largest["peak_rss_bytes"] / before["peak_rss_bytes"], 3),
            "rows_per_second": largest["rows_per_second"],
        },
        "baselines": {},
        "floor": {
            "what": "quantiles of CPU and largest memory of each container, by DuckDB",
            "seconds": largest["floor_seconds"],
            "peak_rss_bytes": largest["floor_peak_rss_bytes"],
        },
        "ratio_to_floor": largest["ratio_to_floor"],
    }


def _table(result: dict[str, Any]) -> str:
    told = {
        f"{one['workloads']:,}": {
            "rows": one["rows"],
            "files, MB": one["bytes"] / 1e6,
            **{f"{name}, s": seconds for name, seconds in one["stages"].items()},
            "all, s": one["seconds"],
            "processor, s": one["processor_seconds"],
            "rows/s": one["rows_per_second"],
            "peak, MiB": one["peak_rss_bytes"] // 2**20,
            "findings": sum(one["findings"].values()),
            "floor, s": one["floor_seconds"],
            "floor peak, MiB": one["floor_peak_rss_bytes"] // 2**20,
            "ratio": one["ratio_to_floor"],
        }
        for one in result["ours"]["sizes"]
    }
    return str(pd.DataFrame(told).to_string(float_format=lambda x: f"{x:,.4g}"))


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--workloads", type=int, nargs="+", default=list(WORKLOADS))
    parser.add_argument("--days", type=int, default=DAYS)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--json", action="store_true", help="Print one JSON object.")
    parser.add_argument("--child", type=json.loads, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.child:
        given = dict(arguments.child)
        step = STEPS[given.pop("step")]
        print(json.dumps(step(Path(given.pop("folder")), **given)))
        return
    result = measure(arguments.workloads, arguments.days, arguments.seed)
    print(json.dumps(result) if arguments.json else _table(result))


if __name__ == "__main__":
    main()
