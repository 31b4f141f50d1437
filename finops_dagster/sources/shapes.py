"""What a reader is told and what it gives: limits, options, Arrow shapes, the result of a read.

How files are found, opened and judged is elsewhere.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from types import TracebackType

import pyarrow as pa

from finops_dagster.domain.deliveries import Delivery, Landed
from finops_dagster.domain.errors import Fault
from finops_dagster.domain.money import MONEY_PRECISION, MONEY_SCALE
from finops_dagster.domain.schemas import LogicalType, TableSchema
from finops_dagster.sources.private import Privacy


@dataclass(frozen=True)
class Limits:
    """How much of a delivery may be set aside, and how far it may be from its invoice (shares)."""

    quarantined_cost_share: Decimal = Decimal(0)
    quarantined_row_share: Decimal = Decimal("0.01")
    invoice_tolerance: Decimal = Decimal("0.005")


@dataclass(frozen=True)
class ReadOptions:
    """What reading may use of the machine. `scratch` holds spilled rows while it runs, `mirror`
    copies of remote files from run to run, `answers` what APIs said, for good."""

    threads: int = 2
    memory_limit: str = "1GB"
    scratch: Path | None = None
    mirror: Path | None = None
    mirror_bytes: int = 20 * 2**30
    """Of one source; a delivery that is larger is read all the same."""
    answers: Path | None = None
    secrets: Mapping[str, str] = field(default_factory=dict, repr=False)
    """Credentials of the source's API: token, username, password, as far as they are set."""
    privacy: Privacy | None = None
    """How values are treated on their way to landing; None keeps all."""


BATCH_ROWS = 122_880
"""Rows of a batch: DuckDB's own row-group size, so that one batch is one good row group."""

MONEY = pa.decimal128(MONEY_PRECISION, MONEY_SCALE)

ARROW_TYPES: dict[LogicalType, pa.DataType] = {
    LogicalType.STRING: pa.string(),
    LogicalType.MONEY: MONEY,
    LogicalType.FLOAT: pa.float64(),
    LogicalType.INTEGER: pa.int64(),
    LogicalType.BOOLEAN: pa.bool_(),
    LogicalType.TIME: pa.timestamp("us", tz="UTC"),
    LogicalType.DATE: pa.date32(),
    LogicalType.STRING_MAP: pa.map_(pa.string(), pa.string()),
    LogicalType.FLOAT_MAP: pa.map_(pa.string(), pa.float64()),
}

QUARANTINE_SCHEMA = pa.schema(
    [
        pa.field("source", pa.string(), nullable=False),
        pa.field("delivery_id", pa.string(), nullable=False),
        pa.field("known_at", pa.timestamp("us", tz="UTC"), nullable=False),
        pa.field("table", pa.string(), nullable=False),
        pa.field("file", pa.string(), nullable=False),
        pa.field("row_number", pa.int64()),
        pa.field("reasons", pa.list_(pa.string()), nullable=False),
        pa.field("raw", pa.string(), nullable=False),
        pa.field("billed_cost", MONEY),
        pa.field("billing_currency", pa.string()),
    ]
)
"""A row set aside. `raw` is JSON text of the row as it was read; `row_number` is empty for a
file of which no row could be read. A reason is `code column: sentence`."""


def arrow_schema(table: TableSchema) -> pa.Schema:
    """The Arrow schema of a declared table."""
    return pa.schema(
        [pa.field(c.name, ARROW_TYPES[c.type], nullable=c.nullable) for c in table.columns]
    )


class ReadResult:
    """One delivery being read: drain `rows` and `quarantine`, then ask `landed`.

    `set_faults` is known at once: if there is one, `rows` is empty and every row is in
    `quarantine`. Use as a context manager, or call `close`: it frees the scratch space.
    """

    def __init__(
        self,
        delivery: Delivery,
        rows: pa.RecordBatchReader,
        quarantine: pa.RecordBatchReader,
        set_faults: tuple[Fault, ...],
        account: Callable[[], Landed],
        release: Callable[[], None],
    ) -> None:
        self.delivery = delivery
        self.rows = rows
        self.quarantine = quarantine
        self.set_faults = set_faults
        self._account = account
        self._release = release

    @property
    def landed(self) -> Landed:
        """What became of the delivery.

        Raises RuntimeError before both streams are drained, Unavailable if the files changed
        while they were read.
        """
        return self._account()

    def close(self) -> None:
        """Free connection and scratch space; safe to call twice."""
        self._release()

    def __enter__(self) -> ReadResult:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()
