"""One value set in a folder on disk, atomically, leaving every other byte and file alone.

Commits, branches and pull requests are the forges' business.
"""

from __future__ import annotations

import os
import stat
import tempfile
from collections.abc import Callable
from pathlib import Path

from finops_dagster.domain.errors import Fault, Stopped
from finops_dagster.gitops.diffs import unified_diff
from finops_dagster.gitops.verification import EditableState, edit_value


def set_value(
    repository: Path,
    resource: str,
    field: str,
    value: str,
    *,
    open_index: Callable[[Path], EditableState],
    dry_run: bool = False,
) -> str:
    """Set one value in the folder `repository` and return the unified diff.

    `open_index` reads the folder. Raises Stopped, with the reason, if the value is not declared,
    may not be edited, or if the edit would change anything else; then nothing is written.
    """
    index = open_index(repository)
    location = index.locate(resource, field)
    if location is None:
        raise Stopped(
            f"{resource} {field} is not declared in {repository}",
            (
                Fault(
                    code="not_declared",
                    expected=f"{resource} {field} was expected to be declared once.",
                    hint="`finops desired-state index` lists what is declared.",
                ),
            ),
        )
    _, before, after = edit_value(index, location, value)
    if not dry_run:
        _write(repository, location.file, before, after)
    return unified_diff(location.file, before, after)


def _write(repository: Path, file: str, before: bytes, after: bytes) -> None:
    root = repository.resolve()
    path = root / file
    if path.resolve() != path or path.read_bytes() != before:
        raise Stopped(
            f"{file} changed meanwhile, or is reached through a link",
            (
                Fault(
                    code="moved",
                    file=file,
                    expected="The file was expected to be as it was read.",
                    hint="Run again.",
                ),
            ),
        )
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "wb") as out:
            out.write(after)
            out.flush()
            os.fsync(out.fileno())
        os.chmod(temporary, stat.S_IMODE(path.stat().st_mode))
        os.replace(temporary, path)
    except OSError:
        os.unlink(temporary)
        raise
