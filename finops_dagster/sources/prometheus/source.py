"""A Prometheus, or a store that speaks its HTTP API, as a source: a delivery for every UTC day.

How a day is fetched is in `extraction`, how it becomes rows in `rollup`; both stay on disk.
"""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import duckdb
from filelock import FileLock

from finops_dagster.domain.deliveries import DeliveredFile, Delivery, Landed
from finops_dagster.domain.errors import Fault, Unavailable, disk_full, is_disk_full
from finops_dagster.domain.ids import content_id
from finops_dagster.domain.periods import day_start
from finops_dagster.sources.places import Hashes
from finops_dagster.sources.prometheus.catalogue import CATALOGUE, NAMES, OWNERS, POD_PHASE
from finops_dagster.sources.prometheus.client import Client
from finops_dagster.sources.prometheus.extraction import Extraction, written
from finops_dagster.sources.prometheus.options import Credentials, PrometheusOptions
from finops_dagster.sources.prometheus.plan import DAY_SECONDS, digest
from finops_dagster.sources.prometheus.promql import selector
from finops_dagster.sources.prometheus.rollup import roll_up
from finops_dagster.sources.prometheus.statistics import Statistics
from finops_dagster.sources.reading import Workspace, read_delivery
from finops_dagster.sources.shapes import Limits, ReadOptions, ReadResult
from finops_dagster.sources.spools import Spools
from finops_dagster.sources.telemetry import TELEMETRY

_ROWS, _NOTES, _SINCE = "rows.parquet", "notes.json", "since"
_SKEW_TOLD_SECONDS = 30
"""Machines that keep their time by NTP are apart by far less."""


@dataclass
class PrometheusSource:
    """Implements `sources.source.Readable` over a store's HTTP API.

    `folder` holds what was fetched, from run to run: an interrupted day goes on from there.
    """

    name: str
    url: str
    options: PrometheusOptions
    folder: Path
    credentials: Credentials = Credentials()  # noqa: RUF009 - frozen
    limits: Limits = Limits()  # noqa: RUF009 - frozen
    read_options: ReadOptions = ReadOptions()  # noqa: RUF009 - frozen
    now: Callable[[], datetime] = lambda: datetime.now(UTC)
    sleep: Callable[[float], None] = time.sleep
    statistics: Statistics = field(default_factory=Statistics)
    _client: Client = field(init=False, repr=False)
    _names: dict[date, frozenset[str]] = field(default_factory=dict, repr=False)
    """Of the days that were found to have samples."""

    def __post_init__(self) -> None:
        self._client = Client(
            self.name,
            self.url,
            self.options,
            self.credentials,
            self.statistics,
            self.now,
            self.sleep,
        )

    @property
    def where(self) -> str:
        """The store, to show a person."""
        return self.url

    def shown(self, path: str) -> str:
        """A file of it, to show a person."""
        return f"{self.url}: {path}"

    def deliveries(self) -> Iterator[Delivery]:
        """Every day that ended, is within reach and has samples, oldest first. Raises Unavailable.

        A day was known when it had ended and settled, also where it is fetched later: samples do
        not change any more. Where what is asked changed since, it is another delivery, known since
        that change.
        """
        since = self._since()
        for day in self._days():
            if self._has(day):
                yield Delivery(
                    source=self.name,
                    table=TELEMETRY.table.name,
                    delivery_id=self._id(day),
                    partition=day,
                    known_at=max(self._settled(day), since),
                    files=(),
                )

    def listing(self) -> str:
        """Changes when a day comes or goes. Raises Unavailable."""
        return content_id("listing", [one.delivery_id for one in self.deliveries()])

    def read(self, delivery: Delivery) -> ReadResult:
        """Read one day, after fetching what is not on disk yet. Raises Unavailable."""
        day = delivery.partition
        if delivery.delivery_id != self._id(day):
            raise Unavailable(f"What is asked of {self.name} changed since the delivery was found.")
        try:
            notes = self._fetched(day)
            file = DeliveredFile(path=Path(_ROWS))
            reading = read_delivery(
                TELEMETRY,
                self._folder(day).resolve(),
                delivery.model_copy(update={"files": (file,)}),
                True,
                self.limits,
                Hashes(),
                Spools(self.read_options.scratch),
                self.read_options,
            )
        except (OSError, duckdb.Error) as error:
            if is_disk_full(error):
                what = f"Days of {self.name} are kept there while they are fetched"
                raise disk_full(self.folder, what) from error
            raise
        return _with_notes(reading, notes)

    @property
    def _terms(self) -> str:
        """All that decides what rows a day becomes; how it is fetched is none of it."""
        options = self.options
        return content_id(
            "terms",
            {
                "source": self.name,
                "url": self._client.url,
                "catalogue": digest(CATALOGUE),
                "cluster": options.cluster,
                "cluster_label": options.cluster_label,
                "step_seconds": options.step_seconds,
                "scrape_seconds": options.scrape_seconds,
                "owners": options.owners,
                "matchers": options.matchers,
                # what was landed before there were any stays as it is
                **({"pod_labels": options.label_series} if options.pod_labels else {}),
            },
        )

    def _id(self, day: date) -> str:
        return content_id("delivery", {"terms": self._terms, "partition": day})

    @property
    def _root(self) -> Path:
        return self.folder / self.name / self._terms

    def _folder(self, day: date) -> Path:
        return self._root / f"day={day.isoformat()}"

    def _days(self) -> Iterator[date]:
        """Days that ended and settled, within reach, oldest first."""
        today = self.now().astimezone(UTC).date()
        for back in range(self.options.reach_days, 0, -1):
            day = today - timedelta(days=back)
            if self._settled(day) <= self.now():
                yield day

    def _settled(self, day: date) -> datetime:
        return day_start(day + timedelta(days=1)) + timedelta(minutes=self.options.settle_minutes)

    def _since(self) -> datetime:
        """When these terms were set; the first terms of a source were always there."""
        mark = self._root / _SINCE
        if not mark.exists():
            others = [one for one in self.folder.glob(f"{self.name}/*/{_SINCE}") if one != mark]
            moment = self.now() if others else datetime.fromtimestamp(0, UTC)
            self._root.mkdir(parents=True, exist_ok=True)
            written(mark, lambda aside: aside.write_text(moment.isoformat(), encoding="utf-8"))
        return datetime.fromisoformat(mark.read_text(encoding="utf-8"))

    def _has(self, day: date) -> bool:
        """Whether the store has samples of a day that we know a use for."""
        if day in self._names or (self._folder(day) / _NOTES).exists():
            return True
        names = self._listed(day)
        if not Extraction(self._client, self.options, self.statistics).holds(
            day, names - {*OWNERS, POD_PHASE}
        ):
            return False
        self._names[day] = names
        return True

    def _listed(self, day: date) -> frozenset[str]:
        start = int(day_start(day).timestamp())
        every = f'__name__=~"{"|".join(sorted(NAMES))}"'
        match = selector("", (every, *self.options.matchers))
        return self._client.names(match, start, start + DAY_SECONDS - 1) & NAMES

    def _fetched(self, day: date) -> list[Fault]:
        """The notes of a day whose rows are on disk; it is fetched where they are not."""
        folder = self._folder(day)
        folder.mkdir(parents=True, exist_ok=True)
        with FileLock(folder / "lock"):
            kept = folder / _NOTES
            if not kept.exists():
                self._fetch(day, folder)
            return [Fault.model_validate(one) for one in json.loads(kept.read_text("utf-8"))]

    def _fetch(self, day: date, folder: Path) -> None:
        self._drop_out_of_reach()
        parts = folder / "answers"
        names = self._names.get(day) or self._listed(day)
        extraction = Extraction(self._client, self.options, self.statistics)
        extracted = extraction.day(day, names, parts)
        notes = list(self._clock_notes(day))
        space = Workspace(self.read_options)
        try:
            written(
                folder / _ROWS,
                lambda aside: notes.extend(
                    roll_up(space.connection, day, extracted, self.options, aside).notes
                ),
            )
        finally:
            space.close()
        text = json.dumps([note.model_dump(mode="json") for note in notes])
        # written last: a day without it is fetched on from its parts
        written(folder / _NOTES, lambda aside: aside.write_text(text, encoding="utf-8"))
        shutil.rmtree(parts)

    def _clock_notes(self, day: date) -> Iterator[Fault]:
        """Raises Unavailable where the store's clock says that the day has not ended."""
        skew = self.statistics.skew_seconds
        if abs(skew) <= _SKEW_TOLD_SECONDS:
            return
        fault = Fault(
            code="clock_skew",
            file=self.url,
            expected=f"The store's clock within {_SKEW_TOLD_SECONDS} s of ours; it is "
            f"{abs(skew):.0f} s {'ahead' if skew > 0 else 'behind'}.",
            hint="Set both machines' clocks by NTP: intervals are those of the scraping machine.",
        )
        if self.now() + timedelta(seconds=skew) < self._settled(day):
            raise Unavailable(
                f"{self.name} has not ended {day} by its own clock, which is {abs(skew):.0f} s "
                "behind ours.",
                (fault,),
            )
        yield fault

    def _drop_out_of_reach(self) -> None:
        """Days that are asked no more have landed, or never will."""
        first = self.now().astimezone(UTC).date() - timedelta(days=self.options.reach_days)
        for folder in self._root.glob("day=*"):
            if date.fromisoformat(folder.name.removeprefix("day=")) < first:
                shutil.rmtree(folder)


def _with_notes(reading: ReadResult, notes: list[Fault]) -> ReadResult:
    """The same read, whose account also tells what was noted while the day was fetched."""

    def account() -> Landed:
        landed = reading.landed
        return landed.model_copy(update={"conformance": (*landed.conformance, *notes)})

    return ReadResult(
        reading.delivery,
        reading.rows,
        reading.quarantine,
        reading.set_faults,
        account,
        reading.close,
    )
