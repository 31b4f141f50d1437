"""A YAML file to a pydantic model; every problem becomes a Fault that names file, line and key.

finops.yaml has a reader of its own in settings: there the environment has a say as well.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, TypeVar, get_args

from pydantic import BaseModel, ValidationError

from finops_dagster.documents.marks import Location, Marked, dotted, read_marked
from finops_dagster.domain.errors import Fault, SettingsError

T = TypeVar("T", bound=BaseModel)

_SHOWN = 60
"""Characters of a value that a fault quotes."""


@dataclass(frozen=True)
class Typed(Generic[T]):
    """What a document says, and where it says it."""

    value: T
    file: str
    marked: Marked

    def fault(self, location: Location, expected: str, hint: str) -> Fault:
        """A fault of what the document says at `location`."""
        return Fault(
            code="bad_value",
            file=self.file,
            row=self.marked.line(location),
            column=dotted(location) or None,
            expected=expected,
            hint=hint,
        )


def read_typed(model: type[T], path: Path, what: str, page: str) -> Typed[T]:
    """The document at `path` as a `model`; `what` it is and its `page` of docs are for faults.

    Raises SettingsError with one Fault for each problem: file, line (`row`), key (`column`).
    """
    file, hint = str(path), f"{page} shows one."
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is no UTF-8 text"
        fault = Fault(
            code="unreadable_document",
            file=file,
            expected=f"Expected {what}, found a file that cannot be read: {reason}.",
            hint=hint,
        )
        raise SettingsError(f"{file} cannot be read: {reason}", (fault,)) from error
    marked = read_marked(text, file, what, hint)
    try:
        return Typed(model.model_validate(marked.data), file, marked)
    except ValidationError as error:
        faults = tuple(
            _fault(model, one, marked, file, page)
            for one in causes(error.errors(include_url=False))
        )
        raise SettingsError(f"{file} cannot be used: {len(faults)} to mend", faults) from error


def causes(details: Sequence[Any]) -> list[Any]:
    """Details without those that only follow from one inside them, as a list left empty by it."""
    places = [tuple(detail["loc"]) for detail in details]
    return [
        detail
        for detail, place in zip(details, places, strict=True)
        if not any(len(other) > len(place) and other[: len(place)] == place for other in places)
    ]


def _fault(model: type[BaseModel], detail: Any, marked: Marked, file: str, page: str) -> Fault:
    location: Location = tuple(detail["loc"])
    place: dict[str, Any] = {
        "file": file,
        "row": marked.line(location),
        "column": dotted(location) or None,
    }
    name = str(location[-1]) if location else ""
    section = section_of(model, location)
    if detail["type"] == "extra_forbidden":
        known = ", ".join(section.model_fields)
        return Fault(
            code="unknown_key",
            expected=f"Expected a known key, found `{name}`.",
            hint=f"Known here: {known}. See {page}.",
            **place,
        )
    field = section.model_fields.get(name)
    meaning = (field.description if field else None) or f"See {page}."
    if detail["type"] == "missing":
        return Fault(
            code="missing_key",
            expected=f"Expected the key `{dotted(location)}`, found none.",
            hint=f"Add it: {meaning}",
            **place,
        )
    message = detail["msg"].removeprefix("Value error, ").removeprefix("Input should be ")
    found = detail["input"]
    quoted = "" if isinstance(found, dict | list | BaseModel) else f"; found {found!r}"[:_SHOWN]
    return Fault(code="bad_value", expected=f"Expected: {message}{quoted}.", hint=meaning, **place)


def section_of(model: type[BaseModel], location: Location) -> type[BaseModel]:
    """The part of `model` that the last key of `location` belongs to."""
    for part in location[:-1]:
        if isinstance(part, str) and part in model.model_fields:
            model = next(models_in(model.model_fields[part].annotation), model)
    return model


def models_in(annotation: Any) -> Iterator[type[BaseModel]]:
    """The sections an annotation holds: itself, or inside a tuple or an optional."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for inner in get_args(annotation):
        yield from models_in(inner)
