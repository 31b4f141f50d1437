"""The ledger: an append-only, hash-chained file of everything decided and done.

Entries are found by content id; writing an existing id does nothing; one writer at a time. What
of it can be proven is in audit.py.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from filelock import FileLock
from pydantic import BaseModel, ConfigDict, ValidationError

from finops_dagster.domain.errors import Fault, Stopped
from finops_dagster.domain.ids import canonical_json
from finops_dagster.storage.files import write_json

GENESIS = "0" * 64

_HASH = slice(9, 73)
_ID_AT = 80
_AFTER_ID = b',"kind":'
"""Keys of a line are sorted: `{"hash":"64 digits","id":"...","kind":...`. So hash and id are read
without parsing what is decided, which is nearly all of a line."""


class Entry(BaseModel):
    """One line of the chain."""

    model_config = ConfigDict(frozen=True)

    sequence: int
    kind: str
    id: str
    recorded_at: datetime
    payload: dict[str, Any]
    previous: str
    hash: str

    @staticmethod
    def digest(
        sequence: int, kind: str, id_: str, recorded_at: str, payload: Any, previous: str
    ) -> str:
        """SHA-256 over the entry's canonical JSON and the previous entry's hash."""
        text = canonical_json([sequence, kind, id_, recorded_at, payload, previous])
        return hashlib.sha256(text.encode()).hexdigest()


class Head(BaseModel):
    """The newest entry: it stands for the whole chain before it."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    sequence: int
    hash: str

    def __str__(self) -> str:
        """As commits and pull requests bear witness to it: `SEQUENCE:HASH`; nothing of no entry."""
        return f"{self.sequence}:{self.hash}" if self.sequence else ""


NO_ENTRY = Head(sequence=0, hash=GENESIS)


@dataclass(frozen=True)
class Ledger:
    """The chain under one folder, and beside it the head that was written last."""

    root: Path

    @property
    def path(self) -> Path:
        return self.root / "chain.jsonl"

    @property
    def head_path(self) -> Path:
        return self.root / "head.json"

    def entries(self, kind: str | None = None) -> Iterator[Entry]:
        """Every entry in order, of one kind or all; a torn last line of a killed writer is none."""
        if not self.path.exists():
            return
        with self.path.open(encoding="utf-8") as file:
            for line in file:
                if not line.endswith("\n"):
                    return
                entry = Entry.model_validate_json(line)
                if kind is None or entry.kind == kind:
                    yield entry

    def head(self) -> Head:
        """The newest entry. Raises Stopped as append does."""
        if not self.root.exists():
            return NO_ENTRY
        with self._locked():
            return self._scan()[0]

    def witnessed(self) -> Head | None:
        """The head as it was written beside the chain; None where none was (an older chain).

        Raises ValueError if it cannot be read.
        """
        if not self.head_path.exists():
            return None
        try:
            return Head.model_validate_json(self.head_path.read_bytes())
        except ValidationError as error:
            raise ValueError(f"{self.head_path.name} cannot be read") from error

    def append(
        self, kind: str, items: Iterable[tuple[str, BaseModel | dict[str, Any]]], now: datetime
    ) -> int:
        """Append (id, payload) pairs that are not there yet; returns how many were new.

        Raises Stopped if the chain is not the one whose head was written last.
        """
        self.root.mkdir(parents=True, exist_ok=True)
        with self._locked():
            head, known = self._scan(mend=True)
            lines = []
            for id_, payload in items:
                name = canonical_json(id_).encode()
                if name in known:
                    continue
                known.add(name)
                plain = json.loads(canonical_json(payload))
                entry = {
                    "sequence": head.sequence + 1,
                    "kind": kind,
                    "id": id_,
                    "recorded_at": now.isoformat(),
                    "payload": plain,
                    "previous": head.hash,
                }
                digest = Entry.digest(*entry.values())
                lines.append(canonical_json({**entry, "hash": digest}))
                head = Head(sequence=head.sequence + 1, hash=digest)
            if lines:
                with self.path.open("a", encoding="utf-8") as file:
                    file.write("\n".join(lines) + "\n")
                    file.flush()
                    os.fsync(file.fileno())
            if lines or (head.sequence and not self.head_path.exists()):
                write_json(self.head_path, head.model_dump())
            return len(lines)

    def _locked(self) -> FileLock:
        return FileLock(str(self.root / ".lock"))

    def _scan(self, *, mend: bool = False) -> tuple[Head, set[bytes]]:
        """Head and ids (as JSON) of the chain, which must hold the head that was written last.

        `mend`: cut a torn last line that a killed writer left: it was never acknowledged. Entries
        after the written head are of a writer that was killed before it wrote that, and stay.
        """
        try:
            witnessed = self.witnessed() or NO_ENTRY
        except ValueError as error:
            raise _not_ours(str(error)) from error
        known: set[bytes] = set()
        count = whole = 0
        last = held = GENESIS.encode()
        if self.path.exists():
            with self.path.open("rb") as file:
                for line in file:
                    if not line.endswith(b"\n"):
                        break
                    end = line.find(_AFTER_ID, _ID_AT)
                    if end < 0:
                        raise _not_ours(f"line {count + 1} cannot be read")
                    known.add(line[_ID_AT:end])
                    last = line[_HASH]
                    count += 1
                    whole += len(line)
                    if count == witnessed.sequence:
                        held = last
            if mend and whole < self.path.stat().st_size:
                os.truncate(self.path, whole)
        if held != witnessed.hash.encode():
            raise _not_ours(f"entry {witnessed.sequence}, the last that was written, is not there")
        return Head(sequence=count, hash=last.decode("ascii", "replace")), known


def _not_ours(told: str) -> Stopped:
    return Stopped(f"The ledger was changed: {told}.", (
        Fault(
            code="ledger_changed",
            file="chain.jsonl",
            expected=f"The chain as it was written was expected; {told}.",
            hint="`finops audit verify` names the first broken link. Put the ledger's folder back "
            "from a copy; to begin a new chain, move the folder away and keep it.",
        ),
    ))  # fmt: skip
