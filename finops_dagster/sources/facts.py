"""What holds for all rows of a group at once, told before its rows are typed.

Which facts there are is a format's business.
"""

from __future__ import annotations

import duckdb

from finops_dagster.sources.layers import layered
from finops_dagster.sources.opening import Group
from finops_dagster.sources.parsing import literal
from finops_dagster.sources.views import View


def settle(connection: duckdb.DuckDBPyConnection, group: Group, view: View) -> None:
    """Put the text that each fact of a view comes to in place of its SQL."""
    before: dict[str, str] = {}
    for name, sql in view.values.items():
        if name in view.facts:
            row = connection.execute(
                f"WITH before AS ({layered(before, group.view)}) SELECT {sql}"
            ).fetchone()
            assert row is not None  # a query without FROM has one row
            view.values[name] = "NULL::VARCHAR" if row[0] is None else literal(row[0])
        before[name] = view.values[name]
