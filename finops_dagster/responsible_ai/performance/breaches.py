"""Which limits of quality a model breaks: measured, estimated and by segment.

How the figures come about is told beside this module; what follows from a breach is policy's.
"""

from __future__ import annotations

from datetime import date
from typing import Literal

from finops_dagster.domain.decisions import Abstained
from finops_dagster.domain.models import ALL, Breach, Check
from finops_dagster.responsible_ai.performance.results import (
    EstimatedQuality,
    EstimateRecord,
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
    `trusted` says that its own record bears it.
    """
    found: list[Breach] = []
    limits = {"accuracy": accuracy_drop, "mean_absolute_error": error_growth}
    if isinstance(measured, PerformanceResult):
        limit = limits[measured.metric]
        grade = grade_over(measured.worsening, limit)
        if grade is not None:
            found.append(
                Breach(
                    check=Check.QUALITY,
                    grade=grade,
                    reason=_reason("", measured, limit),
                    version=version,
                    since=since,
                    figures=_figures(measured.worsening, limit),
                )
            )
    if isinstance(segments, SegmentQuality):
        limit = limits[segments.metric]
        for row in segments.rows:
            grade = grade_over(row.worsening, limit)
            if grade is not None:
                found.append(
                    Breach(
                        check=Check.QUALITY,
                        grade=grade,
                        reason=f"{row.segment}: {words(segments.metric)} went from "
                        f"{row.reference.value:.4g} to {row.analysis.value:.4g}, worse by "
                        f"{row.worsening.value:.1%}{_ends(row.worsening)}; limit {limit:.0%}",
                        segment=row.segment,
                        version=version,
                        since=since,
                        figures=_figures(row.worsening, limit),
                    )
                )
    if isinstance(estimated, EstimatedQuality):
        limit = limits[estimated.metric]
        grade = grade_over(estimated.worsening, limit)
        if grade is not None:
            sure = trusted(estimated, limit)
            said = "" if sure else "; its record does not bear more than a warning"
            found.append(
                Breach(
                    check=Check.ESTIMATED_QUALITY,
                    grade=grade if sure else "warn",
                    reason=f"no labels yet: {_reason('estimated ', estimated, limit)}{said}",
                    segment=ALL,
                    version=version,
                    since=estimated.first or since,
                    figures=_figures(estimated.worsening, limit),
                )
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


def grade_over(figure: Interval, limit: float) -> Literal["warn", "fail"] | None:
    """None within the limit; see `breaches_of`."""
    low, high = figure.low, figure.high
    middle = figure.value if low is None or high is None else (low + high) / 2
    if min(figure.value, middle) <= limit:
        return None
    return "fail" if low is not None and low > limit else "warn"


def words(metric: str) -> str:
    """A metric's name for people."""
    return metric.replace("_", " ")


def _reason(before: str, one: PerformanceResult | EstimatedQuality, limit: float) -> str:
    now = one.estimate if isinstance(one, EstimatedQuality) else one.analysis
    return (
        f"{before}{words(one.metric)} went from {one.reference.value:.4g} to {now.value:.4g}: "
        f"worse by {one.worsening.value:.1%}{_ends(one.worsening)}; limit {limit:.0%}"
    )


def _figures(worsening: Interval, limit: float) -> dict[str, float]:
    figures = {"worsening": worsening.value, "limit": limit}
    if worsening.low is not None and worsening.high is not None:
        figures |= {"worsening_low": worsening.low, "worsening_high": worsening.high}
    return figures


def _ends(figure: Interval) -> str:
    if figure.low is None or figure.high is None:
        return ""
    return f" (95 %: {figure.low:.1%} to {figure.high:.1%})"
