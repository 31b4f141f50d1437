"""Quality of a model's answers against labels, in two windows, with intervals.

Measures only; how much worse is too much is decided in `gate`.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from finops_dagster.domain.decisions import Abstained
from finops_dagster.responsible_ai.intervals import (
    area_under_curve,
    mean,
    newcombe,
    wilson,
)
from finops_dagster.responsible_ai.results import Interval, PerformanceResult, Task

MIN_LABELS = 50
"""Labelled answers in either window under which quality is not judged."""


def judge_performance(
    subject: str, reference: pd.DataFrame, analysis: pd.DataFrame, *, task: Task
) -> PerformanceResult | Abstained:
    """Compare two windows of outcomes (prediction, label and, for classifiers, probability).

    Only rows with both a prediction and a label count.
    """
    windows = [_labelled(frame) for frame in (reference, analysis)]
    counts = [len(window["label"]) for window in windows]
    if min(counts) < MIN_LABELS:
        return Abstained(
            subject=subject,
            reason=f"quality needs {MIN_LABELS} labelled answers in either window; reference has "
            f"{counts[0]}, analysis {counts[1]}",
        )
    if task == "classification":
        before, now = (
            wilson(float(((w["prediction"] > 0.5) == (w["label"] > 0.5)).sum()), len(w["label"]))
            for w in windows
        )
        worsening = newcombe(before, now)
        areas = [_area(window) for window in windows]
    else:
        before, now = (mean(np.abs(w["prediction"] - w["label"])) for w in windows)
        worsening = growth(before, now)
        areas = [None, None]
    return PerformanceResult(
        subject=subject,
        metric="accuracy" if task == "classification" else "mean_absolute_error",
        reference=before,
        analysis=now,
        worsening=worsening,
        auc_reference=areas[0],
        auc_analysis=areas[1],
        reference_rows=counts[0],
        analysis_rows=counts[1],
    )


def _labelled(frame: pd.DataFrame) -> dict[str, NDArray[Any]]:
    columns = {
        name: frame[name].to_numpy(dtype="float64")
        for name in ("prediction", "label", "probability")
        if name in frame.columns
    }
    kept = np.isfinite(columns["prediction"]) & np.isfinite(columns["label"])
    return {name: values[kept] for name, values in columns.items()}


def _area(window: dict[str, NDArray[Any]]) -> Interval | None:
    probability = window.get("probability")
    if probability is None or not np.isfinite(probability).all():
        return None
    return area_under_curve(window["label"], probability)


def growth(before: Interval, now: Interval) -> Interval:
    """Growth of an error: now / before - 1, its interval by the delta method on logarithms."""
    if before.value <= 0 or now.value <= 0:
        return Interval(0.0 if now.value <= before.value else math.inf)
    growth = now.value / before.value - 1
    if before.high is None or now.high is None:
        return Interval(growth)
    # Both halves are 1.96 standard errors already.
    half = math.hypot(
        (before.high - before.value) / before.value, (now.high - now.value) / now.value
    )
    return Interval(
        growth,
        (1 + growth) * math.exp(-half) - 1,
        (1 + growth) * math.exp(half) - 1,
    )
