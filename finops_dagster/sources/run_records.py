"""Runs and model versions as their systems have them, on disk in bounded batches.

What was known of them on which day is worked out in `run_days`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

_BATCH = 1000

_MAP = pa.map_(pa.string(), pa.string())
RUN_RECORDS = pa.schema(
    [
        ("system", pa.string()),
        ("run_id", pa.string()),
        ("part", pa.string()),
        ("experiment", pa.string()),
        ("name", pa.string()),
        ("owner", pa.string()),
        ("status", pa.string()),
        ("lifecycle", pa.string()),
        ("started_ms", pa.int64()),
        ("ended_ms", pa.int64()),
        ("cluster", pa.string()),
        ("namespace", pa.string()),
        ("workload_kind", pa.string()),
        ("workload", pa.string()),
        (
            "metrics",
            pa.list_(
                pa.struct([("key", pa.string()), ("value", pa.float64()), ("time_ms", pa.int64())])
            ),
        ),
        ("params", _MAP),
        ("tags", _MAP),
    ]
)
VERSION_RECORDS = pa.schema(
    [
        ("registry", pa.string()),
        ("model", pa.string()),
        ("version", pa.string()),
        ("run_id", pa.string()),
        ("owner", pa.string()),
        ("status", pa.string()),
        ("stage", pa.string()),
        ("aliases", pa.string()),
        ("created_ms", pa.int64()),
        ("updated_ms", pa.int64()),
    ]
)
"""Times in milliseconds since 1970; what a system does not tell is left out."""


def write_records(records: Iterable[Mapping[str, Any]], schema: pa.Schema, target: Path) -> int:
    """Write records to the Parquet file `target`, a batch at a time; returns how many."""
    written = 0
    batch: list[Mapping[str, Any]] = []
    with pq.ParquetWriter(target, schema, compression="zstd") as writer:
        for record in records:
            batch.append(record)
            if len(batch) == _BATCH:
                writer.write_batch(pa.RecordBatch.from_pylist(batch, schema=schema))
                written += len(batch)
                batch = []
        writer.write_batch(pa.RecordBatch.from_pylist(batch, schema=schema))
    return written + len(batch)
