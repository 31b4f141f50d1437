"""Every candidate mart's suite by name.

What is in them is told in `billing`, `signals`, `allocation`, `runs`, `resources`, `ai_costs` and
`recorded`.
"""

from __future__ import annotations

from finops_dagster.quality import (
    ai_costs,
    allocation,
    billing,
    recorded,
    resources,
    runs,
    signals,
)

MARTS = {
    suite.table: suite
    for suite in (
        billing.COSTS,
        billing.TAG_SETS,
        billing.SERVICES,
        billing.REGIONS,
        billing.SKUS,
        billing.COMMITMENTS,
        billing.COMMITMENT_COVERAGE,
        billing.COMMITTABLE_USAGE,
        billing.COVERAGE,
        billing.CONSERVATION,
        billing.RESTATEMENTS,
        billing.CONVERTED,
        signals.MEASUREMENTS,
        signals.COVERAGE,
        signals.UTILISATION,
        signals.CAPACITY,
        signals.MACHINES,
        signals.GRID,
        signals.FUNCTIONS,
        signals.WORKLOAD_LABELS,
        signals.CARBON,
        signals.PREDICTIONS,
        signals.LABELS,
        signals.MODEL_METRICS,
        runs.RUNS,
        runs.MODEL_VERSIONS,
        runs.TOKEN_USAGE,
        signals.BUSINESS_METRICS,
        allocation.ALLOCATED,
        allocation.CONSERVATION,
        allocation.CLUSTERS,
        allocation.CHANGES,
        allocation.TEAMS,
        allocation.CARBON_CONSERVATION,
        allocation.CARBON_COVERAGE,
        allocation.UNIT_COSTS,
        allocation.UNIT_CARBON,
        allocation.BUDGET_COSTS,
        allocation.BUDGETS,
        allocation.CHARGEBACK,
        resources.MATCHES,
        resources.WORKLOADS,
        resources.UNOWNED,
        resources.UNDECLARED,
        resources.UNSEEN,
        runs.RUN_COSTS,
        runs.MODEL_VERSION_COSTS,
        runs.RUN_CARBON,
        ai_costs.IDLE_GPUS,
        ai_costs.SERVING,
        ai_costs.TOKENS,
        ai_costs.AI_COSTS,
        ai_costs.MODEL_CARBON,
        recorded.VIOLATIONS,
    )
}
"""Suites of the promised marts by name."""
