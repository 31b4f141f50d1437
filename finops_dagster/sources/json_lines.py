"""JSON Lines files: one object a line, every value kept as the text it was written in.

What the values mean is not looked at.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

from finops_dagster.domain.errors import Fault
from finops_dagster.sources.text_files import (
    READ_ERRORS,
    Spooled,
    SpoolWriter,
    is_unicode,
    lines,
    open_bytes,
    printable,
    truncated,
)

MAX_KEYS = 2_000
"""Wider objects are not rows of a table; the limit keeps hostile files from making columns."""


def spool_json_lines(name: str, source: Path, target: Path) -> Spooled:
    """Copy the JSON Lines file `source` to the Parquet file `target`, all values as text.

    Objects and lists stay JSON text. A line that is no object is a broken row, unless it is the
    last and cut: then the file is truncated. Never raises on what is in the file.
    """
    keys: dict[str, None] = {}
    for record in _records(source):
        if isinstance(record.value, dict):
            keys.update(dict.fromkeys(record.value))
        if len(keys) > MAX_KEYS:
            fault = Fault(
                code="too_many_columns",
                file=name,
                row=record.number,
                expected=f"At most {MAX_KEYS} different keys.",
                hint="Send one flat object per line with the documented columns.",
            )
            return Spooled((), 0, None, 0, faults=(fault,))
    faults: list[Fault] = []
    with SpoolWriter(target, len(keys)) as writer:
        for record in _records(source):
            if isinstance(record.value, dict):
                writer.add(record.number, [_text(record.value.get(key)) for key in keys])
                continue
            if record.cut:
                faults.append(truncated(name, record.number, record.problem))
            if record.raw:
                writer.add_broken(record.number, record.raw, f"not_json: {record.problem}")
    return Spooled(
        tuple(printable(key) for key in keys),
        writer.rows,
        writer.broken,
        writer.broken_rows,
        faults=tuple(faults),
    )


class _Record:
    """One line: its object, or what is wrong with it."""

    def __init__(self, number: int, raw: str) -> None:
        self.number = number
        self.raw = raw
        self.value: object = None
        self.problem = ""
        self.cut = False
        if not is_unicode(raw):
            self.problem = "the line holds bytes that are not UTF-8."
            return
        try:
            self.value = json.loads(raw, parse_float=str, parse_int=str, parse_constant=str)
        except (ValueError, RecursionError):
            self.problem = "the line is not a JSON object."
            self.cut = not raw.endswith("\n")
        else:
            if not isinstance(self.value, dict):
                self.problem = "the line is not a JSON object."


def _records(source: Path) -> Iterator[_Record]:
    number = 0
    try:
        with open_bytes(source) as stream:
            for line in lines(stream):
                if line.strip():
                    number += 1
                    yield _Record(number, line)
    except READ_ERRORS as error:
        last = _Record(number + 1, "")
        last.problem, last.cut = f"{error}.", True
        yield last


def _text(value: object) -> str | None:
    if value is None:
        return None
    if isinstance(value, str):
        return printable(value)
    if isinstance(value, bool):
        return "true" if value else "false"
    return json.dumps(value, ensure_ascii=False)
