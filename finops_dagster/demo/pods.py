"""Charges of pods and volumes, billed one by one as Fargate, ACI and GKE Autopilot do.

Everything else that is billed is elsewhere.
"""

from __future__ import annotations

import numpy as np

from finops_dagster.demo.charges import Book, base_texts, resource_id, usage_texts
from finops_dagster.demo.company import GPU_PRICES, Cluster, tags_of
from finops_dagster.demo.demand import Timeline, cron_running, replicas_at
from finops_dagster.demo.focus import Template
from finops_dagster.demo.noise import Floats, Ints
from finops_dagster.demo.plan import Claim, Workload
from finops_dagster.demo.seasons import HOUR_MINUTES, day_number, day_of, month_end
from finops_dagster.demo.volumes import Claims, claim_size


def pod_tags(
    cluster: Cluster,
    namespace: str,
    kind: str,
    name: str,
    team: str | None,
    environment: str,
    missing: frozenset[str] = frozenset(),
) -> dict[str, str]:
    """Tags of a pod-billed charge: where it ran, and who owns it where that is labelled."""
    tags = {
        "k8s-cluster": cluster.name,
        "k8s-namespace": namespace,
        "k8s-workload-kind": kind,
        "k8s-workload-name": name,
    }
    if team is not None:
        known = frozenset({"team", "environment", "business_unit", "cost_center"}) - {
            label.replace("-", "_") for label in missing
        }
        tags |= tags_of(cluster.provider.tag_style, team, environment, only=known)
    return tags


def _pod_template(
    workload: Workload, meter: str, unit: str, sku: str, service: tuple[str, str, str]
) -> Template:
    cluster, spec = workload.cluster, workload.spec
    provider = cluster.provider
    # What was started by hand carries no owner.
    team = None if workload.namespace == "ml-sandbox" else spec.team
    path = f"workload/{cluster.name}/{workload.namespace}/{spec.kind.lower()}/{spec.name}"
    return Template(
        texts={
            **base_texts(provider, cluster.account, cluster.region),
            **usage_texts(service, meter, unit, sku),
            "ChargeDescription": f"{meter} of {workload.namespace}/{spec.name}",
            "ResourceId": resource_id(
                provider.key, cluster.account, cluster.region, "kubernetes", path
            ),
            "ResourceName": spec.name,
            "ResourceType": "Kubernetes Workload",
        },
        tags=pod_tags(
            cluster,
            workload.namespace,
            spec.kind,
            spec.name,
            team,
            workload.environment,
            spec.missing_labels,
        ),
    )


def pod_hours(
    seed: int, workload: Workload, timeline: Timeline, minutes: Ints
) -> dict[str, Floats]:
    """vCPU-, GiB- and GPU-hours of a workload on each day, from hourly `minutes`."""
    replicas, sizings, of = replicas_at(seed, workload, timeline, minutes)
    count = len(sizings)
    running = cron_running(workload, minutes, HOUR_MINUTES)
    hours = np.bincount(of, weights=np.nan_to_num(replicas) * running, minlength=count)
    cpu = np.array(
        [sum(c.cpu_millis for c in s.containers) / 1000.0 if s else 0.0 for s in sizings]
    )
    memory = np.array(
        [sum(c.memory_mib for c in s.containers) / 1024.0 if s else 0.0 for s in sizings]
    )
    gpus = np.array([float(sum(c.gpus for c in s.containers)) if s else 0.0 for s in sizings])
    return {"vCPU-hours": hours * cpu, "GiB-hours": hours * memory, "GPU-hours": hours * gpus}


def add_workload(
    book: Book, seed: int, workload: Workload, timeline: Timeline, minutes: Ints, days: Ints
) -> None:
    """Add a workload's vCPU-, GiB- and GPU-hours of each day."""
    cluster = workload.cluster
    amounts = pod_hours(seed, workload, timeline, minutes)
    prices = {
        "vCPU-hours": ("vCPU-Hours", cluster.cpu_price),
        "GiB-hours": ("GiB-Hours", cluster.memory_price),
        "GPU-hours": ("GPU-Hours", GPU_PRICES.get(workload.spec.gpu or "", 0)),
    }
    service = (cluster.service, "Compute", "Containers")
    for meter, (unit, price) in prices.items():
        quantity = np.rint(amounts[meter] * 10_000).astype(np.int64)
        at = np.flatnonzero(quantity)
        if not len(at):
            continue
        sku = (
            f"{cluster.region}-{unit}-{workload.spec.gpu}"
            if meter == "GPU-hours"
            else (f"{cluster.region}-{unit}")
        )
        template = _pod_template(workload, meter, unit, sku, service)
        book.add(template, days[at], quantity[at], np.full(len(at), price, dtype=np.int64))


_DISKS = {
    "aws": ("Amazon Elastic Block Store", "Storage", "Block Storage"),
    "azure": ("Azure Disk Storage", "Storage", "Block Storage"),
    "gcp": ("Persistent Disk", "Storage", "Block Storage"),
}


def add_claim(book: Book, claim: Claim, claims: Claims, days: Ints) -> None:
    """Add the volume's GiB-months of each day: its size over the days of the month."""
    sizes = np.array([claim_size(claim, claims, day_of(int(number))) or 0 for number in days])
    at = np.flatnonzero(sizes)
    if not len(at):
        return
    cluster = claim.cluster
    length = np.array(
        [month_end(int(n)) - day_number(day_of(int(n)).replace(day=1)) for n in days[at]]
    )
    quantity = np.rint(sizes[at] * 10_000 / length).astype(np.int64)
    template = Template(
        texts={
            **base_texts(book.provider, cluster.account, cluster.region),
            **usage_texts(
                _DISKS[book.provider.key],
                "Storage GiB-months",
                "GiB-Months",
                f"{cluster.region}-disk",
            ),
            "ChargeDescription": f"Volume {claim.namespace}/{claim.name}",
            "ResourceId": resource_id(
                book.provider.key,
                cluster.account,
                cluster.region,
                "disk",
                f"volume/pvc-{claim.namespace}-{claim.name}",
            ),
            "ResourceName": claim.name,
            "ResourceType": "Kubernetes Volume",
        },
        tags=pod_tags(
            cluster, claim.namespace, "PersistentVolumeClaim", claim.name, claim.team, "prod"
        ),
    )
    price = np.full(len(at), cluster.storage_price, dtype=np.int64)
    book.add(template, days[at], quantity, price)
