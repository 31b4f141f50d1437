"""Workloads and GPUs that nobody uses.

Precision comes first: what was not measured is never called idle. Volumes and hours of the week
are judged elsewhere.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta

import numpy as np
import pandas as pd
import yaml

from finops_dagster.domain.decisions import Abstained, Finding, FindingKind
from finops_dagster.engines.known import Floats
from finops_dagster.engines.optimisation.carbon import add
from finops_dagster.engines.optimisation.ground import Ground
from finops_dagster.engines.optimisation.grouped import bounds, highest, means, quantile, sums
from finops_dagster.engines.optimisation.history import Peak
from finops_dagster.engines.optimisation.profiles import wilson_upper
from finops_dagster.engines.optimisation.window import NOT_WORKLOADS

COMPUTE = ("cpu", "memory", "gpu")
STOPPABLE = frozenset(
    {"Deployment", "StatefulSet", "InferenceService", "ReplicaSet", "Rollout", "Notebook"}
)
"""Kinds that run for their own sake; a DaemonSet or CronJob waits for work by design."""

IDLE_CPU_SHARE = 0.05
IDLE_NETWORK_BYTES_PER_SECOND = 1000.0
"""OptScale's abandoned instance: CPU under 5 % and network under 1000 B/s for 7 days. Held here
against the 99th percentile over the whole window, not the mean."""
IDLE_GPU_PERCENT = 2.0
IDLE_GPU_BLOCK = "4h"
"""Every 4-hour mean under 2 %: on real duty cycles one such block already has precision .79."""
MIN_HOURS_SINCE_BUSY = 2.0
"""Without a busy sample for 2 hours the next hour is idle too with precision .95 on real duty
cycles: what was busy since is not to be stopped today, however little it does."""
_OF_MOMENT: dict[str, tuple[str, Callable[[Floats, np.ndarray, int], Floats]]] = {
    "cpu_cores": ("cpu", sums),
    "cpu_request_cores": ("request", sums),
    "memory_request_bytes": ("memory", sums),
    "network_receive_bytes_per_second": ("network", highest),
    "gpu_power_watts": ("watts", highest),
    "gpu_utilisation_percent": ("gpu", means),
    "interval_seconds": ("seconds", means),
    "replicas": ("replicas", highest),
}
"""Column -> its name in `Activity`, and how a workload's containers make one figure."""


@dataclass(frozen=True)
class Activity:
    """One workload's use, one row a time (index `time`): cpu, request, network, gpu, watts,
    replicas.
    """

    resource: str
    frame: pd.DataFrame
    coverage: float
    seconds: float

    @property
    def times(self) -> pd.DatetimeIndex:
        """Starts of the intervals measured, UTC."""
        return pd.DatetimeIndex(self.frame.index)

    def mean(self, column: str) -> float:
        """Mean of what is known of a column, 0 where nothing is."""
        values = self.frame[column].to_numpy(dtype=float)
        known = values[~np.isnan(values)]
        return float(known.mean()) if known.size else 0.0

    @property
    def days(self) -> float:
        """Days between first and last measurement."""
        span: timedelta = self.times[-1] - self.times[0]
        return span / timedelta(days=1) + self.seconds / 86400

    @property
    def days_seen(self) -> int:
        """Days on which anything was measured: fewer than `days` where there are gaps."""
        return self.times.floor("D").nunique()


def activities(ground: Ground) -> list[Activity]:
    """The use of each measured workload, summed over its containers."""
    rows = ground.window.rows
    others = rows["kind"].isin(NOT_WORKLOADS)
    rows = rows.loc[~others] if others.any() else rows
    if rows.empty:
        return []
    of = rows["moment"].to_numpy()
    count = int(of.max()) + 1
    table = {
        short: figure(rows[column].to_numpy(dtype=float), of, count)
        for column, (short, figure) in _OF_MOMENT.items()
    }
    known = np.flatnonzero(~(np.isnan(table["cpu"]) & np.isnan(table["gpu"])))
    place = np.empty(count, dtype=np.int64)
    place[of] = np.arange(len(of))
    of_known = rows.iloc[place[known]]
    resource = of_known["resource"].cat
    times = pd.DatetimeIndex(of_known["time"], name="time")
    figures = np.stack([one[known] for one in table.values()])
    length = (ground.window.end - ground.window.start).total_seconds()
    out = []
    ends = bounds(resource.codes.to_numpy(), len(resource.categories))
    for name, start, end in zip(resource.categories, ends[:-1], ends[1:], strict=True):
        if start < end:
            part = figures[:, start:end].T
            frame = pd.DataFrame(part, index=times[start:end], columns=list(table), copy=False)
            seconds = frame["seconds"].to_numpy()
            coverage = min(1.0, float(seconds.sum()) / length)
            out.append(Activity(str(name), frame, coverage, float(np.median(seconds))))
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
    if use.days_seen < ground.config.min_history_days:
        return Abstained(
            subject=use.resource,
            reason=f"looks idle, but measured on {use.days_seen} days of {use.days:.0f} only",
        )
    since_busy = _hours_since_busy(use) if gpu else 0.0
    if gpu and since_busy < MIN_HOURS_SINCE_BUSY:
        return Abstained(
            subject=use.resource,
            reason=f"its GPUs look idle, but were busy {since_busy:.1f} hours before the last "
            "sample",
        )
    if use.resource in ground.managed:
        return Abstained(
            subject=use.resource,
            reason=f"looks idle, but {ground.managed[use.resource]} sets its scale",
        )
    if not gpu and before and before.amount > IDLE_CPU_SHARE * use.mean("request"):
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
    if gpu:
        figures["hours_since_busy"] = since_busy
        reason = f"{reason} No sample was busy in the last {since_busy:.0f} hours."
    if use.resource in ground.notebooks:
        reason = f"An abandoned notebook: {reason[0].lower()}{reason[1:]}"
    value = ground.declared.get((use.resource, "", "replicas"))
    if value is not None and value.amount is not None and value.amount <= 0:
        value = None
    carbon = ground.carbon.reserved(use.resource, use.mean("request"), use.mean("memory"))
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
        suggestion=_stopped(ground, use.resource),
        wrong_if="it is needed less often than the days measured, or kept ready on purpose",
    )


def _stopped(ground: Ground, resource: str) -> str:
    """What stops a notebook of Kubeflow, whose replicas are its controller's to set; else nothing.

    Its controller runs none while the annotation is there, and its volume stays.
    """
    kind, _, rest = resource.partition("/")
    if kind != "Notebook" and f"Notebook/{rest}" not in ground.resources:
        return ""
    annotation = {"kubeflow-resource-stopped": f"{ground.as_of.isoformat()}T00:00:00Z"}
    return str(yaml.safe_dump({"metadata": {"annotations": annotation}}, sort_keys=False))


def _gpu_quiet(use: Activity) -> bool:
    blocks = use.frame["gpu"].resample(IDLE_GPU_BLOCK).mean().dropna()
    return bool(len(blocks) and (blocks < IDLE_GPU_PERCENT).all())


def _hours_since_busy(use: Activity) -> float:
    """From the last busy sample, or else the first of all, to the end of the last one."""
    gpu = use.frame["gpu"].dropna()
    times, busy = pd.DatetimeIndex(gpu.index), pd.DatetimeIndex(gpu.index[gpu >= IDLE_GPU_PERCENT])
    since: timedelta = times[-1] - (busy[-1] if len(busy) else times[0])
    return since / timedelta(hours=1) + (0 if len(busy) else use.seconds / 3600)


def _quiet(use: Activity) -> bool:
    """CPU and network both measured and both next to nothing, at the 99th percentile."""
    cpu, network = (use.frame[name].to_numpy() for name in ("cpu", "network"))
    request = use.mean("request")
    if np.isnan(network).mean() > 0.5 or not request > 0:
        return False
    return (
        quantile(cpu, 0.99) < IDLE_CPU_SHARE * request
        and quantile(network, 0.99) < IDLE_NETWORK_BYTES_PER_SECOND
    )


def _idle_words(use: Activity, gpu: bool) -> tuple[dict[str, float], str]:
    days = f"{use.days:.0f} days"
    if gpu:
        blocks = use.frame["gpu"].resample(IDLE_GPU_BLOCK).mean()
        figures = {
            "gpu_utilisation_percent_mean": use.mean("gpu"),
            "gpu_utilisation_percent_highest_4h_mean": float(blocks.max()),
            "gpu_utilisation_percent_max": float(use.frame["gpu"].max()),
        }
        highest = figures["gpu_utilisation_percent_highest_4h_mean"]
        return figures, (
            f"Its GPUs were never busier than {highest:.2g} % over any 4 hours of {days}."
        )
    figures = {
        "cpu_p99_cores": quantile(use.frame["cpu"].to_numpy(), 0.99),
        "cpu_request_cores": use.mean("request"),
        "network_p99_bytes_per_second": quantile(use.frame["network"].to_numpy(), 0.99),
    }
    return figures, (
        f"99 % of the time over {days} it used under {figures['cpu_p99_cores']:.2g} of "
        f"{figures['cpu_request_cores']:.2g} cores requested and received under "
        f"{figures['network_p99_bytes_per_second']:.0f} bytes a second."
    )
