"""What is told of a model's energy: by day, by version, per unit of quality, and what to do.

How the figures come about is told in `quality` and `advice`.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from enum import StrEnum

from finops_dagster.domain.decisions import Abstained
from finops_dagster.domain.money import Money
from finops_dagster.responsible_ai.results import Interval, Task


@dataclass(frozen=True)
class TrainingEnergy:
    """What one run of training used. Document `training_energy` of a day holds its fields."""

    subject: str
    kwh: float
    kg_co2e: float
    seconds: float
    method: str
    """How it was measured or estimated, as a sentence."""


@dataclass(frozen=True)
class DayEnergy:
    """One day of one version: the row that everything else is summed from."""

    day: date
    version: str
    answers: int
    metered: int
    """Of these, answers whose energy is in the log."""
    energy_wh: float
    """Of the metered answers."""
    labelled: int
    """Of these, answers whose label is here."""
    gain: float
    """Sum over labelled answers of what the model does better than the trivial predictor; see
    `quality`."""


@dataclass(frozen=True)
class VersionEnergy:
    """One version over the days it answered in the window told."""

    version: str
    first: date
    last: date
    answers: int
    kwh: float
    """Of all its answers: those that are not metered at the mean of those that are."""
    wh_per_thousand: Interval
    kg_co2e: float | None
    """Of serving it, by the grid; None where it is not known."""
    cost: tuple[Money, ...]
    """Of serving it, effective; one for each currency; empty where it is not known."""
    training_kwh: float | None
    training_kg_co2e: float | None
    training_cost: tuple[Money, ...]
    gain_per_answer: Interval | None
    """Quality above the trivial predictor; None where no label is here."""
    gain_per_kilojoule: Interval | None
    kg_co2e_per_thousand_gains: float | None
    cost_per_thousand_gains: tuple[Money, ...]


class Advice(StrEnum):
    """What is advised where a joule buys less quality than it did."""

    RETRAIN = "retrain"
    """Quality fell."""
    DISTIL = "distil"
    """Quality hardly changed and an answer costs more energy than peers of the same task need."""
    MOVE = "move"
    """Same answers, more energy, on accelerators that are hardly used."""
    LOOK = "look"
    """Same answers, more energy, and no peer or accelerator tells why."""


@dataclass(frozen=True)
class EnergyAdvice:
    """One piece of advice, with what it rests on."""

    advice: Advice
    reason: str
    """A sentence for a person."""
    figures: dict[str, float]
    """Name with unit -> value."""
    spare_share: Interval
    """Share of today's serving energy that would not be used at the energy per unit of quality of
    the reference."""


@dataclass(frozen=True)
class ModelEnergy:
    """Energy of one monitored model for one day."""

    subject: str
    task: Task
    as_of: date
    versions: tuple[VersionEnergy, ...]
    """The newest first."""
    days: tuple[DayEnergy, ...]
    month_kwh: float | None
    """Of the last 30 days; of fewer days of log, at their mean a day."""
    month_days: int
    """Days of log that `month_kwh` rests on."""
    budget_kwh_month: float | None
    change: Interval | None
    """Quality per joule of the newest labelled days over that of the days before them, minus 1."""
    compared: str
    """What `change` compares, in words."""
    advice: EnergyAdvice | None
    abstained: tuple[Abstained, ...]
    """What could not be told, and why."""
