"""Keys of finops.yaml about AI models to watch.

How they are judged is the business of responsible_ai.
"""

from __future__ import annotations

from enum import StrEnum

from pydantic import Field

from finops_dagster.settings.types import Section, Workload


class Task(StrEnum):
    """What a watched model predicts."""

    CLASSIFICATION = "classification"
    REGRESSION = "regression"


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
    reference_days: int = Field(
        default=28, ge=7, le=365, description="Length of the reference window, in days."
    )
    analysis_days: int = Field(
        default=7, ge=1, le=90, description="Length of the window judged against it, in days."
    )
    workload: Workload | None = Field(
        default=None,
        description="KIND/NAMESPACE/NAME of the Kubernetes workload that answers: whose cost its "
        "predictions share. Empty: not known.",
        examples=["InferenceService/ml/credit-risk"],
    )
