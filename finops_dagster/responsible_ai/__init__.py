"""Judges models, our own and monitored ones: drift, fairness, performance, gates, cards.

Frames in, frozen results and static pages out; nothing here trains, stores or acts.
"""

from finops_dagster.responsible_ai.drift.judging import judge_drift
from finops_dagster.responsible_ai.drift.results import DriftReport, Stake
from finops_dagster.responsible_ai.explanations.words import Explanation, explain
from finops_dagster.responsible_ai.fairness.judging import judge_fairness
from finops_dagster.responsible_ai.gate import GateLimits, gate
from finops_dagster.responsible_ai.logs import judge_log
from finops_dagster.responsible_ai.metrics import (
    MetricFault,
    MetricRow,
    MetricSchema,
    metrics,
    mitigations,
)
from finops_dagster.responsible_ai.model import ModelJudgement, judge_model
from finops_dagster.responsible_ai.page import write_model_page
from finops_dagster.responsible_ai.performance.labelled import judge_performance
from finops_dagster.responsible_ai.results import (
    DriftOptions,
    DriftResult,
    FairnessResult,
    FeatureDrift,
    GroupRow,
    Interval,
    PerformanceResult,
)
from finops_dagster.responsible_ai.spec import FixedReference, ModelSpec
from finops_dagster.responsible_ai.versions import VersionJudgement, judge_versions
from finops_dagster.responsible_ai.windows import ModelWindow, model_windows, newest_labelled

__all__ = [
    "DriftOptions",
    "DriftReport",
    "DriftResult",
    "Explanation",
    "FairnessResult",
    "FeatureDrift",
    "FixedReference",
    "GateLimits",
    "GroupRow",
    "Interval",
    "MetricFault",
    "MetricRow",
    "MetricSchema",
    "ModelJudgement",
    "ModelSpec",
    "ModelWindow",
    "PerformanceResult",
    "Stake",
    "VersionJudgement",
    "explain",
    "gate",
    "judge_drift",
    "judge_fairness",
    "judge_log",
    "judge_model",
    "judge_performance",
    "judge_versions",
    "metrics",
    "mitigations",
    "model_windows",
    "newest_labelled",
    "write_model_page",
]
