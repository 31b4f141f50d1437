"""The pooled model: rows (series, origin, horizon), trained boosters, quantiles and contributions.

What the rows are made of and how the intervals are corrected are in modules of their own.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

from finops_dagster.engines.forecasting import daily, hourly, weekly
from finops_dagster.engines.forecasting.grid import Grid
from finops_dagster.engines.forecasting.recipes import RECIPES, Frequency, Member, Recipe
from finops_dagster.engines.forecasting.windows import Builder, Windows
from finops_dagster.engines.known import Floats

if TYPE_CHECKING:
    import xgboost

_In = TypeVar("_In")
_Out = TypeVar("_Out")

_BINS = 64
"""Histogram bins: 256 scored the same at twice the time."""
PART = 2_000
"""Series whose windows are held at a time, and from which an origin's training rows are drawn."""

_BUILDERS: dict[Frequency, Builder] = {
    "daily": daily.windows,
    "hourly": hourly.windows,
    "weekly": weekly.windows,
}


@dataclass(frozen=True)
class Terms:
    """What is asked for, whatever the history. Raises ValueError on what cannot be."""

    frequency: Frequency
    horizon: int
    levels: tuple[int, ...]
    """Percent, rising."""
    seed: int
    floor: float
    """Least scale of a window, in y's unit."""
    threads: int
    asked: Recipe | None = None
    """Another recipe than the frequency's standard one."""

    def __post_init__(self) -> None:
        if self.horizon < 1 or not self.levels or not all(0 < x < 100 for x in self.levels):
            raise ValueError("horizon is at least 1 and levels are percentages between 0 and 100")

    @property
    def recipe(self) -> Recipe:
        """How the frequency is forecast."""
        return self.asked or RECIPES[self.frequency]

    @property
    def alphas(self) -> tuple[float, ...]:
        """Quantiles of the levels' ends, rising, the median in the middle."""
        tails = [(1 - level / 100) / 2 for level in reversed(self.levels)]
        return (*tails, 0.5, *(1 - tail for tail in reversed(tails)))

    @property
    def bands(self) -> tuple[str, ...]:
        """Names of the point and the intervals' ends."""
        return ("mean", *(f"{end}{level}" for level in self.levels for end in ("lo", "hi")))

    @property
    def steps(self) -> Floats:
        """1..horizon."""
        return np.arange(1, self.horizon + 1, dtype=float)

    def each(self, work: Callable[[_In], _Out], of: Sequence[_In]) -> list[_Out]:
        """`work` of each, `threads` at a time.

        XGBoost and most of NumPy let go of the interpreter, and one thread in each is quicker than
        many that share one small model: they wait for each other, longest on a busy machine. So
        what is answered does not depend on the threads either.
        """
        if self.threads == 1:
            return [work(one) for one in of]
        with ThreadPoolExecutor(self.threads) as executor:
            return list(executor.map(work, of))


@dataclass(frozen=True)
class Job:
    """Series and what is asked of them: what every step of one forecast shares."""

    grid: Grid
    terms: Terms

    def of(self, rows: np.ndarray) -> Job:
        """The same with these series alone."""
        return replace(self, grid=self.grid.of(rows))

    def parts(self, but: np.ndarray | None = None) -> list[np.ndarray]:
        """Rows some at a time, so that memory does not grow with how many series there are."""
        rows = np.arange(len(self.grid.ids))
        if but is not None:
            rows = np.delete(rows, but)
        return [rows[first : first + PART] for first in range(0, len(rows), PART)]

    def drawn(self, *seed: int) -> np.ndarray:
        """Rows in order, drawn without replacement where there are more than a part of them."""
        n = len(self.grid.ids)
        if n <= PART:
            return np.arange(n)
        rng = np.random.default_rng([self.terms.seed, *seed])
        return np.sort(rng.choice(n, PART, replace=False))

    def windows(self, origin: int) -> Windows:
        """Windows of all series at one origin."""
        terms = self.terms
        build = _BUILDERS[terms.frequency]
        return build(self.grid.y, origin, terms.steps, self.grid.calendar, terms.floor)


@dataclass(frozen=True)
class Trained:
    """One member's booster."""

    member: Member
    booster: xgboost.Booster
    parameters: dict[str, Any]
    rows: int

    @property
    def raw(self) -> bytes:
        """XGBoost's UBJSON."""
        return bytes(self.booster.save_raw("ubj"))

    @classmethod
    def kept(cls, member: Member, model: bytes) -> Trained:
        """One that was written as UBJSON; how it was trained is in its record."""
        import xgboost

        return cls(member, xgboost.Booster(model_file=bytearray(model)), {}, 0)


@dataclass(frozen=True)
class Predicted:
    """Forecast of one origin: point in y's unit, (series, horizon), quantiles in window scales."""

    base: Floats
    scale: Floats
    point: Floats
    quantiles: Floats
    """(series, horizon, quantile): about the base, sorted."""


def train(job: Job, *ends: int) -> list[list[Trained]]:
    """For each of `ends`, the members trained on nothing after it: no feature, no target.

    Raises ValueError where there is no training row.
    """
    tasks = [(end, i) for end in ends for i in range(len(job.terms.recipe.members))]
    trained = dict(zip(tasks, job.terms.each(lambda task: _train(job, *task), tasks), strict=True))
    return [[one for (at, _), one in trained.items() if at == end] for end in ends]


def _train(job: Job, end: int, index: int) -> Trained:
    import xgboost

    member = job.terms.recipe.members[index]
    features, targets = _rows(job, member, end, index)
    alphas = job.terms.alphas if member.intervals else (0.5,)
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
        "seed": job.terms.seed + index,
        "nthread": 1,
    }
    data = xgboost.QuantileDMatrix(features, targets, max_bin=_BINS, nthread=1)
    booster = xgboost.train(parameters, data, num_boost_round=member.rounds)
    return Trained(member, booster, parameters, len(targets))


def _rows(job: Job, member: Member, end: int, index: int) -> tuple[Floats, Floats]:
    """Training rows up to `end`, drawn without replacement down to the member's cap."""
    recipe, steps = job.terms.recipe, job.terms.steps.astype(int)
    origins = range(end - 1, recipe.min_context - 2, -member.origins_every)
    rng = np.random.default_rng([job.terms.seed, index])
    # a share of each origin's rows, so that no more than the cap is ever held
    total = len(origins) * min(len(job.grid.ids), PART) * len(steps)
    share = min(1.0, 1.15 * member.row_cap / max(total, 1))
    features, targets = [], []
    for origin in origins:
        part = job.of(job.drawn(index, origin))
        y, windows = part.grid.y, part.windows(origin)
        target = origin + steps
        inside = target <= end
        values = np.where(inside, y[:, np.minimum(target, end)], np.nan)
        z = np.clip((values - windows.base) / windows.scale[:, None], -recipe.clip, recipe.clip)
        context = np.isfinite(y[:, : origin + 1]).sum(1) >= recipe.min_context
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


def predict(trained: list[Trained], windows: Windows) -> Predicted:
    """Point and quantiles of every series and step.

    The point is the mean of the members' medians, untouched: contributions sum to it.
    """
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
    return Predicted(windows.base, windows.scale, point, quantiles)


def contributions(trained: list[Trained], windows: Windows, at: np.ndarray, exact: bool) -> Floats:
    """Contributions to the point, y's unit: (series, len(at), feature + 1).

    `at` are horizon indices from 0. The last one is the rest: the window's base and the model's
    own mean. XGBoost's pred_contribs: exact ones are path-dependent TreeSHAP (Lundberg et al.
    2020), 1 to 4 ms a row; approximate ones follow each row's own path alone (Saabas 2014), and
    are a hundred times as fast. Both sum to the point.
    """
    import xgboost

    features = windows.features[:, at]
    flat = xgboost.DMatrix(features.reshape(-1, features.shape[2]), nthread=1)
    parts = []
    for item in trained:
        out = item.booster.predict(flat, pred_contribs=True, approx_contribs=not exact)
        if out.ndim == 3:
            out = out[:, out.shape[1] // 2]
        parts.append(out.astype(float))
    z = np.mean(parts, axis=0).reshape(*features.shape[:2], -1)
    return np.asarray(z * windows.scale[:, None, None])
