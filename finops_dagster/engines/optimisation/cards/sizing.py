"""What the sizing of workloads says of itself, with the risk model that it learns.

The rules themselves live in the modules that are named here.
"""

from __future__ import annotations

from finops_dagster.domain.decisions import FindingKind
from finops_dagster.domain.engines import EngineDescription, EngineKind, constants, fields_of
from finops_dagster.engines.optimisation import (
    fleet,
    recalibration,
    risk,
    risk_features,
    risk_model,
    rules,
    window,
)
from finops_dagster.engines.optimisation.inputs import ENGINE, SizingConfig

SIZING = EngineDescription(
    name="workload-sizing",
    title="Sizing of workloads",
    kind=EngineKind.RULE,
    version=ENGINE,
    purpose="What CPU and memory a workload of a cluster should request: less where it is not "
    "needed, more where demand goes over it.",
    method="Boosted trees (XGBoost, Chen and Guestrin 2016) learn over the fleet how often demand "
    "will be above a capacity, recalibrated on later days; the request is where one more percent "
    "of intervals short is worth what the dial of its tier says. Where a fleet is too small, "
    "quantile rules of peers by environment. Each cut is rehearsed on the last third of the "
    "window.",
    features=window.MEASURED,
    parameters=fields_of(SizingConfig())
    | constants(rules, risk, risk_model, risk_features, fleet, recalibration, window),
    limits=(
        "A cut is at most the share of a request that the settings allow, and none is made of a "
        "workload measured for less than a week.",
        "It knows no plans: a launch to come is not in its demand.",
        "Nodes are not sized: their autoscaler does that.",
    ),
    modules=("finops_dagster.engines.optimisation.sizing",
             "finops_dagster.engines.optimisation.sized",
             "finops_dagster.engines.optimisation.fleet"),
    finds=frozenset({
        FindingKind.RIGHTSIZE_CPU, FindingKind.RIGHTSIZE_MEMORY,
        FindingKind.UNDERPROVISIONED_CPU, FindingKind.UNDERPROVISIONED_MEMORY,
    }),
    learns=True,
    data_licence="Learnt from the company's own telemetry alone. Its constants were chosen on "
    "published traces of clusters, none of which is shipped.",
)  # fmt: skip
