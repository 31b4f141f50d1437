"""What a forecast answers with, as frozen types.

No arithmetic here.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import pandas as pd

from finops_dagster.domain.decisions import Abstained
from finops_dagster.engines.forecasting.recipes import Frequency

FRAME_COLUMNS = {
    "unique_id": "The series",
    "ds": "Start of the step, UTC",
    "step": "Steps after the last value known, from 1",
    "mean": "Forecast, in the unit of the series",
    **{
        f"{end}{level}": f"{side} end of the interval that holds the truth in {level} % of cases"
        for level in (80, 95)
        for end, side in (("lo", "Lower"), ("hi", "Upper"))
    },
}
"""What the columns of a forecast's frame mean."""


@dataclass(frozen=True)
class ModelRecord:
    """How a forecast was made out: enough for a model card and to make it again."""

    engine: str
    frequency: Frequency
    horizon: int
    levels: tuple[int, ...]
    seed: int
    scale_floor: float
    features: tuple[str, ...]
    parameters: tuple[dict[str, float | int | str], ...]
    """One dict of XGBoost parameters and rounds a member."""
    series: int
    training_rows: int
    training_start: str
    training_end: str
    """ISO times of the first and last value the final model has learnt from."""
    calibration_windows: int
    data_hash: str
    """First 16 hex digits of SHA-256 over names, times and values."""
    xgboost: str
    seconds: float
    """Wall time; it and `stages` alone differ when the same is made again."""
    explanation: str = "none"
    """How contributions were made out: exact, approximate or none."""
    explanation_gap: float = 0.0
    """Largest share of a forecast that they missed before the base took it up: 1e-6 at most."""
    stages: dict[str, float] = field(default_factory=dict)
    """Seconds of lay_out, train, check, predict and explain."""
    recipe: str = "standard"
    """Name of the recipe it was made by."""


@dataclass(frozen=True)
class ForecastResult:
    """A forecast with its intervals, explanation, backtest and record; times are naive UTC."""

    frame: pd.DataFrame
    """unique_id, ds, step, mean, and lo and hi of each level; y's unit."""
    contributions: pd.DataFrame
    """unique_id, ds, step, feature, contribution in y's unit; the feature `base` holds the rest,
    so that the contributions of one step sum to its mean. Of the pooled model's series alone."""
    backtest: pd.DataFrame
    """unique_id (or `(pooled)`), model (ours, seasonal_naive), n, windows, mae, mase, smape,
    coverage_80, coverage_95, pinball, scaled_pinball. Pooled = mean over series of what has no
    unit; mae and pinball are not pooled, since series may be in several currencies."""
    rungs: pd.DataFrame
    """unique_id, rung, reason of every series that is forecast. pooled: the model; seasonal and
    level: what its own last steps say, where they are too few for it: no contributions and no
    backtest of their own, and intervals by what the rule missed elsewhere."""
    record: ModelRecord
    abstained: list[Abstained]
    """What is not forecast, and why."""
    models: tuple[bytes, ...] = ()
    """XGBoost's UBJSON of each member, in the recipe's order: see `explain`."""
    origins: pd.DataFrame = field(default_factory=pd.DataFrame)
    """The pooled model's backtest by window: unique_id, origin (time of the last value known),
    error (mean absolute error over the horizon in the scale of MASE), and of the first step after
    it actual, mean and the ends of each level, in y's unit."""
    artefact: bytes = b""
    """All that it takes to forecast again with what was trained: see `artefact`. Empty where the
    pooled model forecast nothing."""
