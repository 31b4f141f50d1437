"""How files of the estate are written: Parquet as one delivery, with the sidecar that describes it.

What is in the files is decided by the callers.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from finops_dagster.demo.noise import Ints

SIDECAR = "_delivery.json"
SIGNAL_TIME = time(0, 15)
"""UTC time on the next day at which a day of telemetry, carbon or predictions is delivered."""


@dataclass(frozen=True)
class ControlTotal:
    """What a billing account owes for all charges of a delivery; `end` is exclusive."""

    billing_account_id: str
    billing_currency: str
    start: date
    end: date
    billed_cost: Decimal


def signal_known_at(day: date) -> datetime:
    """When the signals of `day` are delivered."""
    return datetime.combine(day + timedelta(days=1), SIGNAL_TIME, tzinfo=UTC)


def write(
    folder: Path, table: pa.Table, known_at: datetime, totals: Sequence[ControlTotal] = ()
) -> None:
    """Write `table` as the one file of a delivery, then its sidecar."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "part-0.parquet"
    # Arrow's own schema is left out: readers see plain strings, as other writers give them.
    pq.write_table(
        table,
        path,
        compression="zstd",
        compression_level=1,
        store_schema=False,
        coerce_timestamps="us",
    )
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    sidecar = {
        "known_at": known_at.strftime("%Y-%m-%dT%H:%M:%SZ"),
        "files": [{"path": path.name, "rows": table.num_rows, "sha256": digest}],
    }
    if totals:
        sidecar["control_totals"] = [
            {
                "billing_account_id": total.billing_account_id,
                "billing_currency": total.billing_currency,
                "start": total.start.isoformat(),
                "end": total.end.isoformat(),
                "billed_cost": format(total.billed_cost, "f"),
            }
            for total in totals
        ]
    (folder / SIDECAR).write_text(json.dumps(sidecar, indent=1) + "\n", encoding="utf-8")


def times(minutes: Ints) -> pa.Array:
    """Minutes since 1970 as UTC instants."""
    return pa.array(minutes * 60_000_000).cast(pa.timestamp("us", tz="UTC"))


def chosen(values: Sequence[str | None], index: Ints) -> pa.DictionaryArray:
    """`values` picked by `index`, each text once however often it is picked."""
    texts = list(dict.fromkeys(value for value in values if value is not None))
    at = {text: number for number, text in enumerate(texts)}
    code = np.array([-1 if value is None else at[value] for value in values], dtype=np.int32)
    picked = code[index]
    # Parquet takes a null in the index, not in the dictionary.
    return pa.DictionaryArray.from_arrays(
        pa.array(picked, mask=picked < 0), pa.array(texts, pa.string())
    )
