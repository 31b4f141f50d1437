"""Reads one delivery: opens its files, counts, judges, then hands out rows or sets all aside.

The order of the steps lives here; each step is a module of its own.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Sequence
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from typing import TypeVar

import duckdb

from finops_dagster.domain.deliveries import DeliveredFile, Delivery, Landed
from finops_dagster.domain.errors import Fault, Unavailable
from finops_dagster.domain.money import exact_sum
from finops_dagster.sources import counting, streams
from finops_dagster.sources.columns import QUOTED
from finops_dagster.sources.opening import Opened, drop_damaged, open_delivery
from finops_dagster.sources.places import Hashes
from finops_dagster.sources.private import MASKED_QUOTED, without_names
from finops_dagster.sources.quarantine import Quarantine, stray_rows
from finops_dagster.sources.shapes import Limits, ReadOptions, ReadResult
from finops_dagster.sources.spools import Spools
from finops_dagster.sources.views import Counts, Format

T = TypeVar("T")


class Workspace:
    """A scratch folder and a DuckDB of its own, freed together."""

    def __init__(self, options: ReadOptions) -> None:
        self._folder = tempfile.TemporaryDirectory(prefix="finops-read-", dir=options.scratch)
        self.path = Path(self._folder.name)
        self.connection = duckdb.connect(
            config={
                "threads": options.threads,
                "memory_limit": options.memory_limit,
                "temp_directory": str(self.path / "spill"),
                "autoinstall_known_extensions": False,
                "autoload_known_extensions": False,
            }
        )
        # global: cursors are connections of their own
        self.connection.execute("SET GLOBAL TimeZone = 'UTC'")
        self.privacy = options.privacy
        self.masked = self.privacy is not None and self.privacy.masked
        self.connection.execute(MASKED_QUOTED if self.masked else QUOTED)

    def close(self) -> None:
        self.connection.close()
        self._folder.cleanup()


def reaches_of(
    fmt: Format,
    root: Path,
    files: Sequence[DeliveredFile],
    hashes: Hashes,
    spools: Spools,
    options: ReadOptions,
) -> dict[date, datetime]:
    """The partitions that the rows of `files` are in, oldest first, and how far each reaches.

    Empty if none can be told.
    """
    space = Workspace(options)
    try:
        opened = open_delivery(space.connection, root, files, space.path, hashes, spools)

        def look() -> dict[date, datetime]:
            typed = counting.type_rows(space.connection, fmt, opened.groups, opened.names)
            return counting.reaches(space.connection, fmt, typed)

        return despite_damage(space.connection, opened, look)
    finally:
        space.close()


def read_delivery(
    fmt: Format,
    root: Path,
    delivery: Delivery,
    named: bool,
    limits: Limits,
    hashes: Hashes,
    spools: Spools,
    options: ReadOptions,
) -> ReadResult:
    """Open, count and judge a delivery; its rows are read while the result is drained.

    `named`: its partition was told by folder or note, so that all rows are meant to be of it.
    """
    space = Workspace(options)
    try:
        return _read(fmt, root, delivery, named, limits, hashes, spools, space)
    except BaseException:
        space.close()
        raise


def _read(
    fmt: Format,
    root: Path,
    delivery: Delivery,
    named: bool,
    limits: Limits,
    hashes: Hashes,
    spools: Spools,
    space: Workspace,
) -> ReadResult:
    connection = space.connection
    opened = open_delivery(connection, root, delivery.files, space.path, hashes, spools)
    before = _stamps(opened)
    typed, strays, counts, notes = despite_damage(
        connection, opened, lambda: _prepare(fmt, connection, delivery, named, opened)
    )
    faults = [*opened.faults]
    for one in typed:
        faults.extend(one.view.faults)
    if not delivery.files:
        faults.append(_no_files())
    if not faults:
        # what was set aside and what an invoice says mean nothing of half a delivery
        faults.extend(fmt.judge(connection, delivery, counts, limits))
    known = {*fmt.table.names, *(name for one in typed for name in one.view.known)}
    if space.masked:
        faults = [without_names(one, known) for one in faults]
    set_faults = tuple(dict.fromkeys(faults))
    drained = streams.Drained()
    rows = streams.good_rows(
        connection,
        fmt.table,
        delivery,
        opened,
        () if set_faults else typed,
        drained,
        space.privacy,
    )
    quarantine = Quarantine(fmt.table, delivery, opened, set_faults, strays, drained, space.privacy)

    def account() -> Landed:
        if not drained.done:
            raise RuntimeError("Drain rows and quarantine before asking what landed.")
        expected = 0 if set_faults else counts.rows_good
        if _stamps(opened) != before or drained.good != expected:
            raise Unavailable(f"Files of {delivery.source} changed while they were read.")
        versions = tuple(sorted({one.view.version for one in typed if one.view.version}))
        notes_of_all = [*opened.notes, *notes, *_map_notes(drained)]
        if space.masked:
            notes_of_all = [without_names(one, known) for one in notes_of_all]
        return _landed(delivery, counts, set_faults, drained, notes_of_all, versions)

    return ReadResult(
        delivery, rows, quarantine.reader(connection, typed), set_faults, account, space.close
    )


def despite_damage(
    connection: duckdb.DuckDBPyConnection, opened: Opened, step: Callable[[], T]
) -> T:
    """Do a step; if files turn out to be damaged, do it again without them."""
    try:
        return step()
    except duckdb.Error:
        if not drop_damaged(connection, opened):
            raise
        return step()


def _prepare(
    fmt: Format,
    connection: duckdb.DuckDBPyConnection,
    delivery: Delivery,
    named: bool,
    opened: Opened,
) -> tuple[list[counting.Typed], bool, Counts, list[Fault]]:
    typed = counting.type_rows(connection, fmt, opened.groups, opened.names)
    present = counting.partitions(connection, fmt, typed)
    strays = counting.confine(fmt, typed, delivery.partition, present, named)
    counting.fault_repetitions(connection, fmt, typed)
    lost = stray_rows(opened) if strays else 0
    counts, notes = counting.count(connection, fmt, typed, lost)
    return typed, strays, counts, notes


def _stamps(opened: Opened) -> dict[int, tuple[int, int, int] | None]:
    """Size, time and inode of every file; None of one that is gone."""
    stamps: dict[int, tuple[int, int, int] | None] = {}
    for number, path in opened.paths.items():
        try:
            stat = path.stat()
        except FileNotFoundError:
            stamps[number] = None
        else:
            stamps[number] = (stat.st_size, stat.st_mtime_ns, stat.st_ino)
    return stamps


def _no_files() -> Fault:
    return Fault(
        code="no_files",
        expected="At least one file in the delivery; its note lists none.",
        hint="Have the delivery sent again.",
    )


def _landed(
    delivery: Delivery,
    counts: Counts,
    set_faults: tuple[Fault, ...],
    drained: streams.Drained,
    notes: list[Fault],
    versions: tuple[str, ...],
) -> Landed:
    everything = _added(counts.billed_good, counts.billed_bad)
    total = counts.rows_good + counts.rows_bad
    return Landed(
        delivery=delivery,
        rows_in=total,
        rows_landed=0 if set_faults else counts.rows_good,
        rows_quarantined=total if set_faults else counts.rows_bad,
        billed_in=everything,
        billed_landed={} if set_faults else counts.billed_good,
        billed_quarantined=everything if set_faults else counts.billed_bad,
        file_billed=counts.billed_by_file,
        file_rounded=counts.rounded_by_file,
        versions=versions,
        quarantined_cost_unknown=counts.cost_unknown,
        set_faults=set_faults,
        row_faults=tuple(drained.row_faults),
        conformance=tuple(dict.fromkeys(notes)),
    )


def _added(one: dict[str, Decimal], other: dict[str, Decimal]) -> dict[str, Decimal]:
    return {
        currency: exact_sum(one.get(currency, Decimal(0)), other.get(currency, Decimal(0)))
        for currency in sorted({*one, *other})
    }


def _map_notes(drained: streams.Drained) -> list[Fault]:
    notes = []
    for column, reader in sorted(drained.maps.items()):
        if mended := reader.mended - reader.unreadable:
            notes.append(
                Fault(
                    code="tags_notation",
                    column=column,
                    expected=f"One JSON object without repeated keys; {mended} row(s) had another "
                    "notation.",
                    hint="Nothing to do: it was mended.",
                )
            )
        if reader.unreadable:
            notes.append(
                Fault(
                    code="tags_unreadable",
                    column=column,
                    expected=f"Tags in a known notation; {reader.unreadable} row(s) have none, "
                    "their text is kept in x_columns.",
                    hint="Export tags as JSON: these rows belong to nobody.",
                )
            )
    return notes
