"""GPUs that are used, and so little that fewer of them, or a part of one, would do.

GPUs that do nothing are idle, which is judged elsewhere. Nothing smaller is proposed of what was
not measured: memory that does not fit ends a program.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import yaml

from finops_dagster.domain.decisions import Abstained, Finding, FindingKind
from finops_dagster.engines.optimisation.carbon import NO_CARBON
from finops_dagster.engines.optimisation.gpu_declared import GPU_RESOURCE, DeclaredGpus
from finops_dagster.engines.optimisation.gpu_sharing import Shared, Sharer, share
from finops_dagster.engines.optimisation.gpu_types import GpuType, gpu_type
from finops_dagster.engines.optimisation.gpu_use import GpuUse, gpu_uses
from finops_dagster.engines.optimisation.ground import Declared, Ground
from finops_dagster.engines.optimisation.idle import IDLE_GPU_BLOCK, IDLE_GPU_PERCENT, STOPPABLE
from finops_dagster.engines.optimisation.inputs import FindResult
from finops_dagster.engines.optimisation.prices import times
from finops_dagster.engines.optimisation.profiles import wilson_upper
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


def underused_gpus(ground: Ground, declared: Mapping[str, DeclaredGpus]) -> FindResult:
    """UNDERUSED_GPU of workloads that serve; jobs are left to run as fast as they were asked to.

    Need: the quantile and headroom that the environment asks of CPU, and never less than the
    busiest interval; of memory the peak with its headroom.
    """
    findings: list[Finding] = []
    abstained: list[Abstained] = []
    sharers: list[tuple[Need, Sharer]] = []
    for use in gpu_uses(ground):
        judged = _judged(ground, use, declared.get(use.resource, DeclaredGpus()))
        if isinstance(judged, Abstained):
            abstained.append(judged)
        elif isinstance(judged, Finding):
            findings.append(judged)
        elif judged is not None:
            sharers.append(judged)
    needs = {need.resource: need for need, _ in sharers}
    for shared in share([one for _, one in sharers]):
        judged = _of_shared(ground, needs[shared.sharer.resource], shared)
        if isinstance(judged, Finding):
            findings.append(judged)
        else:
            abstained.append(judged)
    return FindResult(findings=findings, abstained=abstained)


def _judged(
    ground: Ground, use: GpuUse, declared: DeclaredGpus
) -> Finding | Abstained | tuple[Need, Sharer] | None:
    """What can be told of one workload alone; a Sharer where it fits beside others."""
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
    need = Need(
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
    return _fewer(ground, need) if gpus > 1 else _part(need)


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


def _fewer(ground: Ground, need: Need) -> Finding | Abstained | None:
    """Fewer GPUs a replica: as many as hold the work and the memory of all together."""
    if not np.isfinite(need.memory_of_all) or not np.isfinite(need.capacity):
        reason = "fewer GPUs could do its work, but whether its memory fits them is not measured"
        return Abstained(subject=need.resource, reason=reason)
    n = need.gpus
    least = max(
        math.ceil(need.busy * n / 100),
        math.ceil(need.memory_of_all / need.capacity),
        math.ceil(n * (1 - ground.config.max_change_share)),
        1,
    )
    # programs split their work in halves: eight become four, two or one
    count = 1 << (least - 1).bit_length() if n & (n - 1) == 0 else least
    if count >= n:
        return None
    declared = need.declared
    value = declared.values[0] if len(declared.values) == 1 and not declared.counted else None
    finding = _finding(
        ground,
        need,
        value=value,
        proposed=str(count),
        share=(n - count) / n,
        figures={"gpus": float(n), "gpus_needed": float(count)},
        reason=f"Of {n} GPUs a replica it needs {need.busy * n / 100:.2g}, headroom included, and "
        f"{need.memory_of_all / need.capacity:.2g} for its memory: {count} would do.",
        wrong_if="its program expects so many GPUs, or answers too slowly on fewer",
    )
    if value is None:
        finding = finding.model_copy(update={"suggestion": _limits(GPU_RESOURCE, count)})
    return finding


def _part(need: Need) -> Abstained | tuple[Need, Sharer] | None:
    """Whether a part of its one GPU would do, beside others on the same one."""
    if not np.isfinite(need.memory_of_one):
        reason = "a part of a GPU could do its work, but its GPU memory is not measured"
        return Abstained(subject=need.resource, reason=reason)
    kind = need.kind
    group = f"{need.use.cluster}|{kind.name if kind else need.declared.model}"
    if kind is not None and kind.parts:
        fits = [
            part
            for part in kind.parts
            if need.busy / 100 <= part.compute / kind.compute_slices
            and need.memory_of_one <= kind.memory_mib * part.memory / kind.memory_slices
        ]
        if not fits:
            return None
        size = fits[0].compute / kind.compute_slices, fits[0].memory / kind.memory_slices
        group = f"{group}|{need.tier}"
        return need, Sharer(need.resource, group, need.replicas, size, fits[0].name)
    if need.tier is not Tier.DEVELOPMENT:
        reason = (
            f"a part of a GPU could do its work, but {kind.name} cannot be partitioned, and "
            "sharing in turns is for development"
            if kind
            else "a part of a GPU could do its work, but which model it is, is not known"
        )
        return Abstained(subject=need.resource, reason=reason)
    if not np.isfinite(need.capacity) or not need.declared.model:
        reason = "a part of a GPU could do its work, but which model it is, is not known"
        return Abstained(subject=need.resource, reason=reason)
    size = need.busy / 100, need.memory_of_one / need.capacity
    return need, Sharer(need.resource, f"{group}|turns", need.replicas, size, "")


def _of_shared(ground: Ground, need: Need, shared: Shared) -> Finding | Abstained:
    part = shared.sharer.part
    what = f"{part} of its GPU" if part else "a share of its GPU's time"
    if not shared.freed:
        reason = f"{what} would do, but nothing is found to share a GPU with, so none is saved"
        return Abstained(subject=need.resource, reason=reason)
    others = ", ".join(name for name in shared.others[:3])
    finding = _finding(
        ground,
        need,
        value=None,
        proposed="",
        share=shared.freed,
        figures={
            "gpus_before": float(shared.before),
            "gpus_after": float(shared.after),
            "gpu_memory_needed_mib": need.memory_of_one,
        },
        reason=f"It needs {need.busy:.0f} % of its GPU, headroom included: {what} would do, beside "
        f"{others}; {shared.before} GPUs become {shared.after}.",
        wrong_if="answers must be as fast as on a whole GPU: single ones take longer on a part",
    )
    if part:
        text = _limits(f"nvidia.com/mig-{part}", 1)
    else:
        turns = {"name": GPU_RESOURCE, "replicas": shared.together}
        text = _yaml({"version": "v1", "sharing": {"timeSlicing": {"resources": [turns]}}})
    return finding.model_copy(update={"suggestion": text})


def _finding(
    ground: Ground,
    need: Need,
    *,
    value: Declared | None,
    proposed: str,
    share: float,
    figures: dict[str, float],
    reason: str,
    wrong_if: str,
) -> Finding:
    use = need.use
    cost = ground.prices.cost_per_month(need.resource, ("gpu",))
    assert cost is not None, "why_not was asked"
    rule = RULES[need.tier]
    known = {
        "gpu_busy_percent_quantile": float(use.frame["busy"].quantile(rule.cpu_quantile)),
        "gpu_busy_percent_max": float(use.frame["busy"].max()),
        "gpu_memory_mib_max_of_one": use.memory_of_one(),
        "gpu_memory_mib_of_one_gpu": need.capacity,
    }
    finding = ground.finding(
        FindingKind.UNDERUSED_GPU,
        need.resource,
        value=value,
        proposed=proposed,
        saving=times(cost, share),
        carbon=NO_CARBON,
        risk=wilson_upper(0.0, use.hours),
        confidence=use.coverage,
        samples=len(use.frame),
        figures=figures | {name: v for name, v in known.items() if np.isfinite(v)},
        reason=reason,
        rule="underused GPU rule",
    )
    return finding.model_copy(update={"wrong_if": wrong_if})


def _limits(resource: str, count: int) -> str:
    return _yaml({"resources": {"limits": {resource: count}}})


def _yaml(content: object) -> str:
    return str(yaml.safe_dump(content, sort_keys=False))
