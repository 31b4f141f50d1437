"""Series as one matrix on a common calendar, and the calendar's own figures.

No model and no feature: only where each value stands in time.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

import numpy as np
import pandas as pd

from finops_dagster.domain.decisions import Abstained
from finops_dagster.engines.forecasting.recipes import Recipe

Floats = np.ndarray


@dataclass(frozen=True)
class Calendar:
    """Figures of each position of the matrix and of the horizon after it."""

    stamps: pd.DatetimeIndex
    hour: Floats
    weekday: Floats
    day_of_month: Floats
    days_to_month_end: Floats
    month_back: np.ndarray
    """Position of the same day of the month before (its last day where it is shorter)."""


@dataclass(frozen=True)
class Grid:
    """`y` (series, time) with NaN where nothing is known; all series end at the same time."""

    ids: tuple[str, ...]
    y: Floats
    calendar: Calendar
    abstained: tuple[Abstained, ...]
    data_hash: str


def lay_out(history: pd.DataFrame, recipe: Recipe, horizon: int) -> Grid:
    """`history` (unique_id, ds, y) as a Grid; series that cannot be forecast are set aside.

    NaN, infinite and absent values stay missing. Raises ValueError where a series has the same
    time twice, or times off the frequency's own steps: summing or dropping them is the caller's.
    """
    frame = history[["unique_id", "ds", "y"]].copy()
    frame["unique_id"] = frame["unique_id"].astype(str)
    stamps = pd.to_datetime(frame["ds"])
    if stamps.dt.tz is not None:
        stamps = stamps.dt.tz_convert("UTC").dt.tz_localize(None)
    frame["ds"] = stamps
    frame["y"] = pd.to_numeric(frame["y"], errors="raise").astype(float)
    frame.loc[~np.isfinite(frame["y"]), "y"] = np.nan
    repeated = frame.duplicated(["unique_id", "ds"])
    if repeated.any():
        row = frame.loc[repeated].iloc[0]
        raise ValueError(f"{row['unique_id']!r} has {row['ds']} twice")
    frame = frame.sort_values(["unique_id", "ds"], ignore_index=True)
    data_hash = hashlib.sha256(
        pd.util.hash_pandas_object(frame, index=False).to_numpy().tobytes()
    ).hexdigest()[:16]
    frame = frame.loc[frame["y"].notna()]
    if frame.empty:
        gone = tuple(
            Abstained(subject=str(i), reason="no value is known")
            for i in sorted(history["unique_id"].astype(str).unique())
        )
        return Grid((), np.empty((0, 0)), _calendar(pd.DatetimeIndex([])), gone, data_hash)
    step = _step(frame, recipe)
    index = pd.date_range(frame["ds"].min(), frame["ds"].max(), freq=step)
    position = index.get_indexer(pd.DatetimeIndex(frame["ds"]))
    if (position < 0).any():
        stray = frame["ds"].to_numpy()[position < 0][0]
        raise ValueError(f"{stray} is not on the {recipe.frequency} steps of the other times")
    ids = sorted(history["unique_id"].astype(str).unique())
    row = pd.Index(ids).get_indexer(pd.Index(frame["unique_id"]))
    y = np.full((len(ids), len(index)), np.nan)
    y[row, position] = frame["y"].to_numpy()
    keep, abstained = _judge(ids, y, recipe)
    ahead = pd.date_range(index[-1], periods=horizon + 1, freq=step)[1:]
    return Grid(
        ids=tuple(np.array(ids, dtype=object)[keep].tolist()),
        y=y[keep],
        calendar=_calendar(pd.DatetimeIndex(index.append(ahead))),
        abstained=tuple(abstained),
        data_hash=data_hash,
    )


def _step(frame: pd.DataFrame, recipe: Recipe) -> pd.Timedelta | str:
    if recipe.frequency == "weekly":
        return pd.Timedelta(days=7)
    return recipe.offset


def _judge(ids: list[str], y: Floats, recipe: Recipe) -> tuple[np.ndarray, list[Abstained]]:
    """Which series are long and fresh enough, and why the others are not."""
    known = np.isfinite(y)
    length = y.shape[1]
    first = np.where(known.any(1), known.argmax(1), length)
    last = np.where(known.any(1), length - 1 - known[:, ::-1].argmax(1), -1)
    keep = np.ones(len(ids), dtype=bool)
    abstained = []
    unit = {"daily": "days", "hourly": "hours", "weekly": "weeks"}[recipe.frequency]
    for i, name in enumerate(ids):
        count = int(known[i].sum())
        reason = ""
        if count == 0:
            reason = "no value is known"
        elif last[i] - first[i] + 1 < recipe.min_history or count < recipe.min_history * 0.8:
            reason = f"{count} {unit} of history, {recipe.min_history} are needed"
        elif length - 1 - last[i] > recipe.season:
            reason = f"its last value is {length - 1 - last[i]} {unit} before that of the others"
        if reason:
            keep[i] = False
            abstained.append(Abstained(subject=name, reason=reason))
    return keep, abstained


def _calendar(stamps: pd.DatetimeIndex) -> Calendar:
    if not len(stamps):
        none = np.empty(0)
        return Calendar(stamps, none, none, none, none, none.astype(int))
    position = np.arange(len(stamps))
    days = stamps.normalize()
    earlier = days - pd.DateOffset(months=1)
    per_day = max(1, int(pd.Timedelta(days=1) / (stamps[1] - stamps[0]))) if len(stamps) > 1 else 1
    back = ((days - earlier).days.to_numpy() * per_day).astype(int)
    return Calendar(
        stamps=stamps,
        hour=stamps.hour.to_numpy(dtype=float),
        weekday=stamps.dayofweek.to_numpy(dtype=float),
        day_of_month=stamps.day.to_numpy(dtype=float),
        days_to_month_end=(stamps.days_in_month - stamps.day).to_numpy(dtype=float),
        month_back=position - back,
    )
