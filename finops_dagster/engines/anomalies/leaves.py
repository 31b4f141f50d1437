"""A history of cost made ready to be gone through day by day, and memory of so many days.

No test of any kind is made here.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date

import numpy as np
import pandas as pd

from finops_dagster.engines.known import Floats

KEYS = ("account", "service", "team", "currency")
METER = ("meter", "unit")
_MONEY_LIMIT = 1e18
"""More than DECIMAL(38,20) holds: no bill has it."""


@dataclass(frozen=True)
class Charges:
    """One day: a row of each leaf and meter, sorted; several rows of one are added up."""

    day: int
    """date.toordinal."""
    keys: list[tuple[str, ...]]
    """account, service, team, currency, meter, unit."""
    cost: Floats
    quantity: Floats
    """NaN where it is not known."""
    dropped: list[tuple[str, ...]]
    """Leaves of rows whose cost is no finite number: such a row is left out."""


def tidy(history: pd.DataFrame) -> pd.DataFrame:
    """The columns that are needed, as plain types: ds a day without a zone, sorted by it.

    Columns: account, service, team, currency, ds, cost (any number type), optionally quantity, and
    meter and unit beside it. A leaf's names are text, empty where there is none.
    """
    columns: dict[str, object] = {}
    for column in (*KEYS, *METER):
        if column in history.columns:
            named = history[column].astype(object).where(history[column].notna(), "").astype(str)
            columns[column] = named.to_numpy()
        else:
            columns[column] = np.full(len(history), "", dtype=object)
    stamps = pd.to_datetime(history["ds"])
    if stamps.dt.tz is not None:
        stamps = stamps.dt.tz_convert("UTC").dt.tz_localize(None)
    columns["ds"] = stamps.dt.normalize().to_numpy()
    columns["cost"] = history["cost"].astype(float).to_numpy()
    quantity = history["quantity"] if "quantity" in history.columns else None
    columns["quantity"] = (
        np.full(len(history), np.nan) if quantity is None else quantity.astype(float).to_numpy()
    )
    frame = pd.DataFrame(columns)
    return frame.loc[frame["ds"].notna()].sort_values(
        ["ds", *KEYS, *METER, "cost"], ignore_index=True
    )


def by_day(frame: pd.DataFrame, first: int, last: int) -> Iterator[Charges]:
    """Every day from `first` to `last` of a frame made tidy, those without a charge included."""
    sane = frame["cost"].abs() < _MONEY_LIMIT
    bad = frame.loc[~sane]
    good = frame.loc[sane].assign(unknown=lambda f: ~np.isfinite(f["quantity"]))
    good["quantity"] = good["quantity"].where(~good["unknown"], 0.0)
    grouped = good.groupby(["ds", *KEYS, *METER], sort=True)
    rows = grouped[["cost", "quantity", "unknown"]].sum().reset_index()
    # a quantity that is not known of a part is not known of the whole
    rows["quantity"] = rows["quantity"].where(rows["unknown"] == 0)
    numbers = _ordinals(rows["ds"])
    bad_numbers = _ordinals(bad["ds"])
    keys = list(rows[[*KEYS, *METER]].itertuples(index=False, name=None))
    bad_keys = list(bad[list(KEYS)].itertuples(index=False, name=None))
    cost, quantity = rows["cost"].to_numpy(), rows["quantity"].to_numpy()
    for day in range(first, last + 1):
        a, b = np.searchsorted(numbers, [day, day + 1])
        c, d = np.searchsorted(bad_numbers, [day, day + 1])
        yield Charges(day, keys[a:b], cost[a:b], quantity[a:b], bad_keys[c:d])


def _ordinals(stamps: pd.Series[pd.Timestamp]) -> np.ndarray:
    epoch = date(1970, 1, 1).toordinal()
    return stamps.to_numpy().astype("datetime64[D]").astype(np.int64) + epoch


class Ring:
    """The last `size` columns of figures by row; adding one costs the same for ever."""

    def __init__(self, size: int, fill: float, rows: int = 0) -> None:
        self.size, self.fill, self.rows = size, fill, rows
        self._figures = np.full((rows, 2 * size), fill)
        self._end = size

    def grow(self, rows: int) -> None:
        """Have so many rows; new ones had `fill` until now."""
        if rows > len(self._figures):
            more = np.full((2 * rows, 2 * self.size), self.fill)
            more[: len(self._figures)] = self._figures
            self._figures = more
        self.rows = rows

    def add(self, column: Floats) -> None:
        """One more column, the oldest forgotten."""
        if self._end == 2 * self.size:
            self._figures[:, : self.size] = self._figures[:, self.size :]
            self._end = self.size
        self._figures[: self.rows, self._end] = column
        self._end += 1

    def last(self, count: int) -> Floats:
        """A view of the newest `count` columns, oldest first."""
        return self._figures[: self.rows, self._end - count : self._end]

    def back(self, days: int) -> Floats:
        """The column that was added `days` before the newest; `fill` beyond what is kept."""
        if days >= self.size:
            return np.full(self.rows, self.fill)
        return self._figures[: self.rows, self._end - 1 - days]

    def put(self, columns: Floats) -> None:
        """What `last(size)` gave of another; raises ValueError where that was of another size."""
        if columns.shape[1] != self.size:
            raise ValueError(f"{columns.shape[1]} days were kept, not {self.size}: another config")
        self.grow(len(columns))
        self._figures[: self.rows, : self.size] = columns
        self._end = self.size
