"""Where a source delivers to, as a list of files and a way to have their bytes on disk.

Local folders are here, stores reached by URL in `remote`; what makes a delivery is in `discovery`.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Protocol

from finops_dagster.domain.errors import Fault, Unavailable
from finops_dagster.sources.notes import resolve_inside

SUFFIXES = (".parquet", ".pq", ".csv", ".csv.gz", ".jsonl", ".jsonl.gz", ".ndjson", ".ndjson.gz")
DOCUMENTS = (".json", ".json.gz")
"""Of formats whose rows come in whole JSON documents."""
_HASH_BLOCK = 1024 * 1024


@dataclass(frozen=True)
class Entry:
    """One file of a place as it is listed: nothing of it is read."""

    size: int
    modified: datetime
    mark: str
    """Changes when the file does: a store's own tag of the content, else size and time."""


class Place(Protocol):
    """A file, a folder or a prefix. Paths are relative to it; every method may raise Unavailable.

    What `entries` listed last is what `digest` and `fetch` speak of.
    """

    @property
    def where(self) -> str:
        """What to show a person: never holds a secret."""
        ...

    @property
    def dated(self) -> bool:
        """Whether times are of arrival; times of local files may be of a later copy."""
        ...

    @property
    def key(self) -> tuple[str, ...] | None:
        """The names that lead to it in its store; None where manifests name another place."""
        ...

    @property
    def suffixes(self) -> tuple[str, ...]:
        """How names of data end."""
        ...

    @property
    def single(self) -> bool:
        """Whether it is one file, not a folder of them."""
        ...

    def entries(self) -> dict[Path, Entry]:
        """List the files there are, those below hidden folders left out."""
        ...

    def digest(self, path: Path) -> str:
        """What stands for the bytes of a file, or the code of the fault that there is none."""
        ...

    def fetch(self, paths: Iterable[Path]) -> Path:
        """Have these files on disk; returns the resolved folder that `paths` start from.

        A file that is not listed is left out: opening says that it is missing.
        """
        ...

    def shown(self, path: str) -> str:
        """A file of it, to show a person."""
        ...


def is_data(path: Path, suffixes: tuple[str, ...]) -> bool:
    """Whether a name is that of data, and not the half-written output of a common writer."""
    hidden = any(part.startswith((".", "_")) for part in path.parts)
    return not hidden and path.name.lower().endswith(suffixes)


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


@dataclass
class LocalPlace:
    """A file or folder on this machine."""

    path: Path
    hashes: Hashes
    suffixes: tuple[str, ...] = SUFFIXES

    dated = False
    key = None

    @property
    def where(self) -> str:
        return str(self.path)

    @property
    def single(self) -> bool:
        return self.path.is_file()

    def shown(self, path: str) -> str:
        return str((self.path.parent if self.single else self.path) / path)

    def entries(self) -> dict[Path, Entry]:
        root = self._root()
        try:
            if self.single:
                # its own name, not that of a link to it
                only = Path(self.path.resolve().name)
                return {only: _entry(root / only)}
            return {path: _entry(root / path) for path in _walk(root)}
        except OSError as error:
            raise Unavailable(f"{self.path} could not be listed: {error.strerror}.") from error

    def digest(self, path: Path) -> str:
        real = resolve_inside(self._root(), path)
        return real.code if isinstance(real, Fault) else self.hashes.of(real)

    def fetch(self, paths: Iterable[Path]) -> Path:
        return self._root()

    def _root(self) -> Path:
        if not self.path.exists():
            raise missing(self.where)
        real = self.path.resolve()
        return real if real.is_dir() else real.parent


def missing(where: str) -> Unavailable:
    """There is no such place."""
    return Unavailable(
        f"{where} is not there.",
        (
            Fault(
                code="source_missing",
                file=where,
                expected="A file or folder that the source delivers to.",
                hint="Correct its path in the settings, or wait for the first delivery.",
            ),
        ),
    )


def _walk(root: Path) -> Iterable[Path]:
    for folder, names, files in os.walk(root):
        names[:] = sorted(name for name in names if not name.startswith((".", "_")))
        here = Path(folder).relative_to(root)
        yield from (here / file for file in sorted(files))


def _entry(path: Path) -> Entry:
    try:
        stat = path.stat()
    except FileNotFoundError:
        stat = path.lstat()  # a link to nothing: whoever opens it says so
    return Entry(
        size=stat.st_size,
        modified=datetime.fromtimestamp(stat.st_mtime_ns // 1000 / 1_000_000, tz=UTC),
        mark=f"{stat.st_size}-{stat.st_mtime_ns}-{stat.st_ino}",
    )
