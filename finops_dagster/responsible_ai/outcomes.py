"""What a model's answers and errors come to: fairness and quality, each over the days it needs.

Answers are known at once and errors when labels arrive; the judgements are made in their folders.
"""

from __future__ import annotations

from dataclasses import dataclass

from finops_dagster.domain.decisions import Abstained
from finops_dagster.responsible_ai.fairness.judging import (
    SMALLEST_GROUP,
    judge_fairness,
    with_errors_of,
)
from finops_dagster.responsible_ai.gate import NOWHERE
from finops_dagster.responsible_ai.performance.labelled import judge_performance
from finops_dagster.responsible_ai.results import FairnessResult, PerformanceResult, Seen
from finops_dagster.responsible_ai.spec import ModelSpec, Pair
from finops_dagster.responsible_ai.windows import ModelWindow


@dataclass(frozen=True)
class Outcomes:
    """Fairness and quality of one model, and where each was measured."""

    fairness: FairnessResult | Abstained
    performance: PerformanceResult | Abstained
    answers: Seen
    labelled: Seen


def judge_outcomes(
    spec: ModelSpec,
    windows: Pair,
    labelled: Pair | Abstained,
    *,
    seed: int,
    smallest_group: int = SMALLEST_GROUP,
) -> Outcomes:
    """Fairness of the answers of `windows`, with errors and quality of `labelled`.

    Fairness is over the analysis window alone, so that what was mended is not held against a
    model. Where labels arrive late, `labelled` are earlier days.
    """

    def fairness_of(window: ModelWindow) -> FairnessResult | Abstained:
        return judge_fairness(
            spec.name,
            window.groups[list(spec.protected)],
            window.outcomes,
            task=spec.task,
            seed=seed,
            smallest_group=smallest_group,
        )

    analysis = windows[1]
    fairness = fairness_of(analysis)
    if isinstance(labelled, Abstained):
        return Outcomes(fairness, labelled, analysis.seen, NOWHERE)
    before, known = labelled
    if (known.first, known.last) != (analysis.first, analysis.last) and isinstance(
        fairness, FairnessResult
    ):
        fairness = with_errors_of(fairness, fairness_of(known), f"{known.first} to {known.last}")
    performance = judge_performance(spec.name, before.outcomes, known.outcomes, task=spec.task)
    return Outcomes(fairness, performance, analysis.seen, known.seen)
