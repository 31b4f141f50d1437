"""What a model's answers and errors come to: fairness and quality, each over the days it needs.

Answers are known at once and errors when labels arrive; the judgements are made in their folders.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from decimal import Decimal

import pandas as pd

from finops_dagster.domain.decisions import Abstained
from finops_dagster.responsible_ai.fairness.judging import (
    SMALLEST_GROUP,
    judge_fairness,
    with_errors_of,
)
from finops_dagster.responsible_ai.fairness.mitigation import mitigate
from finops_dagster.responsible_ai.gate import NOWHERE
from finops_dagster.responsible_ai.performance.labelled import judge_performance
from finops_dagster.responsible_ai.results import FairnessResult, PerformanceResult, Seen
from finops_dagster.responsible_ai.spec import ModelSpec, Pair
from finops_dagster.responsible_ai.windows import ModelWindow

Parts = tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame]
"""Groups, outcomes and inputs of one window."""


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


def with_mitigation(
    outcomes: Outcomes,
    spec: ModelSpec,
    labelled: Pair | Abstained,
    attributes: Sequence[str],
    *,
    seed: int,
    smallest_group: int,
    error_cost: tuple[Decimal, str] | None,
) -> Outcomes:
    """With what would treat groups of `attributes`, those in breach, more alike, and its cost.

    Fitted on the reference window and tried on the one judged, both of the days with labels.
    """
    fairness = outcomes.fairness
    if isinstance(fairness, Abstained) or isinstance(labelled, Abstained) or not attributes:
        return outcomes
    earlier, later = (_parts(window, spec) for window in labelled)
    offered, refused = mitigate(
        spec.name,
        earlier,
        later,
        task=spec.task,
        seed=seed,
        smallest_group=smallest_group,
        error_cost=error_cost,
        attributes=attributes,
    )
    told = replace(fairness, mitigations=offered, unmitigated=refused)
    return replace(outcomes, fairness=told)


def _parts(window: ModelWindow, spec: ModelSpec) -> Parts:
    return window.groups[list(spec.protected)], window.outcomes, window.features
