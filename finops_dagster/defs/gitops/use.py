"""What was used of the values that proposals change, from a day's publication, for pictures.

What is drawn, and which changes are made, is decided elsewhere.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from typing import Any, NamedTuple

import pandas as pd

from finops_dagster.defs import rebuild
from finops_dagster.defs.estate import Estate
from finops_dagster.domain.decisions import FindingKind, Proposal
from finops_dagster.domain.fields import Step, field_steps
from finops_dagster.domain.pull_requests import UseSeries
from finops_dagster.domain.quantities import parse_quantity
from finops_dagster.storage.publication import PublishedReader

_GIB = 2.0**30


class _Measure(NamedTuple):
    unit: str
    typical: str
    """Of one interval and replica, over the columns of `_HOURLY`."""
    peak: str
    per_unit: float = 1.0


_CPU = _Measure(
    "cores",
    "cpu_cores / copies",
    "coalesce(cpu_cores_replica_max, cpu_cores_replica_p95, cpu_cores / copies)",
)
_MEMORY = _Measure(
    "GiB",
    "memory_working_set_bytes / copies",
    "coalesce(memory_replica_max_bytes, memory_replica_p95_bytes,"
    " memory_working_set_bytes / copies)",
    _GIB,
)
_BUSY_SHARE = "gpu_utilisation_percent / 100"
_GPUS = _Measure(
    "GPUs",
    f"{_BUSY_SHARE} * gpu_requests / copies",
    f"{_BUSY_SHARE} * gpu_requests / copies",
)
_BUSY = _Measure(
    "busy replicas",
    "copies * cpu_cores / cpu_request_cores",
    "copies * cpu_cores / cpu_request_cores",
)
"""Replicas as if each used all that it requests: what of their number is really needed."""
_BUSY_GPUS = _Measure(
    "replicas with busy GPUs", f"{_BUSY_SHARE} * copies", f"{_BUSY_SHARE} * copies"
)

_HOURLY = """
with replicated as (
    select cluster, resource, time, max(coalesce(replicas, replicas_measured)) as running
    from mart where resource in (select unnest($names)) group by all
), wanted as (
    select
        time, interval_seconds, resource, container, greatest(running, 1) as copies,
        columns(c -> list_contains($columns, c))
    from mart left join replicated using (cluster, resource, time)
    where resource in (select unnest($names))
), used as (
    select time, resource, container, {typical} as typical, {peak} as peak from wanted
)
select
    resource, container, time_bucket(interval '1 hour', time) as hour,
    median(typical) as typical, max(peak) as peak
from used where isfinite(typical) and isfinite(peak)
group by all order by all
"""
_COLUMNS = (
    "cpu_cores", "cpu_request_cores", "cpu_cores_replica_max", "cpu_cores_replica_p95",
    "memory_working_set_bytes", "memory_replica_max_bytes", "memory_replica_p95_bytes",
    "gpu_utilisation_percent", "gpu_requests",
)  # fmt: skip


def uses(estate: Estate, as_of: date, proposals: Iterable[Proposal]) -> dict[str, UseSeries]:
    """`used` of the publication that the day is decided on."""
    return used(rebuild.reader(estate, as_of), as_of, proposals)


def used(
    reader: PublishedReader, as_of: date, proposals: Iterable[Proposal]
) -> dict[str, UseSeries]:
    """Proposal id -> hourly use of its value within its evidence's window, by what was known.

    None where the value is no request and no number of replicas, or nothing was measured. Of a
    request it is the use of one replica.
    """
    by_measure: dict[_Measure, list[Proposal]] = {}
    for one in proposals:
        measure = _measure(one)
        if measure is not None:
            by_measure.setdefault(measure, []).append(one)
    found: dict[str, UseSeries] = {}
    for measure, several in by_measure.items():
        frame = reader.frame(
            "fct_workload_measurements",
            _HOURLY.format(typical=measure.typical, peak=measure.peak),
            first=min(one.evidence.window_start for one in several).date(),
            last=as_of,
            given={
                "names": sorted({one.resource for one in several}),
                "columns": list(_COLUMNS),
            },
        )
        if frame is not None:
            hours = dict(iter(frame.groupby("resource")))
            found.update(_series(measure, several, hours))
    return found


def _series(
    measure: _Measure, proposals: Sequence[Proposal], hours: Mapping[Any, pd.DataFrame]
) -> Iterable[tuple[str, UseSeries]]:
    for one in proposals:
        rows = hours.get(one.resource)
        ends = _numbers(one)
        if rows is None or ends is None:
            continue
        window = one.evidence
        inside = rows["hour"].between(window.window_start, window.window_end, inclusive="left")
        container = _container(one.field)
        rows = rows[inside & (rows["container"] == container) if container else inside]
        # Of several containers the one that asks most of its replicas.
        rows = rows.groupby("hour", sort=True)[["typical", "peak"]].max()
        if rows.empty:
            continue
        yield (
            one.id,
            UseSeries(
                unit=measure.unit,
                starts=tuple(start.to_pydatetime() for start in rows.index),
                typical=tuple(rows["typical"] / measure.per_unit),
                peak=tuple(rows["peak"] / measure.per_unit),
                current=ends[0] / measure.per_unit,
                proposed=ends[1] / measure.per_unit,
            ),
        )


def _measure(proposal: Proposal) -> _Measure | None:
    """By the end of the field's path: `requests.cpu`, `limits["nvidia.com/gpu"]`, `replicas`."""
    last = tuple(_steps(proposal.field)[-2:])
    if last == ("requests", "cpu"):
        return _CPU
    if last == ("requests", "memory"):
        return _MEMORY
    if last in {("limits", "nvidia.com/gpu"), ("requests", "nvidia.com/gpu")}:
        return _GPUS
    if last[-1:] not in {("replicas",), ("minReplicas",)}:
        return None
    return _BUSY_GPUS if proposal.kind is FindingKind.IDLE_GPU else _BUSY


def _container(field: str) -> str:
    """Of a list of containers the one that the path names; empty where it names none."""
    return next((step[1] for step in _steps(field) if isinstance(step, tuple)), "")


def _numbers(proposal: Proposal) -> tuple[float, float] | None:
    """Current and proposed; None where a value is no quantity, as what people write may be."""
    try:
        return float(parse_quantity(proposal.current)), float(parse_quantity(proposal.proposed))
    except ValueError:
        return None


def _steps(field: str) -> list[Step]:
    try:
        return field_steps(field)
    except ValueError:
        return []
