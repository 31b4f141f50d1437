"""Daily cost by leaf (account x service x team, one currency) as one matrix.

No test of any kind is made here.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

import numpy as np
import pandas as pd

Floats = np.ndarray
KEYS = ("account", "service", "team", "currency")


@dataclass(frozen=True)
class Leaves:
    """`cost` (leaf, day): 0 where a leaf has no charge; `born` = first day with one."""

    keys: pd.DataFrame
    days: pd.DatetimeIndex
    cost: Floats
    born: np.ndarray
    account: np.ndarray
    """Number of the leaf's account and currency: amounts are only ever added within it."""
    account_born: np.ndarray
    """First day of the leaf's account."""
    quantity: Floats | None
    """(leaf, day), where the history has it: unit prices are judged then."""


def lay_out(history: pd.DataFrame, as_of: date) -> Leaves:
    """`history` up to and including `as_of`; rows of one leaf and day are added up.

    Columns: account, service, team, currency, ds, cost (any number type), optionally quantity.
    """
    frame = history.copy()
    frame["ds"] = pd.to_datetime(frame["ds"])
    if frame["ds"].dt.tz is not None:
        frame["ds"] = frame["ds"].dt.tz_convert("UTC").dt.tz_localize(None)
    frame["ds"] = frame["ds"].dt.normalize()
    frame = frame.loc[frame["ds"] <= pd.Timestamp(as_of)]
    for column in KEYS:
        frame[column] = frame[column].astype(object).where(frame[column].notna(), "").astype(str)
    frame["cost"] = frame["cost"].astype(float)
    frame = frame.loc[np.isfinite(frame["cost"])]
    keys = frame[list(KEYS)].drop_duplicates().sort_values(list(KEYS), ignore_index=True)
    if frame.empty:
        none = np.empty(0, dtype=int)
        return Leaves(keys, pd.DatetimeIndex([]), np.empty((0, 0)), none, none, none, None)
    days = pd.date_range(frame["ds"].min(), pd.Timestamp(as_of), freq="D")
    row = pd.MultiIndex.from_frame(keys).get_indexer(pd.MultiIndex.from_frame(frame[list(KEYS)]))
    place = days.get_indexer(pd.DatetimeIndex(frame["ds"]))
    cost = np.zeros((len(keys), len(days)))
    np.add.at(cost, (row, place), frame["cost"].to_numpy())
    quantity = None
    if "quantity" in frame.columns:
        quantity = np.zeros_like(cost)
        amounts = frame["quantity"].astype(float).fillna(0.0).to_numpy()
        np.add.at(quantity, (row, place), amounts)
    account = keys.groupby(["account", "currency"], sort=True).ngroup().to_numpy()
    charged = cost != 0
    born = np.where(charged.any(1), charged.argmax(1), len(days))
    first = np.full(account.max() + 1, len(days))
    np.minimum.at(first, account, born)
    return Leaves(keys, days, cost, born, account, first[account], quantity)
