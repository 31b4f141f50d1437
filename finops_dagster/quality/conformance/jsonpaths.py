"""Checks inside JSON values: key-value columns, and the paths that models from FOCUS 1.3 on test.

Columns as a whole are in `predicates`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping

from finops_dagster.quality.conformance.model import Check

JSON_CHECKS = frozenset(
    (
        "FormatJSONFormat",
        "JSONCheckPathType",
        "JSONCheckPathKeyExists",
        "JSONCheckPathKeyStartsWith",
        "JSONCheckPathKeyValueFormat",
        "JSONCheckPathValue",
        "JSONCheckPathNotValue",
        "JSONCheckPathSameValue",
        "JSONCheckPathNumericFormat",
        "JSONCheckPathUnitFormat",
        "JSONFormatNumeric",
        "JSONFormatString",
        "JSONFormatUnit",
    )
)

_TYPES = {
    "array": "('ARRAY')",
    "object": "('OBJECT')",
    "string": "('VARCHAR', 'NULL')",
    "decimal": "('DOUBLE', 'BIGINT', 'UBIGINT', 'HUGEINT', 'NULL')",
    "numeric": "('DOUBLE', 'BIGINT', 'UBIGINT', 'HUGEINT', 'NULL')",
    "integer": "('BIGINT', 'UBIGINT', 'HUGEINT', 'NULL')",
    "boolean": "('BOOLEAN', 'NULL')",
}
_SCALARS = "('VARCHAR', 'DOUBLE', 'BIGINT', 'UBIGINT', 'HUGEINT', 'BOOLEAN', 'NULL')"


def _quoted(text: object) -> str:
    return "'" + str(text).replace("'", "''") + "'"


def is_object(text: str) -> str:
    """A JSON object, of text."""
    return f"CASE WHEN json_valid({text}) THEN json_type({text}) = 'OBJECT' ELSE {text} IS NULL END"


def is_key_values(text: str) -> str:
    """KeyValueFormat: a JSON object with unique keys and no object or array as a value."""
    keys = f"json_keys({text})"
    return (
        f"CASE WHEN {text} IS NULL THEN NULL WHEN NOT json_valid({text}) THEN false "
        f"WHEN json_type({text}) <> 'OBJECT' THEN false ELSE "
        f"len({keys}) = len(list_distinct({keys})) "
        f"AND NOT list_has_any(json_type({text}, '$.*'), ['OBJECT', 'ARRAY']) END"
    )


def _all_at(text: str, path: str) -> str:
    """SQL of the list of JSON values at a path, which may have wildcards."""
    if "*" in path:
        return f"json_extract({text}, {_quoted(path)})"
    return f"list_filter([json_extract({text}, {_quoted(path)})], lambda x: x IS NOT NULL)"


def json_check(
    check: Check, text: str, other: str, *, formats: Mapping[str, Callable[[str], str]]
) -> str:
    """SQL of a check inside the JSON text `text`; `other` is a second column's text.

    Null where there is no JSON to look into: another rule says that.
    """
    held = _inside(check, text, other, formats)
    if check.function == "FormatJSONFormat" and "Path" not in check.arguments:
        return is_object(text)
    return f"CASE WHEN json_valid({text}) THEN {held} END"


def _inside(
    check: Check, text: str, other: str, formats: Mapping[str, Callable[[str], str]]
) -> str:
    path = str(check.arguments.get("Path") or check.arguments.get("PathA") or "$")
    found = _all_at(text, path)
    function = check.function
    if function == "JSONCheckPathType":
        types = _TYPES.get(str(check["ExpectedType"]).lower(), _SCALARS)
        return _every(found, f"json_type(x) IN {types}")
    if function == "JSONCheckPathKeyExists":
        # every parent at the path has the key: as many values as parents
        parent, _, key = path.rpartition(".")
        return _every(_all_at(text, parent), f"json_exists(x, {_quoted('$.' + key)})")
    if function == "JSONCheckPathKeyStartsWith":
        ignored = [_quoted(key) for key in check.arguments.get("IgnoreKeys", [])]
        fine = f"starts_with(k, {_quoted(check['Prefix'])})"
        if ignored:
            fine = f"({fine} OR k IN ({', '.join(ignored)}))"
        return _every(found, f"len(list_filter(json_keys(x), lambda k: NOT {fine})) = 0")
    if function == "JSONCheckPathKeyValueFormat":
        return _every(found, is_key_values("x::VARCHAR"))
    if function in ("JSONCheckPathValue", "JSONCheckPathNotValue"):
        value = check["Value"]
        same = "json_type(x) = 'NULL'" if value is None else f"x ->> '$' = {_quoted(value)}"
        return _every(found, same if function == "JSONCheckPathValue" else f"NOT ({same})")
    if function == "JSONCheckPathSameValue":
        path_b = check.arguments.get("PathB")
        right = f"json_extract_string({other}, {_quoted(path_b)})" if path_b else other
        return _every(found, f"x ->> '$' = {right}")
    kind = re.sub(r"^JSON(CheckPath|Format)|Format$", "", function)
    if kind in formats:
        return _every(found, formats[kind]("(x ->> '$')"))
    return _every(found, is_object("x::VARCHAR"))


def _every(values: str, condition: str) -> str:
    """True where no value is known to fail; null where there is none."""
    wrong = f"list_filter({values}, lambda x: NOT ({condition}))"
    return f"CASE WHEN len({values}) > 0 THEN len({wrong}) = 0 END"
