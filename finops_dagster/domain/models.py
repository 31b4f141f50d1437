"""AI models, the company's and our own: what is checked of one, what a breach is, what mends it.

How checks are made is the business of responsible_ai; what follows from a breach, of policy.
"""

from __future__ import annotations

from datetime import date
from enum import StrEnum
from typing import Literal

from pydantic import BaseModel, ConfigDict

from finops_dagster.domain.money import MoneyRange

ALL = "all"
"""The segment that is everybody; another is ATTRIBUTE=GROUP, several joined by `, `."""
LIMIT = "_limit"
"""What ends the name of a figure's limit: of NAME it is NAME_limit."""
COLUMNS = "columns"
"""The figure of a breach of drift that says how many columns moved."""


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Check(StrEnum):
    """What of a model is checked."""

    DATA_DRIFT = "data_drift"
    """What it is given moved."""
    PREDICTION_DRIFT = "prediction_drift"
    """What it says moved."""
    CONCEPT_DRIFT = "concept_drift"
    """What is true for the same inputs moved."""
    FAIRNESS = "fairness"
    """Answers or errors fall differently on groups of people."""
    QUALITY = "quality"
    """Answers are worse than they were, by labels."""
    ESTIMATED_QUALITY = "estimated_quality"
    """Answers are likely worse than they were, by an estimate made before labels arrive."""
    COVERAGE = "coverage"
    """Intervals hold the truth more or less often than they say."""
    BIAS = "bias"
    """Forecasts err to one side."""
    ENERGY = "energy"
    """Energy per answer, or per unit of quality, rose; or a budget is used up."""
    LOGGING = "logging"
    """It stopped logging, or its clock jumps."""
    EXPLANATION = "explanation"
    """Explanations do not add up, or are not stable."""
    REGISTRATION = "registration"
    """It runs and nobody has registered it."""


class Remedy(StrEnum):
    """What may be changed in Git for a model that is in breach."""

    ROLLBACK = "rollback"
    """Serve the last version that was compliant."""
    CANARY = "canary"
    """Give the version in breach less of the traffic."""
    PAUSE = "pause"
    """Serve no answers until a person has looked."""
    RETRAIN = "retrain"
    """Have it trained anew on what it is given now."""
    REGISTER = "register"
    """Write down what it is and who answers for it."""


class RiskClass(StrEnum):
    """Risk classes of the EU AI Act (Regulation (EU) 2024/1689)."""

    PROHIBITED = "prohibited"
    """Article 5."""
    HIGH = "high"
    """Article 6 and Annex III."""
    LIMITED = "limited"
    """Article 50: transparency towards people."""
    MINIMAL = "minimal"
    UNKNOWN = "unknown"
    """Nobody has said."""


class Breach(_Frozen):
    """One check that a model does not meet."""

    check: Check
    grade: Literal["warn", "fail"]
    reason: str
    """One sentence for a person."""
    segment: str = ALL
    version: str = ""
    """The version that answered; empty where several or none did."""
    since: date | None = None
    """First day of the window in which it shows."""
    figures: dict[str, float] = {}
    """What was measured (name with unit -> value); the limit of NAME is NAME_limit."""
    at_stake: MoneyRange | None = None
    """A month, as its owner values wrong answers; None where that is not known."""
