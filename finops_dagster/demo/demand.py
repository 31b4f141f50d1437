"""What each workload asks of its machines over time, given what is declared on each day.

Amounts are cores, bytes, percent and watts as exporters report them; no file is written here.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from functools import lru_cache

import numpy as np

from finops_dagster.demo.company import GPU_WATTS
from finops_dagster.demo.noise import Floats, Ints, normal, smooth, stream, uniform
from finops_dagster.demo.plan import Sizing, Workload
from finops_dagster.demo.seasons import (
    AS_OF,
    DAY_MINUTES,
    FINE_MINUTES,
    HOUR_MINUTES,
    day_of,
    growth,
    minutes_of,
    profile,
)

MIB = 1024.0 * 1024.0
GIB = 1024.0 * MIB
HPA_TARGET = 0.65
"""CPU use at which the autoscalers aim, as a share of the request."""
CALIBRATION_DAYS = 31
"""Days in which a peak is looked for: any such window holds the end of a month."""
_BURST_SHARE = 0.015
_BURST_SIZE = 0.12

Timeline = Mapping[str, tuple[tuple[date, Sizing | None], ...]]
"""Resource -> changes of its declared values, oldest first: from which day, and to what.
None is a resource that the desired state no longer declares."""


@dataclass(frozen=True)
class Series:
    """One metric of one resource over the times asked for; NaN where nothing ran."""

    metric: str
    cluster: str
    namespace: str
    kind: str
    name: str
    container: str
    values: Floats


def sizing_on(workload: Workload, timeline: Timeline, day: date) -> Sizing | None:
    """What is declared of `workload` on `day`; None before it existed and after it is gone."""
    if day < workload.first_day:
        return None
    current: Sizing | None = workload.declared
    for end, earlier in workload.earlier:
        if day < end:
            current = earlier
            break
    for since, changed in timeline.get(workload.resource, ()):
        if day >= since:
            current = changed
    return current


def relative_demand(seed: int, workload: Workload, minutes: Ints, step: int) -> Floats:
    """CPU demand relative to a peak of about 1 at AS_OF."""
    key = stream(seed, f"{workload.resource}/cpu")
    level = profile(workload.profile, minutes) * growth(
        minutes // DAY_MINUTES, workload.spec.growth
    )
    level = level * np.exp(
        0.035 * smooth(key, minutes, 9 * DAY_MINUTES)
        + 0.025 * smooth(key + 1, minutes, DAY_MINUTES)
    )
    hour = minutes // HOUR_MINUTES
    burst = (uniform(key + 2, hour) < _BURST_SHARE) * _BURST_SIZE * uniform(key + 3, hour)
    if step < HOUR_MINUTES:
        # A burst fills the first part of its hour; an hourly mean sees it diluted.
        inside = (minutes % HOUR_MINUTES) < 15 + 40 * uniform(key + 4, hour)
        burst = burst * inside
    else:
        burst = burst * 0.6
    jitter = (0.030 if step < HOUR_MINUTES else 0.008) * normal(key + 5, minutes // step)
    result: Floats = level * (1.0 + burst) * np.maximum(1.0 + jitter, 0.05)
    return result


def releases(seed: int, workload: Workload, minutes: Ints) -> tuple[Ints, Floats]:
    """Number of the weekly release that runs at each time, and the share of its week gone by."""
    week = 7 * DAY_MINUTES
    key = stream(seed, f"{workload.resource}/memory")
    offset = int(uniform(key, np.zeros(1, dtype=np.int64))[0] * week)
    return (minutes + offset) // week, ((minutes + offset) % week) / week


def _relative_memory(seed: int, workload: Workload, minutes: Ints, step: int) -> Floats:
    key = stream(seed, f"{workload.resource}/memory")
    # Caches fill from one release to the next.
    filled = releases(seed, workload, minutes)[1]
    busy = profile(workload.profile, minutes)
    result: Floats = (
        0.84
        + 0.06 * np.sqrt(filled)
        + 0.05 * np.minimum(busy, 1.0)
        + 0.012 * smooth(key + 1, minutes, 5 * DAY_MINUTES)
        + (0.004 if step < HOUR_MINUTES else 0.002) * normal(key + 2, minutes // step)
    )
    return result


@lru_cache(maxsize=256)
def _scales(seed: int, workload: Workload) -> tuple[float, float]:
    """Cores and bytes (one pod) that the relative demands of 1 stand for.

    They are set so that over the last days before AS_OF declared request over peak need is the
    ratio in the plan. An under-provisioned one is measured at its 99th percentile.
    """
    minutes = minutes_of(AS_OF - timedelta(days=CALIBRATION_DAYS - 1), AS_OF, FINE_MINUTES)
    declared, truth = workload.declared, workload.truth
    demand = relative_demand(seed, workload, minutes, FINE_MINUTES)
    peak = float(np.quantile(demand, 0.99) if truth.cpu_ratio < 1.0 else demand.max())
    cores = declared.main.cpu_millis / 1000.0
    if declared.hpa:
        cpu = cores * (declared.hpa[1] - 1) * HPA_TARGET / peak
    else:
        cpu = cores * declared.replicas / (truth.cpu_ratio * peak)
    if truth.idle:
        cpu = 0.004 * cores / peak
    if truth.idle_gpu:
        # The work moved to the CPU, or to another service, and the GPU was kept.
        cpu = cpu * 0.9
    memory = _relative_memory(seed, workload, minutes, FINE_MINUTES)
    need = float(np.quantile(memory, 0.99) if truth.memory_ratio < 1.0 else memory.max())
    return cpu, declared.main.memory_mib * MIB / (truth.memory_ratio * need)


def cron_running(workload: Workload, minutes: Ints, step: int) -> Floats:
    """Share of each interval in which a CronJob's pod runs; 1 for everything else."""
    spec = workload.spec
    if spec.kind != "CronJob":
        return np.ones(len(minutes))
    start = spec.cron_hour * HOUR_MINUTES
    of_day = minutes % DAY_MINUTES
    inside = (of_day >= start) & (of_day + step <= start + max(spec.cron_minutes, step))
    return inside.astype(np.float64)


def replicas_at(
    seed: int, workload: Workload, timeline: Timeline, minutes: Ints
) -> tuple[Floats, list[Sizing | None], Ints]:
    """Replicas at each time, the sizing of each day, and which day each time is in."""
    day_index = minutes // DAY_MINUTES
    first = int(day_index[0])
    sizings = [
        sizing_on(workload, timeline, day_of(number))
        for number in range(first, int(day_index[-1]) + 1)
    ]
    of = day_index - first
    fixed = np.array([float(s.replicas) if s else np.nan for s in sizings])[of]
    if not any(s and s.hpa for s in sizings):
        return fixed, sizings, of
    hours = (minutes // HOUR_MINUTES) * HOUR_MINUTES
    demand = relative_demand(seed, workload, hours, HOUR_MINUTES) * _scales(seed, workload)[0]
    cores = np.array([s.main.cpu_millis / 1000.0 if s else np.nan for s in sizings])[of]
    low = np.array([float(s.hpa[0]) if s and s.hpa else np.nan for s in sizings])[of]
    high = np.array([float(s.hpa[1]) if s and s.hpa else np.nan for s in sizings])[of]
    wanted = np.ceil(demand / (HPA_TARGET * cores))
    return np.where(np.isnan(low), fixed, np.clip(wanted, low, high)), sizings, of


def per_day(values: list[float | None], of: Ints) -> Floats:
    table = np.array([np.nan if value is None else value for value in values])
    result: Floats = table[of]
    return result


def workload_series(
    seed: int, workload: Workload, timeline: Timeline, minutes: Ints, step: int
) -> list[Series]:
    """Every metric of one workload at the times asked for."""
    replicas, sizings, of = replicas_at(seed, workload, timeline, minutes)
    running = cron_running(workload, minutes, step)
    pods = np.where(running > 0, replicas, np.nan)
    up = np.where(pods > 0, 1.0, np.nan)
    cpu_scale, memory_scale = _scales(seed, workload)
    found: list[Series] = []

    def add(metric: str, container: str, values: Floats) -> None:
        if not np.isnan(values).all():
            found.append(
                Series(
                    metric,
                    workload.cluster.name,
                    workload.namespace,
                    workload.spec.kind,
                    workload.spec.name,
                    container,
                    values,
                )
            )

    demand = relative_demand(seed, workload, minutes, step) * cpu_scale
    memory = _relative_memory(seed, workload, minutes, step) * memory_scale
    names = [container.name for container in workload.declared.containers]
    for position, name in enumerate(names):
        declared = [
            next((c for c in s.containers if c.name == name), None) if s else None for s in sizings
        ]
        request = per_day([c.cpu_millis / 1000.0 if c else None for c in declared], of)
        memory_request = per_day([c.memory_mib * MIB if c else None for c in declared], of)
        limit = per_day(
            [c.memory_limit_mib * MIB if c and c.memory_limit_mib else None for c in declared], of
        )
        cpu_limit = per_day(
            [c.cpu_limit_millis / 1000.0 if c and c.cpu_limit_millis else None for c in declared],
            of,
        )
        cpu = demand if position == 0 else _sidecar_cpu(seed, workload, minutes, step, pods)
        used = memory * pods if position == 0 else _sidecar_memory(seed, workload, minutes, pods)
        cpu = np.fmin(cpu, cpu_limit * pods)
        used = np.fmin(used, limit * pods)
        add("container_cpu_usage_seconds_total", name, cpu * up)
        add("container_memory_working_set_bytes", name, np.floor(used) * up)
        add("kube_pod_container_resource_requests_cpu", name, request * pods * up)
        add("kube_pod_container_resource_requests_memory", name, memory_request * pods * up)
        add("kube_pod_container_resource_limits_memory", name, limit * pods * up)
        gpus = per_day([float(c.gpus) if c and c.gpus else None for c in declared], of)
        add("kube_pod_container_resource_requests_gpu", name, gpus * pods * up)
    add("kube_deployment_spec_replicas", "", pods)
    if workload.spec.network:
        traffic = demand / cpu_scale * (40.0 if workload.truth.idle else 2.2e6)
        add("container_network_receive_bytes_total", "", np.floor(traffic) * up)
    if workload.spec.gpu:
        utilisation = _gpu(seed, workload, minutes, step)
        idle_watts, limit_watts, mib = GPU_WATTS[workload.spec.gpu]
        add("DCGM_FI_DEV_GPU_UTIL", names[0], np.round(utilisation, 2) * up)
        watts = idle_watts + (limit_watts - idle_watts) * 0.85 * utilisation / 100.0
        add("DCGM_FI_DEV_POWER_USAGE", names[0], np.round(watts, 2) * pods)
        loaded = 0.06 if workload.truth.idle_gpu else 0.72
        add("DCGM_FI_DEV_FB_USED", names[0], np.full(len(minutes), np.floor(mib * loaded)) * up)
    return found


def _sidecar_cpu(seed: int, workload: Workload, minutes: Ints, step: int, pods: Floats) -> Floats:
    key = stream(seed, f"{workload.resource}/sidecar")
    share = 0.45 + 0.35 * profile(workload.profile, minutes)
    sidecar = workload.declared.containers[1].cpu_millis / 1000.0
    result: Floats = share * (1.0 + 0.03 * normal(key, minutes // step)) * sidecar * pods
    return result


def _sidecar_memory(seed: int, workload: Workload, minutes: Ints, pods: Floats) -> Floats:
    key = stream(seed, f"{workload.resource}/sidecar-memory")
    sidecar = workload.declared.containers[1].memory_mib * MIB
    result: Floats = (0.84 + 0.015 * smooth(key, minutes, DAY_MINUTES)) * sidecar * pods
    return result


def _gpu(seed: int, workload: Workload, minutes: Ints, step: int) -> Floats:
    """GPU busy percent, mean over the workload's GPUs."""
    key = stream(seed, f"{workload.resource}/gpu")
    if workload.truth.idle_gpu:
        # A health check now and then, never work.
        probe = uniform(key, minutes // step) < 0.02
        result: Floats = np.where(probe, 0.4, 0.0)
        return result
    busy = 88.0 * np.minimum(relative_demand(seed, workload, minutes, step), 1.05)
    result = np.clip(busy + 4.0 * normal(key + 1, minutes // step), 3.0, 99.0)
    return result
