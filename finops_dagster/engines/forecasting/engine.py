"""The forecast itself: lay out, check, train, predict, explain, record.

Each of these steps lives in the module named after it.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace

import numpy as np
import pandas as pd

from finops_dagster.domain.decisions import Abstained
from finops_dagster.engines.forecasting.artefact import ENGINE, Fitted, Kept, dump, load
from finops_dagster.engines.forecasting.check import check, in_units, needed, plan
from finops_dagster.engines.forecasting.grid import lay_out
from finops_dagster.engines.forecasting.ladder import simpler_forecast
from finops_dagster.engines.forecasting.pool import (
    Job,
    Terms,
    Trained,
    contributions,
    predict,
    train,
)
from finops_dagster.engines.forecasting.recipes import STANDARD, Frequency, variant
from finops_dagster.engines.forecasting.result import ForecastResult, ModelRecord
from finops_dagster.engines.forecasting.rungs import NONE, POOLED, simpler, span
from finops_dagster.engines.known import Floats

BASE = "base"
SUM_TOLERANCE = 1e-6
"""Share of a forecast, or of all that moved it, that 32-bit trees may lose."""
_EXACT_ROWS = 5_000
"""Beyond so many rows to explain, minutes of exact contributions are left for approximate ones."""


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
    recipe: str = STANDARD,
    artefact: bytes | None = None,
) -> ForecastResult:
    """Forecast every series `horizon` steps beyond the newest time of `history`.

    `history`: unique_id, ds (date, or datetime taken as UTC), y (float, any unit; currencies are
    kept apart by unique_id, since one model learns scaled shapes and no amounts are added). One
    pooled direct XGBoost, quantiles corrected on windows that an earlier-trained model had not
    seen. Series too short for it, or all where there is too little to train and check, are forecast
    by a simpler rule, as `rungs` says; what has ended or has next to no history is an abstention.

    `explain_steps` (1-based; default: the first, the seventh and the last) get contributions:
    exact, or of thousands of series approximate, as the record says. `scale_floor`, in y's unit, is
    the least size of a series' own noise; 0.01 is a cent. `threads`: trainings and parts of the
    series that go on at a time; what is answered does not depend on them. `recipe`: a name in
    `recipes.VARIANTS`. `artefact`: what an earlier forecast was made with; nothing is trained, and
    on the history that it was trained on the answer is the same to the bit. Raises ValueError on a
    row without series or time, a repeated time, a time off the frequency's steps, a horizon or
    level out of range, or an artefact that was made on other terms.
    """
    watch = _Watch()
    terms = Terms(
        frequency, horizon, tuple(sorted(levels)), seed, scale_floor, threads,
        variant(recipe, frequency),
    )  # fmt: skip
    kept = None
    if artefact is not None:
        kept = load(artefact)
        asked, made = terms, kept.terms
        if (asked.frequency, asked.horizon, asked.levels, asked.seed, asked.floor) != (
            made.frequency, made.horizon, made.levels, made.seed, made.floor,
        ):  # fmt: skip
            raise ValueError("the artefact was made for another frequency, horizon or levels")
        terms = replace(made, threads=threads)
    with watch.stage("lay_out"):
        job = Job(lay_out(history, terms.recipe, horizon), terms)
        pool = _pool(job)
    fitted = _fit(pool, watch) if kept is None else kept.fitted
    with watch.stage("predict"):
        frame, rungs, abstained = _answers(job, pool, fitted)
    if fitted is None:
        return ForecastResult(
            frame=frame,
            contributions=_no_contributions(),
            backtest=pd.DataFrame(columns=["unique_id", "model", "n", "windows"]),
            rungs=rungs,
            record=_record(pool, (), None, watch),
            abstained=abstained,
        )
    steps = sorted({1, min(7, horizon), horizon} if explain_steps is None else set(explain_steps))
    exact = len(pool.grid.ids) * len(steps) <= _EXACT_ROWS
    with watch.stage("explain"):
        point = frame["mean"].to_numpy().reshape(-1, horizon)[job.grid.rungs == POOLED]
        told = _explained(pool, fitted.trained, point, np.array(steps) - 1, exact)
    if kept is None:
        record = replace(_record(pool, told.names, fitted, watch), recipe=recipe)
        raw = dump(Kept(fitted, terms, record, pool.grid.ids))
    else:
        # what it was made of is the artefact's to say; what is explained is today's history
        record = replace(
            kept.record,
            series=len(pool.grid.ids),
            data_hash=pool.grid.data_hash,
            seconds=watch.elapsed,
            stages=watch.stages,
        )
        raw = artefact or b""
    return ForecastResult(
        frame=frame,
        contributions=told.frame,
        backtest=fitted.checked.backtest,
        rungs=rungs,
        record=replace(
            record, explanation="exact" if exact else "approximate", explanation_gap=told.gap
        ),
        abstained=abstained,
        models=tuple(one.raw for one in fitted.trained),
        origins=fitted.checked.origins,
        artefact=raw,
    )


def all_steps(series: int, horizon: int) -> range | None:
    """Every step, where exact contributions of them all take seconds; None where not: then
    `forecast` chooses some, and `explain` answers of any."""
    return range(1, horizon + 1) if series * horizon <= _EXACT_ROWS else None


def explain(
    history: pd.DataFrame,
    models: Sequence[bytes],
    record: ModelRecord,
    series: Sequence[str],
    steps: Sequence[int],
) -> pd.DataFrame:
    """Contributions as ForecastResult's, exact, of some `series` at some `steps` (from 1).

    `history`, `models` and `record`: what a forecast was made of and what it left; nothing is
    trained. Series that the pooled model does not forecast have none. Raises ValueError where the
    history is another one, or a step is beyond the horizon.
    """
    if not all(1 <= step <= record.horizon for step in steps):
        raise ValueError(f"steps are between 1 and {record.horizon}")
    terms = Terms(
        record.frequency, record.horizon, record.levels, record.seed, record.scale_floor, 1,
        variant(record.recipe, record.frequency),
    )  # fmt: skip
    pool = _pool(Job(lay_out(history, terms.recipe, terms.horizon), terms))
    if pool.grid.data_hash != record.data_hash:
        raise ValueError("this is not the history that the forecast was made of")
    asked = pool.of(np.flatnonzero(np.isin(np.array(pool.grid.ids, dtype=object), list(series))))
    if not asked.grid.ids:
        return _no_contributions()
    trained = [
        Trained.kept(member, model)
        for member, model in zip(terms.recipe.members, models, strict=True)
    ]
    point = predict(trained, asked.windows(asked.grid.y.shape[1] - 1)).point
    return _explained(asked, trained, point, np.array(sorted(set(steps))) - 1, exact=True).frame


def learnt(history: pd.DataFrame, frequency: Frequency) -> frozenset[str]:
    """The series of `history` that a pooled model would learn from. Raises as `forecast`."""
    grid = lay_out(history, variant(STANDARD, frequency), 1)
    return frozenset(np.array(grid.ids, dtype=object)[grid.rungs == POOLED])


@dataclass(frozen=True)
class Forecaster:
    """A model that was trained and checked, for forecasts of what comes later: no training."""

    fitted: Fitted
    terms: Terms

    def forecast(self, history: pd.DataFrame) -> tuple[pd.DataFrame, list[Abstained]]:
        """As `forecast`'s frame, from the newest time of `history`; and what it cannot say.

        The series may be others than those that it learnt from.
        """
        job = Job(lay_out(history, self.terms.recipe, self.terms.horizon), self.terms)
        frame, _, abstained = _answers(job, _pool(job), self.fitted)
        return frame, abstained


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
    """Train and check once, to forecast from many later origins; arguments are `forecast`'s.

    Where there is too little to train on, each series comes back as an abstention.
    """
    terms = Terms(frequency, horizon, tuple(sorted(levels)), seed, scale_floor, threads)
    job = Job(lay_out(history, terms.recipe, horizon), terms)
    fitted = _fit(_pool(job), _Watch())
    if fitted is not None:
        return Forecaster(fitted, terms)
    short = [Abstained(subject=name, reason=why) for name, why in _too_short(job).items()]
    return [*job.grid.abstained, *short]


@dataclass
class _Watch:
    """Seconds by stage, and since the start."""

    started: float = field(default_factory=time.perf_counter)
    stages: dict[str, float] = field(default_factory=dict)

    @property
    def elapsed(self) -> float:
        return time.perf_counter() - self.started

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        began = time.perf_counter()
        yield
        self.stages[name] = time.perf_counter() - began


def _fit(job: Job, watch: _Watch) -> Fitted | None:
    made = plan(job) if job.grid.ids else None
    if made is None:
        return None
    with watch.stage("train"):
        earlier, trained = train(job, made.cut, job.grid.y.shape[1] - 1)
    with watch.stage("check"):
        checked = check(job, made, earlier)
    return Fitted(trained, checked)


def _pool(job: Job) -> Job:
    """The series that the pooled model learns from and answers."""
    return job.of(np.flatnonzero(job.grid.rungs == POOLED))


def _answers(
    job: Job, pool: Job, fitted: Fitted | None
) -> tuple[pd.DataFrame, pd.DataFrame, list[Abstained]]:
    """The forecast's frame, the rung of each series in it, and what cannot be forecast."""
    grid, abstained, short = job.grid, list(job.grid.abstained), _too_short(job)
    rungs = grid.rungs
    if fitted is None:
        rungs = simpler(np.isfinite(grid.y), job.terms.recipe)
        gone = np.flatnonzero(rungs == NONE)
        abstained += [Abstained(subject=grid.ids[i], reason=short[grid.ids[i]]) for i in gone]
        job = job.of(np.flatnonzero(rungs != NONE))
        grid, rungs = job.grid, rungs[rungs != NONE]
    values, rests_on = simpler_forecast(job, np.where(rungs == POOLED, NONE, rungs))
    if fitted is not None and pool.grid.ids:
        for name, one in _predicted(pool, fitted).items():
            values[name][rungs == POOLED] = one
    counts, unit = np.isfinite(grid.y).sum(1), job.terms.recipe.unit
    told = pd.DataFrame(
        {
            "unique_id": np.array(grid.ids, dtype=object),
            "rung": rungs,
            "reason": [
                f"{count} {unit} of history" if rung == POOLED else f"{short[name]}; {rests}"
                for name, rung, count, rests in zip(grid.ids, rungs, counts, rests_on, strict=True)
            ],
        }
    )
    return _frame(job, values), told, abstained


def _too_short(job: Job) -> dict[str, str]:
    """Why the pooled model cannot answer a series: its own history, or that of them all."""
    grid, recipe = job.grid, job.terms.recipe
    known = np.isfinite(grid.y)
    counts, longest = known.sum(1), span(known).max(initial=0)
    return {
        name: f"the longest history has {longest} steps; to train and check a forecast "
        f"{job.terms.horizon} steps ahead takes {needed(job)}"
        if rung == POOLED
        else f"{count} {recipe.unit} of history, {recipe.min_history} are needed for the model"
        for name, rung, count in zip(grid.ids, grid.rungs, counts, strict=True)
    }


def _predicted(job: Job, fitted: Fitted) -> dict[str, Floats]:
    """Point and interval ends in y's unit by name, (series, horizon), after the newest time."""
    terms, last = job.terms, job.grid.y.shape[1] - 1
    values = {name: np.empty((len(job.grid.ids), terms.horizon)) for name in terms.bands}

    def of(rows: np.ndarray) -> None:
        predicted = predict(fitted.trained, job.of(rows).windows(last))
        for name, one in in_units(predicted, terms.levels, fitted.checked.corrections).items():
            values[name][rows] = one

    terms.each(of, job.parts())
    return values


def _frame(job: Job, values: dict[str, Floats]) -> pd.DataFrame:
    n, horizon = values["mean"].shape
    ahead = job.grid.calendar.stamps[-horizon:]
    return pd.DataFrame(
        {
            "unique_id": np.repeat(np.array(job.grid.ids, dtype=object), horizon),
            "ds": np.tile(ahead.to_numpy(), n),
            "step": np.tile(np.arange(1, horizon + 1), n),
            **{name: one.reshape(-1) for name, one in values.items()},
        }
    )


@dataclass(frozen=True)
class _Told:
    """Names of the features, and contributions, which sum to the point."""

    names: tuple[str, ...]
    frame: pd.DataFrame
    gap: float


def _explained(
    job: Job, trained: list[Trained], point: Floats, at: np.ndarray, exact: bool
) -> _Told:
    """Contributions at these steps. Raises ValueError where those of the trees are not those of
    the point: what would be left would be put on the base, and explain nothing."""
    last, n = job.grid.y.shape[1] - 1, len(job.grid.ids)

    def of(rows: np.ndarray) -> tuple[tuple[str, ...], Floats, float]:
        windows = job.of(rows).windows(last)
        values = contributions(trained, windows, at, exact)
        # what is left is the window's base, the model's mean and the last bits of float32
        said = point[rows][:, at]
        rest = said - values[..., :-1].sum(-1)
        gap = np.abs(rest - values[..., -1] - windows.base[:, at])
        values[..., -1] = rest
        size = np.maximum(np.abs(said), np.abs(values).sum(-1))
        return windows.names, values, float((gap / np.maximum(size, job.terms.floor)).max())

    told = job.terms.each(of, job.parts())
    names, values = told[0][0], np.concatenate([one for _, one, _ in told])
    gap = max(one for _, _, one in told)
    if not gap <= SUM_TOLERANCE:
        raise ValueError(f"contributions miss the forecast by {gap:.2g} of it")
    steps, features = values.shape[1:]
    ahead = job.grid.calendar.stamps[-job.terms.horizon :]
    frame = pd.DataFrame(
        {
            "unique_id": np.repeat(np.array(job.grid.ids, dtype=object), steps * features),
            "ds": np.tile(np.repeat(ahead.to_numpy()[at], features), n),
            "step": np.tile(np.repeat(at + 1, features), n),
            "feature": np.tile(np.array([*names, BASE], dtype=object), n * steps),
            "contribution": values.reshape(-1),
        }
    )
    return _Told(names, frame, gap)


def _no_contributions() -> pd.DataFrame:
    return pd.DataFrame(columns=["unique_id", "ds", "step", "feature", "contribution"])


def _record(job: Job, names: Sequence[str], fitted: Fitted | None, watch: _Watch) -> ModelRecord:
    import xgboost

    stamps, terms = job.grid.calendar.stamps, job.terms
    trained = fitted.trained if fitted else []
    return ModelRecord(
        engine=ENGINE,
        frequency=terms.frequency,
        horizon=terms.horizon,
        levels=terms.levels,
        seed=terms.seed,
        scale_floor=terms.floor,
        features=tuple(names),
        parameters=tuple(
            {**{k: _plain(v) for k, v in t.parameters.items()}, "rounds": t.member.rounds}
            for t in trained
        ),
        series=len(job.grid.ids),
        training_rows=sum(t.rows for t in trained),
        training_start=stamps[0].isoformat() if len(stamps) else "",
        training_end=stamps[job.grid.y.shape[1] - 1].isoformat() if len(stamps) else "",
        calibration_windows=fitted.checked.windows if fitted else 0,
        data_hash=job.grid.data_hash,
        xgboost=xgboost.__version__,
        seconds=watch.elapsed,
        stages=watch.stages,
    )


def _plain(value: object) -> float | int | str:
    return value if isinstance(value, float | int | str) else str(value)
