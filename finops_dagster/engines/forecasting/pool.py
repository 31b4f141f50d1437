"""The pooled model: rows (series, origin, horizon), trained boosters, quantiles and contributions.

What the rows are made of and how the intervals are corrected are in modules of their own.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from finops_dagster.engines.forecasting.grid import Floats, Grid
from finops_dagster.engines.forecasting.recipes import Member, Recipe
from finops_dagster.engines.forecasting.windows import Builder, Windows

if TYPE_CHECKING:
    import xgboost

_BINS = 64
"""Histogram bins: 256 scored the same at twice the time."""
_PART = 2_000
"""Series whose windows are held at a time, and from which an origin's training rows are drawn."""


@dataclass(frozen=True)
class Job:
    """What every step of one forecast shares."""

    grid: Grid
    recipe: Recipe
    build: Builder
    horizon: int
    levels: tuple[int, ...]
    """Percent, rising."""
    seed: int
    threads: int
    floor: float

    @property
    def alphas(self) -> tuple[float, ...]:
        """Quantiles of the levels' ends, rising, the median in the middle."""
        tails = [(1 - level / 100) / 2 for level in reversed(self.levels)]
        return (*tails, 0.5, *(1 - tail for tail in reversed(tails)))

    @property
    def steps(self) -> Floats:
        """1..horizon."""
        return np.arange(1, self.horizon + 1, dtype=float)

    def parts(self) -> Iterator[Job]:
        """The series some at a time, so that memory does not grow with how many there are."""
        for first in range(0, len(self.grid.ids), _PART):
            yield self.of(np.arange(first, min(first + _PART, len(self.grid.ids))))

    def drawn(self, *seed: int) -> Job:
        """Series drawn without replacement where there are more than a part of them."""
        n = len(self.grid.ids)
        if n <= _PART:
            return self
        rng = np.random.default_rng([self.seed, *seed])
        return self.of(np.sort(rng.choice(n, _PART, replace=False)))

    def of(self, rows: np.ndarray) -> Job:
        """The same with these series alone."""
        ids = tuple(self.grid.ids[row] for row in rows)
        return replace(self, grid=replace(self.grid, ids=ids, y=self.grid.y[rows]))

    def windows(self, origin: int) -> Windows:
        """Windows of all series at one origin."""
        return self.build(self.grid.y, origin, self.steps, self.grid.calendar, self.floor)


@dataclass(frozen=True)
class Trained:
    """One member's booster."""

    member: Member
    booster: xgboost.Booster
    parameters: dict[str, Any]
    rows: int


@dataclass(frozen=True)
class Predicted:
    """Forecast of one origin: point and quantiles in y's unit, (series, horizon[, quantile])."""

    windows: Windows
    point: Floats
    quantiles: Floats
    """In window scales about the base, sorted."""


def train(job: Job, end: int) -> list[Trained]:
    """The members trained on nothing after position `end`: no feature, no target.

    Raises ValueError where there is no training row.
    """
    return [_train(job, member, end, i) for i, member in enumerate(job.recipe.members)]


def _train(job: Job, member: Member, end: int, index: int) -> Trained:
    import xgboost

    features, targets = _rows(job, member, end, index)
    alphas = job.alphas if member.intervals else (0.5,)
    parameters: dict[str, Any] = {
        "objective": "reg:quantileerror",
        "quantile_alpha": list(alphas),
        "tree_method": "hist",
        "max_bin": _BINS,
        "max_depth": member.depth,
        "eta": member.rate,
        "min_child_weight": member.min_child_weight,
        "subsample": member.subsample,
        "colsample_bytree": member.columns,
        "seed": job.seed + index,
        "nthread": job.threads,
    }
    data = xgboost.QuantileDMatrix(features, targets, max_bin=_BINS, nthread=job.threads)
    booster = xgboost.train(parameters, data, num_boost_round=member.rounds)
    return Trained(member, booster, parameters, len(targets))


def _rows(job: Job, member: Member, end: int, index: int) -> tuple[Floats, Floats]:
    """Training rows up to `end`, drawn without replacement down to the member's cap."""
    steps = job.steps.astype(int)
    origins = range(end - 1, job.recipe.min_context - 2, -member.origins_every)
    rng = np.random.default_rng([job.seed, index])
    # a share of each origin's rows, so that no more than the cap is ever held
    total = len(origins) * min(len(job.grid.ids), _PART) * len(steps)
    share = min(1.0, 1.15 * member.row_cap / max(total, 1))
    features, targets = [], []
    for origin in origins:
        part = job.drawn(index, origin)
        y, windows = part.grid.y, part.windows(origin)
        target = origin + steps
        inside = target <= end
        values = np.where(inside, y[:, np.minimum(target, end)], np.nan)
        z = np.clip(
            (values - windows.base) / windows.scale[:, None], -job.recipe.clip, job.recipe.clip
        )
        context = np.isfinite(y[:, : origin + 1]).sum(1) >= job.recipe.min_context
        usable = np.isfinite(z) & context[:, None]
        if share < 1:
            usable &= rng.random(usable.shape) < share
        features.append(windows.features[usable])
        targets.append(z[usable])
    x = np.concatenate(features) if features else np.empty((0, 0), np.float32)
    z_all = np.concatenate(targets) if targets else np.empty(0)
    if not len(z_all):
        raise ValueError("no training row: the history is too short for its horizon")
    if len(z_all) > member.row_cap:
        chosen = np.sort(rng.choice(len(z_all), member.row_cap, replace=False))
        x, z_all = x[chosen], z_all[chosen]
    return x, z_all


def predict(job: Job, trained: list[Trained], origin: int) -> Predicted:
    """Point and quantiles of every series and step after `origin`.

    The point is the mean of the members' medians, untouched: contributions sum to it.
    """
    windows = job.windows(origin)
    shape = windows.features.shape[:2]
    flat = windows.features.reshape(-1, windows.features.shape[2])
    medians, quantiles = [], None
    for item in trained:
        out = item.booster.inplace_predict(flat).reshape(*shape, -1).astype(float)
        medians.append(out[..., out.shape[-1] // 2])
        if item.member.intervals:
            quantiles = np.sort(out, axis=-1)
    if quantiles is None:
        raise ValueError("no member of the recipe is trained for intervals")
    point = windows.base + windows.scale[:, None] * np.mean(medians, axis=0)
    return Predicted(windows, point, quantiles)


def contributions(
    job: Job, trained: list[Trained], windows: Windows, at: np.ndarray, exact: bool
) -> Floats:
    """Contributions to the point, y's unit: (series, len(at), feature + 1).

    `at` are horizon indices from 0. The last one is the rest: the window's base and the model's
    own mean. XGBoost's pred_contribs: exact ones are path-dependent TreeSHAP (Lundberg et al.
    2020), 1 to 4 ms a row; approximate ones follow each row's own path alone (Saabas 2014), and
    are a hundred times as fast. Both sum to the point.
    """
    import xgboost

    features = windows.features[:, at]
    flat = xgboost.DMatrix(features.reshape(-1, features.shape[2]), nthread=job.threads)
    parts = []
    for item in trained:
        out = item.booster.predict(flat, pred_contribs=True, approx_contribs=not exact)
        if out.ndim == 3:
            out = out[:, out.shape[1] // 2]
        parts.append(out.astype(float))
    z = np.mean(parts, axis=0).reshape(*features.shape[:2], -1)
    return np.asarray(z * windows.scale[:, None, None])
