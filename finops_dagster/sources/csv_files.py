"""CSV files, packed or not: fast while they are clean, row by row once anything is wrong.

The fast parser does not notice a quote that is never closed, so quotes are counted beside it.
"""

from __future__ import annotations

import codecs
import csv
import io
import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pyarrow as pa
import pyarrow.csv as pacsv
import pyarrow.parquet as pq

from finops_dagster.domain.errors import Fault
from finops_dagster.sources.csv_rows import Record, faults_of, records_of, undecoded_header
from finops_dagster.sources.decimal_marks import marks_of
from finops_dagster.sources.text_encoding import as_utf8
from finops_dagster.sources.text_files import (
    READ_ERRORS,
    Spooled,
    SpoolWriter,
    is_unicode,
    open_bytes,
    spool_schema,
    truncated,
    unique_names,
)

DELIMITERS = ",;\t|"
MAX_FIELD_BYTES = 16 * 1024 * 1024
_HEAD_BYTES = 1024 * 1024
_KINDS = (
    (b"PK\x03\x04", "a ZIP archive or a workbook"),
    (b"BZh", "packed with bzip2"),
    (b"\xfd7zXZ\x00", "packed with xz"),
    (b"\x28\xb5\x2f\xfd", "packed with zstd"),
    (b"%PDF", "a PDF"),
    (b"Obj\x01", "Avro"),
    (b"ORC", "ORC"),
)
"""First bytes of what people put where a bill should be."""
_BLOCK_BYTES = 8 * 1024 * 1024


def spool_csv(name: str, source: Path, target: Path) -> Spooled:
    """Copy the CSV file `source` to the Parquet file `target`, all values as text.

    `name` is what faults call the file. Never raises on what is in the file.
    """
    copy = target.with_suffix(".utf8")
    try:
        recoded = as_utf8(name, source, copy)
        if recoded.faults:
            return Spooled((), 0, None, 0, faults=recoded.faults)
        spooled = _spool(name, recoded.path, target)
    finally:
        copy.unlink(missing_ok=True)
    return replace(
        spooled,
        notes=(*recoded.notes, *spooled.notes),
        marks=marks_of(target, len(spooled.columns)) if spooled.columns else (),
    )


def _spool(name: str, source: Path, target: Path) -> Spooled:
    head = _head(source)
    if kind := _other_kind(head):
        return _nothing(_no_text(name, kind))
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
    if undecoded := [column for column in columns if not is_unicode(column)]:
        return _nothing(undecoded_header(name, undecoded[0]))
    notes = _header_notes(name, delimiter, repeated)
    # the fast parser takes the first line for the header, blank or not
    blank = head.removeprefix(codecs.BOM_UTF8)[:1] in (b"\n", b"\r")
    clean = None if blank else _fast(source, target, len(columns), delimiter)
    if clean is not None:
        rows, ends_in_line, last = clean
        faults, more = _ending(name, rows, ends_in_line, last)
        return Spooled(columns, rows, None, 0, faults=faults, notes=(*notes, *more))
    return _row_by_row(name, source, target, columns, delimiter, notes)


def _header_notes(name: str, delimiter: str, repeated: Sequence[str]) -> tuple[Fault, ...]:
    duplicates = tuple(
        Fault(
            code="duplicate_column",
            file=name,
            column=column,
            expected="Each column once; further ones of this name are kept under a number.",
            hint="Nothing to do if all of them hold the same.",
        )
        for column in repeated
    )
    if delimiter == ",":
        return duplicates
    separated = Fault(
        code="delimiter",
        file=name,
        expected=f"Commas between values; the file has {delimiter!r}.",
        hint="Nothing to do: it was told by the header.",
    )
    return (separated, *duplicates)


def _other_kind(head: bytes) -> str:
    """What a file is that is no text with rows, by its first bytes; empty if it may be."""
    for magic, kind in _KINDS:
        if head.startswith(magic):
            return kind
    return "a web page or XML" if head.lstrip()[:1] == b"<" else ""


def _no_text(name: str, kind: str) -> Fault:
    return Fault(
        code="not_text",
        file=name,
        expected=f"CSV, plain or packed with gzip, or Parquet; this file is {kind}.",
        hint="Unpack it or export it as CSV or Parquet; look into it if it should be that.",
    )


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
    text = head.decode("utf-8-sig", errors="surrogateescape")
    best: list[str] = []
    chosen = ","
    for delimiter in DELIMITERS:
        rows = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter)
        first: list[str] = next((row for row in rows if row), [])
        if len(first) > len(best):
            best, chosen = first, delimiter
    return [column.strip() for column in best], chosen


class _Watched(io.RawIOBase):
    """A stream that counts quotes, notices bytes of zero and remembers its last byte."""

    def __init__(self, stream: io.RawIOBase) -> None:
        super().__init__()
        self._stream = io.BufferedReader(stream)
        self.quotes = 0
        self.zeros = False
        self.last = b""

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1) -> bytes:
        block = self._stream.read(size)
        self.quotes += block.count(b'"')
        self.zeros = self.zeros or b"\0" in block
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
    if watched.quotes % 2 or watched.zeros:
        return None
    return rows, watched.last in (b"\n", b"\r"), last


def _row_by_row(
    name: str,
    source: Path,
    target: Path,
    columns: tuple[str, ...],
    delimiter: str,
    notes: tuple[Fault, ...],
) -> Spooled:
    broken: list[Record] = []
    last: Record | None = None
    allowed = csv.field_size_limit(MAX_FIELD_BYTES)
    try:
        with SpoolWriter(target, len(columns)) as writer, open_bytes(source) as stream:
            for record in records_of(stream, delimiter, len(columns)):
                last = record
                if not record.problem:
                    writer.add(record.number, record.values)
                    continue
                odd = () if record.place is None else (record.values[record.place],)
                broken.append(replace(record, raw="", values=odd))
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
        faults=(*faults_of(name, broken, last, columns), *faults),
        notes=(*notes, *more),
    )
