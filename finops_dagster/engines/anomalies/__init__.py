"""Anomalies in daily cost and the incidents they make.

Pure and causal: no forecaster, no storage, and no day judged by what came after it.
"""

from finops_dagster.engines.anomalies.alerts import AlertRules, decide_alerts, factors
from finops_dagster.engines.anomalies.detect import detect
from finops_dagster.engines.anomalies.result import DetectionConfig, DetectionResult

__all__ = [
    "AlertRules",
    "DetectionConfig",
    "DetectionResult",
    "decide_alerts",
    "detect",
    "factors",
]
