"""The forecast on small synthetic pools: honest, deterministic, explained, blind to the future."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from finops_dagster.engines.forecasting import (
    Forecaster,
    ForecastResult,
    all_steps,
    daily,
    engine,
    fit,
    forecast,
    hourly,
    weekly,
)
from finops_dagster.engines.forecasting import pool as pool_module
from finops_dagster.engines.forecasting.grid import lay_out
from finops_dagster.engines.forecasting.intervals import corrections
from finops_dagster.engines.forecasting.recipes import RECIPES, Frequency
from finops_dagster.engines.forecasting.windows import Builder
from finops_dagster.engines.known import mean, median

BUILDERS: dict[Frequency, Builder] = {
    "daily": daily.windows,
    "hourly": hourly.windows,
    "weekly": weekly.windows,
}
OFFSETS = {"daily": "D", "hourly": "h", "weekly": "7D"}


def pool(
    series: int = 12, length: int = 220, seed: int = 0, frequency: Frequency = "daily"
) -> pd.DataFrame:
    """Weekly (hourly: daily) patterns with autocorrelated noise, and a month-start charge."""
    rng = np.random.default_rng(seed)
    ds = pd.date_range("2025-01-01", periods=length, freq=OFFSETS[frequency])
    phase = np.arange(length) % RECIPES[frequency].season
    parts = []
    for i in range(series):
        level = float(np.exp(rng.normal(5, 1.5)))
        pattern = 1 + 0.4 * rng.standard_normal(RECIPES[frequency].season)[phase] / 2
        noise = np.zeros(length)
        for t in range(1, length):
            noise[t] = 0.7 * noise[t - 1] + rng.normal(0, 0.05)
        y = level * np.abs(pattern) * np.exp(noise)
        if frequency == "daily" and i % 3 == 0:
            y = y + level * (ds.day == 1)
        parts.append(pd.DataFrame({"unique_id": f"s{i:02d}", "ds": ds, "y": y}))
    return pd.concat(parts, ignore_index=True)


@pytest.fixture(scope="module")
def history() -> pd.DataFrame:
    return pool()


@pytest.fixture(scope="module")
def result(history: pd.DataFrame) -> ForecastResult:
    return forecast(history, horizon=14, frequency="daily")


def test_every_series_and_step_is_answered_with_nested_intervals(
    history: pd.DataFrame, result: ForecastResult
) -> None:
    """A missing day or an interval that excludes its own middle misleads a budget."""
    frame = result.frame
    assert len(frame) == 12 * 14
    assert frame["ds"].min() == history["ds"].max() + pd.Timedelta(days=1)
    for low, high in (("lo95", "lo80"), ("lo80", "mean"), ("mean", "hi80"), ("hi80", "hi95")):
        assert (frame[low] <= frame[high]).all()
    assert result.abstained == []


def test_the_same_input_gives_the_same_forecast(
    history: pd.DataFrame, result: ForecastResult
) -> None:
    """A forecast that changes by itself changes proposals by itself."""
    shuffled = history.sample(frac=1, random_state=1)
    again = forecast(shuffled, horizon=14, frequency="daily")
    pd.testing.assert_frame_equal(again.frame, result.frame)
    pd.testing.assert_frame_equal(again.contributions, result.contributions)
    first, second = (replace(one.record, seconds=0.0, stages={}) for one in (result, again))
    assert first == second
    assert list(result.record.stages) == ["lay_out", "train", "check", "predict", "explain"]
    other = forecast(history, horizon=14, frequency="daily", seed=5)
    assert not other.frame["mean"].equals(result.frame["mean"])


def test_a_trained_model_forecasts_from_any_later_day(
    history: pd.DataFrame, result: ForecastResult
) -> None:
    """Training each day what one model can say is time and noise."""
    model = fit(history, horizon=14, frequency="daily")
    assert isinstance(model, Forecaster)
    frame, abstained = model.forecast(history)
    pd.testing.assert_frame_equal(frame, result.frame)
    assert abstained == []
    later = pool(length=history["ds"].nunique() + 10)
    frame, _ = model.forecast(later)
    assert frame["ds"].min() == later["ds"].max() + pd.Timedelta(days=1)
    young = later[later["ds"] > later["ds"].max() - pd.Timedelta(days=20)]
    frame, abstained = model.forecast(young)
    assert frame["unique_id"].nunique() == 12 and abstained == []
    none = fit(young, horizon=14, frequency="daily")
    assert isinstance(none, list) and all("20 days" in one.reason for one in none)


def test_thousands_of_series_are_answered_part_by_part(
    history: pd.DataFrame, result: ForecastResult, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Memory must not grow with the number of series, nor explanations take an hour."""
    monkeypatch.setattr(pool_module, "PART", 5)
    monkeypatch.setattr(engine, "_EXACT_ROWS", 10)
    parted = forecast(history, horizon=14, frequency="daily")
    assert (result.record.explanation, parted.record.explanation) == ("exact", "approximate")
    keys = ["unique_id", "ds", "step"]
    pd.testing.assert_frame_equal(parted.frame[keys], result.frame[keys])
    assert list(parted.backtest["unique_id"]) == list(result.backtest["unique_id"])
    # of the same origins every third is scored
    assert (set(parted.backtest["windows"]), set(result.backtest["windows"])) == ({4}, {12})
    sums = parted.contributions.groupby(["unique_id", "step"])["contribution"].sum().reset_index()
    joined = sums.merge(parted.frame, on=["unique_id", "step"])
    np.testing.assert_allclose(joined["contribution"], joined["mean"], rtol=1e-12)
    assert 0 < parted.record.explanation_gap < 1e-6
    # other rows were drawn to learn from, and the same is learnt
    error = (parted.frame["mean"] / result.frame["mean"] - 1).abs()
    assert error.median() < 0.05


def test_twice_the_cost_is_twice_the_forecast(
    history: pd.DataFrame, result: ForecastResult
) -> None:
    """A forecast that does not follow its history is made up."""
    twice = forecast(history.assign(y=history["y"] * 2), horizon=14, frequency="daily")
    for column in ("mean", "lo95", "hi95"):
        np.testing.assert_allclose(twice.frame[column], 2 * result.frame[column], rtol=1e-3)


def test_contributions_sum_to_the_forecast(result: ForecastResult) -> None:
    """An explanation that explains another number is worse than none."""
    sums = result.contributions.groupby(["unique_id", "step"])["contribution"].sum().reset_index()
    joined = sums.merge(result.frame, on=["unique_id", "step"])
    assert set(joined["step"]) == {1, 7, 14}
    np.testing.assert_allclose(joined["contribution"], joined["mean"], rtol=1e-12)
    # and not because the base takes up whatever the trees did not say
    assert 0 < result.record.explanation_gap < 1e-6
    assert set(result.record.features) | {"base"} == set(result.contributions["feature"])
    # the rest is the window's base and the model's mean: nearly the same for all steps
    base = result.contributions.loc[result.contributions["feature"] == "base"]
    spread = base.groupby("unique_id")["contribution"].agg(["min", "max"])
    np.testing.assert_allclose(spread["min"], spread["max"], rtol=1e-4)


def test_contributions_of_another_model_are_refused(
    history: pd.DataFrame, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is left over would be put on the base, and the sum would still be right."""
    told = engine.contributions
    monkeypatch.setattr(engine, "contributions", lambda *given: told(*given) * 1.001)
    with pytest.raises(ValueError, match="miss the forecast"):
        forecast(history[history["unique_id"] < "s04"], horizon=14, frequency="daily")


def test_all_steps_are_explained_where_that_takes_seconds() -> None:
    """A day that is left out is one that nobody can ask about without the model."""
    assert all_steps(50, 30) == range(1, 31)
    assert all_steps(5000, 30) is None


def test_it_beats_the_seasonal_naive_and_covers_what_it_says(result: ForecastResult) -> None:
    """A model no better than repeating last week is not worth its opacity."""
    pooled = result.backtest.loc[result.backtest["unique_id"] == "(pooled)"].set_index("model")
    ours, naive = pooled.loc["ours"], pooled.loc["seasonal_naive"]
    assert ours["mase"] < 0.95 * naive["mase"]
    assert ours["scaled_pinball"] < naive["scaled_pinball"]
    assert 0.88 <= ours["coverage_95"] <= 1.0
    assert 0.68 <= ours["coverage_80"] <= 0.92
    assert ours["n"] == naive["n"] == 12 * 14 * ours["windows"]


@pytest.mark.parametrize("frequency", ["daily", "hourly", "weekly"])
def test_no_feature_looks_beyond_its_origin(frequency: Frequency) -> None:
    """A leak makes the backtest shine and the forecast fail."""
    history = pool(4, 600 if frequency == "hourly" else 220, frequency=frequency)
    recipe = RECIPES[frequency]
    grid = lay_out(history, recipe, 10)
    origin, steps = grid.y.shape[1] - 40, np.arange(1.0, 41.0)[:39]
    changed = grid.y.copy()
    changed[:, origin + 1 :] *= 1000
    build = BUILDERS[frequency]
    before = build(grid.y, origin, steps, grid.calendar, 0.01)
    after = build(changed, origin, steps, grid.calendar, 0.01)
    np.testing.assert_array_equal(before.features, after.features)
    np.testing.assert_array_equal(before.scale, after.scale)
    np.testing.assert_array_equal(before.base, after.base)
    touched = grid.y.copy()
    touched[:, origin] *= 2
    now = build(touched, origin, steps, grid.calendar, 0.01)
    assert not np.array_equal(before.features, now.features)


def test_the_backtest_does_not_see_what_it_is_scored_on(history: pd.DataFrame) -> None:
    """Changing only the last week may change that week's score, not what was forecast for it."""
    last = history["ds"] > history["ds"].max() - pd.Timedelta(days=3)
    changed = history.assign(y=np.where(last, history["y"] * 3, history["y"]))
    first = forecast(history, horizon=7, frequency="daily").backtest
    second = forecast(changed, horizon=7, frequency="daily").backtest
    worse = second.set_index(["unique_id", "model"])["mae"].dropna()
    better = first.set_index(["unique_id", "model"])["mae"].dropna()
    assert (worse > better).all()


def test_bad_values_are_missing_and_odd_series_do_not_break_the_pool(
    history: pd.DataFrame,
) -> None:
    """One feed with NaN, infinities, zeros, credits or a jump must not take the others down."""
    ds = history["ds"].unique()
    odd = {
        "zeros": np.zeros(len(ds)),
        "constant": np.full(len(ds), 7.0),
        "credits": -np.abs(np.sin(np.arange(len(ds)))) * 100,
        "huge": np.full(len(ds), 1e12) * (1 + 0.1 * (np.arange(len(ds)) % 7)),
        "tiny": np.full(len(ds), 1e-7),
        "gaps": np.where(np.arange(len(ds)) % 11 == 0, np.nan, 50.0 + np.arange(len(ds)) % 7),
        "infinite": np.where(np.arange(len(ds)) == 100, np.inf, 20.0),
        "jump": np.where(np.arange(len(ds)) < 150, 1.0, 1e6),
    }
    extra = [pd.DataFrame({"unique_id": k, "ds": ds, "y": v}) for k, v in odd.items()]
    got = forecast(pd.concat([history, *extra]), horizon=7, frequency="daily")
    frame = got.frame.set_index("unique_id")
    assert np.isfinite(got.frame.drop(columns=["unique_id", "ds"]).to_numpy(dtype=float)).all()
    assert np.allclose(frame.loc["constant", "mean"], 7.0, rtol=0.05)
    assert np.allclose(frame.loc["zeros", "mean"], 0.0, atol=0.05)
    assert (frame.loc["credits", "mean"] < 0).all()
    assert np.allclose(frame.loc["huge", "mean"], 1.3e12, rtol=0.35)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda h: pd.concat([h, h.head(1)]), "twice"),
        (lambda h: h.assign(ds=h["ds"].where(h.index != 5, h["ds"] + pd.Timedelta("5h"))), "steps"),
    ],
)
def test_times_that_do_not_fit_are_refused(history: pd.DataFrame, change, message) -> None:
    """Summing or dropping a repeated day would change a team's cost without a word."""
    with pytest.raises(ValueError, match=message):
        forecast(change(history), horizon=7, frequency="daily")


@pytest.mark.parametrize("frequency", ["hourly", "weekly"])
def test_other_frequencies_beat_the_naive_too(frequency: Frequency) -> None:
    """A frequency that is offered must work."""
    length = 600 if frequency == "hourly" else 180
    got = forecast(pool(6, length, frequency=frequency), horizon=8, frequency=frequency)
    pooled = got.backtest.loc[got.backtest["unique_id"] == "(pooled)"].set_index("model")
    assert pooled.loc["ours", "mase"] < pooled.loc["seasonal_naive", "mase"]
    assert len(got.frame) == 6 * 8


def test_corrections_widen_what_was_too_narrow_and_narrow_what_was_too_wide() -> None:
    """A correction with its sign turned would make overconfident intervals worse."""
    rng = np.random.default_rng(0)
    z = rng.normal(0, 1, (500, 3))
    narrow = corrections(np.maximum(-1 - z, z - 1), 95)
    wide = corrections(np.maximum(-4 - z, z - 4), 95)
    np.testing.assert_allclose(narrow, 0.96, atol=0.2)
    np.testing.assert_allclose(wide, -2.04, atol=0.2)
    assert np.isnan(corrections(np.full((3, 2), np.nan), 95)).all()


def test_clever_statistics_equal_the_obvious_ones() -> None:
    """A median that counts missing values as large would tilt every base."""
    values = np.array([[1.0, np.nan, 5.0, 3.0], [np.nan] * 4, [2.0, 8.0, np.nan, np.nan]])
    np.testing.assert_allclose(median(values), [3.0, np.nan, 5.0])
    np.testing.assert_allclose(mean(values), [3.0, np.nan, 5.0])
