"""What CSV and JSON Lines files share: byte streams, the spool they are copied to, broken rows.

Text is copied once to Parquet, value by value as text, so that all later steps scan one format.
"""

from __future__ import annotations

import io
import re
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, BinaryIO, cast

import pyarrow as pa
import pyarrow.parquet as pq

from finops_dagster.domain.errors import Fault
from finops_dagster.sources.decimal_marks import Marks

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

ROW_NUMBER = "row_number"
SPOOL_ROWS = 50_000
READ_ERRORS = (EOFError, OSError, zlib.error)
"""What a damaged or half-sent file raises while its bytes are read."""

_NUMBERED = re.compile(r" \(\d+\)$")
_BLOCK = 256 * 1024
_GZIP_MAGIC = b"\x1f\x8b"
_BROKEN = pa.schema([(ROW_NUMBER, pa.int64()), ("raw", pa.string()), ("reason", pa.string())])


@dataclass(frozen=True)
class Spooled:
    """A text file copied to Parquet: columns c0, c1, ... then row_number.

    Rows that could not be told apart into values are in `broken` as they were.
    """

    columns: tuple[str, ...]
    rows: int
    broken: Path | None
    broken_rows: int
    faults: tuple[Fault, ...] = ()
    notes: tuple[Fault, ...] = ()
    marks: tuple[Marks, ...] = ()
    """How each column writes its numbers; nothing where they were not asked for."""
    blank: bool = False
    """Whether it is sound and says that there are no rows, not even columns."""


class _Unpacked(io.RawIOBase):
    """Bytes of a gzip file, one member after the other.

    Unlike the library's own reader it gives all that could be unpacked before it says that the
    file ends in the middle: those rows are shown, not lost.
    """

    def __init__(self, path: Path) -> None:
        super().__init__()
        self._file = path.open("rb")
        self._unpack = zlib.decompressobj(wbits=31)
        self._ready = b""

    def readable(self) -> bool:
        return True

    def close(self) -> None:
        self._file.close()
        super().close()

    def readinto(self, buffer: WriteableBuffer) -> int:
        view = memoryview(buffer).cast("B")
        while not self._ready and self._more():
            pass
        size = min(len(view), len(self._ready))
        view[:size] = self._ready[:size]
        self._ready = self._ready[size:]
        return size

    def _more(self) -> bool:
        """Unpack a little further; false at the end. Raises EOFError or zlib.error."""
        packed = self._unpack.unconsumed_tail or self._unpack.unused_data
        packed = packed or self._file.read(_BLOCK)
        if self._unpack.eof:
            if not packed.strip(b"\0"):
                return False
            self._unpack = zlib.decompressobj(wbits=31)
        elif not packed:
            raise EOFError("the packed data end before their end mark")
        self._ready = self._unpack.decompress(packed, _BLOCK)
        return True


def open_bytes(path: Path) -> io.RawIOBase:
    """The file's bytes, unpacked if they are gzip by their first two bytes."""
    with path.open("rb") as file:
        packed = file.read(2) == _GZIP_MAGIC
    return _Unpacked(path) if packed else path.open("rb", buffering=0)


def lines(stream: io.RawIOBase) -> Iterator[str]:
    """Lines with their ends; bytes that are not UTF-8 survive as lone surrogates."""
    # not buffered: a buffer drops what it holds when the next read fails
    yield from io.TextIOWrapper(
        cast("BinaryIO", stream), encoding="utf-8-sig", errors="surrogateescape", newline=""
    )


def is_unicode(text: str) -> bool:
    """False if the text came from bytes that were not UTF-8."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def printable(text: str) -> str:
    """Text with undecodable bytes shown as the replacement character."""
    if text.isascii():
        return text
    return text.encode(errors="surrogatepass").decode(errors="replace")


class SpoolWriter:
    """Collects rows of text and broken rows and writes them to two Parquet files in blocks."""

    def __init__(self, target: Path, width: int) -> None:
        self.rows = 0
        self.broken_rows = 0
        self._broken_path = target.with_suffix(".broken.parquet")
        self._width = width
        self._schema = spool_schema(width)
        self._writer = pq.ParquetWriter(target, self._schema)
        self._broken_writer = pq.ParquetWriter(self._broken_path, _BROKEN)
        self._block: list[Sequence[str | None]] = []
        self._numbers: list[int] = []
        self._broken: list[tuple[int, str, str]] = []

    def __enter__(self) -> SpoolWriter:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._flush()
        self._writer.close()
        self._broken_writer.close()

    @property
    def broken(self) -> Path | None:
        return self._broken_path if self.broken_rows else None

    def add(self, number: int, values: Sequence[str | None]) -> None:
        """One whole row; `number` is its 1-based place among the data rows."""
        self._block.append(values)
        self._numbers.append(number)
        self.rows += 1
        if len(self._block) >= SPOOL_ROWS:
            self._flush()

    def add_broken(self, number: int, raw: str, reason: str) -> None:
        """One row that could not be read, as it was."""
        self._broken.append((number, printable(raw), reason))
        self.broken_rows += 1
        if len(self._broken) >= SPOOL_ROWS:
            self._flush()

    def _flush(self) -> None:
        if self._block:
            columns = [pa.array(c, pa.string()) for c in zip(*self._block, strict=True)]
            columns.append(pa.array(self._numbers, pa.int64()))
            self._writer.write_table(pa.Table.from_arrays(columns, schema=self._schema))
            self._block, self._numbers = [], []
        if self._broken:
            columns = [pa.array(column) for column in zip(*self._broken, strict=True)]
            self._broken_writer.write_table(pa.Table.from_arrays(columns, schema=_BROKEN))
            self._broken = []


def spool_schema(width: int) -> pa.Schema:
    """Columns c0 to c(width-1) of text, then the row number."""
    return pa.schema([(f"c{n}", pa.string()) for n in range(width)] + [(ROW_NUMBER, pa.int64())])


def unique_names(names: Sequence[str]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Names made unique by a number, and those that were repeated."""
    seen: dict[str, int] = {}
    unique, repeated = [], []
    for name in names:
        seen[name] = seen.get(name, 0) + 1
        if seen[name] > 1:
            repeated.append(name)
        unique.append(name if seen[name] == 1 else f"{name} ({seen[name]})")
    return tuple(unique), tuple(repeated)


def unnumbered(name: str) -> str:
    """The name that `unique_names` made this one of."""
    return _NUMBERED.sub("", name)


def truncated(file: str, row: int | None, what: str) -> Fault:
    """The fault of a file that ends in the middle."""
    return Fault(
        code="truncated_file",
        file=file,
        row=row,
        expected=f"A whole file; this one ends in the middle: {what}",
        hint="Have the file sent again; nothing of this delivery was taken in.",
    )
