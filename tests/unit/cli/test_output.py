"""Tables that people read in a terminal."""

from __future__ import annotations

from decimal import Decimal

import pytest

from finops_dagster.cli.output import print_table


@pytest.fixture(autouse=True)
def eighty(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")


def test_few_columns_are_a_table(capsys: pytest.CaptureFixture[str]) -> None:
    print_table("costs", ["team", "cost"], [["search", Decimal("1.50")], ["[red]", None]])
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].strip() == "costs"
    assert any("search" in line and "1.50" in line for line in lines)
    assert any("[red]" in line for line in lines)


def test_more_columns_than_fit_are_told_row_by_row(capsys: pytest.CaptureFixture[str]) -> None:
    """Columns of three letters a line are read by nobody."""
    columns = [f"a_column_with_name_{i}" for i in range(20)]
    rows = [[f"value {i}" for i in range(20)], [None, "[bold]not markup", *range(18)]]
    print_table("wide", columns, rows)
    out = capsys.readouterr().out
    assert "wide, row 1 of 2" in out
    assert "wide, row 2 of 2" in out
    lines = [line.split() for line in out.splitlines()]
    assert ["a_column_with_name_7", "value", "7"] in lines
    assert ["a_column_with_name_1", "[bold]not", "markup"] in lines
    assert ["a_column_with_name_0"] in lines  # what is not known is empty


def test_nothing_is_said_to_be_none(capsys: pytest.CaptureFixture[str]) -> None:
    print_table("wide", ["a"] * 40, [])
    assert capsys.readouterr().out == "wide: none\n"
