"""The landing zone: accepted rows and set-aside rows of each delivery, and its record.

A delivery is in the lake when its record is: the record is written last, so a killed run leaves
files that the next one overwrites with the same bytes.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path

import pyarrow as pa

from finops_dagster.domain.deliveries import Delivery, Landed
from finops_dagster.domain.schemas import LANDING_TABLES
from finops_dagster.storage.files import Layout, arrow_schema, write_json, write_parquet

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

    def _of_the_same_instant(self, delivery: Delivery) -> list[Delivery]:
        folder = self._record_path(delivery).parent
        held = [
            Landed.model_validate_json(path.read_text(encoding="utf-8")).delivery
            for path in folder.glob(f"{delivery.partition.isoformat()}.*.json")
        ]
        return [
            one
            for one in held
            if one.known_at == delivery.known_at and one.delivery_id != delivery.delivery_id
        ]

    def seal(self, landed: Landed) -> None:
        """Record what became of a delivery; one with a set fault is kept out of the warehouse.

        A delivery of the same instant that landed before is another state of the same files, and
        nothing says which came later but that this one is there now: it takes the other's place.
        """
        delivery = landed.delivery
        for rival in self._of_the_same_instant(delivery):
            self.rows_file(rival).unlink(missing_ok=True)
            self._accepted_path(rival).unlink(missing_ok=True)
            self._record_path(rival).unlink(missing_ok=True)
        if landed.set_faults:
            self.rows_file(delivery).unlink(missing_ok=True)
            self._accepted_path(delivery).unlink(missing_ok=True)
        else:
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
