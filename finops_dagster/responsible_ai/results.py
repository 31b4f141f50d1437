"""What judging a model hands back: frozen types, each figure with its interval.

How the figures come about is told in `drift`, `fairness` and `performance`.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import Literal

from finops_dagster.domain.decisions import Abstained
from finops_dagster.domain.models import ALL

Task = Literal["classification", "regression"]
Grade = Literal["pass", "warn", "fail"]


@dataclass(frozen=True)
class Interval:
    """A figure and the ends of its 95 % interval; ends are None where none is known."""

    value: float
    low: float | None = None
    high: float | None = None


DriftKind = Literal["data", "prediction", "label", "concept"]


@dataclass(frozen=True)
class Seen:
    """Where a figure was measured: from which day on, and of which version's answers."""

    since: date | None = None
    version: str = ""
    """Empty where several answered."""


@dataclass(frozen=True)
class DriftOptions:
    """When a moved column counts as drift.

    A column drifts when its move is both surely not chance (at the level that
    `false_alarms_per_year` gives, over all that is judged together) and large enough to matter.
    """

    false_alarms_per_year: float = 0.5
    """Alarms a model-year that are accepted where nothing changed; see
    `drift.shift.daily_level`."""
    psi_warn: float = 0.1
    """Population stability index, in excess of what chance gives, from which a move matters.
    0.1 and 0.25: N. Siddiqi, Credit Risk Scorecards, 2006."""
    psi_fail: float = 0.25
    rate_warn: float = 0.05
    """Move of the rate of a 0-or-1 label at the same inputs, from which it matters: as much as a
    model may lose of its accuracy (`GateLimits.accuracy_drop`)."""
    rate_fail: float = 0.1
    error_warn: float = 0.2
    """Move of a number's label at the same inputs, as a share of the usual error, from which it
    matters: as much as a model's error may grow (`GateLimits.error_growth`)."""
    error_fail: float = 0.5
    share_fail: float = 0.5
    """Share of drifted columns from which the whole set has drifted (Evidently's default)."""
    min_rows: int = 100
    """Rows in either window under which nothing is judged."""
    segment_rows: int = 50
    """The same for one segment; never under `smallest_group`."""
    smallest_group: int = 20
    """People under which a segment is not even named (k-anonymity, L. Sweeney 2002)."""
    permutations: int = 9999
    """Drawn where a move may matter; a fortieth of them where none does."""
    max_rows: int = 200_000
    """Rows of one window above which evenly spaced ones stand for it."""


@dataclass(frozen=True)
class FeatureDrift:
    """How far one column moved between two windows."""

    feature: str
    method: str
    score: float
    """In the unit of `method`: a population stability index, or a move at the same inputs."""
    expected: float
    """Its mean where nothing moved, by permutation: small windows alone raise it."""
    threshold: float
    """Score from which this column counts as drifted."""
    p_value: float
    p_adjusted: float
    """Chance that any of the columns, segments and kinds judged together moves as surely."""
    drifted: bool
    severity: Literal["none", "minor", "major"]
    reference_rows: int
    current_rows: int
    kind: DriftKind = "data"
    segment: str = ALL
    history: tuple[float, ...] = ()
    """The score of each window of as many days as are judged, ending on each day in turn, against
    the other days of the reference; the last is `score`. Empty where days are not known."""


@dataclass(frozen=True)
class DriftResult:
    """Drift of one subject (a model, or the forecaster's inputs)."""

    subject: str
    features: tuple[FeatureDrift, ...]
    drifted_share: float
    dataset_drift: bool
    reference_rows: int
    current_rows: int
    blocks: int
    """Blocks (days) that were permuted; 0 where rows were taken as independent."""
    result: Grade
    reasons: tuple[str, ...]
    """One of each drifted column, worst first; before them one of the set, where it drifted."""
    abstained: tuple[Abstained, ...]
    """Columns that could not be judged."""

    @property
    def drifted(self) -> tuple[FeatureDrift, ...]:
        """The drifted columns, worst first."""
        return tuple(sorted((f for f in self.features if f.drifted), key=lambda f: -f.score))


@dataclass(frozen=True)
class GroupRow:
    """One protected group. Rates are None where fewer than the shielded number bear them, or where
    showing them would let the rates of so few be worked out."""

    attribute: str
    group: str
    rows: int
    labelled: int
    selection_rate: Interval | None
    true_positive_rate: Interval | None
    false_positive_rate: Interval | None
    accuracy: Interval | None
    calibration_error: Interval | None
    """Expected calibration error, ten equal bins (Naeini et al. 2015)."""
    selection_ratio: Interval | None
    """Selection rate over that of the largest group."""
    mean_absolute_error: Interval | None
    mean_error: Interval | None
    """Prediction minus label."""
    judged: bool
    """Large enough to be compared by the gate."""
    precision: Interval | None = None
    """Share of those selected who are of class 1: what predictive parity compares."""
    members: tuple[str, ...] = ()
    """Of an intersection: the group of each of its attributes."""

    @property
    def parts(self) -> tuple[str, ...]:
        """The group of each attribute that it is about."""
        return self.members or (self.group,)


@dataclass(frozen=True)
class AttributeFairness:
    """One protected attribute, over the groups large enough to compare."""

    attribute: str
    largest_group: str
    demographic_parity_difference: Interval | None = None
    demographic_parity_ratio: Interval | None = None
    """Lowest selection rate over highest."""
    true_positive_rate_difference: Interval | None = None
    false_positive_rate_difference: Interval | None = None
    equalized_odds_difference: Interval | None = None
    accuracy_difference: Interval | None = None
    error_ratio: Interval | None = None
    """Highest mean absolute error over lowest, for regressors."""
    predictive_parity_difference: Interval | None = None
    """Highest precision less the lowest."""
    calibration_difference: Interval | None = None
    """Highest expected calibration error less the lowest."""
    error_difference: Interval | None = None
    """Highest mean absolute error less the lowest, for regressors, in the label's unit."""


@dataclass(frozen=True)
class Intersection:
    """Groups of several attributes at once, such as women over fifty.

    Intervals of `compared` hold for all intersections of a model together (Bonferroni), so that
    looking at many does not make one look worse by chance.
    """

    attributes: tuple[str, ...]
    groups: tuple[GroupRow, ...]
    """Those that may be shown; a group reads `GROUP, GROUP` in the order of `attributes`."""
    compared: AttributeFairness
    worst: str
    """The group that fares worst: least often selected, or of the highest error."""
    withheld: int
    """Combinations that occur and are not shown."""


@dataclass(frozen=True)
class FrontierPoint:
    """How far groups differ, and what that costs, under one choice of thresholds."""

    limit: float
    """The difference that was allowed on the earlier days."""
    difference: float
    """The difference on the later days."""
    accuracy: float


@dataclass(frozen=True)
class Mitigation:
    """One way to make a model treat the groups of an attribute more alike, tried on later days."""

    attribute: str
    method: Literal["reweighing", "group thresholds"]
    aim: Literal["demographic parity", "equalized odds"]
    before: AttributeFairness
    after: AttributeFairness
    accuracy_before: float
    accuracy_change: Interval
    """Accuracy gained (negative: lost) on the later days, paired by row."""
    wrong_per_thousand: float
    """More wrong answers per thousand (negative: fewer)."""
    cost: str
    """Money a thousand answers, as `AMOUNT CURRENCY`; empty where no error cost is known."""
    settings: tuple[tuple[str, float], ...]
    """What to set: threshold of each group, or weight of each group and label."""
    frontier: tuple[FrontierPoint, ...] = ()
    """Today's answers first, then thresholds that leave less and less difference."""
    rows: int = 0
    """Labelled later answers that it was tried on."""


@dataclass(frozen=True)
class FairnessResult:
    """Fairness of one model over its protected attributes."""

    subject: str
    task: Task
    rows: int
    labelled: int
    groups: tuple[GroupRow, ...]
    attributes: tuple[AttributeFairness, ...]
    shielded: tuple[str, ...]
    """What was withheld because too few people bear it."""
    notes: tuple[str, ...]
    """Rows left out, too few to matter."""
    abstained: tuple[Abstained, ...]
    """What could not be judged, and why."""
    intersections: tuple[Intersection, ...] = ()
    mitigations: tuple[Mitigation, ...] = ()
    unmitigated: tuple[Abstained, ...] = ()
    """What no mitigation could be tried for, and why; no part of the gate."""


@dataclass(frozen=True)
class PerformanceResult:
    """Quality of one model in two windows."""

    subject: str
    metric: Literal["accuracy", "mean_absolute_error"]
    reference: Interval
    analysis: Interval
    worsening: Interval
    """Accuracy lost in points of 1, or growth of error relative to the reference."""
    auc_reference: Interval | None
    auc_analysis: Interval | None
    reference_rows: int
    analysis_rows: int
