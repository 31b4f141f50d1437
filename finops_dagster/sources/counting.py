"""The first pass: types every row in a view, counts faults, notes and money before any is given.

Giving the rows out is in `streams`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal

import duckdb

from finops_dagster.domain.errors import Fault
from finops_dagster.domain.money import exact_sum
from finops_dagster.domain.schemas import TableSchema
from finops_dagster.sources.deep_decimals import REST
from finops_dagster.sources.facts import settle
from finops_dagster.sources.kinds import kinds_of, with_kinds
from finops_dagster.sources.layers import layered
from finops_dagster.sources.opening import Group
from finops_dagster.sources.parsing import literal
from finops_dagster.sources.views import (
    Check,
    Counts,
    Format,
    View,
    day_of,
    partition_at,
    partition_sql,
    within,
)

_SMALL_ROWS, _SMALL_BYTES = 20_000, 32 * 1024 * 1024
"""Up to here planning a wide view three times costs more than keeping its rows once."""


@dataclass
class Typed:
    """A group with its view: `typed_N` has the table's columns beside the raw ones."""

    group: Group
    view: View
    name: str
    where: str = "true"
    """Rows of the delivery's own partition."""
    bad_rows: int = 0

    @property
    def bad(self) -> str:
        """SQL that is true for a faulted row."""
        if not self.view.checks:
            return "false"
        return " OR ".join(f"coalesce({check.condition}, false)" for check in self.view.checks)

    @property
    def reasons(self) -> str:
        """SQL of the list of reasons of a row, each `code column: sentence`."""
        items = ", ".join(
            f"CASE WHEN {check.condition} THEN "
            f"{literal(f'{check.code} {check.column}: ')} || {check.sentence} END"
            for check in self.view.checks
        )
        return f"list_filter([{items}]::VARCHAR[], lambda r: r IS NOT NULL)"


def type_rows(
    connection: duckdb.DuckDBPyConnection, fmt: Format, groups: Sequence[Group], names: list[str]
) -> list[Typed]:
    """One typed view per group; a table where it is small, so that its SQL is planned once."""
    typed = []
    views = [
        fmt.view(group.columns, ", ".join(names[number] for number in group.files)[:500])
        for group in groups
    ]
    kinds = kinds_of(connection, fmt, groups, views, names)
    for place, (group, view) in enumerate(zip(groups, views, strict=True)):
        settle(connection, group, view)
        name = f"typed_{place}"
        values = with_kinds(fmt, view, kinds)
        small = group.rows <= _SMALL_ROWS and group.rows * group.row_bytes <= _SMALL_BYTES
        kind = "TABLE" if small else "VIEW"
        rows = layered(values, group.view)
        if view.only != "true":
            _leave_out(connection, view, rows)
            rows = f"SELECT * FROM ({rows}) WHERE {view.only}"
        if view.reorders:
            rows = f"SELECT * FROM ({rows}) ORDER BY file_no, row_number"
        connection.execute(f"CREATE OR REPLACE {kind} {name} AS {rows}")
        typed.append(Typed(group, view, name))
    return typed


def _leave_out(connection: duckdb.DuckDBPyConnection, view: View, rows: str) -> None:
    """Note how many rows are none of the table's."""
    found = connection.execute(
        f"SELECT count(*) FROM ({rows}) WHERE NOT coalesce({view.only}, false)"
    ).fetchone()
    assert found is not None  # an aggregate without groups has one row
    if found[0]:
        view.tolerated.append(
            Fault(
                code="rows_left_out",
                expected=f"Rows of the table alone; {found[0]} row(s) are of something else.",
                hint="Nothing to do if they are not meant: the declared schema leaves them out.",
            )
        )


def partitions(
    connection: duckdb.DuckDBPyConnection, fmt: Format, typed: Sequence[Typed]
) -> list[date | None]:
    """Every partition that rows are in, oldest first; None, last, if some cannot be told."""
    found: set[date | None] = set()
    for one in typed:
        row = connection.execute(
            f"SELECT min({fmt.clock}), max({fmt.clock}), count(*) > count({fmt.clock}) "
            f"FROM {one.name}"
        ).fetchone()
        assert row is not None  # an aggregate without groups has one row
        if row[2]:
            found.add(None)
        if row[0] is None:
            continue
        ends = {partition_at(fmt.partition_key, moment) for moment in row[:2]}
        if len(ends) > 1:
            ends = {
                day
                for (day,) in connection.execute(
                    f"SELECT DISTINCT {partition_sql(fmt.partition_key, fmt.clock)} "
                    f"FROM {one.name} WHERE {fmt.clock} IS NOT NULL"
                ).fetchall()
            }
        found.update(ends)
    return sorted(found, key=lambda p: (p is None, p or date.min))


def reaches(
    connection: duckdb.DuckDBPyConnection, fmt: Format, typed: Sequence[Typed]
) -> dict[date, datetime]:
    """Every partition that rows are in, with the latest moment that a row of it tells of."""
    found: dict[date, datetime] = {}
    for one in typed:
        for day, latest in connection.execute(
            f"SELECT {partition_sql(fmt.partition_key, fmt.clock)}, "
            f"coalesce(max({fmt.moment}), max({fmt.clock})) "
            f"FROM {one.name} WHERE {fmt.clock} IS NOT NULL GROUP BY 1"
        ).fetchall():
            found[day] = max(found.get(day, latest), latest)
    return dict(sorted(found.items()))


def confine(fmt: Format, typed: Sequence[Typed], partition: date, present: Sequence[date | None],
            named: bool) -> bool:  # fmt: skip
    """Set which rows are the delivery's own; true if those without a partition are.

    Where a folder names the partition all rows are its own, and those of another are faulted.
    Else rows of other partitions belong to other deliveries of the same files, and rows whose
    partition cannot be told to the oldest of these.
    """
    own = within(fmt.partition_key, fmt.clock, partition)
    if named:
        if fmt.strict_partition and set(present) - {partition, None}:
            for one in typed:
                one.view.checks.append(
                    Check(
                        "other_partition",
                        fmt.clock,
                        f"NOT {own}",
                        f"'it is of ' || ({partition_sql(fmt.partition_key, fmt.clock)})::VARCHAR "
                        f"|| ', the delivery is of {partition.isoformat()}'",
                    )
                )
        return True
    known = [one for one in present if one is not None]
    oldest = not known or partition == min(known)
    if set(present) - {partition}:
        unknown = f" OR {fmt.clock} IS NULL" if oldest else ""
        for one in typed:
            one.where = f"({own}{unknown})"
    return oldest


def fault_repetitions(
    connection: duckdb.DuckDBPyConnection, fmt: Format, typed: Sequence[Typed]
) -> None:
    """Fault every row whose key an earlier row of the delivery has."""
    if not fmt.key or not typed:
        return
    keys = ", ".join(fmt.key)
    rows = " UNION ALL ".join(
        f"SELECT file_no, row_number, {keys} FROM {one.name} WHERE {one.where}" for one in typed
    )
    whole = " AND ".join(f"{key} IS NOT NULL" for key in fmt.key if key not in fmt.partial_key)
    row = connection.execute(
        f"SELECT count(*) > count(DISTINCT hash({keys})) FROM ({rows}) WHERE {whole}"
    ).fetchone()
    if not row or not row[0]:
        return
    connection.execute(
        f"CREATE OR REPLACE TABLE repeated_keys AS SELECT {keys} FROM ({rows}) WHERE {whole} "
        f"GROUP BY ALL HAVING count(*) > 1"
    )
    same = " AND ".join(f"r.{key} IS NOT DISTINCT FROM k.{key}" for key in fmt.key)
    order = ", ".join(f"r.{key}" for key in fmt.key)
    connection.execute(
        f"CREATE OR REPLACE TABLE repetitions AS SELECT file_no, row_number FROM ("
        f"SELECT r.file_no, r.row_number, row_number() OVER (PARTITION BY {order} "
        f"ORDER BY r.file_no, r.row_number) AS place FROM ({rows}) r "
        f"JOIN repeated_keys k ON {same}) WHERE place > 1"
    )
    for one in typed:
        one.view.checks.append(
            Check(
                "repeated_row",
                keys.replace(", ", "+"),
                "(file_no, row_number) IN (SELECT (file_no, row_number) FROM repetitions)",
                "'an earlier row has the same values of these columns'",
            )
        )


def count(
    connection: duckdb.DuckDBPyConnection, fmt: Format, typed: Sequence[Typed], lost: int
) -> tuple[Counts, list[Fault]]:
    """Counts of good and bad rows, money, and what was mended. `lost` rows have no values.

    Leaves the table `totals` (bad, account, currency, day, ...) where the format has money.
    Raises duckdb.Error if a file cannot be read to its end.
    """
    good = bad = 0
    notes: list[Fault] = []
    for one in typed:
        wanted = [note for _, note in one.view.notes]
        counted = "".join(f", count_if({note.condition})" for note in wanted)
        row = connection.execute(
            f"SELECT count(*), count_if({one.bad}){counted} FROM {one.name} WHERE {one.where}"
        ).fetchone()
        assert row is not None  # an aggregate without groups has one row
        one.bad_rows = row[1] or 0  # count_if over no rows is null
        good, bad = good + row[0] - one.bad_rows, bad + one.bad_rows
        notes.extend(one.view.tolerated)
        notes.extend(
            Fault(
                code=note.code,
                column=column,
                expected=f"{note.expected}; {times} row(s).",
                hint=note.hint,
            )
            for (column, note), times in zip(one.view.notes, row[2:], strict=True)
            if times
        )
    if not has_money(fmt.table):
        return Counts(good, bad + lost), notes
    try:
        carried = _carry(connection, typed)
        _make_totals(connection, typed)
        return _with_money(connection, good, bad, lost, carried), notes
    except duckdb.OutOfRangeException:
        _make_totals(connection, ())
        return Counts(good, bad + lost, cost_unknown=good + bad + lost, overflow=True), notes


def has_money(table: TableSchema) -> bool:
    """Whether rows of a table have a cost."""
    return "billed_cost" in table.names


def _carry(connection: duckdb.DuckDBPyConnection, typed: Sequence[Typed]) -> dict[str, Decimal]:
    """Give what rounding took from all good rows to the first of them, as far as money holds it.

    So the sum of what lands is the files' own sum, to the last decimal. By currency.
    """
    carried: dict[str, Decimal] = {}
    for one in typed:
        if one.view.file_rest == "0":
            continue
        good = f"AND NOT ({one.bad})" if one.bad_rows else ""
        found = connection.execute(
            "SELECT billing_currency, round(sum(rest), 20), min([file_no, row_number]) FROM ("
            f"SELECT *, ({one.view.file_rest})::{REST} AS rest FROM {one.name} WHERE {one.where}) "
            f"WHERE rest <> 0 AND billing_currency IS NOT NULL {good} GROUP BY 1"
        ).fetchall()
        rows = ""
        for currency, amount, (file, row) in found:
            if amount:
                carried[currency] = exact_sum(carried.get(currency, Decimal(0)), amount)
                # of a row that is several charges, the one that counts its file's cost
                one_charge = (
                    f"file_no = {file} AND row_number = {row} AND ({one.view.file_rest}) <> 0"
                )
                rows += f" WHEN {one_charge} THEN {amount:f}"
        if not rows:
            continue
        more = f"(CASE{rows} ELSE 0 END)::DECIMAL(38,20)"
        connection.execute(
            f"CREATE OR REPLACE VIEW carried_{one.name} AS SELECT * REPLACE ("
            f"(billed_cost + {more}) AS billed_cost, (effective_cost + CASE WHEN effective_cost = "
            f"billed_cost THEN {more} ELSE 0 END)::DECIMAL(38,20) AS effective_cost) "
            f"FROM {one.name}"
        )
        one.name = f"carried_{one.name}"
    return carried


def _make_totals(connection: duckdb.DuckDBPyConnection, typed: Sequence[Typed]) -> None:
    connection.execute(
        "CREATE OR REPLACE TABLE totals (bad BOOLEAN, account VARCHAR, currency VARCHAR, "
        "day DATE, unknown BIGINT, billed DECIMAL(38,20), billed_weight DECIMAL(38,20), "
        f"effective_weight DECIMAL(38,20), by_file DECIMAL(38,20), rest {REST})"
    )
    # a charge of another month (a correction, a commitment) is paid in this one
    day = day_of(
        "greatest(least(charge_period_start, billing_period_end - INTERVAL 1 SECOND), "
        "billing_period_start)"
    )
    for one in typed:
        bad = one.bad if one.bad_rows else "false"
        connection.execute(
            "INSERT INTO totals SELECT bad, billing_account_id, billing_currency, day, "
            "count_if(unknown), sum(billed_cost), sum(abs(billed_cost)), "
            "sum(abs(effective_cost)), sum(by_file), sum(rest) FROM ("
            f"SELECT ({bad}) AS bad, billing_account_id, billing_currency, "
            f"billed_cost, effective_cost, {one.view.file_cost} AS by_file, "
            f"({one.view.file_rest})::{REST} AS rest, "
            f"{day} AS day, "
            "(billed_cost IS NULL OR effective_cost IS NULL OR (billing_currency IS NULL "
            "AND (billed_cost <> 0 OR effective_cost <> 0))) AS unknown "
            f"FROM {one.name} WHERE {one.where}) GROUP BY ALL"
        )


def _with_money(
    connection: duckdb.DuckDBPyConnection,
    good: int,
    bad: int,
    lost: int,
    carried: Mapping[str, Decimal],
) -> Counts:
    billed: tuple[dict[str, Decimal], dict[str, Decimal]] = ({}, {})
    weight_all: dict[str, tuple[Decimal, Decimal]] = {}
    weight_bad: dict[str, tuple[Decimal, Decimal]] = {}
    by_file: dict[str, Decimal] = {}
    rounded = {currency: -amount for currency, amount in carried.items()}
    unknown = lost
    for is_bad, currency, not_known, amount, weight, effective, own, rest in connection.execute(
        "SELECT bad, currency, sum(unknown)::BIGINT, coalesce(sum(billed), 0), "
        "coalesce(sum(billed_weight), 0), coalesce(sum(effective_weight), 0), "
        "coalesce(sum(by_file), 0), coalesce(sum(rest), 0) "
        "FROM totals GROUP BY ALL ORDER BY ALL"
    ).fetchall():
        unknown += not_known
        if currency is None:
            continue
        billed[is_bad][currency] = amount
        by_file[currency] = exact_sum(by_file.get(currency, Decimal(0)), own)
        if rest:
            by_file[currency] = exact_sum(by_file[currency], rest.normalize())
            rounded[currency] = exact_sum(rounded.get(currency, Decimal(0)), rest.normalize())
        held = weight_all.get(currency, (Decimal(0), Decimal(0)))
        weight_all[currency] = (held[0] + weight, held[1] + effective)
        if is_bad:
            weight_bad[currency] = (weight, effective)
    return Counts(
        good,
        bad + lost,
        unknown,
        billed[0],
        billed[1],
        by_file,
        {currency: rest.normalize() for currency, rest in rounded.items() if rest},
        weight_all,
        weight_bad,
    )
