"""Workloads, GPUs and volumes that nobody uses, and workloads used only in some hours.

Precision comes first: what was not measured is never called idle.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

import numpy as np
import pandas as pd

from finops_dagster.domain.decisions import Abstained, Finding, FindingKind
from finops_dagster.domain.money import MoneyRange
from finops_dagster.engines.optimisation.carbon import NO_CARBON, add
from finops_dagster.engines.optimisation.ground import Ground
from finops_dagster.engines.optimisation.history import Peak
from finops_dagster.engines.optimisation.prices import minus, times
from finops_dagster.engines.optimisation.profiles import NOT_WORKLOADS, wilson_upper
from finops_dagster.engines.optimisation.quantities import GIB
from finops_dagster.engines.optimisation.rules import Tier, tier_of

COMPUTE = ("cpu", "memory", "gpu")
STOPPABLE = frozenset({"Deployment", "StatefulSet", "InferenceService", "ReplicaSet", "Rollout"})
"""Kinds that run for their own sake; a DaemonSet or CronJob waits for work by design."""

IDLE_CPU_SHARE = 0.05
IDLE_NETWORK_BYTES_PER_SECOND = 1000.0
"""OptScale's abandoned instance: CPU under 5 % and network under 1000 B/s for 7 days. Held here
against the 99th percentile over the whole window, not the mean."""
IDLE_GPU_PERCENT = 2.0
IDLE_GPU_BLOCK = "4h"
"""Every 4-hour mean under 2 %: on real duty cycles one such block already has precision .79."""
OFF_SHARE = 0.1
"""An hour of the week is off when its P95 of CPU is under so much of the busy level (P95)."""
OFF_MIN_SHARE_OF_WEEK = 0.4
OFF_BUSY_MIN_SHARE_OF_WEEK = 0.05
EMPTY_VOLUME_SHARE = 0.01
"""A fresh file system's own bookkeeping takes less than 1 % of the volume."""
_HOURS_OF_WEEK = 168

_SHORT = {
    "cpu_cores": "cpu",
    "cpu_request_cores": "request",
    "memory_request_bytes": "memory",
    "network_receive_bytes_per_second": "network",
    "gpu_power_watts": "watts",
    "gpu_utilisation_percent": "gpu",
    "interval_seconds": "seconds",
}


@dataclass(frozen=True)
class Activity:
    """One workload's use, one row a time (index `time`): cpu, request, network, gpu, watts."""

    resource: str
    frame: pd.DataFrame
    coverage: float
    seconds: float

    @property
    def times(self) -> pd.DatetimeIndex:
        """Starts of the intervals measured, UTC."""
        return pd.DatetimeIndex(self.frame.index)

    @property
    def days(self) -> float:
        """Days between first and last measurement."""
        span: timedelta = self.times[-1] - self.times[0]
        return span / timedelta(days=1) + self.seconds / 86400


def activities(ground: Ground) -> list[Activity]:
    """The use of each measured workload, summed over its containers."""
    rows = ground.window.rows
    rows = rows.loc[~rows["kind"].isin(NOT_WORKLOADS)]
    groups = rows.groupby(["resource", "time"], sort=True)
    sums = groups[["cpu_cores", "cpu_request_cores", "memory_request_bytes"]].sum(min_count=1)
    highest = groups[["network_receive_bytes_per_second", "gpu_power_watts"]].max()
    others = groups[["gpu_utilisation_percent", "interval_seconds"]].mean()
    grouped = pd.concat([sums, highest, others], axis=1).rename(columns=_SHORT)
    length = (ground.window.end - ground.window.start).total_seconds()
    out = []
    for resource, frame in grouped.groupby(level=0):
        use = frame.droplevel(0)
        known = use["cpu"].notna() | use["gpu"].notna()
        if not known.any():
            continue
        use = use.loc[known]
        seconds = use["seconds"].to_numpy(dtype=float)
        coverage = min(1.0, float(seconds.sum()) / length)
        out.append(Activity(str(resource), use, coverage, float(np.median(seconds))))
    return out


def idle(ground: Ground, use: Activity, before: Peak | None) -> Finding | Abstained | None:
    """IDLE_WORKLOAD or IDLE_GPU where the workload, or its GPUs, did nothing all window long.

    `before`: its highest day of CPU in the two months before, where that is known.
    """
    if not use.resource.startswith(tuple(f"{kind}/" for kind in STOPPABLE)):
        return None
    gpu = bool(use.frame["gpu"].notna().any())
    quiet = _gpu_quiet(use) if gpu else _quiet(use)
    if not quiet:
        return None
    if use.days < ground.config.min_history_days:
        return Abstained(
            subject=use.resource,
            reason=f"looks idle, but measured for {use.days:.1f} days only, "
            f"{ground.config.min_history_days} are needed",
        )
    if use.resource in ground.managed:
        return Abstained(
            subject=use.resource,
            reason=f"looks idle, but {ground.managed[use.resource]} sets its scale",
        )
    if not gpu and before and before.amount > IDLE_CPU_SHARE * _mean(use.frame["request"]):
        return Abstained(
            subject=use.resource,
            reason=f"looks idle, but worked on {before.day}, which may come back",
        )
    cost = ground.prices.cost_per_month(use.resource, COMPUTE)
    if cost is None:
        return Abstained(
            subject=use.resource,
            reason="looks idle, but no charges of its own in one currency price it",
        )
    hours = use.times.floor("h").nunique()
    figures, reason = _idle_words(use, gpu)
    value = ground.declared.get((use.resource, "", "replicas"))
    if value is not None and value.amount is not None and value.amount <= 0:
        value = None
    carbon = ground.carbon.reserved(
        use.resource, _mean(use.frame["request"]), _mean(use.frame["memory"])
    )
    if gpu:
        watts = use.frame["watts"].resample("D").mean().to_numpy(dtype=float)
        carbon = add(carbon, ground.carbon.measured(use.resource, watts))
    return ground.finding(
        FindingKind.IDLE_GPU if gpu else FindingKind.IDLE_WORKLOAD,
        use.resource,
        value=value,
        proposed="0",
        saving=cost,
        carbon=carbon,
        risk=wilson_upper(0.0, hours),
        confidence=use.coverage,
        samples=len(use.frame),
        figures=figures,
        reason=reason,
        rule="idle rule",
    )


def _gpu_quiet(use: Activity) -> bool:
    blocks = use.frame["gpu"].resample(IDLE_GPU_BLOCK).mean().dropna()
    return bool(len(blocks) and (blocks < IDLE_GPU_PERCENT).all())


def _quiet(use: Activity) -> bool:
    """CPU and network both measured and both next to nothing, at the 99th percentile."""
    cpu, request, network = use.frame["cpu"], use.frame["request"], use.frame["network"]
    if network.notna().mean() < 0.5 or not _mean(request) > 0:
        return False
    return bool(
        cpu.quantile(0.99) < IDLE_CPU_SHARE * _mean(request)
        and network.quantile(0.99) < IDLE_NETWORK_BYTES_PER_SECOND
    )


def _idle_words(use: Activity, gpu: bool) -> tuple[dict[str, float], str]:
    days = f"{use.days:.0f} days"
    if gpu:
        blocks = use.frame["gpu"].resample(IDLE_GPU_BLOCK).mean()
        figures = {
            "gpu_utilisation_percent_mean": _mean(use.frame["gpu"]),
            "gpu_utilisation_percent_highest_4h_mean": float(blocks.max()),
            "gpu_utilisation_percent_max": float(use.frame["gpu"].max()),
        }
        highest = figures["gpu_utilisation_percent_highest_4h_mean"]
        return figures, (
            f"Its GPUs were never busier than {highest:.2g} % over any 4 hours of {days}."
        )
    figures = {
        "cpu_p99_cores": float(use.frame["cpu"].quantile(0.99)),
        "cpu_request_cores": _mean(use.frame["request"]),
        "network_p99_bytes_per_second": float(use.frame["network"].quantile(0.99)),
    }
    return figures, (
        f"99 % of the time over {days} it used under {figures['cpu_p99_cores']:.2g} of "
        f"{figures['cpu_request_cores']:.2g} cores requested and received under "
        f"{figures['network_p99_bytes_per_second']:.0f} bytes a second."
    )


def _mean(values: pd.Series) -> float:
    return float(values.mean()) if values.notna().any() else 0.0


def off_hours(ground: Ground, use: Activity, sized: MoneyRange | None) -> Finding | None:
    """OFF_HOURS where a non-production workload sleeps in the same hours of every week.

    `sized` is what sizing already saves on the workload: it is taken off first, so that the two
    savings are never above the cost.
    """
    tier = tier_of(ground.environment(use.resource))
    cost = ground.prices.cost_per_month(use.resource, COMPUTE)
    if tier is Tier.PRODUCTION or use.resource in ground.managed or cost is None:
        return None
    if use.days < 13.5 or not use.resource.startswith(tuple(f"{k}/" for k in STOPPABLE)):
        return None
    hour = use.times.dayofweek * 24 + use.times.hour
    by_hour = use.frame["cpu"].groupby(hour).quantile(0.95).reindex(range(_HOURS_OF_WEEK))
    # a weekly pattern takes every hour of the week, each seen in two weeks
    seen = use.frame["cpu"].groupby([hour, use.times.floor("D")]).size()
    if by_hour.isna().any() or (seen.groupby(level=0).size() < 2).any():
        return None
    busy = float(by_hour.quantile(0.95))
    off = (by_hour < OFF_SHARE * busy).to_numpy()
    share = float(off.mean())
    if busy <= 0 or not OFF_MIN_SHARE_OF_WEEK <= share <= 1 - OFF_BUSY_MIN_SHARE_OF_WEEK:
        return None
    if sized is not None and sized.currency == cost.currency:
        cost = minus(cost, sized)
    on_hours = np.flatnonzero(~off)
    return ground.finding(
        FindingKind.OFF_HOURS,
        use.resource,
        value=None,
        proposed="",
        saving=times(cost, share),
        carbon=ground.carbon.reserved(
            use.resource, _mean(use.frame["request"]) * share, _mean(use.frame["memory"]) * share
        ),
        risk=wilson_upper(0.0, float(use.times.floor("h").nunique()) * share),
        confidence=use.coverage,
        samples=len(use.frame),
        figures={
            "off_share_of_week": share,
            "busy_cores": busy,
            "off_p95_cores": float(by_hour[off].max()),
        },
        reason=f"In {share:.0%} of the hours of the week nobody uses it; it is used on "
        f"{_days_of(on_hours)}, {_span_of(on_hours)} UTC.",
        rule="weekly pattern rule",
    )


_NAMES = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")


def _days_of(hours: np.ndarray) -> str:
    days = sorted(set((hours // 24).tolist()))
    return ", ".join(_NAMES[d] for d in days)


def _span_of(hours: np.ndarray) -> str:
    of_day = hours % 24
    return f"between {int(of_day.min()):02d}:00 and {int(of_day.max()) + 1:02d}:00"


def unused_volumes(ground: Ground) -> tuple[list[Finding], list[Abstained]]:
    """UNUSED_VOLUME for volumes billed all window long that hold nothing or are not mounted.

    A kubelet reports a volume only while a pod mounts it. So a billed volume without a single
    sample is unmounted, provided that volumes are reported at all.
    """
    rows = ground.window.rows
    volumes = rows.loc[rows["volume_capacity_bytes"].notna() | rows["volume_used_bytes"].notna()]
    seen = {
        str(resource): group
        for resource, group in volumes.loc[volumes["kind"] == "PersistentVolumeClaim"].groupby(
            "resource"
        )
    }
    billed = [
        r for r in ground.prices.resources("storage") if r.startswith("PersistentVolumeClaim/")
    ]
    findings: list[Finding] = []
    abstained: list[Abstained] = []
    for resource in sorted(set(billed) | set(seen)):
        group = seen.get(resource)
        if group is None and volumes.empty:
            reason = "billed, but no volume of the estate is measured"
            abstained.append(Abstained(subject=resource, reason=reason))
            continue
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
    return findings, abstained


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
    )
