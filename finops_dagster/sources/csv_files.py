"""CSV files, packed or not: fast while they are clean, row by row once anything is wrong.

The fast parser does not notice a quote that is never closed, so quotes are counted beside it.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

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
    header, delimiter = _header(_head(source))
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
    clean = _fast(source, target, len(columns), delimiter)
    if clean is not None:
        rows, ends_in_line, last = clean
        faults, more = _ending(name, rows, ends_in_line, last)
        return Spooled(columns, rows, None, 0, faults=faults, notes=(*notes, *more))
    return _row_by_row(name, source, target, columns, delimiter, notes)


def _nothing(fault: Fault) -> Spooled:
    return Spooled((), 0, None, 0, faults=(fault,))


def _head(source: Path) -> bytes:
    """The first bytes of a file, as far as they can be read."""
    head = bytearray()
    try:
        with open_bytes(source) as stream:
            while len(head) < _HEAD_BYTES and (block := stream.read(_HEAD_BYTES)):
                head += block
    except READ_ERRORS:
        pass  # what could be read may hold rows; reading them says where it ends
    return bytes(head)


def _ending(
    name: str, rows: int, ends_in_line: bool, last: str
) -> tuple[tuple[Fault, ...], tuple[Fault, ...]]:
    """The fault or the note of a file whose last line has no end.

    Some spreadsheets leave the last line end out, so that alone is no fault; a JSON value that
    breaks off there is one.
    """
    if ends_in_line or not rows:
        return (), ()
    if last[:1] in ("{", "[") and not _is_json(last):
        return (truncated(name, rows, "the last value of its last row breaks off."),), ()
    note = Fault(
        code="no_final_line_end",
        file=name,
        row=rows,
        expected="A line end after the last row; there is none.",
        hint="If the file may have been cut here, send row counts or totals with the delivery.",
    )
    return (), (note,)


def _is_json(text: str) -> bool:
    try:
        json.loads(text)
    except (ValueError, RecursionError):
        return False
    return True


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
    """A stream that counts the quotes that pass through it and remembers its last byte."""

    def __init__(self, stream: io.RawIOBase) -> None:
        super().__init__()
        self._stream = io.BufferedReader(stream)
        self.quotes = 0
        self.last = b""

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1) -> bytes:
        block = self._stream.read(size)
        self.quotes += block.count(b'"')
        self.last = block[-1:] or self.last
        return block


def _fast(source: Path, target: Path, width: int, delimiter: str) -> tuple[int, bool, str] | None:
    """Rows copied, whether the last line has an end, and the last value of the last row.

    None if the file is not clean in every respect.
    """
    schema = spool_schema(width)
    names = schema.names[:-1]
    rows, last = 0, ""
    try:
        with open_bytes(source) as stream, pq.ParquetWriter(target, schema) as writer:
            watched = _Watched(stream)
            reader = pacsv.open_csv(
                pa.PythonFile(watched, mode="r"),
                read_options=pacsv.ReadOptions(
                    column_names=names, skip_rows_after_names=1, block_size=_BLOCK_BYTES
                ),
                parse_options=pacsv.ParseOptions(delimiter=delimiter, newlines_in_values=True),
                convert_options=pacsv.ConvertOptions(
                    column_types=dict.fromkeys(names, pa.string()), strings_can_be_null=False
                ),
            )
            for batch in reader:
                if not batch.num_rows:
                    continue
                numbers = pa.array(range(rows + 1, rows + batch.num_rows + 1), pa.int64())
                writer.write_batch(
                    pa.RecordBatch.from_arrays([*batch.columns, numbers], schema=schema)
                )
                rows += batch.num_rows
                last = batch.column(width - 1)[-1].as_py()
    except (pa.ArrowException, *READ_ERRORS):
        return None
    # an odd number is a quote never closed, or one inside a bare value: the slow path can tell
    if watched.quotes % 2:
        return None
    return rows, watched.last in (b"\n", b"\r"), last


_COUNT = "field_count: the row has another number of values than the header"
_QUOTES = "quoting: a quoted value does not end where it should"
_ENDED = "truncated_file: the file ends in the middle"
_ENCODING = "wrong_encoding: the row holds bytes that are not UTF-8"


@dataclass(frozen=True)
class _Record:
    """One row as it was: its values, or what is wrong with it, `code: sentence`."""

    number: int
    raw: str
    values: Sequence[str]
    problem: str


def _records(stream: io.RawIOBase, delimiter: str, width: int) -> Iterator[_Record]:
    """Every row after the header. Empty lines are no rows."""
    taken: list[str] = []

    def watched() -> Iterator[str]:
        for line in lines(stream):
            taken.append(line)
            yield line

    reader = csv.reader(watched(), delimiter=delimiter, strict=True)
    number = -1  # the header is row 0
    while True:
        taken.clear()
        values: Sequence[str] = ()
        problem = ""
        try:
            values = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            problem = f"{_QUOTES}: {error}"
        except READ_ERRORS as error:
            yield _Record(number + 1, "".join(taken), (), f"{_ENDED}: {error}")
            return
        if not values and not problem:
            continue
        number += 1
        raw = "".join(taken)
        if not problem and len(values) != width:
            problem = _COUNT
        if not problem and not is_unicode(raw):
            problem = _ENCODING
        if number:
            yield _Record(number, raw, values, problem)


def _row_by_row(
    name: str,
    source: Path,
    target: Path,
    columns: tuple[str, ...],
    delimiter: str,
    notes: tuple[Fault, ...],
) -> Spooled:
    broken: list[_Record] = []
    last: _Record | None = None
    allowed = csv.field_size_limit(MAX_FIELD_BYTES)
    try:
        with SpoolWriter(target, len(columns)) as writer, open_bytes(source) as stream:
            for record in _records(stream, delimiter, len(columns)):
                last = record
                if not record.problem:
                    writer.add(record.number, record.values)
                    continue
                broken.append(_Record(record.number, "", (), record.problem))
                if record.raw:
                    writer.add_broken(record.number, record.raw, record.problem)
    finally:
        csv.field_size_limit(allowed)
    faults: tuple[Fault, ...] = ()
    more: tuple[Fault, ...] = ()
    if last is not None and not last.problem:
        faults, more = _ending(name, last.number, last.raw.endswith(("\n", "\r")), last.values[-1])
    return Spooled(
        columns,
        writer.rows,
        writer.broken,
        writer.broken_rows,
        faults=(*_faults(name, broken, last, len(columns)), *faults),
        notes=(*notes, *more),
    )


def _faults(
    name: str, broken: Sequence[_Record], last: _Record | None, width: int
) -> Iterator[Fault]:
    """One fault per kind, at the first row that has it; a broken last row is a cut file."""
    by_code: dict[str, list[int]] = {}
    for record in broken:
        by_code.setdefault(record.problem.partition(":")[0], []).append(record.number)
    for row in by_code.pop("truncated_file", ()):
        yield truncated(name, row, broken[-1].problem.partition(": ")[2] + ".")
    for code, rows in by_code.items():
        if last is not None and rows[-1] == last.number and code in ("field_count", "quoting"):
            yield truncated(name, rows.pop(), "its last row is not complete.")
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
