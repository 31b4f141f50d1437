"""Anomalies in daily cost and the incidents they make.

Pure and causal: no forecaster, no storage, and no day judged by what came after it.
"""

from finops_dagster.engines.anomalies.alerts import AlertRules, decide_alerts, factors
from finops_dagster.engines.anomalies.detect import detect, joined, told
from finops_dagster.engines.anomalies.explain import Changes, explain
from finops_dagster.engines.anomalies.result import DetectionConfig, DetectionResult
from finops_dagster.engines.anomalies.watch import CostWatch

__all__ = [
    "AlertRules",
    "Changes",
    "CostWatch",
    "DetectionConfig",
    "DetectionResult",
    "decide_alerts",
    "detect",
    "explain",
    "factors",
    "joined",
    "told",
]
