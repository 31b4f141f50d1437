"""Fine series as they are published, day by day, and the states of those that watch them.

What is said of a day is a pure function of the publication it is decided on: a state is taken up
only where it was made of just what that publication says of the days before. What came late, was
restated or backfilled makes another list of versions, and the states are made anew from it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path

import pandas as pd

from finops_dagster.defs.estate import Estate
from finops_dagster.domain.ids import content_id
from finops_dagster.domain.periods import month_start
from finops_dagster.engines.anomalies.fine import ENGINE, METRICS, FineResult, Watches
from finops_dagster.storage.days import DayStore
from finops_dagster.storage.publication import PublishedReader

STATES = "telemetry_watches"
"""Frame of a day that the next one takes up."""
BEFORE = "telemetry_watches_before"
"""The same of the days before it, where nobody kept them: for a day that is decided again."""
MEASURED, GRID = "fct_workload_measurements", "fct_grid_intensity_hourly"
LEAST_STEP_SECONDS = 3600
"""What is measured more often is watched as means of hours: at five minutes a day of a series costs
twelve times as much to watch and to keep, and nobody is told of it before the day is over."""
_READ_DAYS = 7
_KEPT_DAYS = 2
"""Where the last hours of a day come after its decision, the state before it is still good."""

_POINTS = f"""
    with measured as (
        unpivot (
            select
                day, resource, cluster, coalesce(container, '') as container,
                time, interval_seconds,
                columns(c -> list_contains({list(METRICS)!r}, c))
            from mart
        )
        on columns(* exclude (day, resource, cluster, container, time, interval_seconds))
        into name metric value value
    ),
    stepped as (
        select
            *,
            greatest({LEAST_STEP_SECONDS}, max(interval_seconds) over (
                partition by day, resource, cluster, container, metric
            )) as step_seconds
        from measured
    )
    select
        day, resource, cluster, container, metric, step_seconds,
        -- of the day, whether its seconds are a multiple of the step or not
        to_timestamp(
            epoch(day) + floor((epoch(time) - epoch(day)) / step_seconds) * step_seconds
        ) as time,
        -- in one order: a sum of doubles must not depend on which thread came first
        sum(value * interval_seconds order by time) / sum(interval_seconds) as value
    from stepped
    group by all
    having 2 * sum(interval_seconds) >= step_seconds
    order by all
"""
_INTENSITIES = """
    select
        day, region as resource, '' as cluster, '' as container, 'gco2e_per_kwh' as metric,
        3600 as step_seconds, hour as time, gco2e_per_kwh as value
    from mart
    where accounting = 'location' and kind = 'average' and basis in ('measured', 'estimated')
    order by all
"""


@dataclass(frozen=True)
class Watched:
    """A day that was watched."""

    result: FineResult
    watches: Watches
    since: date
    """First day that is looked back on."""
    replayed: int
    """Days before it that were watched again, for want of a state made of them."""


def since(as_of: date) -> date:
    """The first of the month before: each month begins with what the one before has taught.

    So a day looks back on 28 days at least, and what it says does not depend on when its watches
    were begun.
    """
    return month_start(month_start(as_of) - timedelta(days=1))


def watch(estate: Estate, reader: PublishedReader, as_of: date) -> Watched | None:
    """What is new or far out on a day; its states are kept for the next. None without points."""
    days = _versions(reader, as_of)
    if as_of not in days:
        return None
    made = [content_id("watched", [ENGINE, *some]) for some in _prefixes(days)]
    ordered = list(days)
    taken, watches = _taken_up(estate, ordered, made)
    for day, rows in _by_day(reader, ordered[taken:]):
        if day == as_of and taken < len(ordered) - 1:
            _keep(estate.day(as_of), BEFORE, watches, made[-2])
        result = watches.day(rows, day)
    _keep(estate.day(as_of), STATES, watches, made[-1])
    return Watched(result, watches, ordered[0], replayed=len(ordered) - taken - 1)


def points(reader: PublishedReader, first: date, last: date) -> pd.DataFrame:
    """Points of all series of the published days of [first, last], as the engine takes them."""
    queries = ((MEASURED, _POINTS), (GRID, _INTENSITIES))
    frames = [reader.frame(mart, query, first=first, last=last) for mart, query in queries]
    return pd.concat([one for one in frames if one is not None], ignore_index=True)


def _by_day(reader: PublishedReader, days: list[date]) -> Iterator[tuple[date, pd.DataFrame]]:
    """Points of each of these days, read by the week: opening files takes longer than rows do."""
    for at in range(0, len(days), _READ_DAYS):
        some = days[at : at + _READ_DAYS]
        rows = points(reader, some[0], some[-1])
        for day in some:
            yield day, rows[rows["day"] == day]


def _versions(reader: PublishedReader, as_of: date) -> dict[date, list[str]]:
    """Day -> hashes of what is published of it, in the order of days."""
    found: dict[date, list[str]] = {}
    for mart in (MEASURED, GRID):
        for version in reader.manifest.of(mart, since(as_of), as_of):
            found.setdefault(version.partition, []).append(version.sha256)
    return dict(sorted(found.items()))


def _prefixes(days: dict[date, list[str]]) -> list[list[object]]:
    listed = [[day, *hashes] for day, hashes in days.items()]
    return [list(listed[:end]) for end in range(1, len(listed) + 1)]


def _taken_up(estate: Estate, days: list[date], made: list[str]) -> tuple[int, Watches]:
    """States made of just the first of these days, as many as there are; and of how many."""
    for number in range(len(days) - 1, 0, -1):
        day = days[number - 1]
        for store, name in (
            (DayStore(estate.layout.insight(day)), STATES),
            (DayStore(estate.layout.replay(estate.judge.bundle, day)), STATES),
            (estate.day(days[-1]), BEFORE),
        ):
            kept = store.frame(name)
            if kept is not None and set(kept["made_of"]) == {made[number - 1]}:
                return number, Watches.restored(kept)
    return 0, Watches()


def _keep(day: DayStore, name: str, watches: Watches, made_of: str) -> None:
    """Write the states of a day, and drop those that nobody will take up."""
    day.write_frame(name, watches.frame().assign(made_of=made_of))
    beside = day.root.parent.glob(f"*/{name}.parquet")
    for old in sorted(beside, key=_written, reverse=True)[_KEPT_DAYS:]:
        old.unlink(missing_ok=True)


def _written(path: Path) -> int:
    return path.stat().st_mtime_ns
