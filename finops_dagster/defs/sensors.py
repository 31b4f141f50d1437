"""The sensor that notices new deliveries and asks for the partitions they are for.

What follows a finished run is the business of `jobs`; how a place is listed that of sources.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator
from datetime import date, timedelta
from typing import Any

import dagster as dg

from finops_dagster.defs import line
from finops_dagster.defs.estate import Estate
from finops_dagster.defs.jobs import CLOCK_JOBS, in_reach
from finops_dagster.defs.shared import range_tags
from finops_dagster.domain.errors import Unavailable
from finops_dagster.domain.ids import content_id
from finops_dagster.domain.periods import next_month

_JOBS = {job: clock for job, clock in CLOCK_JOBS.items() if clock.tables}
_SECONDS = 300
"""Between two looks: a listing of an object store is billed by the request."""


def build_new_deliveries(
    newest: Callable[[], Estate], jobs: list[dg.UnresolvedAssetJobDefinition]
) -> dg.SensorDefinition:
    """Looks whether any place has changed, and what of it is not published.

    The cursor holds the listing of each clock's places as it was last, and, by partition, the
    deliveries that were asked for since. `newest`: the estate by its settings at the tick.
    """

    @dg.sensor(
        name="new_deliveries",
        jobs=[job for job in jobs if job.name in _JOBS],
        minimum_interval_seconds=_SECONDS,
        default_status=dg.DefaultSensorStatus.STOPPED,
        description="A new delivery of bills or signals: lands and publishes its periods alone.",
    )
    def new_deliveries(context: dg.SensorEvaluationContext) -> dg.SensorResult:
        estate = newest()
        seen = json.loads(context.cursor) if context.cursor else {}
        requests: list[dg.RunRequest] = []
        told = []
        for job, clock in _JOBS.items():
            try:
                requests += _asked(estate, job, clock, seen)
            except Unavailable as error:
                # the other clock's places may well be there
                context.log.warning(error.message)
                told.append(error.message)
        cursor = json.dumps(seen, sort_keys=True)
        if requests:
            return dg.SensorResult(run_requests=requests, cursor=cursor)
        reason = " ".join(told) or "Nothing came that is not published or asked for."
        return dg.SensorResult(skip_reason=reason, cursor=cursor)

    return new_deliveries


def _asked(
    estate: Estate, job: str, clock: line.Clock, seen: dict[str, Any]
) -> list[dg.RunRequest]:
    """Requests for what is new on a clock; `seen` is brought up to date. Raises Unavailable."""
    as_of = estate.settings.decided_day()
    listing = content_id(
        "listings",
        [
            [as_of, table, source.name, source.listing()]
            for table in clock.tables
            for source in estate.sources(table)
        ],
    )
    held = seen.get(clock.name, {})
    if held.get("listing") == listing:
        return []
    until = max(estate.now(), estate.cutoff(as_of))
    given = line.inputs_by_partition(line.expected(estate, clock, until))
    published = line.published_inputs(estate, clock)
    new = {
        day.isoformat(): content_id("inputs", sorted(given[day]))
        for day in in_reach(estate, clock, sorted(given))
        if set(given[day]) != published.get(day)
    }
    asked = held.get("asked", {})
    seen[clock.name] = {"listing": listing, "asked": new}
    days = [date.fromisoformat(day) for day in new if asked.get(day) != new[day]]
    return [
        dg.RunRequest(
            job_name=job,
            run_key=content_id("run", [[day, new[day.isoformat()]] for day in window]),
            tags=range_tags(window[0], window[-1]),
        )
        for window in _windows(days, clock)
    ]


def _windows(days: Iterable[date], clock: line.Clock) -> Iterator[list[date]]:
    """Partitions that follow one another, together: one run each."""
    window: list[date] = []
    for day in days:
        if window:
            last = window[-1]
            after = next_month(last) if clock is line.BILLING else last + timedelta(days=1)
            if day != after:
                yield window
                window = []
        window.append(day)
    if window:
        yield window
