"""Copies on disk of files that live in a store: kept while they are unchanged, within a bound.

Where the bytes come from is in `remote`; nothing here knows a store.
"""

from __future__ import annotations

import hashlib
import shutil
import time
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock

from finops_dagster.domain.errors import disk_full

_IN_USE_SECONDS = 3600
"""A copy asked for within the last hour may be open in another process: it is not dropped."""


class Mirror:
    """The copies of one place. `limit_bytes` bounds them: the longest unused go first."""

    def __init__(self, folder: Path, limit_bytes: int) -> None:
        self._folder = folder
        self._limit = limit_bytes
        self.files = folder / "files"
        self._marks = folder / "marks"
        self._parts = folder / "parts"

    @contextmanager
    def filling(self) -> Iterator[None]:
        """One process at a time; what a killed one left half is gone afterwards."""
        self._folder.mkdir(parents=True, exist_ok=True)
        with FileLock(self._folder / "lock"):
            shutil.rmtree(self._parts, ignore_errors=True)
            for folder in (self.files, self._marks, self._parts):
                folder.mkdir(exist_ok=True)
            yield

    def has(self, path: Path, mark: str) -> bool:
        """Whether the copy of `path` is the one that `mark` stands for."""
        try:
            held = self._mark(path).read_text(encoding="utf-8") == mark
        except FileNotFoundError:
            return False
        return held and (self.files / path).is_file()

    def use(self, path: Path) -> None:
        """Note that a copy is asked for now."""
        self._mark(path).touch()

    def take(self, path: Path, mark: str, download: Callable[[Path], None]) -> None:
        """Have `download` fill a file aside, then put it in the place of the copy of `path`."""
        aside = self._parts / self._mark(path).name
        download(aside)
        target = self.files / path
        target.parent.mkdir(parents=True, exist_ok=True)
        # without its mark a copy counts as none, whenever this process is killed
        self._mark(path).unlink(missing_ok=True)
        aside.replace(target)
        aside.write_text(mark, encoding="utf-8")
        aside.replace(self._mark(path))

    def remark(self, path: Path, mark: str) -> None:
        """Say what the copy of `path` stands for, where that was not known before."""
        self._mark(path).write_text(mark, encoding="utf-8")

    def drop(self, path: Path) -> None:
        """Forget a file that is no longer in the store."""
        self._mark(path).unlink(missing_ok=True)
        (self.files / path).unlink(missing_ok=True)

    def make_room(self, needed_bytes: int, keep: Collection[Path], where: str) -> None:
        """Drop copies so that `needed_bytes` more stay within the bound; never one of `keep`.

        Raises Unavailable if the disk has no room for them.
        """
        kept = {self._mark(path).name for path in keep}
        held = [path for path in self.files.rglob("*") if path.is_file()]
        total = sum(path.stat().st_size for path in held) + needed_bytes
        if total > self._limit:
            recent = time.time() - _IN_USE_SECONDS
            for used, path in sorted((self._used(path), path) for path in held):
                relative = path.relative_to(self.files)
                if total <= self._limit or used > recent:
                    break
                if self._mark(relative).name not in kept:
                    total -= path.stat().st_size
                    self.drop(relative)
        free = shutil.disk_usage(self._folder).free
        if free < needed_bytes:
            raise disk_full(
                self._folder, f"{needed_bytes} bytes are needed for {where}, {free} are free"
            )

    def _used(self, path: Path) -> float:
        try:
            return self._mark(path.relative_to(self.files)).stat().st_mtime
        except FileNotFoundError:
            return 0.0

    def _mark(self, path: Path) -> Path:
        # hashed: a name in a store may be longer than one on disk
        return self._marks / hashlib.sha256(path.as_posix().encode()).hexdigest()
