"""The page on adding a format, followed to the letter: its module is run, its file is landed."""

from __future__ import annotations

import re
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from finops_dagster import sources
from finops_dagster.sources import open_source

PAGE = Path(__file__).parents[3] / "docs" / "adding-a-billing-format.md"


def _block(language: str) -> str:
    found = re.findall(rf"^```{language}\n(.*?)^```", PAGE.read_text("utf-8"), re.M | re.S)
    return str(found[0])


@pytest.fixture
def hoster(monkeypatch: pytest.MonkeyPatch) -> None:
    """The module of the page, and its line in the registry."""
    module: dict[str, Any] = {}
    exec(_block("python"), module)
    line = re.search(r'`"(\w+)": (\w+),`', PAGE.read_text("utf-8"))
    assert line
    monkeypatch.setitem(sources.FORMATS, line[1], module[line[2]])


@pytest.mark.usefixtures("hoster")
def test_the_page_is_all_it_takes(tmp_path: Path) -> None:
    """A page that leaves out a step costs everyone who follows it a day."""
    path = tmp_path / "october.csv"
    more = "C-0042;2026-10;db-2;CPX41;744;-0.1234567890123456789;;\n"
    path.write_text(_block("csv") + more, encoding="utf-8")
    source = open_source("hoster", "hoster", path)
    (delivery,) = source.deliveries()
    with source.read(delivery) as result:
        rows, aside = result.rows.read_all(), result.quarantine.read_all()
        landed = result.landed
    assert str(delivery.partition) == "2026-10-01"
    assert (rows.num_rows, aside.num_rows, landed.set_faults) == (2, 0, ())
    first = rows.to_pylist()[0]
    assert dict(first["tags"]) == {"team": "shop", "env": "prod"}
    assert dict(first["x_columns"]) == {"Rack": "r7"}
    assert first["billing_account_id"] == "C-0042"
    assert first["consumed_quantity"] == 744
    total = Decimal("24.7008") - Decimal("0.1234567890123456789")
    assert landed.file_billed == landed.billed_landed == {"EUR": total}


@pytest.mark.usefixtures("hoster")
def test_a_file_of_another_format_is_told_by_the_columns_it_lacks(tmp_path: Path) -> None:
    """A wrong file that lands as an empty bill hides a month of cost."""
    path = tmp_path / "october.csv"
    path.write_text("Customer;Month;Brutto\nC-1;2026-10;5\n", encoding="utf-8")
    source = open_source("hoster", "hoster", path)
    (delivery,) = source.deliveries()
    with source.read(delivery) as result:
        result.rows.read_all()
        assert result.quarantine.read_all().num_rows == 1
        assert [(f.code, f.column) for f in result.set_faults] == [("column_missing", "net_eur")]
