"""What the days of a forecast come to together: the distribution of their running sum.

Ends of days' intervals may not be added: days err neither all alike nor each by itself. How far
sums were off is told by forecasts from earlier days, each made of what was known then.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date

import numpy as np
import pandas as pd

from finops_dagster.domain.decisions import Abstained
from finops_dagster.engines.forecasting.engine import Forecaster, fit
from finops_dagster.engines.known import Floats

SUMS = "sums of days"
"""The subject where they cannot be told."""
PROBABILITIES = (
    0.005, 0.025, 0.05, 0.1, 0.15, 0.2, 0.25, 0.3, 0.35, 0.4, 0.45, 0.5, 0.55, 0.6, 0.65, 0.7,
    0.75, 0.8, 0.85, 0.9, 0.95, 0.975, 0.995,
)  # fmt: skip
"""Of the quantiles that a sum is told by: the ends of 80 and 95 % intervals among them."""
SUM_COLUMNS = {
    "unique_id": "The series",
    "ds": "Last day of the sum, UTC",
    "probability": "That the sum is not above `value`",
    "value": "Quantile of the sum, in the unit of the series",
}
_ORIGINS = 12
_SPANS = range(154, 13, -14)
"""Days over which origins are spread, the most that the history allows: what moves sums comes a few
times a year, so windows side by side tell more than windows that overlap. No nearer than a week."""


@dataclass(frozen=True)
class DayErrors:
    """How far the days of earlier forecasts were off, (windows, days), in the unit of each."""

    missed: Floats
    """Truth less forecast."""
    half: Floats
    """Half widths of the forecasts' 80 % intervals: what an error is small or large beside."""
    apart: float
    """How many windows of one series would not overlap."""

    def sums(self, first: int, last: int) -> Floats:
        """Quantiles (days, PROBABILITIES) of the errors of sums from day `first` to each day before
        `last`, over the sums of halves.

        At rank (n + 1) p, and wider by sqrt(1 + 1 / apart), as a prediction is that rests on so few
        windows: what moves one series in one of them moves others too.
        """
        off = np.cumsum(self.missed[:, first:last], axis=1)
        relative = off / np.cumsum(self.half[:, first:last], axis=1)
        found = np.quantile(relative, PROBABILITIES, axis=0, method="weibull").T
        return np.asarray(found * np.sqrt(1 + 1 / self.apart))


def day_errors(
    history: pd.DataFrame,
    horizon: int,
    *,
    seed: int = 0,
    scale_floor: float = 0.01,
    threads: int = 1,
) -> DayErrors | Abstained:
    """Errors of daily forecasts from origins of the last months, over all series.

    `history` and the rest as of `forecast`. One model learns from what was known on the first of
    the origins and forecasts from each; none sees what it is held against. Abstains where too
    little is left to learn from.
    """
    frame = history.assign(ds=pd.to_datetime(history["ds"]))
    last = frame["ds"].max()
    for span in _SPANS:
        every = max(7, round(span / (_ORIGINS - 1)))
        origins = [last - pd.Timedelta(days=horizon + back) for back in range(0, span + 1, every)]
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
            missed, half = (np.concatenate(one) for one in zip(*found, strict=True))
            return DayErrors(missed, half, 1 + every * (len(origins) - 1) / horizon)
    span = (last - frame["ds"].min()).days + 1 if len(frame) else 0
    return Abstained(
        subject=SUMS,
        reason=f"{span} days of history are too few to check sums of {horizon} days on",
    )


def _missed(
    model: Forecaster, history: pd.DataFrame, origin: pd.Timestamp, floor: float
) -> tuple[Floats, Floats]:
    """Errors and half widths of one origin; series with a day not known are left out."""
    said, _ = model.forecast(history[history["ds"] <= origin])
    joined = said.merge(history[["unique_id", "ds", "y"]], on=["unique_id", "ds"], how="left")
    off = _table(joined, "y") - _table(joined, "mean")
    half = _half(joined, floor)
    known = np.isfinite(off).all(1) & np.isfinite(half).all(1)
    return off[known], half[known]


def sums(
    frame: pd.DataFrame,
    errors: DayErrors,
    known: Mapping[str, date] | None = None,
    *,
    scale_floor: float = 0.01,
) -> pd.DataFrame:
    """Quantiles of the running sum of each series of a forecast, columns SUM_COLUMNS.

    A sum begins on the first day of the forecast, or after the day that `known` has for a series;
    days up to it have no row. It is the sum of the means and its half widths times the quantile of
    the relative errors of sums of the same days ahead: split conformal prediction (Vovk, Gammerman
    and Shafer 2005) of the sum, pooled over series. Raises ValueError where the errors are of fewer
    days.
    """
    if frame.empty:
        return pd.DataFrame(columns=list(SUM_COLUMNS))
    wide = frame.pivot(index="unique_id", columns="ds", values="mean").sort_index(axis=1)
    mean, half = _table(frame, "mean"), _half(frame, scale_floor)
    days = mean.shape[1]
    if errors.missed.shape[1] < days:
        raise ValueError(f"errors of {errors.missed.shape[1]} days for a forecast of {days}")
    stamps = pd.DatetimeIndex(wide.columns)
    parts, found = [], dict[int, Floats]()
    for row, name in enumerate(wide.index):
        after = (known or {}).get(name)
        first = 0 if after is None else int(stamps.searchsorted(pd.Timestamp(after), side="right"))
        if first >= days or not np.isfinite(half[row]).all():
            continue
        if first not in found:
            found[first] = errors.sums(first, days)
        middle, width = np.cumsum(mean[row, first:]), np.cumsum(half[row, first:])
        parts.append(
            pd.DataFrame(
                {
                    "unique_id": name,
                    "ds": np.repeat(stamps[first:], len(PROBABILITIES)),
                    "probability": np.tile(PROBABILITIES, days - first),
                    "value": (middle[:, None] + width[:, None] * found[first]).reshape(-1),
                }
            )
        )
    return pd.concat(parts, ignore_index=True) if parts else pd.DataFrame(columns=list(SUM_COLUMNS))


def _half(frame: pd.DataFrame, floor: float) -> Floats:
    """Half widths at 80 % (series, days), at least `floor`."""
    half = (_table(frame, "hi80") - _table(frame, "lo80")) / 2
    return np.asarray(np.maximum(half, floor))


def _table(frame: pd.DataFrame, column: str) -> Floats:
    wide = frame.pivot(index="unique_id", columns="ds", values=column)
    return wide.sort_index(axis=1).to_numpy(dtype=float)
