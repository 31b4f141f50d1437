"""Parquet files in, small pandas frames out: the rows that expectations are held against.

Reading and reducing only. Nothing here judges.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, cast

import duckdb
import pandas as pd
import pyarrow as pa

from finops_dagster.quality.checks import Frame

_GRAINS_SHOWN = 1000
_BATCH_ROWS = 250_000
_FLOATS = ("DOUBLE", "FLOAT")


class FrameUnavailableError(Exception):
    """A frame cannot be made of these files; the message says what is missing."""


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


@dataclass
class Table:
    """The rows of some Parquet files, read through an in-memory DuckDB with bounded memory."""

    files: Sequence[Path]
    related: Mapping[str, Sequence[Path]] = field(default_factory=dict)
    types: dict[str, str] = field(default_factory=dict, init=False)
    """Column -> DuckDB type; empty where there are no files."""
    rows: int = field(default=0, init=False)

    def __enter__(self) -> Table:
        self._connection = duckdb.connect(
            config={"threads": 2, "memory_limit": "512MB", "preserve_insertion_order": True}
        )
        self._connection.execute("set TimeZone = 'UTC'")
        if self.files:
            self._view("audited", self.files)
            described = self._connection.execute("describe audited").fetchall()
            self.types = {str(row[0]): str(row[1]) for row in described}
            self.rows = self._count("select count(*) from audited")
        for name, files in self.related.items():
            if files:
                self._view(f"related_{name}", files)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._connection.close()

    def _view(self, name: str, files: Sequence[Path]) -> None:
        relation = self._connection.read_parquet(
            [str(file) for file in files], union_by_name=True, hive_partitioning=False
        )
        relation.create_view(name)

    def _count(self, sql: str) -> int:
        row = self._connection.execute(sql).fetchone()
        return int(row[0]) if row else 0

    def _need(self, columns: Sequence[str]) -> None:
        missing = [column for column in columns if column not in self.types]
        if missing:
            raise FrameUnavailableError(f"column {', '.join(missing)} is missing")

    def values(self, wanted: Mapping[str, bool], where: str | None) -> pd.DataFrame:
        """Few values that stand for all rows that meet `where`, one column beside the other.

        A check of single values holds for every row if and only if it holds for the column's
        distinct values (`wanted[column]` true), and one that asks only for a range or for
        presence if and only if it holds for the least, the greatest and a missing value, if any.
        So one scan and a handful of values judge a table of any size. Shorter columns are filled
        up by repeating a value of their own.
        """
        self._need(tuple(wanted))
        parts = []
        for name, distinct in wanted.items():
            quoted, value = _quoted(name), self._value(name)
            # NaN is a missing value too; where there is none, aggregates skip null by themselves
            given = f"not isnan({quoted})" if self.types[name] in _FLOATS else "true"
            kept = f"filter ({given})" if given != "true" else ""
            if distinct:
                parts.append(f"list(distinct {value}) filter ({given} and {quoted} is not null)")
            else:
                # the sign of the least is the least sign: taken once, not of every row
                least, most = f"min({quoted}) {kept}", f"max({quoted}) {kept}"
                parts.append(f"[{self._shown(name, least)}, {self._shown(name, most)}]")
            parts.append(f"count(*) - count({quoted}) {kept}")
        found = self._connection.execute(
            f"select count(*), {', '.join(parts)} from audited {_where(where)}"
        ).fetchone()
        if found is None or not found[0]:
            return pd.DataFrame({name: pd.Series(dtype="object") for name in wanted})
        columns: dict[str, list[object]] = {}
        for name, seen, missing in zip(wanted, found[1::2], found[2::2], strict=True):
            some = [value for value in seen or () if value is not None]
            columns[name] = [*some, None] if missing else some
        length = max(len(some) for some in columns.values())
        return pd.DataFrame(
            {name: some + some[:1] * (length - len(some)) for name, some in columns.items()}
        )

    def column_rows(self, names: Sequence[str], where: str | None) -> pd.DataFrame:
        """The named columns of every row that meets `where`; the index counts them from 0.

        Strings come as categories, and money as its sign: that keeps null and sign, all a check
        of rows asks of it, and sums are judged as decimals elsewhere.
        """
        self._need(names)
        return self._frame(names, where)

    def distinct(self, names: Sequence[str], where: str | None) -> pd.DataFrame:
        """The distinct combinations of the named columns in the rows that meet `where`."""
        self._need(names)
        chosen = ", ".join(_quoted(name) for name in names)
        return self._connection.execute(
            f"select distinct {chosen} from audited {_where(where)}"
        ).df()

    def _value(self, name: str) -> str:
        return self._shown(name, _quoted(name))

    def _shown(self, name: str, value: str) -> str:
        return f"sign({value})" if self.types[name].startswith("DECIMAL") else value

    def _frame(self, names: Sequence[str], where: str | None) -> pd.DataFrame:
        chosen = ", ".join(f"{self._value(name)} as {_quoted(name)}" for name in names)
        reader = self._connection.execute(
            f"select {chosen} from audited {_where(where)}"
        ).to_arrow_reader(_BATCH_ROWS)
        parts: dict[str, list[pa.Array]] = {name: [] for name in names}
        for batch in reader:
            for name, column in zip(names, batch.columns, strict=True):
                parts[name].append(
                    column.dictionary_encode() if pa.types.is_string(column.type) else column
                )
        return pd.DataFrame(
            {
                name: (
                    pa.chunked_array(chunks).unify_dictionaries().to_pandas()
                    if chunks
                    else pd.Series(dtype="object")
                )
                for name, chunks in parts.items()
            }
        )

    def rows_at(
        self, positions: Sequence[int], names: Sequence[str], where: str | None
    ) -> list[dict[str, str]]:
        """What `names` hold, as text, in the rows at these positions among those of `where`."""
        known = [name for name in names if name in self.types]
        if not known or not positions:
            return []
        chosen = ", ".join(f"cast({_quoted(n)} as varchar) as {_quoted(n)}" for n in known)
        numbers = ", ".join(str(int(position)) for position in positions)
        found = self._connection.execute(
            f"select {chosen} from (select *, row_number() over () - 1 as audited_position "
            f"from audited {_where(where)}) where audited_position in ({numbers}) "
            "order by audited_position"
        ).fetchall()
        return [
            {
                name: "" if value is None else str(value)
                for name, value in zip(known, row, strict=True)
            }
            for row in found
        ]

    def grain(self, columns: Sequence[str]) -> pd.DataFrame:
        """The grains with most rows, with how many: any duplicate is among them, if there is one.

        Columns of the grain, and `rows_of_grain`.
        """
        self._need(columns)
        chosen = ", ".join(_quoted(column) for column in columns)
        # Grouping by one 64-bit hash is several times lighter than by the columns themselves.
        # Two grains with one hash only cost the exact look at the rows of that hash.
        suspects = (
            f"select hash({chosen}) as grain_hash from audited group by all having count(*) > 1"
        )
        exact = (
            f"select {chosen}, count(*) as rows_of_grain from audited "
            f"where hash({chosen}) in ({suspects}) group by all "
            f"order by rows_of_grain desc limit {_GRAINS_SHOWN}"
        )
        frame = self._connection.execute(exact).df()
        if len(frame):
            return frame
        return self._connection.execute(
            f"select {chosen}, 1 as rows_of_grain from audited limit {_GRAINS_SHOWN}"
        ).df()

    def schema(self) -> pd.DataFrame:
        """One row per column: `column_name`, `column_type`."""
        if not self.types:
            raise FrameUnavailableError("there are no files")
        return pd.DataFrame(
            {"column_name": list(self.types), "column_type": list(self.types.values())}
        )

    def partitions(self, column: str) -> dict[Any, int]:
        """Rows by value of the partition column."""
        self._need([column])
        return {
            row[0]: int(row[1])
            for row in self._connection.execute(
                f"select {_quoted(column)}, count(*) from audited group by 1 order by 1"
            ).fetchall()
        }

    def made(self, frame: Frame) -> pd.DataFrame:
        """The rows of a suite's own frame; decimals stay exact."""
        self._need(frame.columns)
        absent = [name for name in frame.needs if not self.related.get(name)]
        if absent:
            raise FrameUnavailableError(f"{', '.join(absent)} was not given to compare with")
        names = {name: f"related_{name}" for name in frame.needs}
        sql = frame.sql.format(table="audited", **names)
        table = self._connection.execute(sql).to_arrow_table()
        return cast(pd.DataFrame, table.to_pandas())


def _where(condition: str | None) -> str:
    return f"where {condition}" if condition else ""
