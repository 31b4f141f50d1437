"""Records of other systems as flat Parquet files, made once per file and kept when that is gone.

What a record becomes is the business of who flattens; nothing here knows one.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from finops_dagster.domain.errors import Fault, Unavailable
from finops_dagster.sources.places import Place, is_data
from finops_dagster.sources.run_records import write_records
from finops_dagster.sources.text_files import READ_ERRORS, lines, open_bytes

Record = Mapping[str, Any]
Flatten = Callable[[Record], Iterator[Record]]
"""A JSON object as rows of the flat schema. Raises ValueError of what is no such object."""

_MARK = b"source"
MOST_CHARACTERS = 256 * 1024 * 1024
"""Of a document, which is held in memory whole."""


def flattened(
    place: Place, folder: Path, schema: pa.Schema, flatten: Flatten, wanted: str
) -> list[Path]:
    """Parquet files of `schema` in `folder`, one for each file that is or was at `place`.

    A collector rotates its files away: what was read of them stays. A file is read again when its
    bytes change. Sorted by the time of the file. Raises Unavailable.
    """
    folder.mkdir(exist_ok=True)
    entries = {
        path: entry for path, entry in place.entries().items() if is_data(path, place.suffixes)
    }
    for path in sorted(entries):
        # a name's hash: a hostile name leads nowhere
        target = folder / f"{hashlib.sha256(path.as_posix().encode()).hexdigest()[:32]}.parquet"
        mark = place.digest(path)
        if target.exists() and pq.read_schema(target).metadata.get(_MARK) == mark.encode():
            continue
        root = place.fetch([path])
        part = target.with_suffix(".part")
        write_records(
            _rows(root / path, place.shown(path.as_posix()), flatten, wanted),
            schema.with_metadata({_MARK: mark}),
            part,
        )
        part.replace(target)
    return sorted(folder.glob("*.parquet"))


def _rows(file: Path, shown: str, flatten: Flatten, wanted: str) -> Iterator[Record]:
    row = None
    try:
        for number, document, whole in _documents(file):
            row = number
            if document is None:
                if whole:
                    raise ValueError("it is not JSON")
                return  # still being written: the next look reads it
            if not isinstance(document, dict):
                raise ValueError("it is no object")
            yield from flatten(document)
    except (*READ_ERRORS, ValueError, RecursionError, TypeError, AttributeError, KeyError) as error:
        raise Unavailable(
            f"{shown} could not be read.",
            (
                Fault(
                    code="records_unreadable",
                    file=shown,
                    row=row,
                    expected=f"Expected {wanted}; {str(error)[:200] or type(error).__name__}.",
                    hint="Take the file out, or have it written again.",
                ),
            ),
        ) from error


def _documents(file: Path) -> Iterator[tuple[int, Any, bool]]:
    """Line number, object (None where it is none) and whether the line was whole.

    A file whose first line is no document by itself is one document.
    """
    with open_bytes(file) as stream:
        text = iter(lines(stream))
        number = 0
        for line in text:
            number += 1
            if not line.strip():
                continue
            found = _parsed(line)
            if found is None and number == 1:
                yield 1, _parsed(_joined(line, text)), True
                return
            yield number, found, line.endswith("\n")


def _joined(first: str, rest: Iterator[str]) -> str:
    parts, size = [first], len(first)
    for line in rest:
        size += len(line)
        if size > MOST_CHARACTERS:
            raise ValueError(
                f"it goes on after {MOST_CHARACTERS} characters: send objects as lines"
            )
        parts.append(line)
    return "".join(parts)


def _parsed(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return None
