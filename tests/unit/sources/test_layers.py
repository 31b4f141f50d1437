"""Values that follow from each other, as DuckDB is asked for them."""

from __future__ import annotations

import duckdb

from finops_dagster.sources.layers import layered


def test_values_that_use_others_twice_stay_small() -> None:
    """Written out in one SELECT, thirty steps are a billion expressions: no bill would land."""
    values = {"v0": "c0"} | {f"v{n}": f"least(v{n - 1}, v{n - 1})" for n in range(1, 31)}
    sql = layered(values, "(SELECT 7 AS c0)")
    assert len(sql) < 5_000
    with duckdb.connect() as connection:
        assert connection.execute(f"SELECT v30, c0 FROM ({sql})").fetchall() == [(7, 7)]


def test_a_name_in_a_text_is_no_use_of_it() -> None:
    """A label that happens to be a column's name would otherwise push its value a layer up."""
    sql = layered({"tags": "'it''s tags'", "label": "'tags'"}, "(SELECT 1 AS c0)")
    assert sql.count("SELECT") == 3
