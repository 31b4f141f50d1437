"""CSV files, packed or not: fast while they are clean, row by row once anything is wrong.

The fast parser does not notice a quote that is never closed, so quotes are counted beside it.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

import pyarrow as pa
import pyarrow.csv as pacsv
import pyarrow.parquet as pq

from finops_dagster.domain.errors import Fault
from finops_dagster.sources.text_files import (
    READ_ERRORS,
    Spooled,
    SpoolWriter,
    is_unicode,
    lines,
    open_bytes,
    spool_schema,
    truncated,
    unique_names,
)

DELIMITERS = ",;\t|"
MAX_FIELD_BYTES = 16 * 1024 * 1024
_HEAD_BYTES = 1024 * 1024
_BLOCK_BYTES = 8 * 1024 * 1024


def spool_csv(name: str, source: Path, target: Path) -> Spooled:
    """Copy the CSV file `source` to the Parquet file `target`, all values as text.

    `name` is what faults call the file. Never raises on what is in the file.
    """
    try:
        with open_bytes(source) as stream:
            head = stream.read(_HEAD_BYTES)
    except READ_ERRORS as error:
        return _nothing(truncated(name, None, f"{error}."))
    header, delimiter = _header(head)
    if not header:
        return _nothing(
            Fault(
                code="empty_file",
                file=name,
                expected="A header line with column names; there is none.",
                hint="Have the file sent again, or take it out of the delivery.",
            )
        )
    columns, repeated = unique_names(header)
    notes = tuple(
        Fault(
            code="duplicate_column",
            file=name,
            column=column,
            expected="Each column once; further ones of this name are kept under a number.",
            hint="Nothing to do if the first one holds what is meant.",
        )
        for column in repeated
    )
    rows = _fast(source, target, len(columns), delimiter)
    if rows is not None:
        return Spooled(columns, rows, None, 0, notes=notes)
    return _row_by_row(name, source, target, columns, delimiter, notes)


def _nothing(fault: Fault) -> Spooled:
    return Spooled((), 0, None, 0, faults=(fault,))


def _header(head: bytes) -> tuple[list[str], str]:
    """The first row under the delimiter that gives the most columns, and that delimiter."""
    text = head.decode("utf-8-sig", errors="replace")
    best: list[str] = []
    chosen = ","
    for delimiter in DELIMITERS:
        first: list[str] = next(csv.reader(io.StringIO(text, newline=""), delimiter=delimiter), [])
        if len(first) > len(best):
            best, chosen = first, delimiter
    return [column.strip() for column in best], chosen


class _Watched(io.RawIOBase):
    """A stream that counts the quotes that pass through it."""

    def __init__(self, stream: BinaryIO) -> None:
        super().__init__()
        self._stream = stream
        self.quotes = 0

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1) -> bytes:
        block = self._stream.read(size)
        self.quotes += block.count(b'"')
        return block


def _fast(source: Path, target: Path, width: int, delimiter: str) -> int | None:
    """Rows copied, or None if the file is not clean in every respect."""
    schema = spool_schema(width)
    names = schema.names[:-1]
    rows = 0
    try:
        with open_bytes(source) as stream:
            watched = _Watched(stream)
            with pq.ParquetWriter(target, schema) as writer:
                reader = pacsv.open_csv(
                    pa.PythonFile(watched, mode="r"),
                    read_options=pacsv.ReadOptions(
                        column_names=names, skip_rows_after_names=1, block_size=_BLOCK_BYTES
                    ),
                    parse_options=pacsv.ParseOptions(delimiter=delimiter, newlines_in_values=True),
                    convert_options=pacsv.ConvertOptions(
                        column_types=dict.fromkeys(names, pa.string()),
                        strings_can_be_null=False,
                    ),
                )
                for batch in reader:
                    numbers = pa.array(range(rows + 1, rows + batch.num_rows + 1), pa.int64())
                    writer.write_batch(
                        pa.RecordBatch.from_arrays([*batch.columns, numbers], schema=schema)
                    )
                    rows += batch.num_rows
    except (pa.ArrowException, *READ_ERRORS):
        return None
    # an odd number is a quote never closed, or one inside a bare value: the slow path can tell
    return rows if watched.quotes % 2 == 0 else None


def _row_by_row(
    name: str,
    source: Path,
    target: Path,
    columns: tuple[str, ...],
    delimiter: str,
    notes: tuple[Fault, ...],
) -> Spooled:
    taken: list[str] = []

    def watched(stream: BinaryIO) -> Iterator[str]:
        for line in lines(stream):
            taken.append(line)
            yield line

    number = 0
    broken: dict[str, list[int]] = {}
    ended = ""
    allowed = csv.field_size_limit(MAX_FIELD_BYTES)
    try:
        with SpoolWriter(target, len(columns)) as writer, open_bytes(source) as stream:
            reader = csv.reader(watched(stream), delimiter=delimiter, strict=True)
            header_seen = False
            while True:
                taken.clear()
                row: list[str] | None
                try:
                    row = next(reader)
                    problem = "" if len(row) == len(columns) else _COUNT
                except StopIteration:
                    break
                except csv.Error as error:
                    row, problem = None, f"{_QUOTES}: {error}"
                except READ_ERRORS as error:
                    ended = f"{error}."
                    problem = ""
                    row = None
                raw = "".join(taken)
                if not header_seen:
                    header_seen = True
                    continue
                if ended and not raw:
                    break
                if row == []:
                    continue
                number += 1
                if ended:
                    writer.add_broken(number, raw, f"truncated_file: {ended}")
                    break
                if not problem and not is_unicode(raw):
                    problem = _ENCODING
                if problem or row is None:
                    code = problem.partition(":")[0]
                    broken.setdefault(code, []).append(number)
                    writer.add_broken(number, raw, problem)
                else:
                    writer.add(number, row)
    finally:
        csv.field_size_limit(allowed)
    return Spooled(
        columns,
        writer.rows,
        writer.broken,
        writer.broken_rows,
        faults=tuple(_faults(name, broken, ended, number, len(columns))),
        notes=notes,
    )


_COUNT = "field_count: the row has another number of values than the header"
_QUOTES = "quoting: a quoted value does not end where it should"
_ENCODING = "wrong_encoding: the row holds bytes that are not UTF-8"


def _faults(
    name: str, broken: dict[str, list[int]], ended: str, last: int, width: int
) -> Iterator[Fault]:
    if ended:
        yield truncated(name, last or None, ended)
    for code, rows in broken.items():
        if rows[-1] == last and code in ("field_count", "quoting") and not ended:
            yield truncated(name, last, "its last row is not complete.")
            rows = rows[:-1]
        if rows:
            yield Fault(
                code=code,
                file=name,
                row=rows[0],
                expected={
                    "field_count": f"{width} values in each row, as in the header",
                    "quoting": "Quoted values that end with a quote and a delimiter",
                    "wrong_encoding": "UTF-8 text",
                }[code]
                + f"; {len(rows)} row(s) differ, this one first.",
                hint="Have the file sent again; nothing of this delivery was taken in.",
            )
