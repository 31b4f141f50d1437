"""Which limits of quality a model breaks: measured, estimated and by segment.

How the figures come about is told beside this module; what follows from a breach is policy's.
"""

from __future__ import annotations

from datetime import date
from typing import Literal

from finops_dagster.domain.decisions import Abstained
from finops_dagster.domain.models import ALL, Breach, Check
from finops_dagster.responsible_ai.grading import ends, over
from finops_dagster.responsible_ai.performance.results import (
    EstimatedQuality,
    EstimateRecord,
    Metric,
    SegmentQuality,
)
from finops_dagster.responsible_ai.results import Interval, PerformanceResult

TRUSTED_SEPARATE = 3
"""Past estimates without a day in common from which their record can say anything; a choice."""
TRUSTED_COVERAGE = 0.8
"""Share of past 95 % intervals that must have held; a choice: few past estimates scatter."""
TRUSTED_PART = 0.5
"""Part of the limit that the mean absolute error of past estimates may reach; a choice: an estimate
that errs by the limit itself cannot tell whether it was passed."""
SURE_SEGMENT = 0.05
"""Adjusted p-value from which a segment is not surely worse: small ones scatter past any limit."""


def breaches_of(
    measured: PerformanceResult | Abstained | None,
    estimated: EstimatedQuality | Abstained | None,
    segments: SegmentQuality | Abstained | None,
    *,
    accuracy_drop: float,
    error_growth: float,
    version: str = "",
    since: date | None = None,
) -> list[Breach]:
    """Every limit of quality that is broken, the gravest first.

    accuracy_drop: accuracy that may be lost, in points of 1. error_growth: growth of mean absolute
    error that is allowed, relative. As in the gate, a figure past its limit warns if the middle of
    its interval is past it too and fails if all of its interval is; an estimate fails only where
    `trusted` says that its own record bears it, and a segment counts only where it is surely worse
    than it was, by the p-value that is adjusted for all segments compared.
    """
    limits = {"accuracy": accuracy_drop, "mean_absolute_error": error_growth}
    found: list[Breach] = []

    def judge(
        check: Check,
        metric: Metric,
        figures: tuple[Interval, Interval, Interval],
        words: tuple[str, str] = ("", ""),
        segment: str = ALL,
        most: Literal["warn", "fail"] = "fail",
        first: date | None = since,
    ) -> None:
        before, now, worsening = figures
        limit = limits[metric]
        grade = over(worsening, limit)
        if grade is None:
            return
        found.append(
            Breach(
                check=check,
                grade="fail" if grade == most == "fail" else "warn",
                reason=f"{words[0]}{metric.replace('_', ' ')} went from {before.value:.4g} to "
                f"{now.value:.4g}: worse by {worsening.value:.1%}{ends(worsening)}; limit "
                f"{limit:.0%}{words[1]}",
                segment=segment,
                version=version,
                since=first,
                figures={"worsening": worsening.value, "worsening_limit": limit}
                | {
                    f"worsening_{end}": bound
                    for end in ("low", "high")
                    if (bound := getattr(worsening, end)) is not None
                },
            )
        )

    if isinstance(measured, PerformanceResult):
        figures = measured.reference, measured.analysis, measured.worsening
        judge(Check.QUALITY, measured.metric, figures)
    for row in segments.rows if isinstance(segments, SegmentQuality) else ():
        if row.p_adjusted < SURE_SEGMENT and isinstance(segments, SegmentQuality):
            figures = row.reference, row.analysis, row.worsening
            judge(Check.QUALITY, segments.metric, figures, (f"{row.segment}: ", ""), row.segment)
    if isinstance(estimated, EstimatedQuality):
        sure = trusted(estimated, limits[estimated.metric])
        judge(
            Check.ESTIMATED_QUALITY,
            estimated.metric,
            (estimated.reference, estimated.estimate, estimated.worsening),
            (
                "no labels yet: estimated ",
                "" if sure else "; how past estimates fared does not bear more than a warning",
            ),
            most="fail" if sure else "warn",
            first=estimated.first or since,
        )
    return sorted(found, key=lambda one: (one.grade != "fail", one.segment != ALL))


def trusted(estimated: EstimatedQuality, limit: float) -> bool:
    """Whether past estimates came so near to what labels said that this one may stop something."""
    record = estimated.record
    if estimated.doubts or not isinstance(record, EstimateRecord):
        return False
    # growth of error is relative to the reference, so the record's error is made so too
    unit = estimated.reference.value if estimated.metric == "mean_absolute_error" else 1.0
    return (
        record.separate >= TRUSTED_SEPARATE
        and record.coverage >= TRUSTED_COVERAGE
        and record.mean_absolute_error <= TRUSTED_PART * limit * unit
    )
