"""A provider's own bill as charges: its native columns, and how charge columns follow from them.

What any one provider's columns mean is in a module of its own; FOCUS needs none of this.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import duckdb

from finops_dagster.domain.deliveries import Delivery
from finops_dagster.domain.errors import Fault
from finops_dagster.domain.schemas import CHARGES, Column, LogicalType
from finops_dagster.sources.columns import match, parse, value_checks
from finops_dagster.sources.deep_decimals import parse_deep
from finops_dagster.sources.invoices import judge_bill
from finops_dagster.sources.parsing import Note, RawColumn, is_text, literal, squeeze
from finops_dagster.sources.shapes import Limits
from finops_dagster.sources.views import PROVENANCE, Check, Counts, PartitionKey, View


@dataclass(frozen=True)
class Native:
    """A column of the provider's own. Expressions name it `n_NAME`; it is typed there."""

    name: str
    """snake_case; a delivered column matches it whatever its case and punctuation."""
    type: LogicalType = LogicalType.STRING
    required: bool = False
    """Without the column the file is not of this format; without a value its row is set aside."""
    aliases: tuple[str, ...] = ()
    kept: bool = False
    """Whether its text is in `x_columns` too, beside what follows from it."""
    deep: bool = False
    """Whether a cost may have more than 20 decimals; `rest_NAME` is then what rounding took."""


class Bill:
    """What all bills have in common of `Format`: where a row belongs, when a bill will do."""

    table = CHARGES
    partition_key: PartitionKey = "billing_period"
    clock = "billing_period_start"
    moment = "charge_period_start"
    strict_partition = True
    key: Sequence[str] = ()
    """Equal rows are legal."""
    partial_key: Sequence[str] = ()

    def judge(
        self,
        connection: duckdb.DuckDBPyConnection,
        delivery: Delivery,
        counts: Counts,
        limits: Limits,
    ) -> list[Fault]:
        """See `Format`. Cost set aside within its limit, and invoices within their tolerance."""
        return judge_bill(connection, delivery, counts, limits)


@dataclass(frozen=True)
class BillFormat(Bill):
    """Implements `Format` from a mapping. Override `dynamic` where column names are data."""

    label: str
    """How people call the format, for faults."""
    natives: tuple[Native, ...]
    values: Mapping[str, str]
    """Column of CHARGES -> SQL over natives and over columns of CHARGES with an entry before it; a
    column without an entry is null. Tags may be a map, or text in any notation of `tags`."""
    file_cost: str
    """SQL of what the file itself says that a row costs: its sum is the file's total."""
    file_rest: str = "0"
    """SQL of what rounding to money's decimals took from `file_cost`."""
    checks: tuple[Check, ...] = ()
    """Row faults beside unreadable and missing values."""
    notes: tuple[tuple[str, Note], ...] = ()
    """Column of the provider's and what to count there."""
    facts: frozenset[str] = frozenset()
    """Those of `values` that are one text for all rows; see `View`."""

    def dynamic(self, left: Sequence[RawColumn]) -> tuple[dict[str, str], list[RawColumn]]:
        """Values had from columns that are no natives, and those of `left` that are not used up."""
        return {}, list(left)

    def view(self, columns: Sequence[RawColumn], files: str) -> View:
        """See `Format`."""
        names = {squeeze(native.name): native.name for native in self.natives}
        aliases = {squeeze(a): native.name for native in self.natives for a in native.aliases}
        shown = {native.name: native.name for native in self.natives}
        matched = match(columns, names, aliases, shown, files)
        view = View(file_cost=self.file_cost, file_rest=self.file_rest, facts=self.facts)
        for native in self.natives:
            add_native(view, native, matched.of.get(native.name), self.label, files)
        more, left = self.dynamic(matched.left)
        values = {**self.values, **more}
        for column in self.table.columns:
            if column.name not in (*PROVENANCE, "x_columns") and column.name not in values:
                view.values[column.name] = parse(column, None).sql
        for name, sql in values.items():
            view.values[name] = sql
        for column in self.table.columns:
            if not column.nullable and column.name in values:
                view.checks.append(_missing(column.name, self.label))
        view.checks.extend(self.checks)
        view.notes.extend(self.notes)
        kept = [matched.of[n.name] for n in self.natives if n.kept and n.name in matched.of]
        view.extras = [_nothing_for_empty(column) for column in (*left, *kept)]
        return view


def add_native(view: View, native: Native, raw: RawColumn | None, label: str, files: str) -> None:
    """Give a view the value, notes and checks of one native column, or the fault that it lacks."""
    column = Column(
        name=f"n_{native.name}", type=native.type, description="", nullable=not native.required
    )
    if raw is None and native.required:
        view.faults.append(_absent(native.name, label, files))
    parsed = parse(column, raw)
    if native.deep:
        parsed, rest = parse_deep(raw) if raw else (parsed, "0")
        view.values[f"rest_{native.name}"] = rest
    view.values[column.name] = parsed.sql
    shown = raw.name if raw else native.name
    view.notes.extend((shown, note) for note in parsed.notes)
    view.checks.extend(value_checks(column, shown, parsed))


def _nothing_for_empty(column: RawColumn) -> RawColumn:
    """Providers have hundreds of columns that are empty in most rows: those are not kept."""
    if not is_text(column):
        return column
    return RawColumn(column.name, f"nullif({column.sql}, '')", column.type)


def _missing(column: str, label: str) -> Check:
    return Check(
        "value_missing",
        column,
        f"({column} IS NULL)",
        literal(f"no value follows from the columns of {label}; the row is useless without"),
    )


def _absent(name: str, label: str, files: str) -> Fault:
    return Fault(
        code="column_missing",
        file=files,
        column=name,
        expected=f"A column {name}, which every file in the format {label} has.",
        hint="Export the column, or name the format the file really is in.",
    )
