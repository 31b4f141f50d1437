"""The forecast itself: lay out, check, train, predict, explain, record.

Each of these steps lives in the module named after it.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from finops_dagster.domain.decisions import Abstained
from finops_dagster.engines.forecasting import daily, hourly, weekly
from finops_dagster.engines.forecasting.check import Checked, check, in_units, needed, plan
from finops_dagster.engines.forecasting.grid import Floats, lay_out
from finops_dagster.engines.forecasting.pool import (
    Job,
    Predicted,
    Trained,
    contributions,
    predict,
    train,
)
from finops_dagster.engines.forecasting.recipes import RECIPES, Frequency
from finops_dagster.engines.forecasting.result import ForecastResult, ModelRecord
from finops_dagster.engines.forecasting.windows import Builder

ENGINE = "forecasting/1"
BASE = "base"
_EXACT_ROWS = 5_000
"""Beyond so many rows to explain, minutes of exact contributions are left for approximate ones."""

_BUILDERS: dict[Frequency, Builder] = {
    "daily": daily.windows,
    "hourly": hourly.windows,
    "weekly": weekly.windows,
}


def forecast(
    history: pd.DataFrame,
    *,
    horizon: int,
    frequency: Frequency,
    levels: tuple[int, ...] = (80, 95),
    seed: int = 0,
    explain_steps: Sequence[int] | None = None,
    scale_floor: float = 0.01,
    threads: int = 1,
) -> ForecastResult:
    """Forecast every series `horizon` steps beyond the newest time of `history`.

    `history`: unique_id, ds (date, or datetime taken as UTC), y (float, any unit; currencies are
    kept apart by unique_id, since one model learns scaled shapes and no amounts are added). One
    pooled direct XGBoost, quantiles corrected on windows that an earlier-trained model had not
    seen. Series too short to judge, or all where there is too little to train and check, come back
    as abstentions.

    `explain_steps` (1-based; default: the first, the seventh and the last) get contributions:
    exact, or of thousands of series approximate, as the record says. `scale_floor`, in y's unit, is
    the least size of a series' own noise; 0.01 is a cent. More `threads` than idle cores slow it
    down. Raises ValueError on a repeated time, a time off the frequency's steps, or a horizon or
    level out of range.
    """
    started = time.perf_counter()
    job = _job(history, horizon, frequency, levels, seed, scale_floor, threads)
    fitted = _fit(job)
    if fitted is None:
        return _none(job, started)
    last = job.grid.y.shape[1] - 1
    steps = sorted({1, min(7, horizon), horizon} if explain_steps is None else set(explain_steps))
    exact = len(job.grid.ids) * len(steps) <= _EXACT_ROWS
    names: tuple[str, ...] = ()
    frames, explained = [], []
    for part in job.parts():
        predicted = predict(part, fitted.trained, last)
        names = predicted.windows.names
        frames.append(_frame(part, predicted, fitted.checked.corrections))
        explained.append(_explained(part, fitted.trained, predicted, np.array(steps) - 1, exact))
    record = _record(job, names, fitted.trained, fitted.checked.windows, started)
    return ForecastResult(
        frame=pd.concat(frames, ignore_index=True),
        contributions=pd.concat(explained, ignore_index=True),
        backtest=fitted.checked.backtest,
        record=replace(record, explanation="exact" if exact else "approximate"),
        abstained=list(job.grid.abstained),
    )


@dataclass(frozen=True)
class Forecaster:
    """A model that was trained and checked, for forecasts of what comes later: no training."""

    fitted: Fitted
    horizon: int
    frequency: Frequency
    levels: tuple[int, ...]
    scale_floor: float
    threads: int

    def forecast(self, history: pd.DataFrame) -> tuple[pd.DataFrame, list[Abstained]]:
        """As `forecast`'s frame, from the newest time of `history`; and what it cannot say.

        The series may be others than those that it learnt from.
        """
        job = _job(
            history, self.horizon, self.frequency, self.levels, 0, self.scale_floor, self.threads
        )
        if not job.grid.ids:
            return _no_frame(job), list(job.grid.abstained)
        last, corrected = job.grid.y.shape[1] - 1, self.fitted.checked.corrections
        frames = [
            _frame(part, predict(part, self.fitted.trained, last), corrected)
            for part in job.parts()
        ]
        return pd.concat(frames, ignore_index=True), list(job.grid.abstained)


def fit(
    history: pd.DataFrame,
    *,
    horizon: int,
    frequency: Frequency,
    levels: tuple[int, ...] = (80, 95),
    seed: int = 0,
    scale_floor: float = 0.01,
    threads: int = 1,
) -> Forecaster | list[Abstained]:
    """Train and check once, to forecast from many later origins; arguments are `forecast`'s."""
    started = time.perf_counter()
    job = _job(history, horizon, frequency, levels, seed, scale_floor, threads)
    fitted = _fit(job)
    if fitted is None:
        return _none(job, started).abstained
    return Forecaster(fitted, horizon, frequency, job.levels, scale_floor, threads)


@dataclass(frozen=True)
class Fitted:
    """What training and checking leave."""

    trained: list[Trained]
    checked: Checked


def _job(
    history: pd.DataFrame,
    horizon: int,
    frequency: Frequency,
    levels: tuple[int, ...],
    seed: int,
    scale_floor: float,
    threads: int,
) -> Job:
    if horizon < 1 or not levels or not all(0 < level < 100 for level in levels):
        raise ValueError("horizon is at least 1 and levels are percentages between 0 and 100")
    recipe = RECIPES[frequency]
    grid = lay_out(history, recipe, horizon)
    return Job(
        grid,
        recipe,
        _BUILDERS[frequency],
        horizon,
        tuple(sorted(levels)),
        seed,
        threads,
        scale_floor,
    )


def _fit(job: Job) -> Fitted | None:
    made = plan(job) if job.grid.ids else None
    if made is None:
        return None
    checked = check(job, made)
    return Fitted(train(job, job.grid.y.shape[1] - 1), checked)


def _no_frame(job: Job) -> pd.DataFrame:
    return pd.DataFrame(columns=["unique_id", "ds", "step", *_bands(job.levels)])


def _frame(job: Job, predicted: Predicted, corrected: dict[int, Floats]) -> pd.DataFrame:
    values = in_units(predicted, job.levels, corrected)
    n = len(job.grid.ids)
    ahead = job.grid.calendar.stamps[-job.horizon :]
    frame = pd.DataFrame(
        {
            "unique_id": np.repeat(np.array(job.grid.ids, dtype=object), job.horizon),
            "ds": np.tile(ahead.to_numpy(), n),
            "step": np.tile(np.arange(1, job.horizon + 1), n),
        }
    )
    for name in _bands(job.levels):
        frame[name] = values[name].reshape(-1)
    return frame


def _explained(
    job: Job, trained: list[Trained], predicted: Predicted, at: np.ndarray, exact: bool
) -> pd.DataFrame:
    values = contributions(job, trained, predicted.windows, at, exact)
    # what is left is the window's base, the model's mean and the last bits of float32
    values[..., -1] = predicted.point[:, at] - values[..., :-1].sum(-1)
    n, steps, features = values.shape
    ahead = job.grid.calendar.stamps[-job.horizon :]
    ids = np.array(job.grid.ids, dtype=object)
    return pd.DataFrame(
        {
            "unique_id": np.repeat(ids, steps * features),
            "ds": np.tile(np.repeat(ahead.to_numpy()[at], features), n),
            "step": np.tile(np.repeat(at + 1, features), n),
            "feature": np.tile(np.array([*predicted.windows.names, BASE], dtype=object), n * steps),
            "contribution": values.reshape(-1),
        }
    )


def _none(job: Job, started: float) -> ForecastResult:
    """Nothing but abstentions: each series', and where all are too short for the horizon, why."""
    have = job.grid.y.shape[1]
    short = [
        Abstained(
            subject=name,
            reason=f"the longest history has {have} steps; to train and check a forecast "
            f"{job.horizon} steps ahead takes {needed(job)}",
        )
        for name in job.grid.ids
    ]
    return ForecastResult(
        frame=_no_frame(job),
        contributions=pd.DataFrame(columns=["unique_id", "ds", "step", "feature", "contribution"]),
        backtest=pd.DataFrame(columns=["unique_id", "model", "n", "windows"]),
        record=_record(job, (), [], 0, started),
        abstained=[*job.grid.abstained, *short],
    )


def _bands(levels: tuple[int, ...]) -> list[str]:
    return ["mean", *(f"{end}{level}" for level in levels for end in ("lo", "hi"))]


def _record(
    job: Job, names: Sequence[str], trained: list[Trained], windows: int, started: float
) -> ModelRecord:
    import xgboost

    stamps = job.grid.calendar.stamps
    return ModelRecord(
        engine=ENGINE,
        frequency=job.recipe.frequency,
        horizon=job.horizon,
        levels=job.levels,
        seed=job.seed,
        features=tuple(names),
        parameters=tuple(
            {**{k: _plain(v) for k, v in t.parameters.items()}, "rounds": t.member.rounds}
            for t in trained
        ),
        series=len(job.grid.ids),
        training_rows=sum(t.rows for t in trained),
        training_start=stamps[0].isoformat() if len(stamps) else "",
        training_end=stamps[job.grid.y.shape[1] - 1].isoformat() if len(stamps) else "",
        calibration_windows=windows,
        data_hash=job.grid.data_hash,
        xgboost=xgboost.__version__,
        seconds=time.perf_counter() - started,
    )


def _plain(value: object) -> float | int | str:
    return value if isinstance(value, float | int | str) else str(value)
