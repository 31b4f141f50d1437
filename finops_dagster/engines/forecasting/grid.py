"""Series as one matrix on a common calendar, and the calendar's own figures.

No model and no feature: only where each value stands in time.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from finops_dagster.domain.decisions import Abstained
from finops_dagster.engines.forecasting.recipes import Recipe
from finops_dagster.engines.forecasting.rungs import NONE, POOLED, is_long, simpler
from finops_dagster.engines.known import Floats

_ROWS = 4_000_000
"""Rows of a history that are placed at a time: their positions are held, not those of all."""


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
    rungs: np.ndarray
    """(series,): what their history is enough for."""
    calendar: Calendar
    abstained: tuple[Abstained, ...]
    data_hash: str

    def of(self, rows: np.ndarray) -> Grid:
        """The same with these series alone."""
        if len(rows) == len(self.ids):
            return self
        ids = tuple(self.ids[row] for row in rows)
        return replace(self, ids=ids, y=self.y[rows], rungs=self.rungs[rows])


def lay_out(history: pd.DataFrame, recipe: Recipe, horizon: int) -> Grid:
    """`history` (unique_id, ds, y) as a Grid; series that cannot be forecast are set aside.

    NaN, infinite and absent values stay missing. Of millions of rows, a categorical unique_id is
    many times cheaper than strings. Raises ValueError where a row has no unique_id or time, where
    a series has the same time twice, or times off the frequency's own steps: summing or dropping
    them is the caller's.
    """
    ids, row = _names(history["unique_id"])
    ds = _stamps(history["ds"])
    values = pd.to_numeric(history["y"], errors="raise").to_numpy(dtype=float, na_value=np.nan)
    first = ds.min() if len(ds) else np.datetime64("NaT", "ns")
    step = np.timedelta64(recipe.step, "ns")
    y = _placed(ids, row, ds, values, first, step, recipe)
    data_hash = _hash(ids, y, first, step)
    some = np.flatnonzero(np.isfinite(y).any(0))
    if not len(some):
        gone = tuple(Abstained(subject=name, reason="no value is known") for name in ids)
        none = np.empty(0, dtype=object)
        return Grid((), np.empty((0, 0)), none, _calendar(pd.DatetimeIndex([])), gone, data_hash)
    y = y[:, some[0] : some[-1] + 1]
    stamps = pd.date_range(
        first + some[0] * step, periods=y.shape[1] + horizon, freq=pd.Timedelta(recipe.step)
    )
    rungs, abstained = _judge(ids, y, recipe)
    grid = Grid(tuple(ids), y, rungs, _calendar(stamps), tuple(abstained), data_hash)
    return grid.of(np.flatnonzero(rungs != NONE))


def _names(column: pd.Series) -> tuple[list[str], np.ndarray]:
    """The names that occur, sorted, and which of them each row has."""
    if isinstance(column.dtype, pd.CategoricalDtype):
        codes, found = column.cat.codes.to_numpy(), column.cat.categories
    else:
        codes, found = pd.factorize(column)
    if len(codes) and codes.min() < 0:
        raise ValueError("a row has no unique_id")
    occurs = np.bincount(codes, minlength=len(found)) > 0
    named = [str(name) for name in found[occurs]]
    ids = sorted(set(named))
    place = {name: i for i, name in enumerate(ids)}
    rank = np.zeros(len(found), dtype=np.int32)
    rank[occurs] = [place[name] for name in named]
    return ids, rank[codes]


def _stamps(column: pd.Series) -> np.ndarray:
    """Naive UTC times in nanoseconds."""
    stamps = pd.to_datetime(column)
    if stamps.dt.tz is not None:
        stamps = stamps.dt.tz_convert("UTC").dt.tz_localize(None)
    if stamps.isna().any():
        raise ValueError("a row has no time")
    return stamps.to_numpy().astype("datetime64[ns]", copy=False)


def _placed(
    ids: list[str],
    row: np.ndarray,
    ds: np.ndarray,
    values: Floats,
    first: np.datetime64,
    step: np.timedelta64,
    recipe: Recipe,
) -> Floats:
    """The matrix (series, time from `first` on); NaN where nothing finite is given."""
    length = int((ds.max() - first) / step) + 1 if len(ds) else 0
    y = np.full((len(ids), length), np.nan)
    given = np.zeros(y.shape, dtype=bool)
    for start in range(0, len(ds), _ROWS):
        part = slice(start, start + _ROWS)
        position, off = np.divmod((ds[part] - first).astype(np.int64), step.astype(np.int64))
        if off.any():
            stray = ds[part][off > 0][0]
            raise ValueError(
                f"{pd.Timestamp(stray)} is not on the {recipe.frequency} steps of the other times"
            )
        given[row[part], position] = True
        y[row[part], position] = values[part]
    if int(given.sum()) != len(ds):
        again = pd.DataFrame({"row": row, "ds": ds}).duplicated().to_numpy().argmax()
        raise ValueError(f"{ids[row[again]]!r} has {pd.Timestamp(ds[again])} twice")
    y[~np.isfinite(y)] = np.nan
    return y


def _hash(ids: list[str], y: Floats, first: np.datetime64, step: np.timedelta64) -> str:
    digest = hashlib.sha256("\0".join([*ids, str(first), str(step)]).encode())
    digest.update(y.data)
    return digest.hexdigest()[:16]


def _judge(ids: list[str], y: Floats, recipe: Recipe) -> tuple[np.ndarray, list[Abstained]]:
    """The rung of each series, and why some have none."""
    known = np.isfinite(y)
    counts, ended = known.sum(1), known[:, ::-1].argmax(1)
    rungs = np.where(is_long(known, recipe), POOLED, simpler(known, recipe)).astype(object)
    rungs[ended > recipe.season] = NONE
    abstained = []
    for i in np.flatnonzero(rungs == NONE):
        if counts[i] == 0:
            reason = "no value is known"
        elif ended[i] > recipe.season:
            reason = f"its last value is {ended[i]} {recipe.unit} before that of the others"
        else:
            reason = f"{counts[i]} {recipe.unit} of history, {recipe.least} of late are needed"
        abstained.append(Abstained(subject=ids[i], reason=reason))
    return rungs, abstained


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
