"""Judges models, our own and monitored ones: drift, fairness, performance, gates, cards.

Frames in, frozen results and static pages out; nothing here trains, stores or acts.
"""

from finops_dagster.responsible_ai.cards.card import ModelRecord, write_card
from finops_dagster.responsible_ai.drift.judging import judge_drift
from finops_dagster.responsible_ai.explanations.words import (
    Explanation,
    explain,
    write_explanations,
)
from finops_dagster.responsible_ai.fairness.judging import judge_fairness
from finops_dagster.responsible_ai.gate import GateLimits, gate
from finops_dagster.responsible_ai.metrics import (
    MetricFault,
    MetricRow,
    MetricSchema,
    metrics,
    mitigations,
)
from finops_dagster.responsible_ai.model import ModelJudgement, ModelSpec, judge_model
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
from finops_dagster.responsible_ai.windows import ModelWindow, model_windows, newest_labelled

__all__ = [
    "DriftOptions",
    "DriftResult",
    "Explanation",
    "FairnessResult",
    "FeatureDrift",
    "GateLimits",
    "GroupRow",
    "Interval",
    "MetricFault",
    "MetricRow",
    "MetricSchema",
    "ModelJudgement",
    "ModelRecord",
    "ModelSpec",
    "ModelWindow",
    "PerformanceResult",
    "explain",
    "gate",
    "judge_drift",
    "judge_fairness",
    "judge_model",
    "judge_performance",
    "metrics",
    "mitigations",
    "model_windows",
    "newest_labelled",
    "write_card",
    "write_explanations",
    "write_model_page",
]
