"""What a day has kept of its forecasts, gathered for pages and commands."""

from __future__ import annotations

from dataclasses import asdict
from datetime import date
from pathlib import Path

import pandas as pd
import pytest

from finops_dagster.defs.insight.forecasted import ADJUSTED, MODEL_FILE, exactly, forecasted
from finops_dagster.engines.forecasting import BASE, forecast
from finops_dagster.report.data import TOTAL
from finops_dagster.storage.days import DayStore
from tests.unit.engines.test_forecasting import pool

DAYS = pd.date_range("2026-10-01", periods=30)
AHEAD = pd.date_range("2026-10-31", periods=2)


@pytest.fixture
def day(tmp_path: Path) -> DayStore:
    """Two series, one of them too young for a backtest; a name with the separator in it."""
    store = DayStore(tmp_path)
    ids = ("total|USD|all", "team|EUR|a|b")
    store.write_frame(
        "cost_series",
        pd.DataFrame([(name, day, 50.0) for name in ids for day in DAYS],
                     columns=["unique_id", "ds", "y"]),
    )  # fmt: skip
    rows = [(name, day, 60.0, 55.0, 65.0, 50.0, 70.0) for name in ids for day in AHEAD[::-1]]
    bands = ["mean", "lo80", "hi80", "lo95", "hi95"]
    store.write_frame("forecasts", pd.DataFrame(rows, columns=["unique_id", "ds", *bands]))
    store.write_frame(
        "forecast_backtest",
        pd.DataFrame(
            [("total|USD|all", "ours", 84, 2.0, 0.8, None),
             ("(pooled)", "ours", 84, None, None, None)],
            columns=["unique_id", "model", "n", "mae", "coverage_80", "coverage_95"],
        ),
    )  # fmt: skip
    rungs = [(ids[0], "pooled", ""), (ids[1], "level", "5 days of history")]
    store.write_frame(
        "forecast_rungs", pd.DataFrame(rungs, columns=["unique_id", "rung", "reason"])
    )
    store.write_frame(
        "forecast_contributions",
        pd.DataFrame(
            [("total|USD|all", 1, BASE, 50.0), ("total|USD|all", 1, "slope", -2.0),
             ("total|USD|all", 1, "weekday", 12.0)],
            columns=["unique_id", "step", "feature", "contribution"],
        ),
    )  # fmt: skip
    return store


def test_series_come_with_what_was_said_of_them(day: DayStore) -> None:
    """An error shown beside another series' number would be believed."""
    team, total = forecasted(day)
    assert (total.scope, total.currency, total.name) == ("total", "USD", TOTAL)
    assert (team.scope, team.currency, team.name) == ("team", "EUR", "a|b")
    assert [point.day for point in total.ahead] == [date(2026, 10, 31), date(2026, 11, 1)]
    assert total.expected == 120.0
    assert len(total.history) == 30
    (ours,) = total.backtest
    assert (ours.error_share, ours.coverage_80, ours.coverage_95) == (0.04, 0.8, None)
    assert team.backtest == ()
    assert (total.rung, team.rung, team.why) == ("pooled", "level", "5 days of history")


def test_reasons_sum_to_the_forecast_and_the_farthest_is_first(day: DayStore) -> None:
    """Reasons that do not add up explain nothing."""
    (explained,) = forecasted(day)[1].explained
    assert (explained.base, explained.mean) == (50.0, 60.0)
    assert [(one.feature, one.contribution) for one in explained.drivers] == [
        ("weekday", 12.0), ("slope", -2.0),
    ]  # fmt: skip


def test_a_day_without_forecasts_has_none(tmp_path: Path) -> None:
    """Nothing was forecast is an answer, and no error."""
    assert forecasted(DayStore(tmp_path)) == []


def test_a_day_that_was_decided_answers_why(tmp_path: Path) -> None:
    """Who asks weeks later must be answered by the model of that day, adjustments included."""
    history = pool(series=4, length=130)
    result = forecast(history, horizon=9, frequency="daily")
    store = DayStore(tmp_path)
    store.write_frame("cost_series", history.assign(scope="team", currency="USD", name="x"))
    store.write_frame("forecasts", result.frame.assign(mean=result.frame["mean"] + 5.0))
    store.write_document("forecast_record", {**asdict(result.record), "events": []})
    for number, model in enumerate(result.models):
        store.write_bytes(MODEL_FILE.format(number), model)
    (told,) = exactly(store, "s01", [4])
    mean = result.frame.query("unique_id == 's01' and step == 4")["mean"].item()
    assert told.mean == pytest.approx(mean + 5.0, rel=1e-9)
    assert {d.feature: d.contribution for d in told.drivers}[ADJUSTED] == pytest.approx(5.0)
    with pytest.raises(KeyError):
        exactly(store, "s99", [4])
    with pytest.raises(ValueError, match="between 1 and 9"):
        exactly(store, "s01", [10])
