"""The backtest: a model trained earlier, held against what came after, beside the naive forecast.

The same windows correct the final intervals; those of the backtest are corrected only by windows
that were over when each forecast of it was made.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pandas as pd

from finops_dagster.engines.forecasting.intervals import bounds, corrections, scores
from finops_dagster.engines.forecasting.metrics import score, seasonal_naive, seasonal_scale
from finops_dagster.engines.forecasting.pool import Job, Predicted, Trained, predict
from finops_dagster.engines.forecasting.recipes import Recipe
from finops_dagster.engines.known import Floats, mean

POOLED = "(pooled)"
_LEAST = 2
"""Origins scored, and before them, however short the history."""
_APART = 3
"""Of thousands of series every third of the origins is scored: neighbours share most of their
days, and scoring takes most of the time."""


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
    recipe, horizon = job.terms.recipe, job.terms.horizon
    context = np.isfinite(job.grid.y).cumsum(1, dtype=np.int32).max(0)
    apart = _APART if len(job.parts()) > 1 else 1
    for scored, before in _sizes(recipe):
        first = last - _reach(job, scored, before)
        # what a model needs to learn from: a window's context and a horizon after it
        if first >= horizon and context[first - horizon] >= recipe.min_context:
            origins = range(last - horizon, first - 1, -recipe.check_every)
            return Plan(min(origins), tuple(sorted(origins)), tuple(sorted(origins[:scored:apart])))
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
    return 2 * job.terms.horizon + (scored - 1 + before - 1) * job.terms.recipe.check_every


def needed(job: Job) -> int:
    """The least history, in steps, with which a forecast can be trained and checked."""
    return job.terms.recipe.min_context + job.terms.horizon + _reach(job, _LEAST, _LEAST)


@dataclass(frozen=True)
class Checked:
    """Corrections for the final forecast by level and horizon, and the backtest's rows."""

    corrections: dict[int, Floats]
    backtest: pd.DataFrame
    windows: int
    origins: pd.DataFrame
    """As ForecastResult's."""


def check(job: Job, made: Plan, trained: list[Trained]) -> Checked:
    """Forecast each origin with what was `trained` up to `made.cut`, and hold it to account.

    Corrections are of some thousand series where there are more, scores of each.
    """
    rows, terms = job.drawn(made.cut), job.terms
    drawn = job.of(rows)
    said = dict(
        zip(
            made.origins,
            terms.each(lambda origin: predict(trained, drawn.windows(origin)), made.origins),
            strict=True,
        )
    )
    missed = {
        origin: {level: _missed(drawn, item, origin, level) for level in terms.levels}
        for origin, item in said.items()
    }
    ahead = np.arange(1, terms.horizon + 1)
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

    def later(part: np.ndarray) -> tuple[dict[str, pd.DataFrame], pd.DataFrame]:
        of = job.of(part)
        answers = {origin: predict(trained, of.windows(origin)) for origin in made.scored}
        return _scored(of, made, answers, realised)

    others = job.parts(but=rows)
    parts = [_scored(drawn, made, said, realised), *terms.each(later, others)]
    backtest = _with_pooled(
        pd.concat(
            [
                pd.concat([tables[name] for tables, _ in parts]).sort_values("unique_id")
                for name in parts[0][0]
            ],
            ignore_index=True,
        )
    )
    backtest.insert(3, "windows", len(made.scored))
    origins = pd.concat([one for _, one in parts]).sort_values(["unique_id", "origin"])
    return Checked(
        _corrected(job, missed), backtest, len(made.origins), origins.reset_index(drop=True)
    )


def _corrected(job: Job, missed: dict[int, dict[int, Floats]]) -> dict[int, Floats]:
    """Corrections by level and horizon from the scores of some origins.

    A horizon that none of them tells of is between its neighbours.
    """
    out = {}
    for level in job.terms.levels:
        added = corrections(np.concatenate([m[level] for m in missed.values()]), level)
        known = np.flatnonzero(np.isfinite(added))
        out[level] = np.interp(np.arange(len(added)), known, added[known]) if len(known) else added
    return out


def _scored(
    job: Job, made: Plan, said: dict[int, Predicted], realised: dict[int, dict[int, Floats]]
) -> tuple[dict[str, pd.DataFrame], pd.DataFrame]:
    """Rows of the backtest, of ours and of the seasonal naive, one a series; and our origins."""
    season, horizon, levels = job.terms.recipe.season, job.terms.horizon, job.terms.levels
    parts: dict[str, list[dict[str, Floats]]] = {"ours": [], "seasonal_naive": []}
    truths: list[Floats] = []
    for origin in made.scored:
        ours = in_units(said[origin], levels, realised[origin])
        naive = seasonal_naive(job.grid.y[:, : origin + 1], season, horizon)
        parts["ours"].append(ours)
        parts["seasonal_naive"].append(naive)
        both = np.isfinite(ours["mean"]) & np.isfinite(naive["mean"])
        truths.append(np.where(both, _actual(job, origin), np.nan))
    scale = seasonal_scale(job.grid.y[:, : made.cut + 1], season)
    truth = np.concatenate(truths, axis=1)
    origins = pd.concat(
        [
            _origin(job, origin, ours, naive, scale)
            for origin, ours, naive in zip(
                made.scored, parts["ours"], parts["seasonal_naive"], strict=True
            )
        ]
    )
    tables = {}
    for name, some in parts.items():
        joined = {k: np.concatenate([p[k] for p in some], axis=1) for k in some[0]}
        table = score(truth, joined, scale, levels)
        table.insert(0, "unique_id", list(job.grid.ids))
        table.insert(1, "model", name)
        tables[name] = table.loc[table["n"] > 0]
    return tables, origins


def _origin(
    job: Job, origin: int, ours: dict[str, Floats], naive: dict[str, Floats], scale: Floats
) -> pd.DataFrame:
    """One scored origin: the error of each series, and what was said of its first step."""
    actual = _actual(job, origin)
    compared = np.where(np.isfinite(naive["mean"]), np.abs(actual - ours["mean"]), np.nan)
    frame = pd.DataFrame(
        {
            "unique_id": np.array(job.grid.ids, dtype=object),
            "origin": job.grid.calendar.stamps[origin],
            "error": mean(compared) / np.where(scale > 0, scale, np.nan),
            "actual": actual[:, 0],
            **{name: one[:, 0] for name, one in ours.items()},
        }
    )
    return frame.dropna(subset=["error"])


def _actual(job: Job, origin: int) -> Floats:
    """What came after an origin, (series, horizon), of the series that could be forecast then."""
    y = job.grid.y
    context = np.isfinite(y[:, : origin + 1]).sum(1) >= job.terms.recipe.min_context
    return np.where(context[:, None], y[:, origin + 1 : origin + 1 + job.terms.horizon], np.nan)


def _missed(job: Job, item: Predicted, origin: int, level: int) -> Floats:
    """Scores (series, horizon) of one origin and level."""
    levels = job.terms.levels
    z = (_actual(job, origin) - item.base) / item.scale[:, None]
    index = len(levels) - 1 - levels.index(level)
    return scores(z, item.quantiles[..., index], item.quantiles[..., -1 - index])


def in_units(
    item: Predicted, levels: tuple[int, ...], corrected: dict[int, Floats]
) -> dict[str, Floats]:
    """Point and interval ends in y's unit, (series, horizon)."""
    scale = item.scale[:, None]
    z_point = (item.point - item.base) / scale
    ends = bounds(item.quantiles, levels, corrected, z_point)
    out = {name: item.base + scale * value for name, value in ends.items()}
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
