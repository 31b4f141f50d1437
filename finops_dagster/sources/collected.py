"""A source that is asked rather than delivered to: what it says of each day is kept as a delivery.

How a day is had is the business of a `Collector`; reading what is kept, of `source`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

from filelock import FileLock

from finops_dagster.domain.deliveries import Delivery
from finops_dagster.domain.ids import content_id
from finops_dagster.domain.periods import days
from finops_dagster.sources.kept import keep
from finops_dagster.sources.options import Terms
from finops_dagster.sources.places import Hashes, LocalPlace
from finops_dagster.sources.shapes import Limits, ReadOptions
from finops_dagster.sources.source import FileSource
from finops_dagster.sources.views import Format

SETTLE = timedelta(minutes=10)
"""After a day's end, until its last records are there."""

Collector = Callable[[list[date], Path], Mapping[date, Path]]
"""Given whole days and a scratch folder: the Parquet file of each day, empty days included.

A day it leaves out is left as it is. Raises Unavailable.
"""


@dataclass
class CollectedSource(FileSource):
    """Reads the days that were collected; asks for those within reach once in its life.

    A day that says something else than before is a delivery more, known from when it was asked:
    what was known earlier stays. The first look at a day counts as known at the day's end.
    """

    collect: Collector = field(kw_only=True)
    told_as: str = field(kw_only=True)
    """Whom it asks, to show a person."""
    reach_days: int = field(kw_only=True)
    """Days before today that are asked for."""
    now: Callable[[], datetime] = field(default=lambda: datetime.now(UTC), kw_only=True)
    _asked: bool = field(default=False, init=False, repr=False)

    @property
    def where(self) -> str:
        return self.told_as

    def deliveries(self) -> Iterator[Delivery]:
        """See `FileSource`; asks first. Raises Unavailable."""
        if not self._asked:
            self._ask()
            self._asked = True
        yield from super().deliveries()

    def listing(self) -> str:
        """Changes with the day: more is known once it has ended."""
        return content_id("listing", {"source": self.name, "day": self._last_day()})

    def _last_day(self) -> date:
        return (self.now() - SETTLE).astimezone(UTC).date() - timedelta(days=1)

    def _ask(self) -> None:
        root = self._root
        last = self._last_day()
        wanted = list(days(last - timedelta(days=self.reach_days - 1), last))
        scratch = root / ".collecting"
        with FileLock(str(root / ".lock")):
            scratch.mkdir(exist_ok=True)
            for leftover in scratch.iterdir():
                leftover.unlink()
            for day, file in sorted(self.collect(wanted, scratch).items()):
                place = root / f"day={day.isoformat()}"
                place.mkdir(exist_ok=True)
                keep(place, {"rows.parquet": file}, self.now(), None)
            for leftover in scratch.iterdir():
                leftover.unlink()

    @property
    def _root(self) -> Path:
        assert isinstance(self.place, LocalPlace)
        return self.place.path


def open_collected(
    name: str,
    folder: Path,
    fmt: Format,
    collect: Collector,
    told_as: str,
    reach_days: int,
    limits: Limits | None = None,
    options: ReadOptions | None = None,
    now: Callable[[], datetime] = lambda: datetime.now(UTC),
) -> CollectedSource:
    """The source `name`, whose days are kept in `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    hashes = Hashes()
    return CollectedSource(
        name,
        LocalPlace(folder, hashes),
        fmt,
        hashes,
        limits or Limits(),
        options or ReadOptions(),
        Terms(),
        collect=collect,
        told_as=told_as,
        reach_days=reach_days,
        now=now,
    )
