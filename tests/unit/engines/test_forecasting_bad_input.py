"""What bills really hold: gaps, nonsense, credits, ends, jumps; one bad feed harms no other."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest

from finops_dagster.engines.forecasting import ForecastResult, Frequency, forecast

DAYS = 150
HORIZON = 4
STAMPS = pd.date_range("2025-01-06", periods=DAYS, freq="D")
BANDS = ["lo95", "lo80", "mean", "hi80", "hi95"]
TIME = np.arange(DAYS)


def one(name: str, y: np.ndarray, stamps: pd.DatetimeIndex = STAMPS) -> pd.DataFrame:
    return pd.DataFrame({"unique_id": name, "ds": stamps, "y": y})


def plain(series: int = 6) -> pd.DataFrame:
    """Weekly patterns with noise."""
    rng = np.random.default_rng(0)
    return pd.concat(
        [
            one(
                f"plain {i}",
                10 ** (i / 2) * (5 + (TIME % 7 < 5)) * np.exp(rng.normal(0, 0.05, DAYS)),
            )
            for i in range(series)
        ],
        ignore_index=True,
    )


def told(history: pd.DataFrame, horizon: int = HORIZON, **given) -> ForecastResult:
    return forecast(history, horizon=horizon, frequency="daily", **given)


@pytest.fixture(scope="module")
def odd() -> pd.DataFrame:
    rng = np.random.default_rng(1)
    wave = 1 + 0.1 * (TIME % 7)
    series = {
        "zeros": np.zeros(DAYS),
        "constant": np.full(DAYS, 7.0),
        "credits": -100 * wave * np.exp(rng.normal(0, 0.05, DAYS)),
        "both signs": rng.normal(0, 50, DAYS),
        "huge": 1e12 * wave,
        "tiny": 1e-7 * wave,
        "jump": np.where(TIME < DAYS - 20, 1.0, 1e6) * wave,
        "one spike": np.where(TIME == DAYS - 40, 1e9, 10.0) * wave,
        "intermittent": np.where(rng.random(DAYS) < 0.15, 200.0, 0.0),
        "gaps": np.where(TIME % 5 == 0, np.nan, 50 * wave),
        "infinite": np.where(TIME % 30 == 0, np.inf, 20 * wave),
        "minus infinite": np.where(TIME % 30 == 1, -np.inf, 20 * wave),
        "nothing": np.full(DAYS, np.nan),
        "one point": np.where(TIME == DAYS - 1, 5.0, np.nan),
        "ended": np.where(TIME < DAYS - 12, 30 * wave, np.nan),
        "launched today and once before": np.where(np.isin(TIME, [3, DAYS - 1]), 5.0, np.nan),
        "once a week": np.where(TIME % 7 == (DAYS - 1) % 7, 70.0, np.nan),
    }
    return pd.concat([one(name, y) for name, y in series.items()], ignore_index=True)


@pytest.fixture(scope="module")
def result(odd: pd.DataFrame) -> ForecastResult:
    return told(pd.concat([plain(), odd]))


def test_every_odd_series_gets_a_finite_forecast_or_a_reason(
    odd: pd.DataFrame, result: ForecastResult
) -> None:
    """NaN in a budget, or a series that is left out without a word, is found too late."""
    bands = result.frame[BANDS].to_numpy()
    assert np.isfinite(bands).all()
    assert (np.diff(bands, axis=1) >= 0).all()
    reasons = {each.subject: each.reason for each in result.abstained}
    assert reasons == {
        "nothing": "no value is known",
        "one point": "1 days of history, 3 of late are needed",
        "ended": "its last value is 12 days before that of the others",
        "launched today and once before": "2 days of history, 3 of late are needed",
        "once a week": "22 days of history, 3 of late are needed",
    }
    assert set(reasons) | set(result.frame["unique_id"]) >= set(odd["unique_id"])
    scores = result.backtest.drop(columns=["unique_id", "model", "mae", "pinball"])
    assert np.isfinite(scores.loc[scores["mase"].notna()].to_numpy(dtype=float)).all()


def test_odd_series_are_forecast_at_their_own_level(result: ForecastResult) -> None:
    """A dollar beside a trillion must not be forecast as a share of it."""
    mean = result.frame.groupby("unique_id")["mean"].mean()
    assert mean["zeros"] == pytest.approx(0, abs=0.01)
    assert mean["tiny"] == pytest.approx(0, abs=0.01)
    assert mean["constant"] == pytest.approx(7, rel=0.02)
    assert mean["credits"] == pytest.approx(-130, rel=0.2)
    assert mean["huge"] == pytest.approx(1.3e12, rel=0.2)
    assert mean["jump"] == pytest.approx(1.3e6, rel=0.25)
    assert mean["one spike"] == pytest.approx(13, rel=0.35)
    assert mean["gaps"] == pytest.approx(65, rel=0.2)
    assert mean["infinite"] == pytest.approx(26, rel=0.2)
    assert 0 <= mean["intermittent"] < 200


def test_odd_series_leave_the_plain_ones_alone(result: ForecastResult) -> None:
    """One broken feed must not move the forecast of every team."""
    alone = told(plain()).frame.set_index(["unique_id", "step"])["mean"]
    beside = result.frame.set_index(["unique_id", "step"])["mean"].loc[alone.index]
    np.testing.assert_allclose(beside, alone, rtol=0.1)


def test_days_that_no_series_knows_have_intervals_too() -> None:
    """A bill of Mondays to Wednesdays alone left the other days without."""
    history = plain(3)
    outage = history["ds"].dt.dayofweek >= 3
    got = told(history.loc[~outage], horizon=7)
    assert set(got.rungs["rung"]) == {"pooled"}
    assert np.isfinite(got.frame[BANDS].to_numpy()).all()


def test_a_small_floor_tells_tiny_costs_too() -> None:
    """Shares of a cent a day are real where units are."""
    tiny = one("tiny", 1e-7 * (1 + 0.1 * (TIME % 7)))
    got = told(pd.concat([plain(2), tiny, one("huge", 1e12 * (1 + 0.1 * (TIME % 7)))]),
               scale_floor=1e-12)  # fmt: skip
    of = got.frame.set_index(["unique_id", "step"])["mean"]
    np.testing.assert_allclose(of["tiny"] / 1e-7, of["huge"] / 1e12, rtol=1e-3)


def test_unknown_is_unknown_however_it_is_written() -> None:
    """A missing row, a null and an infinity are the same: nothing is known of the day."""
    history = plain(3)
    gone = history.index % 13 == 5
    dropped = told(history.loc[~gone])
    for value in (np.nan, np.inf, -np.inf, None):
        written = told(history.assign(y=history["y"].astype(object).where(~gone, value)))
        pd.testing.assert_frame_equal(written.frame, dropped.frame)
        assert written.record.data_hash == dropped.record.data_hash


def test_order_type_and_time_zone_change_nothing() -> None:
    """The same bill read in another way must not give another forecast."""
    history = plain(3)
    first = told(history)
    shown: dict[str, Callable[[pd.DataFrame], pd.DataFrame]] = {
        "shuffled": lambda h: h.sample(frac=1, random_state=3),
        "categorical": lambda h: h.assign(
            unique_id=pd.Categorical(h["unique_id"], ["unused", "plain 2", "plain 0", "plain 1"])
        ),
        "dates": lambda h: h.assign(ds=h["ds"].dt.date),
        "text": lambda h: h.assign(ds=h["ds"].astype(str)),
        "seconds": lambda h: h.assign(ds=h["ds"].astype("datetime64[s]")),
        "UTC": lambda h: h.assign(ds=h["ds"].dt.tz_localize("UTC")),
        "arrow": lambda h: h.assign(y=h["y"].astype("double[pyarrow]")),
    }
    for name, change in shown.items():
        again = told(change(history))
        pd.testing.assert_frame_equal(again.frame, first.frame, obj=name)
        pd.testing.assert_frame_equal(again.backtest, first.backtest, obj=name)
        pd.testing.assert_frame_equal(again.rungs, first.rungs, obj=name)
        assert again.record.data_hash == first.record.data_hash
    threads = told(history, threads=3)
    pd.testing.assert_frame_equal(threads.frame, first.frame)
    pd.testing.assert_frame_equal(threads.backtest, first.backtest)


def test_other_units_are_the_same_forecast_in_other_units() -> None:
    """A bill in yen is the same bill."""
    history = plain(3)
    young = history.loc[(history["unique_id"] == "plain 2") & (history["ds"] >= STAMPS[-10])]
    history = pd.concat([history, young.assign(unique_id="young")])
    first = told(history).frame
    second = told(history.assign(y=1000 * history["y"]), scale_floor=10.0).frame
    np.testing.assert_allclose(second[BANDS], 1000 * first[BANDS], rtol=1e-3)


def test_what_follows_an_origin_does_not_change_its_forecast() -> None:
    """An error that grows by more than what was added to the truth tells of a leak."""
    history = plain(3)
    late = history["ds"] >= STAMPS[-3]
    added = 1e9
    before = told(history).backtest
    after = told(history.assign(y=history["y"] + added * late)).backtest
    # only the last origin's last three days are among the truths that changed
    for name in ("ours", "seasonal_naive"):
        old, new = (
            t.loc[(t["model"] == name) & (t["unique_id"] != "(pooled)")] for t in (before, after)
        )
        grown = (new["mae"] * new["n"] - old["mae"] * old["n"]).to_numpy() / added
        np.testing.assert_allclose(grown, 3, atol=1e-4)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda h: pd.concat([h, h.tail(1)]), "'plain 1' has 2025-06-04 00:00:00 twice"),
        (lambda h: pd.concat([h, h.tail(1).assign(y=np.nan)]), "twice"),
        (lambda h: pd.concat([h, h.tail(1).assign(ds=STAMPS[-1] + pd.Timedelta("1h"))]),
         "2025-06-04 01:00:00 is not on the daily steps"),
        (lambda h: h.assign(ds=h["ds"].where(h.index > 0)), "no time"),
        (lambda h: h.assign(unique_id=h["unique_id"].where(h.index > 0)), "no unique_id"),
        (lambda h: h.assign(y=h["y"].astype(str).where(h.index > 0, "a lot")), "a lot"),
    ],
)  # fmt: skip
def test_what_cannot_be_placed_is_refused(
    change: Callable[[pd.DataFrame], pd.DataFrame], message: str
) -> None:
    """Summing or dropping a repeated day would change a team's cost without a word."""
    with pytest.raises(ValueError, match=message):
        told(change(plain(2)))


@pytest.mark.parametrize("frequency", ["weekly", "hourly"])
def test_days_are_neither_weeks_nor_hours(frequency: Frequency) -> None:
    """Days taken for weeks would be forecast without their weekdays."""
    if frequency == "weekly":
        with pytest.raises(ValueError, match="not on the weekly steps"):
            forecast(plain(1), horizon=4, frequency=frequency)
    else:
        got = forecast(plain(1), horizon=4, frequency=frequency)
        assert got.frame.empty and "8 of late are needed" in got.abstained[0].reason


@pytest.mark.parametrize("horizon", [0, -1])
def test_a_horizon_is_ahead(horizon: int) -> None:
    """A forecast of no day answers nothing."""
    with pytest.raises(ValueError, match="horizon"):
        told(plain(1), horizon=horizon)


def test_a_horizon_longer_than_history_is_answered_by_a_simpler_rule() -> None:
    """Little of the year ahead can be checked with five months behind."""
    got = told(plain(2), horizon=365)
    assert len(got.frame) == 2 * 365
    assert got.rungs["rung"].tolist() == ["seasonal", "seasonal"]
    assert "widened beyond 45 days" in got.rungs["reason"].iloc[0]
    beyond = got.frame.loc[got.frame["step"] > 45]
    width = beyond["hi95"] - beyond["lo95"]
    assert (width.groupby(beyond["unique_id"]).diff().dropna() >= -1e-9).all()
    assert np.isfinite(got.frame[BANDS].to_numpy()).all()


def test_nothing_in_nothing_out() -> None:
    """An estate's first day must not be a stack trace."""
    for history in (plain(1).head(0), one("a", np.full(DAYS, np.nan))):
        got = told(history)
        assert got.frame.empty and got.backtest.empty and got.rungs.empty
        assert list(got.frame.columns)[:4] == ["unique_id", "ds", "step", "mean"]
    assert got.abstained[0].reason == "no value is known"
