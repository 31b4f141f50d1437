"""Kept models answer later why a forecast said what it said."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from finops_dagster.engines.forecasting import explain, forecast
from tests.unit.engines.test_forecasting import pool


def test_kept_models_explain_any_day_exactly() -> None:
    """A question asked a week later must have the answer that the forecast had."""
    history = pool(series=4, length=130)
    result = forecast(history, horizon=10, frequency="daily", explain_steps=[4])
    ids = sorted(set(result.frame["unique_id"]))[:2]
    told = explain(history, result.models, result.record, ids, [10, 4])
    assert set(told["unique_id"]) == set(ids)
    assert sorted(set(told["step"])) == [4, 10]
    keys = ["unique_id", "step", "feature"]
    then = result.contributions.set_index(keys)["contribution"]
    now = told[told["step"] == 4].set_index(keys)["contribution"]
    pd.testing.assert_series_equal(now.sort_index(), then[then.index.isin(now.index)].sort_index())
    sums = told.groupby(["unique_id", "step"])["contribution"].sum()
    means = result.frame.set_index(["unique_id", "step"])["mean"]
    np.testing.assert_allclose(sums, means.loc[sums.index], rtol=1e-9)
    assert explain(history, result.models, result.record, ["no such"], [1]).empty
    with pytest.raises(ValueError, match="between 1 and 10"):
        explain(history, result.models, result.record, ids, [11])
    with pytest.raises(ValueError, match="not the history"):
        explain(history.iloc[:-1], result.models, result.record, ids, [1])
