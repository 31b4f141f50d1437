"""Parts that sum to their total: exactly, moved least where the forecast is surest."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from finops_dagster.engines.forecasting.reconcile import Hierarchy, hierarchies, reconcile

NAMES = ("total|USD|all", "team|USD|a", "team|USD|b", "service|USD|x", "service|USD|y")
TREE = Hierarchy(NAMES[0], {"team": NAMES[1:3], "service": NAMES[3:]})


def frame(means: dict[str, list[float]]) -> pd.DataFrame:
    rows = [
        {
            "unique_id": name,
            "ds": pd.Timestamp("2026-11-01") + pd.Timedelta(days=at),
            "step": at + 1,
            "mean": mean,
            "lo80": mean - 1,
            "hi80": mean + 2,
        }
        for name, values in means.items()
        for at, mean in enumerate(values)
    ]
    return pd.DataFrame(rows)


def explained(of: pd.DataFrame) -> pd.DataFrame:
    return of[["unique_id", "ds", "step"]].assign(feature="base", contribution=of["mean"])


def means(of: pd.DataFrame) -> pd.DataFrame:
    return of.pivot(index="step", columns="unique_id", values="mean")


def test_the_gap_is_taken_by_those_that_err_most() -> None:
    """An error of 1 beside two of 2 takes a seventeenth of the gap: small services stay as good."""
    tree = Hierarchy("total|USD|all", {"team": ("team|USD|a", "team|USD|b")})
    said = frame({"total|USD|all": [117.0], "team|USD|a": [60.0], "team|USD|b": [40.0]})
    error = {"total|USD|all": 2.0, "team|USD|a": 2.0, "team|USD|b": 1.0}
    got = reconcile(said, explained(said), error, [tree])
    assert means(got.frame).iloc[0].round(9).to_dict() == {
        "total|USD|all": 109.0,
        "team|USD|a": 68.0,
        "team|USD|b": 41.0,
    }
    row = got.frame.set_index("unique_id").loc["team|USD|b"]
    assert (row["lo80"], row["hi80"]) == pytest.approx((40.0, 43.0))
    moved = got.contributions.set_index(["unique_id", "feature"])["contribution"]
    assert moved["team|USD|a", "reconciliation"] == pytest.approx(8.0)
    sums = got.contributions.groupby("unique_id")["contribution"].sum()
    pd.testing.assert_series_equal(
        sums, got.frame.set_index("unique_id")["mean"].sort_index(), check_names=False
    )
    assert got.abstained == []


@settings(max_examples=50, deadline=None)
@given(
    st.lists(st.floats(-1e9, 1e9), min_size=5, max_size=5),
    st.lists(st.floats(0, 1e9), min_size=5, max_size=5),
)
def test_it_is_coherent_whatever_the_forecasts(values: list[float], errors: list[float]) -> None:
    """Teams that do not sum to the total are the first thing a controller sees."""
    said = frame({name: [value, -value] for name, value in zip(NAMES, values, strict=True)})
    got = reconcile(said, explained(said), dict(zip(NAMES, errors, strict=True)), [TREE])
    wide = means(got.frame)
    size = max(1.0, *(abs(value) for value in values))
    for parts in TREE.groupings.values():
        gap = wide[TREE.total] - wide[list(parts)].sum(axis=1)
        assert gap.abs().max() <= 1e-6 * size
    widths = got.frame["hi80"] - got.frame["lo80"]
    np.testing.assert_allclose(widths, 3.0, atol=1e-6 * size)


def test_what_is_coherent_is_left_as_it_is() -> None:
    said = frame(dict(zip(NAMES, ([10.0], [4.0], [6.0], [13.0], [-3.0]), strict=True)))
    got = reconcile(said, explained(said), dict.fromkeys(NAMES, 1.0), [TREE])
    pd.testing.assert_frame_equal(got.frame, said)
    assert "reconciliation" not in set(got.contributions["feature"])


def test_a_total_without_error_keeps_its_forecast() -> None:
    """A constant series is known; its parts are what is unsure."""
    said = frame({"total|USD|all": [100.0], "team|USD|a": [70.0], "team|USD|b": [50.0]})
    tree = Hierarchy("total|USD|all", {"team": ("team|USD|a", "team|USD|b")})
    error = {"total|USD|all": 0.0, "team|USD|a": 3.0, "team|USD|b": 3.0}
    wide = means(reconcile(said, explained(said), error, [tree]).frame).iloc[0]
    assert wide.round(6).to_dict() == {
        "total|USD|all": 100.0,
        "team|USD|a": 60.0,
        "team|USD|b": 40.0,
    }


def test_a_young_series_errs_as_its_interval_says() -> None:
    """A service without a backtest would else keep all others from adding up."""
    tree = Hierarchy("total|USD|all", {"team": ("team|USD|a", "team|USD|b")})
    said = frame({"total|USD|all": [117.0], "team|USD|a": [60.0], "team|USD|b": [40.0]})
    wide = 1.0 / 0.6226
    said.loc[said["unique_id"] == "team|USD|b", ["lo80", "hi80"]] = [40 - wide, 40 + wide]
    error = {"total|USD|all": 2.0, "team|USD|a": 2.0, "team|USD|b": float("nan")}
    got = means(reconcile(said, explained(said), error, [tree]).frame).iloc[0]
    assert got["team|USD|b"] == pytest.approx(41.0)


def test_a_grouping_with_a_part_that_is_not_forecast_is_not_held() -> None:
    """Forcing the others to the total would give them what the missing one costs."""
    said = frame(dict(zip(NAMES[:-1], ([10.0], [4.0], [7.0], [3.0]), strict=True)))
    got = reconcile(said, explained(said), dict.fromkeys(NAMES, 1.0), [TREE])
    wide = means(got.frame).iloc[0]
    assert wide["service|USD|x"] == 3.0
    assert wide["team|USD|a"] + wide["team|USD|b"] == pytest.approx(wide["total|USD|all"])
    (told,) = got.abstained
    assert told.subject == "sum by service: total|USD|all"
    assert told.reason == "not held to its total, since service|USD|y is without a forecast"


def test_currencies_are_reconciled_each_by_itself() -> None:
    series = pd.DataFrame(
        {
            "unique_id": [*NAMES, "total|EUR|all", "team|EUR|a"],
            "scope": ["total", "team", "team", "service", "service", "total", "team"],
            "currency": ["USD"] * 5 + ["EUR"] * 2,
        }
    )
    euro, dollar = hierarchies(series)
    assert euro == Hierarchy("total|EUR|all", {"team": ("team|EUR|a",)})
    assert dollar == Hierarchy(NAMES[0], {"service": NAMES[3:], "team": NAMES[1:3]})
