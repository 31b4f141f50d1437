"""Training runs of the company, and what they made, as a tracking server tells them.

A day tells what was known when it ended: a run over midnight has its end on its second day.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from pathlib import Path

import numpy as np
import pyarrow as pa

from finops_dagster.demo.delivery import signal_known_at, times, write
from finops_dagster.demo.demand import Timeline, sizing_on
from finops_dagster.demo.models import BIAS_FROM, MODELS, version_on
from finops_dagster.demo.noise import stream, uniform
from finops_dagster.demo.plan import Plan, Workload
from finops_dagster.demo.seasons import DAY_MINUTES, day_number, is_holiday

SYSTEM = "mlflow"
TRAINERS = ("embedding-trainer", "notebook-hub")
"""Workloads in which runs run, in this order of preference; one whose GPU idles has none."""
RETRAINED_ON = dict(zip((model.name for model in MODELS), (0, 2, 4), strict=True))
"""Model -> weekday on which it is trained again."""
_FAILED = 0.06
_PLACE = ("namespace", "workload_kind", "workload")


@dataclass(frozen=True)
class Run:
    """One run. Times are minutes since 1970; `made` is the model and version that it registered."""

    id: str
    experiment: str
    name: str
    team: str
    workload: Workload | None
    start: int
    end: int
    status: str
    metrics: tuple[tuple[str, float], ...]
    params: tuple[tuple[str, str], ...]
    made: tuple[str, str] | None = None


def runs_of(plan: Plan, timeline: Timeline, day: date) -> list[Run]:
    """The runs that start on a day."""
    number = day_number(day)
    key = stream(plan.seed, "runs")
    drawn = uniform(key, number * 64 + np.arange(64, dtype=np.int64))
    at = [
        one
        for name in TRAINERS
        for one in plan.workloads
        if one.spec.name == name and not one.truth.idle_gpu
        if (sizing := sizing_on(one, timeline, day)) is not None and sizing.replicas > 0
    ]
    found: list[Run] = []

    def add(
        experiment: str,
        team: str,
        place: Workload | None,
        minute: float,
        minutes: float,
        metrics: Sequence[tuple[str, float]],
        made: tuple[str, str] | None = None,
    ) -> None:
        failed = drawn[len(found)] < _FAILED
        start = number * DAY_MINUTES + int(minute)
        name = f"{experiment}-{day:%Y%m%d}-{len(found)}"
        found.append(
            Run(
                id=hashlib.sha256(f"{plan.seed}/{name}".encode()).hexdigest()[:32],
                experiment=experiment,
                name=name,
                team=team,
                workload=place,
                start=start,
                end=start + max(int(minutes * (0.3 if failed else 1.0)), 1),
                status="failed" if failed else "finished",
                metrics=() if failed else tuple((key, round(value, 4)) for key, value in metrics),
                params=(("learning_rate", "0.0003"), ("seed", str(number % 1000))),
                made=None if failed else made,
            )
        )

    noise = iter(drawn[32:])
    if at and at[0].spec.name == TRAINERS[0]:
        add("product-embeddings", "ml-platform", at[0], 1380 + 20 * next(noise),
            190 + 50 * next(noise), [("recall_at_10", 0.81 + 0.02 * next(noise))],
            ("product-embeddings", f"{day:%Y%m%d}") if day.weekday() == 6 else None)  # fmt: skip
    if not at:
        return found
    for model in MODELS:
        version = version_on(model, day, {})
        quality = ("accuracy", 0.72) if model.task == "classification" else ("mae", 11.0)
        if model.name == "credit-risk" and day == BIAS_FROM - timedelta(days=1):
            version = version_on(model, BIAS_FROM, {})
        elif day.weekday() == RETRAINED_ON[model.name]:
            version = f"{version}-rc{day.isocalendar().week}"
        else:
            continue
        add(f"{model.name}-training", model.owner, at[-1], 360 + 30 * next(noise),
            45 + 35 * next(noise), [(quality[0], quality[1] * (1 + 0.02 * next(noise)))],
            (model.name, version))  # fmt: skip
    if day.weekday() < 5 and not is_holiday(day):
        for _ in range(int(4 * next(noise))):
            experiment, team = (
                ("reranker-distillation", "ml-platform"),
                ("defect-augmentation", "vision"),
            )[int(2 * next(noise))]
            add(experiment, team, at[-1], 540 + 420 * next(noise), 20 + 70 * next(noise),
                [("loss", 0.4 + 0.2 * next(noise))])  # fmt: skip
        # on a laptop: nobody knows where
        add("prompt-evaluation", "analytics", None, 600 + 300 * next(noise), 15 + 30 * next(noise),
            [("win_rate", 0.5 + 0.1 * next(noise))])  # fmt: skip
    return found


def known_of(plan: Plan, timeline: Timeline, day: date) -> list[Run]:
    """The runs that were active on a day, as they were known when it ended."""
    midnight = (day_number(day) + 1) * DAY_MINUTES
    before = [
        run
        for run in runs_of(plan, timeline, day - timedelta(days=1))
        if run.end > midnight - DAY_MINUTES
    ]
    return [
        run if run.end < midnight else replace(run, status="running", metrics=(), made=None)
        for run in (*before, *runs_of(plan, timeline, day))
    ]


def write_runs(out: Path, plan: Plan, timeline: Timeline, first: date, last: date) -> None:
    """Write runs and the versions that they registered, a delivery of each a day."""
    for offset in range((last - first).days + 1):
        day = first + timedelta(days=offset)
        runs = known_of(plan, timeline, day)
        folder = f"day={day.isoformat()}"
        write(out / "runs" / folder, _run_table(runs, day), signal_known_at(day))
        made = [run for run in runs if run.made is not None]
        write(out / "model_versions" / folder, _version_table(made), signal_known_at(day))


def _minutes(values: Sequence[int]) -> pa.Array:
    return times(np.array(values, dtype=np.int64))


def _run_table(runs: Sequence[Run], day: date) -> pa.Table:
    midnight = day_number(day) * DAY_MINUTES
    ended = [run.status != "running" for run in runs]
    text = pa.map_(pa.string(), pa.string())
    places = [
        (run.workload.namespace, run.workload.spec.kind, run.workload.spec.name)
        if run.workload
        else (None,) * len(_PLACE)
        for run in runs
    ]
    return pa.table(
        {
            "time": _minutes([max(run.start, midnight) for run in runs]),
            "system": pa.array([SYSTEM] * len(runs), pa.string()),
            "experiment": pa.array([run.experiment for run in runs], pa.string()),
            "run_id": pa.array([run.id for run in runs], pa.string()),
            "name": pa.array([run.name for run in runs], pa.string()),
            "owner": pa.array([f"svc-{run.team}" for run in runs], pa.string()),
            "status": pa.array([run.status for run in runs], pa.string()),
            "lifecycle": pa.array(["active"] * len(runs), pa.string()),
            "started_at": _minutes([run.start for run in runs]),
            "ended_at": pa.array(
                [
                    run.end * 60_000_000 if done else None
                    for run, done in zip(runs, ended, strict=True)
                ],
                pa.int64(),
            ).cast(pa.timestamp("us", tz="UTC")),
            "cluster": pa.array(
                [run.workload.cluster.name if run.workload else None for run in runs], pa.string()
            ),
            **{
                name: pa.array([place[column] for place in places], pa.string())
                for column, name in enumerate(_PLACE)
            },
            "metrics": pa.array(
                [list(run.metrics) for run in runs], pa.map_(pa.string(), pa.float64())
            ),
            "params": pa.array([list(run.params) for run in runs], text),
            "tags": pa.array([[("team", run.team)] for run in runs], text),
        }
    )


def _version_table(runs: Sequence[Run]) -> pa.Table:
    made = [run.made or ("", "") for run in runs]
    return pa.table(
        {
            "time": _minutes([run.end for run in runs]),
            "registry": pa.array([SYSTEM] * len(runs), pa.string()),
            "model": pa.array([model for model, _ in made], pa.string()),
            "version": pa.array([version for _, version in made], pa.string()),
            "run_id": pa.array([run.id for run in runs], pa.string()),
            "owner": pa.array([f"svc-{run.team}" for run in runs], pa.string()),
            "status": pa.array(["READY"] * len(runs), pa.string()),
            "created_at": _minutes([run.end for run in runs]),
        }
    )
