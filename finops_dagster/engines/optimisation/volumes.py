"""Volumes that are billed and hold nothing, or that nothing mounts.

What runs is judged elsewhere.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

import pandas as pd

from finops_dagster.domain.decisions import Abstained, Finding, FindingKind
from finops_dagster.domain.money import NO_CARBON, MoneyRange
from finops_dagster.engines.optimisation.ground import Ground
from finops_dagster.engines.optimisation.profiles import wilson_upper
from finops_dagster.engines.optimisation.quantities import GIB

EMPTY_VOLUME_SHARE = 0.01
"""A fresh file system's own bookkeeping takes less than 1 % of the volume."""


@dataclass(frozen=True)
class Volumes:
    """What was found of the volumes of a part of an estate."""

    billed: list[str]
    measured: bool
    """Whether any is."""
    findings: list[Finding]
    abstained: list[Abstained]


def unused_volumes(ground: Ground) -> Volumes:
    """UNUSED_VOLUME for volumes billed all window long that hold nothing or are not mounted.

    A kubelet reports a volume only while a pod mounts it. So a billed volume without a single
    sample is unmounted, provided that volumes are reported at all (`together`).
    """
    rows = ground.window.rows
    volumes = rows.loc[rows["volume_capacity_bytes"].notna() | rows["volume_used_bytes"].notna()]
    seen = {
        str(resource): group
        for resource, group in volumes.loc[volumes["kind"] == "PersistentVolumeClaim"].groupby(
            "resource", observed=True
        )
    }
    billed = [
        r for r in ground.prices.resources("storage") if r.startswith("PersistentVolumeClaim/")
    ]
    findings: list[Finding] = []
    abstained: list[Abstained] = []
    for resource in sorted(set(billed) | set(seen)):
        group = seen.get(resource)
        if group is not None and not _empty(group, ground):
            continue
        why = ground.prices.why_not(resource, "storage")
        days = ground.prices.days(resource, "storage")
        if why or days < ground.config.min_history_days:
            reason = why or f"looks unused, but billed on {days} days only"
            abstained.append(Abstained(subject=resource, reason=reason))
            continue
        cost = ground.prices.cost_per_month(resource, ("storage",))
        if cost is not None:
            findings.append(_unused(ground, resource, group, cost, days))
    return Volumes(billed, not volumes.empty, findings, abstained)


def together(parts: Sequence[Volumes]) -> tuple[list[Finding], list[Abstained]]:
    """What all parts of an estate found; nothing is unmounted where no volume is measured."""
    if any(part.measured for part in parts):
        return (
            [one for part in parts for one in part.findings],
            [one for part in parts for one in part.abstained],
        )
    reason = "billed, but no volume of the estate is measured"
    return [], [Abstained(subject=name, reason=reason) for part in parts for name in part.billed]


def _empty(group: pd.DataFrame, ground: Ground) -> bool:
    """Mounted, measured long enough, and never filled beyond a file system's own bookkeeping."""
    span = group["time"].max() - group["time"].min()
    if span + timedelta(hours=1) < timedelta(days=ground.config.min_history_days):
        return False
    capacity = float(group["volume_capacity_bytes"].max())
    used = float(group["volume_used_bytes"].max())
    return bool(capacity > 0 and used <= EMPTY_VOLUME_SHARE * capacity)


def _unused(
    ground: Ground, resource: str, group: pd.DataFrame | None, cost: MoneyRange, days: int
) -> Finding:
    figures = {"days_billed": float(days)}
    if group is None:
        reason = f"Billed on {days} days and mounted by nothing in {ground.window.days} days."
    else:
        used = float(group["volume_used_bytes"].max()) / GIB
        capacity = float(group["volume_capacity_bytes"].max()) / GIB
        figures |= {"used_gib_max": used, "capacity_gib": capacity}
        reason = (
            f"Holds at most {used:.2g} of {capacity:.3g} GiB in {ground.window.days} days, "
            f"no more than an empty file system."
        )
    return ground.finding(
        FindingKind.UNUSED_VOLUME,
        resource,
        value=None,
        proposed="",
        saving=cost,
        carbon=NO_CARBON,
        risk=wilson_upper(0.0, float(days)),
        confidence=min(1.0, days / ground.window.days),
        samples=0 if group is None else len(group),
        figures=figures,
        reason=reason,
        rule="unused volume rule",
        wrong_if="it is mounted less often than the days measured, or kept for what is on it",
    )
