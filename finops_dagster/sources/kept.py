"""What was said of a day when it was asked for, kept as deliveries: `PLACE/TIME_ASKED/FILES`.

Who is asked, and how often, is the business of `extraction` and `collected`.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path

from finops_dagster.sources.notes import SIDECAR


def is_kept(place: Path) -> bool:
    """Whether anything is kept at `place`."""
    return bool(_newest(place))


def keep(place: Path, files: Mapping[str, Path], at: datetime, known_at: datetime | None) -> None:
    """Keep files, by name, as what was said `at` a time, unless what was said last is the same.

    `known_at`: from when it counts as known; None leaves that to the rules of files that came
    without a note. The files are moved: written aside and renamed, so that a killed process leaves
    nothing half.
    """
    digests = {name: _digest(file) for name, file in files.items()}
    if not files or digests == _newest(place):
        return
    aside = Path(tempfile.mkdtemp(prefix=".aside-", dir=place))
    try:
        for name, file in files.items():
            shutil.move(file, aside / name)
        if known_at is not None:
            note = {
                "known_at": known_at.astimezone(UTC).isoformat(),
                "files": [
                    {"path": name, "sha256": digest} for name, digest in sorted(digests.items())
                ],
            }
            (aside / SIDECAR).write_text(json.dumps(note, indent=1) + "\n", encoding="utf-8")
        aside.chmod(0o755)
        os.rename(aside, _named(place, at.astimezone(UTC)))
    finally:
        shutil.rmtree(aside, ignore_errors=True)


def _named(place: Path, at: datetime) -> Path:
    """A folder by its time, after those that are there: a clock may stand still."""
    while (folder := place / at.strftime("%Y%m%dT%H%M%S%fZ")).exists():
        at += timedelta(microseconds=1)
    return folder


def _newest(place: Path) -> dict[str, str]:
    """Digests of the files that were kept last, by name; empty if there are none."""
    kept = sorted(one for one in place.iterdir() if one.is_dir() and one.name[0] != ".")
    if not kept:
        return {}
    return {one.name: _digest(one) for one in kept[-1].iterdir() if one.name != SIDECAR}


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
