"""What a tracker says of each day, as files that are kept: the two collectors of an MLflow source.

How a tracker is asked is in `rest` and `store`; how days are told apart, in `run_days`.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from pathlib import Path

from finops_dagster.sources.mlflow.options import MlflowOptions
from finops_dagster.sources.mlflow.records import Tracker, Window
from finops_dagster.sources.run_days import DAY_MS, milliseconds, run_days, version_days
from finops_dagster.sources.run_records import RUN_RECORDS, VERSION_RECORDS, write_records


def tracked_runs(
    tracker: Tracker, options: MlflowOptions, days: list[date], scratch: Path
) -> Mapping[date, Path]:
    """A `Collector` of runs. Raises Unavailable."""
    first, open_ms = milliseconds(days[0]), options.open_days * DAY_MS
    window = Window(ended_from=first, started_from=first - open_ms)
    records = scratch / "records.parquet"
    write_records(tracker.runs(window), RUN_RECORDS, records)
    return run_days([records], open_ms, days, scratch)


def tracked_versions(tracker: Tracker, days: list[date], scratch: Path) -> Mapping[date, Path]:
    """A `Collector` of model versions. Raises Unavailable."""
    records = scratch / "records.parquet"
    write_records(tracker.versions(), VERSION_RECORDS, records)
    return version_days([records], days, scratch)
