"""What runs on Kubernetes: every app, the team that owns it, and how its files are laid out.

Which of them are too large, too small or idle is decided by seed in plan, not here.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Layout(StrEnum):
    """How the values of a workload are written down in the repository."""

    OVERLAY = "overlay"
    """Kustomize: each overlay patches its own resources (strategic merge)."""
    INLINE_PATCH = "inline_patch"
    """Kustomize: a JSON patch inside the overlay's kustomization.yaml."""
    SHARED_BASE = "shared_base"
    """Kustomize: only the base has the values, so an edit would hit every overlay."""
    MANIFEST = "manifest"
    """A plain manifest, applied as it is."""
    HELM = "helm"
    """Values of a chart."""
    KSERVE = "kserve"
    """An InferenceService."""
    UNDECLARED = "undeclared"
    """In no file at all."""


@dataclass(frozen=True)
class Spec:
    """One workload before its seed: where it runs and the range its requests are drawn from."""

    app: str
    name: str
    team: str
    kind: str = "Deployment"
    layout: Layout = Layout.OVERLAY
    container: str = "server"
    profile: str = "office"
    size: str = "M"
    replicas: int = 2
    dev: bool = False
    """Whether a development overlay runs as well."""
    hpa: tuple[int, int] | None = None
    sidecar: bool = False
    gpu: str | None = None
    growth: float = 0.15
    age_days: int = 1000
    """Days before AS_OF on which it first ran."""
    cron_hour: int = 0
    cron_minutes: int = 0
    network: bool = False
    missing_labels: frozenset[str] = frozenset()
    budget_approved: bool = False
    purpose: str = ""
    """What the model is for that it serves or trains, as its card says; empty where it is none."""


PROD_CLUSTER: dict[str, str] = {
    "storefront": "eks-shop-1",
    "search": "eks-shop-1",
    "pricing": "eks-shop-1",
    "checkout": "eks-shop-1",
    "ledger": "aks-pay-1",
    "fraud": "aks-pay-1",
    "payouts": "aks-pay-1",
    "routing": "gke-log-1",
    "warehouse": "gke-log-1",
    "tracking": "gke-log-1",
    "data-platform": "gke-ml-1",
    "ml-platform": "gke-ml-1",
    "vision": "gke-ml-1",
    "analytics": "gke-ml-1",
    "platform-sre": "eks-shop-1",
}

PAYMENT_TEAMS = frozenset({"ledger", "fraud", "payouts"})

_M = Layout.MANIFEST
_IN = Layout.INLINE_PATCH
_BASE = Layout.SHARED_BASE
_KS = Layout.KSERVE
_HELM = Layout.HELM

# A table is read by its columns: it is kept as it is laid out.
# fmt: off
SPECS: tuple[Spec, ...] = (
    # Kustomize, a base and its overlays.
    Spec("storefront", "web", "storefront", profile="web", hpa=(3, 9), dev=True, network=True),
    Spec("search", "search-api", "search", profile="web", replicas=3, dev=True, network=True),
    Spec("search", "search-indexer", "search", container="indexer", profile="stream", dev=True),
    Spec("pricing", "price-engine", "pricing", profile="web", size="L", network=True),
    Spec("checkout", "checkout-api", "checkout", profile="web", size="L", replicas=3, dev=True,
         sidecar=True, network=True),
    Spec("ledger", "ledger-api", "ledger", layout=_IN, size="L", replicas=3, dev=True),
    Spec("fraud", "fraud-scorer", "fraud", profile="web", hpa=(2, 6), container="scorer"),
    Spec("payouts", "payouts-worker", "payouts", container="worker", size="L", dev=True),
    Spec("routing", "route-planner", "routing", container="planner", size="L", replicas=4,
         dev=True),
    Spec("warehouse", "inventory-api", "warehouse", layout=_IN, replicas=3, dev=True),
    Spec("tracking", "tracking-api", "tracking", profile="web", replicas=3, dev=True, network=True),
    Spec("tracking", "tracking-ingest", "tracking", container="ingest", profile="stream", dev=True),
    Spec("events", "event-collector", "analytics", container="collector", profile="stream",
         size="L"),
    Spec("notifications", "notifier", "checkout", layout=_BASE, container="notifier", dev=True),
    Spec("geo", "geo-lookup", "routing", layout=_BASE, container="geo", profile="web", dev=True),
    # Plain manifests.
    Spec("session-cache", "session-cache", "storefront", "StatefulSet", _M, "redis", "web"),
    Spec("events-broker", "events-broker", "data-platform", "StatefulSet", _M, "broker", "stream",
         size="L", replicas=3),
    Spec("ledger-replica", "ledger-replica", "ledger", "StatefulSet", _M, "postgres", "office",
         size="L", replicas=1),
    Spec("log-shipper", "log-shipper", "platform-sre", "DaemonSet", _M, "shipper", "stream",
         size="S", replicas=6),
    Spec("nightly-settlement", "nightly-settlement", "payouts", "CronJob", _M, "settle", "flat",
         size="L", replicas=1, cron_hour=1, cron_minutes=120),
    Spec("catalogue-sync", "catalogue-sync", "search", "CronJob", _M, "sync", "flat",
         replicas=1, cron_hour=3, cron_minutes=60),
    Spec("legacy-crm-bridge", "legacy-crm-bridge", "ledger", "Deployment", _M, "bridge", "flat",
         network=True),
    Spec("promo-banner", "promo-banner", "storefront", "Deployment", _M, "banner", "web",
         network=True, missing_labels=frozenset({"cost-center"})),
    Spec("label-printer", "label-printer", "warehouse", "Deployment", _M, "printer", "office",
         network=True),
    Spec("fx-rates", "fx-rates", "pricing", "Deployment", _M, "rates", "flat", network=True),
    Spec("image-resizer", "image-resizer", "vision", "Deployment", _M, "resizer", "web", size="L",
         replicas=3, missing_labels=frozenset({"team", "business-unit"})),
    Spec("partner-gateway", "partner-gateway", "platform-sre", "Deployment", _M, "gateway",
         "office", replicas=3, network=True),
    Spec("report-renderer", "report-renderer", "analytics", "Deployment", _M, "renderer",
         "month_end", size="L", age_days=240),
    # Helm values.
    Spec("metrics-gateway", "metrics-gateway", "platform-sre", layout=_HELM, profile="stream"),
    Spec("feature-store", "feature-store", "ml-platform", layout=_HELM, size="L", replicas=3),
    Spec("queue-ui", "queue-ui", "data-platform", layout=_HELM, size="S", replicas=1),
    # GPU serving and notebooks.
    Spec("reranker", "search-reranker", "ml-platform", "InferenceService", _KS, "kserve-container",
         "web", gpu="nvidia-l4",
         purpose="Puts search results in order."),
    Spec("defect-detector", "defect-detector", "vision", "InferenceService", _KS,
         "kserve-container", "office", size="L", replicas=1, gpu="nvidia-tesla-a100",
         purpose="Finds damage on pictures of parcels.",
         budget_approved=True),
    Spec("parcel-ocr", "parcel-ocr", "vision", "InferenceService", _KS, "kserve-container",
         "office", gpu="nvidia-tesla-t4",
         purpose="Reads addresses on labels."),
    Spec("churn-scorer", "churn-scorer", "ml-platform", "InferenceService", _KS,
         "kserve-container", "stream", replicas=1, gpu="nvidia-tesla-t4", age_days=300),
    Spec("speech-notes", "speech-notes", "vision", "InferenceService", _KS, "kserve-container",
         "office", replicas=1, gpu="nvidia-tesla-a100",
         purpose="Writes down what drivers dictate.", age_days=200),
    Spec("demand-forecast", "demand-forecast", "ml-platform", "InferenceService", _KS,
         "kserve-container", "stream", replicas=1, gpu="nvidia-tesla-t4"),
    Spec("notebook-hub", "notebook-hub", "ml-platform", layout=_M, container="notebook",
         size="L", replicas=1, gpu="nvidia-l4"),
    Spec("embedding-trainer", "embedding-trainer", "ml-platform", layout=_M, container="trainer",
         profile="flat", size="L", replicas=1, gpu="nvidia-tesla-a100",
         purpose="Describes products for search and recommendations.", budget_approved=True,
         age_days=150),
    # Started by hand, in no repository.
    Spec("llm-playground", "llm-playground", "ml-platform", layout=Layout.UNDECLARED,
         container="vllm", size="L", replicas=1, gpu="nvidia-tesla-a100", age_days=47),
)
# fmt: on


NODE_CLUSTER = "eks-shared-1"
# fmt: off
NODE_SPECS: tuple[tuple[str, Spec], ...] = (
    ("recommendations", Spec("recs-api", "recs-api", "search", layout=_M, container="recs",
                             profile="web", size="L")),
    ("recommendations", Spec("recs-index", "recs-index", "search", "CronJob", _M, "index", size="L",
                             replicas=1, cron_hour=2, cron_minutes=240)),
    ("notifications", Spec("mail-sender", "mail-sender", "storefront", layout=_M,
                           container="sender", replicas=3)),
    ("translation", Spec("translator", "translator", "ml-platform", layout=_M,
                         container="translator", profile="stream", size="L", replicas=1,
                         gpu="nvidia-l4",
         purpose="Translates product texts.")),
    ("kube-system", Spec("node-agent", "node-agent", "platform-sre", "DaemonSet", _M, "agent",
                         "flat", size="S", replicas=4)),
)
# fmt: on
"""Namespace and workload of what runs on the cluster whose machines are billed, sized right."""


@dataclass(frozen=True)
class ClaimSpec:
    """A declared PersistentVolumeClaim and the team that asked for it."""

    name: str
    team: str
    size_gib: int
    age_days: int = 1000


CLAIMS: tuple[ClaimSpec, ...] = (
    ClaimSpec("ledger-replica-data", "ledger", 400),
    ClaimSpec("search-index-snapshots", "search", 300),
    ClaimSpec("tracking-archive", "tracking", 500),
    ClaimSpec("training-scratch", "ml-platform", 1000, 320),
    ClaimSpec("crm-import-staging", "payouts", 250, 280),
    ClaimSpec("camera-footage", "vision", 800),
    ClaimSpec("report-cache", "analytics", 200, 260),
)
"""ledger-replica-data always is in use; which of the others nobody uses is drawn by seed."""
