"""Keys of finops.yaml about which tag key means what.

Rules of allocation are in a file of their own.
"""

from __future__ import annotations

from pydantic import Field

from finops_dagster.settings.types import Section


class TagSettings(Section):
    """Which tag keys mean what; the first key present wins, case is ignored."""

    team: tuple[str, ...] = Field(default=("team", "owner"), description="Who pays and answers.")
    environment: tuple[str, ...] = Field(
        default=("environment", "env"), description="Such as prod, staging, dev."
    )
    business_unit: tuple[str, ...] = Field(
        default=("business_unit", "business-unit", "bu"), description="Part of the company."
    )
    cost_center: tuple[str, ...] = Field(
        default=("cost_center", "cost-center", "costcenter"), description="Account to charge."
    )
    namespace: tuple[str, ...] = Field(
        default=("k8s-namespace", "goog-k8s-namespace", "eks:namespace"),
        description="Kubernetes namespace of what is billed.",
    )
    workload_kind: tuple[str, ...] = Field(
        default=("k8s-workload-kind", "goog-k8s-workload-type", "eks:workload-type"),
        description="Kubernetes kind of what is billed, such as Deployment.",
    )
    workload: tuple[str, ...] = Field(
        default=("k8s-workload-name", "goog-k8s-workload-name", "eks:workload-name"),
        description="Name of the Kubernetes workload that is billed.",
    )
    claim_namespace: tuple[str, ...] = Field(
        default=(
            "kubernetes.io/created-for/pvc/namespace",
            "kubernetes.io-created-for-pvc-namespace",
        ),
        description="Namespace of the PersistentVolumeClaim that a volume is billed for.",
    )
    claim: tuple[str, ...] = Field(
        default=("kubernetes.io/created-for/pvc/name", "kubernetes.io-created-for-pvc-name"),
        description="Name of the PersistentVolumeClaim that a volume is billed for.",
    )
    cluster: tuple[str, ...] = Field(
        default=(
            *("k8s-cluster", "eks:cluster-name", "aws:eks:cluster-name"),
            *("alpha.eksctl.io/cluster-name", "goog-k8s-cluster-name"),
            *("aks-managed-cluster-name", "KubernetesCluster", "kubernetes.io/cluster/*"),
        ),
        description="Kubernetes cluster that something is billed for, as measurements call it. "
        "Where a key ends in *, the name is what stands for it.",
    )
