"""Every candidate mart's suite by name. What is in them is told in `billing` and `signals`."""

from __future__ import annotations

from finops_dagster.quality import billing, signals

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
    )
}
"""Suites of the promised marts by name."""
