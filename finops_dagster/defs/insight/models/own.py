"""The product's own forecaster of a day: whether its inputs moved and its explanations hold.

How a forecast is made is the business of engines; how it is judged, of responsible_ai. Its model
card is made once the day's findings are known, in `cards`.
"""

from __future__ import annotations

from datetime import date
from pathlib import Path

from finops_dagster.defs.estate import Estate
from finops_dagster.defs.insight import explained
from finops_dagster.defs.insight.models import honesty
from finops_dagster.defs.insight.models.cards import FORECASTER
from finops_dagster.defs.insight.models.health import SEED, Health
from finops_dagster.domain.decisions import Abstained
from finops_dagster.responsible_ai import DriftResult, gate, judge_drift


def judge_forecaster(estate: Estate, folder: Path, as_of: date, health: Health) -> None:
    """Drift of what it is given, and whether what it says of itself adds up and is stable."""
    day = estate.day(as_of)
    frame = day.frame("forecasts")
    if frame is None or frame.empty:
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
    # that no earlier day is there to hold explanations against is shown, and no fault of theirs
    watched = explained.watch(estate, as_of)
    health.abstained += watched.abstained
    honest = honesty.watch(estate, folder, as_of)
    health.abstained += honest.abstained
    health.pages[f"{FORECASTER}: honesty and champion"] = honest.page
    others = [*watched.breaches, *honest.breaches]
    health.gates.append(gate(FORECASTER, drift=drift, others=others))
    for name, page in (
        (f"{FORECASTER}: explanations", explained.PAGE),
        ("budget forecaster: explanations", explained.BUDGETS_PAGE),
    ):
        if (folder / page).exists():
            health.pages[name] = folder / page
