"""Short histories: the simplest rule that they bear, intervals that hold, and why it was used."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from finops_dagster.engines.forecasting import ForecastResult, forecast
from finops_dagster.engines.forecasting.check import plan
from finops_dagster.engines.forecasting.grid import lay_out
from finops_dagster.engines.forecasting.ladder import simpler_forecast
from finops_dagster.engines.forecasting.pool import Job, Terms
from finops_dagster.engines.forecasting.recipes import RECIPES
from finops_dagster.engines.forecasting.rungs import simpler

WEEK = np.array([10.0, 10, 10, 10, 10, 4, 4])
DAYS = 150


def weekly(series: int, days: int = DAYS, noise: float = 0.1, seed: int = 0) -> pd.DataFrame:
    """Weekdays and weekends of levels 1 to 1000, with noise in proportion."""
    rng = np.random.default_rng(seed)
    ds = pd.date_range("2025-01-06", periods=days, freq="D")
    parts = []
    for i in range(series):
        y = 10 ** rng.uniform(0, 3) * WEEK[np.arange(days) % 7] / 10
        parts.append(
            pd.DataFrame(
                {"unique_id": f"s{i:03d}", "ds": ds, "y": y * np.exp(rng.normal(0, noise, days))}
            )
        )
    return pd.concat(parts, ignore_index=True)


def newest(history: pd.DataFrame, days: int, name: str, of: str = "s000") -> pd.DataFrame:
    """The last days of a series, as another."""
    one = history.loc[history["unique_id"] == of]
    return one.tail(days).assign(unique_id=name)


@pytest.fixture(scope="module")
def result() -> ForecastResult:
    history = weekly(8)
    short = [newest(history, days, f"{days:02d} days") for days in (1, 2, 3, 6, 7, 14, 27, 28)]
    ended = history.loc[(history["unique_id"] == "s001") & (history["ds"] < "2025-05-20")]
    return forecast(
        pd.concat([history, *short, ended.assign(unique_id="ended")]), horizon=7, frequency="daily"
    )


def test_every_length_of_history_has_its_rung_and_says_why(result: ForecastResult) -> None:
    """A new service that is left out of the forecast is a cost that nobody expects."""
    told = result.rungs.set_index("unique_id")
    assert told.loc[[f"{n:02d} days" for n in (3, 6, 7, 14, 27, 28)], "rung"].tolist() == [
        "level", "level", "seasonal", "seasonal", "seasonal", "pooled"
    ]  # fmt: skip
    assert told.loc["s000"].tolist() == ["pooled", "150 days of history"]
    assert told.loc["14 days", "reason"].startswith(
        "14 days of history, 28 are needed for the model; intervals by what the same rule missed"
    )
    assert set(told.index) == set(result.frame["unique_id"])
    assert {one.subject: one.reason for one in result.abstained} == {
        "01 days": "1 days of history, 3 of late are needed",
        "02 days": "2 days of history, 3 of late are needed",
        "ended": "its last value is 16 days before that of the others",
    }


def test_short_series_are_in_the_frame_and_in_nothing_of_the_model(result: ForecastResult) -> None:
    """A backtest or an explanation of what no model has said would be made up."""
    frame = result.frame
    assert frame["unique_id"].is_monotonic_increasing
    bands = frame[["lo95", "lo80", "mean", "hi80", "hi95"]].to_numpy()
    assert np.isfinite(bands).all()
    assert (np.diff(bands, axis=1) >= 0).all()
    pooled = set(result.rungs.loc[result.rungs["rung"] == "pooled", "unique_id"])
    assert set(result.contributions["unique_id"]) == pooled
    # its 28 days hold no origin with the context that the model needs
    assert set(result.backtest["unique_id"]) == pooled - {"28 days"} | {"(pooled)"}


def test_seasonal_is_the_week_and_half_of_its_move() -> None:
    """A launch that still grows must not be forecast at its first week's level."""
    ds = pd.date_range("2025-01-06", periods=14, freq="D")
    y = np.concatenate([WEEK, 2 * WEEK])
    got = forecast(pd.DataFrame({"unique_id": "a", "ds": ds, "y": y}), horizon=8, frequency="daily")
    # phases 15 and 6; the level is 10 of both weeks and 20 of the last
    np.testing.assert_allclose(got.frame["mean"], [*([20] * 5), 11, 11, 20])


def test_level_is_the_median_of_what_is_known() -> None:
    """One first bill of half a day must not halve the forecast."""
    ds = pd.date_range("2025-01-06", periods=5, freq="D")
    history = pd.DataFrame({"unique_id": "a", "ds": ds, "y": [1.0, 50, np.nan, 52, 51]})
    got = forecast(history, horizon=3, frequency="daily")
    assert got.frame["mean"].tolist() == [50.5, 50.5, 50.5]
    assert got.rungs["rung"].tolist() == ["level"]
    assert "its own spread" in got.rungs["reason"].iloc[0]
    assert (got.frame["lo95"] < got.frame["lo80"]).all()


def test_intervals_of_short_series_hold_what_they_say() -> None:
    """Intervals of three days' own spread would hold half of what they promise."""
    history = weekly(400, 120, noise=0.3)
    last = history["ds"].max() - pd.Timedelta(days=14)
    known = history.loc[history["ds"] <= last]
    whole = known.loc[known["unique_id"] < "s100"]
    for days in (3, 7, 14, 21):
        short = known.loc[
            (known["unique_id"] >= "s100") & (known["ds"] > last - pd.Timedelta(days=days))
        ]
        terms = Terms("daily", 14, (80, 95), 0, 0.01, 1)
        job = Job(lay_out(pd.concat([whole, short]), terms.recipe, 14), terms)
        young = job.of(np.flatnonzero(job.grid.rungs != "pooled"))
        values, _ = simpler_forecast(job, np.where(job.grid.rungs == "pooled", "", job.grid.rungs))
        truth = history.loc[(history["ds"] > last) & (history["unique_id"] >= "s100"), "y"]
        actual = truth.to_numpy().reshape(len(young.grid.ids), 14)
        for level, least, most in ((80, 0.75, 0.85), (95, 0.925, 0.975)):
            low, high = (values[f"{end}{level}"][100:] for end in ("lo", "hi"))
            assert least <= ((actual >= low) & (actual <= high)).mean() <= most, (days, level)


def test_a_pool_too_short_to_check_a_model_says_what_it_takes() -> None:
    """A young estate is answered by the simple rule, checked on its own past."""
    got = forecast(weekly(6, 70), horizon=30, frequency="daily")
    assert set(got.rungs["rung"]) == {"seasonal"}
    assert "takes 132" in got.rungs["reason"].iloc[0]
    assert "missed on" in got.rungs["reason"].iloc[0]
    assert len(got.frame) == 6 * 30
    assert got.backtest.empty and got.contributions.empty
    assert got.record.training_rows == 0


def test_what_ended_does_not_make_the_living_old() -> None:
    """An estate of 50 days beside one dead old series has nothing to train on."""
    old = weekly(1, 300).assign(unique_id="old")
    old = old.loc[old["ds"] < old["ds"].max() - pd.Timedelta(days=20)]
    ds = pd.date_range("2025-01-06", periods=300, freq="D")
    new = weekly(3, 50)
    new["ds"] = np.tile(ds[-50:], 3)
    got = forecast(pd.concat([old, new]), horizon=14, frequency="daily")
    assert set(got.rungs["rung"]) == {"seasonal"}
    assert "the longest history has 50 steps" in got.rungs["reason"].iloc[0]
    assert [one.subject for one in got.abstained] == ["old"]


def test_rungs_of_other_frequencies() -> None:
    """Hours and weeks have seasons of their own."""
    hours = np.ones((3, 100), dtype=bool)
    hours[0, :-7], hours[1, :-8], hours[2, :-24] = False, False, False
    assert simpler(hours, RECIPES["hourly"]).tolist() == ["", "level", "seasonal"]
    weeks = np.ones((3, 50), dtype=bool)
    weeks[0, :-2], weeks[1, :-3] = False, False
    assert simpler(weeks, RECIPES["weekly"]).tolist() == ["", "level", "level"]


@pytest.mark.parametrize("length", [40, 90])
def test_a_plan_needs_context_before_its_first_origin(length: int) -> None:
    """A model trained on nothing is no model."""
    terms = Terms("daily", 7, (80, 95), 0, 0.01, 1)
    job = Job(lay_out(weekly(2, length), terms.recipe, 7), terms)
    assert (plan(job) is None) == (length == 40)
