"""What workloads need of their GPUs, headroom included.

How less is given, and what that saves, is decided elsewhere.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from finops_dagster.domain.decisions import Abstained
from finops_dagster.engines.optimisation.gpu_declared import DeclaredGpus
from finops_dagster.engines.optimisation.gpu_types import GpuType, gpu_type
from finops_dagster.engines.optimisation.gpu_use import GpuUse
from finops_dagster.engines.optimisation.ground import Ground
from finops_dagster.engines.optimisation.idle import IDLE_GPU_BLOCK, IDLE_GPU_PERCENT, STOPPABLE
from finops_dagster.engines.optimisation.rules import RULES, Tier, tier_of

LARGEST_PART = 4 / 7
"""A workload that needs more than the largest MIG profile but the whole keeps its GPU."""


@dataclass(frozen=True)
class Need:
    """What a workload needs of its GPUs, headroom included."""

    use: GpuUse
    declared: DeclaredGpus
    tier: Tier
    gpus: int
    """GPUs of one replica."""
    replicas: int
    busy: float
    """Percent of one GPU, each of them as busy as the busiest."""
    memory_of_one: float
    memory_of_all: float
    """MiB of the fullest GPU, and of those of one replica; NaN where not measured."""
    kind: GpuType | None
    capacity: float
    """MiB of one GPU; NaN where not known."""

    @property
    def resource(self) -> str:
        """Whose they are."""
        return self.use.resource


def need_of(ground: Ground, use: GpuUse, declared: DeclaredGpus) -> Need | Abstained | None:
    """What a workload that serves needs, where that is less than it has; None where it is not.

    The quantile and headroom that the environment asks of CPU, and never less than the busiest
    interval; of memory the peak with its headroom.
    """
    busy = use.frame["busy"]
    blocks = busy.resample(IDLE_GPU_BLOCK).mean().dropna()
    if use.resource.partition("/")[0] not in STOPPABLE or (blocks < IDLE_GPU_PERCENT).all():
        return None
    tier = tier_of(ground.environment(use.resource))
    rule = RULES[tier]
    wanted = max(float(busy.quantile(rule.cpu_quantile)) * rule.cpu_headroom, float(busy.max()))
    gpus, replicas = _per_replica(use, declared)
    if gpus is None or wanted >= 100 * _least(gpus):
        return None
    looks = f"its GPUs need {wanted:.0f} % of what they are"
    why = _why_not(ground, use)
    if why:
        return Abstained(subject=use.resource, reason=f"{looks}, but {why}")
    measured = use.capacity()
    kind = gpu_type(declared.model, measured if np.isfinite(measured) else None)
    # of several replicas the sum hides a fuller one: each of its GPUs counts as the fullest
    of_all = use.memory_of_all() if replicas == 1 else use.memory_of_one() * gpus
    return Need(
        use=use,
        declared=declared,
        tier=tier,
        gpus=gpus,
        replicas=replicas,
        busy=wanted,
        memory_of_one=use.memory_of_one() * rule.memory_headroom,
        memory_of_all=of_all * rule.memory_headroom,
        kind=kind,
        capacity=measured if np.isfinite(measured) else (kind.memory_mib if kind else math.nan),
    )


def _per_replica(use: GpuUse, declared: DeclaredGpus) -> tuple[int | None, int]:
    """(GPUs of one replica, replicas); None where that is not known, or slices are shared."""
    whole = use.gpus()
    if not np.isfinite(whole) or whole < 1 or whole != int(whole):
        return None, 1
    replicas = use.frame["replicas"].dropna()
    if declared.count:
        pods = whole / declared.count
    elif len(replicas) and replicas.iloc[-1] >= 1:
        pods = float(replicas.iloc[-1])
    else:
        return None, 1
    if pods < 1 or pods != int(pods) or whole % pods:
        return None, 1
    return int(whole // pods), int(pods)


def _least(gpus: int) -> float:
    """Share of its GPUs under which less may do: the next smaller count, or the largest part."""
    return (gpus - 1) / gpus if gpus > 1 else LARGEST_PART


def _why_not(ground: Ground, use: GpuUse) -> str:
    """Why a workload whose GPUs look underused is not judged; empty where it is."""
    needed = ground.config.min_history_days
    if use.days < needed:
        return f"measured for {use.days:.1f} days only, {needed} are needed"
    if use.resource in ground.managed:
        return f"{ground.managed[use.resource]} sets its scale"
    if use.unmeasured():
        return "not all of them are measured"
    return ground.prices.why_not(use.resource, "gpu")
