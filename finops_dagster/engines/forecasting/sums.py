"""What the days of a forecast come to together: the distribution of their running sum.

Ends of days' intervals may not be added: days err neither all alike nor each by itself. How far
sums were off is told by forecasts from earlier days, each made of what was known then.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from finops_dagster.domain.decisions import Abstained
from finops_dagster.engines.forecasting.engine import Forecaster, fit
from finops_dagster.engines.forecasting.grid import Floats

PROBABILITIES = (
    0.005, 0.025, 0.05, 0.1, 0.15, 0.2, 0.25, 0.3, 0.35, 0.4, 0.45, 0.5, 0.55, 0.6, 0.65, 0.7,
    0.75, 0.8, 0.85, 0.9, 0.95, 0.975, 0.995,
)  # fmt: skip
"""Of the quantiles that a sum is told by: the ends of 80 and 95 % intervals among them."""
SUM_COLUMNS = {
    "unique_id": "The series",
    "ds": "Last day of the sum, UTC",
    "step": "Days in the sum, from the day after the last one known",
    "probability": "That the sum is not above `value`",
    "value": "Quantile of the sum, in the unit of the series",
}
_ORIGINS, _LEAST_ORIGINS = 12, 3
"""Weekly origins whose sums are checked, fewer where the history is short."""
_EVERY = 7


@dataclass(frozen=True)
class SumErrors:
    """How far the sums of earlier forecasts were off."""

    relative: Floats
    """(windows, steps): truth less forecast, over the half widths of the days' 80 % intervals."""
    origins: int


def sum_errors(
    history: pd.DataFrame,
    horizon: int,
    *,
    seed: int = 0,
    scale_floor: float = 0.01,
    threads: int = 1,
) -> SumErrors | Abstained:
    """Errors of running sums of daily forecasts from weekly origins, over all series.

    `history` and the rest as of `forecast`. One model learns from what was known on the first of
    the origins and forecasts from each; none sees what it is held against. Abstains where too
    little is left to learn from.
    """
    frame = history.assign(ds=pd.to_datetime(history["ds"]))
    last = frame["ds"].max()
    for count in range(_ORIGINS, _LEAST_ORIGINS - 1, -1):
        origins = [last - pd.Timedelta(days=horizon + _EVERY * back) for back in range(count)]
        known = frame[frame["ds"] <= origins[-1]]
        if known.empty:
            continue
        model = fit(
            known,
            horizon=horizon,
            frequency="daily",
            seed=seed,
            scale_floor=scale_floor,
            threads=threads,
        )
        if isinstance(model, Forecaster):
            found = [_missed(model, frame, origin, scale_floor) for origin in origins]
            return SumErrors(np.concatenate(found), count)
    span = (last - frame["ds"].min()).days + 1 if len(frame) else 0
    return Abstained(
        subject="sums of days",
        reason=f"{span} days of history are too few to check sums of {horizon} days on",
    )


def _missed(model: Forecaster, history: pd.DataFrame, origin: pd.Timestamp, floor: float) -> Floats:
    """Relative errors (series, steps) of one origin; series with a day not known are left out."""
    said, _ = model.forecast(history[history["ds"] <= origin])
    joined = said.merge(history[["unique_id", "ds", "y"]], on=["unique_id", "ds"], how="left")
    mean, width = running(joined, floor)
    truth = np.cumsum(_table(joined, "y"), axis=1)
    off = (truth - mean) / width
    return np.asarray(off[np.isfinite(off).all(1)])


def running(frame: pd.DataFrame, floor: float = 0.01) -> tuple[Floats, Floats]:
    """Running sums (series, steps) of a forecast's means and of its half widths at 80 %.

    A half width is at least `floor`, in the unit of the series.
    """
    half = np.maximum((_table(frame, "hi80") - _table(frame, "lo80")) / 2, floor)
    return np.cumsum(_table(frame, "mean"), axis=1), np.cumsum(half, axis=1)


def _table(frame: pd.DataFrame, column: str) -> Floats:
    wide = frame.pivot(index="unique_id", columns="step", values=column)
    return wide.sort_index(axis=0).sort_index(axis=1).to_numpy(dtype=float)


def sums(frame: pd.DataFrame, errors: SumErrors, *, scale_floor: float = 0.01) -> pd.DataFrame:
    """Quantiles of the running sum of each series of a forecast, columns SUM_COLUMNS.

    The sum of the means and its half widths times the quantile, at rank (n + 1) p, of the relative
    errors of sums of as many days: split conformal prediction (Vovk, Gammerman and Shafer 2005) of
    the sum, pooled over series. Raises ValueError where errors are of fewer steps.
    """
    mean, width = running(frame, scale_floor)
    steps = mean.shape[1]
    if errors.relative.shape[1] < steps:
        raise ValueError(f"errors of {errors.relative.shape[1]} steps for a forecast of {steps}")
    off = np.quantile(errors.relative[:, :steps], PROBABILITIES, axis=0, method="weibull")
    values = mean[:, :, None] + width[:, :, None] * off.T[None, :, :]
    keys = frame.sort_values(["unique_id", "step"])[["unique_id", "ds", "step"]]
    many = len(PROBABILITIES)
    return pd.DataFrame(
        {
            **{name: np.repeat(keys[name].to_numpy(), many) for name in keys},
            "probability": np.tile(PROBABILITIES, len(keys)),
            "value": values.reshape(-1),
        }
    )
