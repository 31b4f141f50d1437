"""The words suites are written in: one expectation as data, and one table's suite of them.

What is expected of which table is in `landing` and `marts`; running it is in `audit`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

Severity = Literal["error", "warn"]


@dataclass(frozen=True)
class Check:
    """One expectation over one frame of a table.

    `name` is stable and unique in its suite: people and scripts refer to it. `expectation` is
    Great Expectations' own name of it, `kwargs` what that takes beside the column. `frame` names
    the rows it is held against: "rows" (the table itself, narrowed by the SQL condition `where`),
    one of the frames every table has ("grain", "schema", "partitions") or one of the suite's own.
    """

    name: str
    expectation: str
    column: str | None = None
    kwargs: Mapping[str, object] = field(default_factory=dict)
    frame: str = "rows"
    where: str | None = None
    severity: Severity = "error"
    hint: str = ""


@dataclass(frozen=True)
class Frame:
    """Rows made for one or more checks by SQL over `{table}`, and over `{NAME}` of `needs`."""

    sql: str
    columns: tuple[str, ...]
    """Columns of the table that must be there, or the frame cannot be made."""
    needs: tuple[str, ...] = ()


@dataclass(frozen=True)
class Suite:
    """Everything expected of one table. `columns` are those promised to its readers."""

    table: str
    partition: str
    grain: tuple[str, ...]
    columns: tuple[str, ...]
    money: tuple[str, ...] = ()
    checks: tuple[Check, ...] = ()
    frames: Mapping[str, Frame] = field(default_factory=dict)
    always_filled: bool = True
    """False for a table that rightly has no rows where nothing happened."""


_OF_FILLED = frozenset({"has_rows", "rows_against_previous", "newest_is_fresh"})


def names(text: str) -> tuple[str, ...]:
    """Column names parted by blanks: a list of thirty reads better so."""
    return tuple(text.split())


def not_null(
    *columns: str, where: str | None = None, suffix: str = "", hint: str = ""
) -> tuple[Check, ...]:
    """Each column has a value, in every row or in those that meet `where`."""
    return tuple(
        Check(
            name=f"{column}_present{suffix}",
            expectation="expect_column_values_to_not_be_null",
            column=column,
            where=where,
            hint=hint or f"Find the rows without {column} at their source and deliver them again.",
        )
        for column in columns
    )


def between(
    *columns: str,
    low: float | None = 0,
    high: float | None = None,
    severity: Severity = "error",
    hint: str = "",
) -> tuple[Check, ...]:
    """Each column, where it has a value, lies in [low, high]."""
    ends = f"at least {low:g}" if high is None else f"between {low} and {high:g}"
    return tuple(
        Check(
            name=f"{column}_in_range",
            expectation="expect_column_values_to_be_between",
            column=column,
            kwargs={"min_value": low, "max_value": high},
            severity=severity,
            hint=hint or f"{column} is {ends} by its meaning; look at what measured it.",
        )
        for column in columns
    )


def one_of(
    column: str, values: tuple[object, ...], severity: Severity = "error", hint: str = ""
) -> Check:
    """The column, where it has a value, holds one of `values`."""
    return Check(
        name=f"{column}_known",
        expectation="expect_column_values_to_be_in_set",
        column=column,
        kwargs={"value_set": list(values)},
        severity=severity,
        hint=hint or f"Map the new value of {column}, or have its source corrected.",
    )


def no_difference(name: str, frame: str, hint: str, column: str = "difference") -> Check:
    """Sums that the rows of a frame hold side by side are equal to the last digit: what `column`
    has of them, as text, is 0 in each."""
    return Check(
        name=name,
        expectation="expect_column_values_to_be_in_set",
        column=column,
        kwargs={"value_set": ["0"]},
        frame=frame,
        hint=hint,
    )


def standard(suite: Suite) -> tuple[Check, ...]:
    """What holds for every table: its columns, decimal money, its grain, its partitions."""
    checks = [
        Check(
            name="columns_as_promised",
            expectation="expect_column_distinct_values_to_contain_set",
            column="column_name",
            kwargs={"value_set": list(suite.columns)},
            frame="schema",
            hint="A column that readers rely on is gone or renamed: restore it in the model.",
        ),
        Check(
            name="grain_unique",
            expectation="expect_column_values_to_be_between",
            column="rows_of_grain",
            kwargs={"min_value": 1, "max_value": 1},
            frame="grain",
            hint=f"More than one row for the same {', '.join(suite.grain)}: a delivery was "
            "counted twice or a join multiplied rows.",
        ),
        Check(
            name="has_rows",
            expectation="expect_column_values_to_be_between",
            column="rows",
            kwargs={"min_value": 1},
            frame="partitions",
            hint="A partition that was to be built is empty: look at what landed for it.",
        ),
        Check(
            name="rows_against_previous",
            expectation="expect_column_values_to_be_between",
            column="rows_to_previous",
            kwargs={"min_value": 0.5},
            frame="partitions",
            hint="Under half the rows of the version in force: the new delivery looks cut off.",
        ),
        Check(
            name="newest_is_fresh",
            expectation="expect_column_max_to_be_between",
            column="days_before_as_of",
            frame="freshness",
            severity="warn",
            hint="The newest partition is too old to decide on: look at whether its source "
            "still delivers.",
        ),
    ]
    if suite.money:
        checks.append(
            Check(
                name="money_is_decimal",
                expectation="expect_column_values_to_match_regex",
                column="column_type",
                kwargs={"regex": r"^DECIMAL"},
                frame="money",
                hint="Money went through a float; cast it to decimal where it is read.",
            )
        )
    if not suite.always_filled:
        checks = [check for check in checks if check.name not in _OF_FILLED]
    return (*checks, *suite.checks)
