"""The cluster whose machines are billed instead of its pods: bill, capacity, and what is idle.

What its pods use is in demand, like that of all others.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date

import numpy as np

from finops_dagster.demo.charges import Book, base_texts, resource_id, usage_texts
from finops_dagster.demo.company import CLUSTERS, Cluster, tags_of
from finops_dagster.demo.demand import GIB, MIB, Series, Timeline, workload_series
from finops_dagster.demo.focus import Template
from finops_dagster.demo.noise import Ints, stream
from finops_dagster.demo.plan import Plan
from finops_dagster.demo.seasons import day_number, day_of, minutes_of, month_end

OPERATED_BY = "platform-sre"
_EC2 = ("Amazon Elastic Compute Cloud", "Compute", "Virtual Machines")
_EKS = ("Amazon Elastic Kubernetes Service", "Compute", "Containers")
_EBS = ("Amazon Elastic Block Store", "Storage", "Block Storage")
_ELB = ("Elastic Load Balancing", "Networking", "Network Routing")
_HOURS = 24 * 10_000
_EKS_PRICE = 100_000
"""Published: 0.10 an hour of a cluster."""
_ELB_PRICE = 25_200
_ROOT_GIB = 80
_PRICES = {"cpu": 0.031611, "memory": 0.004237, "gpu": 0.95}
"""What a core, a GiB and a GPU count for beside each other: the defaults of OpenCost."""


def clusters() -> list[Cluster]:
    """Those whose machines are billed."""
    return [cluster for cluster in CLUSTERS.values() if cluster.pools]


def machines(cluster: Cluster) -> Iterator[tuple[str, int]]:
    """Name of each machine and the number of its pool."""
    for number, pool in enumerate(cluster.pools):
        for one in range(pool.count):
            key = stream(0, f"{cluster.name}/{pool.name}/{one}")
            at = [(key >> shift) % 250 + 2 for shift in (0, 16)]
            yield f"ip-10-20-{at[0]}-{at[1]}.{cluster.region}.compute.internal", number


def add_cluster(book: Book, cluster: Cluster, days: Ints) -> None:
    """Add machines, their disks, the control plane and a load balancer of each day."""
    owned = {f"kubernetes.io/cluster/{cluster.name}": "owned"}
    length = np.array([month_end(int(n)) - day_number(day_of(int(n)).replace(day=1)) for n in days])
    disk = np.rint(_ROOT_GIB * 10_000 / length).astype(np.int64)
    hours = np.full(len(days), _HOURS, dtype=np.int64)
    for name, number in machines(cluster):
        pool = cluster.pools[number]
        instance = f"i-{stream(0, name) % 16**12:017x}"
        nodegroup = {"eks:cluster-name": cluster.name, "eks:nodegroup-name": pool.name}
        _add(
            book,
            cluster,
            days,
            hours,
            pool.price,
            _EC2,
            f"{pool.type} hours",
            "Hours",
            ("ec2", f"instance/{instance}", instance, "Virtual Machine"),
            owned | nodegroup,
        )
        volume = f"vol-{stream(1, name) % 16**12:017x}"
        _add(
            book,
            cluster,
            days,
            disk,
            cluster.storage_price,
            _EBS,
            "Storage GiB-months",
            "GiB-Months",
            ("ec2", f"volume/{volume}", volume, "Volume"),
            owned,
        )
    _add(
        book,
        cluster,
        days,
        hours,
        _EKS_PRICE,
        _EKS,
        "Cluster hours",
        "Hours",
        ("eks", f"cluster/{cluster.name}", cluster.name, "Kubernetes Cluster"),
        {"aws:eks:cluster-name": cluster.name},
    )
    balancer = f"{cluster.name}-ingress"
    _add(
        book,
        cluster,
        days,
        hours,
        _ELB_PRICE,
        _ELB,
        "Load balancer hours",
        "Hours",
        ("elasticloadbalancing", f"loadbalancer/{balancer}", balancer, "Load Balancer"),
        owned,
    )


def _add(
    book: Book,
    cluster: Cluster,
    days: Ints,
    quantity: Ints,
    price: int,
    service: tuple[str, str, str],
    meter: str,
    unit: str,
    resource: tuple[str, str, str, str],
    tags: dict[str, str],
) -> None:
    kind, path, name, type_ = resource
    provider = cluster.provider
    template = Template(
        texts={
            **base_texts(provider, cluster.account, cluster.region),
            **usage_texts(service, meter, unit, f"{cluster.region}-{meter.replace(' ', '-')}"),
            "ChargeDescription": f"{meter} of {cluster.name}",
            "ResourceId": resource_id(provider.key, cluster.account, cluster.region, kind, path),
            "ResourceName": name,
            "ResourceType": type_,
        },
        tags=tags | tags_of(provider.tag_style, OPERATED_BY, "prod"),
    )
    book.add(template, days, quantity, np.full(len(days), price, dtype=np.int64))


def capacity_series(cluster: Cluster, minutes: Ints) -> list[Series]:
    """What kube-state-metrics says that each machine has, in all and for pods."""
    found = []
    for name, number in machines(cluster):
        pool = cluster.pools[number]
        has = {"cpu": float(pool.cores), "memory": pool.memory_gib * GIB, "gpu": float(pool.gpus)}
        kept = {"cpu": pool.reserved_millis / 1000, "memory": pool.reserved_mib * MIB, "gpu": 0.0}
        for resource, amount in has.items():
            if not amount:
                continue
            for side, value in (("capacity", amount), ("allocatable", amount - kept[resource])):
                metric = f"kube_node_status_{side}_{resource}"
                values = np.full(len(minutes), value)
                found.append(Series(metric, cluster.name, "", "Node", name, "", values))
    return found


def idle_share(
    plan: Plan, timeline: Timeline, cluster: Cluster, day: date, step: int
) -> dict[str, float]:
    """Which shares of a day's machines pods held, nobody held, and the system kept.

    Held is, at each time, the larger of requested and used, container by container; a share of
    the whole is that of CPU, memory and GPUs, each as it counts by its price.
    """
    minutes = minutes_of(day, day, step)
    held = dict.fromkeys(_PRICES, 0.0)
    for workload in plan.workloads:
        if workload.cluster is not cluster:
            continue
        series: dict[str, dict[str, np.ndarray]] = {}
        for one in workload_series(plan.seed, workload, timeline, minutes, step):
            series.setdefault(one.container, {})[one.metric] = np.nan_to_num(one.values)
        for of in series.values():
            for resource, used, unit in (
                ("cpu", "container_cpu_usage_seconds_total", 1.0),
                ("memory", "container_memory_working_set_bytes", GIB),
                ("gpu", "", 1.0),
            ):
                asked = of.get(f"kube_pod_container_resource_requests_{resource}")
                if asked is not None:
                    held[resource] += float(np.maximum(asked, of.get(used, 0.0)).mean()) / unit
    has = {
        "cpu": float(sum(pool.count * pool.cores for pool in cluster.pools)),
        "memory": float(sum(pool.count * pool.memory_gib for pool in cluster.pools)),
        "gpu": float(sum(pool.count * pool.gpus for pool in cluster.pools)),
    }
    kept = {
        "cpu": sum(pool.count * pool.reserved_millis for pool in cluster.pools) / 1000,
        "memory": sum(pool.count * pool.reserved_mib for pool in cluster.pools) / 1024,
        "gpu": 0.0,
    }
    value = {resource: has[resource] * price for resource, price in _PRICES.items()}
    whole = sum(value.values())
    free = {resource: has[resource] - kept[resource] for resource in has}
    shares = {
        "used": {resource: min(held[resource], free[resource]) for resource in has},
        "idle": {resource: max(free[resource] - held[resource], 0.0) for resource in has},
        "overhead": kept,
    }
    return {
        part: sum(value[r] / whole * amounts[r] / has[r] for r in has)
        for part, amounts in shares.items()
    }
