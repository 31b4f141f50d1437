"""Whether columns moved between two windows.

The arithmetic is in `shift` and `family`, Evidently's report in `evidently`, a model's windows and
segments in `report`; what a gate makes of it is decided in `gate`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd

from finops_dagster.domain.decisions import Abstained
from finops_dagster.responsible_ai.drift.columns import columns_of, hypotheses_of
from finops_dagster.responsible_ai.drift.evidently import write_report
from finops_dagster.responsible_ai.drift.family import judged_together
from finops_dagster.responsible_ai.drift.shift import (
    Blocks,
    Ints,
    daily_level,
    day_blocks,
    row_blocks,
)
from finops_dagster.responsible_ai.drift.words import sentence
from finops_dagster.responsible_ai.results import DriftOptions, DriftResult, FeatureDrift, Grade


def judge_drift(
    subject: str,
    reference: pd.DataFrame,
    current: pd.DataFrame,
    *,
    seed: int,
    block: str | None = None,
    options: DriftOptions | None = None,
    html: Path | None = None,
) -> DriftResult | Abstained:
    """Judge every column that both frames share; write Evidently's HTML report to `html`.

    Numbers and texts are judged by the population stability index (over parts of equal size of
    both windows together, or over values where there are few) against what permutation of `block`
    gives (a column that says which rows belong together, such as their day; without one rows are
    taken as independent); a column's missing values are judged as a column of their own. Infinite
    numbers count as missing. The report needs no network, and shows names with mark-up characters
    replaced. Evidently reads DO_NOT_TRACK from the environment: the caller sets it.
    """
    options = options or DriftOptions()
    if refusal := too_few_rows(subject, len(reference), len(current), options.min_rows):
        return refusal
    rows = len(reference), len(current)
    reference, current = (
        frame.iloc[thinned(len(frame), options)] for frame in (reference, current)
    )
    if block is None:
        blocks = row_blocks(len(reference), len(current), seed)
    else:
        blocks = day_blocks(reference[block].to_numpy(), current[block].to_numpy())
        reference, current = (frame.drop(columns=block) for frame in (reference, current))
    level = daily_level(options.false_alarms_per_year)
    if refusal := too_few_blocks(subject, blocks, level):
        return refusal
    columns, abstained = columns_of(subject, reference, current)
    if not columns:
        return Abstained(subject=subject, reason="no column could be judged: all are empty")
    judged = judged_together(
        hypotheses_of(columns, blocks, options),
        blocks,
        level=level,
        options=options,
        seed=seed,
    )
    result = result_of(subject, judged, rows, blocks, options, abstained)
    if html is not None:
        write_report(columns, judged, options, html)
    return result


def too_few_rows(subject: str, reference: int, current: int, least: int) -> Abstained | None:
    """The refusal to judge windows of fewer rows than `least`; None where there are enough."""
    if min(reference, current) >= least:
        return None
    reason = (
        f"drift needs {least} rows in either window; reference has {reference}, current {current}"
    )
    return Abstained(subject=subject, reason=reason)


def too_few_blocks(subject: str, blocks: Blocks, level: float) -> Abstained | None:
    """The refusal to judge windows of so few days that no move could be told from chance."""
    if blocks.tells(level):
        return None
    what = "days" if blocks.days else "sets of rows"
    reason = (
        f"{blocks.reference} {what} and {blocks.current} to compare are too few to tell a move "
        f"from how days differ, at a chance of {level:.4f} of a false alarm"
    )
    return Abstained(subject=subject, reason=reason)


def thinned(rows: int, options: DriftOptions) -> Ints:
    """Places of the rows that stand for all: evenly spaced where there are more than are read."""
    if rows <= options.max_rows:
        return np.arange(rows)
    return np.linspace(0, rows - 1, options.max_rows).astype(np.int64)


def result_of(
    subject: str,
    judged: Sequence[FeatureDrift],
    rows: tuple[int, int],
    blocks: Blocks,
    options: DriftOptions,
    abstained: Sequence[Abstained] = (),
) -> DriftResult:
    """One kind of drift of the whole, graded."""
    share = sum(f.drifted for f in judged) / len(judged) if judged else 0.0
    result, reasons = _grade(judged, share, options)
    return DriftResult(
        subject=subject,
        features=tuple(judged),
        drifted_share=share,
        dataset_drift=share >= options.share_fail,
        reference_rows=rows[0],
        current_rows=rows[1],
        blocks=blocks.count if blocks.days else 0,
        result=result,
        reasons=reasons,
        abstained=tuple(abstained),
    )


def _grade(
    judged: Sequence[FeatureDrift], share: float, options: DriftOptions
) -> tuple[Grade, tuple[str, ...]]:
    drifted = sorted((f for f in judged if f.drifted), key=lambda f: -f.score)
    reasons = [sentence(one) for one in drifted]
    # what a model says has two columns that move as one, and so is no set
    many = share >= options.share_fail and all(f.kind == "data" for f in judged)
    if many:
        reasons.insert(0, f"{len(drifted)} of {len(judged)} columns moved")
    if many or any(f.severity == "major" for f in drifted):
        return "fail", tuple(reasons)
    return ("warn" if drifted else "pass"), tuple(reasons)


def with_rows(one: FeatureDrift, count: tuple[int, int]) -> FeatureDrift:
    """The same with row counts as they may be shown."""
    return replace(one, reference_rows=count[0], current_rows=count[1])
