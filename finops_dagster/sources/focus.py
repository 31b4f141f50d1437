"""FOCUS 1.0 to 1.4, Parquet or CSV: how its columns become charges, and what a bill must satisfy.

Closed lists and versions are in `focus_words`, invoices in `invoices`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from finops_dagster.domain.errors import Fault
from finops_dagster.domain.schemas import FOCUS_COLUMNS, Column, LogicalType
from finops_dagster.sources.bills import Bill
from finops_dagster.sources.columns import Matched, match, parse, value_checks, word_check
from finops_dagster.sources.focus_words import (
    ALIASES,
    DECISIVE,
    DESCRIPTIVE,
    DROPPED,
    JSON_COLUMNS,
    NAMES,
    dataset_of,
    focus_name,
    introduced,
    version_of,
)
from finops_dagster.sources.parsing import (
    NULL_WORDS,
    Note,
    Parsed,
    RawColumn,
    as_text,
    one_of,
    parse_text,
    squeeze,
)
from finops_dagster.sources.views import Check, View

_SHOWN = {column.name: focus_name(column.name) for column in FOCUS_COLUMNS}
_CURRENCY = "billing currency missing where there is cost"


class FocusFormat(Bill):
    """A bill in the FinOps Open Cost and Usage Specification."""

    def view(self, columns: Sequence[RawColumn], files: str) -> View:
        """See `Format`. FOCUS columns by name; what is no FOCUS column goes to `x_columns`."""
        matched = match(columns, NAMES, ALIASES, _SHOWN, files)
        squeezed = {squeeze(column.name) for column in columns}
        version = version_of(squeezed)
        view = View(extras=matched.left, version=version)
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
        if (dataset := dataset_of(squeezed)) != "Cost and Usage":
            view.faults = [_no_bill(dataset, files)]
        return view


def _add(view: View, column: Column, matched: Matched, version: str, files: str) -> None:
    raw = matched.of.get(column.name)
    shown = _SHOWN[column.name]
    if raw is None and not (version >= "1.4" and column.name in DROPPED):
        (view.tolerated if column.nullable else view.faults).append(_absent(column, version, files))
    words = DECISIVE.get(column.name) or DESCRIPTIVE.get(column.name)
    is_map = column.type is LogicalType.STRING_MAP
    parsed = _tags(raw) if is_map and raw else parse(column, raw, words)
    if column.name == "provider_name":
        parsed = _provider(parsed, matched)
    elif column.name in JSON_COLUMNS and raw:
        parsed = _json(column.name, parsed)
    elif column.name == "billing_currency" and raw:
        parsed = _currency(parsed)
    view.values[column.name] = parsed.sql
    view.notes.extend((raw.name if raw else shown, note) for note in parsed.notes)
    if not is_map:
        view.checks.extend(
            value_checks(
                column, shown, parsed, _CURRENCY if column.name == "billing_currency" else ""
            )
        )
    for other in matched.repeated.get(column.name, ()):
        _add_repeated(view, column, other)
    if raw is None:
        return
    if column.name in DECISIVE:
        view.checks.append(word_check(column, shown, DECISIVE[column.name]))
    elif words is not None:
        view.notes.append((raw.name, _unknown_word(column.name, words)))


def _add_repeated(view: View, column: Column, other: RawColumn) -> None:
    """Two columns of one name: which one counts cannot be told where money differs."""
    shown = _SHOWN[column.name]
    differs = f"(({parse(column, other).sql}) IS DISTINCT FROM {column.name})"
    if column.type is LogicalType.MONEY or not column.nullable:
        sentence = (
            f"quoted({column.name}) || ' here, but ' || quoted({as_text(other)}) || "
            "' in another column of this name'"
        )
        view.checks.append(Check("duplicate_column", shown, differs, f"coalesce({sentence}, "
                                 "'another column of this name has another value')"))  # fmt: skip
    else:
        view.notes.append(
            (
                other.name,
                Note(
                    "duplicate_column",
                    differs,
                    "The same value in every column of one name; the first was taken",
                    "Export each column once.",
                ),
            )
        )


def _provider(parsed: Parsed, matched: Matched) -> Parsed:
    """ProviderName, or what took its place in 1.3: who sells the service, else who hosts it."""
    successors = [
        matched.of[name]
        for name in ("service_provider_name", "host_provider_name")
        if name in matched.of
    ]
    if not successors:
        return parsed
    values = ", ".join(parse_text(column).sql for column in successors)
    filled = Note(
        "provider_filled",
        f"(({parsed.sql}) IS NULL AND provider_name IS NOT NULL)",
        f"A ProviderName, which reports go by; taken from {successors[0].name}",
        "Nothing to do: FOCUS 1.4 has the new names only.",
    )
    return replace(parsed, sql=f"coalesce({parsed.sql}, {values})", notes=(*parsed.notes, filled))


def _currency(parsed: Parsed) -> Parsed:
    """A code in capitals: usd and USD would be two sums of one money."""
    text = parsed.sql
    mended = Note(
        "currency_spelling",
        f"(billing_currency <> ({text}))",
        "A currency code in capitals, without spaces",
    )
    value = f"CASE WHEN length(trim({text})) = 3 THEN upper(trim({text})) ELSE {text} END"
    return replace(parsed, sql=value, notes=(*parsed.notes, mended))


def _json(column: str, parsed: Parsed) -> Parsed:
    """JSON text as it is, but for two keys that 1.3 wrote with ID and 1.4 writes with Id."""
    unreadable = Note(
        "json_unreadable",
        f"({column} IS NOT NULL AND NOT json_valid({column}))",
        "A JSON object; the text was kept as it is",
        "Ask the sender for JSON: nothing inside of these can be read.",
    )
    if column != "contract_applied":
        return replace(parsed, notes=(*parsed.notes, unreadable))
    text = parsed.sql
    spelled = (
        f"CASE WHEN contains({text}, 'ID\"') THEN regexp_replace({text}, "
        f"'\"Contract(Commitment)?ID\"(\\s*:)', '\"Contract\\1Id\"\\2', 'g') ELSE {text} END"
    )
    respelled = Note(
        "json_keys",
        f"({column} <> ({text}))",
        "The keys ContractId and ContractCommitmentId, as in FOCUS 1.4; 1.3 wrote ID",
    )
    return replace(parsed, sql=spelled, notes=(*parsed.notes, unreadable, respelled))


def _tags(raw: RawColumn) -> Parsed:
    """Maps as they are; every other notation as text, read once per distinct text later."""
    if raw.type.startswith("MAP"):
        return Parsed(f"TRY_CAST({raw.sql} AS MAP(VARCHAR, VARCHAR))", "false", "NULL")
    text = as_text(raw)
    null = Note(
        "null_text",
        one_of(text, NULL_WORDS),
        "An empty value; the file has the word NULL, taken as empty",
    )
    empty = f"CASE WHEN {one_of(text, ('', *NULL_WORDS))} THEN NULL ELSE {text} END"
    return Parsed(empty, "false", "NULL", (null,))


def _unknown_word(column: str, words: dict[str, str]) -> Note:
    return Note(
        "word_unlisted",
        f"(NOT {one_of(column, words.values())})",
        f"One of {', '.join(words.values())}; another word was kept as it is",
        "Ask the sender for the words of the format: reports by this column split.",
    )


def _no_bill(dataset: str, files: str) -> Fault:
    return Fault(
        code="not_a_bill",
        file=files,
        expected=f"The FOCUS dataset Cost and Usage; these columns are those of {dataset}, "
        "which has no charges.",
        hint="Take it out of this source's path, and export Cost and Usage there.",
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
        expected="Only columns of FOCUS 1.0 to 1.4; this one is kept as text in x_columns.",
        hint="Nothing to do.",
    )
