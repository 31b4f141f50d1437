"""Deliveries on disk: folders with a note of their sender, and bare files.

Only names, times and hashes are read here; rows are opened in `opening`.
"""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from pathlib import Path

from finops_dagster.domain.deliveries import ControlTotal, DeliveredFile
from finops_dagster.domain.errors import Fault, Unavailable
from finops_dagster.domain.ids import content_id
from finops_dagster.domain.periods import month_start
from finops_dagster.sources.manifest import SIDECAR, read_manifest, resolve_inside

SUFFIXES = (".parquet", ".csv", ".csv.gz", ".jsonl", ".jsonl.gz", ".ndjson", ".ndjson.gz")
_HASH_BLOCK = 1024 * 1024
_MONTH_OR_DAY = re.compile(r"^(\d{4})-(\d{2})(?:-(\d{2}))?$")


@dataclass(frozen=True)
class Found:
    """One arrival before its rows are looked at. Paths are relative to the source's root."""

    files: tuple[DeliveredFile, ...]
    known_at: datetime
    control_totals: tuple[ControlTotal, ...]
    partition: date | None
    """From a folder named KEY=DATE; None where only the rows can tell."""
    told: bool = False
    """Whether the sender said when it became known; else `known_at` is when it was written."""


@dataclass
class Hashes:
    """SHA-256 of files, computed once while size, time and inode stay the same."""

    _known: dict[tuple[str, int, int, int], str] = field(default_factory=dict)

    def of(self, path: Path) -> str:
        stat = path.stat()
        key = (str(path), stat.st_size, stat.st_mtime_ns, stat.st_ino)
        if key not in self._known:
            digest = hashlib.sha256()
            with path.open("rb") as file:
                while block := file.read(_HASH_BLOCK):
                    digest.update(block)
            self._known[key] = digest.hexdigest()
        return self._known[key]


def root_of(given: Path) -> Path:
    """The resolved folder that every file of a source must be in. Raises Unavailable."""
    if not given.exists():
        raise Unavailable(
            f"{given} is not there.",
            (
                Fault(
                    code="source_missing",
                    file=str(given),
                    expected="A file or folder that the source delivers to.",
                    hint="Correct its path in the settings, or wait for the first delivery.",
                ),
            ),
        )
    real = given.resolve()
    return real if real.is_dir() else real.parent


def find(given: Path, key: str) -> list[Found]:
    """Every arrival at `given`; `key` is billing_period or day. Raises Unavailable."""
    root = root_of(given)
    try:
        if given.resolve().is_file():
            return [_bare(root, [Path(given.resolve().name)], key)]
        return list(_walk(root, key))
    except OSError as error:
        raise Unavailable(f"{given} could not be listed: {error.strerror}.") from error


def partition_of(files: Sequence[DeliveredFile], key: str) -> date | None:
    """The partition that the folders of all `files` name, if they agree on one."""
    named = {_named(file.path, key) for file in files}
    return named.pop() if len(named) == 1 else None


def delivery_id(root: Path, found: Found, source: str, partition: date, hashes: Hashes) -> str:
    """Content hash over file names, their bytes and what the sender says of them.

    What the sender says belongs to it: a corrected invoice is a new delivery of the same rows.
    """
    return content_id(
        "delivery",
        {
            "source": source,
            "partition": partition,
            "files": sorted(
                [str(f.path), _digest(root, f.path, hashes), str(f.rows), str(f.sha256)]
                for f in found.files
            ),
            "control_totals": found.control_totals,
        },
    )


def content(root: Path, found: Found, hashes: Hashes) -> str:
    """Content hash that is the same for the same files in another folder."""
    return content_id(
        "content",
        {
            "files": sorted(
                [f.path.name, _digest(root, f.path, hashes), str(f.rows), str(f.sha256)]
                for f in found.files
            ),
            "control_totals": found.control_totals,
        },
    )


def _digest(root: Path, path: Path, hashes: Hashes) -> str:
    real = resolve_inside(root, path)
    return real.code if isinstance(real, Fault) else hashes.of(real)


def _walk(root: Path, key: str) -> Iterator[Found]:
    loose: dict[Path, list[Path]] = {}
    for folder, names, files in os.walk(root):
        # hidden and underscored names are the half-written output of common writers
        names[:] = sorted(n for n in names if not n.startswith((".", "_")))
        here = Path(folder).relative_to(root)
        if SIDECAR in files:
            names.clear()
            yield _noted(root, here, key)
            continue
        for file in sorted(files):
            if _is_data(file):
                loose.setdefault(_arrival(here, key), []).append(here / file)
    for paths in loose.values():
        yield _bare(root, paths, key)


def _is_data(name: str) -> bool:
    return name.lower().endswith(SUFFIXES) and not name.startswith((".", "_"))


def _arrival(folder: Path, key: str) -> Path:
    """The folder whose files arrived together: KEY=DATE, or the one named below it."""
    for position, part in enumerate(folder.parts):
        if part.lower().startswith(f"{key}="):
            return Path(*folder.parts[: position + 2])
    return Path()


def _bare(root: Path, paths: Sequence[Path], key: str) -> Found:
    files = tuple(DeliveredFile(path=path) for path in paths)
    return Found(files, _newest(root, paths), (), partition_of(files, key))


def _noted(root: Path, folder: Path, key: str) -> Found:
    note = folder / SIDECAR
    beside = [
        Path(parent).relative_to(root) / name
        for parent, names, files in os.walk(root / folder)
        for name in sorted(files)
        if _is_data(name)
    ]
    try:
        manifest = read_manifest(root / note)
    except ValueError:
        # the note itself is listed, so that reading can say what is wrong with it
        files = tuple(DeliveredFile(path=path) for path in (note, *sorted(beside)))
        return Found(files, _newest(root, [note]), (), partition_of(files, key))
    if manifest.files is None:
        files = tuple(DeliveredFile(path=path) for path in sorted(beside))
    else:
        files = tuple(
            DeliveredFile(path=folder / one.path, rows=one.rows, sha256=one.sha256)
            for one in manifest.files
        )
    return Found(
        files,
        manifest.known_at or _newest(root, [*beside, note]),
        manifest.control_totals,
        _named(note, key),
        told=manifest.known_at is not None,
    )


def _newest(root: Path, paths: Sequence[Path]) -> datetime:
    newest = max((root / path).stat().st_mtime_ns for path in paths)
    return datetime.fromtimestamp(newest // 1000 / 1_000_000, tz=UTC)


def _named(path: Path, key: str) -> date | None:
    for part in path.parts:
        name, _, value = part.partition("=")
        match = _MONTH_OR_DAY.match(value)
        if name.lower() == key and match:
            year, month, day = match.groups()
            try:
                named = date(int(year), int(month), int(day or 1))
            except ValueError:
                return None
            if key == "billing_period":
                return month_start(named)
            return named if day else None
    return None
