"""Measurements of the estate as daily deliveries: what every exporter would have said.

How demand moves is in demand; this only lays it out as rows.
"""

from __future__ import annotations

from datetime import date, timedelta
from pathlib import Path

import numpy as np
import pyarrow as pa

from finops_dagster.demo.delivery import chosen, signal_known_at, times, write
from finops_dagster.demo.demand import (
    Series,
    Timeline,
    workload_series,
)
from finops_dagster.demo.meters import MACHINES
from finops_dagster.demo.nodes import capacity_series, clusters
from finops_dagster.demo.plan import Plan
from finops_dagster.demo.seasons import DAY_MINUTES, minutes_of
from finops_dagster.demo.volumes import Claims, claim_series, node_series

_LABELS = ("metric", "cluster", "namespace", "kind", "name", "container")


def write_telemetry(
    out: Path,
    plan: Plan,
    timeline: Timeline,
    claims: Claims,
    first: date,
    last: date,
    step_minutes: int,
) -> int:
    """Write one delivery a day from `first` to `last`; returns the measurement points written."""
    if last < first:
        return 0
    minutes = minutes_of(first, last, step_minutes)
    series: list[Series] = []
    for workload in plan.workloads:
        series += workload_series(plan.seed, workload, timeline, minutes, step_minutes)
    for claim in plan.claims:
        series += claim_series(plan.seed, claim, claims, minutes)
    for machine in (one for one in MACHINES if one.exporter):
        series += node_series(
            plan.seed,
            machine.name,
            machine.cluster,
            machine.cores,
            machine.memory_gib,
            minutes,
            step_minutes,
        )
    for cluster in clusters():
        series += capacity_series(cluster, minutes)
    values = np.stack([one.values for one in series])
    labels = {label: [getattr(one, label) for one in series] for label in _LABELS}
    per_day = DAY_MINUTES // step_minutes
    number = np.repeat(np.arange(len(series), dtype=np.int64), per_day)
    points = 0
    for offset in range((last - first).days + 1):
        day = first + timedelta(days=offset)
        window = slice(offset * per_day, (offset + 1) * per_day)
        flat = values[:, window].ravel()
        there = np.flatnonzero(~np.isnan(flat))
        at = number[there]
        clock = np.tile(minutes[window], len(series))[there]
        table = pa.table(
            {
                "time": times(clock),
                "interval_seconds": pa.array(
                    np.full(len(there), step_minutes * 60, dtype=np.int64)
                ),
                **{label: chosen(labels[label], at) for label in _LABELS},
                "value": pa.array(flat[there]),
            }
        )
        write(out / "telemetry" / f"day={day.isoformat()}", table, signal_known_at(day))
        points += table.num_rows
    return points
