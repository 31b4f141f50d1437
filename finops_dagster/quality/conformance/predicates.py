"""Checks of a rule model as SQL over one row: true, false, or null where nothing can be said.

Every function of the model is here; which rules ask for them, and where, is in `plan`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from finops_dagster.quality.conformance.currencies import ISO_4217, RETIRED
from finops_dagster.quality.conformance.jsonpaths import JSON_CHECKS, is_key_values, json_check
from finops_dagster.quality.conformance.model import Check

WHEN = "WHEN"
"""Made in planning: the second item must hold where the first does."""
WHOLE = ("CheckDistinctCount", "CheckNoDuplicates")
"""Judged over all rows at once, not row by row."""

_NULL_WORDS = "('', 'NULL', 'null', 'Null')"
"""How text files write that there is no value."""
_INTEGERS = re.compile(r"^U?(TINY|SMALL|BIG|HUGE)?INT(EGER)?$")
_NUMERIC = r"^-?(\d+(\.\d+)?|\.\d+)([eE]-?\d+)?$"
"""NumericFormat: integer, decimal or mEn; no plus sign, no grouping, no unit."""
_ISO_UTC = r"^\d{4}-(0[1-9]|1[0-2])-(0[1-9]|[12]\d|3[01])T([01]\d|2[0-3]):[0-5]\d:[0-5]\dZ$"
"""DateTimeFormat: YYYY-MM-DDTHH:mm:ssZ."""
_DATE_TIME = r"^\d{4}-\d{2}-\d{2}[T ]\d{2}:\d{2}(:\d{2}([.]\d+)?)?( ?(Z|UTC|[+-]\d{2}(:?\d{2})?))?$"
_UNIT = (
    r"^(\d+ )?[A-Za-z][A-Za-z0-9]*( [A-Za-z0-9]+)*"
    r"([-/](\d+ )?[A-Za-z][A-Za-z0-9]*( [A-Za-z0-9]+)*)*$"
)
"""UnitFormat: [whole number] unit, unit-time or unit/time."""
_SHARE_OF_ROUNDING = "1e-6"


@dataclass(frozen=True)
class Column:
    """A column as delivered: `sql` reads it, `type` is DuckDB's; `text_file` if from text."""

    name: str
    sql: str
    type: str
    text_file: bool = False

    @property
    def given(self) -> str:
        """SQL of the value, null where the file has none."""
        if self.text_file:
            return f"CASE WHEN {self.sql} IN {_NULL_WORDS} THEN NULL ELSE {self.sql} END"
        return self.sql


@dataclass(frozen=True)
class Held:
    """A column in the rows that predicates are over: its value, as text and as a number."""

    value: str
    type: str
    text_file: bool

    @property
    def is_text(self) -> bool:
        return self.type == "VARCHAR" or self.type.startswith("ENUM")

    @property
    def is_number(self) -> bool:
        return (
            self.type.startswith("DECIMAL")
            or self.type in ("DOUBLE", "FLOAT")
            or bool(_INTEGERS.match(self.type))
        )

    @property
    def is_keyed(self) -> bool:
        return self.type.startswith(("MAP", "STRUCT"))

    @property
    def text(self) -> str:
        if self.type.startswith("VARCHAR"):
            return self.value
        if self.type == "BLOB":
            return f"try(decode({self.value}))"
        if self.is_keyed or self.type.endswith("]"):
            return f"to_json({self.value})::VARCHAR"
        return f"{self.value}::VARCHAR"

    @property
    def number(self) -> str:
        return self.value if self.is_number else f"TRY_CAST(trim({self.text}) AS DOUBLE)"


def literal(text: object) -> str:
    """A SQL string literal of any text; SQL has no way to write NUL inside of one."""
    quoted = "'" + str(text).replace("'", "''") + "'"
    return "(" + quoted.replace("\0", "' || chr(0) || '") + ")" if "\0" in quoted else quoted


def predicate(check: Check, held: Mapping[str, Held], present: frozenset[str]) -> str:
    """SQL of a check over a row of `held`; `present` are the columns the file has."""
    if check.function in ("AND", "OR"):
        return _grouped(check, held, present)
    if check.function == WHEN:
        when, then = (predicate(item, held, present) for item in check.items)
        return f"(coalesce(NOT ({when}), true) OR ({then}))"
    if check.function == "ColumnPresent":
        return "true" if check["ColumnName"] in present else "false"
    if check.function in JSON_CHECKS:
        column = held[str(check.arguments.get("ColumnName") or check["ColumnAName"])]
        other = held[check["ColumnBName"]].text if "ColumnBName" in check.arguments else ""
        return json_check(check, column.text, other, formats=_FORMATS)
    return _LEAVES[check.function](check, held)


def asks_for_a_value(check: Check) -> bool:
    """Whether a check only says something of rows that have a value."""
    return all(
        item.function in ("AND", "OR")
        or (
            item.function not in ("ColumnPresent", WHEN, *WHOLE)
            and item.arguments.get("Value", "") is not None
        )
        for item in check.walk()
    )


def _grouped(check: Check, held: Mapping[str, Held], present: frozenset[str]) -> str:
    if check.function == "OR":
        listed = _as_list(check.items, held)
        if listed:
            return listed
    parts = [f"({predicate(item, held, present)})" for item in check.items]
    return f" {check.function} ".join(parts) if parts else "true"


def _as_list(items: Sequence[Check], held: Mapping[str, Held]) -> str:
    """`A IN (...)` for a list of values of A, or of A and B; a hundred comparisons are slow."""
    rows = [item.items if item.function == "AND" else (item,) for item in items]
    columns = [tuple(one.arguments.get("ColumnName") for one in row) for row in rows]
    if len(set(columns)) != 1 or any(
        one.function != "CheckValue" or not isinstance(one["Value"], str)
        for row in rows
        for one in row
    ):
        return ""
    # no value holds the separator: it has no place in text
    joined = " || chr(31) || ".join(held[str(name)].text for name in columns[0])
    values = ", ".join(literal("\x1f".join(one["Value"] for one in row)) for row in rows)
    return f"({joined}) IN ({values})"


def _equals(check: Check, held: Mapping[str, Held]) -> str:
    column, value = held[check["ColumnName"]], check["Value"]
    if value is None:
        return f"{column.value} IS NULL"
    if isinstance(value, bool):
        return f"lower({column.text}) = '{str(value).lower()}'"
    if isinstance(value, int | float):
        return f"{column.number} = {value!r}"
    return f"{column.text} = {literal(value)}"


def _differs(check: Check, held: Mapping[str, Held]) -> str:
    if check["Value"] is None:
        return f"{held[check['ColumnName']].value} IS NOT NULL"
    # no value is another value: a charge without a class is not a correction
    return f"coalesce(NOT ({_equals(check, held)}), true)"


def _same(check: Check, held: Mapping[str, Held]) -> str:
    return f"{held[check['ColumnAName']].text} = {held[check['ColumnBName']].text}"


def _not_same(check: Check, held: Mapping[str, Held]) -> str:
    return f"{held[check['ColumnAName']].text} <> {held[check['ColumnBName']].text}"


def _at_least(check: Check, held: Mapping[str, Held]) -> str:
    return f"{held[check['ColumnName']].number} >= {float(check['Value'])!r}"


def _product(check: Check, held: Mapping[str, Held]) -> str:
    """A x B = result, but for rounding: half a unit of the result's last decimal (of its second
    at the coarsest: a bill rounds to cents, and may drop zeros), or a millionth of it."""
    a, b, result = (
        held[check[name]] for name in ("ColumnAName", "ColumnBName", "ResultColumnName")
    )
    off = f"abs({a.number}::DOUBLE * {b.number}::DOUBLE - {result.number}::DOUBLE)"
    text = f"lower({result.text})"
    decimals = (
        f"(length(rtrim(split_part(split_part({text}, 'e', 1), '.', 2), '0')) - "
        f"coalesce(TRY_CAST(nullif(split_part({text}, 'e', 2), '') AS INTEGER), 0))"
    )
    return (
        f"CASE WHEN {off} <= {_SHARE_OF_ROUNDING} * abs({result.number}::DOUBLE) THEN true "
        f"ELSE {off} <= 0.5000001 * pow(10, -greatest({decimals}, 2)) END"
    )


def _type_string(check: Check, held: Mapping[str, Held]) -> str:
    column = held[check["ColumnName"]]
    return "true" if column.text_file or column.is_text else f"{column.value} IS NULL"


def _type_decimal(check: Check, held: Mapping[str, Held]) -> str:
    column = held[check["ColumnName"]]
    if column.is_number:
        return "true"
    if not column.text_file:
        return f"{column.value} IS NULL"
    return _is_decimal(check, held)


def _is_decimal(check: Check, held: Mapping[str, Held]) -> str:
    column = held[check["ColumnName"]]
    if column.type in ("DOUBLE", "FLOAT"):
        return f"isfinite({column.value})"
    if column.is_number:
        return "true"
    return f"({column.value} IS NULL OR coalesce(isfinite({column.number}), false))"


def _type_time(check: Check, held: Mapping[str, Held]) -> str:
    column = held[check["ColumnName"]]
    if column.type.startswith(("TIMESTAMP", "DATE")):
        return "true"
    if not column.is_text:
        return f"{column.value} IS NULL"
    # the cast tells the 31st of February; a date alone is no time
    return (
        f"({column.value} IS NULL OR (regexp_full_match({column.value}, {literal(_DATE_TIME)}) "
        f"AND TRY_CAST(replace({column.value}, 'Z', '+00') AS TIMESTAMPTZ) IS NOT NULL))"
    )


def _format_time(check: Check, held: Mapping[str, Held]) -> str:
    column = held[check["ColumnName"]]
    if column.type.startswith("TIMESTAMP"):
        return "true"  # an instant: how it is written is up to the reader
    return f"regexp_matches({column.text}, {literal(_ISO_UTC)})"


def _format_numeric(check: Check, held: Mapping[str, Held]) -> str:
    column = held[check["ColumnName"]]
    if column.is_number:
        return _is_decimal(check, held)
    return is_numeric(column.text)


def _format_string(check: Check, held: Mapping[str, Held]) -> str:
    return is_string(held[check["ColumnName"]].text)


def _format_unit(check: Check, held: Mapping[str, Held]) -> str:
    return is_unit(held[check["ColumnName"]].text)


def is_numeric(text: str) -> str:
    """NumericFormat, of text."""
    return f"regexp_matches({text}, {literal(_NUMERIC)})"


def is_string(text: str) -> str:
    """StringHandling: Unicode without decoding damage, and not only blanks."""
    # nearly no text starts with a blank: only what does is trimmed
    blank = f"({text} = '' OR (starts_with({text}, ' ') AND trim({text}) = ''))"
    return f"NOT ({blank} OR contains({text}, '\ufffd'))"


def is_unit(text: str) -> str:
    """UnitFormat, as far as a form can tell."""
    return f"regexp_matches({text}, {literal(_UNIT)})"


def _format_currency(check: Check, held: Mapping[str, Held]) -> str:
    """Three letters are an ISO 4217 code; other text is taken for a virtual currency."""
    text = held[check["ColumnName"]].text
    return (
        f"CASE WHEN regexp_matches({text}, '^[A-Za-z]{{3}}$') THEN {_is_iso(text)} "
        f"ELSE {is_string(text)} END"
    )


def _national_currency(check: Check, held: Mapping[str, Held]) -> str:
    return _is_iso(held[check["ColumnName"]].text)


def _is_iso(text: str) -> str:
    # a list is compared value by value: what bills are mostly in comes first
    rest = ", ".join(literal(code) for code in sorted(ISO_4217 | RETIRED))
    return f"CASE WHEN {text} IN ('USD', 'EUR', 'GBP') THEN true ELSE {text} IN ({rest}) END"


def _format_key_value(check: Check, held: Mapping[str, Held]) -> str:
    column = held[check["ColumnName"]]
    return is_key_values(column.text)


_FORMATS: Mapping[str, Callable[[str], str]] = {
    "Numeric": is_numeric,
    "String": is_string,
    "Unit": is_unit,
}

_LEAVES: Mapping[str, Callable[[Check, Mapping[str, Held]], str]] = {
    "CheckValue": _equals,
    "CheckNotValue": _differs,
    "CheckSameValue": _same,
    "CheckNotSameValue": _not_same,
    "CheckGreaterOrEqualThanValue": _at_least,
    "ColumnByColumnEqualsColumnValue": _product,
    "CheckDecimalValue": _is_decimal,
    "TypeString": _type_string,
    "TypeDecimal": _type_decimal,
    "TypeDateTime": _type_time,
    "FormatDateTime": _format_time,
    "FormatNumeric": _format_numeric,
    "FormatString": _format_string,
    "FormatUnit": _format_unit,
    "FormatCurrency": _format_currency,
    "CheckNationalCurrency": _national_currency,
    "FormatKeyValue": _format_key_value,
}

KNOWN = frozenset(("AND", "OR", "ColumnPresent", "CheckModelRule", *WHOLE, *_LEAVES, *JSON_CHECKS))
"""Every check function that can be judged."""
