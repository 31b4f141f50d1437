"""Workloads that run without being declared, and declared ones that nobody measures.

What the declared and measured ones should request is judged elsewhere.
"""

from __future__ import annotations

from decimal import Decimal

from finops_dagster.domain.decisions import Abstained, Finding, FindingKind
from finops_dagster.domain.money import NO_CARBON, MoneyRange
from finops_dagster.engines.optimisation.ground import Ground
from finops_dagster.engines.optimisation.idle import COMPUTE, Activity

MIN_DAYS = 1.0
"""Less is a rollout, a debugging session or a job."""


def undeclared(ground: Ground, use: Activity) -> Finding | Abstained | None:
    """UNDECLARED_WORKLOAD for one that ran a day or more and that no declaration matches.

    What to do with it (declare it, or stop it) is for its owner to say: the saving is from
    nothing to its whole cost, and its middle is nothing.
    """
    if use.days < MIN_DAYS:
        return None
    if use.resource in ground.unsure:
        return Abstained(
            subject=use.resource,
            reason=f"may be declared, or not: {ground.unsure[use.resource]}",
        )
    if use.resource not in ground.undeclared:
        return None
    cost = ground.prices.cost_per_month(use.resource, COMPUTE)
    if cost is None:
        return Abstained(
            subject=use.resource,
            reason="runs without being declared, and no charges of its own price it",
        )
    gpu = use.frame["gpu"].dropna()
    figures = {"days_seen": use.days, "cost_per_month": float(cost.mid)}
    if use.frame["cpu"].notna().any():
        figures["cpu_mean_cores"] = float(use.frame["cpu"].mean())
    if len(gpu):
        figures["gpu_utilisation_percent_mean"] = float(gpu.mean())
    return ground.finding(
        FindingKind.UNDECLARED_WORKLOAD,
        use.resource,
        value=None,
        proposed="",
        saving=MoneyRange(
            low=min(Decimal(0), cost.mid),
            mid=Decimal(0),
            high=max(Decimal(0), cost.mid),
            currency=cost.currency,
        ),
        carbon=NO_CARBON,
        risk=0.0,
        confidence=use.coverage,
        samples=len(use.frame),
        figures=figures,
        reason=f"Ran on {use.days:.0f} of the last {ground.window.days} days"
        f"{' with GPUs' if len(gpu) else ''}, and no manifest declares it.",
        rule="undeclared rule",
        wrong_if="it is declared in a repository that is not read",
    )


def unmeasured(ground: Ground, measured: frozenset[str]) -> list[Abstained]:
    """Every declared workload with a request that was not measured once in the window."""
    declared = {resource for resource, _, what in ground.declared if what != "replicas"}
    return [
        Abstained(
            subject=resource,
            reason=f"declared, but not measured in the last {ground.window.days} days",
        )
        for resource in sorted(declared - measured)
    ]
