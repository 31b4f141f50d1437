"""`_delivery.json`, the note a sender puts beside its files: read, checked, never trusted.

Finding folders and hashing files is in `discovery`.
"""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

from pydantic import AwareDatetime, BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from finops_dagster.domain.deliveries import ControlTotal
from finops_dagster.domain.errors import Fault

SIDECAR = "_delivery.json"
MAX_SIDECAR_BYTES = 16 * 1024 * 1024
"""A list of a hundred thousand files is about 15 MB; anything larger is not a note."""


def _aware(value: object) -> object:
    """RFC 3339 text without an offset is taken as UTC."""
    if isinstance(value, str):
        moment = datetime.fromisoformat(value)
        return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return value


class ListedFile(BaseModel):
    """A file the sender lists; the path is as written, relative to the note."""

    model_config = ConfigDict(frozen=True)

    path: str = Field(min_length=1, max_length=4096)
    rows: int | None = Field(default=None, ge=0)
    sha256: str | None = Field(default=None, pattern=r"^[0-9a-fA-F]{64}$")


class Manifest(BaseModel):
    """The note as a whole. Unknown keys are left alone: senders add their own."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    known_at: Annotated[AwareDatetime, BeforeValidator(_aware)] | None = None
    files: tuple[ListedFile, ...] | None = None
    control_totals: tuple[ControlTotal, ...] = ()


def read_manifest(path: Path) -> Manifest:
    """Parse the note at `path`. Raises ValueError that says what is wrong with it."""
    if path.stat().st_size > MAX_SIDECAR_BYTES:
        raise ValueError(f"it is larger than {MAX_SIDECAR_BYTES} bytes")
    try:
        return Manifest.model_validate_json(path.read_bytes())
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        place = ".".join(str(part) for part in first["loc"])
        raise ValueError(f"{place + ': ' if place else ''}{first['msg']}") from error


def resolve_inside(root: Path, relative: Path) -> Path | Fault:
    """The real path of a listed file, or the fault of one that is not a file inside `root`.

    `root` must be resolved already. Absolute paths, `..` and links that lead outside are refused
    even where they would come back in.
    """
    name = str(relative)
    if relative.is_absolute() or ".." in relative.parts or "\0" in name:
        return _outside(name)
    real = (root / relative).resolve()
    if not real.is_relative_to(root):
        return _outside(name)
    if not real.is_file():
        return Fault(
            code="file_missing",
            file=name,
            expected="The delivery lists this file, but it is not there.",
            hint="Wait until the delivery is complete, or have it sent again.",
        )
    return real


def _outside(name: str) -> Fault:
    return Fault(
        code="path_outside_source",
        file=name,
        expected="A file inside the source's own folder; this path leads out of it.",
        hint=f"List files relative to {SIDECAR}, without '..', absolute paths or links.",
    )
