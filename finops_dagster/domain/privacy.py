"""What becomes of each value before it is landed: kept, hashed, dropped or made coarser, as rules.

How values are changed is the business of sources; where the secret comes from, of the shell.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from fnmatch import fnmatchcase
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, RootModel

from finops_dagster.domain.schemas import LANDING_TABLES, Column, LogicalType, TableSchema

_TEXT = (LogicalType.STRING, LogicalType.STRING_MAP)
_NUMBER = (LogicalType.FLOAT, LogicalType.INTEGER, LogicalType.FLOAT_MAP)
_MAPS = (LogicalType.STRING_MAP, LogicalType.FLOAT_MAP)
_FIXED = (
    *("source", "delivery_id", "known_at", "file", "row_number", "time", "model"),
    *("billing_currency", "pricing_currency", "charge_category", "charge_class"),
)
"""Columns that say which row, which model or which kind of money it is: no marts without them."""


class Action(StrEnum):
    """What may become of a value."""

    KEEP = "keep"
    HASH = "hash"
    DROP = "drop"
    GENERALISE = "generalise"
    WORDS = "words"


class Treatment(BaseModel):
    """What becomes of the values of a column, or of a map's key.

    Written as `keep`, `hash`, `drop`, `{generalise: WIDTH}` or `{words: [...]}`.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    action: Action = Field(description="keep, hash, drop, {generalise: WIDTH} or {words: [...]}.")
    generalise: float = Field(
        default=1, gt=0, description="Numbers become the multiple of this at or below them."
    )
    words: tuple[str, ...] = Field(
        default=(), description="The only texts that are kept; any other is hashed."
    )


def _as_written(data: Any) -> Any:
    """From the way that people write it."""
    if isinstance(data, str) and data in (Action.KEEP, Action.HASH, Action.DROP):
        return {"action": data}
    if isinstance(data, dict) and len(data) == 1 and set(data) <= {"generalise", "words"}:
        return {"action": next(iter(data)), **data}
    if isinstance(data, Treatment):
        return data
    raise ValueError("keep, hash, drop, {generalise: WIDTH} or {words: [...]}")


Written = Annotated[Treatment, BeforeValidator(_as_written)]


class PrivacyPolicy(RootModel[dict[str, dict[str, Written]]]):
    """Landing table -> column, or `column.key` of a map -> treatment; `*` stands for anything.

    The first rule that fits a value decides.
    """

    model_config = ConfigDict(frozen=True)

    def of(self, table: str) -> tuple[tuple[str, Treatment], ...]:
        """The rules of a table, in order."""
        return tuple(self.root.get(table, {}).items())

    def misfits(self) -> Iterator[tuple[tuple[str, ...], str]]:
        """Where a rule means nothing or cannot be followed, and what could be there instead."""
        for table, rules in self.root.items():
            schema = LANDING_TABLES.get(table)
            if schema is None:
                yield (table,), f"one of the landed tables {', '.join(LANDING_TABLES)}"
                continue
            for pattern, treatment in rules.items():
                if wanted := _misfit(schema, pattern, treatment):
                    yield (table, pattern), wanted


def _misfit(schema: TableSchema, pattern: str, treatment: Treatment) -> str | None:
    name, dot, _ = pattern.partition(".")
    columns = [one for one in schema.columns if fnmatchcase(one.name, name)]
    if not columns:
        return f"a column of {schema.name}: {', '.join(schema.names)}"
    for column in columns:
        if bool(dot) != (column.type in _MAPS):
            return (
                f"{column.name}.KEY or {column.name}.*: {column.name} is a map"
                if not dot
                else f"{column.name} alone: it is no map"
            )
        if treatment.action is Action.KEEP:
            continue
        if column.name in _FIXED:
            return f"keep for {column.name}: nothing can be told of a row without it"
        if treatment.action in (Action.HASH, Action.WORDS) and column.type not in _TEXT:
            return f"keep, drop or generalise for {column.name}: it holds {column.type.value}"
        if treatment.action is Action.GENERALISE and column.type not in _NUMBER:
            return f"keep, hash, drop or words for {column.name}: it holds {column.type.value}"
        if treatment.action is Action.DROP and not (dot or column.nullable):
            return f"another treatment for {column.name}: a row without it cannot be used"
    return None


@dataclass(frozen=True)
class TablePrivacy:
    """The rules of one landing table: those given before those shipped."""

    table: TableSchema
    rules: tuple[tuple[str, Treatment], ...] = ()
    words: Mapping[str, frozenset[str]] = field(default_factory=dict)
    """`column.key` -> texts that a log's declared schema names: these are kept as they are."""

    def of(self, column: Column, key: str | None = None) -> Treatment:
        """What becomes of the values of `column`, or of its `key`.

        Without a rule a column declared personal is hashed, or dropped where it holds no text.
        """
        place = column.name if key is None else f"{column.name}.{key}"
        for pattern, treatment in self.rules:
            if fnmatchcase(place, pattern):
                return self._with_words(place, treatment)
        if not column.personal:
            return Treatment(action=Action.KEEP)
        text = column.type in _TEXT
        return self._with_words(place, Treatment(action=Action.HASH if text else Action.DROP))

    def _with_words(self, place: str, treatment: Treatment) -> Treatment:
        declared = self.words.get(place)
        if declared is None or treatment.action is not Action.HASH:
            return treatment
        return Treatment(action=Action.WORDS, words=tuple(sorted(declared)))

    @property
    def masked(self) -> bool:
        """Whether rows set aside show no values: where any column is personal or is not kept."""
        return any(treatment.action is not Action.KEEP for _, treatment in self.rules) or any(
            column.personal for column in self.table.columns
        )
