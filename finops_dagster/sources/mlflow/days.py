"""What was known of runs and model versions when each day ended, as one Parquet file a day.

A run still running at a day's end has no end that day: the day after tells it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import date
from pathlib import Path

import duckdb

from finops_dagster.domain.periods import day_start
from finops_dagster.sources.mlflow.options import MlflowOptions
from finops_dagster.sources.mlflow.records import (
    RUN_RECORDS,
    VERSION_RECORDS,
    Tracker,
    Window,
    write_records,
)

SYSTEM = "mlflow"
_DAY_MS = 86_400_000

_ONCE = "SELECT DISTINCT ON (run_id) *, {placed} AS placed_ms FROM read_parquet(?) ORDER BY run_id"
"""A run may come twice; `placed_ms` is where a start in seconds would be."""
_PLACED = "CASE WHEN started_ms < {year_2000} THEN started_ms * 1000 ELSE started_ms END"

_RUNS = """
    SELECT
        make_timestamptz(greatest(placed_ms, {start}) * 1000) AS time,
        '{system}' AS system,
        experiment,
        run_id,
        name,
        owner,
        CASE WHEN ended_ms IS NULL OR ended_ms < {end} THEN lower(coalesce(status, 'unknown'))
            ELSE 'running' END AS status,
        lifecycle,
        make_timestamptz(started_ms * 1000) AS started_at,
        CASE WHEN ended_ms < {end} THEN make_timestamptz(ended_ms * 1000) END AS ended_at,
        -- where it ran is among the tags, in words of the settings
        NULL::VARCHAR AS cluster,
        NULL::VARCHAR AS namespace,
        NULL::VARCHAR AS workload_kind,
        NULL::VARCHAR AS workload,
        NULL::VARCHAR AS resource_id,
        map_from_entries(list_transform(
            list_filter(metrics, lambda one: one.time_ms < {end} AND isfinite(one.value)),
            lambda one: struct_pack(k := one.key, v := one.value)
        )) AS metrics,
        map_from_entries(list_transform(
            list_filter(metrics, lambda one: one.time_ms < {end} AND NOT isfinite(one.value)),
            lambda one: struct_pack(k := one.key, v := CASE
                WHEN isnan(one.value) THEN 'NaN' WHEN one.value > 0 THEN 'Infinity'
                ELSE '-Infinity' END)
        )) AS metrics_not_finite,
        params,
        tags
    FROM once
    WHERE
        placed_ms < {end}
        AND greatest(placed_ms, coalesce(ended_ms, placed_ms + {open})) >= {start}
        -- a start in seconds is set aside with its reason, on one day
        AND (placed_ms = started_ms OR placed_ms >= {start})
    ORDER BY run_id
"""
"""An end before the start keeps the run on the day of its start, where it is set aside."""

_VERSIONS = """
    SELECT
        make_timestamptz(
            CASE WHEN updated_ms BETWEEN {start} AND {end} - 1 THEN updated_ms ELSE created_ms END
            * 1000
        ) AS time,
        '{system}' AS registry,
        model,
        version,
        run_id,
        owner,
        CASE WHEN updated_ms < {end} THEN status END AS status,
        CASE WHEN updated_ms < {end} THEN stage END AS stage,
        CASE WHEN updated_ms < {end} THEN aliases END AS aliases,
        make_timestamptz(created_ms * 1000) AS created_at
    FROM once
    WHERE
        created_ms BETWEEN {start} AND {end} - 1
        OR (updated_ms BETWEEN {start} AND {end} - 1 AND created_ms < {end})
    ORDER BY model, version
"""


def run_days(
    tracker: Tracker, options: MlflowOptions, days: list[date], scratch: Path
) -> Mapping[date, Path]:
    """The runs that were active on each of `days`: columns of RUNS without provenance.

    Memory is bounded: records go to disk in batches, and are split there. Raises Unavailable.
    """
    first, open_ms = _milliseconds(days[0]), options.open_days * _DAY_MS
    window = Window(ended_from=first, started_from=first - open_ms)
    records = scratch / "records.parquet"
    write_records(tracker.runs(window), RUN_RECORDS, records)
    placed = _PLACED.format(year_2000=window.seconds[1])
    with _connection(scratch) as connection:
        once = scratch / "once.parquet"
        _copy(connection, _ONCE.format(placed=placed), once, [str(records)])
        return _split(connection, _RUNS, days, scratch, once, open=open_ms)


def version_days(tracker: Tracker, days: list[date], scratch: Path) -> Mapping[date, Path]:
    """Model versions made or changed on each of `days`: columns of MODEL_VERSIONS likewise."""
    records = scratch / "records.parquet"
    write_records(tracker.versions(), VERSION_RECORDS, records)
    with _connection(scratch) as connection:
        once = scratch / "once.parquet"
        query = "SELECT DISTINCT ON (model, version) * FROM read_parquet(?) ORDER BY model, version"
        _copy(connection, query, once, [str(records)])
        return _split(connection, _VERSIONS, days, scratch, once)


def _split(
    connection: duckdb.DuckDBPyConnection,
    query: str,
    days: list[date],
    scratch: Path,
    once: Path,
    **more: int,
) -> dict[date, Path]:
    connection.read_parquet(str(once)).create_view("once")
    found = {}
    for day in days:
        start = _milliseconds(day)
        target = scratch / f"{day.isoformat()}.parquet"
        sql = query.format(start=start, end=start + _DAY_MS, system=SYSTEM, **more)
        _copy(connection, sql, target, [])
        found[day] = target
    return found


def _copy(
    connection: duckdb.DuckDBPyConnection, query: str, target: Path, given: list[str]
) -> None:
    place = str(target).replace("'", "''")
    connection.execute(f"COPY ({query}) TO '{place}' (FORMAT parquet, COMPRESSION zstd)", given)


@contextmanager
def _connection(scratch: Path) -> Iterator[duckdb.DuckDBPyConnection]:
    with duckdb.connect(
        config={
            # one thread writes the same rows as the same bytes
            "threads": 1,
            "memory_limit": "1GB",
            "temp_directory": str(scratch.parent / ".spill"),
            "autoinstall_known_extensions": False,
            "autoload_known_extensions": False,
        }
    ) as connection:
        connection.execute("SET TimeZone = 'UTC'")
        yield connection


def _milliseconds(day: date) -> int:
    return int(day_start(day).timestamp()) * 1000
