"""What the rules of idle and forgotten resources say of themselves: of clusters and of the bill.

The rules themselves live in the modules that are named here.
"""

from __future__ import annotations

from finops_dagster.domain.decisions import FindingKind
from finops_dagster.domain.engines import EngineDescription, EngineKind, constants
from finops_dagster.engines.optimisation import (
    bills,
    empty_clusters,
    idle,
    idle_billed,
    undeclared,
    window,
    zombies,
)
from finops_dagster.engines.optimisation.inputs import ENGINE

WORKLOADS = EngineDescription(
    name="idle-workloads",
    title="Idle and undeclared workloads",
    kind=EngineKind.RULE,
    version=ENGINE,
    purpose="Workloads and GPUs that nobody uses, and workloads that no manifest declares.",
    method="Idle is what stays under thresholds of CPU, network and GPU over the evidence "
    "window; undeclared is what runs and no rule of the desired state matches.",
    features=window.MEASURED,
    parameters=constants(idle, undeclared),
    limits=(
        "What was not measured is never called idle: precision comes before recall.",
        "A standby that is kept for an emergency looks idle; an owner has to say so.",
    ),
    modules=("finops_dagster.engines.optimisation.idle",
             "finops_dagster.engines.optimisation.undeclared"),
    finds=frozenset({
        FindingKind.IDLE_WORKLOAD, FindingKind.IDLE_GPU, FindingKind.UNDECLARED_WORKLOAD,
    }),
)  # fmt: skip
BILLED = EngineDescription(
    name="idle-billed",
    title="Idle resources of the bill",
    kind=EngineKind.RULE,
    version=ENGINE,
    purpose="Addresses, load balancers, gateways, endpoints, stopped machines and empty clusters "
    "that are paid for and not used.",
    method="Thresholds on what the bill itself tells of use beside what is paid by the hour, and "
    "for clusters and endpoints on telemetry and the prediction log.",
    features=tuple(sorted(zombies.KINDS)),
    parameters=constants(bills, idle_billed, empty_clusters, zombies),
    limits=(
        "Where the bill does not tell of use, nothing is guessed.",
        "An address kept for a partner's firewall looks idle; an owner has to say so.",
    ),
    modules=("finops_dagster.engines.optimisation.idle_billed",
             "finops_dagster.engines.optimisation.empty_clusters",
             "finops_dagster.engines.optimisation.zombies"),
    finds=frozenset({
        FindingKind.IDLE_ADDRESS, FindingKind.IDLE_LOAD_BALANCER, FindingKind.IDLE_GATEWAY,
        FindingKind.STOPPED_MACHINE, FindingKind.EMPTY_CLUSTER, FindingKind.UNUSED_ENDPOINT,
    }),
)  # fmt: skip
