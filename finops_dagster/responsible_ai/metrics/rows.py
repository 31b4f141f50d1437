"""Quality, fairness and drift of one model as plain rows, for scripts and tables.

Flattens what the judging modules say; nothing is decided here.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, fields, replace
from decimal import Decimal

import pandas as pd

from finops_dagster.domain.decisions import Abstained
from finops_dagster.responsible_ai.drift.judging import judge_drift
from finops_dagster.responsible_ai.fairness.judging import SMALLEST_GROUP, judge_fairness
from finops_dagster.responsible_ai.fairness.mitigation import mitigate
from finops_dagster.responsible_ai.metrics.outcomes import Outcomes, Window, read_windows
from finops_dagster.responsible_ai.metrics.quality import quality
from finops_dagster.responsible_ai.metrics.schema import MetricSchema
from finops_dagster.responsible_ai.results import (
    AttributeFairness,
    DriftOptions,
    GroupRow,
    Interval,
    Mitigation,
)

_OF_GROUPS = (
    "selection_rate",
    "selection_ratio",
    "true_positive_rate",
    "false_positive_rate",
    "precision",
    "accuracy",
    "calibration_error",
    "mean_absolute_error",
    "mean_error",
)


@dataclass(frozen=True)
class MetricRow:
    """One figure. `segment` is "all" for the analysis window as a whole, ATTRIBUTE for a
    comparison of its groups, ATTRIBUTE=GROUP for one; of an intersection `ATTRIBUTE and ATTRIBUTE`
    and `ATTRIBUTE=GROUP, ATTRIBUTE=GROUP`. Those of the reference window begin with "reference/".
    A column's drift has the column as its segment.
    """

    metric: str
    segment: str
    value: float
    low: float | None
    high: float | None
    window: Window
    rows: int


def metrics(
    reference: pd.DataFrame,
    analysis: pd.DataFrame,
    schema: MetricSchema,
    *,
    seed: int = 0,
    smallest_group: int = SMALLEST_GROUP,
) -> tuple[tuple[MetricRow, ...], tuple[Abstained, ...]]:
    """Every figure of both windows, and the drift between them; and what could not be judged.

    Raises MetricFault, a ValueError, where a table cannot be read as the schema says.
    """
    before, now = read_windows(reference, analysis, schema)
    rows: list[MetricRow] = []
    abstained: list[Abstained] = []
    for read in (now, before):
        more, refused = _window(read, schema, seed, smallest_group)
        rows += more
        abstained += refused
    moved, unjudged = _drift(before, now, schema, seed)
    return (*rows, *moved), (*abstained, *unjudged)


def mitigations(
    reference: pd.DataFrame,
    analysis: pd.DataFrame,
    schema: MetricSchema,
    *,
    seed: int = 0,
    smallest_group: int = SMALLEST_GROUP,
    error_cost: tuple[Decimal, str] | None = None,
) -> tuple[tuple[Mitigation, ...], tuple[Abstained, ...]]:
    """What would make the model treat groups more alike, fitted on the reference window and tried
    on the analysis window; and why nothing could be tried. Raises MetricFault.

    error_cost: money of one wrong answer, and its currency.
    """
    before, now = read_windows(reference, analysis, schema)
    inputs = schema.features or tuple(
        name
        for name in _watched(before.frame, schema)
        if name not in (schema.prediction, schema.probability)
    )
    protected = {group.column for group in schema.groups}
    inputs = tuple(name for name in inputs if name not in protected and name in now.frame.columns)
    return mitigate(
        "mitigation",
        (before.groups, before.outcomes, before.frame[list(inputs)]),
        (now.groups, now.outcomes, now.frame[list(inputs)]),
        task=schema.task,
        seed=seed,
        smallest_group=smallest_group,
        error_cost=error_cost,
    )


def _window(
    read: Outcomes, schema: MetricSchema, seed: int, smallest: int
) -> tuple[list[MetricRow], list[Abstained]]:
    window = read.window
    if not len(read.outcomes):
        return [], [Abstained(subject=window, reason="the window has no row")]
    figures, untold = quality(read.outcomes, schema.task, smallest)
    rows = [_row(name, "all", figure, window, count) for name, figure, count in figures]
    abstained = [Abstained(subject=window, reason=text) for text in (*read.told, *untold)]
    judged = judge_fairness(
        window,
        read.groups,
        read.outcomes,
        task=schema.task,
        seed=seed,
        smallest_group=smallest,
    )
    if isinstance(judged, Abstained):
        return rows, [*abstained, judged]
    abstained += judged.abstained
    abstained += [Abstained(subject=window, reason=f"not shown: {t}") for t in judged.shielded]
    if schema.protected:
        abstained += [Abstained(subject=window, reason=text) for text in judged.notes]
    for group in judged.groups:
        rows += _group(group, f"{group.attribute}={group.group}", window)
    for attribute in judged.attributes:
        rows += _attribute(attribute, window, judged.rows)
    for one in judged.intersections:
        for group in one.groups:
            named = zip(one.attributes, group.parts, strict=True)
            rows += _group(group, ", ".join(f"{name}={part}" for name, part in named), window)
        rows += _attribute(one.compared, window, sum(group.rows for group in one.groups))
    return rows, abstained


def _drift(
    before: Outcomes, now: Outcomes, schema: MetricSchema, seed: int
) -> tuple[list[MetricRow], tuple[Abstained, ...]]:
    watched = _watched(before.frame, schema)
    drift = judge_drift(
        "drift",
        before.frame[watched],
        now.frame[[name for name in watched if name in now.frame.columns]],
        block=schema.block,
        seed=seed,
        options=DriftOptions(),
    )
    if isinstance(drift, Abstained):
        return [], (drift,)
    rows = []
    for one in drift.features:
        count = one.current_rows
        for name, value in (("drift_psi", one.score), ("drift_p_adjusted", one.p_adjusted)):
            rows.append(_row(name, one.feature, Interval(value), "analysis", count))
    share = Interval(drift.drifted_share)
    rows.append(_row("drifted_share", "all", share, "analysis", drift.current_rows))
    return rows, drift.abstained


def _watched(frame: pd.DataFrame, schema: MetricSchema) -> list[str]:
    block = [schema.block] if schema.block is not None else []
    if schema.features:
        return [*schema.features, *block]
    cut = schema.window.column if schema.window is not None else None
    meant = {schema.label, cut, *schema.ignored, *block}
    return [*(str(c) for c in frame.columns if c not in meant), *block]


def _group(group: GroupRow, segment: str, window: Window) -> Iterator[MetricRow]:
    for name in _OF_GROUPS:
        figure = getattr(group, name)
        if figure is not None:
            yield _row(name, segment, figure, window, group.rows)


def _attribute(one: AttributeFairness, window: Window, count: int) -> Iterator[MetricRow]:
    for field in fields(one):
        figure = getattr(one, field.name)
        if isinstance(figure, Interval):
            yield _row(field.name, one.attribute, figure, window, count)


def _row(metric: str, segment: str, figure: Interval, window: Window, rows: int) -> MetricRow:
    row = MetricRow(metric, segment, figure.value, figure.low, figure.high, window, rows)
    return row if window == "analysis" else replace(row, segment=f"reference/{segment}")
