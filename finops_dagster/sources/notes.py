"""Every kind of note that tells of a delivery: which names they have and who reads them.

To add one: a reader, and a line in `NOTES`. What a note says is believed, never a glob.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Mapping
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

from finops_dagster.sources.manifest import SIDECAR, Note, resolve_inside, sidecar
from finops_dagster.sources.provider_manifests import (
    aws_data_export,
    aws_report,
    azure_export,
)

__all__ = ["NOTES", "SIDECAR", "Note", "is_note", "read_note", "resolve_inside"]

Reader = Callable[[Mapping[str, Any], Path, Collection[Path], tuple[str, ...] | None], Note | None]

NOTES: dict[str, tuple[Reader, ...]] = {
    SIDECAR: (sidecar,),
    "*-manifest.json": (aws_data_export, aws_report),
    "manifest.json": (azure_export,),
    "_manifest.json": (azure_export,),
}
"""Pattern of the name, in lower case -> readers; the first that knows the note reads it."""

MAX_NOTE_BYTES = 16 * 1024 * 1024
"""A list of a hundred thousand files is about 15 MB; anything larger is not a note."""


def is_note(name: str) -> bool:
    """Whether a file of this name may be a note."""
    return any(fnmatchcase(name.lower(), pattern) for pattern in NOTES)


def read_note(
    root: Path, path: Path, names: Collection[Path], key: tuple[str, ...] | None
) -> Note | None:
    """What the note `root / path` says; None if it is a note of something else.

    `names`: all files of the place. `key`: the names that lead to the place in its store.
    Raises ValueError that says what is wrong with it.
    """
    file = root / path
    if file.stat().st_size > MAX_NOTE_BYTES:
        raise ValueError(f"it is larger than {MAX_NOTE_BYTES} bytes")
    document = json.loads(file.read_bytes())
    if not isinstance(document, dict):
        raise ValueError("it holds no JSON object")
    for pattern, readers in NOTES.items():
        if fnmatchcase(path.name.lower(), pattern):
            for reader in readers:
                note = reader(document, path, names, key)
                if note is not None:
                    return note
    return None
