"""Findings of sizing, in words and figures.

Which of them is right is judged elsewhere.
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal

from finops_dagster.domain.decisions import Abstained, Finding, FindingKind
from finops_dagster.domain.money import to_decimal
from finops_dagster.engines.optimisation.cases import Case
from finops_dagster.engines.optimisation.doubts import after_kill
from finops_dagster.engines.optimisation.ground import Declared, Ground
from finops_dagster.engines.optimisation.quantities import GIB


def cut(
    ground: Ground, case: Case, proposed: Decimal, late_share: float, risk: float, unlearnt: str
) -> Finding:
    """The finding that `proposed` is enough."""
    wanted = case.wanted()
    step, floor, limit = "", case.floor(ground), case.limit(ground)
    if proposed > wanted:
        step = f"; cut to {case.text(proposed)} now, by at most "
        step += f"{ground.config.max_change_share:.0%} at once"
        if floor is not None and case.neat(floor.amount) == proposed:
            step = f"; {floor.by} allows {case.text(proposed)}"
    reason = (
        f"Container {case.container} requests {case.declared.text} of {case.meter} and needs "
        f"{case.text(wanted)} by {case.by}{step}. Set by the rule on the first two "
        f"thirds of {ground.window.days} days, the size was exceeded in "
        f"{late_share:.2%} of the intervals after."
    )
    kind = FindingKind.RIGHTSIZE_CPU if case.meter == "cpu" else FindingKind.RIGHTSIZE_MEMORY
    wrong_if = "it has a peak that none of the days measured shows, or is about to get more work"
    if limit is not None and limit.amount == case.current:
        wrong_if = (
            f"its class of service must stay Guaranteed (its limit is that too), or {wrong_if}"
        )
    return _finding(
        ground, case, kind, case.declared, proposed, risk, reason, late_share, unlearnt,
        wrong_if=wrong_if, bearing=case.bearing(ground.config.min_change_share),
    )  # fmt: skip


def raised(
    ground: Ground,
    case: Case,
    wanted: Decimal,
    over_share: float,
    risk: float,
    unlearnt: str,
    why: str = "",
    kills: float = 0.0,
) -> Finding:
    """The finding that `wanted` is needed: the edit, where nobody would refuse it.

    `why` it is short: by default that use is over the request. `kills`: how often it was killed
    for want of memory, which would make it short as well.
    """
    cpu = case.meter == "cpu"
    declared = ground.declared.get((case.resource, case.container, f"limits.{case.meter}"))
    limit, value, note = case.limit(ground), case.declared, ""
    edit: Declared | None = value
    if limit is not None and wanted > limit.amount:
        by = limit.by[0].upper() + limit.by[1:]
        # a request above its limit is refused by the API server, and one edit sets one value
        if declared is not None and limit.amount > case.current * Decimal("1.05"):
            wanted = limit.amount
            note = f" {by} holds the request there and is short as well."
        else:
            edit = None
            note = f" {by} must be raised with it, by hand."
    refused = case.refuses(ground, wanted)
    if refused:
        edit = None
        note += f" That is more than {refused}: what gives way is to be settled by hand."
    why = why or (
        f"and used more in {over_share:.1%} of the intervals of {ground.window.days} days"
    )
    reason = (
        f"Container {case.container} requests {value.text} of {case.meter} {why}; "
        f"{_limit_text(declared, wanted, case)} is needed by {case.by}.{note}"
    )
    kind = FindingKind.UNDERPROVISIONED_CPU if cpu else FindingKind.UNDERPROVISIONED_MEMORY
    return _finding(
        ground, case, kind, edit, wanted, risk, reason, over_share, unlearnt, declared,
        bearing={"kills_for_want_of_memory": kills} if kills > 0 else {},
    )  # fmt: skip


def killed(
    ground: Ground, case: Case, kills: float, over_share: float, risk: float, unlearnt: str
) -> Finding | Abstained:
    """What follows from kills for want of memory where use was not over the request.

    At its limit the limit is short, which no edit of the request mends. Without one the machine
    was full, and a pod is spared by requesting what it uses.
    """
    times = f"was killed {max(1, round(kills))} times in {ground.window.days} days"
    limit = case.limit(ground)
    if limit is not None:
        needed = case.text(case.neat(after_kill(limit.amount)))
        return _finding(
            ground,
            case,
            FindingKind.UNDERPROVISIONED_MEMORY,
            None,
            case.current,
            risk,
            f"Container {case.container} {times} for want of memory: {limit.by} must be raised to "
            f"{needed}, by hand, and its request of {case.declared.text} is not to be cut.",
            over_share,
            unlearnt,
        )
    wanted = case.neat(after_kill(to_decimal(float(case.profile["memory_max"]), 0)))
    if wanted > case.current:
        why = f"and {times} for want of memory"
        return raised(ground, case, wanted, over_share, risk, unlearnt, why, kills)
    return Abstained(
        subject=case.subject,
        reason=f"{times} for want of memory, and used less than it requests: what it needs is not "
        "known",
    )


def _limit_text(limit: Declared | None, wanted: Decimal, case: Case) -> str:
    """The text of `wanted`: the limit's own words where that is what it is."""
    if limit is not None and limit.amount == wanted:
        return limit.text
    return case.text(wanted)


def _finding(
    ground: Ground,
    case: Case,
    kind: FindingKind,
    value: Declared | None,
    proposed: Decimal,
    risk: float,
    reason: str,
    exceeded: float,
    unlearnt: str,
    limit: Declared | None = None,
    wrong_if: str = "it uses so much by a fault, which more room would not mend",
    bearing: Mapping[str, float] | None = None,
) -> Finding:
    profile, cpu = case.profile, case.meter == "cpu"
    delta = case.current - proposed
    units = float(delta if cpu else delta / GIB)
    replicas = float(profile["replicas"])
    saving, price = ground.prices.saving(case.resource, case.meter, case.replicas * units)
    cores, size_bytes = (float(delta), 0.0) if cpu else (0.0, float(delta))
    scale, unit = (1.0, "cores") if cpu else (GIB, "gib")
    figures = {
        f"request_{unit}": float(case.current) / scale,
        f"proposed_{unit}": float(proposed) / scale,
        "replicas": replicas,
        f"unit_price_per_{'core' if cpu else 'gib'}_hour": float(price),
        "exceeded_share": exceeded,
        **(bearing or {}),
    }
    if cpu:
        for name, level in (("p50", "0.5"), ("p95", "0.95"), ("p99", "0.99"), ("max", "1")):
            figures[f"{name}_cores"] = float(profile[f"cpu_q{level}"])
    else:
        figures["mean_gib"] = float(profile["memory_mean"]) / GIB
        figures["max_gib"] = float(profile["memory_max"]) / GIB
        figures["drift_gib"] = float(profile["memory_drift"]) / GIB
    return ground.finding(
        kind,
        case.resource,
        value=value,
        proposed=_limit_text(limit, proposed, case),
        saving=saving,
        carbon=ground.carbon.reserved(case.resource, cores * replicas, size_bytes * replicas),
        risk=risk,
        confidence=float(profile["coverage"])
        * float(profile[f"{case.meter}_samples"])
        / float(profile["samples"]),
        samples=int(profile[f"{case.meter}_samples"]),
        figures=figures,
        reason=reason,
        rule=_rule(case, unlearnt),
        wrong_if=wrong_if,
    )


def _rule(case: Case, unlearnt: str) -> str:
    if case.risked is not None:
        return f"risk model: {case.risked.why}"
    if case.meter == "cpu":
        return f"quantile rule, no learnt risk model ({unlearnt}): {case.by}"
    return f"peak rule, no learnt risk model: {case.by}"
