"""The product's own models of a day: their cards, what drifts, and why they say what they say.

How a forecast is made is the business of engines; how it is judged, of responsible_ai.
"""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Any

import pandas as pd

from finops_dagster.defs.insight.models.health import SEED, Health
from finops_dagster.domain.decisions import Abstained
from finops_dagster.responsible_ai import (
    DriftResult,
    ModelRecord,
    explain,
    gate,
    judge_drift,
    write_card,
    write_explanations,
)
from finops_dagster.storage.days import DayStore

FORECASTER = "cost forecaster"


def judge_forecaster(day: DayStore, folder: Path, as_of: date, health: Health) -> None:
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
            FORECASTER, inputs[0], inputs[1], seed=SEED, block="block: day", html=evidently
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
