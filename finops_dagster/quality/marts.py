"""Every candidate mart's suite by name.

What is in them is told in `billing`, `signals` and `resources`.
"""

from __future__ import annotations

from finops_dagster.quality import billing, resources, signals

MARTS = {
    suite.table: suite
    for suite in (
        billing.COSTS,
        billing.COVERAGE,
        billing.CONSERVATION,
        billing.RESTATEMENTS,
        billing.CONVERTED,
        signals.MEASUREMENTS,
        signals.UTILISATION,
        signals.CARBON,
        signals.PREDICTIONS,
        signals.LABELS,
        signals.MODEL_METRICS,
        signals.RUNS,
        signals.MODEL_VERSIONS,
        signals.TOKEN_USAGE,
        resources.MATCHES,
        resources.WORKLOADS,
        resources.UNOWNED,
        resources.UNDECLARED,
        resources.UNSEEN,
    )
}
"""Suites of the promised marts by name."""
