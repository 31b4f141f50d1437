"""The forecaster's own inputs, laid side by side for judging their drift."""

from __future__ import annotations

import numpy as np
import pandas as pd

from finops_dagster.domain.decisions import Abstained
from finops_dagster.engines.forecasting import model_inputs
from finops_dagster.engines.forecasting.inputs import BLOCK


def costs(days: int, *, turbulent: int = 0, series: int = 20) -> pd.DataFrame:
    """Daily costs about a level; the last `turbulent` days swing ten times as far."""
    rng = np.random.default_rng(4)
    stamps = pd.date_range("2026-01-01", periods=days, freq="D")
    parts = []
    for number in range(series):
        noise = rng.normal(0, 3, days)
        if turbulent:
            noise[-turbulent:] *= 10
        y = 100 + noise
        parts.append(pd.DataFrame({"unique_id": f"s{number}", "ds": stamps, "y": y}))
    return pd.concat(parts, ignore_index=True)


def test_later_days_are_not_in_the_reference() -> None:
    """A reference that holds the days judged would hide every drift."""
    inputs = model_inputs(costs(300))
    assert not isinstance(inputs, Abstained)
    reference, current = inputs
    assert reference[BLOCK].max() < current[BLOCK].min()
    assert reference[BLOCK].nunique() == 12
    assert current[BLOCK].nunique() == 4
    assert list(reference.columns) == list(current.columns)


def test_a_restless_month_moves_its_inputs() -> None:
    """Inputs unlike those learnt from make a forecast that nobody should trust unseen."""
    calm, restless = model_inputs(costs(300)), model_inputs(costs(300, turbulent=28))
    assert not isinstance(calm, Abstained)
    assert not isinstance(restless, Abstained)
    quiet = calm[1]["log_scale_over_level"].median()
    assert restless[1]["log_scale_over_level"].median() > quiet + 0.5
    before = restless[0]["log_scale_over_level"].median()
    assert np.isclose(before, calm[0]["log_scale_over_level"].median(), atol=0.2)


def test_a_short_history_is_said_to_be_short() -> None:
    """Comparing windows that overlap would say that nothing ever drifts."""
    inputs = model_inputs(costs(100))
    assert isinstance(inputs, Abstained)
    assert "100" in inputs.reason
