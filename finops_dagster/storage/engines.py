"""Artefacts of the product's own engines: immutable bytes, kept once under the hash of their bytes.

What is in them is the engine's to know; which of them is in use is told by the ledger or by Git.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from finops_dagster.domain.errors import Fault, SettingsError, Stopped
from finops_dagster.storage.files import atomically

_HASH = re.compile(r"[0-9a-f]{64}")
_FILE = "artefact"


@dataclass(frozen=True)
class EngineStore:
    """The artefacts of one engine, in a folder each: HASH/artefact."""

    root: Path

    def put(self, content: bytes) -> str:
        """Keep bytes and return their SHA-256; what is kept already, and whole, is left alone."""
        name = hashlib.sha256(content).hexdigest()
        path = self._path(name)
        if not path.exists() or path.read_bytes() != content:
            path.parent.mkdir(parents=True, exist_ok=True)

            def write(aside: Path) -> None:
                aside.write_bytes(content)

            atomically(path, write)
        return name

    def get(self, name: str) -> bytes:
        """The bytes of a hash.

        Raises SettingsError for a hash that is not kept, Stopped where the bytes are not those any
        more: nothing else is served in their place.
        """
        path = self._path(name)
        if not _HASH.fullmatch(name) or not path.exists():
            raise SettingsError(
                f"There is no artefact {name[:64]!r}.",
                (
                    Fault(
                        code="unknown_artefact",
                        file=str(self.root),
                        expected="The SHA-256 of an artefact that is kept was expected.",
                        hint="`finops ai engines` lists them; put a lost folder back from a copy.",
                    ),
                ),
            )
        content = path.read_bytes()
        if hashlib.sha256(content).hexdigest() != name:
            raise Stopped(
                f"The artefact {name[:12]} was changed: its bytes have another hash.",
                (
                    Fault(
                        code="corrupt_artefact",
                        file=str(path),
                        expected="Bytes whose SHA-256 is the name of their folder were expected.",
                        hint="Put the file back from a copy, or roll back to another artefact: "
                        "`finops ai rollback forecaster --to HASH`.",
                    ),
                ),
            )
        return content

    def find(self, start: str) -> str:
        """The one hash that begins so. Raises SettingsError where none or several do."""
        found = [name for name in self if name.startswith(start)] if len(start) >= 6 else []
        if len(found) == 1:
            return found[0]
        raise SettingsError(
            f"{'Several artefacts begin' if found else 'No artefact begins'} with {start[:64]!r}.",
            (
                Fault(
                    code="unknown_artefact",
                    file=str(self.root),
                    expected="Six digits or more that one artefact's hash begins with, expected.",
                    hint="`finops ai engines` lists them.",
                ),
            ),
        )

    def __iter__(self) -> Iterator[str]:
        """Every hash that is kept, in order."""
        if self.root.exists():
            yield from sorted(
                one.name
                for one in self.root.iterdir()
                if _HASH.fullmatch(one.name) and (one / _FILE).exists()
            )

    def _path(self, name: str) -> Path:
        return self.root / name / _FILE
