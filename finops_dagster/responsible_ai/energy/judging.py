"""Everything told of one model's energy for one day: versions, month, change, advice.

The order of things only; figures are made in `quality`, advice in `advice`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta

import pandas as pd

from finops_dagster.domain.decisions import Abstained
from finops_dagster.domain.money import Money
from finops_dagster.responsible_ai.energy.advice import advise
from finops_dagster.responsible_ai.energy.quality import (
    MIN_LABELLED,
    by_version,
    day_rows,
    month_kwh,
    trivial_answer,
    version_energy,
)
from finops_dagster.responsible_ai.energy.results import DayEnergy, ModelEnergy, VersionEnergy
from finops_dagster.responsible_ai.results import Task
from finops_dagster.responsible_ai.windows import MATURE, joinable_labels, known_labels


@dataclass(frozen=True)
class VersionFacts:
    """What bills and telemetry say of one version: of serving it in the days told, of training."""

    kg_co2e: float | None = None
    cost: tuple[Money, ...] = ()
    training_kwh: float | None = None
    training_kg_co2e: float | None = None
    training_cost: tuple[Money, ...] = ()


@dataclass(frozen=True)
class Surroundings:
    """What else of the estate bears on one model's energy."""

    versions: Mapping[str, VersionFacts] = field(default_factory=dict)
    peers: Mapping[str, float] = field(default_factory=dict)
    """Energy of one answer in Wh, of other models of its task."""
    idle_share: float | None = None
    """Of the hours that GPUs of its workload were held."""


def model_days(
    predictions: pd.DataFrame,
    labels: pd.DataFrame | None,
    *,
    model: str,
    task: Task,
    as_of: date,
    analysis_days: int,
) -> list[DayEnergy]:
    """Rows by day and version of what was logged up to `as_of`, with the labels known by then.

    predictions: day, time, model, model_version, prediction_id, prediction, energy_wh. labels: rows
    of fct_model_labels. The trivial predictor knows the labels of days before those judged.
    """
    days = pd.to_datetime(predictions["day"]).dt.date
    own = predictions[(predictions["model"] == model) & (days <= as_of)].reset_index(drop=True)
    if own.empty:
        return []
    joined, _ = joinable_labels(own, labels, model)
    known = known_labels(joined, model)
    answers = pd.DataFrame(
        {
            "day": pd.to_datetime(own["day"]).dt.date,
            "version": own["model_version"].astype(str),
            "prediction": own["prediction"].astype("float64"),
            "energy_wh": own["energy_wh"].astype("float64"),
            "label": own["prediction_id"].astype(str).map(known).astype("float64"),
        }
    )
    labelled = answers.loc[answers["label"].notna()]
    newest = labelled["day"].max() if len(labelled) else as_of
    before = labelled[labelled["day"] <= newest - timedelta(days=analysis_days)]
    trivial = trivial_answer((before if len(before) else labelled)["label"].tolist(), task)
    return day_rows(answers, task, trivial)


def per_answer_wh(rows: Sequence[DayEnergy]) -> float | None:
    """Energy of one answer in Wh; None where none is metered."""
    count = sum(row.metered for row in rows)
    return sum(row.energy_wh for row in rows) / count if count else None


def judge_energy(
    subject: str,
    rows: Sequence[DayEnergy],
    *,
    task: Task,
    as_of: date,
    reference_days: int,
    analysis_days: int,
    budget_kwh_month: float | None,
    around: Surroundings,
) -> ModelEnergy | Abstained:
    """Energy of one model as of `model_days`; abstains where its log has no energy at all.

    Quality per joule is compared between the `analysis_days` up to the newest whose labels are here
    and the `reference_days` before them; where another version answered before, with the last of
    its days instead.
    """
    if not any(row.metered for row in rows):
        reason = "its log has no answer" if not rows else "its log has the energy of no answer"
        return Abstained(subject=subject, reason=f"energy: {reason}")
    abstained, versions = [], []
    for version, own in by_version(rows).items():
        told = around.versions.get(version, VersionFacts())
        made = version_energy(
            version,
            own,
            kg_co2e=told.kg_co2e,
            cost=told.cost,
            training_kwh=told.training_kwh,
            training_kg_co2e=told.training_kg_co2e,
            training_cost=told.training_cost,
        )
        if isinstance(made, VersionEnergy):
            versions.append(made)
        else:
            abstained.append(Abstained(subject=subject, reason=f"energy: {made.reason}"))
    month, days = month_kwh(rows, as_of)
    before, now, compared = _sides(rows, reference_days, analysis_days)
    change, advice, unknown = advise(
        before, now, compared=compared, peers=around.peers, idle_share=around.idle_share
    )
    if unknown:
        abstained.append(Abstained(subject=subject, reason=f"quality per joule: {unknown}"))
    return ModelEnergy(
        subject=subject,
        task=task,
        as_of=as_of,
        versions=tuple(versions),
        days=tuple(rows),
        month_kwh=month,
        month_days=days,
        budget_kwh_month=budget_kwh_month,
        change=change,
        compared=compared,
        advice=advice,
        abstained=tuple(abstained),
    )


def _sides(
    rows: Sequence[DayEnergy], reference_days: int, analysis_days: int
) -> tuple[list[DayEnergy], list[DayEnergy], str]:
    """Days before, days now, and in words what the former are."""
    end = _newest_labelled(rows)
    if end is None:
        return [], [], ""
    start = end - timedelta(days=analysis_days - 1)
    judged = [row for row in rows if start <= row.day <= end]
    past = [row for row in rows if row.day < start]
    version = judged[-1].version
    own = [row for row in judged if row.version == version]
    others = [row for row in past if row.version != version]
    enough = all(sum(row.labelled for row in side) >= MIN_LABELLED for side in (own, others))
    if enough and not any(row.version == version and row.labelled for row in past):
        before = by_version(others)
        name = next(iter(before))
        return _last(before[name], reference_days), own, f"version {name} before it"
    first = start - timedelta(days=reference_days)
    return (
        [row for row in past if row.day >= first],
        judged,
        f"the days from {max(first, min(row.day for row in rows))} to {start - timedelta(days=1)}",
    )


def _last(rows: Sequence[DayEnergy], days: int) -> list[DayEnergy]:
    first = rows[-1].day - timedelta(days=days - 1)
    return [row for row in rows if row.day >= first]


def _newest_labelled(rows: Sequence[DayEnergy]) -> date | None:
    """The newest day whose labels have arrived, as `windows.newest_labelled` counts it."""
    table = pd.DataFrame([(row.day, row.answers, row.labelled) for row in rows])
    summed = table.groupby(0).sum()
    share = summed[2] / summed[1]
    usual = float(share.quantile(0.9))
    arrived = [
        day
        for day, part in share.items()
        if isinstance(day, date) and usual > 0 and part >= MATURE * usual
    ]
    return max(arrived, default=None)
