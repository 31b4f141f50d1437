"""Points and spans added up to token usage by hour: repeated exports, restarts and both families.

What is in the files is taken apart in `records`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date
from pathlib import Path

import duckdb
import pyarrow.parquet as pq

from finops_dagster.domain.errors import Fault, Unavailable
from finops_dagster.sources.flattening import flattened
from finops_dagster.sources.otlp.records import POINTS, points_of
from finops_dagster.sources.otlp.words import NOT_INFERENCE
from finops_dagster.sources.places import Place
from finops_dagster.sources.run_days import DAY_MS, copy, duckdb_on_disk, milliseconds

_DIMENSIONS = "provider, model, operation, service, team, cluster, namespace, workload"
_COUNTS = ("input_tokens", "output_tokens", "cached_input_tokens", "requests")
_NS = 1_000_000

_SINCE = ", ".join(
    # A restart begins anew: another start, or less than before. What a stream had counted before
    # our files begin is taken where it began on the day, since it is of it; else it is unknown.
    f"""
    CASE
        WHEN NOT cumulative THEN {count}
        WHEN before_ns IS NULL THEN
            CASE WHEN start_ns // {{day_ns}} = time_ns // {{day_ns}} THEN {count} ELSE 0 END
        WHEN start_ns <> before_start_ns OR restarted THEN {count}
        ELSE {count} - before_{count}
    END AS {count}"""
    for count in _COUNTS
)
_BEFORE = ", ".join(
    f"lag({column}) OVER in_stream AS before_{name}"
    for column, name in (
        ("time_ns", "ns"),
        ("start_ns", "start_ns"),
        *((count, count) for count in _COUNTS),
    )
)
_RESTARTED = " OR ".join(f"{count} < before_{count}" for count in _COUNTS)

_HOURLY = f"""
    WITH once AS (
        -- exporters send again what was not acknowledged
        SELECT DISTINCT ON (stream, start_ns, time_ns) * FROM read_parquet($files)
        WHERE signal = '{{signal}}'
        ORDER BY stream, start_ns, time_ns
    ),

    looked_back AS (
        SELECT *, {_BEFORE} FROM once
        WINDOW in_stream AS (PARTITION BY stream ORDER BY time_ns, start_ns)
    ),

    judged AS (
        SELECT *, coalesce({_RESTARTED}, false) AS restarted FROM looked_back
    ),

    since AS (
        SELECT {_DIMENSIONS}, family, time_ns, {_SINCE} FROM judged
        WHERE coalesce(operation, '') NOT IN ({{not_inference}})
    ),

    hourly AS (
        SELECT {_DIMENSIONS}, family,
            -- what was counted up to a full hour is of the hour before
            (time_ns - 1) // {{hour_ns}} AS hour,
            (time_ns - 1) // {{day_ns}} AS day,
            {", ".join(f"sum({count})::BIGINT AS {count}" for count in _COUNTS)}
        FROM since GROUP BY ALL
    )

    SELECT * EXCLUDE (family) FROM hourly
    -- both families count the same
    QUALIFY family = max(family) OVER (PARTITION BY service, cluster, namespace, day)
        AND greatest(input_tokens, output_tokens, cached_input_tokens, requests) > 0
"""
"""`counters` sorts after `by_type`."""

_DAY = f"""
    SELECT
        make_timestamptz(hour * 3600000000) AS time,
        3600 AS interval_seconds,
        {_DIMENSIONS},
        coalesce(input_tokens, 0) AS input_tokens,
        coalesce(output_tokens, 0) AS output_tokens,
        cached_input_tokens,
        requests
    FROM once WHERE day = {{day}} ORDER BY time, {_DIMENSIONS}
"""


def token_days(
    place: Place, signal: str, days: Sequence[date], scratch: Path
) -> Mapping[date, Path]:
    """A `Collector` over files of OTLP JSON lines: columns of TOKEN_USAGE, without provenance.

    signal: metrics or spans; both tell of the same tokens, so that one of them is taken. Only
    days with usage. Raises Unavailable, also where only the other signal tells of tokens.
    """
    files = flattened(
        place, scratch.parent / ".points", POINTS, points_of, "OTLP's JSON, one request a line"
    )
    if not files:
        return {}
    with duckdb_on_disk(scratch) as connection:
        _need(connection, place, signal, files)
        once = scratch / "once.parquet"
        copy(connection, _hourly(signal), once, files)
        connection.read_parquet(str(once)).create_view("once")
        found = {}
        for day in days:
            target = scratch / f"{day.isoformat()}.parquet"
            number = milliseconds(day) // DAY_MS
            copy(connection, _DAY.format(day=number), target)
            if pq.read_metadata(target).num_rows:
                found[day] = target
            else:
                target.unlink()
        return found


def _hourly(signal: str) -> str:
    return _HOURLY.format(
        signal=signal,
        not_inference=", ".join(f"'{one}'" for one in sorted(NOT_INFERENCE)),
        hour_ns=3_600_000 * _NS,
        day_ns=DAY_MS * _NS,
    )


def _need(
    connection: duckdb.DuckDBPyConnection, place: Place, signal: str, files: Sequence[Path]
) -> None:
    rows = connection.execute(
        "SELECT DISTINCT signal FROM read_parquet($files)", {"files": [str(one) for one in files]}
    ).fetchall()
    told = {str(row[0]) for row in rows}
    if not told or signal in told:
        return
    other = told.pop()
    raise Unavailable(
        f"{place.where} tells of tokens in {other} alone.",
        (
            Fault(
                code="signal_absent",
                file=place.where,
                expected=f"Expected {signal} that tell of tokens; only {other} do.",
                hint=f"Set `signal: {other}` on the source.",
            ),
        ),
    )
