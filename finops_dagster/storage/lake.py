"""The landing zone: accepted rows and set-aside rows of each delivery, its totals and its record.

A delivery is in the lake when its record is: the record is written last, so a killed run leaves
files that the next one overwrites with the same bytes. What is kept for how long: `retention`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path

import duckdb
import pyarrow as pa
from filelock import FileLock, Timeout

from finops_dagster.domain.deliveries import Delivery, Landed
from finops_dagster.domain.rates import Rates
from finops_dagster.domain.schemas import CHARGES, LANDING_TABLES
from finops_dagster.storage.files import (
    Layout,
    arrow_schema,
    atomically,
    write_json,
    write_parquet,
)

_RECORD = pa.schema(
    [
        pa.field("source", pa.string(), nullable=False),
        pa.field("delivery_id", pa.string(), nullable=False),
        pa.field("partition", pa.date32(), nullable=False),
        pa.field("known_at", pa.timestamp("us", tz="UTC"), nullable=False),
        pa.field("rows_landed", pa.int64(), nullable=False),
        pa.field("table", pa.string(), nullable=False),
    ]
)
_RATES = pa.schema(
    [
        ("day", pa.date32()),
        ("from_currency", pa.string()),
        ("to_currency", pa.string()),
        ("rate", pa.decimal128(22, 16)),
        ("taken_at", pa.timestamp("us", tz="UTC")),
    ]
)

_TOTALLED = ("service_name", "billing_account_id", "sub_account_id", "billing_currency")
_SUMMED = ("billed_cost", "effective_cost", "list_cost", "contracted_cost")
_TOTALS = """
    copy (
        select source, delivery_id, {by}, charge_class, {sums}, count(*) as charge_count
        from read_parquet(?)
        group by all
        order by all
    ) to '{to}' (format parquet, compression zstd)
"""


def in_force(deliveries: Iterable[Delivery], cutoff: datetime) -> list[Delivery]:
    """Per source and partition, the delivery known last at `cutoff`; ties by greatest id."""
    newest: dict[tuple[str, str, date], Delivery] = {}
    for delivery in deliveries:
        if delivery.known_at > cutoff:
            continue
        place = (delivery.table, delivery.source, delivery.partition)
        held = newest.get(place)
        if held is None or (delivery.known_at, delivery.delivery_id) > (
            held.known_at,
            held.delivery_id,
        ):
            newest[place] = delivery
    return [newest[place] for place in sorted(newest)]


@dataclass(frozen=True)
class Lake:
    """Reads and writes the landing zone under one layout."""

    layout: Layout

    def _record_path(self, delivery: Delivery) -> Path:
        return (
            self.layout.landing
            / "records"
            / delivery.table
            / delivery.source
            / f"{delivery.partition.isoformat()}.{delivery.delivery_id}.json"
        )

    def _file(self, base: Path, delivery: Delivery) -> Path:
        return (
            base
            / delivery.table
            / f"partition={delivery.partition.isoformat()}"
            / f"{delivery.source}.{delivery.delivery_id}.parquet"
        )

    def _accepted_path(self, delivery: Delivery) -> Path:
        return (
            self.layout.landing
            / "deliveries"
            / delivery.table
            / f"{delivery.partition.isoformat()}.{delivery.source}.{delivery.delivery_id}.parquet"
        )

    def _totals_path(self, delivery: Delivery) -> Path:
        return (
            self.layout.landing
            / "totals"
            / delivery.table
            / f"{delivery.partition.isoformat()}.{delivery.source}.{delivery.delivery_id}.parquet"
        )

    def record(self, delivery: Delivery) -> Landed | None:
        """What became of this delivery, or None if it has not been read to its end yet."""
        path = self._record_path(delivery)
        if not path.exists():
            return None
        return Landed.model_validate_json(path.read_text(encoding="utf-8"))

    def records(self, table: str) -> list[Landed]:
        """Every delivery of a table read so far, accepted or refused, by partition."""
        return [
            Landed.model_validate_json(path.read_text(encoding="utf-8"))
            for path in sorted((self.layout.landing / "records" / table).glob("*/*.json"))
        ]

    def records_beside(self, delivery: Delivery) -> list[Landed]:
        """Every delivery of the same source and partition read so far, this one included."""
        folder = self._record_path(delivery).parent
        return [
            Landed.model_validate_json(path.read_text(encoding="utf-8"))
            for path in sorted(folder.glob(f"{delivery.partition.isoformat()}.*.json"))
        ]

    def holds(self, delivery: Delivery) -> bool:
        """Whether rows of a delivery are here, accepted or set aside; those of a pruned are not."""
        return self.rows_file(delivery).exists() or self.quarantine_file(delivery).exists()

    @contextmanager
    def alone(self, *, wait: bool = False) -> Iterator[bool]:
        """Hold the lake against pruning by others; false, where it is held and not waited for."""
        self.layout.landing.mkdir(parents=True, exist_ok=True)
        lock = FileLock(str(self.layout.landing / ".lock"), timeout=-1 if wait else 0)
        try:
            lock.acquire()
        except Timeout:
            yield False
            return
        try:
            yield True
        finally:
            lock.release()

    def rows_file(self, delivery: Delivery) -> Path:
        """Where the accepted rows of a delivery are."""
        return self._file(self.layout.landing, delivery)

    def quarantine_file(self, delivery: Delivery) -> Path:
        """Where the rows of a delivery that were set aside are, with their reasons."""
        return self._file(self.layout.quarantine, delivery)

    def write(
        self,
        delivery: Delivery,
        rows: pa.RecordBatchReader,
        quarantine: pa.RecordBatchReader,
    ) -> None:
        """Write both streams of a delivery; `seal` makes it count."""
        write_parquet(self.rows_file(delivery), rows, arrow_schema(LANDING_TABLES[delivery.table]))
        write_parquet(self.quarantine_file(delivery), quarantine, quarantine.schema)

    def total(self, delivery: Delivery) -> None:
        """Sum the costs of a landed bill, unless that was done: they outlive its rows.

        They tell what a later delivery changed. One scan of a few columns, a few rows an account.
        """
        if delivery.table != CHARGES.name or self._totals_path(delivery).exists():
            return
        rows = str(self.rows_file(delivery))

        def write(aside: Path) -> None:
            with duckdb.connect(config={"threads": 2}) as connection:
                connection.execute(
                    _TOTALS.format(
                        by=", ".join(_TOTALLED),
                        sums=", ".join(f"sum({name}) as {name}" for name in _SUMMED),
                        to=str(aside).replace("'", "''"),
                    ),
                    [[rows]],
                )

        atomically(self._totals_path(delivery), write)

    def seal(self, landed: Landed) -> None:
        """Record what became of a delivery; one with a set fault is kept out of the warehouse.

        A delivery of the same instant that landed before is another state of the same files, and
        nothing says which came later but that this one is there now: it takes the other's place.
        """
        delivery = landed.delivery
        for other in self.records_beside(delivery):
            rival = other.delivery
            if rival.known_at == delivery.known_at and rival.delivery_id != delivery.delivery_id:
                self._take_out(rival)
                # the same files under another privacy policy may have shown more
                self.quarantine_file(rival).unlink(missing_ok=True)
                self._record_path(rival).unlink(missing_ok=True)
        if landed.set_faults:
            self._take_out(delivery)
        else:
            self._totals_path(delivery).unlink(missing_ok=True)
            self.total(delivery)
            record = pa.RecordBatch.from_pylist(
                [
                    {
                        "source": delivery.source,
                        "delivery_id": delivery.delivery_id,
                        "partition": delivery.partition,
                        "known_at": delivery.known_at,
                        "rows_landed": landed.rows_landed,
                        "table": delivery.table,
                    }
                ],
                schema=_RECORD,
            )
            write_parquet(
                self._accepted_path(delivery),
                pa.RecordBatchReader.from_batches(_RECORD, [record]),
                _RECORD,
            )
        write_json(self._record_path(delivery), landed.model_dump(mode="json"))

    def _take_out(self, delivery: Delivery) -> None:
        self._accepted_path(delivery).unlink(missing_ok=True)
        self._totals_path(delivery).unlink(missing_ok=True)
        self.rows_file(delivery).unlink(missing_ok=True)

    def write_rates(self, rates: Rates) -> None:
        """Keep the rates for dbt, beside the landed tables, as `rates.parquet`."""
        rows = [
            {
                "day": one.day,
                "from_currency": one.source,
                "to_currency": one.target,
                "rate": one.rate,
                "taken_at": one.taken_at,
            }
            for one in rates.rows
        ]
        batch = pa.RecordBatch.from_pylist(rows, schema=_RATES)
        reader = pa.RecordBatchReader.from_batches(_RATES, [batch])
        write_parquet(self.layout.landing / "rates.parquet", reader, _RATES)

    def prune(self, delivery: Delivery) -> int:
        """Remove the rows of a delivery, accepted and set aside; returns the bytes given back.

        Its record and its totals stay. Doing it again, or after a kill in the midst, is harmless.
        """
        freed = 0
        for path in (self.quarantine_file(delivery), self.rows_file(delivery)):
            if path.exists():
                freed += path.stat().st_size
                path.unlink()
        return freed
