"""What each engine of our own says of itself: purpose, limits, and the constants it works with.

A description stands beside its engine. What was measured of it on a day is on its model card.
"""

from __future__ import annotations

import ast
import inspect
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, fields, is_dataclass
from datetime import timedelta
from decimal import Decimal
from enum import Enum, StrEnum
from types import ModuleType
from typing import Any

from finops_dagster.domain.decisions import FindingKind

Parameter = str | int | float | bool
OWN_DATA = "The company's own bills, telemetry and manifests; no third party's data is learnt from."
"""Licence of what most engines read."""
MAINTAINERS = "maintainers of this product"

_CONSTANT = re.compile(r"_?[A-Z][A-Z0-9_]*")
_NAME = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")


class EngineKind(StrEnum):
    """What an engine does."""

    FORECASTER = "forecaster"
    DETECTOR = "detector"
    RULE = "rule"
    """Sizes, finds waste or chooses."""


@dataclass(frozen=True)
class EngineDescription:
    """One engine, as a model card tells of it (Mitchell et al., Model Cards for Model Reporting,
    2019). Raises ValueError for a name that could not be a file's."""

    name: str
    """Lower case with dashes."""
    title: str
    kind: EngineKind
    version: str
    purpose: str
    """Intended use, in a sentence."""
    method: str
    """How it comes to its answer, with the sources of the method."""
    features: tuple[str, ...]
    """What it looks at."""
    parameters: Mapping[str, Parameter]
    """Read from the very constants: see `constants` and `fields_of`."""
    limits: tuple[str, ...]
    """What it is not for, and what it was not tried on."""
    modules: tuple[str, ...]
    """Where its code begins: what they import of their own package is part of it."""
    finds: frozenset[FindingKind] = field(default_factory=frozenset)
    """Findings that are its own."""
    learns: bool = False
    """Whether it is trained on a day, so that training takes energy."""
    data_licence: str = OWN_DATA
    owner: str = MAINTAINERS

    def __post_init__(self) -> None:
        if not _NAME.fullmatch(self.name):
            raise ValueError(f"{self.name!r} is not lower case with dashes")


def constants(*modules: ModuleType) -> dict[str, Parameter]:
    """MODULE.CONSTANT -> value of every upper-case number (also in tuples and dicts) that these
    modules set themselves; what they import is of another module. Raises TypeError for what is no
    module: a package may have a function by the name of one."""
    found: dict[str, Parameter] = {}
    for module in modules:
        if not isinstance(module, ModuleType):
            raise TypeError(f"{module} is no module")
        parts = module.__name__.split(".")
        short = ".".join(parts[3 if parts[1:2] == ["engines"] else 2 :])
        for name in _set_by(module):
            found |= _plain(f"{short}.{name}", getattr(module, name))
    return found


def fields_of(config: Any, prefix: str = "") -> dict[str, Parameter]:
    """FIELD -> value of a frozen dataclass of thresholds; nested ones and dicts by FIELD.KEY."""
    found: dict[str, Parameter] = {}
    for one in fields(config):
        found |= _plain(f"{prefix}{one.name}", getattr(config, one.name), text=True)
    return found


def _set_by(module: ModuleType) -> Iterator[str]:
    """Upper-case names that a module sets, in the order of its text."""
    for statement in ast.parse(inspect.getsource(module)).body:
        targets: list[ast.expr] = []
        if isinstance(statement, ast.Assign):
            targets = statement.targets
        elif isinstance(statement, ast.AnnAssign):
            targets = [statement.target]
        for target in targets:
            for one in target.elts if isinstance(target, ast.Tuple) else (target,):
                if isinstance(one, ast.Name) and _CONSTANT.fullmatch(one.id):
                    yield one.id


def _plain(name: str, value: Any, *, text: bool = False) -> dict[str, Parameter]:
    """Numbers by name, with `text` words as well; what is neither is no parameter."""
    if isinstance(value, Enum):
        value = value.value
    if isinstance(value, bool | int | float):
        return {name: value}
    if isinstance(value, Decimal):
        return {name: format(value, "f")}
    if isinstance(value, timedelta):
        return {f"{name}_hours": value.total_seconds() / 3600}
    if isinstance(value, str):
        return {name: value} if text else {}
    if is_dataclass(value) and not isinstance(value, type):
        return fields_of(value, f"{name}.")
    if isinstance(value, Mapping):
        items = [(str(getattr(key, "value", key)), one) for key, one in value.items()]
        return {k: v for key, one in items for k, v in _plain(f"{name}.{key}", one).items()}
    if isinstance(value, tuple) and value:
        if all(isinstance(one, bool | int | float) for one in value):
            return {name: ", ".join(f"{one:g}" for one in value)}
        named = [(str(at), one) for at, one in enumerate(value, 1) if is_dataclass(one)]
        return {k: v for at, one in named for k, v in _plain(f"{name}.{at}", one).items()}
    return {}
