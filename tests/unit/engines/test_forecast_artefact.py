"""A trained model as bytes: the same ones again, the same forecast to the bit, and no training."""

from __future__ import annotations

from dataclasses import replace

import pandas as pd
import pytest

import finops_dagster.engines.forecasting.engine as engine
from finops_dagster.engines.forecasting import (
    FAST,
    STANDARD,
    WIDE,
    ForecastResult,
    explain,
    forecast,
    name_of,
    opened,
)
from tests.unit.engines.test_forecasting import pool

HORIZON = 7


@pytest.fixture(scope="module")
def history() -> pd.DataFrame:
    """Five series, one of them too young for the pooled model."""
    made = pool(series=5, length=120)
    young = made["unique_id"].eq("s04") & (made["ds"] < made["ds"].max() - pd.Timedelta(days=20))
    return made.loc[~young]


@pytest.fixture(scope="module")
def trained(history: pd.DataFrame) -> ForecastResult:
    return forecast(history, horizon=HORIZON, frequency="daily")


def test_training_again_gives_the_same_bytes(
    history: pd.DataFrame, trained: ForecastResult
) -> None:
    """Else a hash would name a run and not a model, and nothing could be rolled back to."""
    again = forecast(history, horizon=HORIZON, frequency="daily", threads=2)
    assert name_of(again.artefact) == name_of(trained.artefact)
    assert len(name_of(trained.artefact)) == 64
    other = forecast(history, horizon=HORIZON, frequency="daily", recipe=FAST)
    assert name_of(other.artefact) != name_of(trained.artefact)


def test_the_same_history_is_forecast_the_same_to_the_bit(
    history: pd.DataFrame, trained: ForecastResult, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A rollback that only comes near what was served is none."""
    monkeypatch.setattr(engine, "train", None)  # whoever trains fails
    served = forecast(history, horizon=HORIZON, frequency="daily", artefact=trained.artefact)
    for name in ("frame", "contributions", "rungs", "backtest", "origins"):
        pd.testing.assert_frame_equal(
            getattr(served, name), getattr(trained, name), check_exact=True, check_dtype=False
        )
    assert served.abstained == trained.abstained
    assert served.models == trained.models
    assert served.artefact == trained.artefact
    timeless = {"seconds": 0.0, "stages": {}}
    assert replace(served.record, **timeless) == replace(trained.record, **timeless)


def test_what_came_later_is_forecast_without_training(
    trained: ForecastResult, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The record tells what it learnt from; the hash of data is that of what it was asked of."""
    monkeypatch.setattr(engine, "train", None)
    later = pool(series=6, length=127)
    served = forecast(later, horizon=HORIZON, frequency="daily", artefact=trained.artefact)
    assert served.frame["ds"].min() == later["ds"].max() + pd.Timedelta(days=1)
    assert served.frame["unique_id"].nunique() == 6
    assert served.record.training_end == trained.record.training_end
    assert served.record.data_hash != trained.record.data_hash
    told = explain(later, served.models, served.record, ["s00"], [1])
    mean = served.frame.query("unique_id == 's00' and step == 1")["mean"].item()
    assert told["contribution"].sum() == pytest.approx(mean, rel=1e-9)


@pytest.mark.parametrize("recipe", [FAST, WIDE])
def test_another_recipe_is_checked_on_the_same_windows(
    history: pd.DataFrame, trained: ForecastResult, recipe: str
) -> None:
    """Errors on other days tell nothing of which is better."""
    other = forecast(history, horizon=HORIZON, frequency="daily", recipe=recipe)
    keys = ["unique_id", "origin", "actual"]
    pd.testing.assert_frame_equal(other.origins[keys], trained.origins[keys])
    assert not other.origins["error"].equals(trained.origins["error"])
    assert (other.record.recipe, trained.record.recipe) == (recipe, STANDARD)


def test_errors_by_window_are_those_of_the_backtest(trained: ForecastResult) -> None:
    """Whole windows weigh the same: the mean of each series' windows is its MASE."""
    ours = trained.backtest.query("model == 'ours' and unique_id != '(pooled)'")
    by_series = trained.origins.groupby("unique_id")["error"].mean()
    assert by_series.to_dict() == pytest.approx(
        ours.set_index("unique_id")["mase"].to_dict(), rel=1e-9
    )


def test_it_tells_what_it_is(trained: ForecastResult) -> None:
    told = opened(trained.artefact)
    assert told.record.data_hash == trained.record.data_hash
    assert told.record.levels == (80, 95)
    assert told.record.parameters == trained.record.parameters


@pytest.mark.parametrize("bad", [b"", b"{}", b"[1]", b"\xff", b'{"format":"other","engine":"x"}'])
def test_bytes_that_are_none_are_refused(history: pd.DataFrame, bad: bytes) -> None:
    with pytest.raises(ValueError, match="no artefact"):
        forecast(history, horizon=HORIZON, frequency="daily", artefact=bad)


def test_other_terms_are_refused(history: pd.DataFrame, trained: ForecastResult) -> None:
    with pytest.raises(ValueError, match="another frequency, horizon"):
        forecast(history, horizon=HORIZON + 1, frequency="daily", artefact=trained.artefact)
    with pytest.raises(ValueError, match="no recipe"):
        forecast(history, horizon=HORIZON, frequency="daily", recipe="odd")
