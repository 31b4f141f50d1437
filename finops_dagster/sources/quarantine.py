"""Rows set aside, as Arrow batches with their reasons: those faulted, or all of a faulted delivery.

What makes a fault is settled before; the accepted rows go out by `streams`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from finops_dagster.domain.deliveries import Delivery
from finops_dagster.domain.errors import Fault
from finops_dagster.domain.schemas import TableSchema
from finops_dagster.sources.counting import Typed, has_money
from finops_dagster.sources.opening import Opened
from finops_dagster.sources.parsing import as_text, literal
from finops_dagster.sources.private import Privacy, masked, masked_text, shown_name
from finops_dagster.sources.shapes import MONEY, QUARANTINE_SCHEMA
from finops_dagster.sources.streams import Drained, fit, stream

MAX_ROW_FAULTS = 100
_REASON = re.compile(r"^(\S+) ([^:]+): (.*)$", re.DOTALL)
_STRAY_ROWS = 10_000


def stray_rows(opened: Opened) -> int:
    """How many rows there are that have no values, a file of which nothing is readable as one."""
    lines = sum(pq.read_metadata(path).num_rows for path in opened.broken.values())
    return int(lines) + len(_lost_files(opened))


def _lost_files(opened: Opened) -> list[int]:
    return sorted(set(opened.unreadable) - set(opened.broken))


@dataclass(frozen=True)
class Quarantine:
    """The rows of one delivery that are set aside.

    With `set_faults` that is every row. `strays` says whether rows without values are its own.
    """

    table: TableSchema
    delivery: Delivery
    opened: Opened
    set_faults: Sequence[Fault]
    strays: bool
    drained: Drained
    privacy: Privacy | None = None

    @property
    def _masked(self) -> bool:
        return self.privacy is not None and self.privacy.masked

    def reader(
        self, connection: duckdb.DuckDBPyConnection, typed: Sequence[Typed]
    ) -> pa.RecordBatchReader:
        """The stream, in QUARANTINE_SCHEMA, in the order of the files."""
        return pa.RecordBatchReader.from_batches(
            QUARANTINE_SCHEMA, self._batches(connection, typed)
        )

    def _batches(
        self, connection: duckdb.DuckDBPyConnection, typed: Sequence[Typed]
    ) -> Iterator[pa.RecordBatch]:
        for one in typed:
            if self.set_faults or one.bad_rows:
                for batch in stream(connection, one, self._sql(one), self.opened.names):
                    yield self._complete(dict(zip(batch.schema.names, batch.columns, strict=True)))
        if self.strays:
            for columns in self._strays():
                yield self._complete(columns)
        self.drained.ended.add("quarantine")

    def _sql(self, one: Typed) -> str:
        pairs = ", ".join(f"{literal(name)}, {value}" for name, value in self._shown(one).items())
        cost = "billed_cost, billing_currency"
        if not has_money(self.table):
            cost = "NULL AS billed_cost, NULL AS billing_currency"
        condition = one.where if self.set_faults else f"{one.where} AND ({one.bad})"
        return (
            f"SELECT file_no, row_number, {one.reasons} AS reasons, "
            f"json_object({pairs})::VARCHAR AS raw, {cost} FROM {one.name} WHERE {condition}"
        )

    def _shown(self, one: Typed) -> dict[str, str]:
        """What a row set aside shows: names of delivered columns and SQL of their values."""
        columns = one.group.columns
        if self.privacy is None or not self.privacy.masked:
            return {column.name: as_text(column) for column in columns}
        known = {*self.table.names, *one.view.known}
        return {
            shown_name(column, place, known): masked(column)
            for place, column in enumerate(columns, 1)
        }

    def _strays(self) -> Iterator[dict[str, pa.Array]]:
        for number, path in sorted(self.opened.broken.items()):
            with pq.ParquetFile(path) as file:
                for batch in file.iter_batches(batch_size=_STRAY_ROWS):
                    rows = batch.to_pylist()
                    yield self._stray(
                        number,
                        [row["row_number"] for row in rows],
                        [_stray_reason(row["reason"]) for row in rows],
                        [
                            {"line": masked_text(row["raw"]) if self._masked else row["raw"]}
                            for row in rows
                        ],
                    )
        for number in _lost_files(self.opened):
            reason = "unreadable_file file: not one row of it could be read"
            yield self._stray(number, [None], [reason], [{"file": self.opened.names[number]}])

    def _stray(
        self,
        number: int,
        rows: Sequence[int | None],
        reasons: Sequence[str],
        raw: Sequence[dict[str, str]],
    ) -> dict[str, pa.Array]:
        return {
            "file_no": pa.repeat(pa.scalar(number, pa.int32()), len(rows)),
            "row_number": pa.array(rows, pa.int64()),
            "reasons": pa.array([[reason] for reason in reasons], pa.list_(pa.string())),
            "raw": pa.array([json.dumps(one, ensure_ascii=False) for one in raw], pa.string()),
            "billed_cost": pa.nulls(len(rows), MONEY),
            "billing_currency": pa.nulls(len(rows), pa.string()),
        }

    def _complete(self, columns: dict[str, pa.Array]) -> pa.RecordBatch:
        rows = len(columns["raw"])
        files = pa.array(self.opened.names, pa.string()).take(columns["file_no"])
        self._collect(files, columns)
        whole = list(dict.fromkeys(f"{f.code} delivery: {f}" for f in self.set_faults))
        known_at = pa.scalar(self.delivery.known_at, pa.timestamp("us", tz="UTC"))
        made = {
            **columns,
            "source": pa.repeat(self.delivery.source, rows),
            "delivery_id": pa.repeat(self.delivery.delivery_id, rows),
            "known_at": pa.repeat(known_at, rows),
            "table": pa.repeat(self.table.name, rows),
            "file": files,
            "reasons": _prefixed(columns["reasons"], whole),
        }
        self.drained.aside += rows
        return pa.RecordBatch.from_arrays(
            [fit(made[field.name], field.type) for field in QUARANTINE_SCHEMA],
            schema=QUARANTINE_SCHEMA,
        )

    def _collect(self, files: pa.Array, columns: dict[str, pa.Array]) -> None:
        held = self.drained.row_faults
        wanted = MAX_ROW_FAULTS - len(held)
        if wanted <= 0:
            return
        faulted = pc.indices_nonzero(pc.list_value_length(columns["reasons"])).slice(0, wanted)
        for file, number, reasons in zip(
            files.take(faulted).to_pylist(),
            columns["row_number"].take(faulted).to_pylist(),
            columns["reasons"].take(faulted).to_pylist(),
            strict=True,
        ):
            held.extend(_fault(file, number, reason) for reason in reasons)
        del held[MAX_ROW_FAULTS:]


def _stray_reason(reason: str) -> str:
    code, _, sentence = reason.partition(":")
    return f"{code} row:{sentence}"


def _fault(file: str, row: int | None, reason: str) -> Fault:
    match = _REASON.match(reason)
    code, column, sentence = match.groups() if match else ("unknown", "row", reason)
    return Fault(
        code=code,
        file=file,
        row=row,
        column=None if column in ("row", "file") else column,
        expected=f"{sentence[:1].upper()}{sentence[1:].rstrip('.')}.",
        hint="Mend it where it comes from and have the delivery sent again.",
    )


def _prefixed(reasons: pa.Array, whole: list[str]) -> pa.Array:
    """Each list of reasons with those of the whole delivery before its own."""
    if not whole:
        return reasons
    own = reasons.flatten()
    width = len(whole)
    lengths = pc.list_value_length(reasons).to_numpy(zero_copy_only=False)
    offsets = np.concatenate([[0], np.cumsum(lengths + width)])
    place = np.full(int(offsets[-1]), -1, dtype=np.int64)
    place[(offsets[:-1][:, None] + np.arange(width)).ravel()] = np.tile(
        np.arange(width), len(lengths)
    )
    place[place < 0] = width + np.arange(len(own))
    values = pa.concat_arrays([pa.array(whole, pa.string()), own]).take(pa.array(place))
    return pa.ListArray.from_arrays(pa.array(offsets, pa.int32()), values)
