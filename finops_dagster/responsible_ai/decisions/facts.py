"""What was decided in some days, as it is told here: resources, changes, answers and errors.

Who gathers them knows no group that is too small; who judges them does.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal, localcontext
from enum import StrEnum

from finops_dagster.domain.decisions import Decision
from finops_dagster.domain.money import MONEY_PRECISION

LOOK_BACK_DAYS = 90
"""Decisions are few a day: a quarter of a year has enough to compare."""


class Dimension(StrEnum):
    """What decisions are compared by."""

    TEAM = "team"
    BUSINESS_UNIT = "business_unit"
    TEAM_SIZE = "team_size"
    REGION = "region"
    ENVIRONMENT = "environment"


Groups = Mapping[Dimension, str]
"""The group of each dimension that is known; another is absent."""

SIZES = ((10, "1 to 9 resources"), (50, "10 to 49 resources"))
_LARGEST = "50 resources or more"


def size_of(resources: int) -> str:
    """The band of a team by how many of its resources are judged."""
    return next((band for below, band in SIZES if resources < below), _LARGEST)


class Outcome(StrEnum):
    """What became of a change by the end of the days; a reverted one was merged before."""

    NONE = "none"
    """No pull request was opened."""
    OPEN = "open"
    MERGED = "merged"
    REJECTED = "rejected"
    REVERTED = "reverted"


@dataclass(frozen=True)
class Resource:
    """One that is declared and billed, so that a change of it could have been asked for."""

    name: str
    groups: Groups
    spend_per_month: Mapping[str, Decimal]
    """By currency."""
    found: bool = False
    """Whether a way to spend less on it was found in the days."""


@dataclass(frozen=True)
class Change:
    """One change that was asked for, as it was asked for last."""

    resource: str
    groups: Groups
    currency: str
    saving_per_month: Decimal
    """Negative where it costs money."""
    decision: Decision | None
    """What policy said of it; None where that is not kept."""
    outcome: Outcome = Outcome.NONE

    @property
    def cuts(self) -> bool:
        """Whether it asks for spending less."""
        return self.saving_per_month > 0


@dataclass(frozen=True)
class Answered:
    """An incident of which somebody said whether it was worth being told."""

    groups: Groups
    false_alarm: bool


@dataclass(frozen=True)
class Forecasted:
    """How far the forecasts of one team were off in the backtest of the last day."""

    team: str
    groups: Groups
    error: float
    """Mean absolute scaled error (R. J. Hyndman and A. B. Koehler 2006): of no unit, so that a team
    that spends much is not called badly forecast for that."""


@dataclass(frozen=True)
class DecisionFacts:
    """All that is judged together."""

    first: date
    last: date
    decided_days: int
    """Days in [first, last] that were decided."""
    resources: tuple[Resource, ...] = ()
    changes: tuple[Change, ...] = ()
    answered: tuple[Answered, ...] = ()
    forecasted: tuple[Forecasted, ...] = ()
    notes: tuple[str, ...] = field(default=())
    """What of it could not be told."""


_DAYS_PER_MONTH = Decimal(365) / 12


def per_month(amount: Decimal, days: int) -> Decimal:
    """What `amount` in so many days comes to in a month of 365/12 days, at 38 digits."""
    with localcontext() as context:
        context.prec = MONEY_PRECISION
        return amount / days * _DAYS_PER_MONTH
