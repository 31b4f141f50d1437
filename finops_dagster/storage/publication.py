"""Publications: immutable audited mart versions and the one manifest that says which are in force.

Candidates are exported here, judged elsewhere, and published by one atomic replacement.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any

import duckdb
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
from filelock import FileLock
from pydantic import BaseModel, ConfigDict

from finops_dagster.domain.errors import Fault, SettingsError
from finops_dagster.domain.ids import content_id
from finops_dagster.storage.files import atomically, write_json

_EXPORT_MEMORY = "1GB"


class Version(BaseModel):
    """One audited version of one partition of a mart."""

    model_config = ConfigDict(frozen=True)

    mart: str
    partition: date
    sha256: str
    rows: int
    known_at: datetime
    """The cutoff it was built with: nothing known later is in it."""
    inputs: tuple[str, ...]
    """Ids of the deliveries it was built from."""
    recipe: str = ""
    """What else its rows depend on; empty in manifests of before it was noted."""


class Manifest(BaseModel):
    """The set of versions in force after one publication."""

    model_config = ConfigDict(frozen=True)

    sequence: int
    published_at: datetime
    versions: tuple[Version, ...]

    @property
    def id(self) -> str:
        """Names the data: a later look at the same has another `known_at`, and the same id."""
        named = {"mart", "partition", "sha256", "inputs"}
        return content_id("pub", [v.model_dump(mode="json", include=named) for v in self.versions])

    @property
    def known_at(self) -> datetime:
        return max(version.known_at for version in self.versions)

    @cached_property
    def _by_mart(self) -> dict[str, list[Version]]:
        found: dict[str, list[Version]] = {}
        for version in sorted(self.versions, key=lambda v: v.partition):
            found.setdefault(version.mart, []).append(version)
        return found

    def of(self, mart: str, first: date | None = None, last: date | None = None) -> list[Version]:
        """Versions of one mart whose partition is in [first, last], oldest first."""
        return [
            v
            for v in self._by_mart.get(mart, ())
            if (first is None or v.partition >= first) and (last is None or v.partition <= last)
        ]


@dataclass(frozen=True)
class PublicationStore:
    """Candidates, versions and manifests under one folder."""

    root: Path

    def path(self, version: Version) -> Path:
        """The Parquet file of a version."""
        return (
            self.root
            / "marts"
            / version.mart
            / version.partition.isoformat()
            / version.sha256[:32]
            / "data.parquet"
        )

    def span(self, version: Version, column: str) -> tuple[date, date] | None:
        """First and last day in a column of a version's file, by its footer; None of no rows."""
        return _span(str(self.path(version)), column)

    def has(self, version: Version, known: str, unknown: str) -> bool:
        """Whether a row of a version has one column and lacks the other.

        Not in a version that was made before there were both.
        """
        return _has(str(self.path(version)), known, unknown)

    def current(self) -> Manifest | None:
        """The manifest in force, or None before the first publication."""
        return self._read(self.root / "current.json")

    def _read(self, path: Path) -> Manifest | None:
        if not path.exists():
            return None
        told = path.stat()
        return _manifest(str(path), told.st_ino, told.st_mtime_ns, told.st_size)

    def by_id(self, id_: str) -> Manifest:
        """A manifest, in force or past, the last of its id. Raises KeyError."""
        for path in sorted((self.root / "manifests").glob(f"*-{id_}.json"), reverse=True):
            manifest = self._read(path)
            if manifest is not None:
                return manifest
        raise KeyError(id_)

    def before(self, manifest: Manifest) -> Iterator[Manifest]:
        """Manifests that were in force before this one, the newest first."""
        for path in sorted((self.root / "manifests").glob("*.json"), reverse=True):
            found = self._read(path)
            if found is not None and found.sequence < manifest.sequence:
                yield found

    def known_by(self, cutoff: datetime) -> Manifest | None:
        """The last manifest with nothing in it that was known after `cutoff`.

        One that a killed run wrote down but did not put in force is none.
        """
        current = self.current()
        paths = sorted((self.root / "manifests").glob("*.json"), reverse=True)
        for path in paths:
            manifest = self._read(path)
            if manifest is None or current is None or manifest.known_at > cutoff:
                continue
            if manifest.sequence < current.sequence or manifest.id == current.id:
                return manifest
        return None

    def naming(self, ids: Collection[str]) -> set[str]:
        """Which of these delivery ids any manifest names, in force or past."""
        left = set(ids)
        for path in sorted((self.root / "manifests").glob("*.json"), reverse=True):
            if not left:
                break
            text = path.read_bytes()
            left -= {id_ for id_ in left if f'"{id_}"'.encode() in text}
        return set(ids) - left

    def export(
        self,
        warehouse: Path,
        mart: str,
        partition_column: str,
        partitions: Sequence[date],
        known_at: datetime,
        inputs: Mapping[date, Sequence[str]],
    ) -> list[Version]:
        """Write candidates of a mart's partitions, read from the warehouse file.

        Rows are sorted by every column, so the same rows have the same hash, and a file that is
        there already is left alone.
        """
        versions = []
        with duckdb.connect(str(warehouse), read_only=True) as connection:
            # sorting takes what it may have, else it goes to disk
            connection.execute(f"set memory_limit = '{_EXPORT_MEMORY}'; set threads = 2")
            connection.execute("set TimeZone = 'UTC'")
            relation = _mart_relation(connection, mart)
            for partition in partitions:
                versions.append(
                    self._export_one(
                        connection,
                        f"select * from {relation} where {partition_column} = "
                        f"date '{partition.isoformat()}' order by all",
                        mart,
                        partition,
                        known_at,
                        tuple(sorted(inputs.get(partition, ()))),
                    )
                )
        return versions

    def _export_one(
        self,
        connection: duckdb.DuckDBPyConnection,
        query: str,
        mart: str,
        partition: date,
        known_at: datetime,
        inputs: tuple[str, ...],
    ) -> Version:
        aside = self.root / "candidates" / mart / f"{partition.isoformat()}.parquet"
        rows = 0

        def write(path: Path) -> None:
            nonlocal rows
            target = str(path).replace("'", "''")
            result = connection.execute(
                f"copy ({query}) to '{target}' (format parquet, compression zstd)"
            ).fetchone()
            rows = int(result[0]) if result else 0

        atomically(aside, write)
        with aside.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
        version = Version(
            mart=mart,
            partition=partition,
            sha256=digest,
            rows=rows,
            known_at=known_at,
            inputs=inputs,
        )
        path = self.path(version)
        if path.exists():
            aside.unlink()
        else:
            path.parent.mkdir(parents=True, exist_ok=True)
            aside.replace(path)
        return version

    def keep_candidates(self, clock: str, versions: Sequence[Version]) -> None:
        """Note what was exported last for a clock, for the step that publishes it."""
        write_json(
            self.root / "candidates" / f"{clock}.json",
            [json.loads(version.model_dump_json()) for version in versions],
        )

    def candidates(self, clock: str) -> list[Version]:
        """What `keep_candidates` noted last."""
        path = self.root / "candidates" / f"{clock}.json"
        return [Version.model_validate(item) for item in json.loads(path.read_text("utf-8"))]

    def publish(
        self, versions: Iterable[Version], published_at: datetime, *, whole: bool = False
    ) -> Manifest:
        """Put these versions in force beside the others, in one atomic step.

        `whole`: in place of the others, as each is all there is of its mart.
        Publishing what is in force already changes nothing and returns the manifest in force.
        """
        with FileLock(str(self.root / ".lock")):
            held = self.current()
            others = held.versions if held and not whole else ()
            in_force = {(v.mart, v.partition): v for v in others}
            for version in versions:
                old = in_force.get((version.mart, version.partition))
                same = old is not None and (
                    (old.sha256, old.inputs, old.recipe)
                    == (version.sha256, version.inputs, version.recipe)
                )
                # The same rows from the same inputs stay known since they first were,
                # but a newer look at them keeps them fresh.
                if not same or (old is not None and old.known_at < version.known_at):
                    in_force[(version.mart, version.partition)] = version
            ordered = tuple(in_force[key] for key in sorted(in_force))
            if held is not None and held.versions == ordered:
                return held
            manifest = Manifest(
                sequence=(held.sequence + 1) if held else 1,
                published_at=published_at,
                versions=ordered,
            )
            name = f"{manifest.sequence:08d}-{manifest.id}.json"
            for left in (self.root / "manifests").glob(f"{manifest.sequence:08d}-*.json"):
                left.unlink()  # a killed run wrote it down and never put it in force
            document = json.loads(manifest.model_dump_json())
            write_json(self.root / "manifests" / name, document)
            write_json(self.root / "current.json", document)
            return manifest

    def reader(self, manifest: Manifest) -> PublishedReader:
        """A reader that sees this manifest's versions and no others."""
        return PublishedReader(self, manifest)


@lru_cache(maxsize=4)
def _manifest(path: str, inode: int, modified: int, size: int) -> Manifest:
    """A file that is replaced has another inode or time: years of versions are parsed once."""
    return Manifest.model_validate_json(Path(path).read_text(encoding="utf-8"))


@lru_cache(maxsize=1024)
def _span(path: str, column: str) -> tuple[date, date] | None:
    metadata = pq.read_metadata(path)
    at = metadata.schema.names.index(column)
    found = [
        metadata.row_group(number).column(at).statistics
        for number in range(metadata.num_row_groups)
    ]
    held = [one for one in found if one is not None and one.has_min_max]
    return (min(one.min for one in held), max(one.max for one in held)) if held else None


@lru_cache(maxsize=1024)
def _has(path: str, known: str, unknown: str) -> bool:
    """The answer stays: what is in a version's file never changes."""
    if not {known, unknown} <= set(pq.read_schema(path).names):
        return False
    with duckdb.connect() as connection:
        rows = connection.read_parquet([path]).filter(f"{known} is not null and {unknown} is null")
        return rows.limit(1).fetchone() is not None


def warehouse_rows(warehouse: Path, query: str) -> list[dict[str, Any]]:
    """Rows of a query over the warehouse file, which nobody may be writing."""
    with duckdb.connect(str(warehouse), read_only=True) as connection:
        connection.execute("set TimeZone = 'UTC'")
        found: list[dict[str, Any]] = connection.execute(query).to_arrow_table().to_pylist()
        return found


def _mart_relation(connection: duckdb.DuckDBPyConnection, mart: str) -> str:
    found = connection.execute(
        "select table_schema, table_name from information_schema.tables where table_name = ?",
        [mart],
    ).fetchone()
    if found is None:
        raise KeyError(f"the warehouse has no mart {mart}")
    return ".".join('"' + str(part).replace('"', '""') + '"' for part in found)


@dataclass(frozen=True)
class PublishedReader:
    """Reads marts of one manifest: a whole run sees one state."""

    store: PublicationStore
    manifest: Manifest

    def paths(self, mart: str, first: date | None = None, last: date | None = None) -> list[Path]:
        """Files of a mart's partitions in [first, last]."""
        return [self.store.path(v) for v in self.manifest.of(mart, first, last)]

    def frame(
        self,
        mart: str,
        query: str = "select * from mart",
        *,
        first: date | None = None,
        last: date | None = None,
        given: Mapping[str, Any] | None = None,
        categories: bool = False,
    ) -> pd.DataFrame | None:
        """Run `query` over the relation `mart`; None where no partition is published.

        Decimals stay Decimal (object columns), times are UTC. `given`: values of the query's
        `$name` parameters. `categories`: text as categories, for many rows of few words.
        """
        found = self._queried(mart, query, first, last, given)
        if found is None:
            return None
        frame: pd.DataFrame = found.to_pandas(
            date_as_object=True, strings_to_categorical=categories
        )
        return frame

    def records(
        self,
        mart: str,
        query: str = "select * from mart",
        *,
        first: date | None = None,
        last: date | None = None,
    ) -> list[dict[str, Any]]:
        """Rows of `query` over the relation `mart`; none where no partition is published.

        Decimals are Decimal, times UTC, and what is empty is None.
        """
        found = self._queried(mart, query, first, last)
        return found.to_pylist() if found is not None else []

    def _queried(
        self,
        mart: str,
        query: str,
        first: date | None,
        last: date | None,
        given: Mapping[str, Any] | None = None,
    ) -> pa.Table | None:
        paths = self.paths(mart, first, last)
        if not paths:
            return None
        with duckdb.connect() as connection:
            connection.execute("set TimeZone = 'UTC'; set threads = 2")
            names = [str(path) for path in paths]
            connection.read_parquet(names, union_by_name=True).create_view("mart")
            return connection.execute(query, given).to_arrow_table()

    def rows(self, mart: str, where: str | None, limit: int) -> pd.DataFrame:
        """Rows of a mart that meet a condition that a person typed.

        The condition runs where no file can be read or written: over a copy in memory. Raises
        SettingsError where it is not a condition over the mart's columns.
        """
        with duckdb.connect() as connection:
            connection.execute("set TimeZone = 'UTC'; set threads = 2")
            names = [str(path) for path in self.paths(mart)]
            connection.read_parquet(names, union_by_name=True).create(mart)
            connection.execute("set enable_external_access = false")
            connection.execute("set lock_configuration = true")
            try:
                relation = connection.table(mart)
                relation = relation.filter(where) if where else relation
                relation = relation.limit(limit) if limit else relation
                found: pd.DataFrame = relation.to_arrow_table().to_pandas(date_as_object=True)
            except duckdb.Error as error:
                raise SettingsError(
                    f"--where cannot be used: {str(error).splitlines()[0]}",
                    (
                        Fault(
                            code="bad_condition",
                            column="--where",
                            expected=f"Expected a condition over: {', '.join(self.columns(mart))}.",
                            hint="Quote text with single quotes, as in team = 'search'.",
                        ),
                    ),
                ) from error
            return found

    def columns(self, mart: str) -> list[str]:
        """Column names of a mart."""
        return [str(name) for name in pq.read_schema(self.paths(mart)[0]).names]


def or_empty(frame: pd.DataFrame | None, columns: Iterable[str]) -> pd.DataFrame:
    """What `PublishedReader.frame` read, or no rows where nothing is published."""
    return frame if frame is not None else pd.DataFrame(columns=list(columns))
