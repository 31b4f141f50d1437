"""GPUs that are used, and so little that fewer, a part of one or a cheaper model would do.

GPUs that do nothing are idle, which is judged elsewhere. Nothing smaller is proposed of what was
not measured: memory that does not fit ends a program.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np
import yaml

from finops_dagster.domain.decisions import Abstained, Finding, FindingKind
from finops_dagster.domain.money import NO_CARBON
from finops_dagster.engines.optimisation.gpu_declared import GPU_RESOURCE, DeclaredGpus
from finops_dagster.engines.optimisation.gpu_needs import Need, need_of
from finops_dagster.engines.optimisation.gpu_sharing import Shared, Sharer, share
from finops_dagster.engines.optimisation.gpu_smaller import cheaper
from finops_dagster.engines.optimisation.gpu_types import gpu_type
from finops_dagster.engines.optimisation.gpu_use import gpu_uses
from finops_dagster.engines.optimisation.ground import Declared, Ground
from finops_dagster.engines.optimisation.inputs import FindResult, take
from finops_dagster.engines.optimisation.prices import times
from finops_dagster.engines.optimisation.profiles import wilson_upper
from finops_dagster.engines.optimisation.rules import RULES, Tier

MIN_SAVING_SHARE = 0.1
"""A cheaper model is told where it saves so much of the cost: less is no reason to move."""


def underused_gpus(
    ground: Ground,
    declared: Mapping[str, DeclaredGpus],
    ratios: Mapping[str, Mapping[str, float]] | None = None,
) -> FindResult:
    """UNDERUSED_GPU of workloads that serve; jobs are left to run as fast as they were asked to.

    Fewer GPUs where a replica has several; else a part of one beside others, or else a cheaper
    model. `ratios`: of `gpu_smaller.price_ratios`.
    """
    offers = ratios or {}
    findings: list[Finding] = []
    abstained: list[Abstained] = []
    sharers: list[tuple[Need, Sharer]] = []
    for use in gpu_uses(ground):
        need = need_of(ground, use, declared.get(use.resource, DeclaredGpus()))
        if isinstance(need, Abstained):
            abstained.append(need)
            continue
        if need is None:
            continue
        judged = _fewer(ground, need) if need.gpus > 1 else _part(need)
        if isinstance(judged, Sharer):
            sharers.append((need, judged))
            continue
        if need.gpus == 1:
            judged = _smaller(ground, need, declared, offers) or judged
        _take(judged, findings, abstained)
    needs = {need.resource: need for need, _ in sharers}
    for shared in share([one for _, one in sharers]):
        need = needs[shared.sharer.resource]
        told = _of_shared(ground, need, shared)
        if isinstance(told, Abstained):
            told = _smaller(ground, need, declared, offers) or told
        _take(told, findings, abstained)
    return FindResult(findings=findings, abstained=abstained)


def _take(
    judged: Finding | Abstained | None, findings: list[Finding], abstained: list[Abstained]
) -> None:
    take(judged, findings, abstained)


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
        figures={
            "gpus": float(n),
            "gpus_needed": float(count),
            "gpu_busy_needed_percent": need.busy,
            "gpu_busy_limit_percent": 50.0 if n & (n - 1) == 0 else 100 * (n - 1) / n,
        },
        reason=f"Of {n} GPUs a replica it needs {need.busy * n / 100:.2g}, headroom included, and "
        f"{need.memory_of_all / need.capacity:.2g} for its memory: {count} would do.",
        wrong_if="its program expects so many GPUs, or answers too slowly on fewer",
    )
    if value is None:
        finding = finding.model_copy(update={"suggestion": _limits(GPU_RESOURCE, count)})
    return finding


def _part(need: Need) -> Abstained | Sharer | None:
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
        return Sharer(need.resource, group, need.replicas, size, fits[0].name)
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
    return Sharer(need.resource, f"{group}|turns", need.replicas, size, "")


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


def _smaller(
    ground: Ground,
    need: Need,
    declared: Mapping[str, DeclaredGpus],
    offers: Mapping[str, Mapping[str, float]],
) -> Finding | None:
    """A cheaper model that other charges of the bill show a price of."""
    if need.kind is None or not np.isfinite(need.memory_of_one):
        return None
    found = cheaper(need.kind, need.busy, need.memory_of_one, offers.get(need.resource, {}))
    if found is None or found.price_ratio > 1 - MIN_SAVING_SHARE:
        return None
    finding = _finding(
        ground,
        need,
        value=None,
        proposed="",
        share=1 - found.price_ratio,
        figures={"price_of_present": found.price_ratio, "gpu_busy_percent_after": found.busy},
        reason=f"It needs {need.busy:.0f} % of its {need.kind.name}, headroom included: a "
        f"{found.kind.name} would be busy for {found.busy:.0f} %, holds its memory, and costs "
        f"{found.price_ratio:.0%} of that in this bill.",
        wrong_if="its program is built for the present model, or single answers must be as fast",
    )
    key = need.declared.model_key
    labels = sorted(
        {one.model for one in declared.values()
         if one.model_key == key and gpu_type(one.model) == found.kind}
    )  # fmt: skip
    text = _yaml({"nodeSelector": {key: labels[0]}}) if key and labels else ""
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
