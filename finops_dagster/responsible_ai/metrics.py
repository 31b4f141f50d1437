"""Quality, fairness and drift of one model as plain rows, for scripts and tables.

Flattens what the judging modules say; nothing is decided here.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, fields
from typing import Any, Literal

import numpy as np
import pandas as pd

from finops_dagster.domain.decisions import Abstained
from finops_dagster.responsible_ai.drift.judging import judge_drift
from finops_dagster.responsible_ai.fairness.judging import judge_fairness
from finops_dagster.responsible_ai.intervals import (
    area_under_curve,
    calibration_error,
    mean,
    wilson,
)
from finops_dagster.responsible_ai.results import (
    AttributeFairness,
    DriftOptions,
    GroupRow,
    Interval,
    Task,
)

Window = Literal["reference", "analysis"]


@dataclass(frozen=True)
class MetricSchema:
    """Which column of a flat table means what."""

    task: Task
    prediction: str
    label: str | None = None
    probability: str | None = None
    protected: tuple[str, ...] = ()
    features: tuple[str, ...] = ()
    """Watched for drift; empty means every column that has no other meaning."""
    block: str | None = None
    """Column that says which rows belong together, such as their day."""
    ignored: tuple[str, ...] = ()
    """Columns that mean nothing, such as row numbers."""
    positive: str = "1"
    """The label and the prediction that count as class 1."""

    @classmethod
    def parse(cls, values: Mapping[str, Any]) -> MetricSchema:
        """From a JSON or YAML object; raises ValueError that names the key at fault."""
        known = {field.name for field in fields(cls)}
        unknown = sorted(set(values) - known)
        if unknown:
            raise ValueError(f"unknown key {unknown[0]!r}; known are {', '.join(sorted(known))}")
        plain: dict[str, Any] = dict(values)
        if plain.get("task") not in ("classification", "regression"):
            raise ValueError("task must be classification or regression")
        if not isinstance(plain.get("prediction"), str):
            raise ValueError("prediction must name a column")
        for key in ("protected", "features", "ignored"):
            names = plain.get(key, ())
            if isinstance(names, str) or not all(isinstance(name, str) for name in names):
                raise ValueError(f"{key} must be a list of column names")
            plain[key] = tuple(names)
        for key in ("label", "probability", "block"):
            if not isinstance(plain.get(key), str | None):
                raise ValueError(f"{key} must name a column")
        plain["positive"] = str(plain.get("positive", "1"))
        return cls(**plain)

    def missing(self, frame: pd.DataFrame) -> list[str]:
        """Columns named here that `frame` does not have."""
        named = [self.prediction, self.label, self.probability, self.block]
        return [
            name
            for name in (*named, *self.protected, *self.features)
            if name is not None and name not in frame.columns
        ]


@dataclass(frozen=True)
class MetricRow:
    """One figure. `segment` is "all" for the analysis window as a whole, ATTRIBUTE for a
    comparison of its groups, ATTRIBUTE=GROUP for one; those of the reference window begin with
    "reference/". A column's drift has the column as its segment.
    """

    metric: str
    segment: str
    value: float
    low: float | None
    high: float | None
    window: Window
    rows: int


def metrics(
    reference: pd.DataFrame, analysis: pd.DataFrame, schema: MetricSchema, *, seed: int = 0
) -> tuple[tuple[MetricRow, ...], tuple[Abstained, ...]]:
    """Every figure of both windows, and the drift between them; and what could not be judged.

    Raises ValueError where a column the schema names is missing.
    """
    rows: list[MetricRow] = []
    abstained: list[Abstained] = []
    windows: tuple[tuple[Window, pd.DataFrame], ...] = (
        ("analysis", analysis),
        ("reference", reference),
    )
    for window, frame in windows:
        missing = schema.missing(frame)
        if missing:
            raise ValueError(f"the {window} table has no column {missing[0]!r}")
        outcomes = _outcomes(frame, schema)
        rows += _quality(outcomes, schema.task, window)
        judged = judge_fairness(
            window, frame[list(schema.protected)], outcomes, task=schema.task, seed=seed
        )
        if isinstance(judged, Abstained):
            abstained.append(judged)
            continue
        abstained += [
            *judged.abstained,
            *(Abstained(subject=window, reason=f"not shown: {what}") for what in judged.shielded),
        ]
        for group in judged.groups:
            rows += _group(group, window)
        for attribute in judged.attributes:
            rows += _attribute(attribute, window, judged.rows)
    watched = _watched(reference, schema)
    drift = judge_drift(
        "drift",
        reference[watched],
        analysis[[name for name in watched if name in analysis.columns]],
        block=schema.block,
        seed=seed,
        options=DriftOptions(),
    )
    if isinstance(drift, Abstained):
        abstained.append(drift)
    else:
        abstained += drift.abstained
        for one in drift.features:
            count = one.current_rows
            rows.append(_row("drift_psi", one.feature, Interval(one.score), "analysis", count))
            p_value = Interval(one.p_adjusted)
            rows.append(_row("drift_p_adjusted", one.feature, p_value, "analysis", count))
        share = Interval(drift.drifted_share)
        rows.append(_row("drifted_share", "all", share, "analysis", drift.current_rows))
    return tuple(rows), tuple(abstained)


def _watched(frame: pd.DataFrame, schema: MetricSchema) -> list[str]:
    block = [schema.block] if schema.block is not None else []
    if schema.features:
        return [*schema.features, *block]
    meant = {schema.label, *schema.ignored, *block}
    return [*(str(c) for c in frame.columns if c not in meant), *block]


def _outcomes(frame: pd.DataFrame, schema: MetricSchema) -> pd.DataFrame:
    empty = np.full(len(frame), np.nan)
    return pd.DataFrame(
        {
            "prediction": _values(frame[schema.prediction], schema),
            "label": empty if schema.label is None else _values(frame[schema.label], schema),
            "probability": empty
            if schema.probability is None
            else pd.to_numeric(frame[schema.probability], errors="coerce").to_numpy("float64"),
        }
    )


def _values(column: pd.Series[Any], schema: MetricSchema) -> Any:
    """Numbers for a regressor; for a classifier 1 where it is the positive class, else 0."""
    numbers = pd.to_numeric(column, errors="coerce")
    if schema.task == "regression":
        return numbers.to_numpy(dtype="float64")
    positive = column.astype(str) == schema.positive
    if numbers.notna().any():
        with suppress(ValueError):
            positive = numbers == float(schema.positive)
    return np.where(column.isna().to_numpy(), np.nan, positive.to_numpy(dtype="float64"))


def _quality(outcomes: pd.DataFrame, task: Task, window: Window) -> Iterator[MetricRow]:
    known = outcomes[outcomes["prediction"].notna() & outcomes["label"].notna()]
    count = len(known)
    if not count:
        return
    said, label = known["prediction"].to_numpy(), known["label"].to_numpy()
    if task == "regression":
        yield _row("mean_absolute_error", "all", mean(np.abs(said - label)), window, count)
        yield _row("mean_error", "all", mean(said - label), window, count)
        return
    yield _row("accuracy", "all", wilson(float((said == label).sum()), count), window, count)
    both = float((said * label).sum())
    for name, hits, total in (
        ("selection_rate", float(said.sum()), count),
        ("precision", both, float(said.sum())),
        ("true_positive_rate", both, float(label.sum())),
        ("false_positive_rate", float(said.sum()) - both, float(count - label.sum())),
    ):
        if total > 0:
            yield _row(name, "all", wilson(hits, total), window, count)
    scored = known[known["probability"].notna()]
    if len(scored):
        label, score = scored["label"].to_numpy(), scored["probability"].to_numpy()
        area = area_under_curve(label, score)
        if area is not None:
            yield _row("roc_auc", "all", area, window, len(scored))
        error = Interval(calibration_error(label, score))
        yield _row("calibration_error", "all", error, window, len(scored))


def _group(group: GroupRow, window: Window) -> Iterator[MetricRow]:
    segment = f"{group.attribute}={group.group}"
    for name in (
        "selection_rate",
        "true_positive_rate",
        "false_positive_rate",
        "accuracy",
        "mean_absolute_error",
        "mean_error",
        "selection_ratio",
        "calibration_error",
    ):
        figure = getattr(group, name)
        if figure is not None:
            yield _row(name, segment, figure, window, group.rows)


def _attribute(one: AttributeFairness, window: Window, count: int) -> Iterator[MetricRow]:
    for field in fields(one):
        figure = getattr(one, field.name)
        if isinstance(figure, Interval):
            yield _row(field.name, one.attribute, figure, window, count)


def _row(metric: str, segment: str, figure: Interval, window: Window, rows: int) -> MetricRow:
    return MetricRow(
        metric=metric,
        segment=segment if window == "analysis" else f"reference/{segment}",
        value=figure.value,
        low=figure.low,
        high=figure.high,
        window=window,
        rows=rows,
    )
