"""A configured place that one format is delivered to: finds deliveries and reads them.

No format and no settings: both are handed in.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Protocol

import duckdb

from finops_dagster.domain.deliveries import Delivery, Source
from finops_dagster.domain.errors import Fault, Unavailable, disk_full, is_disk_full
from finops_dagster.domain.ids import content_id
from finops_dagster.domain.periods import day_start
from finops_dagster.sources.discovery import Found, content, delivery_id, find
from finops_dagster.sources.extraction import Extraction
from finops_dagster.sources.options import Terms
from finops_dagster.sources.places import Hashes, Place
from finops_dagster.sources.reading import reaches_of, read_delivery
from finops_dagster.sources.shapes import Limits, ReadOptions, ReadResult
from finops_dagster.sources.spools import Spools
from finops_dagster.sources.views import Format, end_of, partition_at


@dataclass(frozen=True)
class _Arrival:
    """What came for one partition."""

    partition: date
    known_at: datetime
    ended: datetime | None
    """When its newest day ended, where nobody said when it became known."""
    content: str
    found: Found

    @property
    def stream(self) -> tuple[str, str]:
        return (self.found.scope or "", self.found.export)


class Readable(Source, Protocol):
    """A source whose deliveries can be opened, whatever they come from."""

    @property
    def where(self) -> str:
        """Its place, to show a person: never holds a secret."""
        ...

    def shown(self, path: str) -> str:
        """A file of it, to show a person."""
        ...

    def listing(self) -> str:
        """Changes when a delivery comes or goes; no row is read. Raises Unavailable."""
        ...

    def read(self, delivery: Delivery) -> ReadResult:
        """Open one delivery. Raises Unavailable."""
        ...


@dataclass
class FileSource:
    """Implements `Readable` over a place."""

    name: str
    place: Place
    format: Format
    hashes: Hashes
    limits: Limits = Limits()  # noqa: RUF009 - frozen
    options: ReadOptions = ReadOptions()  # noqa: RUF009 - frozen
    terms: Terms = Terms()  # noqa: RUF009 - frozen
    extraction: Extraction | None = None
    """Where an API is asked for what is delivered; asking is up to the caller."""
    _spools: Spools = field(init=False, repr=False)
    _reaches: dict[str, dict[date, datetime]] = field(default_factory=dict, repr=False)
    _found: dict[str, Found] = field(default_factory=dict, repr=False)
    """By delivery id, as listed last."""

    def __post_init__(self) -> None:
        self._spools = Spools(self.options.scratch)

    @property
    def where(self) -> str:
        """Its place, to show a person."""
        return self.place.where

    def shown(self, path: str) -> str:
        """A file of it, to show a person."""
        return self.place.shown(path)

    def deliveries(self) -> Iterator[Delivery]:
        """Every delivery found, oldest `known_at` first. Raises Unavailable.

        Files that hold several periods or days are one delivery each. A delivery that repeats
        the one before it, byte for byte under the same file names, is left out.

        Where nobody says when a delivery became known it is when it was written. The oldest of a
        partition was known when its newest day ended, if that was before: a bill of last year
        that is copied here today was known last year. What restates it was not.
        """
        try:
            arrivals = [
                arrival
                for found in find(self.place, self.format.partition_key)
                for arrival in self._arrivals_of(found)
            ]
            arrivals = self._whole(_dated(arrivals))
            listed = [(one, self._id(one.found, one.partition)) for one in arrivals]
        except (OSError, duckdb.Error) as error:
            if told := self._unavailable(error):
                raise told from error
            raise
        self._found = {id_: one.found for one, id_ in listed}
        last: dict[date, str] = {}
        for one, id_ in listed:
            if last.get(one.partition) == one.content:
                continue
            last[one.partition] = one.content
            yield Delivery(
                source=self.name,
                table=self.format.table.name,
                delivery_id=id_,
                partition=one.partition,
                known_at=max(one.known_at, self.terms.known_at() or one.known_at),
                files=one.found.files,
                control_totals=one.found.control_totals,
            )

    def listing(self) -> str:
        """Changes when a file comes, goes or is written; no row is read. Raises Unavailable."""
        return content_id(
            "listing",
            sorted([str(path), entry.mark] for path, entry in self.place.entries().items()),
        )

    def read(self, delivery: Delivery) -> ReadResult:
        """Read one delivery. Raises Unavailable if its files are not those that were found."""
        found = self._found.get(delivery.delivery_id)
        if found is None:
            list(self.deliveries())
            found = self._found.get(delivery.delivery_id)
        if found is None or self._id(found, delivery.partition) != delivery.delivery_id:
            raise Unavailable(f"Files of {self.name} changed since the delivery was found.")
        if found.fault is not None:
            raise Unavailable(f"A delivery of {self.name} is not whole yet.", (found.fault,))
        root = self.place.fetch(file.path for file in found.files)
        try:
            return read_delivery(
                self.format,
                root,
                delivery,
                found.partition is not None,
                self.limits,
                self.hashes,
                self._spools,
                self.options,
            )
        except (OSError, duckdb.Error) as error:
            if told := self._unavailable(error):
                raise told from error
            raise

    def _unavailable(self, error: Exception) -> Unavailable | None:
        """What to tell of an error of disk or network; None of any other."""
        if is_disk_full(error):
            scratch = self.options.scratch or Path(tempfile.gettempdir())
            return disk_full(scratch, f"Rows of {self.name} are spilled there while they are read")
        if isinstance(error, OSError):
            return Unavailable(f"{self.name} could not be read: {error}.")
        return None

    def _id(self, found: Found, partition: date) -> str:
        privacy = self.options.privacy
        parts = (self.terms.digest(self.hashes.of), privacy.digest() if privacy else "")
        terms = " ".join(part for part in parts if part)
        return delivery_id(self.place, found, self.name, partition, terms)

    def _arrivals_of(self, found: Found) -> list[_Arrival]:
        """What was found, by partition."""
        key = self.format.partition_key
        bytes_id = content(self.place, found)
        if found.partition is not None:
            # not opened for this: its name says how far its rows reach at most
            ended = None if found.told else end_of(key, found.partition)
            return [_Arrival(found.partition, found.known_at, ended, bytes_id, found)]
        if bytes_id not in self._reaches:
            root = self.place.fetch(file.path for file in found.files)
            self._reaches[bytes_id] = reaches_of(
                self.format, root, found.files, self.hashes, self._spools, self.options
            )
        if not self._reaches[bytes_id]:
            # rows of unknown time are set aside under the time of their arrival
            partition = partition_at(key, found.known_at)
            return [_Arrival(partition, found.known_at, None, bytes_id, found)]
        return [
            _Arrival(
                partition,
                found.known_at,
                None if found.told else _day_after(latest),
                bytes_id,
                found,
            )
            for partition, latest in self._reaches[bytes_id].items()
        ]

    def _whole(self, arrivals: Sequence[_Arrival]) -> list[_Arrival]:
        """Deliveries of whole partitions: what several scopes sent last is one together.

        Raises Unavailable where two exports hold the same charges, or may: adding them would
        count twice, taking one of them would lose the other.
        """
        streams: dict[date, dict[tuple[str, str], _Arrival]] = {}
        whole = []
        for one in arrivals:
            if one.found.unreadable:
                whole.append(one)
                continue
            held = streams.setdefault(one.partition, {})
            held[one.stream] = one
            if len(held) == 1:
                whole.append(one)
                continue
            scopes = [scope for scope, _ in held]
            if "" in scopes or len(set(scopes)) < len(scopes):
                raise self._overlap([one.found for one in held.values()])
            parts = [held[stream].found for stream in sorted(held)]
            found = Found(
                files=tuple(file for part in parts for file in part.files),
                known_at=one.known_at,
                control_totals=tuple(total for part in parts for total in part.control_totals),
                partition=one.found.partition,
                fault=next((part.fault for part in parts if part.fault), None),
            )
            whole.append(replace(one, found=found, content=content(self.place, found)))
        return whole

    def _overlap(self, parts: Iterable[Found]) -> Unavailable:
        names = ", ".join(one.export or "files without a manifest" for one in parts)
        return Unavailable(
            f"{self.where} holds more than one export: {names}.",
            (
                Fault(
                    code="exports_overlap",
                    file=self.where,
                    expected=f"One export of a bill; found {names}, and nothing says that they "
                    "hold different charges.",
                    hint="Name the folder of one of them as the source's path; make another "
                    "source of another.",
                ),
            ),
        )


def _dated(arrivals: Sequence[_Arrival]) -> list[_Arrival]:
    """By the time each became known, oldest first."""
    dated = []
    seen: set[tuple[date, tuple[str, str]]] = set()
    for one in sorted(arrivals, key=lambda a: (a.known_at, a.partition, a.content)):
        place = (one.partition, one.stream)
        if place not in seen and one.ended is not None:
            one = replace(one, known_at=min(one.known_at, one.ended))
        seen.add(place)
        dated.append(one)
    return sorted(dated, key=lambda a: (a.known_at, a.partition, a.content))


def _day_after(moment: datetime) -> datetime:
    return day_start(moment.astimezone(UTC).date() + timedelta(days=1))
