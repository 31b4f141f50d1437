"""A day's outlook: events on the forecast that was learnt, then sums that add up; all told."""

from __future__ import annotations

from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import numpy as np
import pandas as pd
import pytest

from finops_dagster.defs.insight import facts, outlook
from finops_dagster.domain.decisions import Abstained
from finops_dagster.domain.events import Event
from finops_dagster.engines.forecasting import ForecastResult, ModelRecord
from finops_dagster.engines.forecasting.sums import SUMS, DayErrors

NEWEST = date(2026, 10, 31)
RECORD = ModelRecord(
    engine="forecasting/1", frequency="daily", horizon=2, levels=(80, 95), seed=0, scale_floor=0.01,
    features=(), parameters=(), series=5, training_rows=1, training_start="", training_end="",
    calibration_windows=1, data_hash="", xgboost="", seconds=0.0,
)  # fmt: skip


def history() -> pd.DataFrame:
    """Two teams, two services: search buys both, nobody's costs are compute alone."""
    leaves = [("1", "Compute", "search", 30), ("1", "Database", "search", 10),
              ("2", "Compute", facts.UNTAGGED, 60)]  # fmt: skip
    rows = [
        {
            "account": account,
            "service": service,
            "team": team,
            "currency": "USD",
            "ds": NEWEST - timedelta(days=back),
            "cost": Decimal(cost),
            "quantity": None,
        }
        for account, service, team, cost in leaves
        for back in range(40)
    ]
    # a leaf that is gone: not in what series are made of lately
    rows.append({**rows[0], "service": "Old", "ds": NEWEST - timedelta(days=35)})
    return pd.DataFrame(rows)


def forecast(series: pd.DataFrame, *, horizon: int, **_: Any) -> ForecastResult:
    """The last value again, a tenth too high for teams."""
    last = series.sort_values("ds").groupby("unique_id")["y"].last()
    rows = [
        {
            "unique_id": name,
            "ds": pd.Timestamp(NEWEST) + pd.Timedelta(days=step),
            "step": step,
            "mean": value * (1.1 if str(name).startswith("team|") else 1.0),
            "lo80": value - 1,
            "hi80": value + 3,
            "lo95": value - 2,
            "hi95": value + 4,
        }
        for name, value in last.items()
        for step in range(1, horizon + 1)
    ]
    frame = pd.DataFrame(rows)
    told = frame[["unique_id", "ds", "step"]].assign(feature="base", contribution=frame["mean"])
    backtest = pd.DataFrame({"unique_id": last.index, "model": "ours", "mae": 1.0})
    return ForecastResult(
        frame=frame,
        contributions=told,
        backtest=backtest,
        rungs=pd.DataFrame(columns=["unique_id", "rung", "reason"]),
        record=RECORD,
        abstained=[],
    )


@pytest.fixture(autouse=True)
def _plain(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(outlook, "forecast", forecast)


def event(**changed: Any) -> Event:
    return Event(**{"name": "cut", "from": date(2026, 11, 2), **changed})


def test_events_come_first_and_then_parts_sum_to_the_total() -> None:
    """Parts held to a total that does not know of a cut would undo half of it."""
    known = history()
    told = outlook.cost_outlook(
        known,
        facts.series(known),
        [event(change=-0.5, of={"service": ["Compute"]}), event(name="gone", change=1.0,
         **{"from": NEWEST})],
        2,
        NEWEST,
    )  # fmt: skip
    wide = told.result.frame.pivot(index="step", columns="unique_id", values="mean")
    for scope in ("team", "service"):
        parts = wide[[name for name in wide if str(name).startswith(f"{scope}|")]]
        np.testing.assert_allclose(parts.sum(axis=1), wide["total|USD|all"], rtol=1e-9)
    before, after = wide["total|USD|all"]
    assert 100 < before < 110
    assert 0.53 < after / before < 0.57
    explained = told.result.contributions.groupby(["unique_id", "step"])["contribution"].sum()
    means = told.result.frame.set_index(["unique_id", "step"])["mean"]
    np.testing.assert_allclose(explained, means.loc[explained.index])
    assert [one["name"] for one in told.record["events"]] == ["cut"]
    assert told.record["events"][0]["from"] == "2026-11-02"
    assert told.record["reconciled"] is True
    assert [one.subject for one in told.result.abstained] == ["event: gone"]


def test_a_day_without_a_forecast_has_no_more_to_tell(monkeypatch: pytest.MonkeyPatch) -> None:
    """A first month of bills must end in a reason, not in a fault."""
    columns = ["unique_id", "ds", "step", "mean", "lo80", "hi80", "lo95", "hi95"]
    short = [Abstained(subject="total|USD|all", reason="40 days of history")]
    nothing = ForecastResult(
        frame=pd.DataFrame(columns=columns),
        contributions=pd.DataFrame(columns=["unique_id", "ds", "step", "feature", "contribution"]),
        backtest=pd.DataFrame(columns=["unique_id", "model", "n", "windows"]),
        rungs=pd.DataFrame(columns=["unique_id", "rung", "reason"]),
        record=RECORD,
        abstained=short,
    )
    monkeypatch.setattr(outlook, "forecast", lambda *_, **__: nothing)
    known = history()
    told = outlook.cost_outlook(known, facts.series(known), [event(change=0.5)], 30, NEWEST)
    assert told.result.frame.empty
    assert told.result.abstained == short
    used = outlook.budget_outlook(
        budgets(), facts.large_series(None, 1), facts.makeup(known, NEWEST), [event(change=1)], 2,
        NEWEST,
    )  # fmt: skip
    assert used.frame.empty and used.sums.empty


def test_what_series_are_made_of_is_of_the_last_weeks() -> None:
    made = facts.makeup(history(), NEWEST)
    assert sorted(made.costs["service"]) == ["Compute", "Compute", "Database"]
    of = made.costs.set_index(["team", "service"])["cost"]
    assert of["search", "Compute"] == 28 * 30
    untagged = made.members[made.members["unique_id"] == f"team|USD|{facts.UNTAGGED}"]
    assert made.costs.loc[untagged["part"], "team"].isna().all()
    assert len(made.members) == 3 * 3


def budgets() -> facts.BudgetSeries:
    known = history()
    used = facts.series(known.assign(budget="search"), (("budget", "budget"),))
    return facts.BudgetSeries(used, {"budget|USD|search": date(2026, 11, 1)}, date(2026, 11, 2))


def test_budgets_are_told_by_what_they_come_to(monkeypatch: pytest.MonkeyPatch) -> None:
    """Totals and teams lend their history to budgets, and are told elsewhere."""
    seen: list[set[str]] = []

    def errors(series: pd.DataFrame, horizon: int) -> DayErrors | Abstained:
        seen.append(set(series["unique_id"]))
        return DayErrors(np.zeros((40, horizon)), np.ones((40, horizon)), 6.0)

    monkeypatch.setattr(outlook, "day_errors", errors)
    beside = facts.large_series(history(), 3)
    makeup = facts.makeup(history(), NEWEST)
    told = outlook.budget_outlook(budgets(), beside, makeup, [], 2, NEWEST)
    assert seen == [
        {"budget|USD|search", "total|USD|all", "team|USD|search", f"team|USD|{facts.UNTAGGED}"}
    ]
    assert set(told.frame["unique_id"]) == {"budget|USD|search"}
    # of the two days ahead one is billed already
    assert told.sums["ds"].unique().tolist() == [pd.Timestamp("2026-11-02")]
    assert set(told.sums["value"]) == {100.0}
    monkeypatch.setattr(outlook, "day_errors", lambda *_: Abstained(subject=SUMS, reason="few"))
    none = outlook.budget_outlook(budgets(), beside, makeup, [], 2, NEWEST)
    assert none.sums.empty
    assert [one.subject for one in none.abstained] == [SUMS]
    assert facts.large_series(None, 3).empty


def test_totals_come_before_teams_and_large_teams_before_small() -> None:
    """Adding up to a dozen series must not depend on which currency counts in thousands."""
    known = history()
    euros = known[known["team"] == "search"].assign(
        currency="EUR", cost=[cost * 1000 for cost in known.loc[known["team"] == "search", "cost"]]
    )
    names = facts.large_series(pd.concat([known, euros]), 4)["unique_id"].unique().tolist()
    assert sorted(names) == [
        "team|EUR|search", f"team|USD|{facts.UNTAGGED}", "total|EUR|all", "total|USD|all",
    ]  # fmt: skip
    assert facts.large_series(known, 0).empty
