"""The estimate on a real model and real people of 2016, by what was known in 2015."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from finops_dagster.responsible_ai.performance.estimated import Answers, estimate
from finops_dagster.responsible_ai.performance.results import EstimatedQuality

FOLDER = Path(__file__).parents[5] / "shared" / "data" / "model_monitoring" / "employment_MA"
NAMES = {"predicted_probability": "probability", "employed": "label"}


def answers(path: Path) -> Answers:
    frame = pd.read_parquet(path).rename(columns=NAMES).reset_index(drop=True)
    outcomes = frame[["prediction", "probability", "label"]].astype(float)
    left = {*outcomes.columns, "id", "year"}
    return Answers(frame[[name for name in frame if name not in left]].astype(float), outcomes)


@pytest.mark.skipif(not FOLDER.exists(), reason="the census data are not beside this checkout")
def test_accuracy_of_2016_is_foreseen_within_two_thousandths() -> None:
    """By labels it was 0.8253, area under ROC 0.9020: known a year later."""
    before = answers(FOLDER / "employment_MA_reference.pq")
    after = answers(FOLDER / "employment_MA_2016.pq")
    blind = Answers(after.features, after.outcomes.assign(label=float("nan")))
    found = estimate("employment", before, blind, task="classification", seed=0)
    assert isinstance(found, EstimatedQuality)
    assert found.estimate.value == pytest.approx(0.8253, abs=0.002)
    assert found.estimate.low is not None
    assert found.estimate.high is not None
    assert found.estimate.low < 0.8253 < found.estimate.high
    figures = {name: one.value for name, one in found.others}
    assert figures["area under ROC"] == pytest.approx(0.9020, abs=0.002)
    assert found.doubts == ()
