"""Which delivered column is which column of a table, whatever its case, underscores and spaces.

The SQL of single values is in `parsing`; which columns there are is a format's business.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from finops_dagster.domain.errors import Fault
from finops_dagster.domain.schemas import Column, LogicalType
from finops_dagster.sources.parsing import (
    Parsed,
    RawColumn,
    as_text,
    literal,
    one_of,
    parse_enumeration,
    parse_float,
    parse_integer,
    parse_map,
    parse_money,
    parse_text,
    parse_time,
    squeeze,
)
from finops_dagster.sources.text_files import unnumbered
from finops_dagster.sources.views import Check

_SQL_TYPES = {
    LogicalType.STRING: "VARCHAR",
    LogicalType.MONEY: "DECIMAL(38,20)",
    LogicalType.FLOAT: "DOUBLE",
    LogicalType.INTEGER: "BIGINT",
    LogicalType.BOOLEAN: "BOOLEAN",
    LogicalType.TIME: "TIMESTAMPTZ",
    LogicalType.DATE: "DATE",
    LogicalType.STRING_MAP: "MAP(VARCHAR, VARCHAR)",
    LogicalType.FLOAT_MAP: "MAP(VARCHAR, DOUBLE)",
}
_WANTED = {
    LogicalType.MONEY: ("money_unreadable", "a decimal with at most 18 digits before the point "
                        "and 20 after"),
    LogicalType.FLOAT: ("number_unreadable", "a finite number"),
    LogicalType.INTEGER: ("number_unreadable", "a whole number"),
    LogicalType.TIME: ("time_unreadable", "a time such as 2025-01-31T00:00:00Z"),
    LogicalType.STRING_MAP: ("map_unreadable", "a map or a JSON object"),
    LogicalType.FLOAT_MAP: ("map_unreadable", "a map or a JSON object of numbers"),
}  # fmt: skip
ABSENT = "false"
"""The `given` of a column that no file has."""

_SHOWN = 60
"""Characters of a value that a reason quotes."""


@dataclass
class Matched:
    """Delivered columns by the table's names, those left over, and how the names differed."""

    of: dict[str, RawColumn] = field(default_factory=dict)
    left: list[RawColumn] = field(default_factory=list)
    repeated: dict[str, list[RawColumn]] = field(default_factory=dict)
    """Those left over that have the name of a column that is there already."""
    notes: list[Fault] = field(default_factory=list)


def match(
    delivered: Sequence[RawColumn],
    names: Mapping[str, str],
    aliases: Mapping[str, str],
    shown: Mapping[str, str],
    files: str,
) -> Matched:
    """Match by exact name first, then by squeezed name, then by alias of what is still absent.

    `names` and `aliases` map squeezed names to the table's; `shown` the table's to the format's.
    """
    matched = Matched()
    taken: set[str] = set()
    exact = {name: target for target, name in shown.items()}

    def by_name(name: str) -> str | None:
        return exact.get(name)

    def by_spelling(name: str) -> str | None:
        return names.get(squeeze(name))

    def by_alias(name: str) -> str | None:
        return aliases.get(squeeze(name))

    for find in (by_name, by_spelling, by_alias):
        for column in delivered:
            target = find(column.name)
            if target is None or target in matched.of or column.sql in taken:
                continue
            matched.of[target] = column
            taken.add(column.sql)
            if find is not by_name:
                matched.notes.append(
                    Fault(
                        code="column_name",
                        file=files,
                        column=column.name,
                        expected=f"A column {shown[target]}; this one was taken for it.",
                        hint="Nothing to do if it is what is meant.",
                    )
                )
    matched.left = [column for column in delivered if column.sql not in taken]
    for column in matched.left:
        target = names.get(squeeze(unnumbered(column.name)))
        if target is not None and target in matched.of:
            matched.repeated.setdefault(target, []).append(column)
    return matched


def parse(
    column: Column,
    raw: RawColumn | None,
    words: Mapping[str, str] | None = None,
    *,
    keep_empty: bool = False,
) -> Parsed:
    """SQL of a table's column from a delivered one; null of its type if there is none."""
    if raw is None:
        return Parsed(f"NULL::{_SQL_TYPES[column.type]}", ABSENT, "NULL")
    if words is not None:
        return parse_enumeration(raw, words, column.name)
    if keep_empty:
        text = as_text(raw)
        return Parsed(text, f"{text} IS NOT NULL", text)
    if column.type is LogicalType.STRING_MAP:
        return parse_map(raw, "VARCHAR")
    if column.type is LogicalType.FLOAT_MAP:
        return parse_map(raw, "DOUBLE")
    return {
        LogicalType.STRING: parse_text,
        LogicalType.MONEY: parse_money,
        LogicalType.FLOAT: parse_float,
        LogicalType.INTEGER: parse_integer,
        LogicalType.TIME: parse_time,
    }[column.type](raw)


def value_checks(column: Column, shown: str, parsed: Parsed, missing: str = "") -> list[Check]:
    """A given value that cannot be had, and a required one that is not given.

    An absent column is one fault of the file, not one of each row.
    """
    checks: list[Check] = []
    if parsed.given == ABSENT:
        return checks
    if column.type in _WANTED and not parsed.certain:
        code, wanted = _WANTED[column.type]
        checks.append(
            Check(
                code,
                shown,
                f"({column.name} IS NULL AND {parsed.given})",
                f"quoted({parsed.text}) || {_told_of(column, parsed, wanted)}",
            )
        )
    if not column.nullable:
        checks.append(
            Check(
                "value_missing",
                shown,
                f"({column.name} IS NULL AND NOT ({parsed.given}))",
                literal(missing or "the row is useless without a value"),
            )
        )
    return checks


def _told_of(column: Column, parsed: Parsed, wanted: str) -> str:
    told = literal(f" is not {wanted}")
    if column.type is not LogicalType.MONEY:
        return told
    comma = "; nothing in its column tells whether a comma is a decimal mark or between thousands"
    marked = f"regexp_full_match({parsed.text}, '[+-]?[0-9.]*,[0-9.,]*')"
    return f"{told} || CASE WHEN {marked} THEN {literal(comma)} ELSE '' END"


QUOTED = (
    "CREATE OR REPLACE MACRO quoted(value) AS "
    f"'''' || left(value::VARCHAR, {_SHOWN}) || CASE WHEN length(value::VARCHAR) > {_SHOWN} "
    "THEN '...' ELSE '' END || ''''"
)
"""The SQL macro that reasons quote values with: cut, and in quotes."""


def word_check(column: Column, shown: str, words: Mapping[str, str]) -> Check:
    """A word outside of a closed list."""
    allowed = ", ".join(words.values())
    return Check(
        "word_unknown",
        shown,
        f"(NOT {one_of(column.name, words.values())})",
        f"quoted({column.name}) || {literal(f' is none of {allowed}')}",
    )
