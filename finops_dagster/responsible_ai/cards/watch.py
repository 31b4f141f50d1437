"""What the judging of AI models says of itself: it is an engine of ours like the others.

What it found on a day is counted elsewhere.
"""

from __future__ import annotations

from finops_dagster.domain.decisions import FindingKind
from finops_dagster.domain.engines import EngineDescription, EngineKind, constants, fields_of
from finops_dagster.responsible_ai.drift import judging as drift
from finops_dagster.responsible_ai.fairness import judging as fairness
from finops_dagster.responsible_ai.gate import GateLimits
from finops_dagster.responsible_ai.results import DriftOptions

MODEL_WATCH = EngineDescription(
    name="model-watch",
    title="Judging of AI models",
    kind=EngineKind.DETECTOR,
    version="responsible_ai/1",
    purpose="Drift, fairness and quality of the company's models and of our own, gates, and which "
    "change of Git would mend a breach.",
    method="Two windows of a prediction log compared by permuting days, all columns and segments "
    "at once (step-down maxT, Westfall and Young 1993); groups by fairlearn's metrics with "
    "intervals; a limit is broken where the interval is past it.",
    features=("inputs, answers and groups of the prediction log", "labels as they arrive",
              "what Git declares of the model"),
    parameters=fields_of(DriftOptions(), "drift.")
    | fields_of(GateLimits(), "gate.")
    | constants(drift, fairness),
    limits=(
        "What a model was not given in the log cannot be judged, whatever it does in the world.",
        "A group of few people is never shown, so that unfairness to it stays unseen.",
        "That no breach is found is no proof that there is none.",
    ),
    modules=("finops_dagster.responsible_ai.model",
             "finops_dagster.responsible_ai.remedies.choosing",
             "finops_dagster.responsible_ai.remedies.findings",
             "finops_dagster.responsible_ai.remedies.shadow",
             "finops_dagster.responsible_ai.champions.standing",
             "finops_dagster.responsible_ai.champions.findings",
             "finops_dagster.responsible_ai.energy.findings"),
    finds=frozenset({
        FindingKind.MODEL_ROLLBACK, FindingKind.MODEL_CANARY, FindingKind.MODEL_PAUSE,
        FindingKind.MODEL_RETRAIN, FindingKind.MODEL_ENERGY, FindingKind.SHADOW_AI,
        FindingKind.ENGINE_PROMOTION, FindingKind.ENGINE_ROLLBACK,
    }),
)  # fmt: skip
DESCRIPTIONS = (MODEL_WATCH,)
