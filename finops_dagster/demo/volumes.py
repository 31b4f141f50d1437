"""Volumes and virtual machines as kubelet and node exporter report them over time.

What containers use is in demand.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date

import numpy as np

from finops_dagster.demo.demand import GIB, MIB, Series, per_day
from finops_dagster.demo.noise import Ints, normal, smooth, stream
from finops_dagster.demo.plan import Claim
from finops_dagster.demo.seasons import DAY_MINUTES, day_of, growth, profile, workday

Claims = Mapping[str, tuple[tuple[date, int | None], ...]]
"""Claim -> changes of its GiB, oldest first; None from when it is declared no more."""


def claim_size(claim: Claim, claims: Claims, day: date) -> int | None:
    """GiB that a claim declares on `day`; None before it existed and after it is gone."""
    if day < claim.first_day:
        return None
    size: int | None = claim.size_gib
    for since, changed in claims.get(claim.resource, ()):
        if day >= since:
            size = changed
    return size


def claim_series(seed: int, claim: Claim, claims: Claims, minutes: Ints) -> list[Series]:
    """What kubelet reports of a mounted volume; nothing of one that no pod mounts."""
    if claim.use == "unmounted":
        return []
    days = minutes // DAY_MINUTES
    sizes = [claim_size(claim, claims, day_of(n)) for n in range(int(days[0]), int(days[-1]) + 1)]
    if all(size is None for size in sizes):
        return []
    # A file system takes its own share of the volume.
    capacity = (
        0.98 * GIB * per_day([None if s is None else float(s) for s in sizes], days - days[0])
    )
    if claim.use == "empty":
        used = np.full(len(minutes), 28.0 * MIB)
    else:
        key = stream(seed, f"{claim.resource}/used")
        level = 0.62 * growth(days, 0.25)
        share = np.clip(level + 0.02 * smooth(key, minutes, 3 * DAY_MINUTES), 0.05, 0.97)
        used = np.minimum(claim.size_gib * GIB * share, capacity)
    return [
        Series(
            metric,
            claim.cluster.name,
            claim.namespace,
            "PersistentVolumeClaim",
            claim.name,
            "",
            np.floor(values) + 0.0 * capacity,
        )
        for metric, values in (
            ("kubelet_volume_stats_used_bytes", used),
            ("kubelet_volume_stats_capacity_bytes", capacity),
        )
    ]


def node_series(
    seed: int, name: str, place: str, cores: int, memory_gib: int, minutes: Ints, step: int
) -> list[Series]:
    """Node exporter's view of one virtual machine."""
    key = stream(seed, f"Node/{name}")
    days = workday(minutes // DAY_MINUTES)
    busy = profile("office", minutes) * (0.9 + 0.1 * days)
    level = 0.55 * busy * np.exp(0.08 * smooth(key, minutes, 2 * DAY_MINUTES))
    jitter = np.maximum(1.0 + 0.05 * normal(key + 1, minutes // step), 0.2)
    cpu = np.minimum(cores * level * jitter, float(cores))
    free = memory_gib * GIB * (0.38 + 0.04 * smooth(key + 2, minutes, DAY_MINUTES))
    return [
        Series("node_cpu_seconds_total", place, "", "Node", name, "", cpu),
        Series("node_memory_MemAvailable_bytes", place, "", "Node", name, "", np.floor(free)),
    ]
