"""What a format says of a group of files: how each column is had, what to check and to count.

Plain data between a format's module and the reader; the SQL of values comes from `parsing`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Literal, Protocol

import duckdb

from finops_dagster.domain.deliveries import Delivery
from finops_dagster.domain.errors import Fault
from finops_dagster.domain.periods import day_start, month_start, next_month
from finops_dagster.domain.schemas import TableSchema
from finops_dagster.sources.parsing import Note, RawColumn
from finops_dagster.sources.shapes import Limits

PartitionKey = Literal["billing_period", "day"]
PROVENANCE = ("source", "delivery_id", "known_at", "row_number", "file")


@dataclass(frozen=True)
class Check:
    """A row fault: it holds where `condition` is true. `sentence` is SQL of what to tell."""

    code: str
    column: str
    condition: str
    sentence: str


@dataclass
class View:
    """One group of files under one format."""

    values: dict[str, str] = field(default_factory=dict)
    """Column of the table -> SQL over c0, c1, ..."""
    checks: list[Check] = field(default_factory=list)
    """Over the columns of the table and c0, c1, ..."""
    notes: list[tuple[str, Note]] = field(default_factory=list)
    """Column and what to count there, over c0, c1, ..."""
    tolerated: list[Fault] = field(default_factory=list)
    """Deviations of the columns themselves."""
    faults: list[Fault] = field(default_factory=list)
    """Deviations that make the whole delivery useless."""
    extras: list[RawColumn] = field(default_factory=list)
    """Columns the format does not know, for `x_columns`."""
    facts: frozenset[str] = frozenset()
    """Those of `values` that are one text for all rows: SQL that selects it from `before`, which
    has the raw columns and the values before it."""
    file_cost: str = "billed_cost"
    """SQL of what the file itself says that a row costs, where the table has money."""
    file_rest: str = "0"
    """SQL of what rounding to money's decimals took from `file_cost`."""
    kind: str = ""
    """SQL aggregate over one file's rows (its natives `n_...` and `file_name`) that says what kind
    of file it is, where kinds count differently. Values then see `file_kind`, and `period_kinds`:
    those of all files with rows of the same partition."""
    only: str = "true"
    """SQL over its values that is true for the rows that are the table's: others are counted in a
    note and left out, as answers without a label are among labels."""
    reorders: bool = False
    """Whether its SQL takes rows out of the order of their files, as windows do."""
    known: frozenset[str] = frozenset()
    """Names of delivered columns that the format was told beside those of the table: of private
    tables no other name is shown."""
    words: Mapping[str, frozenset[str]] = field(default_factory=dict)
    """`column.key` -> texts that are no secret, since the log's declared schema names them."""
    version: str = ""
    """Of the format, told by the columns, where the format has versions."""


@dataclass(frozen=True)
class Counts:
    """What a first pass over a delivery's rows found. Money by currency."""

    rows_good: int
    rows_bad: int
    """Told apart into values, but faulted; and those not even told apart."""
    cost_unknown: int = 0
    billed_good: dict[str, Decimal] = field(default_factory=dict)
    billed_bad: dict[str, Decimal] = field(default_factory=dict)
    billed_by_file: dict[str, Decimal] = field(default_factory=dict)
    """Over all rows, by what the files themselves say that a row costs."""
    rounded_by_file: dict[str, Decimal] = field(default_factory=dict)
    """Part of `billed_by_file` that is finer than money's decimals."""
    weight_all: dict[str, tuple[Decimal, Decimal]] = field(default_factory=dict)
    """Sum of the absolute billed and effective cost: what shares are taken of."""
    weight_bad: dict[str, tuple[Decimal, Decimal]] = field(default_factory=dict)
    overflow: bool = False
    """The costs do not add up to anything that a DECIMAL(38,20) holds."""


class Format(Protocol):
    """One source system's way to deliver: a module of its own, and a line in the registry."""

    @property
    def table(self) -> TableSchema: ...

    @property
    def partition_key(self) -> PartitionKey: ...

    @property
    def clock(self) -> str:
        """Column that says which partition a row is in."""
        ...

    @property
    def moment(self) -> str:
        """Column that says when what a row tells of began: nobody knew of it before."""
        ...

    @property
    def strict_partition(self) -> bool:
        """Whether a row of another partition than its folder's is faulted."""
        ...

    @property
    def key(self) -> Sequence[str]:
        """Columns that make a row one of a kind; empty where equal rows are legal."""
        ...

    @property
    def partial_key(self) -> Sequence[str]:
        """Those of the key that may be empty."""
        ...

    def view(self, columns: Sequence[RawColumn], files: str) -> View:
        """How the columns of a group become the table's; `files` names the group in faults."""
        ...

    def judge(
        self,
        connection: duckdb.DuckDBPyConnection,
        delivery: Delivery,
        counts: Counts,
        limits: Limits,
    ) -> list[Fault]:
        """Faults of the delivery as a whole. Formats with money find it in the table `totals`."""
        ...


def day_of(clock: str) -> str:
    """SQL of the UTC day of an instant, by whole days since 1970: ten times a cast's speed."""
    return f"(DATE '1970-01-01' + (epoch_us({clock}) // 86400000000)::INTEGER)"


def partition_sql(key: PartitionKey, clock: str) -> str:
    """SQL of the partition that the instant `clock` is in."""
    day = day_of(clock)
    return f"date_trunc('month', {day})::DATE" if key == "billing_period" else day


def partition_at(key: PartitionKey, moment: datetime) -> date:
    """The partition that `moment` is in."""
    day = moment.astimezone(UTC).date()
    return month_start(day) if key == "billing_period" else day


def end_of(key: PartitionKey, partition: date) -> datetime:
    """The instant at which a partition ends."""
    after = next_month(partition) if key == "billing_period" else partition + timedelta(days=1)
    return day_start(after)


def within(key: PartitionKey, clock: str, partition: date) -> str:
    """SQL that is true where the instant `clock` is in `partition`."""
    after = next_month(partition) if key == "billing_period" else partition + timedelta(days=1)
    return f"({clock} >= TIMESTAMPTZ '{partition}' AND {clock} < TIMESTAMPTZ '{after}')"
