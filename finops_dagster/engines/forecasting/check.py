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
from finops_dagster.engines.forecasting.pool import Job, Predicted, Trained, predict, train
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
    """Train on what is before `made.cut`, forecast each origin after it, and hold it to account.

    Corrections are of some thousand series where there are more, scores of each.
    """
    trained = train(job, made.cut)
    missed = _missed_by(job.drawn(made.cut), made, trained)
    ahead = np.arange(1, job.horizon + 1)
    realised = {
        origin: _corrected(
            job,
            {
                earlier: {level: np.where(earlier + ahead <= origin, m, np.nan)
                          for level, m in by_level.items()}
                for earlier, by_level in missed.items()
                if earlier < origin
            },
        )
        for origin in made.scored
    }  # fmt: skip
    tables: dict[str, list[pd.DataFrame]] = {"ours": [], "seasonal_naive": []}
    for part in job.parts():
        for name, table in _scored(part, made, trained, realised).items():
            tables[name].append(table)
    backtest = _with_pooled(
        pd.concat([table for some in tables.values() for table in some], ignore_index=True)
    )
    backtest.insert(3, "windows", len(made.scored))
    return Checked(_corrected(job, missed), backtest, len(made.origins))


def _missed_by(job: Job, made: Plan, trained: list[Trained]) -> dict[int, dict[int, Floats]]:
    """Scores (series, horizon) by origin and level."""
    out = {}
    for origin in made.origins:
        item = predict(job, trained, origin)
        out[origin] = {level: _missed(job, item, origin, job.levels, level) for level in job.levels}
    return out


def _corrected(job: Job, missed: dict[int, dict[int, Floats]]) -> dict[int, Floats]:
    """Corrections by level and horizon from the scores of some origins."""
    return {
        level: corrections(np.concatenate([m[level] for m in missed.values()]), level)
        for level in job.levels
    }


def _scored(
    job: Job, made: Plan, trained: list[Trained], realised: dict[int, dict[int, Floats]]
) -> dict[str, pd.DataFrame]:
    """Rows of the backtest, of ours and of the seasonal naive, one a series."""
    parts: dict[str, list[dict[str, Floats]]] = {"ours": [], "seasonal_naive": []}
    actual: list[Floats] = []
    for origin in made.scored:
        item = predict(job, trained, origin)
        parts["ours"].append(in_units(item, job.levels, realised[origin]))
        window = job.grid.y[:, : origin + 1]
        parts["seasonal_naive"].append(seasonal_naive(window, job.recipe.season, job.horizon))
        actual.append(job.grid.y[:, origin + 1 : origin + 1 + job.horizon])
    scale = seasonal_scale(job.grid.y[:, : made.cut + 1], job.recipe.season)
    truth = np.concatenate(actual, axis=1)
    tables = {}
    for name, some in parts.items():
        joined = {k: np.concatenate([p[k] for p in some], axis=1) for k in some[0]}
        table = score(truth, joined, scale, job.levels)
        table.insert(0, "unique_id", list(job.grid.ids))
        table.insert(1, "model", name)
        tables[name] = table
    return tables


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
