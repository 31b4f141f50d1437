"""The backtest: a model trained earlier, held against what came after, beside the naive forecast.

The same windows correct the final intervals; those of the backtest are corrected only by windows
that were over when each forecast of it was made.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pandas as pd

from finops_dagster.engines.forecasting.grid import Floats
from finops_dagster.engines.forecasting.intervals import bounds, corrections, scores
from finops_dagster.engines.forecasting.metrics import score, seasonal_naive, seasonal_scale
from finops_dagster.engines.forecasting.pool import Job, Predicted, predict, train
from finops_dagster.engines.forecasting.recipes import Recipe

POOLED = "(pooled)"
_LEAST = 2
"""Origins scored, and before them, however short the history."""


@dataclass(frozen=True)
class Plan:
    """Which origins the check uses: the first ones correct, the later ones are scored too."""

    cut: int
    """The checking model learns from nothing after this position."""
    origins: tuple[int, ...]
    scored: tuple[int, ...]


def plan(job: Job) -> Plan | None:
    """The origins of the check, or None where the history is too short to train and check."""
    last = job.grid.y.shape[1] - 1
    every = job.recipe.check_every
    for scored, before in _sizes(job.recipe):
        first = last - _reach(job, scored, before)
        # what a model needs to learn from: a window's context and a horizon after it
        if first + 1 >= job.recipe.min_context + job.horizon:
            origins = range(last - job.horizon, first - 1, -every)
            return Plan(min(origins), tuple(sorted(origins)), tuple(sorted(origins[:scored])))
    return None


def _sizes(recipe: Recipe) -> Iterator[tuple[int, int]]:
    """Origins scored and before them, the most that the recipe wants first."""
    for scored in range(recipe.scored, _LEAST - 1, -1):
        for before in range(min(recipe.before, scored), _LEAST - 1, -1):
            yield scored, before


def _reach(job: Job, scored: int, before: int) -> int:
    """Steps from the newest value back to the first origin checked.

    The windows that correct the first scored one must be over by its own origin.
    """
    return 2 * job.horizon + (scored - 1 + before - 1) * job.recipe.check_every


def needed(job: Job) -> int:
    """The least history, in steps, with which a forecast can be trained and checked."""
    return job.recipe.min_context + job.horizon + _reach(job, _LEAST, _LEAST)


@dataclass(frozen=True)
class Checked:
    """Corrections for the final forecast by level and horizon, and the backtest's rows."""

    corrections: dict[int, Floats]
    backtest: pd.DataFrame
    windows: int


def check(job: Job, made: Plan) -> Checked:
    """Train on what is before `made.cut`, forecast each origin after it, and hold it to account."""
    levels = job.levels
    trained = train(job, made.cut)
    predicted = {origin: predict(job, trained, origin) for origin in made.origins}
    missed = {
        origin: {level: _missed(job, item, origin, levels, level) for level in levels}
        for origin, item in predicted.items()
    }
    final = {
        level: corrections(np.concatenate([m[level] for m in missed.values()]), level)
        for level in levels
    }
    ours: list[dict[str, Floats]] = []
    naive: list[dict[str, Floats]] = []
    actual: list[Floats] = []
    horizon = np.arange(1, job.horizon + 1)
    for origin in made.scored:
        realised = {
            level: corrections(
                np.concatenate(
                    [
                        np.where(earlier + horizon <= origin, m[level], np.nan)
                        for earlier, m in missed.items()
                        if earlier < origin
                    ]
                ),
                level,
            )
            for level in levels
        }
        ours.append(in_units(predicted[origin], levels, realised))
        window = job.grid.y[:, : origin + 1]
        naive.append(seasonal_naive(window, job.recipe.season, job.horizon))
        actual.append(job.grid.y[:, origin + 1 : origin + 1 + job.horizon])
    scale = seasonal_scale(job.grid.y[:, : made.cut + 1], job.recipe.season)
    truth = np.concatenate(actual, axis=1)
    tables = []
    for name, parts in (("ours", ours), ("seasonal_naive", naive)):
        joined = {k: np.concatenate([p[k] for p in parts], axis=1) for k in parts[0]}
        table = score(truth, joined, scale, levels)
        table.insert(0, "unique_id", list(job.grid.ids))
        table.insert(1, "model", name)
        tables.append(table)
    backtest = _with_pooled(pd.concat(tables, ignore_index=True))
    backtest.insert(3, "windows", len(made.scored))
    return Checked(final, backtest, len(made.origins))


def _missed(job: Job, item: Predicted, origin: int, levels: tuple[int, ...], level: int) -> Floats:
    """Scores (series, horizon) of one origin and level."""
    actual = job.grid.y[:, origin + 1 : origin + 1 + job.horizon]
    z = (actual - item.windows.base) / item.windows.scale[:, None]
    index = len(levels) - 1 - sorted(levels).index(level)
    return scores(z, item.quantiles[..., index], item.quantiles[..., -1 - index])


def in_units(
    item: Predicted, levels: tuple[int, ...], corrected: dict[int, Floats]
) -> dict[str, Floats]:
    """Point and interval ends in y's unit, (series, horizon)."""
    scale = item.windows.scale[:, None]
    z_point = (item.point - item.windows.base) / scale
    ends = bounds(item.quantiles, levels, corrected, z_point)
    out = {name: item.windows.base + scale * value for name, value in ends.items()}
    for name, value in out.items():  # the point is held to the last bit
        out[name] = (
            np.minimum(value, item.point) if name[0] == "l" else np.maximum(value, item.point)
        )
    return {"mean": item.point, **out}


def _with_pooled(backtest: pd.DataFrame) -> pd.DataFrame:
    """Add the mean over series of each measure that has no unit."""
    unitless = [
        c
        for c in backtest.columns
        if c in ("mase", "smape", "scaled_pinball") or c.startswith("coverage_")
    ]
    pooled = backtest.groupby("model", sort=False)[unitless].mean().reset_index()
    pooled["n"] = backtest.groupby("model", sort=False)["n"].sum().to_numpy()
    pooled.insert(0, "unique_id", POOLED)
    return pd.concat([backtest, pooled], ignore_index=True)
