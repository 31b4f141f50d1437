"""AI models of the company: what each is, which version answers when, and what is wrong with it.

One treats a group worse since its last release, one is fed shifted inputs, one is fine. A merged
change of what Git declares of them ends the first two. How their logs are written is elsewhere.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, timedelta

from finops_dagster.demo.seasons import AS_OF

BIAS_FROM = AS_OF - timedelta(days=20)
"""First day of the credit model's release that treats one group worse."""
BIASED_GROUP = ("sex", "female")
DRIFT_FROM = AS_OF - timedelta(days=9)
"""First day on which the churn model's inputs have moved."""
DRIFTED = ("support_calls", "tenure_months")


FAIR, UNFAIR = "2.0.3", "2.1.0"
"""Versions of the credit model before and since that release."""
TRAINED_UNTIL = "2026-08-30"
"""Day up to which the churn model was trained, as Git declares it at first."""
TRAINING = "churn-training"
"""ConfigMap whose `data.data_until` says up to which day the churn model is trained."""

Serving = Mapping[str, tuple[tuple[date, str], ...]]
"""Model -> what main declares of it, with the first day of each: of the credit model its version,
of the churn model the day of its data. None where nothing was changed since the estate was made."""


@dataclass(frozen=True)
class Feature:
    """One numeric input: its centre and spread (of the logarithm where `log`), and its weight."""

    name: str
    centre: float
    spread: float
    weight: float
    log: bool = False


@dataclass(frozen=True)
class Monitored:
    """One AI model of the company."""

    name: str
    task: str
    owner: str
    features: tuple[Feature, ...]
    groups: tuple[tuple[str, tuple[tuple[str, float], ...]], ...]
    per_day: int
    latency_ms: float
    energy_wh: float
    workload: str
    """KIND/NAMESPACE/NAME that answers."""
    purpose: str
    risk_class: str
    """By the EU AI Act: high, limited or minimal."""
    training_data: str
    error_cost: str
    """What a wrong answer costs, in EUR."""
    bias: float = 0.0
    """Centre of the log-odds of class 1, or the level of a regressor."""


MODELS: tuple[Monitored, ...] = (
    Monitored(
        name="credit-risk",
        task="classification",
        owner="fraud",
        features=(
            Feature("income_thousands", 3.6, 0.45, 0.9, log=True),
            Feature("debt_ratio", 0.34, 0.13, -1.0),
            Feature("card_utilisation", 0.42, 0.2, -0.6),
            Feature("months_on_book", 3.4, 0.8, 0.4, log=True),
            Feature("recent_inquiries", 1.9, 1.1, -0.3),
        ),
        groups=(
            ("sex", (("female", 0.48), ("male", 0.52))),
            ("age_band", (("18-34", 0.33), ("35-54", 0.41), ("55+", 0.26))),
        ),
        per_day=200,
        latency_ms=38.0,
        energy_wh=0.021,
        workload="Deployment/fraud/fraud-scorer",
        purpose="Says whether a customer may pay by invoice.",
        risk_class="high",
        training_data="Invoices of 2024 and 2025 and whether they were paid in time.",
        error_cost="38",
        bias=0.35,
    ),
    Monitored(
        name="churn",
        task="classification",
        owner="analytics",
        features=(
            Feature("tenure_months", 3.0, 0.7, -0.9, log=True),
            Feature("support_calls", 1.6, 0.9, 0.8),
            Feature("orders_90d", 1.5, 0.6, -0.7, log=True),
            Feature("discount_share", 0.22, 0.1, -0.3),
            Feature("days_since_login", 1.9, 0.8, 0.5, log=True),
        ),
        groups=(("age_band", (("18-34", 0.37), ("35-54", 0.40), ("55+", 0.23))),),
        per_day=160,
        latency_ms=21.0,
        energy_wh=0.012,
        workload="InferenceService/ml-serving/churn-scorer",
        purpose="Picks customers who are offered a discount to stay.",
        risk_class="minimal",
        training_data="Orders and calls of customers, up to the day that Git names.",
        error_cost="4.50",
        bias=-1.1,
    ),
    Monitored(
        name="demand-forecast",
        task="regression",
        owner="warehouse",
        features=(
            Feature("units_last_week", 4.7, 0.5, 1.0, log=True),
            Feature("price_index", 1.0, 0.08, -0.4),
            Feature("promotion_share", 0.18, 0.12, 0.3),
            Feature("stock_days", 2.6, 0.4, 0.1, log=True),
        ),
        groups=(),
        per_day=120,
        latency_ms=55.0,
        energy_wh=0.034,
        workload="InferenceService/ml-serving/demand-forecast",
        purpose="Says how many units of an article a warehouse needs next week.",
        risk_class="minimal",
        training_data="Sales of three years by week and warehouse.",
        error_cost="0.15",
        bias=120.0,
    ),
)


def declared_on(model: str, day: date, serving: Serving) -> str:
    """What Git declares of a model on a day; empty where nothing is of interest."""
    changes = [value for since, value in serving.get(model, ()) if since <= day]
    if changes:
        return changes[-1]
    if model == "credit-risk":
        return UNFAIR if day >= BIAS_FROM else FAIR
    return TRAINED_UNTIL if model == "churn" else ""


def version_on(model: Monitored, day: date, serving: Serving) -> str:
    """The version of a model that answers on a day."""
    told = declared_on(model.name, day, serving)
    if model.name == "credit-risk":
        return told
    return "1.5.0" if model.name == "churn" and _is_trained_anew(told) else "1.4.0"


def is_biased(model: Monitored, day: date, serving: Serving) -> bool:
    """Whether a group is treated worse on a day."""
    return model.name == "credit-risk" and version_on(model, day, serving) == UNFAIR


def is_shifted(model: Monitored, day: date, serving: Serving) -> bool:
    """Whether inputs are not as they were: until the model's are made of the new records too."""
    return (
        model.name == "churn"
        and day >= DRIFT_FROM
        and not _is_trained_anew(declared_on(model.name, day, serving))
    )


def _is_trained_anew(until: str) -> bool:
    return until >= DRIFT_FROM.isoformat()
