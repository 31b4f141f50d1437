"""What telemetry, carbon, predictions and labels share: flat rows under the table's own names.

What makes each of them special is in its own module.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import duckdb

from finops_dagster.domain.deliveries import Delivery
from finops_dagster.domain.errors import Fault
from finops_dagster.domain.schemas import TableSchema
from finops_dagster.sources.columns import match, parse, value_checks, word_check
from finops_dagster.sources.parsing import RawColumn, squeeze
from finops_dagster.sources.shapes import Limits
from finops_dagster.sources.views import PROVENANCE, Check, Counts, PartitionKey, View


@dataclass(frozen=True)
class SignalFormat:
    """A daily table whose files carry its columns without the provenance ones."""

    table: TableSchema
    key: Sequence[str]
    partial_key: Sequence[str] = ()
    empty: Sequence[str] = ()
    """Text columns whose empty text is a value, not a gap."""
    optional: Sequence[str] = ()
    """Columns that most senders do not have: their absence is not worth a note."""
    bounds: Sequence[Check] = ()
    """Values that no such measurement can have."""
    words: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    """Closed lists: column -> squeezed word -> word."""
    strict_partition: bool = True
    partition_key: PartitionKey = "day"
    clock: str = "time"
    moment: str = "time"

    def view(self, columns: Sequence[RawColumn], files: str) -> View:
        """See `Format`. Columns the table does not know are left out and reported."""
        wanted = [column for column in self.table.columns if column.name not in PROVENANCE]
        names = {squeeze(column.name): column.name for column in wanted}
        matched = match(columns, names, {}, {c.name: c.name for c in wanted}, files)
        view = View()
        view.tolerated.extend(matched.notes)
        view.tolerated.extend(_left_out(column, files) for column in matched.left)
        for column in wanted:
            raw = matched.of.get(column.name)
            words = self.words.get(column.name)
            parsed = parse(column, raw, words, keep_empty=column.name in self.empty)
            view.values[column.name] = parsed.sql
            view.notes.extend((column.name, note) for note in parsed.notes)
            view.checks.extend(value_checks(column, column.name, parsed))
            if words is not None:
                view.checks.append(word_check(column, column.name, words))
            if raw is None and column.name not in self.optional:
                (view.tolerated if column.nullable else view.faults).append(
                    _absent(column.name, files, required=not column.nullable)
                )
        view.checks.extend(self.bounds)
        return view

    def judge(
        self,
        connection: duckdb.DuckDBPyConnection,
        delivery: Delivery,
        counts: Counts,
        limits: Limits,
    ) -> list[Fault]:
        """See `Format`. The share of rows set aside is within its limit."""
        rows = counts.rows_good + counts.rows_bad
        if counts.rows_bad <= rows * limits.quarantined_row_share:
            return []
        return [
            Fault(
                code="quarantined_row_share",
                expected=f"At most {limits.quarantined_row_share * 100:f} % of rows set aside; "
                f"it is {counts.rows_bad} of {rows}.",
                hint="Look at the reasons in quarantine and mend them where they come from.",
            )
        ]


def outside(column: str, condition: str, wanted: str) -> Check:
    """A value out of the range it can have."""
    return Check(
        "out_of_range", column, f"({condition})", f"quoted({column}) || ' is not {wanted}'"
    )


def _left_out(column: RawColumn, files: str) -> Fault:
    return Fault(
        code="column_unknown",
        file=files,
        column=column.name,
        expected="Only the documented columns; this one was left out.",
        hint="Nothing to do.",
    )


def _absent(column: str, files: str, *, required: bool) -> Fault:
    if required:
        return Fault(
            code="column_missing",
            file=files,
            column=column,
            expected=f"A column {column}, without which no row can be used.",
            hint="Add the column to the export.",
        )
    return Fault(
        code="column_absent",
        file=files,
        column=column,
        expected=f"A column {column}; taken as empty.",
        hint="Nothing to do.",
    )
