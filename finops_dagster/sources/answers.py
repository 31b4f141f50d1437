"""Answers of an API, one row per value, as rows of a daily table: natives and what follows of them.

What any one API's words mean is in a module of its own; asking for answers is in `extraction`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from finops_dagster.sources.bills import Native, add_native
from finops_dagster.sources.columns import match, parse
from finops_dagster.sources.parsing import RawColumn, literal, squeeze
from finops_dagster.sources.signals import SignalFormat, left_out
from finops_dagster.sources.views import PROVENANCE, Check, View


@dataclass(frozen=True, kw_only=True)
class AnswerFormat(SignalFormat):
    """Implements `Format` from a mapping, as `BillFormat` does for bills."""

    label: str
    """How people call the format, for faults."""
    natives: tuple[Native, ...]
    values: Mapping[str, str]
    """Column of the table -> SQL over natives as `n_NAME`, and over entries before it; a column
    without an entry is null."""
    strict_partition: bool = False
    """An API asked for a day may answer with the first hour of the next: it is left there."""

    def view(self, columns: Sequence[RawColumn], files: str) -> View:
        """See `Format`. Columns that are no natives are left out and reported."""
        names = {squeeze(native.name): native.name for native in self.natives}
        aliases = {squeeze(a): native.name for native in self.natives for a in native.aliases}
        shown = {native.name: native.name for native in self.natives}
        # an API's own spelling is no deviation: notes of it are left out
        matched = match(columns, names, aliases, shown, files)
        view = View()
        view.tolerated.extend(left_out(column, files) for column in matched.left)
        for native in self.natives:
            add_native(view, native, matched.of.get(native.name), self.label, files)
        for column in self.table.columns:
            if column.name not in PROVENANCE and column.name not in self.values:
                view.values[column.name] = parse(column, None).sql
        view.values.update(self.values)
        for column in self.table.columns:
            if not column.nullable and column.name in self.values:
                view.checks.append(
                    Check(
                        "value_missing",
                        column.name,
                        f"({column.name} IS NULL)",
                        literal(f"no value follows from the answer of {self.label}"),
                    )
                )
        view.checks.extend(self.bounds)
        return view
