"""How a text file writes the numbers of a column: 1.5, 1,5 or 1,234.5, told by all of its values.

A single `1,234` tells nothing; a column is only read another way if none of its values speaks
against it. What the columns mean is the business of a format.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Literal

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

Marks = Literal["", "comma", "grouped"]
"""As programs write numbers; with a decimal comma; with a comma between thousands."""

_LOOKED_AT = 1000
_NUMERIC = r"^\s*([+-]?[\d.,]*\d[\d.,]*([eE][+-]?\d+)?|NULL|null|Null)?\s*$"
_GROUPS_OF_DOTS = r"^[+-]?\d{1,3}(\.\d{3})+,\d+$"
_COMMA = (
    r"^[+-]?(\d*,(\d{1,2}|\d{4,})|0\d*,\d+|\d{4,},\d{3}|\d+,\d+[eE][+-]?\d+|,\d+"
    r"|\d{1,3}(\.\d{3})+,\d+)$"
)
"""A comma that can only be a decimal mark."""
_GROUPED = r"^[+-]?[1-9]\d{0,2}((,\d{3})+\.\d*|(,\d{3}){2,})$"
"""Commas that can only stand between thousands."""
_EITHER = r"^[+-]?[1-9]\d{0,2},\d{3}$"
_DOTS = r"^[+-]?\d{1,3}(\.\d{3})+$"


def marks_of(spool: Path, width: int) -> tuple[Marks, ...]:
    """How each of the columns c0, c1, ... of a spooled text file writes its numbers."""
    marks: list[Marks] = [""] * width
    with pq.ParquetFile(spool) as file:
        numeric = _numeric(file, width)
        commas = [n for n in numeric if _any_comma(file, n)]
        for n in commas:
            marks[n] = _judge(file, n)
    return tuple(marks)


def _numeric(file: pq.ParquetFile, width: int) -> Sequence[int]:
    """Columns whose first values are all numbers; money may be empty for long."""
    head = next(file.iter_batches(batch_size=_LOOKED_AT), None)
    if head is None:
        return ()
    return [
        n
        for n in range(width)
        if pc.all(pc.match_substring_regex(head.column(n), _NUMERIC), min_count=0).as_py()
    ]


def _any_comma(file: pq.ParquetFile, column: int) -> bool:
    return any(
        pc.any(pc.match_substring(batch.column(0), ",")).as_py()
        for batch in file.iter_batches(columns=[f"c{column}"])
    )


def _judge(file: pq.ParquetFile, column: int) -> Marks:
    comma = grouped = groups_of_dots = dots = points = other = False
    for batch in file.iter_batches(columns=[f"c{column}"]):
        values = pc.utf8_trim_whitespace(pc.drop_null(batch.column(0)))
        with_comma = values.filter(pc.match_substring(values, ","))
        without = values.filter(pc.invert(pc.match_substring(values, ",")))
        comma |= _some(with_comma, _COMMA)
        grouped |= _some(with_comma, _GROUPED)
        other |= not _every(with_comma, f"{_COMMA}|{_GROUPED}|{_EITHER}")
        groups_of_dots |= _some(with_comma, _GROUPS_OF_DOTS)
        pointed = without.filter(pc.match_substring(without, "."))
        dots |= _some(pointed, _DOTS)
        points |= not _every(pointed, _DOTS)
    if other or comma == grouped or (comma and (points or (dots and not groups_of_dots))):
        return ""
    return "comma" if comma else "grouped"


def _some(values: pa.Array, pattern: str) -> bool:
    return bool(pc.any(pc.match_substring_regex(values, pattern), min_count=0).as_py())


def _every(values: pa.Array, pattern: str) -> bool:
    return bool(pc.all(pc.match_substring_regex(values, pattern), min_count=0).as_py())
