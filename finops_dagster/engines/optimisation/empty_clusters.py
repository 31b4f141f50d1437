"""Clusters whose control plane is billed and in which nothing of anybody runs.

Their machines are billed by themselves and are judged elsewhere.
"""

from __future__ import annotations

import re
from datetime import timedelta

import pandas as pd

from finops_dagster.domain.decisions import Abstained, Finding, FindingKind
from finops_dagster.engines.optimisation.bills import Bill

EMPTY_DAYS = 14
MEASURED_SHARE = 0.9
"""Measured on fewer of the days, a cluster may have run what nobody saw."""
SYSTEM = re.compile(
    r"kube-(system|public|node-lease)|gke-managed-.+|gke-.*system|gmp-(system|public)|"
    r"amazon-(cloudwatch|guardduty)|aws-.+|azure-arc|calico-.+|tigera-operator|gatekeeper-system|"
    r"openshift(-.+)?|aks-.+|app-routing-system|dataprotection-microsoft",
)
"""Namespaces that Kubernetes and its providers fill themselves (Kubernetes documentation: initial
namespaces; Amazon EKS, AKS, GKE and OpenShift documentation of add-ons)."""


def empty_clusters(
    bill: Bill, workloads: pd.DataFrame | None
) -> tuple[list[Finding], list[Abstained]]:
    """EMPTY_CLUSTER where telemetry saw only system namespaces in a cluster, all window long.

    `workloads`: day, cluster, namespace, each once, of what was measured; None where nothing is.
    A billed cluster is the measured one whose name it has, or ends with.
    """
    findings: list[Finding] = []
    abstained: list[Abstained] = []
    first = pd.Timestamp(bill.as_of - timedelta(days=EMPTY_DAYS - 1))
    seen = {} if workloads is None else _seen(workloads, first, pd.Timestamp(bill.as_of))
    billed = [r for r in bill.resources("cluster_hours") if bill.still(r, "cluster_hours")]
    names = {resource: _name(bill, resource) for resource in billed}
    for resource in billed:
        name = names[resource]
        measured = seen.get(name)
        if measured is None or list(names.values()).count(name) > 1:
            why = "several are billed under its name" if measured is not None else "not measured"
            reason = f"whether anything runs in it is not known: {why}"
            abstained.append(Abstained(subject=resource, reason=reason))
            continue
        if any(not SYSTEM.fullmatch(namespace) for namespace in measured["namespace"]):
            continue
        days = bill.days(resource, EMPTY_DAYS)
        on = measured["day"].nunique()
        billed_on = len(bill.billed_on(resource, "cluster_hours") & set(days))
        if on < MEASURED_SHARE * EMPTY_DAYS or billed_on < EMPTY_DAYS - 1:
            reason = (
                f"looks empty, but measured on {on} and billed on {billed_on} days of {EMPTY_DAYS}"
            )
            abstained.append(Abstained(subject=resource, reason=reason))
            continue
        cost = bill.cost(resource, ("cluster_hours",))
        if isinstance(cost, Abstained):
            abstained.append(cost)
        elif cost is not None:
            findings.append(
                bill.finding(
                    FindingKind.EMPTY_CLUSTER, resource, saving=cost, days=days,
                    samples=min(on, len(days)), rule="empty cluster rule",
                    figures={"days_measured": on, "days_billed": billed_on},
                    reason=f"On {on} days nothing ran in it outside the namespaces of Kubernetes "
                    "and its provider; the saving is its control plane alone.",
                    wrong_if="it is built for something to come, or kept to fail over to",
                )
            )  # fmt: skip
    return findings, abstained


def _seen(
    workloads: pd.DataFrame, first: pd.Timestamp, last: pd.Timestamp
) -> dict[str, pd.DataFrame]:
    day = pd.to_datetime(workloads["day"])
    inside = workloads.assign(day=day).loc[(day >= first) & (day <= last)]
    inside = inside.assign(namespace=inside["namespace"].fillna("").astype(str))
    return {str(cluster): group for cluster, group in inside.groupby("cluster")}


def _name(bill: Bill, resource: str) -> str:
    """The cluster's name: as it is billed, else the last part of its id."""
    whose = bill.whose[resource]
    return whose.name or re.split(r"[/:]", whose.resource_id)[-1]
