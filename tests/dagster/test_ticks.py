"""What a tick of the schedule and a finished run ask for next; nothing is run.

That the daemon does so is asked end to end.
"""

from __future__ import annotations

import itertools
from datetime import UTC, datetime, timedelta
from pathlib import Path

import dagster as dg
import pytest
from dagster._core.errors import ScheduleExecutionError

from finops_dagster.definitions import build_defs
from finops_dagster.defs.jobs import ALLOCATE_JOB, DAILY_TAG, DECIDE_JOB, ORDER
from finops_dagster.domain.errors import SettingsError
from finops_dagster.settings import Settings, load

TICK = datetime(2026, 10, 23, 6, 0, tzinfo=UTC)


def tick(definitions: dg.Definitions) -> dg.RunRequest:
    schedule = definitions.resolve_schedule_def("daily")
    with dg.DagsterInstance.ephemeral() as instance:
        context = dg.build_schedule_context(
            instance=instance,
            scheduled_execution_time=TICK,
            repository_def=definitions.get_repository_def(),
        )
        (request,) = schedule.evaluate_tick(context).run_requests
    return request


def following(definitions: dg.Definitions, job: str, tags: dict[str, str]) -> list[dg.RunRequest]:
    sensor = definitions.resolve_sensor_def("next_job")
    with dg.DagsterInstance.ephemeral() as instance:
        run = instance.create_run_for_job(definitions.resolve_job_def(job), tags=tags)
        event = dg.DagsterEvent(
            event_type_value=dg.DagsterEventType.RUN_SUCCESS.value, job_name=job
        )
        context = dg.build_run_status_sensor_context(
            sensor_name="next_job",
            dagster_instance=instance,
            dagster_run=run,
            dagster_event=event,
            repository_def=definitions.get_repository_def(),
        )
        return list(sensor(context))


def test_the_cron_of_the_settings_is_the_schedules(settings: Settings) -> None:
    """A schedule that ignored its setting would run at a time that nobody chose."""
    changed = settings.model_copy(update={"schedule": "* * * * *"})
    schedule = build_defs(changed).resolve_schedule_def("daily")
    assert schedule.cron_schedule == "* * * * *"
    assert schedule.execution_timezone == "UTC"
    assert schedule.default_status is dg.DefaultScheduleStatus.STOPPED


def test_a_tick_asks_for_every_month_not_yet_published(definitions: dg.Definitions) -> None:
    """A first tick that took the newest month alone would forecast from one month."""
    request = tick(definitions)
    assert request.run_key == TICK.isoformat()
    assert request.tags[DAILY_TAG] == TICK.isoformat()
    assert request.tags["dagster/asset_partition_range_start"] == "2026-09-01"
    assert request.tags["dagster/asset_partition_range_end"] == "2026-10-01"


def test_a_tick_follows_settings_that_have_moved_on(settings: Settings) -> None:
    """A daemon that is not restarted would decide the day it was started on for ever."""
    assert settings.as_of is not None
    earlier = settings.model_copy(update={"as_of": settings.as_of - timedelta(days=25)})
    definitions = build_defs(earlier, reread=lambda: settings)
    assert tick(definitions).tags["dagster/asset_partition_range_end"] == "2026-10-01"
    assert tick(build_defs(earlier)).tags["dagster/asset_partition_range_end"] == "2026-09-01"


def test_each_job_hands_on_to_the_next(definitions: dg.Definitions) -> None:
    """A day that ended after its bills would propose nothing, and be green."""
    tags = {DAILY_TAG: TICK.isoformat()}
    # nothing is published here, so there is nothing to allocate
    days = [job for job in ORDER if job != ALLOCATE_JOB]
    for job, after in (*itertools.pairwise(days), (ALLOCATE_JOB, DECIDE_JOB)):
        (request,) = following(definitions, job, tags)
        assert request.job_name == after
        assert request.tags[DAILY_TAG] == TICK.isoformat()
        assert request.run_key == f"{TICK.isoformat()}/{after}"


def test_each_job_is_asked_for_the_right_partitions(definitions: dg.Definitions) -> None:
    """A decision of the wrong day is a replay, and changes nothing that anyone sees."""
    tags = {DAILY_TAG: TICK.isoformat()}
    (signals,) = following(definitions, "ingest_billing", tags)
    assert signals.tags["dagster/asset_partition_range_start"] == "2026-09-25"
    assert signals.tags["dagster/asset_partition_range_end"] == "2026-10-22"
    (decide,) = following(definitions, "ingest_signals", tags)
    assert decide.tags["dagster/partition"] == "2026-10-22"
    (publish,) = following(definitions, "decide", tags)
    assert not [name for name in publish.tags if name.startswith("dagster/")]


@pytest.mark.parametrize("job", ORDER[:-1])
def test_nothing_follows_a_run_that_no_tick_began(definitions: dg.Definitions, job: str) -> None:
    """A backfill of past days would end in pull requests."""
    assert following(definitions, job, {}) == []


def test_the_sensor_waits_for_nobody(definitions: dg.Definitions) -> None:
    """A sensor that must be switched on as well leaves each day at its first job."""
    sensor = definitions.resolve_sensor_def("next_job")
    assert sensor.default_status is dg.DefaultSensorStatus.RUNNING
    assert {job.name for job in sensor.jobs} == set(ORDER[1:])


def test_a_broken_settings_file_fails_the_tick(settings: Settings, tmp_path: Path) -> None:
    """A tick that quietly used old settings would act after someone had said stop."""
    broken = tmp_path / "finops.yaml"
    broken.write_text("estate: broken\n")
    definitions = build_defs(settings, reread=lambda: load(broken))
    with pytest.raises(ScheduleExecutionError) as raised:
        tick(definitions)
    assert isinstance(raised.value.__cause__, SettingsError)
