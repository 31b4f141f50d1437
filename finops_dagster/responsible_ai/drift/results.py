"""What judging the drift of one model hands back: by kind and by segment, and how sure it is.

How the figures come about is told in `shift` and `concept`, what is made of them in `breaches`.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Literal

from finops_dagster.domain.decisions import Abstained
from finops_dagster.domain.models import RiskClass
from finops_dagster.responsible_ai.results import DriftResult, FeatureDrift, Grade, Interval


@dataclass(frozen=True)
class ReferenceChoice:
    """Which days a model was compared with, and why these."""

    rule: Literal["rolling", "fixed", "short"]
    """rolling: the days before those judged. fixed: days that its owner named. short: what there
    was, less than was asked for."""
    first: date
    last: date
    days: int
    """Days of it with answers."""
    asked_days: int
    rows: int
    reason: str
    """One sentence for a person."""


@dataclass(frozen=True)
class AlarmRule:
    """How often drift may be reported where there is none."""

    false_alarms_per_year: float
    """Accepted alarms a model-year."""
    level: float
    """Chance of any alarm on one day that follows from it (`shift.daily_level`)."""
    families: int
    """Sets of columns judged on days of their own, each at its part of the level."""
    hypotheses: int
    """Columns x segments x kinds that were looked at."""


@dataclass(frozen=True)
class SegmentDrift:
    """One segment of a model's answers. Counts are rounded to tens of k where a smaller segment
    beside it is withheld, so that they cannot be subtracted to it."""

    segment: str
    """ATTRIBUTE=GROUP."""
    reference_rows: int
    current_rows: int
    features: tuple[FeatureDrift, ...]
    extra_error: Interval | None = None
    """Mean error of its answers now minus before, in the unit of an error; None without labels."""

    @property
    def drifted(self) -> tuple[FeatureDrift, ...]:
        """What drifted in it, worst first."""
        return tuple(sorted((f for f in self.features if f.drifted), key=lambda f: -f.score))


OWN = 2.0
"""How many times as far as the whole a segment must move for the move to be its own."""


def of_their_own(
    segments: Iterable[SegmentDrift], whole: Iterable[FeatureDrift]
) -> tuple[FeatureDrift, ...]:
    """What drifted in segments and in the whole not, or by less than half; else a move of all would
    be told again for each segment."""
    known = {(f.kind, f.feature): f.score - f.expected for f in whole if f.drifted}
    return tuple(
        one
        for part in segments
        for one in part.drifted
        if one.score - one.expected >= OWN * known.get((one.kind, one.feature), 0.0)
    )


@dataclass(frozen=True)
class DriftReport:
    """Drift of one model in one window. What could not be judged says why."""

    subject: str
    first: date
    last: date
    """Days judged."""
    reference: ReferenceChoice
    rule: AlarmRule
    data: DriftResult | Abstained
    prediction: DriftResult | Abstained
    label: DriftResult | Abstained
    concept: DriftResult | Abstained
    segments: tuple[SegmentDrift, ...]
    shielded: tuple[str, ...]
    """Segments withheld because too few people bear them, counted only."""
    abstained: tuple[Abstained, ...]
    """Columns and segments that could not be judged."""
    result: Grade
    reasons: tuple[str, ...]
    labelled_last: date | None = None
    """Last day of the window that labels were judged in; None without."""
    extra_error: Interval | None = None
    """Mean error of all answers now minus before, in the unit of an error (a classifier's: share
    of wrong answers); None without labels."""
    answers_a_day: float = 0.0

    @property
    def kinds(self) -> tuple[DriftResult | Abstained, ...]:
        """The four kinds, in the order data, prediction, label, concept."""
        return self.data, self.prediction, self.label, self.concept

    @property
    def features(self) -> tuple[FeatureDrift, ...]:
        """All that was judged of the whole, in the order of `kinds`."""
        return tuple(
            one for kind in self.kinds if isinstance(kind, DriftResult) for one in kind.features
        )

    @property
    def drifted(self) -> tuple[FeatureDrift, ...]:
        """What drifted in the whole, then what segments have `of_their_own`."""
        whole = tuple(f for f in self.features if f.drifted)
        return whole + of_their_own(self.segments, whole)

    @property
    def drifted_share(self) -> float:
        """Share of the inputs that drifted in the whole; 0 where they could not be judged."""
        return self.data.drifted_share if isinstance(self.data, DriftResult) else 0.0


@dataclass(frozen=True)
class Stake:
    """What a wrong answer of a model costs, as its owner values it, and its risk class."""

    amount: Decimal | None = None
    """Of one wrong answer; of a regressor, of one unit of error. None: its owner does not say."""
    currency: str = ""
    risk_class: RiskClass = RiskClass.UNKNOWN
