"""What a monitored model is, as its owner stated it, and the days on which it is judged by that.

Which figures are made of those days is told in `model`.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta

import pandas as pd

from finops_dagster.domain.decisions import Abstained
from finops_dagster.responsible_ai.results import Task
from finops_dagster.responsible_ai.windows import ModelWindow, model_windows, newest_labelled

Pair = tuple[ModelWindow, ModelWindow]
"""The reference and the window judged against it."""


@dataclass(frozen=True)
class FixedReference:
    """Days to compare with whatever day is judged, and why these."""

    first: date
    last: date
    reason: str


@dataclass(frozen=True)
class ModelSpec:
    """What a monitored model is, as its owner stated it."""

    name: str
    task: Task
    features: tuple[str, ...]
    protected: tuple[str, ...] = ()
    reference_days: int = 28
    analysis_days: int = 7
    segments: tuple[str, ...] = ()
    """Groups, or inputs that are categories, in each of which it is judged as well."""
    reference: FixedReference | None = None
    """None compares with the days before those judged."""

    @property
    def groups(self) -> tuple[str, ...]:
        """Groups in the log that any check looks at: those protected, and those of segments."""
        more = (name for name in self.segments if name not in self.features)
        return tuple(dict.fromkeys((*self.protected, *more)))

    @property
    def days(self) -> int:
        """Days of log that judging it may look at, up to and with the day judged."""
        return 2 * self.reference_days + self.analysis_days

    def spans(self, as_of: date) -> tuple[tuple[date, date], ...]:
        """First and last days of log, and of labels, that judging it for `as_of` looks at: none
        overlaps another, the oldest comes first."""
        recent = as_of - timedelta(days=self.days - 1)
        if self.reference is None or self.reference.first >= recent:
            return ((recent, as_of),)
        # the labels of its last days arrive later
        last = self.reference.last + timedelta(days=self.reference_days)
        if last >= recent - timedelta(days=1):
            return ((self.reference.first, as_of),)
        return ((self.reference.first, last), (recent, as_of))


def windows_of(
    predictions: pd.DataFrame, labels: pd.DataFrame | None, spec: ModelSpec, end: date
) -> Pair | Abstained:
    """The windows that end with `end`; frames as for `model_windows`."""
    fixed = spec.reference
    return model_windows(
        predictions,
        labels,
        model=spec.name,
        features=spec.features,
        protected=spec.groups,
        as_of=end,
        reference_days=spec.reference_days,
        analysis_days=spec.analysis_days,
        reference=None if fixed is None else (fixed.first, fixed.last),
    )


def labelled_windows(
    predictions: pd.DataFrame, labels: pd.DataFrame | None, spec: ModelSpec, end: date
) -> Pair | Abstained:
    """The windows that end with the newest day up to `end` whose labels have arrived."""
    newest = newest_labelled(
        predictions, labels, model=spec.name, as_of=end, reference_days=spec.reference_days
    )
    if isinstance(newest, Abstained):
        return newest
    return windows_of(predictions, labels, spec, newest)
