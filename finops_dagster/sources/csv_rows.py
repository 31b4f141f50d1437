"""The rows of a CSV file one by one: what is wrong with each, and the faults that follow.

Slow and forgiving; clean files never come here.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from finops_dagster.domain.errors import Fault
from finops_dagster.sources.text_files import (
    READ_ERRORS,
    is_unicode,
    lines,
    printable,
    truncated,
)

_SHOWN_BYTES = 4
_AGAIN = "Have the file sent again; nothing of this delivery was taken in."
_SAVE_AS_UTF8 = (
    "Export it as UTF-8 (in spreadsheets: CSV UTF-8); which code page the bytes are of cannot be "
    "told for sure, so nothing of this delivery was taken in."
)
_COUNT = "field_count: the row has another number of values than the header"
_QUOTES = "quoting: a quoted value does not end where it should"
_ENDED = "truncated_file: the file ends in the middle"
_ENCODING = "wrong_encoding: the row holds bytes that are not UTF-8"
_ZEROS = "zero_bytes: the row holds bytes of zero, which no text has"
_TOO_LONG = "value_too_long: a value is longer than 16 MiB, or a quote before it is never closed"


@dataclass(frozen=True)
class Record:
    """One row as it was: its values, or what is wrong with it, `code: sentence`."""

    number: int
    raw: str
    values: Sequence[str]
    problem: str
    place: int | None = None
    """Which value is wrong, where one is."""


def records_of(stream: io.RawIOBase, delimiter: str, width: int) -> Iterator[Record]:
    """Every row after the header. Empty lines are no rows."""
    taken: list[str] = []

    def watched() -> Iterator[str]:
        for line in lines(stream):
            taken.append(line)
            yield line

    reader = csv.reader(watched(), delimiter=delimiter, strict=True)
    number = -1  # the header is row 0
    while True:
        taken.clear()
        values: Sequence[str] = ()
        problem = ""
        try:
            values = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            problem = _TOO_LONG if "field limit" in str(error) else f"{_QUOTES}: {error}"
        except READ_ERRORS as error:
            yield Record(number + 1, "".join(taken), (), f"{_ENDED}: {error}")
            return
        if not values and not problem:
            continue
        number += 1
        raw = "".join(taken)
        if not problem and len(values) != width:
            problem = _COUNT
        place = None
        if not problem and not is_unicode(raw):
            problem = _ENCODING
            place = next((n for n, value in enumerate(values) if not is_unicode(value)), None)
        if not problem and "\0" in raw:
            problem = _ZEROS
            place = next((n for n, value in enumerate(values) if "\0" in value), None)
        if number:
            yield Record(number, raw, values, problem, place)


def undecoded_header(name: str, column: str) -> Fault:
    return Fault(
        code="wrong_encoding",
        file=name,
        row=0,
        column=printable(column),
        expected=f"UTF-8 text; the header has {_bytes_of(column)}.",
        hint=_SAVE_AS_UTF8,
    )


def _bytes_of(text: str) -> str:
    """The first bytes in a text that were not UTF-8, as people look them up."""
    odd = [ord(ch) - 0xDC00 for ch in text if 0xDC80 <= ord(ch) <= 0xDCFF][:_SHOWN_BYTES]
    return "the byte(s) " + " ".join(f"{byte:02X}" for byte in odd)


def faults_of(
    name: str, broken: Sequence[Record], last: Record | None, columns: Sequence[str]
) -> Iterator[Fault]:
    """One fault per kind, at the first row that has it; a broken last row is a cut file."""
    by_code: dict[str, list[Record]] = {}
    for record in broken:
        by_code.setdefault(record.problem.partition(":")[0], []).append(record)
    for record in by_code.pop("truncated_file", ()):
        yield truncated(name, record.number, broken[-1].problem.partition(": ")[2] + ".")
    for code, records in by_code.items():
        ends = last is not None and records[-1].number == last.number
        if ends and code in ("field_count", "quoting"):
            yield truncated(name, records.pop().number, "its last row is not complete.")
        if records:
            yield _fault(name, code, records, columns)


def _fault(name: str, code: str, records: Sequence[Record], columns: Sequence[str]) -> Fault:
    first = records[0]
    told = f"; {len(records)} row(s) differ, this one first"
    expected, hint = {
        "field_count": (f"{len(columns)} values in each row, as in the header{told}", _AGAIN),
        "quoting": (f"Quoted values that end with a quote and a delimiter{told}", _AGAIN),
        "value_too_long": (f"Values of at most 16 MiB, and quotes that are closed{told}", _AGAIN),
        "wrong_encoding": (f"UTF-8 text{told}: {_bytes_of(''.join(first.values))}", _SAVE_AS_UTF8),
        "zero_bytes": (f"Text without bytes of zero{told}", _AGAIN),
    }[code]
    return Fault(
        code=code,
        file=name,
        row=first.number,
        column=None if first.place is None else columns[first.place],
        expected=f"{expected}.",
        hint=hint,
    )
