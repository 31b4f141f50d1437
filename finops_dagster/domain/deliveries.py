"""A delivery: one arrival of a source's data, what landed of it and what was set aside."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, datetime
from pathlib import Path
from typing import Protocol

from pydantic import BaseModel, ConfigDict

from finops_dagster.domain.errors import Fault
from finops_dagster.domain.money import Amount


class ControlTotal(BaseModel):
    """What an account owes for a window by its invoice, or by the delivery's own manifest."""

    model_config = ConfigDict(frozen=True)

    billing_account_id: str
    billing_currency: str
    start: date
    end: date
    """Exclusive."""
    billed_cost: Amount


class DeliveredFile(BaseModel):
    """One file of a delivery; rows and sha256 are what the sender says, where it says so."""

    model_config = ConfigDict(frozen=True)

    path: Path
    rows: int | None = None
    sha256: str | None = None


class Delivery(BaseModel):
    """One arrival. `partition` is the first day of the billing period, or the UTC day."""

    model_config = ConfigDict(frozen=True)

    source: str
    table: str
    delivery_id: str
    """Content hash over file names and bytes: the same bytes are the same delivery."""
    partition: date
    known_at: datetime
    files: tuple[DeliveredFile, ...]
    control_totals: tuple[ControlTotal, ...] = ()


class Landed(BaseModel):
    """What became of a delivery: rows and money in, landed and set aside, and every fault."""

    model_config = ConfigDict(frozen=True)

    delivery: Delivery
    rows_in: int
    rows_landed: int
    rows_quarantined: int
    billed_in: dict[str, Amount]
    """BilledCost by currency over all rows read; empty for tables without money."""
    billed_landed: dict[str, Amount]
    billed_quarantined: dict[str, Amount]
    file_billed: dict[str, Amount] = {}
    """What the files themselves say they cost, by currency, from their own cost column."""
    file_rounded: dict[str, Amount] = {}
    """The part of it that is finer than the 20 decimals of money, so that no row can hold it."""
    versions: tuple[str, ...] = ()
    """Of the format, told by the files' columns, oldest first; empty where it has none."""
    quarantined_cost_unknown: int
    """Quarantined rows whose cost could not be read: their share of cost is not known."""
    set_faults: tuple[Fault, ...]
    """Faults of the delivery as a whole: any one fails the gate."""
    row_faults: tuple[Fault, ...]
    """At most 100 of the row faults, in order; the quarantine holds all."""
    conformance: tuple[Fault, ...]
    """Deviations from the format that were mended or tolerated, one by one."""


class Source(Protocol):
    """One system that data comes from."""

    name: str

    def deliveries(self) -> Iterator[Delivery]:
        """Every delivery found, oldest `known_at` first. Raises Unavailable."""
        ...
