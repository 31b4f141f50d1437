"""How the benchmark of cost anomalies counts, on answers whose worth is known."""

from __future__ import annotations

import pandas as pd
import pytest

from benchmarks import cost_anomalies
from benchmarks.cost_anomalies import Planted, Told


def day(number: int) -> pd.Timestamp:
    return pd.Timestamp("2025-01-01") + pd.Timedelta(days=number)


def history(leaves: int = 2, days: int = 393) -> pd.DataFrame:
    return pd.concat(
        [
            pd.DataFrame(
                {
                    "account": "a", "service": f"s{i}", "team": "t", "currency": "USD",
                    "ds": pd.date_range(day(0), periods=days), "cost": 1.0,
                }
            )
            for i in range(leaves)
        ]
    )  # fmt: skip


def test_an_event_is_met_by_its_leaf_on_its_days_alone() -> None:
    """A score that counts near misses flatters whoever cries often."""
    hidden = [
        Planted("spike", "a/s0/t", day(100), day(101)),
        Planted("slow_leak", "a/s1/t", day(200), day(240)),
        Planted("slow_leak", "a/s0/t", day(300), day(340)),
    ]
    told = [
        Told(frozenset(["a/s0/t"]), day(101), day(103)),
        Told(frozenset(["a/s1/t", "a/s0/t"]), day(212), day(215)),
        Told(frozenset(["a/s1/t"]), day(100), day(101)),
        Told(frozenset(["a/s0/t"]), day(341), day(350)),
    ]
    rows = pd.DataFrame(
        {
            "leaf": ["a/s0/t", "a/s1/t", "a/s1/t", "a/s0/t"],
            "ds": [day(101), day(212), day(215), day(341)],
        }
    )
    table, counts = cost_anomalies.held(told, rows, hidden, history())
    assert table["met"].tolist() == [True, True, False]
    assert table["delay"].tolist()[:2] == [1.0, 12.0]
    assert counts == {"incidents": 4.0, "right": 2.0, "series": 2.0, "series_years": 2.0}
    score = cost_anomalies.score(table, pd.DataFrame([counts]))
    assert score["precision"] == 0.5
    assert score["recall"] == pytest.approx(2 / 3, abs=1e-4)
    assert score["false_per_series_year"] == 1.0
    assert score["leaks_in_time"] == 0.5
    assert score["by_kind"]["spike"] == {"number": 1, "recall": 1.0, "delay": 1.0}


def test_three_sigma_joins_days_of_one_leaf_within_a_week() -> None:
    """A floor that is made to look bad is no floor."""
    bill = history(1, 120)
    bill["cost"] = [100.0 + (i % 3) for i in range(120)]
    bill.loc[bill["ds"].isin([day(60), day(65), day(90)]), "cost"] = 500.0
    told, rows = cost_anomalies.three_sigma(bill)
    assert [(one.first, one.last) for one in told] == [(day(60), day(65)), (day(90), day(90))]
    assert set(rows["ds"]) == {day(60), day(65), day(90)}


def test_a_drawn_company_is_the_same_every_time_and_holds_what_it_says() -> None:
    """A truth that is not in the bill makes every engine blind."""
    bill, hidden = cost_anomalies.company(5, 200)
    again, _ = cost_anomalies.company(5, 200)
    pd.testing.assert_frame_equal(bill, again)
    leaf = bill["account"] + "/" + bill["service"] + "/" + bill["team"]
    assert {one.leaf for one in hidden} <= set(leaf)
    spike = max((one for one in hidden if one.kind == "spike"), key=lambda one: one.first)
    daily = bill[leaf == spike.leaf].groupby("ds")["cost"].sum()
    during = daily[spike.first : spike.last].mean()
    assert during > 1.2 * daily[spike.first - pd.Timedelta(days=28) : spike.first].median()
