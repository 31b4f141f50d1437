"""What of the deliveries is kept: those superseded before they were read, and those read before.

Which ones that are is storage's rule; when it is asked is the line's.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime

from finops_dagster.defs import line
from finops_dagster.defs.estate import Estate
from finops_dagster.domain.deliveries import Delivery, Landed
from finops_dagster.domain.errors import Fault, Stopped, Unavailable
from finops_dagster.domain.periods import day_start, next_month
from finops_dagster.storage.lake import in_force
from finops_dagster.storage.publication import PublicationStore


@dataclass(frozen=True)
class Pruned:
    """Deliveries whose rows were removed, and the bytes that gave back."""

    deliveries: tuple[Delivery, ...]
    freed_bytes: int


def land_superseded(
    estate: Estate, table: str, first: date, last: date, cutoff: datetime
) -> list[Landed]:
    """Land what a newer delivery replaced before it was read, where a restatement is told by it.

    Of the deliveries to be kept: those of a bill whose period had ended, and those that came after
    one that has landed. Earlier month-to-date states of a bill that was never looked at are left
    where they are. One that is gone from its source, or faulty, is passed over: it stops nothing.
    """
    found = [
        one
        for source in estate.sources(table)
        for one in source.deliveries()
        if one.known_at <= cutoff and first <= one.partition <= last
    ]
    newest = {one.delivery_id for one in in_force(found, cutoff)}
    keep = estate.retention.kept(found, cutoff) - newest
    landed = []
    for one in sorted(found, key=lambda one: one.known_at):
        if one.delivery_id not in keep or estate.lake.record(one) is not None:
            continue
        ended = one.known_at >= day_start(next_month(one.partition))
        if ended or any(
            held.delivery.known_at < one.known_at for held in estate.lake.records_beside(one)
        ):
            try:
                landed.append(line.land(estate, one))
            except Unavailable:
                continue
    return landed


def prune(estate: Estate, clock: line.Clock, now: datetime) -> Pruned:
    """Remove rows of deliveries that no rule keeps and no publication names.

    Records and totals stay. Does nothing while a past day is being decided again.
    """
    with estate.lake.alone() as alone:
        doomed = _doomed(estate, clock, now) if alone else []
        freed = sum(estate.lake.prune(one) for one in doomed)
    return Pruned(tuple(doomed), freed)


def _doomed(estate: Estate, clock: line.Clock, now: datetime) -> list[Delivery]:
    left: list[Delivery] = []
    for table in clock.tables:
        records = estate.lake.records(table)
        accepted = [one.delivery for one in records if not one.set_faults]
        refused = [one.delivery for one in records if one.set_faults]
        keep = estate.retention.kept(accepted, now) | estate.retention.kept(refused, now)
        left += [
            one
            for one in (*accepted, *refused)
            if one.delivery_id not in keep and estate.lake.holds(one)
        ]
    if not left:
        return []
    ids = {one.delivery_id for one in left}
    replays = estate.layout.root.glob("replays/*/*/published")
    named = {
        id_
        for store in (estate.publications, *map(PublicationStore, sorted(replays)))
        for id_ in store.naming(ids)
    }
    return [one for one in left if one.delivery_id not in named]


def need_held(estate: Estate, clock: line.Clock, window: tuple[date, date], as_of: date) -> None:
    """Raise Stopped if rows that were in force for `as_of` are gone: others would be decided on."""
    accepted = [
        one.delivery
        for table in clock.tables
        for one in estate.lake.records(table)
        if not one.set_faults and window[0] <= one.delivery.partition <= window[1]
    ]
    gone = [
        one
        for one in in_force(accepted, estate.cutoff(as_of))
        if not estate.lake.rows_file(one).exists()
    ]
    if not gone:
        return
    raise Stopped(
        f"{as_of.isoformat()} cannot be decided again: what was known then was removed.",
        tuple(
            Fault(
                code="delivery_pruned",
                file=one.source,
                expected=f"Expected the delivery of {one.partition} known at "
                f"{one.known_at.isoformat()} ({one.delivery_id}); its rows were removed, and its "
                "source has it no more.",
                hint="Choose a later day; to keep more, raise retention.daily_days.",
            )
            for one in gone
        ),
    )
