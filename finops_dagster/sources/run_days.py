"""What was known of runs and model versions when each day ended, as one Parquet file a day.

A run still running at a day's end has no end that day: the day after tells it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import date
from pathlib import Path

import duckdb
import pyarrow.parquet as pq

from finops_dagster.domain.periods import day_start

DAY_MS = 86_400_000

_KEY = "system, run_id, cluster, namespace, workload_kind, workload"

_ONCE_RUN = f"""
    WITH told AS (
        SELECT {_KEY}, coalesce(part, '') AS part, started_ms, ended_ms, status, filename,
            file_row_number
        FROM read_parquet($files, filename = true, file_row_number = true)
    ),

    parts AS (
        SELECT {_KEY}, part,
            min(started_ms) AS started_ms,
            max(ended_ms) AS ended_ms,
            arg_max(status, row(ended_ms IS NOT NULL, filename, file_row_number)) AS status,
            max(row(filename, file_row_number)) AS place
        FROM told GROUP BY ALL
    ),

    runs AS (
        SELECT
            min(started_ms) AS started_ms,
            CASE WHEN count(*) = count(ended_ms) THEN max(ended_ms) END AS ended_ms,
            arg_max(status, row(coalesce(ended_ms, {2**53}), part)) AS status,
            arg_max(place, part) AS place
        FROM parts GROUP BY {_KEY}
    )

    SELECT
        wide.* EXCLUDE (part, started_ms, ended_ms, status, filename, file_row_number),
        runs.* EXCLUDE (place),
        CASE WHEN runs.started_ms < 946684800000 THEN runs.started_ms * 1000
            ELSE runs.started_ms END AS placed_ms
    FROM read_parquet($files, filename = true, file_row_number = true) AS wide
    INNER JOIN runs ON row(wide.filename, wide.file_row_number) = runs.place
"""
"""A record may come twice, and a run may have several parts (pods): it lasts from the start of the
first to the end of the last. Only narrow rows are grouped, so that memory is bounded. `placed_ms`
is where a start in seconds would be: one before the year 2000."""

_ONCE_VERSION = """
    SELECT DISTINCT ON (registry, model, version) *
    FROM read_parquet($files) ORDER BY registry, model, version
"""

_RUNS = """
    SELECT
        make_timestamptz(greatest(placed_ms, {start}) * 1000) AS time,
        system,
        experiment,
        run_id,
        name,
        owner,
        CASE WHEN ended_ms IS NULL OR ended_ms < {end} THEN lower(coalesce(status, 'unknown'))
            ELSE 'running' END AS status,
        lifecycle,
        make_timestamptz(started_ms * 1000) AS started_at,
        CASE WHEN ended_ms < {end} THEN make_timestamptz(ended_ms * 1000) END AS ended_at,
        cluster,
        namespace,
        workload_kind,
        workload,
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
    ORDER BY system, run_id, cluster, namespace, workload_kind, workload
"""
"""An end before the start keeps the run on the day of its start, where it is set aside."""

_VERSIONS = """
    SELECT
        make_timestamptz(
            CASE WHEN updated_ms BETWEEN {start} AND {end} - 1 THEN updated_ms ELSE created_ms END
            * 1000
        ) AS time,
        registry,
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
    ORDER BY registry, model, version
"""


def run_days(
    records: Sequence[Path],
    open_ms: int,
    days: Sequence[date],
    scratch: Path,
    *,
    only_filled: bool = False,
) -> dict[date, Path]:
    """The runs that were active on each of `days`: columns of RUNS without provenance.

    records: Parquet files of RUN_RECORDS. open_ms: how long a run without an end counts as
    running. only_filled: leave out days without a run. Memory is bounded.
    """
    with duckdb_on_disk(scratch) as connection:
        once = scratch / "once.parquet"
        copy(connection, _ONCE_RUN, once, records)
        found = _split(connection, _RUNS, days, scratch, once, open=open_ms)
    if not only_filled:
        return found
    return {day: file for day, file in found.items() if pq.read_metadata(file).num_rows}


def version_days(records: Sequence[Path], days: Sequence[date], scratch: Path) -> dict[date, Path]:
    """Model versions made or changed on each of `days`: columns of MODEL_VERSIONS likewise."""
    with duckdb_on_disk(scratch) as connection:
        once = scratch / "once.parquet"
        copy(connection, _ONCE_VERSION, once, records)
        return _split(connection, _VERSIONS, days, scratch, once)


def _split(
    connection: duckdb.DuckDBPyConnection,
    query: str,
    days: Sequence[date],
    scratch: Path,
    once: Path,
    **more: int,
) -> dict[date, Path]:
    connection.read_parquet(str(once)).create_view("once")
    found = {}
    for day in days:
        start = milliseconds(day)
        target = scratch / f"{day.isoformat()}.parquet"
        sql = query.format(start=start, end=start + DAY_MS, **more)
        copy(connection, sql, target)
        found[day] = target
    return found


def copy(
    connection: duckdb.DuckDBPyConnection, query: str, target: Path, files: Sequence[Path] = ()
) -> None:
    """Write the rows of a query over `$files` to the Parquet file `target`."""
    place = str(target).replace("'", "''")
    given = {"files": [str(file) for file in files]} if files else {}
    connection.execute(f"COPY ({query}) TO '{place}' (FORMAT parquet, COMPRESSION zstd)", given)


@contextmanager
def duckdb_on_disk(scratch: Path) -> Iterator[duckdb.DuckDBPyConnection]:
    """A DuckDB in memory that spills beside `scratch`."""
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


def milliseconds(day: date) -> int:
    """Of the start of a day, since 1970."""
    return int(day_start(day).timestamp()) * 1000
