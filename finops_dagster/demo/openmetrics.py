"""The estate as its exporters show it to Prometheus: one OpenMetrics text of raw series.

Which pods there were is in replicas, what they used in demand and volumes; how a series is written
as text is in exposition.

Summed over replicas, and counters taken as rates over each five minutes, it says what `telemetry/`
says. Samples lie on the grid of those intervals: a gauge holds from its sample on, a counter has
counted what was before it. So the slope between two samples of a counter is the estate's value, and
no sample of a pod that is gone lies inside an interval in which it is not.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date, timedelta
from pathlib import Path

import numpy as np

from finops_dagster.demo.cloud import Machine
from finops_dagster.demo.demand import Series, Timeline, workload_series
from finops_dagster.demo.exposition import Exposition, Labels
from finops_dagster.demo.meters import MACHINES
from finops_dagster.demo.nodes import capacity_series, clusters
from finops_dagster.demo.noise import Floats, Ints, stream, uniform
from finops_dagster.demo.plan import Claim, Plan, Workload
from finops_dagster.demo.replicas import LONGEST_LIFE_DAYS, Pod, controller, pods_of
from finops_dagster.demo.seasons import DAY_MINUTES, FINE_MINUTES, minutes_of
from finops_dagster.demo.volumes import Claims, claim_series, node_series

_UNEVEN_CPU = 0.2
_UNEVEN_MEMORY = 0.025
"""How far replicas are apart from their middle. No pod so passes its memory limit: plan leaves 5 %,
and none is more than twice this above the mean."""
_MODES = (("user", 0.7), ("system", 0.3))
_COUNT = "kube_deployment_spec_replicas"
"""By which the estate counts the replicas of every kind."""
_REPLICAS = {
    "StatefulSet": ("kube_statefulset_replicas", "statefulset"),
    "DaemonSet": ("kube_daemonset_status_desired_number_scheduled", "daemonset"),
    "CronJob": ("kube_cronjob_status_active", "cronjob"),
}
"""Kind -> (metric that counts its replicas, label of its name); all others are Deployments."""
_OF_CONTAINERS = ("container_cpu_usage_seconds_total", "container_memory_working_set_bytes")
"""What cAdvisor shows of each container, and of the pod's own cgroup without a container's name: a
sum, which whoever adds containers up must leave out."""
_DECLARED = {
    "kube_pod_container_resource_requests_cpu": ("requests", "cpu", "core"),
    "kube_pod_container_resource_requests_memory": ("requests", "memory", "byte"),
    "kube_pod_container_resource_requests_gpu": ("requests", "nvidia_com_gpu", "integer"),
    "kube_pod_container_resource_limits_memory": ("limits", "memory", "byte"),
}
"""Metric of the estate -> (what is declared, of which resource, in which unit) in
kube-state-metrics."""


@dataclass(frozen=True)
class Written:
    """What an OpenMetrics text holds, counted."""

    pods: int
    """Pods, each counted once; how many there are at a time is fewer."""
    series: int
    samples: int


def enlarged(
    plan: Plan, timeline: Timeline, claims: Claims, copies: int
) -> tuple[Plan, Timeline, Claims]:
    """The estate `copies` times over, for load: copy 2 of a namespace is called NAMESPACE-2.

    A copy declares what the first declares, and has demand of its own.
    """
    workloads, volumes = list(plan.workloads), list(plan.claims)
    changes, sizes = dict(timeline), dict(claims)
    for number in range(2, copies + 1):
        for workload in plan.workloads:
            copy = replace(workload, namespace=f"{workload.namespace}-{number}")
            workloads.append(copy)
            changes[copy.resource] = timeline.get(workload.resource, ())
        for claim in plan.claims:
            volume = replace(claim, namespace=f"{claim.namespace}-{number}")
            volumes.append(volume)
            sizes[volume.resource] = claims.get(claim.resource, ())
    return replace(plan, workloads=tuple(workloads), claims=tuple(volumes)), changes, sizes


def write_openmetrics(
    out: Path,
    plan: Plan,
    timeline: Timeline,
    claims: Claims,
    first: date,
    last: date,
    scrape_seconds: int = FINE_MINUTES * 60,
) -> Written:
    """Write the raw series from `first` to `last` (both included) as one OpenMetrics file.

    `scrape_seconds` must divide five minutes; inside an interval gauges stay and counters grow
    evenly. Memory is that of one workload, whatever their number; while the file is made it takes
    its size on disk twice. A counter and a pod's name are the same in whatever window they are
    written: each pod is followed from its birth.
    """
    minutes = minutes_of(first - timedelta(days=LONGEST_LIFE_DAYS), last, FINE_MINUTES)
    shown = LONGEST_LIFE_DAYS * DAY_MINUTES // FINE_MINUTES
    pods = 0
    with Exposition(minutes, shown, scrape_seconds, out.parent) as text:
        for workload in plan.workloads:
            pods += _workload(text, plan.seed, workload, timeline, minutes, shown)
        for claim in plan.claims:
            _claim(text, plan.seed, claim, claims, minutes)
        for machine in (one for one in MACHINES if one.exporter):
            _machine(text, plan.seed, machine, minutes)
        for one in (one for cluster in clusters() for one in capacity_series(cluster, minutes)):
            _capacity(text, one)
        text.save(out)
        return Written(pods, text.series, text.samples)


def _workload(
    text: Exposition, seed: int, workload: Workload, timeline: Timeline, minutes: Ints, shown: int
) -> int:
    """Everything of one workload; returns the pods that were there in the time shown."""
    series = workload_series(seed, workload, timeline, minutes, FINE_MINUTES)
    counts = next((one.values for one in series if one.metric == _COUNT), None)
    if counts is None:
        return 0
    labels = {"cluster": workload.cluster.name, "namespace": workload.namespace}
    metric, label = _REPLICAS.get(workload.spec.kind, (_COUNT, "deployment"))
    text.gauge(metric, labels | {label: controller(workload)}, counts)
    pods = pods_of(seed, workload, timeline, counts, minutes)
    pods = [pod for pod in pods if pod.end > shown]
    _owners(text, workload, labels, pods)
    parts = [(one, _parts(seed, one, counts)) for one in series if one.metric != _COUNT]
    for pod in pods:
        of_pod = labels | {"pod": pod.name}
        wholes: dict[str, Floats] = {}
        for one, of_slots in parts:
            values = of_slots[pod.slot][pod.start : pod.end]
            _measured(text, workload, one, of_pod, values, pod)
            if one.metric in _OF_CONTAINERS:
                wholes[one.metric] = wholes.get(one.metric, 0.0) + values
        for metric, values in wholes.items():
            _show(text, metric, of_pod | _cgroup(pod) | {"container": ""}, values, pod.start)
    return len(pods)


def _owners(text: Exposition, workload: Workload, labels: Labels, pods: list[Pod]) -> None:
    """Who owns what: pods, and the ReplicaSets and Jobs between them and their workload."""
    between: dict[str, list[Pod]] = {}
    for pod in pods:
        there = np.ones(pod.end - pod.start)
        owner = {"owner_kind": pod.owner_kind, "owner_name": pod.owner_name}
        text.gauge(
            "kube_pod_owner",
            labels | {"pod": pod.name} | owner | {"owner_is_controller": "true"},
            there,
            pod.start,
        )
        if workload.spec.kind == "InferenceService":
            service = {"label_serving_kserve_io_inferenceservice": workload.spec.name}
            text.gauge("kube_pod_labels", labels | {"pod": pod.name} | service, there, pod.start)
        if pod.owner_kind in ("ReplicaSet", "Job"):
            between.setdefault(pod.owner_name, []).append(pod)
    for name, owned in between.items():
        start, end = min(pod.start for pod in owned), max(pod.end for pod in owned)
        job = owned[0].owner_kind == "Job"
        text.gauge(
            "kube_job_owner" if job else "kube_replicaset_owner",
            labels
            | {
                "job_name" if job else "replicaset": name,
                "owner_kind": "CronJob" if job else "Deployment",
                "owner_name": controller(workload),
                "owner_is_controller": "true",
            },
            np.ones(end - start),
            start,
        )


def _measured(
    text: Exposition, workload: Workload, series: Series, labels: Labels, values: Floats, pod: Pod
) -> None:
    """One metric of one pod, by the name and with the labels of its exporter."""
    metric = series.metric
    if metric in _DECLARED:
        what, resource, unit = _DECLARED[metric]
        text.gauge(
            f"kube_pod_container_resource_{what}",
            labels | {"container": series.container, "resource": resource, "unit": unit},
            values,
            pod.start,
        )
    elif metric in _OF_CONTAINERS:
        of = labels | _cgroup(pod) | {"container": series.container}
        _show(text, metric, of, values, pod.start)
    elif metric == "container_network_receive_bytes_total":
        _show(text, metric, labels | _cgroup(pod) | {"interface": "eth0"}, values, pod.start)
    elif metric.startswith("DCGM_"):
        device = {"gpu": "0", "UUID": f"GPU-{pod.name}", "modelName": workload.spec.gpu or ""}
        text.gauge(metric, labels | {"container": series.container} | device, values, pod.start)
    else:
        raise AssertionError(f"no exporter is known to show {metric}")


def _show(text: Exposition, metric: str, labels: Labels, values: Floats, start: int) -> None:
    """Counters are told by their name, as in all of Prometheus."""
    if metric.endswith("_total"):
        text.counter(metric, labels, values, start)
    else:
        text.gauge(metric, labels, values, start)


def _cgroup(pod: Pod) -> Labels:
    """cAdvisor's id: it tells a pod from the one before it that had the same name."""
    return {"id": f"/kubepods/{pod.uid}"}


def _parts(seed: int, series: Series, counts: Floats) -> Floats:
    """What each replica has of a workload's values: slots by times.

    They add up to `series`, and bytes stay whole; of how busy GPUs are the estate tells the mean.
    """
    slots = np.arange(max(int(np.nanmax(counts, initial=0.0)), 1), dtype=np.int64)
    filled = np.where(counts > 0, counts, np.nan)
    if series.metric == "DCGM_FI_DEV_GPU_UTIL":
        return np.tile(series.values, (len(slots), 1))
    if series.metric in _DECLARED or series.metric.startswith("DCGM_"):
        return np.tile(series.values / filled, (len(slots), 1))
    whole = series.metric.endswith("_bytes")
    size = _UNEVEN_MEMORY if whole else _UNEVEN_CPU
    draw = uniform(stream(seed, f"{series.namespace}/{series.name}/replicas"), slots)
    uneven = size * (2.0 * draw - 1.0)
    # Less the mean of those that are there: what one has more, others have less.
    means = np.cumsum(uneven) / (slots + 1)
    mean = means[np.nan_to_num(filled, nan=1.0).astype(np.int64) - 1]
    parts: Floats = series.values / filled * (1.0 + uneven[:, None] - mean)
    if whole:
        parts = np.floor(parts)
        parts[0] = series.values - np.where(slots[1:, None] < counts, parts[1:], 0.0).sum(axis=0)
    return parts


def _claim(text: Exposition, seed: int, claim: Claim, claims: Claims, minutes: Ints) -> None:
    labels = {
        "cluster": claim.cluster.name,
        "namespace": claim.namespace,
        "persistentvolumeclaim": claim.name,
    }
    for one in claim_series(seed, claim, claims, minutes):
        text.gauge(one.metric, labels, one.values)


def _machine(text: Exposition, seed: int, machine: Machine, minutes: Ints) -> None:
    """Node exporter's view: every processor in its modes. Machines restart once a week."""
    labels = {"cluster": machine.cluster, "instance": f"{machine.name}:9100"}
    cpu, memory = node_series(
        seed,
        machine.name,
        machine.cluster,
        machine.cores,
        machine.memory_gib,
        minutes,
        FINE_MINUTES,
    )
    text.gauge(memory.metric, labels, memory.values)
    busy = cpu.values / machine.cores
    week = minutes // (LONGEST_LIFE_DAYS * DAY_MINUTES)
    starts = np.flatnonzero(np.diff(week, prepend=week[0] - 1))
    shares: Mapping[str, Floats] = {
        **{mode: busy * share for mode, share in _MODES},
        "idle": 1.0 - busy,
    }
    for start, end in zip(starts, [*starts[1:], len(minutes)], strict=True):
        for core in range(machine.cores):
            for mode, share in shares.items():
                text.counter(
                    cpu.metric,
                    labels | {"cpu": str(core), "mode": mode},
                    share[start:end],
                    int(start),
                    again=bool(start),
                )


def _capacity(text: Exposition, series: Series) -> None:
    """kube-state-metrics' view of a node: what it has of one resource."""
    metric, _, resource = series.metric.rpartition("_")
    _, resource, unit = _DECLARED[f"kube_pod_container_resource_requests_{resource}"]
    labels = {"cluster": series.cluster, "node": series.name, "resource": resource, "unit": unit}
    text.gauge(metric, labels, series.values)
