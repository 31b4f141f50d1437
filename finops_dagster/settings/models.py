"""Keys of finops.yaml about AI models to watch, and about the models that the product itself runs.

How they are judged is the business of responsible_ai.
"""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from enum import StrEnum
from typing import Annotated, Literal

from pydantic import Field, model_validator

from finops_dagster.domain.models import RiskClass
from finops_dagster.settings.types import Section, Workload

Share = Annotated[float, Field(ge=0, le=1)]


class Task(StrEnum):
    """What a watched model predicts."""

    CLASSIFICATION = "classification"
    REGRESSION = "regression"


class ReferenceWindow(Section):
    """Fixed days that a model is compared with, in place of those before the ones judged."""

    first: date = Field(description="First day.", examples=["2026-01-01"])
    last: date = Field(description="Last day.", examples=["2026-01-28"])
    reason: str = Field(
        description="Why these, such as: what version 2 was validated on.",
        examples=["what version 2 was validated on"],
    )

    @model_validator(mode="after")
    def _in_order(self) -> ReferenceWindow:
        if self.last < self.first:
            raise ValueError("last must not be before first")
        return self


class ErrorCost(Section):
    """What a wrong answer costs, as the owner of the model values it."""

    amount: Decimal = Field(
        ge=0,
        description="Money of one wrong answer; of a regressor, of one unit of error.",
        examples=["40.00"],
    )
    currency: str = Field(pattern=r"^[A-Z]{3}$", description="Its currency.", examples=["EUR"])


class DeclaredValue(Section):
    """One value in the GitOps repository."""

    resource: Workload = Field(
        description="KIND/NAMESPACE/NAME.", examples=["CronJob/ml/credit-training"]
    )
    field: str = Field(
        min_length=1,
        description="Its path, as `finops desired-state index PATH` prints it.",
        examples=["spec.suspend"],
    )


class RemedySettings(Section):
    """Where Git says how a model is served and trained."""

    version: DeclaredValue | None = Field(
        default=None,
        description="The value that holds the version served, such as an image or a model's URI. "
        "Empty: the one value of its workload that names the version in the log.",
    )
    canary: DeclaredValue | None = Field(
        default=None,
        description="Percent of the traffic that the newest version gets. Empty: "
        "canaryTrafficPercent of its InferenceService.",
    )
    pause: DeclaredValue | None = Field(
        default=None, description="Number of replicas, 0 for none. Empty: it is never paused."
    )
    retrain: DeclaredValue | None = Field(
        default=None,
        description="What starts a training: a date up to which data are used, or `suspend` of a "
        "CronJob. Empty: it is not retrained by a pull request.",
    )


class ModelLimits(Section):
    """From where a figure of the model is a breach."""

    selection_ratio: Share = Field(
        default=0.8, description="Lowest selection rate of a group over the highest, at least."
    )
    odds_difference: Share = Field(default=0.1, description="Equalised odds difference, at most.")
    error_ratio: float = Field(
        default=1.25, ge=1, description="Highest error of a group over the lowest, at most."
    )
    accuracy_drop: Share = Field(
        default=0.05, description="Accuracy lost since the reference window, at most."
    )
    error_growth: float = Field(
        default=0.2, ge=0, description="Growth of error since the reference window, at most."
    )
    ignore: tuple[str, ...] = Field(
        default=(), description="Protected attributes that are shown and not judged."
    )


class ModelSettings(Section):
    """An AI model to watch."""

    name: str = Field(description="Name in the prediction log.", examples=["credit-risk"])
    task: Task = Field(
        description="classification (0 or 1, with probability) or regression.",
        examples=["classification"],
    )
    owner: str = Field(description="Team that answers for it.", examples=["team-risk"])
    features: tuple[str, ...] = Field(
        min_length=1, description="Inputs watched for drift.", examples=[["income", "age"]]
    )
    protected: tuple[str, ...] = Field(
        default=(), description="Groups in the log over which fairness is measured."
    )
    segments: tuple[str, ...] = Field(
        default=(),
        description="Groups in the log, or inputs that are categories, in each of which drift and "
        "quality are judged as well.",
    )
    reference_days: int = Field(
        default=28, ge=7, le=365, description="Length of the reference window, in days."
    )
    analysis_days: int = Field(
        default=7, ge=1, le=90, description="Length of the window judged against it, in days."
    )
    reference: ReferenceWindow | None = Field(
        default=None,
        description="Fixed days to compare with. Empty: the days before those judged.",
    )
    workload: Workload | None = Field(
        default=None,
        description="KIND/NAMESPACE/NAME of the Kubernetes workload that answers: whose cost its "
        "predictions share. Empty: not known.",
        examples=["InferenceService/ml/credit-risk"],
    )
    purpose: str = Field(default="", description="What it is for, in a sentence.")
    risk_class: RiskClass = Field(
        default=RiskClass.UNKNOWN,
        description="Its risk class by the EU AI Act: prohibited, high, limited or minimal.",
    )
    training_data: str = Field(default="", description="What it was trained on, in a sentence.")
    card: str = Field(default="", description="Where its own model card is: a URL or a path.")
    error_cost: ErrorCost | None = Field(
        default=None, description="What a wrong answer costs: by it breaches are ranked."
    )
    energy_budget_kwh_month: float | None = Field(
        default=None, gt=0, description="Energy a month that it may use, in kWh."
    )
    limits: ModelLimits = Field(
        default_factory=ModelLimits, description="From where a figure is a breach."
    )
    remedies: RemedySettings = Field(
        default_factory=RemedySettings, description="Where Git says how it is served and trained."
    )


class EngineSettings(Section):
    """How the product's own forecaster is replaced and trained anew."""

    declared: str = Field(
        default="",
        description="KIND/NAMESPACE/NAME of the manifest whose `spec.artefact` names the artefact "
        "in use, and whose spec.pinned keeps it. Empty: promotions are kept in the state alone.",
        examples=["Engine/finops/cost-forecaster"],
    )
    challenger: Literal["", "wide", "fast"] = Field(
        default="", description="A recipe that is tried beside the one in use; empty: none."
    )
    margin: Share = Field(
        default=0.01, description="Share of error by which a challenger must be better."
    )
    segment_limit: Share = Field(
        default=0.05, description="Share of error by which no team may be worse off."
    )
    confidence: Share = Field(default=0.95, description="Confidence of the paired test, in [0, 1].")
    max_age_days: int = Field(
        default=1,
        ge=1,
        le=365,
        description="Days since the last that a model learnt from, beyond which it is trained anew "
        "without other cause; 1: every day.",
    )


class AISettings(Section):
    """How AI is watched: the company's models and the product's own."""

    false_alarms_per_year: float = Field(
        default=0.5,
        gt=0,
        le=12,
        description="Drift alarms a model-year that are accepted where nothing changed.",
    )
    smallest_group: int = Field(
        default=20, ge=5, le=1000, description="People that a group must have to be shown."
    )
    country: str = Field(
        default="",
        pattern=r"^([A-Z]{3})?$",
        description="Country whose grid powers the machine that the product runs on, ISO 3166-1 "
        "alpha-3, for the carbon of its own training. Empty: the average of the world.",
        examples=["FRA"],
    )
    cards_folder: str = Field(
        default="",
        description="Folder of the GitOps repository to which a manifest that registers a model "
        "may be added. Empty: none is proposed.",
        examples=["models"],
    )
    engines: EngineSettings = Field(
        default_factory=EngineSettings, description="The product's own forecaster."
    )
