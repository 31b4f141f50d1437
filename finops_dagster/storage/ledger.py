"""The ledger: an append-only, hash-chained file of everything decided and done.

Entries are found by content id; writing an existing id does nothing; one writer at a time.
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
from pydantic import BaseModel, ConfigDict

from finops_dagster.domain.ids import canonical_json

GENESIS = "0" * 64


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


@dataclass(frozen=True)
class Ledger:
    """The chain under one folder."""

    root: Path

    @property
    def path(self) -> Path:
        return self.root / "chain.jsonl"

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

    def append(
        self, kind: str, items: Iterable[tuple[str, BaseModel | dict[str, Any]]], now: datetime
    ) -> int:
        """Append (id, payload) pairs that are not there yet; returns how many were new."""
        self.root.mkdir(parents=True, exist_ok=True)
        with FileLock(str(self.root / ".lock")):
            self._mend()
            known: set[str] = set()
            last: Entry | None = None
            for entry in self.entries():
                known.add(entry.id)
                last = entry
            sequence = last.sequence + 1 if last else 1
            previous = last.hash if last else GENESIS
            lines = []
            for id_, payload in items:
                if id_ in known:
                    continue
                known.add(id_)
                plain = json.loads(canonical_json(payload))
                recorded = now.isoformat()
                digest = Entry.digest(sequence, kind, id_, recorded, plain, previous)
                lines.append(
                    canonical_json(
                        {
                            "sequence": sequence,
                            "kind": kind,
                            "id": id_,
                            "recorded_at": recorded,
                            "payload": plain,
                            "previous": previous,
                            "hash": digest,
                        }
                    )
                )
                sequence, previous = sequence + 1, digest
            if lines:
                with self.path.open("a", encoding="utf-8") as file:
                    file.write("\n".join(lines) + "\n")
                    file.flush()
                    os.fsync(file.fileno())
            return len(lines)

    def _mend(self) -> None:
        """Cut a torn last line that a killed writer left: it was never acknowledged."""
        if not self.path.exists():
            return
        data = self.path.read_bytes()
        if data and not data.endswith(b"\n"):
            with self.path.open("rb+") as file:
                file.truncate(data.rfind(b"\n") + 1)

    def verify(self) -> tuple[int, str | None]:
        """(entries that hold, None) or (entries before the fault, what is wrong)."""
        previous, count = GENESIS, 0
        for entry in self.entries():
            wanted = Entry.digest(
                count + 1,
                entry.kind,
                entry.id,
                json.loads(entry.model_dump_json())["recorded_at"].replace("Z", "+00:00"),
                entry.payload,
                previous,
            )
            if entry.sequence != count + 1 or entry.previous != previous or entry.hash != wanted:
                return count, f"entry {count + 1} ({entry.id}) was changed after it was written"
            previous, count = entry.hash, count + 1
        return count, None
