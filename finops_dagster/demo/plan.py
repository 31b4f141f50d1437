"""One estate's workloads for a seed: their declared values and what is secretly true of each.

How their demand moves is in demand; how they are written down is in manifests.
"""

from __future__ import annotations

import random
from dataclasses import dataclass, replace
from datetime import date, timedelta

from finops_dagster.demo.catalogue import (
    CLAIMS,
    NODE_CLUSTER,
    NODE_SPECS,
    PAYMENT_TEAMS,
    PROD_CLUSTER,
    SPECS,
    Layout,
    Spec,
)
from finops_dagster.demo.company import CLUSTERS, GPU_PRICES, Cluster
from finops_dagster.demo.seasons import AS_OF

CPU_CHOICES = {"S": (200, 250, 300), "M": (1000, 1200, 1500, 2000), "L": (2000, 2500, 3000, 4000)}
"""Requested millicores a pod by size class: round numbers, as people write them."""
MEMORY_CHOICES = {"S": (256, 384, 512), "M": (1024, 1536, 2048), "L": (4096, 6144, 8192)}
"""Requested MiB a pod by size class."""
GENEROUS_MEMORY = (8192, 12288, 16384)
DEV_AGE_DAYS = 280
"""Days before AS_OF on which the development environments came."""
_ROUND_CPU = (50, 100, 150, 200, 250, 300, 400, 500, 600, 750, 800, 1000, 1200, 1500, 2000, 2500)

DARK_TEAMS = ("tracking", "search")
"""Teams whose development environment may be the one that nobody uses at night."""
IDLE_CANDIDATES = ("legacy-crm-bridge", "promo-banner", "label-printer", "fx-rates")
IDLE_GPU_CANDIDATES = (
    "speech-notes",
    "notebook-hub",
    "churn-scorer",
    "parcel-ocr",
    "search-reranker",
)
CLAIM_MOUNTS = {
    "ledger-replica-data": "ledger-replica",
    "search-index-snapshots": "search-indexer",
    "tracking-archive": "tracking-ingest",
    "training-scratch": "embedding-trainer",
    "crm-import-staging": "payouts-worker",
    "camera-footage": "image-resizer",
    "report-cache": "report-renderer",
}


@dataclass(frozen=True)
class Container:
    """What one container declares; None is no limit."""

    name: str
    cpu_millis: int
    memory_mib: int
    cpu_limit_millis: int | None = None
    memory_limit_mib: int | None = None
    gpus: int = 0


@dataclass(frozen=True)
class Sizing:
    """What the desired state declares of one workload from some day on."""

    replicas: int
    containers: tuple[Container, ...]
    hpa: tuple[int, int] | None = None

    @property
    def main(self) -> Container:
        return self.containers[0]


@dataclass(frozen=True)
class Truth:
    """What is secretly true. Ratios are declared request to what is needed at the peak."""

    cpu_ratio: float
    memory_ratio: float
    idle: bool = False
    idle_gpu: bool = False
    dark: bool = False


@dataclass(frozen=True)
class Workload:
    """One workload of one environment."""

    spec: Spec
    namespace: str
    environment: str
    cluster: Cluster
    first_day: date
    profile: str
    declared: Sizing
    truth: Truth
    style: int
    """Which habits of layout its author has, for manifests."""
    earlier: tuple[tuple[date, Sizing], ...] = ()
    """Sizings before `declared`, each with the day it ended (exclusive)."""
    claims: tuple[str, ...] = ()
    version: str = ""
    """Of the AI model that it serves; empty where it serves none that is monitored."""

    @property
    def resource(self) -> str:
        return f"{self.spec.kind}/{self.namespace}/{self.spec.name}"

    @property
    def gpu_price(self) -> int:
        return GPU_PRICES[self.spec.gpu] if self.spec.gpu else 0


@dataclass(frozen=True)
class Claim:
    """A PersistentVolumeClaim: `use` is busy, empty (mounted, no file in it) or unmounted."""

    name: str
    namespace: str
    team: str
    cluster: Cluster
    size_gib: int
    first_day: date
    use: str

    @property
    def resource(self) -> str:
        return f"PersistentVolumeClaim/{self.namespace}/{self.name}"


@dataclass(frozen=True)
class Plan:
    """Everything drawn once for a seed."""

    seed: int
    workloads: tuple[Workload, ...]
    claims: tuple[Claim, ...]


def _namespace(spec: Spec, environment: str) -> str:
    if spec.layout is Layout.KSERVE or spec.gpu is not None:
        return (
            {"ml-platform": "ml-serving", "vision": "ml-vision"}[spec.team]
            if (spec.layout is not Layout.UNDECLARED)
            else "ml-sandbox"
        )
    return spec.team if environment == "prod" else f"{spec.team}-dev"


def _cluster(spec: Spec, environment: str) -> Cluster:
    if environment == "dev":
        return CLUSTERS["aks-dev-1" if spec.team in PAYMENT_TEAMS else "eks-dev-1"]
    return CLUSTERS["gke-ml-1" if spec.gpu else PROD_CLUSTER[spec.team]]


def _editable(spec: Spec) -> bool:
    return (
        spec.layout in (Layout.OVERLAY, Layout.INLINE_PATCH, Layout.MANIFEST)
        and spec.hpa is None
        and spec.kind in ("Deployment", "StatefulSet")
        and spec.gpu is None
        and spec.profile != "month_end"
    )


def _below(millis: float) -> int:
    return max((choice for choice in _ROUND_CPU if choice <= millis), default=_ROUND_CPU[0])


def build(seed: int) -> Plan:
    """Draw the estate of `seed`; the same seed always gives the same plan."""
    draw = random.Random(f"halden/{seed}")
    instances = [(spec, "prod") for spec in SPECS]
    instances += [(spec, "dev") for spec in SPECS if spec.dev]
    dark_team = draw.choice(DARK_TEAMS)
    idle = set(draw.sample(IDLE_CANDIDATES, 2))
    idle_gpu = set(draw.sample(IDLE_GPU_CANDIDATES, 3))
    plain = [
        (spec.name, env)
        for spec, env in instances
        if _editable(spec)
        and spec.name not in idle
        and not (env == "dev" and spec.team == dark_team)
    ]
    draw.shuffle(plain)
    # Both samples unlabelled on purpose must meet policy, whatever the seed.
    fixed = ("image-resizer", "prod")
    over_cpu = {fixed, *[item for item in plain if item != fixed][: draw.randint(8, 11)]}
    draw.shuffle(plain)
    over_memory = set(plain[: draw.randint(6, 9)])
    under = [item for item in plain if item not in over_cpu and item not in over_memory]
    under_cpu, under_memory = set(under[:2]), set(under[2:4])
    raised = {item for item in sorted(over_cpu) if item[1] == "prod" and item != fixed}
    raised = set(draw.sample(sorted(raised), min(2, len(raised))))
    zombies = draw.sample([claim.name for claim in CLAIMS[1:]], 3)
    unmounted, empty = zombies[0], set(zombies[1:])

    claims = tuple(
        Claim(
            name=spec.name,
            namespace=_claim_namespace(spec.name),
            team=spec.team,
            cluster=_claim_cluster(spec.name),
            size_gib=spec.size_gib,
            first_day=AS_OF - timedelta(days=spec.age_days),
            use="unmounted"
            if spec.name == unmounted
            else "empty"
            if spec.name in empty
            else "busy",
        )
        for spec in CLAIMS
    )
    mounts: dict[str, list[str]] = {}
    for claim in claims:
        if claim.use != "unmounted":
            mounts.setdefault(CLAIM_MOUNTS[claim.name], []).append(claim.name)

    workloads: list[Workload] = []
    for number, (spec, env) in enumerate(instances):
        item = (spec.name, env)
        dark = env == "dev" and spec.team == dark_team
        truth = Truth(
            cpu_ratio=_ratio(draw, item in over_cpu, item in under_cpu, 2.4, 4.6, 0.86, 0.95),
            memory_ratio=_ratio(
                draw, item in over_memory, item in under_memory, 2.4, 3.8, 0.88, 0.94
            ),
            idle=spec.name in idle,
            idle_gpu=spec.name in idle_gpu,
            dark=dark,
        )
        if spec.layout is Layout.SHARED_BASE and env == "prod":
            # Too large in production and just right nowhere else: only the base has the value.
            truth = replace(truth, cpu_ratio=draw.uniform(2.2, 3.0))
        if spec.name == "feature-store":
            truth = replace(truth, cpu_ratio=draw.uniform(2.4, 3.2))
        declared = _sizing(draw, spec, env, truth, generous=item in over_memory)
        if spec.layout is Layout.SHARED_BASE and env == "dev":
            base = next(w for w in workloads if w.spec.name == spec.name)
            declared = replace(declared, containers=base.declared.containers)
        earlier: tuple[tuple[date, Sizing], ...] = ()
        if item in raised:
            end = AS_OF - timedelta(days=draw.randint(95, 230))
            before = _below(declared.main.cpu_millis / truth.cpu_ratio * 1.15)
            small = replace(declared.main, cpu_millis=before)
            earlier = ((end, replace(declared, containers=(small, *declared.containers[1:]))),)
        workloads.append(
            Workload(
                spec=spec,
                namespace=_namespace(spec, env),
                environment=env,
                cluster=_cluster(spec, env),
                first_day=AS_OF - timedelta(days=spec.age_days if env == "prod" else DEV_AGE_DAYS),
                profile=_profile(spec, env, dark=dark),
                declared=declared,
                truth=truth,
                style=number,
                earlier=earlier,
                claims=tuple(mounts.get(spec.name, ())) if env == "prod" else (),
            )
        )
    workloads += _on_nodes(seed, len(workloads))
    return Plan(seed=seed, workloads=tuple(workloads), claims=claims)


def _on_nodes(seed: int, style: int) -> list[Workload]:
    """What runs where machines are billed, by a draw of its own; `style`: of the first."""
    draw = random.Random(f"halden/{seed}/nodes")
    found = []
    for number, (namespace, spec) in enumerate(NODE_SPECS, start=style):
        truth = Truth(_fitting(draw), _fitting(draw))
        found.append(
            Workload(
                spec=spec,
                namespace=namespace,
                environment="prod",
                cluster=CLUSTERS[NODE_CLUSTER],
                first_day=AS_OF - timedelta(days=spec.age_days),
                profile=spec.profile,
                declared=_sizing(draw, spec, "prod", truth, generous=False),
                truth=truth,
                style=number,
            )
        )
    return found


def _ratio(
    draw: random.Random,
    over: bool,
    under: bool,
    over_low: float,
    over_high: float,
    under_low: float,
    under_high: float,
) -> float:
    if over:
        return draw.uniform(over_low, over_high)
    if under:
        return draw.uniform(under_low, under_high)
    return _fitting(draw)


def _fitting(draw: random.Random) -> float:
    return draw.uniform(1.05, 1.12)


def _profile(spec: Spec, env: str, *, dark: bool) -> str:
    if env == "dev":
        return "dev_dark" if dark else "dev_used"
    return spec.profile


def _sizing(draw: random.Random, spec: Spec, env: str, truth: Truth, *, generous: bool) -> Sizing:
    cpu = draw.choice(CPU_CHOICES[spec.size])
    memory = draw.choice(GENEROUS_MEMORY if generous else MEMORY_CHOICES[spec.size])
    under = truth.cpu_ratio < 1.0 or truth.memory_ratio < 1.0
    # A pod that outgrows its request needs room above it, or it would have been killed already.
    cpu_limit = None if under or env == "dev" or draw.random() < 0.5 else cpu * 2
    memory_limit = None if env == "dev" else int(memory * 1.5) if under else memory
    if memory_limit is not None and not under and draw.random() < 0.6:
        memory_limit = int(memory * 1.25)
    main = Container(
        name=spec.container,
        cpu_millis=cpu,
        memory_mib=memory,
        cpu_limit_millis=cpu_limit,
        memory_limit_mib=memory_limit,
        gpus=1 if spec.gpu else 0,
    )
    containers = [main]
    if spec.sidecar:
        containers.append(Container("istio-proxy", 100, 128, None, 256))
    replicas = spec.replicas if env == "prod" else 1
    hpa = spec.hpa if env == "prod" else None
    return Sizing(hpa[0] if hpa else replicas, tuple(containers), hpa)


def _claim_namespace(name: str) -> str:
    spec = next(s for s in SPECS if s.name == CLAIM_MOUNTS[name])
    return _namespace(spec, "prod")


def _claim_cluster(name: str) -> Cluster:
    spec = next(s for s in SPECS if s.name == CLAIM_MOUNTS[name])
    return _cluster(spec, "prod")
