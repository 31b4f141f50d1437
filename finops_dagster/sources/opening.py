"""The files of one delivery made ready to scan: checked against their note, grouped by columns.

What the columns mean is the business of a format; nothing here knows one.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq

from finops_dagster.domain.deliveries import DeliveredFile
from finops_dagster.domain.errors import Fault
from finops_dagster.sources.decimal_marks import Marks
from finops_dagster.sources.notes import is_note, read_note, resolve_inside
from finops_dagster.sources.parsing import RawColumn, identifier, literal
from finops_dagster.sources.places import Hashes
from finops_dagster.sources.spools import Spools
from finops_dagster.sources.text_files import ROW_NUMBER, Spooled, truncated

_VIRTUAL = {"file_row_number", "file_index", "filename"}
"""Names DuckDB gives to columns of its own: a file that has one would hide it."""


@dataclass(frozen=True)
class Group:
    """Files with the same columns, as the view `raw_N`: file_no, row_number, c0, c1, ..."""

    view: str
    columns: tuple[RawColumn, ...]
    files: tuple[int, ...]
    rows: int
    row_bytes: int
    """Mean size of a row before packing: wide rows are given out in smaller batches."""
    text: bool = False
    """Whether they are text files: nothing in them has a type, and no value is empty text."""


@dataclass
class Opened:
    """What could be opened of a delivery, and every fault met on the way."""

    names: list[str] = field(default_factory=list)
    """Of all files, in order; a file's number is its place here."""
    paths: dict[int, Path] = field(default_factory=dict)
    groups: list[Group] = field(default_factory=list)
    broken: dict[int, Path] = field(default_factory=dict)
    """Rows that could not be told apart into values, by file."""
    unreadable: list[int] = field(default_factory=list)
    """Files of which not one row could be read."""
    faults: list[Fault] = field(default_factory=list)
    notes: list[Fault] = field(default_factory=list)


@dataclass(frozen=True)
class _Scan:
    path: Path
    columns: tuple[tuple[str, str], ...]
    """Name as delivered and DuckDB's type."""
    sql_names: tuple[str, ...]
    numbered: bool
    rows: int
    size: int
    marks: tuple[Marks, ...] = ()


def open_delivery(
    connection: duckdb.DuckDBPyConnection,
    root: Path,
    files: Sequence[DeliveredFile],
    scratch: Path,
    hashes: Hashes,
    spools: Spools,
) -> Opened:
    """Open every file that is there and inside `root`; the rest becomes faults."""
    opened = Opened()
    repeated = Counter(file.path for file in files)
    for path in [path for path, count in repeated.items() if count > 1]:
        opened.faults.append(_twice(str(path), str(path)))
    scans: dict[int, _Scan] = {}
    first_with: dict[str, int] = {}
    present = _present(root, files, hashes, opened)
    spools.keep({(str(file.path), digest) for _, file, _, digest in present})
    for number, file, real, digest in present:
        name = str(file.path)
        target = scratch / f"{number}.parquet"
        if _is_parquet(real):
            scan = _open_parquet(connection, name, real, target, opened)
            rows = scan.rows if scan else 0
        else:
            spooled = spools.open(name, digest, real, target)
            scan, rows = _open_text(spooled, number, target, opened)
            if spooled.blank:
                opened.notes.append(_no_rows(name))
                continue
        if scan is None:
            opened.unreadable.append(number)
            continue
        scans[number] = scan
        if rows and digest in first_with:
            opened.faults.append(_twice(name, opened.names[first_with[digest]]))
        if rows:
            first_with.setdefault(digest, number)
        opened.faults.extend(_against_note(file, rows, digest))
        if not rows:
            opened.notes.append(_no_rows(name))
    _group(connection, scans, opened)
    return opened


def _present(
    root: Path, files: Sequence[DeliveredFile], hashes: Hashes, opened: Opened
) -> list[tuple[int, DeliveredFile, Path, str]]:
    """Number, file, real path and digest of what is there and inside; the rest becomes faults."""
    present = []
    for file in {one.path: one for one in files}.values():
        real = resolve_inside(root, file.path)
        if is_note(file.path.name) and isinstance(real, Path):
            opened.faults.append(_bad_note(root, file.path))
            continue
        number = len(opened.names)
        opened.names.append(str(file.path))
        if isinstance(real, Fault):
            opened.faults.append(real)
            opened.unreadable.append(number)
            continue
        opened.paths[number] = real
        present.append((number, file, real, hashes.of(real)))
    return present


def _open_text(
    spooled: Spooled, number: int, target: Path, opened: Opened
) -> tuple[_Scan | None, int]:
    """The scan of a text file and how many rows it has, broken ones included."""
    opened.faults.extend(spooled.faults)
    opened.notes.extend(spooled.notes)
    if spooled.broken:
        opened.broken[number] = spooled.broken
    if not spooled.columns:
        return None, 0
    return _spooled_scan(target, spooled), spooled.rows + spooled.broken_rows


def _is_parquet(path: Path) -> bool:
    with path.open("rb") as file:
        return file.read(4) == b"PAR1" or path.suffix.lower() in (".parquet", ".pq")


def _spooled_scan(target: Path, spooled: Spooled) -> _Scan:
    return _Scan(
        path=target,
        columns=tuple((name, "VARCHAR") for name in spooled.columns),
        sql_names=tuple(f"c{n}" for n in range(len(spooled.columns))),
        numbered=True,
        rows=spooled.rows,
        size=_unpacked(pq.read_metadata(target)),
        marks=spooled.marks,
    )


def _open_parquet(
    connection: duckdb.DuckDBPyConnection, name: str, real: Path, target: Path, opened: Opened
) -> _Scan | None:
    try:
        with pq.ParquetFile(real) as file:
            rows, size = file.metadata.num_rows, _unpacked(file.metadata)
            names = file.schema_arrow.names
            if _VIRTUAL & {column.lower() for column in names}:
                _rename(file, target)
            else:
                # DuckDB reads * and [ in a path as a pattern: only names of our own reach it
                target.symlink_to(real)
        described = connection.execute(
            f"DESCRIBE SELECT * FROM read_parquet({literal(str(target))}, hive_partitioning=false)"
        ).fetchall()
    except (pa.ArrowException, OSError, duckdb.Error) as error:
        opened.faults.append(_unreadable(name, real, str(error)))
        return None
    return _Scan(
        path=target,
        columns=tuple(
            (delivered, str(row[1])) for delivered, row in zip(names, described, strict=True)
        ),
        sql_names=tuple(str(row[0]) for row in described),
        numbered=False,
        rows=rows,
        size=size,
    )


def _unpacked(metadata: pq.FileMetaData) -> int:
    groups = range(metadata.num_row_groups)
    return sum(int(metadata.row_group(place).total_byte_size) for place in groups)


def _rename(file: pq.ParquetFile, target: Path) -> None:
    names = [f"c{n}" for n in range(len(file.schema_arrow.names))]
    schema = pa.schema([f.with_name(n) for f, n in zip(file.schema_arrow, names, strict=True)])
    with pq.ParquetWriter(target, schema) as writer:
        for batch in file.iter_batches():
            writer.write_batch(batch.rename_columns(names))


def _unreadable(name: str, real: Path, error: str) -> Fault:
    with real.open("rb") as file:
        file.seek(max(0, real.stat().st_size - 4))
        ends_well = file.read() == b"PAR1"
    first = error.splitlines()[0][:200] if error else "no reason given"
    if not ends_well:
        return truncated(name, None, "a Parquet file ends with its footer, this one does not.")
    return Fault(
        code="unreadable_file",
        file=name,
        expected=f"A Parquet file that can be read; {first}",
        hint="Have the file sent again; nothing of this delivery was taken in.",
    )


def _group(connection: duckdb.DuckDBPyConnection, scans: dict[int, _Scan], opened: Opened) -> None:
    """One view per distinct set of columns, in order of the first file that has it."""
    alike: dict[object, list[int]] = {}
    for number, scan in scans.items():
        key = (scan.columns, scan.sql_names, scan.numbered, scan.marks)
        alike.setdefault(key, []).append(number)
    for place, numbers in enumerate(alike.values()):
        first = scans[numbers[0]]
        view = f"raw_{place}"
        paths = ", ".join(literal(str(scans[number].path)) for number in numbers)
        row = identifier(ROW_NUMBER) if first.numbered else "file_row_number + 1"
        columns = ", ".join(f"{identifier(name)} AS c{n}" for n, name in enumerate(first.sql_names))
        place_of = f"{numbers}[(file_index + 1)::BIGINT]::INTEGER"
        more = f", {columns}" if columns else ""
        connection.execute(
            f"CREATE VIEW {view} AS SELECT {place_of} AS file_no, "
            f"({row})::BIGINT AS row_number{more} "
            f"FROM read_parquet([{paths}], hive_partitioning=false)"
        )
        rows = sum(scans[n].rows for n in numbers)
        plain: Marks = ""
        marks = first.marks or (plain,) * len(first.columns)
        opened.groups.append(
            Group(
                view,
                tuple(
                    RawColumn(name, f"c{n}", type_, marks[n])
                    for n, (name, type_) in enumerate(first.columns)
                ),
                tuple(numbers),
                rows,
                sum(scans[n].size for n in numbers) // max(1, rows),
                first.numbered,
            )
        )


def drop_damaged(connection: duckdb.DuckDBPyConnection, opened: Opened) -> bool:
    """Take out the groups that cannot be scanned to their end; true if there were any.

    A footer can be whole while pages before it are not: only reading every column tells.
    """
    damaged = []
    for group in opened.groups:
        every = ", ".join(f"bit_xor(hash({column.sql}))" for column in group.columns) or "1"
        try:
            connection.execute(f"SELECT {every} FROM {group.view}").fetchall()
        except duckdb.Error as error:
            damaged.append(group)
            names = [opened.names[number] for number in group.files]
            opened.faults.append(
                Fault(
                    code="unreadable_file",
                    file=names[0] if len(names) == 1 else None,
                    expected=f"Files that can be read to their end ({', '.join(names)[:500]}); "
                    f"{str(error).splitlines()[0][:200]}",
                    hint="Have them sent again; nothing of this delivery was taken in.",
                )
            )
            opened.unreadable.extend(group.files)
    opened.groups = [group for group in opened.groups if group not in damaged]
    return bool(damaged)


def _bad_note(root: Path, path: Path) -> Fault:
    reason = "it was changed while it was read"
    try:
        read_note(root, path, (), None)
    except ValueError as error:
        reason = str(error)
    return Fault(
        code="manifest_unreadable",
        file=str(path),
        expected=f"A note of the documented shape; {reason}",
        hint="Have the delivery sent again with a note that can be read.",
    )


def _twice(name: str, other: str) -> Fault:
    return Fault(
        code="file_listed_twice",
        file=name,
        expected=f"Each file once; this one has the bytes of {other}."
        if name != other
        else "Each file once; the delivery lists this one again.",
        hint="Take out the repetition: its cost would be counted twice.",
    )


def _no_rows(name: str) -> Fault:
    return Fault(
        code="no_rows",
        file=name,
        expected="At least one row; the file has its columns and nothing else.",
        hint="Nothing to do if it is an empty part of a whole; else have the export run again.",
    )


def _against_note(file: DeliveredFile, rows: int, digest: str) -> list[Fault]:
    faults = []
    if file.rows is not None and file.rows != rows:
        faults.append(
            Fault(
                code="row_count_differs",
                file=str(file.path),
                expected=f"{file.rows} rows by the delivery's note; the file has {rows}.",
                hint="Have the file or its note sent again.",
            )
        )
    if file.sha256 is not None and file.sha256.lower() != digest:
        faults.append(
            Fault(
                code="sha256_differs",
                file=str(file.path),
                expected=f"Bytes with SHA-256 {file.sha256.lower()} by the delivery's note; "
                f"the file has {digest}.",
                hint="Have the file sent again: it is not the one that was meant.",
            )
        )
    return faults
