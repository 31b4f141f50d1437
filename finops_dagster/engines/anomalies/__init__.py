"""Anomalies in daily cost and the incidents they make.

Pure and causal: no forecaster, no storage, and no day judged by what came after it.
"""

from finops_dagster.engines.anomalies.alerts import AlertPolicy, alerts, factors
from finops_dagster.engines.anomalies.detect import detect, told
from finops_dagster.engines.anomalies.result import DetectionConfig, DetectionResult
from finops_dagster.engines.anomalies.watch import CostWatch

__all__ = [
    "AlertPolicy",
    "CostWatch",
    "DetectionConfig",
    "DetectionResult",
    "alerts",
    "detect",
    "factors",
    "told",
]
