"""Boosted trees that tell how often demand will be above a capacity, from a history alone.

Which capacity to choose, and whether there is enough to learn from, is decided elsewhere.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from finops_dagster.engines.known import Floats
from finops_dagster.engines.optimisation.demand import matrices
from finops_dagster.engines.optimisation.recalibration import Recalibration
from finops_dagster.engines.optimisation.risk_features import History, constraints, history, rows

if TYPE_CHECKING:
    import xgboost

_TREES = 300
_SETTINGS = {
    "objective": "binary:logistic",  # takes shares as well as yes and no
    "tree_method": "hist",
    "eta": 0.05,
    "max_depth": 6,
    "min_child_weight": 0.5,
    "subsample": 0.7,
    "colsample_bytree": 0.5,
    "nthread": 1,
}
"""Of trees as the prototype's (250, rate .08, depth 5), slower ones did better out of sample. The
least weight of a leaf is small because breaches of a careful size are rare, and rare ones weigh
little in it: at 20 nothing below a thousandth could be told apart."""
LEARNT_CAPACITIES = 24
"""Capacities a workload that the trees learn from, and _ASKED that they are asked at."""
_ASKED = 60
_LEAST, _MOST = 0.15, 3.0
"""Capacities looked at, in multiples of the highest demand known."""


@dataclass(frozen=True)
class Curves:
    """Risks of n workloads, each at g rising capacities: arrays (n, g)."""

    capacity: Floats
    """In the unit of demand."""
    over: Floats
    """P that an interval's demand is above it."""
    any_over: Floats
    """P that any interval's is, over a time as long as the one that was learnt from."""

    @property
    def overflow(self) -> Floats:
        """E[(demand - c)+] an interval, in demand's unit: P(demand > u) integrated over u > c.

        By trapezoids up to the last capacity, above which nothing is expected.
        """
        width = np.diff(self.capacity, axis=1)
        slabs = (self.over[:, 1:] + self.over[:, :-1]) / 2 * width
        tail = np.cumsum(slabs[:, ::-1], axis=1)[:, ::-1]
        return np.concatenate([tail, np.zeros((len(tail), 1))], axis=1)

    def recalibrated(self, over: Recalibration, any_over: Recalibration) -> Curves:
        """The same capacities with corrected risks."""
        return Curves(self.capacity, over(self.over), any_over(self.any_over))


@dataclass(frozen=True)
class Trees:
    """One pair of boosters: share of intervals over, and any interval over."""

    over: xgboost.Booster
    any_over: xgboost.Booster


def capacities(scale: Floats, count: int, step: float) -> Floats:
    """(n, count) rising capacities for the highest demands `scale` (n,), rounded up to `step`."""
    low = count // 2
    multiples = np.concatenate(
        [np.linspace(_LEAST, 1.0, low, endpoint=False), np.geomspace(1.0, _MOST, count - low)]
    )
    grid = scale[:, None] * multiples
    # a step that is a fraction is no exact multiple of itself, hence the hair's breadth
    return np.asarray(np.ceil(grid / step - 1e-9) * step if step > 0 else grid)


@dataclass(frozen=True)
class Lessons:
    """What trees learn from: rows, what came true of each, and the position of its workload."""

    rows: Floats
    over: Floats
    any_over: Floats
    workload: np.ndarray
    monotone: tuple[int, ...]


def lessons(past: Sequence[Floats], later: Sequence[Floats], unit: float, step: float) -> Lessons:
    """Rows of workloads at LEARNT_CAPACITIES each; `later` is what followed `past`, of each."""
    parts: list[tuple[Floats, Floats, Floats, np.ndarray]] = []
    monotone: tuple[int, ...] = ()
    for places, matrix in matrices(past):
        known = history(matrix, unit)
        monotone = constraints(known)
        grid = capacities(known.scale, LEARNT_CAPACITIES, step)
        share = np.stack([shares_over(later[p], grid[i]) for i, p in enumerate(places)])
        parts.append(
            (
                rows(known, grid),
                share.ravel(),
                (share > 0).astype(float).ravel(),
                np.repeat(places, LEARNT_CAPACITIES),
            )
        )
    x, over, any_over, workload = (np.concatenate(column) for column in zip(*parts, strict=True))
    return Lessons(x, over, any_over, workload, monotone)


def shares_over(demand: Floats, levels: Floats) -> Floats:
    """Share of the known values of one series above each of `levels`."""
    ordered = np.sort(demand[np.isfinite(demand)])
    below = np.searchsorted(ordered, levels, side="right")
    return np.asarray((ordered.size - below) / ordered.size)


def learn(of: Lessons, workloads: np.ndarray, seed: int) -> Trees:
    """Trees from the rows of `workloads` (a mask by position), the same for the same seed."""
    import xgboost

    taken = workloads[of.workload]

    def booster(target: Floats) -> xgboost.Booster:
        settings = {**_SETTINGS, "monotone_constraints": of.monotone, "seed": seed}
        data = xgboost.DMatrix(of.rows[taken], target[taken])
        return xgboost.train(settings, data, _TREES)

    return Trees(booster(of.over), booster(of.any_over))


def curves(trees: Sequence[Trees], known: History, step: float) -> Curves:
    """Mean of what `trees` say of each workload, before any correction."""
    import xgboost

    grid = capacities(known.scale, _ASKED, step)
    data = xgboost.DMatrix(rows(known, grid), nthread=1)
    over = np.mean([one.over.predict(data) for one in trees], axis=0, dtype=float)
    any_over = np.mean([one.any_over.predict(data) for one in trees], axis=0, dtype=float)
    return Curves(grid, over.reshape(grid.shape), any_over.reshape(grid.shape))
