"""Model cards of our own engines: reads what a day has kept of each, has cards made, keeps them.

What is on a card, and what of it changed, is responsible_ai's to say.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from finops_dagster.defs.estate import Estate
from finops_dagster.defs.insight import alerting
from finops_dagster.defs.insight.telemetry import RECORD
from finops_dagster.domain.alerts import Alert
from finops_dagster.domain.decisions import Abstained, Finding, GateResult
from finops_dagster.domain.engines import EngineDescription
from finops_dagster.domain.ids import content_id
from finops_dagster.domain.incidents import Incident
from finops_dagster.storage.days import DayStore

if TYPE_CHECKING:
    from finops_dagster.responsible_ai.cards.card import Card, Measured, Training
    from finops_dagster.responsible_ai.cards.diff import CardDiff

CARDS = "cards"
"""Items of a day: its cards."""
BACK_DAYS = 31
"""How far back the last decided day with cards is looked for."""
FORECASTER = "cost forecaster"
"""Its name in gates."""
_ROOT = Path(__file__).resolve().parents[4]
_NOT_OF_A_DAY = (
    "precision and recall: nobody labels what was missed; they are measured on simulated estates "
    "whose truth is known, see docs/accuracy.md"
)


@dataclass(frozen=True)
class CardEntry:
    """One engine as a register lists it."""

    name: str
    title: str
    kind: str
    version: str
    purpose: str
    owner: str
    page: str
    """From the folder of a day's report; written once the day's findings are known."""
    code_version: str
    hash: str
    """Of what it says of itself and its code: what a day measured of it is not in it."""


def engines() -> tuple[EngineDescription, ...]:
    """Every engine of ours, as each describes itself."""
    from finops_dagster.engines.anomalies import card as anomalies
    from finops_dagster.engines.forecasting import card as forecasting
    from finops_dagster.engines.optimisation import cards as optimisation
    from finops_dagster.policy import card as policy
    from finops_dagster.responsible_ai.cards import watch

    packages = (forecasting, anomalies, optimisation, policy, watch)
    return tuple(one for package in packages for one in package.DESCRIPTIONS)


def card_entries() -> list[CardEntry]:
    """Every engine for a register; nothing is read but its code."""
    from finops_dagster.responsible_ai.cards.card import page_of

    found = []
    for engine in engines():
        code, _ = _code(engine.modules)
        says = {
            "name": engine.name,
            "version": engine.version,
            "code": code,
            "parameters": dict(engine.parameters),
            "limits": engine.limits,
        }
        found.append(
            CardEntry(
                name=engine.name,
                title=engine.title,
                kind=engine.kind.value,
                version=engine.version,
                purpose=engine.purpose,
                owner=engine.owner,
                page=page_of(engine.name),
                code_version=code,
                hash=content_id("engine", says),
            )
        )
    return found


def write_day(estate: Estate, as_of: date) -> tuple[list[Card], dict[str, CardDiff], Path]:
    """Make, keep and render the cards of a day; returns them, their changes and their index."""
    from finops_dagster.responsible_ai.cards.pages import write_cards

    day = estate.day(as_of)
    cards = day_cards(estate, day, as_of)
    day.write_items(CARDS, cards)
    changes = changed(cards, last_cards(estate, as_of))
    return cards, changes, write_cards(estate.report_folder(as_of), cards, changes)


def kept_cards(day: DayStore) -> list[Card]:
    """The cards that a day has kept; none where it has not come to them."""
    from finops_dagster.responsible_ai.cards.card import Card

    return day.items(CARDS, Card)


def last_cards(estate: Estate, before: date) -> list[Card]:
    """Cards of the last decided day before this one; none where no day of the last month is."""
    for back in range(1, BACK_DAYS + 1):
        day = estate.decided(before - timedelta(days=back))
        cards = kept_cards(day) if day is not None else []
        if cards:
            return cards
    return []


def changed(cards: Sequence[Card], before: Sequence[Card]) -> dict[str, CardDiff]:
    """Engine -> what changed, of those that have an earlier card."""
    from finops_dagster.responsible_ai.cards.diff import diff

    earlier = {one.name: one for one in before}
    return {one.name: diff(earlier[one.name], one) for one in cards if one.name in earlier}


def day_cards(estate: Estate, day: DayStore, as_of: date) -> list[Card]:
    """The card of every engine, by what the day has kept."""
    from finops_dagster.responsible_ai.cards.card import make_card

    measured = _measured(estate, day, as_of)
    found = []
    for engine in engines():
        code, modules = _code(engine.modules)
        found.append(
            make_card(
                engine,
                measured[engine.name],
                as_of=as_of,
                code_version=code,
                code_modules=modules,
            )
        )
    return found


def _measured(estate: Estate, day: DayStore, as_of: date) -> Mapping[str, Measured]:
    found = {
        "cost-forecaster": _forecaster(day, "forecast", "forecasts", FORECASTER),
        "budget-forecaster": _forecaster(day, "budget_forecast", "budget_forecasts", ""),
        **_detectors(estate, day, as_of),
        "model-watch": _watch(estate, day),
    }
    findings, publication = day.items("findings", Finding), _publication(day)
    for engine in engines():
        if engine.name not in found:
            mine = [one for one in findings if one.kind in engine.finds]
            found[engine.name] = _rules(mine, publication, chooses=not engine.finds)
    return found


def _forecaster(day: DayStore, name: str, frames: str, gate: str) -> Measured:
    """A forecaster by its record, backtest and rungs; `gate`: its name among gates."""
    from finops_dagster.responsible_ai.cards.card import CardData, Measured
    from finops_dagster.responsible_ai.cards.measured import of_backtest

    frame, record = day.frame(frames), day.document(f"{name}_record")
    if frame is None or frame.empty or record is None:
        why = "Nothing was forecast on this day."
        return Measured(data_missing=why, not_measured=(why,))
    backtest = day.frame(f"{name}_backtest")
    metrics, baselines = of_backtest(backtest, day.frame(f"{name}_rungs"))
    untested = "its error: there was too little history to hold it against days unseen"
    gates = {one.gate: one for one in day.items("gates", GateResult)}
    return Measured(
        data=CardData(
            first=_day(record["training_start"]),
            last=_day(record["training_end"]),
            rows=int(record["training_rows"]),
            hash=record["data_hash"],
        ),
        metrics=metrics,
        baselines=baselines,
        not_measured=() if baselines else (untested,),
        features=tuple(record["features"]) or None,
        parameters={
            f"model.{number}.{key}": value
            for number, parameters in enumerate(record["parameters"], 1)
            for key, value in parameters.items()
        },
        training=_training(day, gate, float(record["seconds"])),
        gate=gates.get(gate),
    )


def _training(day: DayStore, subject: str, seconds: float) -> Training:
    """What training took: measured energy where the day has it, else its time alone."""
    from finops_dagster.responsible_ai.cards.card import Training

    told = day.document("training_energy") or []
    for one in [told] if isinstance(told, dict) else told:
        if subject and one["subject"] == subject:
            return Training(
                seconds=one["seconds"],
                energy_kwh=one["kwh"],
                carbon_kg=one["kg_co2e"],
                method=one["method"],
            )
    return Training(
        seconds=seconds,
        method="wall time of laying out, training, checking and explaining; its energy was not "
        "measured in this run",
    )


def _detectors(estate: Estate, day: DayStore, as_of: date) -> dict[str, Measured]:
    from finops_dagster.responsible_ai.cards.card import CardData, Measured
    from finops_dagster.responsible_ai.cards.measured import of_alerts, of_incidents, of_telemetry

    publication = _publication(day)
    incidents = [
        *day.items("incidents", Incident),
        *day.items(alerting.EXPLAINED, Incident),
    ]
    alerts, answers = day.items("alerts", Alert), alerting.answers(estate)
    earlier = [Alert.model_validate(one.payload) for one in estate.ledger.entries(alerting.ALERT)]
    found = {
        "cost-anomalies": Measured(
            data=CardData(
                first=min((one.evidence.window_start.date() for one in incidents), default=None),
                last=as_of if incidents else None,
                hash=publication,
            ),
            metrics=of_incidents(
                incidents,
                alerts,
                day.frame("anomalies"),
                len(day.items("incidents_abstained", Abstained)),
            ),
            not_measured=(_NOT_OF_A_DAY,),
        ),
        "cost-alerts": Measured(
            data=CardData(hash=publication),
            metrics=of_alerts(alerts, earlier, answers, as_of),
        ),
    }
    seen, record = day.frame("telemetry_anomalies"), day.document(RECORD)
    if seen is None or record is None:
        why = "Nothing was measured by the hour on this day."
        found["telemetry-anomalies"] = Measured(data_missing=why, not_measured=(why,))
    else:
        missing = len(day.items("telemetry_anomalies_abstained", Abstained))
        found["telemetry-anomalies"] = Measured(
            data=CardData(
                first=_day(record["since"]), last=as_of, rows=record["points"], hash=publication
            ),
            metrics=of_telemetry(seen, record["series"], record["points"], missing),
            not_measured=(_NOT_OF_A_DAY,),
        )
    return found


def _watch(estate: Estate, day: DayStore) -> Measured:
    from finops_dagster.responsible_ai.cards.card import CardData, Measured
    from finops_dagster.responsible_ai.cards.measured import of_gates

    owners = {one.name: one.owner for one in estate.settings.models} | {FORECASTER: "(our own)"}
    gates = day.items("gates", GateResult)
    return Measured(
        data=CardData(hash=_publication(day)),
        metrics=of_gates(gates, owners),
        not_measured=(
            "false alarms and power: they are measured on simulated years, by benchmarks/drift.py",
        ),
    )


def _rules(findings: Sequence[Finding], publication: str, *, chooses: bool) -> Measured:
    from finops_dagster.responsible_ai.cards.card import CardData, Measured
    from finops_dagster.responsible_ai.cards.measured import data_of, of_findings

    if chooses:
        return Measured(
            data=CardData(hash=publication),
            not_measured=("what it chose: a day's proposals are made after its cards",),
        )
    return Measured(
        data=data_of(findings, publication),
        metrics=of_findings(findings),
        not_measured=(_NOT_OF_A_DAY,),
    )


@cache
def _code(modules: tuple[str, ...]) -> tuple[str, int]:
    """Version of the code, and how many modules it is of: of the process, whatever the day."""
    from finops_dagster.responsible_ai.cards.code import code_modules, code_version

    return code_version(_ROOT, modules), len(code_modules(_ROOT, modules))


def _publication(day: DayStore) -> str:
    return str((day.document("publication") or {}).get("publication_id", ""))


def _day(text: Any) -> date | None:
    return date.fromisoformat(str(text)[:10]) if text else None
