"""Which publication a day is decided on, and the rebuilding of one where none was known then.

A rebuilt publication lives with its replay; it never comes into force.
"""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any

from finops_dagster.defs import keeping, line
from finops_dagster.defs.estate import Estate
from finops_dagster.domain.decisions import Abstained
from finops_dagster.domain.errors import Fault, Stopped
from finops_dagster.domain.periods import month_start, next_month
from finops_dagster.storage.days import DayStore
from finops_dagster.storage.publication import Manifest, PublicationStore, PublishedReader


@dataclass(frozen=True)
class Chosen:
    """The publication in force for a day."""

    manifest: Manifest
    reconstructed: bool
    ages_days: dict[str, int]
    """Clock -> days between the day decided for and the newest knowledge of that clock."""

    def document(self) -> dict[str, Any]:
        """As the day keeps it and the UI shows it."""
        return {
            "publication_id": self.manifest.id,
            "sequence": self.manifest.sequence,
            "known_at": self.manifest.known_at.isoformat(),
            "reconstructed": self.reconstructed,
            "ages_days": self.ages_days,
        }


def choose(estate: Estate, as_of: date) -> Chosen:
    """The last publication known when the decision for `as_of` was due, else one rebuilt.

    Raises Stopped if nothing was known by then, or if what was known does not pass its audit.
    """
    cutoff = estate.cutoff(as_of)
    manifest = estate.publications.known_by(cutoff)
    reconstructed = manifest is None
    if manifest is None:
        manifest = _rebuild(estate, as_of, cutoff)
    return Chosen(manifest, reconstructed, _ages(manifest, cutoff))


def _ages(manifest: Manifest, cutoff: datetime) -> dict[str, int]:
    ages = {}
    for clock in (line.BILLING, line.SIGNALS):
        known = [v.known_at for v in manifest.versions if v.mart in clock.marts]
        if known:
            ages[clock.name] = (cutoff - max(known)).days
    return ages


def stale(chosen: dict[str, Any], limit_days: int) -> list[Abstained]:
    """A reason per clock whose newest knowledge is older than may be decided on."""
    return [
        Abstained(
            subject=f"{clock} publication",
            reason=f"its newest data were known {age} days before this decision was due; "
            f"at most {limit_days} are decided on",
        )
        for clock, age in chosen["ages_days"].items()
        if age > limit_days
    ]


def store(estate: Estate, as_of: date) -> PublicationStore:
    """Where a rebuilt publication of a day is kept."""
    return PublicationStore(estate.layout.replay(estate.judge.bundle, as_of) / "published")


def chosen_for(estate: Estate, as_of: date, day: DayStore | None = None) -> dict[str, Any]:
    """What `choose` said of a day, as the day keeps it. Raises Stopped before it was asked.

    `day`: where else than in `Estate.day` it is kept.
    """
    document = (day or estate.day(as_of)).document("publication")
    if document is None:
        raise Stopped(f"No publication was chosen for {as_of.isoformat()}: run decide for it.")
    return dict(document)


def extend(estate: Estate, as_of: date, manifest: Manifest) -> None:
    """Decide the live day on `manifest`, which adds what was joined of the chosen one to it."""
    if not estate.is_replay(as_of):
        told = chosen_for(estate, as_of)
        named = {"publication_id": manifest.id, "sequence": manifest.sequence}
        estate.day(as_of).write_document("publication", told | named)


def reader(estate: Estate, as_of: date, day: DayStore | None = None) -> PublishedReader:
    """A reader of the publication that was chosen for a day; `day` as of `chosen_for`.

    Raises KeyError where its manifest is not kept.
    """
    chosen = chosen_for(estate, as_of, day)
    if chosen["reconstructed"]:
        rebuilt = store(estate, as_of)
        manifest = rebuilt.current()
        if manifest is not None:
            return rebuilt.reader(manifest)
    manifest = estate.publications.by_id(chosen["publication_id"])
    return estate.publications.reader(manifest)


def _rebuild(estate: Estate, as_of: date, cutoff: datetime) -> Manifest:
    """Land, build, audit and publish what was known at `cutoff`, apart from what is in force."""
    rebuilt = store(estate, as_of)
    held = rebuilt.current()
    if held is not None:
        return held
    windows = {
        line.BILLING: (
            month_start(estate.settings.start),
            next_month(month_start(as_of)),
        ),
        line.SIGNALS: (estate.settings.first_day(as_of), as_of),
    }
    refused: list[Fault] = []
    warehouse = rebuilt.root.parent / "warehouse.duckdb"
    warehouse.unlink(missing_ok=True)
    with estate.lake.alone(wait=True):
        for clock, (first, last) in windows.items():
            for table in clock.tables:
                for landed in line.land_window(estate, table, first, last, cutoff):
                    refused += landed.set_faults
            keeping.need_held(estate, clock, (first, last), as_of)
        line.rebuild_warehouse(
            estate,
            warehouse,
            {
                clock: line.dbt_vars(estate, cutoff, first, last, clock)
                for clock, (first, last) in windows.items()
            },
        )
    versions = []
    for clock, (first, last) in windows.items():
        inputs = line.built_inputs(estate, clock, first, last, cutoff)
        exported = line.export_candidates(rebuilt, warehouse, clock, inputs, cutoff)
        audits = line.judge_exported(estate, rebuilt, clock, exported, as_of)
        failed = [outcome.name for audit in audits for outcome in audit.failures]
        if failed:
            raise Stopped(
                f"What was known on {as_of.isoformat()} does not pass its audit: "
                f"{', '.join(failed)}.",
                tuple(refused),
            )
        versions += exported
    if not versions:
        raise Stopped(f"Nothing was known when the decision for {as_of.isoformat()} was due.")
    warehouse.unlink(missing_ok=True)
    shutil.rmtree(warehouse.parent / "dbt", ignore_errors=True)
    return rebuilt.publish(versions, datetime.now(UTC))
