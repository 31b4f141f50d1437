"""A configured place that one format is delivered to: finds deliveries and reads them.

No format and no settings: both are handed in.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path

from finops_dagster.domain.deliveries import Delivery
from finops_dagster.domain.errors import Unavailable
from finops_dagster.sources.discovery import (
    Found,
    Hashes,
    content,
    delivery_id,
    find,
    root_of,
)
from finops_dagster.sources.reading import partitions_of, read_delivery
from finops_dagster.sources.shapes import Limits, ReadOptions, ReadResult
from finops_dagster.sources.spools import Spools
from finops_dagster.sources.views import Format, partition_at


@dataclass
class FileSource:
    """Implements `domain.deliveries.Source` over a file or folder, plus `read`."""

    name: str
    path: Path
    format: Format
    limits: Limits = Limits()  # noqa: RUF009 - frozen
    options: ReadOptions = ReadOptions()  # noqa: RUF009 - frozen
    _hashes: Hashes = field(default_factory=Hashes, repr=False)
    _spools: Spools = field(init=False, repr=False)
    _partitions: dict[str, list[date]] = field(default_factory=dict, repr=False)

    def __post_init__(self) -> None:
        self._spools = Spools(self.options.scratch)

    def deliveries(self) -> Iterator[Delivery]:
        """Every delivery found, oldest `known_at` first. Raises Unavailable.

        Files that hold several periods or days are one delivery each. A delivery that repeats
        the one before it, byte for byte under the same file names, is left out.
        """
        root = root_of(self.path)
        try:
            arrivals = [
                (found.known_at, partition, content(root, found, self._hashes), found)
                for found in find(self.path, self.format.partition_key)
                for partition in self._partitions_of(root, found)
            ]
        except OSError as error:
            raise Unavailable(f"{self.name} could not be read: {error}.") from error
        last: dict[date, str] = {}
        for known_at, partition, bytes_id, found in sorted(arrivals, key=lambda a: a[:3]):
            if last.get(partition) == bytes_id:
                continue
            last[partition] = bytes_id
            yield Delivery(
                source=self.name,
                table=self.format.table.name,
                delivery_id=delivery_id(root, found, self.name, partition, self._hashes),
                partition=partition,
                known_at=known_at,
                files=found.files,
                control_totals=found.control_totals,
            )

    def read(self, delivery: Delivery) -> ReadResult:
        """Read one delivery. Raises Unavailable if its files are not those that were found."""
        root = root_of(self.path)
        found = Found(delivery.files, delivery.known_at, delivery.control_totals, None)
        held = delivery_id(root, found, self.name, delivery.partition, self._hashes)
        if held != delivery.delivery_id:
            raise Unavailable(f"Files of {self.name} changed since the delivery was found.")
        return read_delivery(
            self.format, root, delivery, self.limits, self._hashes, self._spools, self.options
        )

    def _partitions_of(self, root: Path, found: Found) -> list[date]:
        if found.partition is not None:
            return [found.partition]
        bytes_id = content(root, found, self._hashes)
        if bytes_id not in self._partitions:
            self._partitions[bytes_id] = partitions_of(
                self.format, root, found.files, self._hashes, self._spools, self.options
            )
        # rows of unknown time are set aside under the time of their arrival
        fallback = partition_at(self.format.partition_key, found.known_at)
        return self._partitions[bytes_id] or [fallback]
