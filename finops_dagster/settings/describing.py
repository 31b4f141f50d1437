"""What each key is, in words, read off the model: the template and the reference page come of it.

How those two look is the business of `setup`.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import time
from enum import StrEnum
from pathlib import Path
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from annotated_types import Ge, Gt, Le, Lt, MinLen
from pydantic import BaseModel, SecretStr
from pydantic.fields import FieldInfo

from finops_dagster.settings.environment import PREFIX
from finops_dagster.settings.model import Settings


@dataclass(frozen=True)
class Key:
    """One key of finops.yaml, described for a person."""

    path: str
    """Dotted; `[]` marks a list: `billing[].path`."""
    name: str
    kind: str
    bounds: str
    """Such as `from 0 to 200`; empty when there are none."""
    default: str | None
    """As YAML; None when the key is required, "" when it is empty by default."""
    example: str
    """As YAML: a value to start from."""
    entry: dict[str, str]
    """For a list of sections: the keys of one entry to start from, as YAML."""
    description: str
    variable: str
    """Environment variable that overrides it; empty inside a list."""
    section: type[BaseModel] | None
    is_list: bool
    secret: bool


def describe(model: type[BaseModel] = Settings, path: str = "") -> Iterator[Key]:
    """Every key of `model` in the order of the model, sections before the keys in them."""
    for name, field in model.model_fields.items():
        key = _key(field.alias or name, field, path)
        yield key
        if key.section is not None:
            yield from describe(key.section, f"{key.path}{'[]' if key.is_list else ''}.")


def _key(name: str, field: FieldInfo, prefix: str) -> Key:
    path = f"{prefix}{name}"
    annotation = _bare(field.annotation)
    inner = _bare(get_args(annotation)[0]) if get_origin(annotation) is tuple else annotation
    is_section = isinstance(inner, type) and issubclass(inner, BaseModel)
    variable = "" if "[]" in path else PREFIX + path.replace(".", "__").upper()
    default = None if field.is_required() else _yaml(field.default)
    first = field.examples[0] if field.examples else None
    entry = first[0] if is_section and first else {}
    return Key(
        path=path,
        name=name,
        kind=_kind(annotation),
        bounds=_bounds(field),
        default=default,
        example=default or "" if first is None else _yaml(first),
        entry={child: _yaml(value) for child, value in entry.items()},
        description=field.description or "",
        variable=variable,
        section=inner if is_section else None,
        is_list=get_origin(annotation) is tuple,
        secret=annotation is SecretStr or bool(field.exclude),
    )


def _bare(annotation: Any) -> Any:
    """The annotation without `| None` and without Annotated."""
    if get_origin(annotation) is Annotated:
        return _bare(get_args(annotation)[0])
    if get_origin(annotation) in (Union, UnionType):
        kinds = [kind for kind in get_args(annotation) if kind is not NoneType]
        return _bare(kinds[0])
    return annotation


_KINDS = {
    "str": "text",
    "int": "whole number",
    "float": "number",
    "Decimal": "number",
    "bool": "true or false",
    "date": "date, YYYY-MM-DD",
    "time": "time, 'HH:MM'",
    "Path": "path",
    "SecretStr": "secret",
}


def _kind(annotation: Any) -> str:
    origin = get_origin(annotation)
    if origin is Literal:
        return _choice([str(choice) for choice in get_args(annotation)])
    if origin is tuple:
        inner = _bare(get_args(annotation)[0])
        return "list" if issubclass(inner, BaseModel) else f"list of {_kind(inner)}"
    if origin is dict:
        return f"mapping of text to {_kind(_bare(get_args(annotation)[1]))}"
    if issubclass(annotation, StrEnum):
        return _choice([choice.value for choice in annotation])
    if issubclass(annotation, BaseModel):
        return "section"
    return _KINDS[annotation.__name__]


def _choice(choices: list[str]) -> str:
    return f"one of {', '.join(choices)}" if len(choices) > 1 else choices[0]


def _bounds(field: FieldInfo) -> str:
    low = high = ""
    words = []
    for item in field.metadata:
        if isinstance(item, Ge):
            low = f"from {item.ge}"
        elif isinstance(item, Gt):
            low = f"above {item.gt}"
        elif isinstance(item, Le):
            high = f"to {item.le}"
        elif isinstance(item, Lt):
            high = f"below {item.lt}"
        elif isinstance(item, MinLen):
            words.append(f"at least {item.min_length}")
        elif getattr(item, "pattern", None):
            words.append(f"matches {item.pattern}")
    return ", ".join([part for part in (f"{low} {high}".strip(), *words) if part])


def _yaml(value: Any) -> str:
    """One-line YAML of a default or an example; JSON is YAML where quoting is needed."""
    if value is None or isinstance(value, BaseModel):
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, time):
        return f'"{value:%H:%M}"'
    if isinstance(value, tuple | list | dict):
        return json.dumps(value)
    if isinstance(value, str) and not isinstance(value, StrEnum):
        return value if value.replace("-", "").isalnum() else json.dumps(value)
    if isinstance(value, Path):
        return str(value)
    return str(value)
