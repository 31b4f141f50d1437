"""The six jobs, the daily schedule and the sensor that hands a day from job to job.

A Dagster job has one partitions definition, so months, days and the unpartitioned act are apart.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import date
from itertools import pairwise

import dagster as dg

from finops_dagster.defs import line
from finops_dagster.defs.estate import Estate
from finops_dagster.defs.shared import range_tags
from finops_dagster.domain.periods import month_start, next_month

BILLING_JOB = "ingest_billing"
SIGNALS_JOB = "ingest_signals"
ALLOCATE_JOB = "allocate"
DECIDE_JOB = "decide"
PUBLISH_JOB = "publish_changes"
LEDGER_JOB = "ledger_marts"
ORDER = (BILLING_JOB, SIGNALS_JOB, ALLOCATE_JOB, DECIDE_JOB, PUBLISH_JOB, LEDGER_JOB)
CLOCK_JOBS = {BILLING_JOB: line.BILLING, SIGNALS_JOB: line.SIGNALS, ALLOCATE_JOB: line.ALLOCATION}
"""Job -> the clock whose pending partitions it builds and publishes."""

DAILY_TAG = "finops/daily"
"""On the runs of a scheduled day; a backfill's runs have none, so nothing follows them."""

CLOCK_TAG = "finops/clock"
"""On every asset: the job that materialises it."""


def build_jobs() -> list[dg.UnresolvedAssetJobDefinition]:
    """One job per clock tag. All run in one process: their steps are short, and starting a
    process for each would cost more than the work (41 s against 13 s on a small graph)."""
    descriptions = {
        BILLING_JOB: "Bills: land, transform, audit and publish whole billing periods.",
        SIGNALS_JOB: "Telemetry, carbon and prediction logs: the same, by UTC day.",
        ALLOCATE_JOB: "Costs by whose they are, by billing month, from what is published.",
        DECIDE_JOB: "Forecast, find, propose and judge for one day; a past day is a replay.",
        PUBLISH_JOB: "Open, update and close pull requests for the newest decided day.",
        LEDGER_JOB: "Marts of what was decided and done, one day behind.",
    }
    return [
        dg.define_asset_job(
            name,
            selection=dg.AssetSelection.tag(CLOCK_TAG, name),
            executor_def=dg.in_process_executor,
            description=descriptions[name],
        )
        for name in ORDER
    ]


def in_reach(estate: Estate, clock: line.Clock, days: Iterable[date]) -> list[date]:
    """Those partitions that a daily run takes in, of `days`."""
    as_of = estate.settings.decided_day()
    if clock is line.SIGNALS:
        first, last = estate.settings.first_day(as_of), as_of
    else:
        # some is billed next month
        first, last = month_start(estate.settings.start), next_month(month_start(as_of))
    return [day for day in days if first <= day <= last]


def ingest_windows(estate: Estate, clock: line.Clock) -> list[tuple[date, date]]:
    """First and last partitions of the runs that build what is pending of a clock.

    A bill that stays as it is between two that are pending is not built again: each is a run of
    its own.
    """
    cutoff = estate.cutoff(estate.settings.decided_day())
    days = in_reach(estate, clock, line.pending(estate, clock, cutoff))
    if not days:
        return []
    if clock is line.SIGNALS:
        return [(days[0], days[-1])]
    settled = set(line.wanted(estate, clock, cutoff)).difference(days)
    windows = [[days[0], days[0]]]
    for before, day in pairwise(days):
        if any(before < one < day for one in settled):
            windows.append([day, day])
        windows[-1][1] = day
    return [(first, last) for first, last in windows]


@dataclass(frozen=True)
class Ask:
    """One run of a job that a day needs."""

    tags: dict[str, str]
    assets: tuple[dg.AssetKey, ...] | None = None
    """Those of the job's assets to run; None for all of them."""


def asks_for(estate: Estate, job: str) -> list[Ask]:
    """The runs of a job that a day needs.

    What is pending, else the newest partition alone, which shows that nothing new came. Of one that
    was looked at today only the landing is asked: a step that is started and does nothing would
    leave its checks looking skipped. What is joined of publications that stayed as they were needs
    none.
    """
    as_of = estate.settings.decided_day()
    if job in CLOCK_JOBS:
        clock = CLOCK_JOBS[job]
        if clock is line.SIGNALS:
            line.ask(estate, clock, estate.settings.first_day(as_of), as_of)
        if windows := ingest_windows(estate, clock):
            return [Ask(range_tags(*window)) for window in windows]
        if clock is line.ALLOCATION:
            return []
        newest = month_start(as_of) if clock is line.BILLING else as_of
        told = line.looked_at(estate, clock, newest)
        landing = tuple(dg.AssetKey(["landing", table]) for table in clock.tables)
        return [Ask(range_tags(newest, newest), landing if told else None)]
    if job == DECIDE_JOB:
        return [Ask({"dagster/partition": as_of.isoformat()})]
    return [Ask({})]


def requests_for(estate: Estate, job: str, tick: str, key: str) -> Iterator[dg.RunRequest]:
    """A job's runs of a scheduled day; the last one hands the day on."""
    asks = asks_for(estate, job)
    for number, ask in enumerate(asks, 1):
        last = number == len(asks)
        yield dg.RunRequest(
            run_key=key if last else f"{key}/{number}",
            job_name=job,
            tags={**ask.tags, DAILY_TAG: tick} if last else ask.tags,
            asset_selection=ask.assets,
        )


def build_schedule(cron: str, newest: Callable[[], Estate]) -> dg.ScheduleDefinition:
    """Starts the first job of the day; the sensor below hands on to the next ones.

    `newest`: the estate by its settings as they are at the tick, days after this was loaded.
    """

    @dg.schedule(
        name="daily",
        cron_schedule=cron,
        execution_timezone="UTC",
        job_name=BILLING_JOB,
        description="Every day: bills, signals, allocation, decision, pull requests, ledger.",
    )
    def daily(context: dg.ScheduleEvaluationContext) -> Iterator[dg.RunRequest]:
        tick = context.scheduled_execution_time.isoformat()
        yield from requests_for(newest(), BILLING_JOB, tick, tick)

    return daily


def build_sensor(
    newest: Callable[[], Estate], jobs: list[dg.UnresolvedAssetJobDefinition]
) -> dg.SensorDefinition:
    """Starts the next job when one of a scheduled day has succeeded; a red run stops the day."""

    @dg.run_status_sensor(
        name="next_job",
        run_status=dg.DagsterRunStatus.SUCCESS,
        monitored_jobs=jobs[:-1],
        request_jobs=jobs[1:],
        minimum_interval_seconds=10,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description="Bills, then signals, allocation, decision, pull requests, and the ledger.",
    )
    def next_job(context: dg.RunStatusSensorContext) -> Iterator[dg.RunRequest]:
        run = context.dagster_run
        tick = run.tags.get(DAILY_TAG)
        if tick is None:
            return
        estate = newest()
        for following in ORDER[ORDER.index(run.job_name) + 1 :]:
            requests = list(requests_for(estate, following, tick, f"{tick}/{following}"))
            if requests:
                yield from requests
                return

    return next_job
