"""From what was judged of a model to pass, warn or fail, with the reasons in words.

Limits live here with their sources; what follows from a breach is policy's and the caller's.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from finops_dagster.domain.decisions import Abstained, GateResult
from finops_dagster.responsible_ai.results import (
    AttributeFairness,
    DriftResult,
    FairnessResult,
    Grade,
    Interval,
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
    for one in fairness.attributes:
        if one.attribute not in limits.ignore:
            yield from _attribute(one, fairness, limits)
    for refusal in fairness.abstained:
        yield "warn", f"fairness of {refusal.subject}: {refusal.reason}"


def _attribute(
    one: AttributeFairness, fairness: FairnessResult, limits: GateLimits
) -> Iterable[tuple[Grade, str]]:
    ratio = one.demographic_parity_ratio
    grade = _under(ratio, limits.selection_ratio)
    if ratio is not None and grade is not None:
        rates = {
            row.group: row.selection_rate.value
            for row in fairness.groups
            if row.attribute == one.attribute and row.judged and row.selection_rate is not None
        }
        low, high = min(rates, key=rates.__getitem__), max(rates, key=rates.__getitem__)
        yield (
            grade,
            f"{one.attribute}: {low} is selected {ratio.value:.2f} times as often as {high}"
            f"{_ends(ratio)}; four fifths is the limit of {limits.selection_ratio:g}",
        )
    for figure, limit, words in (
        (one.equalized_odds_difference, limits.odds_difference,
         "error rates differ between groups by"),
        (one.error_ratio, limits.error_ratio, "the error of one group over another's is"),
    ):  # fmt: skip
        grade = _over(figure, limit)
        if figure is not None and grade is not None:
            yield (
                grade,
                f"{one.attribute}: {words} {figure.value:.2f}{_ends(figure)}; limit {limit:g}",
            )


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
    grade = _over(performance.worsening, limit)
    if grade is not None:
        yield (
            grade,
            f"{performance.metric.replace('_', ' ')} went from {performance.reference.value:.4g} "
            f"to {performance.analysis.value:.4g}: worse by {performance.worsening.value:.1%}"
            f"{_ends(performance.worsening)}; limit {limit:.0%}",
        )


def _over(figure: Interval | None, limit: float) -> Grade | None:
    if figure is None or min(figure.value, _middle(figure)) <= limit:
        return None
    return "fail" if figure.low is not None and figure.low > limit else "warn"


def _under(figure: Interval | None, limit: float) -> Grade | None:
    if figure is None or max(figure.value, _middle(figure)) >= limit:
        return None
    return "fail" if figure.high is not None and figure.high < limit else "warn"


def _middle(figure: Interval) -> float:
    if figure.low is None or figure.high is None:
        return figure.value
    return (figure.low + figure.high) / 2


def _ends(figure: Interval) -> str:
    if figure.low is None or figure.high is None:
        return ""
    return f" (95 %: {figure.low:.2f} to {figure.high:.2f})"
