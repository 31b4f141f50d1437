"""From what was judged of a model to pass, warn or fail, with the reasons in words.

Limits live here with their sources; what follows from a breach is policy's and the caller's.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from finops_dagster.domain.decisions import Abstained, GateResult
from finops_dagster.responsible_ai.fairness.breaches import breaches_of
from finops_dagster.responsible_ai.grading import ends, over
from finops_dagster.responsible_ai.results import (
    DriftResult,
    FairnessResult,
    Grade,
    PerformanceResult,
)


@dataclass(frozen=True)
class GateLimits:
    """From where a figure is a breach.

    A figure past its limit warns if the middle of its 95 % interval is past it too (the gap
    between the best and the worst of several groups is too large by chance alone, and the interval
    takes that back); one whose whole interval is past it fails. So a small sample cannot stop a
    model, and a likely breach cannot pass in silence.
    """

    selection_ratio: float = 0.8
    """Lowest selection rate over highest: the four-fifths rule, 29 CFR 1607.4(D)."""
    odds_difference: float = 0.1
    """Equalised odds difference; 0.1 is the fair band of AI Fairness 360 (Bellamy et al. 2018)."""
    error_ratio: float = 1.25
    """Highest mean absolute error of a group over the lowest: four fifths, turned round."""
    accuracy_drop: float = 0.05
    """Accuracy lost since the reference window; a choice, to be set by the model's owner."""
    error_growth: float = 0.2
    """Growth of mean absolute error since the reference window; likewise."""
    ignore: tuple[str, ...] = ()
    """Protected attributes shown and not judged, such as one whose base rates differ by law."""


def gate(
    name: str,
    drift: DriftResult | Abstained | None = None,
    fairness: FairnessResult | Abstained | None = None,
    performance: PerformanceResult | Abstained | None = None,
    limits: GateLimits | None = None,
) -> GateResult:
    """One answer for one model. None means not asked for; what could not be judged warns."""
    limits = limits or GateLimits()
    said: list[tuple[Grade, str]] = []
    if drift is None and fairness is None and performance is None:
        said.append(("warn", "nothing was judged"))
    said += _drift(drift)
    said += _fairness(fairness, limits)
    said += _performance(performance, limits)
    result: Grade = "pass"
    for grade in ("warn", "fail"):
        if any(one == grade for one, _ in said):
            result = grade
    ordered = sorted(said, key=lambda one: one[0] != "fail")
    return GateResult(gate=name, result=result, reasons=tuple(reason for _, reason in ordered))


def _drift(drift: DriftResult | Abstained | None) -> Iterable[tuple[Grade, str]]:
    if isinstance(drift, Abstained):
        yield "warn", f"drift could not be judged: {drift.reason}"
    elif drift is not None:
        for reason in drift.reasons:
            yield drift.result, reason
        for one in drift.abstained:
            yield "warn", f"drift of {one.subject} could not be judged: {one.reason}"


def _fairness(
    fairness: FairnessResult | Abstained | None, limits: GateLimits
) -> Iterable[tuple[Grade, str]]:
    if isinstance(fairness, Abstained):
        yield "warn", f"fairness could not be judged: {fairness.reason}"
        return
    if fairness is None:
        return
    for breach in breaches_of(fairness, limits):
        yield breach.grade, breach.reason
    for refusal in fairness.abstained:
        yield "warn", f"fairness of {refusal.subject}: {refusal.reason}"


def _performance(
    performance: PerformanceResult | Abstained | None, limits: GateLimits
) -> Iterable[tuple[Grade, str]]:
    if isinstance(performance, Abstained):
        yield "warn", f"quality could not be judged: {performance.reason}"
        return
    if performance is None:
        return
    classified = performance.metric == "accuracy"
    limit = limits.accuracy_drop if classified else limits.error_growth
    grade = over(performance.worsening, limit)
    if grade is not None:
        yield (
            grade,
            f"{performance.metric.replace('_', ' ')} went from {performance.reference.value:.4g} "
            f"to {performance.analysis.value:.4g}: worse by {performance.worsening.value:.1%}"
            f"{ends(performance.worsening)}; limit {limit:.0%}",
        )
