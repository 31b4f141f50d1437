"""Reads prediction logs and forecasts, asks responsible_ai about them, and keeps its pages.

What counts as drift, unfair or good enough is responsible_ai's to say.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pandas as pd

from finops_dagster.defs.estate import Estate
from finops_dagster.defs.insight import facts
from finops_dagster.defs.insight.models.decided import write_decided
from finops_dagster.domain.decisions import Abstained, GateResult
from finops_dagster.responsible_ai import (
    DriftResult,
    FairnessResult,
    ModelRecord,
    ModelSpec,
    PerformanceResult,
    explain,
    gate,
    judge_drift,
    judge_model,
    write_card,
    write_explanations,
)
from finops_dagster.settings import ModelSettings
from finops_dagster.storage.days import DayStore
from finops_dagster.storage.publication import PublishedReader

FORECASTER = "cost forecaster"
_SEED = 0


@dataclass
class Health:
    """What was said of every model of a day."""

    gates: list[GateResult] = field(default_factory=list)
    abstained: list[Abstained] = field(default_factory=list)
    pages: dict[str, Path] = field(default_factory=dict)
    rows: list[dict[str, Any]] = field(default_factory=list)


def judge_models(estate: Estate, reader: PublishedReader, as_of: date) -> Health:
    """Judge every monitored model, our own forecaster, and whom our decisions fell on."""
    health = Health()
    folder = estate.report_folder(as_of)
    for model in estate.settings.models:
        _monitored(reader, model, as_of, folder, health)
    _forecaster(estate.day(as_of), folder, as_of, health)
    decided, unjudged, page = write_decided(estate, reader, as_of)
    health.gates.append(decided)
    health.abstained += unjudged
    health.pages["whom our decisions fell on"] = page
    return health


def _monitored(
    reader: PublishedReader,
    model: ModelSettings,
    as_of: date,
    folder: Path,
    health: Health,
) -> None:
    spec = ModelSpec(
        name=model.name,
        task=model.task.value,
        features=model.features,
        protected=model.protected,
        reference_days=model.reference_days,
        analysis_days=model.analysis_days,
    )
    first = as_of - timedelta(days=spec.days - 1)
    made = facts.predictions(reader, first, as_of)
    if made is None:
        missing = Abstained(subject=model.name, reason="no prediction log is published")
        health.gates.append(gate(model.name, drift=missing))
        health.abstained.append(missing)
        return
    judged = judge_model(
        made,
        facts.labels(reader, first, as_of),
        spec,
        as_of=as_of,
        seed=_SEED,
        # names come from settings and logs: never a path
        folder=folder / "models" / f"model-{len(health.gates) + 1}",
    )
    health.gates.append(judged.gate)
    health.pages[model.name] = judged.page
    if judged.evidently is not None:
        health.pages[f"{model.name}: Evidently"] = judged.evidently
    for part in (judged.drift, judged.fairness, judged.performance):
        if isinstance(part, Abstained):
            health.abstained.append(part)
        elif isinstance(part, DriftResult | FairnessResult):
            health.abstained += part.abstained
    drift, quality = judged.drift, judged.performance
    analysed = as_of - timedelta(days=spec.analysis_days - 1)
    health.rows.append(
        {
            "model": model.name,
            "owner": model.owner,
            "versions": facts.versions(reader, model.name, analysed, as_of),
            "gate": judged.gate.result,
            "drifted_features": [one.feature for one in drift.drifted]
            if isinstance(drift, DriftResult)
            else None,
            "drifted_share": drift.drifted_share if isinstance(drift, DriftResult) else None,
            "quality_metric": quality.metric if isinstance(quality, PerformanceResult) else None,
            "quality": quality.analysis.value if isinstance(quality, PerformanceResult) else None,
        }
    )


def _forecaster(day: DayStore, folder: Path, as_of: date, health: Health) -> None:
    """Our own forecaster: its card with its backtest, and why it says what it says."""
    record = day.document("forecast_record")
    backtest = day.frame("forecast_backtest")
    contributions = day.frame("forecast_contributions")
    frame = day.frame("forecasts")
    if record is None or backtest is None or frame is None or frame.empty:
        reason = "no forecast was made for this day"
        health.gates.append(gate(FORECASTER, drift=Abstained(subject=FORECASTER, reason=reason)))
        return
    inputs = day.frame("forecast_inputs_reference"), day.frame("forecast_inputs_current")
    drift: DriftResult | Abstained
    if inputs[0] is None or inputs[1] is None:
        drift = Abstained(
            subject=FORECASTER, reason="the history is too short to compare its inputs"
        )
    else:
        evidently = folder / "models" / "forecaster-drift.html"
        drift = judge_drift(
            FORECASTER, inputs[0], inputs[1], seed=_SEED, block="block: day", html=evidently
        )
        if evidently.exists():
            health.pages[f"{FORECASTER}: Evidently"] = evidently
    result = gate(FORECASTER, drift=drift)
    pooled = {
        str(row["model"]): {
            name: float(row[name])
            for name in ("mase", "smape", "coverage_80", "coverage_95", "scaled_pinball")
            if name in row and pd.notna(row[name])
        }
        for row in backtest.loc[backtest["unique_id"] == "(pooled)"].to_dict("records")
    }
    ours = pooled.pop("ours", {})
    card, _ = write_card(
        folder / "models",
        ModelRecord(
            name=FORECASTER,
            version=record["engine"],
            purpose="Daily cost of a team, a service or an estate for the next 30 days, with "
            "intervals; to see what a month will come to, and what a change should save.",
            data_window=f"{record['training_start'][:10]} to {record['training_end'][:10]}",
            data_rows=int(record["training_rows"]),
            data_hash=record["data_hash"],
            features=tuple(record["features"]),
            parameters={
                f"{number}.{name}": value
                for number, parameters in enumerate(record["parameters"], 1)
                for name, value in parameters.items()
            },
            metrics=ours,
            baselines=pooled,
            limits=(
                "Usage at effective cost alone: purchases, taxes, credits and refunds are not "
                "forecast.",
                "A series of less than four weeks is forecast by its own last weeks or days, not "
                "by this model, and has no backtest of its own.",
                "It knows no plans but the events that the settings name: another launch or "
                "migration to come is not in it.",
            ),
            as_of=as_of.isoformat(),
        ),
        result,
    )
    health.gates.append(result)
    health.pages[f"{FORECASTER}: model card"] = card
    if contributions is not None and not contributions.empty:
        health.pages[f"{FORECASTER}: explanations"] = write_explanations(
            folder / "models" / "explanations.html",
            "Why the forecast says what it says",
            _explained(frame, contributions),
        )


def _explained(frame: pd.DataFrame, contributions: pd.DataFrame) -> list[Any]:
    """The last explained day of every total and team series, in words."""
    last = contributions.loc[contributions["step"] == contributions["step"].max()]
    predicted = frame.set_index(["unique_id", "step"])["mean"]
    made = []
    for (unique_id, step), rows in last.groupby(["unique_id", "step"]):
        scope, currency, name = str(unique_id).split("|", 2)
        if scope == "service":
            continue
        parts = dict(zip(rows["feature"], rows["contribution"].astype(float), strict=True))
        base = parts.pop("base", 0.0)
        made.append(
            explain(
                f"{name}, {step} days ahead",
                base,
                parts,
                float(predicted[(unique_id, step)]),
                unit=f"{currency} per day",
                base_words="what its recent days alone say",
            )
        )
    return made
