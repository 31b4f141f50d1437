"""What days come to together: from what earlier sums were off by, and nothing that came later."""

from __future__ import annotations

from datetime import date

import numpy as np
import pandas as pd
import pytest

from finops_dagster.domain.decisions import Abstained
from finops_dagster.engines.forecasting import forecast
from finops_dagster.engines.forecasting.sums import (
    PROBABILITIES,
    DayErrors,
    day_errors,
    sums,
)


def said(mean: float = 10.0, half: float = 2.0) -> pd.DataFrame:
    days = pd.date_range("2026-11-01", periods=3)
    return pd.DataFrame(
        {
            "unique_id": "a",
            "ds": days,
            "step": [1, 2, 3],
            "mean": mean,
            "lo80": mean - half,
            "hi80": mean + half,
        }
    )


def quantile(found: pd.DataFrame, day: int, probability: float) -> float:
    at = found["ds"] == pd.Timestamp(2026, 11, day)
    (value,) = found.loc[at & (found["probability"] == probability), "value"]
    return float(value)


def errors() -> DayErrors:
    """199 windows whose days are all off by -99 to 99 hundredths of a half width of 1."""
    off = np.arange(-99, 100) / 100
    return DayErrors(np.repeat(off[:, None], 3, axis=1), np.ones((199, 3)), np.inf)


def test_days_that_err_alike_are_as_wide_together_as_apart() -> None:
    """A sum of three days, each off by a share of its width, is off by that share of the three."""
    found = sums(said(), errors())
    assert quantile(found, 1, 0.5) == 10
    assert quantile(found, 3, 0.5) == 30
    # rank (199 + 1) p of 199: the 180th is 80 hundredths, of 3 x 2
    assert quantile(found, 3, 0.9) == pytest.approx(30 + 0.8 * 6)
    assert quantile(found, 3, 0.1) == pytest.approx(30 - 0.8 * 6)
    assert found["probability"].unique().tolist() == list(PROBABILITIES)


def test_few_windows_make_it_less_sure() -> None:
    """Three months of windows that overlap are three facts, not hundreds."""
    some = DayErrors(errors().missed, errors().half, 3.0)
    assert quantile(sums(said(), some), 1, 0.9) == pytest.approx(10 + 0.8 * 2 * (4 / 3) ** 0.5)


def test_days_that_err_each_by_itself_cancel() -> None:
    """Adding the ends of such days would make a month look as unsure as its worst."""
    turned = DayErrors(np.array([[1.0, -1.0, 0.0]] * 50), np.ones((50, 3)), np.inf)
    found = sums(said(), turned)
    assert quantile(found, 1, 0.9) == 12
    assert quantile(found, 2, 0.9) == quantile(found, 2, 0.1) == 20


def test_days_that_are_known_are_not_in_the_sum() -> None:
    """What a budget has been billed for is known, and cannot be off."""
    found = sums(said(), errors(), {"a": date(2026, 11, 2)})
    assert found["ds"].unique().tolist() == [pd.Timestamp(2026, 11, 3)]
    assert quantile(found, 3, 0.9) == pytest.approx(10 + 0.8 * 2)
    assert sums(said(), errors(), {"a": date(2026, 11, 30)}).empty


def test_a_forecast_longer_than_what_was_checked_is_refused() -> None:
    short = DayErrors(np.ones((5, 2)), np.ones((5, 2)), 4)
    with pytest.raises(ValueError, match="2 days for a forecast of 3"):
        sums(said(), short)


def history(days: int, seed: int = 1) -> pd.DataFrame:
    """Eight series about levels of their own, noise that lasts for weeks."""
    rng = np.random.default_rng(seed)
    parts = []
    for at in range(8):
        noise = np.zeros(days)
        for t in range(1, days):
            noise[t] = 0.9 * noise[t - 1] + rng.normal(0, 0.02)
        ds = pd.date_range("2025-06-01", periods=days)
        weekly = 1 - 0.2 * (ds.dayofweek.to_numpy() >= 5)
        y = 100 * (at + 1) * weekly * np.exp(noise)
        parts.append(pd.DataFrame({"unique_id": f"s{at}", "ds": ds, "y": y}))
    return pd.concat(parts, ignore_index=True)


def test_intervals_of_sums_hold_what_they_say_where_added_ends_hold_too_much() -> None:
    """A landing that is said to be sure to 80 % and is not misleads whoever answers for it."""
    every = history(300)
    last = every["ds"].max() - pd.Timedelta(days=14)
    known = every[every["ds"] <= last]
    off = day_errors(known, 14)
    assert isinstance(off, DayErrors)
    assert off.missed.shape == (8 * 12, 14)
    assert off.apart == 12
    frame = forecast(known, horizon=14, frequency="daily", explain_steps=[1]).frame
    found = sums(frame, off)
    ends = found[found["ds"] == found["ds"].max()].pivot(
        index="unique_id", columns="probability", values="value"
    )
    truth = every[every["ds"] > last].groupby("unique_id")["y"].sum()
    inside = (ends[0.025] <= truth) & (truth <= ends[0.975])
    assert inside.sum() >= 6
    added = frame.groupby("unique_id")[["lo95", "hi95"]].sum()
    narrower = (ends[0.975] - ends[0.025]) / (added["hi95"] - added["lo95"])
    assert narrower.median() < 0.95


def test_what_comes_later_changes_no_error_of_before() -> None:
    """A check that has seen the truth says that everything is known."""
    every = history(300)
    first = day_errors(every, 7)
    last = every["ds"] > every["ds"].max() - pd.Timedelta(days=7)
    changed = day_errors(every.assign(y=np.where(last, every["y"] * 3, every["y"])), 7)
    assert isinstance(first, DayErrors)
    assert isinstance(changed, DayErrors)
    # the newest origin comes first, a row a series
    np.testing.assert_array_equal(first.half, changed.half)
    np.testing.assert_array_equal(first.missed[8:], changed.missed[8:])
    assert (changed.missed[:8] > first.missed[:8]).all()


def test_too_little_history_to_check_is_said() -> None:
    found = day_errors(history(110), 30)
    assert isinstance(found, Abstained)
    assert found.reason == "110 days of history are too few to check sums of 30 days on"
