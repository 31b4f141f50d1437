"""JSON files, of lines or of whole documents: every value kept as the text it was written in.

What the values mean is not looked at.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
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

MAX_DOCUMENT = 256 * 1024 * 1024
"""Characters of a file of documents, which is held in memory whole; a file of lines is not."""

_ENVELOPES = ("data", "history")
"""The keys that APIs put their answer's rows under."""

_META = "meta"
"""The key beside them, under which an answer says what holds for all of its rows."""

_DEPTH = 4
"""Lists in an answer in a list, and rows by name in them: nothing sensible lies deeper."""

_DECODER = json.JSONDecoder(parse_float=str, parse_int=str, parse_constant=str)
_SOMETHING = re.compile(r"\S")


def spool_json_lines(name: str, source: Path, target: Path) -> Spooled:
    """Copy the JSON Lines file `source` to the Parquet file `target`, all values as text.

    Objects and lists stay JSON text. A line that is no object is a broken row, unless it is the
    last and cut: then the file is truncated. Never raises on what is in the file.
    """
    return _spool(name, target, lambda: _records(source))


def spool_json(name: str, source: Path, target: Path) -> Spooled:
    """Copy a JSON file whose rows are inside of documents; see `spool_json_lines`.

    A file holds one document, pretty or not, or several after another. An object with rows under
    `data` or `history` is an answer: its rows are those, each with the answer's `meta`. Lists are
    taken apart, and so are objects that hold nothing but objects: rows by name.
    """
    spooled = _spool(name, target, lambda: _inside(source))
    blank = not (spooled.columns or spooled.faults or spooled.broken)
    return replace(spooled, blank=blank)


def _spool(name: str, target: Path, read: Callable[[], Iterator[_Record]]) -> Spooled:
    keys: dict[str, None] = {}
    for record in read():
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
        for record in read():
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
    """One row: its object, or what is wrong with it."""

    def __init__(
        self, number: int, raw: str, value: object = None, problem: str = "", cut: bool = False
    ) -> None:
        self.number = number
        self.raw = raw
        self.value = value
        self.problem = problem
        self.cut = cut


def _records(source: Path) -> Iterator[_Record]:
    number = 0
    try:
        with open_bytes(source) as stream:
            for line in lines(stream):
                if line.strip():
                    number += 1
                    yield _of_line(number, line)
    except READ_ERRORS as error:
        yield _Record(number + 1, "", problem=f"{error}.", cut=True)


def _of_line(number: int, raw: str) -> _Record:
    if not is_unicode(raw):
        return _Record(number, raw, problem="the line holds bytes that are not UTF-8.")
    no_object = "the line is not a JSON object."
    try:
        value = _DECODER.decode(raw)
    except (ValueError, RecursionError):
        return _Record(number, raw, problem=no_object, cut=not raw.endswith("\n"))
    return _Record(number, raw, value, "" if isinstance(value, dict) else no_object)


def _inside(source: Path) -> Iterator[_Record]:
    """The rows of every document in the file; what cannot be read makes one cut record."""
    number = 0
    try:
        text = _whole(source)
        start = _SOMETHING.search(text)
        if start is None:
            raise ValueError("it is empty")
        while start is not None:
            document, end = _DECODER.raw_decode(text, start.start())
            for row in _rows(document):
                number += 1
                problem = "" if isinstance(row, dict) else "a row is not a JSON object."
                yield _Record(number, json.dumps(row, ensure_ascii=False), row, problem)
            start = _SOMETHING.search(text, end)
    except (*READ_ERRORS, ValueError, RecursionError) as error:
        yield _Record(number + 1, "", problem=f"{error}.", cut=True)


def _whole(source: Path) -> str:
    """The file's text. Raises ValueError if it is too long, or not UTF-8."""
    parts, size = [], 0
    with open_bytes(source) as stream:
        for line in lines(stream):
            size += len(line)
            if size > MAX_DOCUMENT:
                raise ValueError(
                    f"it goes on after {MAX_DOCUMENT} characters, the most that is read of a "
                    "document; send a day a file, or a row a line as .jsonl"
                )
            parts.append(line)
    text = "".join(parts)
    if not is_unicode(text):
        raise ValueError("it holds bytes that are not UTF-8")
    return text


def _rows(value: object, depth: int = 0) -> Iterator[object]:
    """What is no list, no answer and no object of objects: a row, whatever it is."""
    if isinstance(value, dict):
        meta = value.get(_META)
        for key in _ENVELOPES:
            if isinstance(value.get(key), dict | list):
                value = value[key]
                break
        if isinstance(meta, dict) and isinstance(value, list):
            value = [{_META: meta, **row} if isinstance(row, dict) else row for row in value]
    inside: Iterable[object] | None = None
    if isinstance(value, list):
        inside = value
    elif isinstance(value, dict) and all(isinstance(one, dict) for one in value.values()):
        inside = value.values()
    if inside is not None and depth < _DEPTH:
        for item in inside:
            yield from _rows(item, depth + 1)
    elif value is not None or depth == 0:
        yield value


def _text(value: object) -> str | None:
    if value is None:
        return None
    if isinstance(value, str):
        return printable(value)
    if isinstance(value, bool):
        return "true" if value else "false"
    return json.dumps(value, ensure_ascii=False)
