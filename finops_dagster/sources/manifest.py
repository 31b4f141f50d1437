"""`_delivery.json`, the note a sender puts beside its files: read, checked, never trusted.

Providers' own manifests are in `provider_manifests`; all of them are known by `notes`.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Annotated, Any, TypeVar

from pydantic import AwareDatetime, BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from finops_dagster.domain.deliveries import ControlTotal, DeliveredFile
from finops_dagster.domain.errors import Fault

SIDECAR = "_delivery.json"


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


@dataclass(frozen=True)
class Note:
    """What a note says of one delivery. Paths start from the place it is in."""

    files: tuple[DeliveredFile, ...] | None
    """None where it lists none: what lies below it is the delivery."""
    governs: Path
    """Folder whose files are told of by notes: none of them is a delivery by itself."""
    known_at: datetime | None = None
    control_totals: tuple[ControlTotal, ...] = ()
    period: date | None = None
    """Month it covers, where it says so."""
    export: str = ""
    """The standing order it was sent by; empty where there is but one in a place."""
    scope: str | None = None
    """Whose bill it is. Exports of one scope hold the same charges; of two, different ones."""
    written_last: bool = False
    """The sender promises that no listed file is written after it."""


M = TypeVar("M", bound=BaseModel)


def checked(model: type[M], document: Mapping[str, Any]) -> M:
    """`document` as a model. Raises ValueError that says what is wrong with it."""
    try:
        return model.model_validate(document)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        place = ".".join(str(part) for part in first["loc"])
        raise ValueError(f"{place + ': ' if place else ''}{first['msg']}") from error


def sidecar(
    document: Mapping[str, Any],
    path: Path,
    names: Collection[Path],
    key: tuple[str, ...] | None,
) -> Note:
    """What `_delivery.json` says. Raises ValueError."""
    manifest = checked(Manifest, document)
    return Note(
        files=None
        if manifest.files is None
        else tuple(
            DeliveredFile(path=path.parent / one.path, rows=one.rows, sha256=one.sha256)
            for one in manifest.files
        ),
        governs=path.parent,
        known_at=manifest.known_at,
        control_totals=manifest.control_totals,
    )


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
