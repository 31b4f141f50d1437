"""Nested columns as flat ones: structs, JSON objects, and lists as some writers nest them.

What the names mean is a format's business.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence

from finops_dagster.sources.parsing import RawColumn, is_text, literal, squeeze

_NESTED_LIST = re.compile(r'STRUCT\("?list"? STRUCT\("?element"? (.+)\)\[\]\)')


def flat(columns: Sequence[RawColumn], parents: Mapping[str, Sequence[str]]) -> Iterator[RawColumn]:
    """Columns with structs as their fields (`service.id`), and with JSON objects, kept too.

    `parents` are columns that may hold such an object, and its fields that are wanted.
    """
    names = {squeeze(column.name) for column in columns}
    for column in columns:
        children = parents.get(column.name.lower(), ())
        listed = _element(column)
        if listed is not None:
            yield listed
        elif column.type.startswith("STRUCT(") and not column.type.endswith("]"):
            yield from flat(
                [
                    RawColumn(f"{column.name}.{field}", f"struct_extract({column.sql}, "
                              f"{literal(field)})", type_)
                    for field, type_ in fields(column.type)
                ],
                parents,
            )  # fmt: skip
        elif (
            is_text(column)
            and children
            and names.isdisjoint(squeeze(f"{column.name}.{child}") for child in children)
        ):
            for child in children:
                path = f"json_extract_string(try_cast({column.sql} AS JSON), '$.{child}')"
                yield RawColumn(f"{column.name}.{child}", path, "VARCHAR")
            yield column
        else:
            yield column


def _element(column: RawColumn) -> RawColumn | None:
    """The list in `STRUCT(list STRUCT(element ...)[])`, as writers without list types nest it."""
    match = _NESTED_LIST.fullmatch(column.type)
    if match is None:
        return None
    sql = f"list_transform(struct_extract({column.sql}, 'list'), lambda one: one.element)"
    return RawColumn(column.name, sql, f"{match[1]}[]")


def fields(struct: str) -> list[tuple[str, str]]:
    """Names and types of DuckDB's `STRUCT(a INTEGER, "b c" VARCHAR[])`."""
    found, depth, quoted, start = [], 0, False, 0
    inner = struct[len("STRUCT(") : -1]
    for place, char in enumerate(inner + ","):
        quoted ^= char == '"'
        if quoted:
            continue
        depth += (char == "(") - (char == ")")
        if char == "," and depth == 0:
            found.append(_field(inner[start:place].strip()))
            start = place + 1
    return found


def _field(text: str) -> tuple[str, str]:
    if not text.startswith('"'):
        name, _, type_ = text.partition(" ")
        return name, type_
    end = 1
    while text[end] != '"' or text[end + 1 : end + 2] == '"':
        end += 2 if text[end] == '"' else 1
    return text[1:end].replace('""', '"'), text[end + 1 :].strip()
