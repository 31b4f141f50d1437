"""Proof that nothing of the ledger was changed or removed, and where the first fault is if it was.

How entries are written is in ledger.py.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, BinaryIO, Literal

from finops_dagster.domain.ids import canonical_json
from finops_dagster.storage.ledger import GENESIS, Entry, Head, Ledger

What = Literal["changed", "removed", "inserted", "reordered", "truncated"]

_KEYS = {"sequence", "kind", "id", "recorded_at", "payload", "previous", "hash"}


@dataclass(frozen=True)
class Broken:
    """The first link of the chain that does not hold."""

    sequence: int
    """Of the entry that is not as it was written, from 1; where it is gone, of the one missing."""
    id: str
    """Of the entry that is there; empty where none is or it cannot be read."""
    what: What
    detail: str

    def __str__(self) -> str:
        named = f" ({self.id})" if self.id else ""
        return f"entry {self.sequence}{named} was {self.what}: {self.detail}"


@dataclass(frozen=True)
class Verified:
    """What a chain's check came to."""

    entries: int
    """That hold, from the first on."""
    head: Head
    """Of these the last."""
    broken: Broken | None
    notes: tuple[str, ...]
    """What could not be proven, and what a killed writer left."""
    witnesses: int
    """Hashes from elsewhere that were found in the chain."""


def verify(ledger: Ledger, witnesses: Mapping[str, str] | None = None) -> Verified:
    """Check each entry against the one before, the end against the head that is kept beside it.

    `witnesses`: where a head was noted elsewhere (a commit, a pull request) -> `SEQUENCE:HASH`.
    Whoever can write to the folder could write the whole chain anew, head and all: only what is
    noted elsewhere tells of that.
    """
    chain = _Chain()
    if ledger.path.exists():
        with ledger.path.open("rb") as file:
            chain.read(file)
    notes: list[str] = []
    broken = chain.broken
    try:
        witnessed = ledger.witnessed()
    except ValueError as error:
        broken = broken or Broken(chain.count, chain.last_id, "changed", str(error))
    else:
        if witnessed is not None:
            broken = broken or chain.ends(witnessed)
            if broken is None and chain.count > witnessed.sequence:
                later = chain.count - witnessed.sequence
                notes.append(f"{later} entries are newer than the head: a writer was stopped.")
        elif chain.count:
            notes.append(
                "No head is kept beside the chain (an older version wrote it, or it was removed): "
                "entries that were removed at its end cannot be told from ones never written."
            )
    if broken is None and chain.torn:
        notes.append("The last line is torn: a writer was stopped. The next one cuts it off.")
    found, hashes = 0, frozenset(chain.order)
    for place, noted in sorted((witnesses or {}).items(), key=lambda pair: _order(pair[1])):
        sequence, digest = _order(noted)
        if digest in hashes:
            found += 1
        elif broken is None:
            what: What = "truncated" if sequence > chain.count else "changed"
            broken = Broken(sequence, "", what, f"{place} bears witness to {digest[:12]}")
    holds = chain.count if broken is None else min(chain.count, max(0, broken.sequence - 1))
    head = Head(sequence=holds, hash=chain.order[holds - 1] if holds else GENESIS)
    return Verified(holds, head, broken, tuple(notes), found)


class _Chain:
    """What one pass over the file finds, up to the first link that does not hold."""

    def __init__(self) -> None:
        self.order: list[str] = []
        """Hashes of the entries that hold."""
        self.last_id = ""
        self.broken: Broken | None = None
        self.torn = False

    @property
    def count(self) -> int:
        """Entries that hold."""
        return len(self.order)

    def read(self, file: BinaryIO) -> None:
        """Follow the chain line by line."""
        for line in file:
            if not line.endswith(b"\n"):
                self.torn = True
                return
            entry = _parsed(line[:-1])
            self.broken = self._link(entry, file)
            if self.broken is not None or entry is None:
                return
            self.order.append(entry["hash"])
            self.last_id = str(entry["id"])

    def _link(self, entry: Parsed, rest: BinaryIO) -> Broken | None:
        number = self.count + 1
        if entry is None:
            return Broken(number, "", "changed", "it is not written as entries are")
        sequence, id_ = entry["sequence"], str(entry["id"])
        if sequence != number:
            return _misplaced(number, sequence, id_, rest)
        own = Entry.digest(
            sequence, entry["kind"], entry["id"], entry["recorded_at"], entry["payload"],
            entry["previous"],
        )  # fmt: skip
        if own != entry["hash"]:
            return Broken(number, id_, "changed", "its hash is another")
        if entry["previous"] == (self.order[-1] if self.order else GENESIS):
            return None
        told = f"entry {number} follows on another, {entry['previous'][:12]}"
        if not self.order:
            return Broken(number, id_, "changed", "it follows on an entry that is not there")
        # it is whole, and follows on something else: what is before it was written anew
        self.order.pop()
        return Broken(number - 1, self.last_id, "changed", told)

    def ends(self, witnessed: Head) -> Broken | None:
        """Whether a chain that holds reaches the head that is kept beside it."""
        if self.count < witnessed.sequence:
            cut = "; its line is cut" if self.torn else ""
            last = f"the last that was written is {witnessed.sequence}{cut}"
            return Broken(self.count + 1, "", "truncated", last)
        at = self.order[witnessed.sequence - 1] if witnessed.sequence else GENESIS
        if at != witnessed.hash:
            told = f"the head that is kept beside the chain is {witnessed.hash[:12]}"
            return Broken(witnessed.sequence, "", "changed", told)
        return None


Parsed = dict[str, Any] | None
"""None: a line that is no entry, or is not written as entries are."""


def _parsed(line: bytes) -> Parsed:
    try:
        found = json.loads(line)
        # written another way it would be the same entry, but not the same bytes
        if isinstance(found, dict) and found.keys() == _KEYS:
            return found if canonical_json(found).encode() == line else None
    except (ValueError, RecursionError):
        pass
    return None


def _misplaced(number: int, sequence: object, id_: str, rest: BinaryIO) -> Broken:
    if not isinstance(sequence, int) or sequence < 1:
        return Broken(number, id_, "changed", f"its number is {sequence!r}")
    if sequence < number:
        return Broken(number, id_, "inserted", f"it is entry {sequence} once more")
    told = f"entry {sequence} stands in its place"
    later = (_parsed(line.rstrip(b"\n")) for line in rest)
    for one in later:
        if one is not None and one["sequence"] == number:
            return Broken(number, str(one["id"]), "reordered", told)
    return Broken(number, "", "removed", told)


def _order(witness: str) -> tuple[int, str]:
    """(sequence, hash) of `SEQUENCE:HASH`; 0 where only a hash was noted."""
    sequence, _, digest = witness.rpartition(":")
    return (int(sequence) if sequence.isdecimal() else 0), digest
