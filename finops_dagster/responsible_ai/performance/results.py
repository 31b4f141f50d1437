"""What judging quality hands back beside `PerformanceResult`: estimates, their record, segments.

How the figures come about is told in `estimated`, `record` and `segments`.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import Literal

from finops_dagster.domain.decisions import Abstained
from finops_dagster.responsible_ai.results import Interval

Metric = Literal["accuracy", "mean_absolute_error"]


@dataclass(frozen=True)
class PastEstimate:
    """One estimate as it would have been made on a past day, and what labels said of it later."""

    first: date
    last: date
    """The days estimated; it was made when the last of them ended."""
    estimate: Interval
    realised: float
    rows: int
    """Answers of these days whose labels are here now."""

    @property
    def error(self) -> float:
        """Estimate minus what was realised, in the metric's unit."""
        return self.estimate.value - self.realised

    @property
    def held(self) -> bool:
        """Whether the 95 % interval held what was realised."""
        low, high = self.estimate.low, self.estimate.high
        return low is not None and high is not None and low <= self.realised <= high


@dataclass(frozen=True)
class EstimateRecord:
    """How past estimates fared, oldest first."""

    metric: Metric
    past: tuple[PastEstimate, ...]
    bias: float
    """Mean of estimate minus realised, in the metric's unit."""
    mean_absolute_error: float
    coverage: float
    """Share of past estimates whose 95 % interval held what was realised."""
    separate: int
    """How many of them share no day with another."""


@dataclass(frozen=True)
class EstimatedQuality:
    """Quality of answers whose labels are not here yet, and why it may be believed."""

    subject: str
    metric: Metric
    method: str
    assumption: str
    """What must hold for the estimate to mean anything, as a sentence."""
    reference: Interval
    """Measured, on the labelled answers that the estimate rests on."""
    estimate: Interval
    """Where the figure by labels will lie, with 95 %."""
    worsening: Interval
    """As of `PerformanceResult`: accuracy lost in points of 1, or relative growth of error."""
    others: tuple[tuple[str, Interval], ...]
    """Other figures estimated: area under ROC, precision, recall."""
    second_opinion: float | None
    """Accuracy by average thresholded confidence; None for regressors."""
    reference_rows: int
    analysis_rows: int
    first: date | None
    last: date | None
    """The days estimated; None where rows have no day."""
    record: EstimateRecord | Abstained | None = None
    """How past estimates fared; None where it was not asked for."""
    doubts: tuple[str, ...] = ()
    """Why it is shown and not to be relied upon: a sentence each."""


@dataclass(frozen=True)
class SegmentRow:
    """One segment's quality. Never of fewer people than are shielded."""

    segment: str
    """ATTRIBUTE=GROUP, as in `domain.models.Breach`."""
    reference_rows: int
    analysis_rows: int
    reference: Interval
    analysis: Interval
    worsening: Interval
    """Against its own reference; as of `PerformanceResult`, widened for the number compared."""
    p_adjusted: float
    """That it is not worse than it was, after Holm 1979 over all segments compared."""
    against_rest: Interval
    """How much worse than everybody else now, in the same unit, widened likewise."""


@dataclass(frozen=True)
class SegmentQuality:
    """Quality by segment, the worst against its own past first."""

    subject: str
    metric: Metric
    rows: tuple[SegmentRow, ...]
    shielded: tuple[str, ...]
    """What was withheld because too few people bear it."""
    abstained: tuple[Abstained, ...]
    """What could not be judged, and why."""
