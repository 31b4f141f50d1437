"""What judging the product's own decisions hands back: counts, money, rates and breaches.

How they come about is told in judging.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from enum import StrEnum

from finops_dagster.domain.decisions import Abstained, Decision
from finops_dagster.domain.models import Breach
from finops_dagster.responsible_ai.decisions.facts import Dimension, Outcome
from finops_dagster.responsible_ai.results import Interval

SUBJECT = "decisions"
"""What the gate of the product's own decisions is called."""
SMALLER = "(smaller groups)"
"""Stands for at least two groups that are too small to be told alone."""


class Measure(StrEnum):
    """A share that is compared between groups."""

    ASKED = "asked_to_cut"
    """Of the resources judged, those whose owner was asked to spend less."""
    ASKED_OF_FOUND = "asked_of_found"
    """Of the resources in which a way to spend less was found, those asked."""
    TURNED_DOWN = "turned_down"
    """Of the changes that people have ended, those rejected or reverted."""
    FALSE_ALARMS = "false_alarms"
    """Of the incidents that people answered, those they called noise."""
    DENIED = "denied"
    """Of the changes that policy judged, those it denied: shown, no burden, never a breach."""
    FORECAST_ERROR = "forecast_error"
    """Mean scaled error of the forecasts of its teams; no share."""


@dataclass(frozen=True)
class Counted:
    """How much of everything a group has had."""

    dimension: Dimension
    group: str
    resources: int
    found: int
    changes: int
    """Asked for, cuts and others."""
    cuts: int
    decisions: Mapping[Decision, int]
    outcomes: Mapping[Outcome, int]


@dataclass(frozen=True)
class Asked:
    """What a group is asked to save a month, in one currency, of what it spends."""

    dimension: Dimension
    group: str
    currency: str
    saving_per_month: Decimal
    spend_per_month: Decimal
    share: Interval | None
    """None where it spends nothing in it."""


@dataclass(frozen=True)
class Compared:
    """One measure of one group, and against all other groups of its dimension together."""

    dimension: Dimension
    group: str
    measure: Measure
    of: int
    """Resources, changes, incidents or teams that it is a share or a mean of."""
    value: Interval
    to_others: Interval | None
    """Its value over that of the others; None where either is too few, or theirs is nothing."""
    p_adjusted: float | None
    """None where it was not tested."""


@dataclass(frozen=True)
class DecisionFairness:
    """Whom decisions of some days fell on."""

    first: date
    last: date
    decided_days: int
    counts: tuple[Counted, ...]
    money: tuple[Asked, ...]
    compared: tuple[Compared, ...]
    breaches: tuple[Breach, ...]
    """The gravest first; of no model, but of what decides."""
    abstained: tuple[Abstained, ...]
    notes: tuple[str, ...]

    def groups(self, dimension: Dimension) -> list[str]:
        """Of which anything is told, in the order of names."""
        counted = {one.group for one in self.counts if one.dimension is dimension}
        return sorted(counted | {one.group for one in self.compared if one.dimension is dimension})
