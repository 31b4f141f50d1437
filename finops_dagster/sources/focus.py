"""FOCUS 1.0 to 1.4, Parquet or CSV: how its columns become charges, and what a bill must satisfy.

Closed lists and versions are in `focus_words`, invoices in `invoices`.
"""

from __future__ import annotations

from collections.abc import Sequence

import duckdb

from finops_dagster.domain.deliveries import Delivery
from finops_dagster.domain.errors import Fault
from finops_dagster.domain.schemas import CHARGES, FOCUS_COLUMNS, Column
from finops_dagster.sources.columns import Matched, match, parse, value_checks, word_check
from finops_dagster.sources.focus_words import (
    ALIASES,
    DECISIVE,
    DESCRIPTIVE,
    NAMES,
    focus_name,
    introduced,
    version_of,
)
from finops_dagster.sources.invoices import judge_bill
from finops_dagster.sources.parsing import Note, Parsed, RawColumn, as_text, literal, squeeze
from finops_dagster.sources.shapes import Limits
from finops_dagster.sources.views import Check, Counts, PartitionKey, View

_SHOWN = {column.name: focus_name(column.name) for column in FOCUS_COLUMNS}
_CURRENCY = "billing currency missing where there is cost"


class FocusFormat:
    """A bill in the FinOps Open Cost and Usage Specification."""

    table = CHARGES
    partition_key: PartitionKey = "billing_period"
    clock = "billing_period_start"
    moment = "charge_period_start"
    strict_partition = True
    key: Sequence[str] = ()
    partial_key: Sequence[str] = ()

    def view(self, columns: Sequence[RawColumn], files: str) -> View:
        """See `Format`. FOCUS columns by name; what is no FOCUS column goes to `x_columns`."""
        matched = match(columns, NAMES, ALIASES, _SHOWN, files)
        view = View(extras=matched.left)
        version = version_of({squeeze(column.name) for column in columns})
        view.tolerated.append(_version(version, files))
        view.tolerated.extend(matched.notes)
        for column in FOCUS_COLUMNS:
            _add(view, column, matched, version, files)
        view.tolerated.extend(_extra(column, files) for column in matched.left)
        for clock in ("charge_period", "billing_period"):
            view.checks.append(
                Check(
                    "period_reversed",
                    focus_name(f"{clock}_end"),
                    f"({clock}_end < {clock}_start)",
                    "'the period ends before it starts'",
                )
            )
        return view

    def judge(
        self,
        connection: duckdb.DuckDBPyConnection,
        delivery: Delivery,
        counts: Counts,
        limits: Limits,
    ) -> list[Fault]:
        """See `Format`. Cost set aside within its limit, and invoices within their tolerance."""
        return judge_bill(connection, delivery, counts, limits)


def _add(view: View, column: Column, matched: Matched, version: str, files: str) -> None:
    raw = matched.of.get(column.name)
    shown = _SHOWN[column.name]
    if raw is None:
        (view.tolerated if column.nullable else view.faults).append(_absent(column, version, files))
    words = DECISIVE.get(column.name) or DESCRIPTIVE.get(column.name)
    parsed = _tags(raw) if column.name == "tags" and raw else parse(column, raw, words)
    view.values[column.name] = parsed.sql
    view.notes.extend((raw.name if raw else shown, note) for note in parsed.notes)
    if column.name != "tags":
        view.checks.extend(
            value_checks(
                column, shown, parsed, _CURRENCY if column.name == "billing_currency" else ""
            )
        )
    if raw is None:
        return
    if column.name in DECISIVE:
        view.checks.append(word_check(column, shown, DECISIVE[column.name]))
    elif words is not None:
        view.notes.append((raw.name, _unknown_word(column.name, words)))


def _tags(raw: RawColumn) -> Parsed:
    """Maps as they are; every other notation as text, read once per distinct text later."""
    if raw.type.startswith("MAP"):
        return Parsed(f"TRY_CAST({raw.sql} AS MAP(VARCHAR, VARCHAR))", "false", "NULL")
    text = as_text(raw)
    null = Note(
        "null_text",
        f"{text} IN ('NULL', 'null', 'Null')",
        "An empty value; the file has the word NULL, taken as empty",
    )
    empty = f"CASE WHEN {text} IN ('', 'NULL', 'null', 'Null') THEN NULL ELSE {text} END"
    return Parsed(empty, "false", "NULL", (null,))


def _unknown_word(column: str, words: dict[str, str]) -> Note:
    listed = ", ".join(literal(word) for word in words.values())
    return Note(
        "word_unlisted",
        f"({column} IS NOT NULL AND {column} NOT IN ({listed}))",
        f"One of {', '.join(words.values())}; another word was kept as it is",
        "Ask the sender for the words of the format: reports by this column split.",
    )


def _version(version: str, files: str) -> Fault:
    return Fault(
        code="focus_version",
        file=files,
        expected=f"FOCUS 1.0 to 1.4; its columns are those of FOCUS {version}.",
        hint="Nothing to do.",
    )


def _absent(column: Column, version: str, files: str) -> Fault:
    shown = _SHOWN[column.name]
    if not column.nullable:
        return Fault(
            code="column_missing",
            file=files,
            column=shown,
            expected=f"A column {shown}, which every FOCUS bill has.",
            hint="Export the column, or name the format the file really is in.",
        )
    newer = introduced(column.name) > version
    return Fault(
        code="column_of_newer_version" if newer else "column_absent",
        file=files,
        column=shown,
        expected=f"A column {shown} (FOCUS {introduced(column.name)}); taken as empty.",
        hint="Nothing to do." if newer else "Export the column if reports should use it.",
    )


def _extra(column: RawColumn, files: str) -> Fault:
    return Fault(
        code="column_unknown",
        file=files,
        column=column.name,
        expected="Only columns of FOCUS 1.2; this one is kept as text in x_columns.",
        hint="Nothing to do.",
    )
