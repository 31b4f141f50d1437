"""The exceptions that cross package boundaries.

    FinopsError
    ├── SettingsError      exit code 2: finops.yaml or an argument is wrong
    ├── Stopped            exit code 1: a gate or a policy stopped the line
    └── Unavailable        exit code 3: a source or a forge could not be reached

What is wrong is told by a `Fault`: which file, row and column, what was expected, what to do.
"""

from __future__ import annotations

import errno
import os
from pathlib import Path

from pydantic import BaseModel, ConfigDict


class Fault(BaseModel):
    """One thing that is wrong with an input, in the words a person needs to mend it."""

    model_config = ConfigDict(frozen=True)

    code: str
    """Stable, snake_case: scripts match on it."""
    file: str | None = None
    row: int | None = None
    """1-based data row (header not counted), or line for YAML."""
    column: str | None = None
    expected: str
    """What was expected and, in brief, what was found."""
    hint: str
    """What to do next."""

    def __str__(self) -> str:
        place = ", ".join(
            part
            for part in (
                self.file,
                f"row {self.row}" if self.row is not None else None,
                f"column {self.column}" if self.column else None,
            )
            if part
        )
        return f"{place + ': ' if place else ''}{self.expected} {self.hint}"


class FinopsError(Exception):
    """Base of every error this product raises on purpose; `faults` explain it."""

    exit_code = 4

    def __init__(self, message: str, faults: tuple[Fault, ...] = ()) -> None:
        super().__init__(message)
        self.message = message
        self.faults = faults


class SettingsError(FinopsError):
    """finops.yaml or a command-line argument cannot be used."""

    exit_code = 2


class Stopped(FinopsError):
    """A gate or a policy stopped the line; the last publication stays in force."""

    exit_code = 1


class Unavailable(FinopsError):
    """A source or a forge could not be reached; trying again later may work."""

    exit_code = 3


def is_disk_full(error: BaseException) -> bool:
    """Whether an error says that a disk has no room left; DuckDB's says so in words alone."""
    number = error.errno if isinstance(error, OSError) else None
    return number in (errno.ENOSPC, errno.EDQUOT) or os.strerror(errno.ENOSPC) in str(error)


def disk_full(folder: Path, what: str) -> Unavailable:
    """There is no room in `folder`: what is there stays whole, the next run goes on from it."""
    return Unavailable(
        f"The disk of {folder} is full. {what}.",
        (
            Fault(
                code="disk_full",
                file=str(folder),
                expected=f"Room on the disk; it is full. {what}.",
                hint="Make room there, or name a `state_dir` on another disk; then run again.",
            ),
        ),
    )
