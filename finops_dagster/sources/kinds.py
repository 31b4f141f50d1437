"""What kind of file each one of a delivery is, where files of several kinds tell of the same spend.

Told once per file before rows are typed; what the kinds are is a format's business.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import PurePath

import duckdb

from finops_dagster.sources.layers import layered
from finops_dagster.sources.opening import Group
from finops_dagster.sources.parsing import literal
from finops_dagster.sources.views import Format, View, partition_sql


@dataclass(frozen=True)
class Kinds:
    """Kind by file number, and the kinds of the files that have rows of a partition."""

    of_file: Mapping[int, str]
    of_period: Mapping[date, Sequence[str]]


def with_kinds(fmt: Format, view: View, kinds: Kinds) -> Mapping[str, str]:
    """A view's values, and the kinds where it asks for them."""
    if not view.kind:
        return view.values
    first = _needed(fmt, view)
    files = "".join(f" WHEN {n} THEN {literal(kind)}" for n, kind in kinds.of_file.items())
    periods = "".join(
        f" WHEN DATE '{day}' THEN [{', '.join(map(literal, found))}]"
        for day, found in kinds.of_period.items()
    )
    period = partition_sql(fmt.partition_key, fmt.clock)
    told = {
        "file_kind": f"CASE file_no{files} END" if files else "NULL::VARCHAR",
        "period_kinds": f"CASE {period}{periods} END" if periods else "NULL::VARCHAR[]",
    }
    rest = {name: sql for name, sql in view.values.items() if name not in first}
    return {**first, **told, **rest}


def kinds_of(
    connection: duckdb.DuckDBPyConnection,
    fmt: Format,
    groups: Sequence[Group],
    views: Sequence[View],
    names: Sequence[str],
) -> Kinds:
    """Ask every file; one that cannot tell is of the one kind of the files in its folder."""
    told: dict[int, str | None] = {}
    periods: dict[int, list[date]] = {}
    listed = ", ".join(literal(name) for name in names)
    for group, view in zip(groups, views, strict=True):
        if not view.kind:
            continue
        needed = {"file_name": f"[{listed}][file_no + 1]", **_needed(fmt, view)}
        for number, kind, days in connection.execute(
            f"SELECT file_no, {view.kind}, "
            f"list(DISTINCT {partition_sql(fmt.partition_key, fmt.clock)}) FROM ("
            f"{layered(needed, group.view)}) GROUP BY file_no"
        ).fetchall():
            told[number] = kind
            periods[number] = [day for day in days or () if day is not None]
    of_file: dict[int, str] = {}
    of_period: dict[date, set[str]] = {}
    for number in sorted(told):
        kind = told[number] or _of_folder(number, told, names)
        if kind is not None:
            of_file[number] = kind
            for day in periods[number]:
                of_period.setdefault(day, set()).add(kind)
    return Kinds(of_file, {day: sorted(found) for day, found in sorted(of_period.items())})


def _of_folder(number: int, told: Mapping[int, str | None], names: Sequence[str]) -> str | None:
    folder = PurePath(names[number]).parent
    near = {kind for n, kind in told.items() if kind and PurePath(names[n]).parent == folder}
    return near.pop() if len(near) == 1 else None


def _needed(fmt: Format, view: View) -> dict[str, str]:
    """Values that kinds are told from: natives, and the clock that follows from them."""
    return {n: sql for n, sql in view.values.items() if n.startswith("n_") or n == fmt.clock}
