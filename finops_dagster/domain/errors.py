"""The exceptions that cross package boundaries.

    FinopsError
    ├── SettingsError      exit code 2: finops.yaml or an argument is wrong
    ├── Stopped            exit code 1: a gate or a policy stopped the line
    └── Unavailable        exit code 3: a source or a forge could not be reached

What is wrong is told by a `Fault`: which file, row and column, what was expected, what to do.
"""

from __future__ import annotations

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
