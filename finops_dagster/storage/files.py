"""Atomic writes and the place of every file under the state folder.

A reader sees the old file or the new one, never half of either: write aside, sync, rename.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import tempfile
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq

from finops_dagster.domain.errors import disk_full, is_disk_full
from finops_dagster.domain.schemas import LogicalType, TableSchema

_ASIDE = ".aside"


@dataclass(frozen=True)
class Layout:
    """Where state lives. `root` is `state_dir` of the settings."""

    root: Path

    @property
    def landing(self) -> Path:
        return self.root / "landing"

    @property
    def quarantine(self) -> Path:
        return self.root / "quarantine"

    @property
    def mirror(self) -> Path:
        """Copies of what remote sources deliver: safe to delete, fetched again when wanted."""
        return self.root / "mirror"

    @property
    def answers(self) -> Path:
        """What APIs said when they were asked: they may say something else tomorrow."""
        return self.root / "answers"

    @property
    def privacy_key(self) -> Path:
        """Key of the hashes that stand for personal values, where the environment has none."""
        return self.root / "privacy.key"

    @property
    def collected(self) -> Path:
        """What sources that are asked said of each day, and when: not to be asked again later."""
        return self.root / "collected"

    @property
    def warehouse(self) -> Path:
        return self.root / "warehouse.duckdb"

    @property
    def published(self) -> Path:
        return self.root / "published"

    @property
    def ledger(self) -> Path:
        return self.root / "ledger"

    @property
    def recorded(self) -> Path:
        """Published marts of the ledger: apart from those that are decided on."""
        return self.root / "recorded"

    @property
    def dagster_home(self) -> Path:
        return self.root / "dagster"

    def engines(self, name: str) -> Path:
        """Trained models of one of the product's own engines, by the hash of their bytes."""
        return self.root / "engines" / name

    def insight(self, as_of: date) -> Path:
        return self.root / "insight" / as_of.isoformat()

    def replay(self, bundle: str, as_of: date) -> Path:
        """A past day decided again under a policy bundle; never mixed with what was decided."""
        return self.root / "replays" / bundle / as_of.isoformat()

    def reports(self, as_of: date) -> Path:
        return self.root / "reports" / as_of.isoformat()


_ARROW: dict[LogicalType, pa.DataType] = {
    LogicalType.STRING: pa.string(),
    LogicalType.MONEY: pa.decimal128(38, 20),
    LogicalType.FLOAT: pa.float64(),
    LogicalType.INTEGER: pa.int64(),
    LogicalType.BOOLEAN: pa.bool_(),
    LogicalType.TIME: pa.timestamp("us", tz="UTC"),
    LogicalType.DATE: pa.date32(),
    LogicalType.STRING_MAP: pa.map_(pa.string(), pa.string()),
    LogicalType.FLOAT_MAP: pa.map_(pa.string(), pa.float64()),
}


def arrow_schema(table: TableSchema) -> pa.Schema:
    """The Arrow schema of a declared table; units and privacy go along as field metadata."""
    return pa.schema(
        [
            pa.field(
                column.name,
                _ARROW[column.type],
                nullable=column.nullable,
                metadata={
                    "description": column.description,
                    **({"unit": column.unit} if column.unit else {}),
                    **({"personal": "true"} if column.personal else {}),
                },
            )
            for column in table.columns
        ]
    )


def atomically(path: Path, write: Callable[[Path], None]) -> None:
    """Let `write` fill a temporary file beside `path`, sync it, then rename it over `path`.

    What killed processes left beside it half written is removed. Raises Unavailable if the disk
    is full: `path` is then as it was.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    _clear_left(path.parent)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.", suffix=_ASIDE)
    aside = Path(name)
    try:
        # held as long as this process lives: who can take it has found what a killed one left
        fcntl.flock(handle, fcntl.LOCK_EX)
        write(aside)
        with aside.open("rb+") as file:
            os.fsync(file.fileno())
        aside.chmod(0o644)
        aside.replace(path)
    except (OSError, duckdb.Error) as error:
        if is_disk_full(error):
            raise disk_full(path.parent, f"Nothing of {path.name} was kept") from error
        raise
    finally:
        aside.unlink(missing_ok=True)
        os.close(handle)


def _clear_left(folder: Path) -> None:
    for left in folder.glob(f".*{_ASIDE}"):
        try:
            handle = os.open(left, os.O_RDWR)
        except FileNotFoundError:
            continue  # renamed by the one who writes it
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            left.unlink(missing_ok=True)
        except BlockingIOError:
            pass  # being written
        finally:
            os.close(handle)


def write_json(path: Path, value: Any) -> None:
    """Write a JSON document atomically, sorted and indented: people read these files."""
    text = json.dumps(value, indent=1, sort_keys=True, ensure_ascii=False) + "\n"
    atomically(path, lambda aside: _write_text(aside, text))


def _write_text(path: Path, text: str) -> None:
    path.write_text(text, encoding="utf-8")


def write_parquet(path: Path, batches: pa.RecordBatchReader, schema: pa.Schema) -> int:
    """Stream batches to one Parquet file atomically; returns the rows written.

    Raises pyarrow.ArrowInvalid if a batch does not fit `schema`.
    """
    rows = 0

    def write(aside: Path) -> None:
        nonlocal rows
        with pq.ParquetWriter(aside, schema, compression="zstd") as writer:
            for batch in _ahead(batches):
                table = pa.Table.from_batches([batch]).select(schema.names).cast(schema)
                writer.write_table(table)
                rows += table.num_rows

    atomically(path, write)
    return rows


def _ahead(batches: pa.RecordBatchReader) -> Iterator[pa.RecordBatch]:
    """Every batch, with the next one being made on another thread while this one is packed."""
    with ThreadPoolExecutor(max_workers=1) as reader:
        coming = reader.submit(next, batches, None)
        while (batch := coming.result()) is not None:
            coming = reader.submit(next, batches, None)
            yield batch


_MADE_BY_DBT = {"target", "logs", "dbt_packages"}


def project_digest(project: Path) -> str:
    """SHA-256 over names and bytes of a dbt project's own files."""
    digest = hashlib.sha256()
    for path in sorted(project.rglob("*")):
        relative = path.relative_to(project)
        if path.is_file() and relative.parts[0] not in _MADE_BY_DBT:
            digest.update(f"{relative.as_posix()}\0".encode())
            digest.update(path.read_bytes())
    return digest.hexdigest()
