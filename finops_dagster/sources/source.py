"""A configured place that one format is delivered to: finds deliveries and reads them.

No format and no settings: both are handed in.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

from finops_dagster.domain.deliveries import Delivery
from finops_dagster.domain.errors import Unavailable
from finops_dagster.domain.periods import day_start
from finops_dagster.sources.discovery import (
    Found,
    Hashes,
    content,
    delivery_id,
    find,
    root_of,
)
from finops_dagster.sources.reading import reaches_of, read_delivery
from finops_dagster.sources.shapes import Limits, ReadOptions, ReadResult
from finops_dagster.sources.spools import Spools
from finops_dagster.sources.views import Format, end_of, partition_at


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
    _reaches: dict[str, dict[date, datetime]] = field(default_factory=dict, repr=False)

    def __post_init__(self) -> None:
        self._spools = Spools(self.options.scratch)

    @property
    def folder(self) -> Path:
        """What the paths of its deliveries start from."""
        return self.path.parent if self.path.is_file() else self.path

    def deliveries(self) -> Iterator[Delivery]:
        """Every delivery found, oldest `known_at` first. Raises Unavailable.

        Files that hold several periods or days are one delivery each. A delivery that repeats
        the one before it, byte for byte under the same file names, is left out.

        Where no note says when a delivery became known it is when its newest day ended, or when
        its files were written if that was before: a bill of last year that is copied here today
        was known last year.
        """
        root = root_of(self.path)
        try:
            arrivals = [
                (known_at, partition, content(root, found, self._hashes), found)
                for found in find(self.path, self.format.partition_key)
                for partition, known_at in self._partitions_of(root, found)
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

    def _partitions_of(self, root: Path, found: Found) -> list[tuple[date, datetime]]:
        """Partitions of what was found, and when each became known."""
        key = self.format.partition_key
        if found.partition is not None:
            if found.told:
                return [(found.partition, found.known_at)]
            # not opened for this: the folder says how far its rows reach at most
            return [(found.partition, min(found.known_at, end_of(key, found.partition)))]
        bytes_id = content(root, found, self._hashes)
        if bytes_id not in self._reaches:
            self._reaches[bytes_id] = reaches_of(
                self.format, root, found.files, self._hashes, self._spools, self.options
            )
        if not self._reaches[bytes_id]:
            # rows of unknown time are set aside under the time of their arrival
            return [(partition_at(key, found.known_at), found.known_at)]
        return [
            (partition, found.known_at if found.told else min(found.known_at, _day_after(latest)))
            for partition, latest in self._reaches[bytes_id].items()
        ]


def _day_after(moment: datetime) -> datetime:
    return day_start(moment.astimezone(UTC).date() + timedelta(days=1))
