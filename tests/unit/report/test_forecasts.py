"""The page of forecasts: each series beside its error, reasons adding up, text staying text."""

from __future__ import annotations

from datetime import date, timedelta
from pathlib import Path

import pytest

from finops_dagster.domain.decisions import Abstained
from finops_dagster.report import BacktestRow
from finops_dagster.report.charts import Point
from finops_dagster.report.forecasts import (
    ForecastsPage,
    SeriesForecast,
    Why,
    write_forecasts,
)
from tests.unit.report.conftest import HOSTILE
from tests.unit.report.test_page import parsed, visible

DAY = date(2026, 10, 31)


def series(name: str, scope: str = "team", currency: str = "USD", **more: object) -> SeriesForecast:
    ahead = tuple(
        Point(DAY + timedelta(days=n), 10.0 * n, 9.0 * n, 11.0 * n, 8.0 * n, 12.0 * n)
        for n in (1, 2, 3)
    )
    history = tuple((DAY - timedelta(days=n), 10.0) for n in range(30, -1, -1))
    return SeriesForecast(
        id=f"{scope}|{currency}|{name}",
        scope=scope,
        name=name,
        currency=currency,
        history=history,
        ahead=ahead,
        **more,  # type: ignore[arg-type]
    )


def page(folder: Path, *some: SeriesForecast) -> str:
    made = ForecastsPage(
        "estate", DAY, some, [Abstained(subject="team|USD|new", reason="12 days")], "exact"
    )
    return write_forecasts(made, folder).read_text("utf-8")


def test_each_series_stands_beside_its_error(tmp_path: Path) -> None:
    """A number without its error is taken for certain."""
    rows = (
        BacktestRow("search", "USD", "ours", 0.041, 0.79, 0.96, 84),
        BacktestRow("search", "USD", "seasonal_naive", 0.073, None, None, 84),
    )
    text = page(tmp_path, series("search", backtest=rows), series("young"))
    parsed(text)
    said = visible(text)
    assert "60 USD expected in 3 days" in said
    assert "Off by 4.1 % of spend on 84 days unseen (last week repeated: 7.3 %)" in said
    assert "79 % of them in the 80 % band, 96 % in the 95 %" in said
    assert said.count("Not held against days unseen") == 1
    assert "12 days: team|USD|new" in said


def test_why_stands_beside_its_picture(tmp_path: Path) -> None:
    """A sentence without the picture is half an explanation, and a code is none."""
    why = Why("133 USD is expected. What raises it: it is a Monday (+8).", "explanations.html#s-1")
    text = page(tmp_path, series("search", because=why), series("young"))
    parsed(text)
    assert "133 USD is expected. What raises it: it is a Monday (+8)." in visible(text)
    assert text.count('href="explanations.html#s-1"') == 1
    hostile = page(tmp_path, series("search", because=Why(HOSTILE, "javascript:alert(1)")))
    assert "<script" not in hostile and "javascript:" not in hostile


def test_names_from_bills_stay_text(tmp_path: Path) -> None:
    """Whoever may write a tag must not write the page."""
    text = page(tmp_path, series(HOSTILE))
    assert parsed(text).loads == []
    assert "<script" not in text


@pytest.mark.parametrize("order", [(0, 1, 2, 3), (3, 1, 0, 2)])
def test_the_whole_comes_first_and_currencies_apart(tmp_path: Path, order: tuple[int, ...]) -> None:
    """Amounts of two currencies in one list would be read as one."""
    some = [
        series("total", "total"), series("compute", "service"), series("search"),
        series("sales", currency="EUR"),
    ]  # fmt: skip
    said = visible(page(tmp_path, *(some[n] for n in order)))
    places = [said.index(name) for name in ("sales", "All spend All spend", "search", "compute")]
    assert places == sorted(places)
