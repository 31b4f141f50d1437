"""Deliveries in a place: those a note tells of, and files that came without one.

Only names, times and notes are read here; rows are opened in `opening`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from pathlib import Path

from finops_dagster.domain.deliveries import ControlTotal, DeliveredFile
from finops_dagster.domain.errors import Fault
from finops_dagster.domain.ids import content_id
from finops_dagster.sources.folders import month_of_window, named, window_place
from finops_dagster.sources.notes import SIDECAR, Note, is_note, read_note
from finops_dagster.sources.places import Entry, Place, is_data

_SNAPSHOT = re.compile(r"(?i)_[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}\.")
"""Azure's older exports: EXPORT_RUN.csv, each the month to date as a whole."""


@dataclass(frozen=True)
class Found:
    """One arrival before its rows are looked at. Paths are relative to the place."""

    files: tuple[DeliveredFile, ...]
    known_at: datetime
    control_totals: tuple[ControlTotal, ...]
    partition: date | None
    """From its note or a folder that names it; None where only the rows can tell."""
    told: bool = False
    """Whether the sender said when it became known; else `known_at` is when it was written."""
    export: str = ""
    """The provider's export it belongs to; empty for what came without a provider's manifest."""
    scope: str | None = None
    """Whose bill it is, where its manifest says so."""
    unreadable: bool = False
    """Its note cannot be read: it is refused, whatever came before it stays."""
    fault: Fault | None = None
    """Why it cannot be read yet."""


def find(place: Place, key: str) -> list[Found]:
    """Every arrival at `place`; `key` is billing_period or day. Raises Unavailable."""
    entries = place.entries()
    if place.single:
        return [_bare(entries, list(entries), key)]
    data = [path for path in entries if is_data(path, place.suffixes) and not is_note(path.name)]
    notes = sorted((one for one in entries if _is_note(one)), key=_outermost)
    root = place.fetch(notes) if notes else Path()
    found: list[Found] = []
    whole: set[Path] = set()
    orders: set[Path] = set()
    for path in notes:
        if not whole.isdisjoint(path.parents):
            continue  # inside a folder that another note sends as it is
        try:
            note = read_note(root, path, entries.keys(), place.key)
        except ValueError:
            # the note itself is listed, so that reading can say what is wrong with it
            beside = [one for one in data if path.parent in one.parents]
            found.append(replace(_bare(entries, [path, *beside], key, [path]), unreadable=True))
            whole.add(path.parent)
            continue
        if note is not None:
            (orders if note.export else whole).add(note.governs)
            beside = [one for one in data if note.files is None and path.parent in one.parents]
            found.append(_noted(place, entries, path, note, beside, key))
    told = whole | orders
    loose: dict[Path, list[Path]] = {}
    for path in data:
        if told.isdisjoint(path.parents):
            loose.setdefault(_arrival(path, key), []).append(path)
    return found + [_bare(entries, paths, key) for paths in loose.values()]


def _is_note(path: Path) -> bool:
    return is_note(path.name) and not any(part.startswith((".", "_")) for part in path.parts[:-1])


def _outermost(path: Path) -> tuple[bool, int, Path]:
    """Senders' own notes first, and those of whole folders before those inside."""
    return (path.name != SIDECAR, len(path.parts), path)


def partition_of(files: Sequence[DeliveredFile], key: str) -> date | None:
    """The partition that the folders of all `files` name, if they agree on one."""
    agreed = {named(file.path, key) for file in files}
    return agreed.pop() if len(agreed) == 1 else None


def delivery_id(place: Place, found: Found, source: str, partition: date, terms: str) -> str:
    """Content hash over file names, their bytes and what the sender says of them.

    What the sender says belongs to it: a corrected invoice is a new delivery of the same rows.
    `terms` stand for what else decides what the rows become; empty for nothing.
    """
    return content_id(
        "delivery",
        {
            "source": source,
            "partition": partition,
            "files": sorted(
                [str(f.path), place.digest(f.path), str(f.rows), str(f.sha256)] for f in found.files
            ),
            "control_totals": found.control_totals,
            **({"terms": terms} if terms else {}),
        },
    )


def content(place: Place, found: Found) -> str:
    """Content hash that is the same for the same files in another folder."""
    return content_id(
        "content",
        {
            "files": sorted(
                [f.path.name, place.digest(f.path), str(f.rows), str(f.sha256)] for f in found.files
            ),
            "control_totals": found.control_totals,
        },
    )


def _arrival(path: Path, key: str) -> Path:
    """What arrived together with `path`: the folder KEY=DATE, or the one named below it.

    In a folder YYYYMMDD-YYYYMMDD each run is a report as a whole: a folder, or a file by itself.
    """
    for position, part in enumerate(path.parent.parts):
        if part.lower().startswith(f"{key}="):
            return Path(*path.parent.parts[: position + 2])
    window = window_place(path) if key == "billing_period" else None
    if window is not None:
        alone = len(path.parts) == window + 2 and _SNAPSHOT.search(path.name)
        return path if alone else Path(*path.parent.parts[: window + 2])
    return Path()


def _bare(
    entries: Mapping[Path, Entry], paths: Sequence[Path], key: str, dated: Sequence[Path] = ()
) -> Found:
    """An arrival without a note that can be read; `dated`: those that say when, else all."""
    files = tuple(DeliveredFile(path=path) for path in paths)
    partition = partition_of(files, key)
    if partition is None and key == "billing_period":
        months = {_month(path) for path in paths}
        partition = months.pop() if len(months) == 1 else None
    return Found(files, _newest(entries, dated or paths), (), partition)


def _noted(
    place: Place,
    entries: Mapping[Path, Entry],
    path: Path,
    note: Note,
    beside: Sequence[Path],
    key: str,
) -> Found:
    files = tuple(DeliveredFile(path=one) for one in beside) if note.files is None else note.files
    partition = named(path, key)
    if partition is None and key == "billing_period":
        partition = note.period
    dated = [path] if note.export else [path, *beside]
    return Found(
        files,
        note.known_at or _newest(entries, dated),
        note.control_totals,
        partition,
        told=note.known_at is not None,
        export=note.export,
        scope=note.scope,
        fault=_unfinished(place, entries, path, note),
    )


def _unfinished(
    place: Place, entries: Mapping[Path, Entry], path: Path, note: Note
) -> Fault | None:
    """The fault of a delivery that is being written over: half its files are the next one's."""
    if not (place.dated and note.written_last):
        return None
    for file in note.files or ():
        entry = entries.get(file.path)
        if entry is not None and entry.modified > entries[path].modified:
            return Fault(
                code="delivery_unfinished",
                file=place.shown(file.path.as_posix()),
                expected=f"A file no newer than {path.name}, which is written last; "
                "the next delivery is being written.",
                hint="Run again when its manifest is there; in a copy, copy the manifest last.",
            )
    return None


def _newest(entries: Mapping[Path, Entry], paths: Iterable[Path]) -> datetime:
    return max(entries[path].modified for path in paths)


def _month(path: Path) -> date | None:
    window = window_place(path)
    return None if window is None else month_of_window(path.parts[window])
