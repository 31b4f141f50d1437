"""Text files that are not UTF-8: recoded where their bytes say for sure what they are.

UTF-16 and UTF-32 say so. Windows-1252 and its like do not: the same bytes are other letters in
other code pages, so the reader of rows refuses those by row and column.
"""

from __future__ import annotations

import codecs
from dataclasses import dataclass
from pathlib import Path

from finops_dagster.domain.errors import Fault
from finops_dagster.sources.text_files import READ_ERRORS, open_bytes, truncated

_MARKS = (
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
"""Longest first: the mark of UTF-32 opens with that of UTF-16."""
_LOOKED_AT = 64
_BLOCK = 1024 * 1024


@dataclass(frozen=True)
class Recoded:
    """Where to read a text file as UTF-8, and what to say of it."""

    path: Path
    notes: tuple[Fault, ...] = ()
    faults: tuple[Fault, ...] = ()


def as_utf8(name: str, source: Path, copy: Path) -> Recoded:
    """`source` itself, or `copy` made of it. `name` is what faults call the file."""
    encoding = _encoding(source)
    if not encoding:
        return Recoded(source)
    decoder = codecs.getincrementaldecoder(encoding)()
    row = 0
    try:
        with open_bytes(source) as stream, copy.open("w", encoding="utf-8", newline="") as file:
            while block := stream.read(_BLOCK):
                text = decoder.decode(block)
                row += text.count("\n")
                file.write(text)
            file.write(decoder.decode(b"", final=True))
    except READ_ERRORS as error:
        return Recoded(source, faults=(truncated(name, row, f"{error}."),))
    except UnicodeError as error:
        fault = Fault(
            code="wrong_encoding",
            file=name,
            row=row,
            expected=f"{encoding.upper()} text, as the file begins; around this row it is not: "
            f"{error}.",
            hint="Have the file sent again, as UTF-8.",
        )
        return Recoded(source, faults=(fault,))
    note = Fault(
        code="encoding",
        file=name,
        expected=f"UTF-8; the file is {encoding.upper()}, all of it was read.",
        hint="Nothing to do: it was mended.",
    )
    return Recoded(copy, notes=(note,))


def _encoding(source: Path) -> str:
    """The encoding that the first bytes leave no doubt of; empty for UTF-8 and all others."""
    try:
        with open_bytes(source) as stream:
            head = stream.read(_LOOKED_AT)
    except READ_ERRORS:
        return ""
    for mark, encoding in _MARKS:
        if head.startswith(mark):
            return encoding
    # a header is ASCII: as UTF-16 every other byte of it is zero
    for zeros, letters, encoding in ((1, 0, "utf-16-le"), (0, 1, "utf-16-be")):
        if len(head) > 3 and not any(head[zeros::2]) and all(head[letters::2]):
            return encoding
    return ""
