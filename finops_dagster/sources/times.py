"""Times as logs write them: with a zone or without, as text of any shape, as numbers since 1970.

RFC 3339 and columns of a time's type, taken as UTC, are in `parsing`.
"""

from __future__ import annotations

from dataclasses import dataclass

from finops_dagster.sources.parsing import (
    FIRST_TIME,
    LAST_TIME,
    TIME_SHAPE,
    ZONE,
    RawColumn,
    as_text,
    is_text,
    literal,
)
from finops_dagster.sources.prediction_schema import Moment
from finops_dagster.sources.views import Check

_PER_SECOND = {"s": 1, "ms": 1_000, "us": 1_000_000, "ns": 1_000_000_000}
_SHIFTS = ("30 MINUTES", "1 HOUR")
"""By how much clocks are set back somewhere: Lord Howe Island, everywhere else."""
_ZONELESS = ("TIMESTAMP", "TIMESTAMP_S", "TIMESTAMP_MS", "TIMESTAMP_NS", "DATE")


@dataclass(frozen=True)
class ReadTime:
    """How a time is had: values in order, the last of which is the instant, and what to check."""

    values: dict[str, str]
    checks: tuple[Check, ...] = ()
    zoneless: bool = False
    """Whether nothing says which zone the times of the column are in."""


def read_time(name: str, moment: Moment, column: RawColumn | None) -> ReadTime:
    """SQL of the instant `name` from a column, or from the constant where there is none.

    A local time that happens twice, or never, as clocks are set back or forward, is faulted: no
    reading of it is right.
    """
    if column is None:
        assert moment.constant is not None  # either is there
        return ReadTime({name: f"TIMESTAMPTZ '{moment.constant.isoformat()}'"})
    text = as_text(column)
    given = f"nullif(trim({text}), '')"
    local, zoned = _local_and_zoned(moment, column, given)
    values = {f"{name}_zoned": zoned, f"{name}_local": local}
    checks = []
    instant = f"{name}_zoned"
    zoneless = moment.timezone is None and column.type in _ZONELESS
    if moment.timezone is not None:
        zone = literal(moment.timezone)
        values[f"{name}_told"] = f"timezone({zone}, {name}_local)"
        instant = f"coalesce({name}_zoned, {name}_told)"
        again = " OR ".join(
            f"timezone({zone}, {name}_told {sign} INTERVAL {shift}) = {name}_local"
            for shift in _SHIFTS
            for sign in ("+", "-")
        )
        never = f"timezone({zone}, {name}_told) <> {name}_local"
        checks.append(
            Check(
                "time_ambiguous",
                column.name,
                f"({again} OR {never})",
                f"quoted({text}) || {literal(_twice(moment.timezone))}",
            )
        )
    else:
        checks.append(
            Check(
                "time_without_zone",
                column.name,
                f"({name}_local IS NOT NULL AND {name} IS NULL)",
                f"quoted({text}) || ' names no zone: say `timezone` under its time in the schema'",
            )
        )
    values[name] = (
        f"CASE WHEN ({instant}) >= TIMESTAMPTZ '{FIRST_TIME}' "
        f"AND ({instant}) < TIMESTAMPTZ '{LAST_TIME}' THEN ({instant}) END"
    )
    checks.append(
        Check(
            "time_unreadable",
            column.name,
            f"({name} IS NULL AND {name}_local IS NULL AND {given} IS NOT NULL)",
            f"quoted({text}) || {literal(f' is no time such as {_shape(moment)}')}",
        )
    )
    checks.append(
        Check(
            "value_missing",
            column.name,
            f"({given} IS NULL)",
            "'the row is useless without a time'",
        )
    )
    return ReadTime(values, tuple(checks), zoneless)


def _local_and_zoned(moment: Moment, column: RawColumn, given: str) -> tuple[str, str]:
    """SQL of a local time and of an instant; one of them is null."""
    none = ("NULL::TIMESTAMP", "NULL::TIMESTAMPTZ")
    if moment.unit is not None:
        scale = f"1000000 / {_PER_SECOND[moment.unit]}"
        micros = f"round(TRY_CAST({given} AS DECIMAL(38,9)) * ({scale}))"
        return none[0], f"timezone('UTC', make_timestamp(TRY_CAST({micros} AS BIGINT)))"
    if moment.format is not None:
        parsed = f"try_strptime({given}, {literal(moment.format)})"
        return (none[0], parsed) if moment.has_zone else (parsed, none[1])
    if column.type == "TIMESTAMP WITH TIME ZONE":
        return none[0], column.sql
    if column.type in _ZONELESS:
        return f"TRY_CAST({column.sql} AS TIMESTAMP)", none[1]
    if not is_text(column):
        return none
    shaped = f"regexp_full_match({given}, {literal(TIME_SHAPE)})"
    has_zone = f"regexp_matches(substr({given}, 11), {literal(ZONE)})"
    return (
        f"CASE WHEN {shaped} AND NOT {has_zone} THEN TRY_CAST({given} AS TIMESTAMP) END",
        f"CASE WHEN {shaped} AND {has_zone} THEN TRY_CAST({given} AS TIMESTAMPTZ) END",
    )


def _shape(moment: Moment) -> str:
    if moment.unit is not None:
        return f"1767225600 in {moment.unit} since 1970, from {FIRST_TIME} to {LAST_TIME}"
    if moment.format is not None:
        return f"its format {moment.format} says, from {FIRST_TIME} to {LAST_TIME}"
    return f"2026-01-31T00:00:00Z, from {FIRST_TIME} to {LAST_TIME}"


def _twice(zone: str) -> str:
    return (
        f" happens twice or never in {zone}, where clocks are set back or forward: log times in UTC"
    )
