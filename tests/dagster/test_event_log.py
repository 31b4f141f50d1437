"""The event log of a run is Dagster's, whoever wrote it."""

from __future__ import annotations

from pathlib import Path

import dagster as dg
from dagster._core.storage.event_log import SqliteEventLogStorage

from finops_dagster.defs.event_log import KeptEventLog, keep_open
from finops_dagster.runner import prepare_home

DAYS = dg.DailyPartitionsDefinition("2026-01-01", end_date="2026-01-06")


@dg.asset(
    partitions_def=DAYS,
    backfill_policy=dg.BackfillPolicy.single_run(),
    check_specs=[dg.AssetCheckSpec("whole", asset="counted")],
)
def counted() -> dg.MaterializeResult:
    return dg.MaterializeResult(
        metadata={"rows": 7}, check_results=[dg.AssetCheckResult(passed=True)]
    )


def test_what_a_kept_log_writes_is_read_by_dagsters_own(tmp_path: Path) -> None:
    """A log that the web server cannot read would hide every run of the command line."""
    home = str(prepare_home(tmp_path / "dagster"))
    tags = {
        "dagster/asset_partition_range_start": "2026-01-01",
        "dagster/asset_partition_range_end": "2026-01-05",
    }
    with dg.DagsterInstance.from_config(home) as instance:
        keep_open(instance)
        assert isinstance(instance.event_log_storage, KeptEventLog)
        runs = [dg.materialize([counted], instance=instance, tags=tags) for _ in range(2)]
        with dg.DagsterInstance.from_config(home) as beside:
            # another process looks on while the first has the files open
            assert len(beside.all_logs(runs[0].run_id)) > 10
    with dg.DagsterInstance.from_config(home) as instance:
        stock = instance.event_log_storage
        assert type(stock) is SqliteEventLogStorage
        assert stock.get_materialized_partitions(counted.key) == set(DAYS.get_partition_keys())
        (record,) = instance.get_asset_records([counted.key])
        found = record.asset_entry.last_materialization
        assert found is not None
        assert found.run_id == runs[1].run_id
        for run in runs:
            assert [event.dagster_event_type for event in instance.all_logs(run.run_id)] == [
                event.dagster_event_type for event in instance.all_logs(runs[0].run_id)
            ]
        instance.delete_run(runs[0].run_id)
        assert instance.all_logs(runs[0].run_id) == []


def test_another_storage_is_left_as_it_is() -> None:
    """Who keeps events in a database of their own has a reason."""
    with dg.DagsterInstance.ephemeral() as instance:
        before = instance.event_log_storage
        keep_open(instance)
        assert instance.event_log_storage is before
