"""Which trained forecaster a day uses, and what is kept of it: artefacts, ledger, shadow runs.

What speaks for training anew, or for another champion, is responsible_ai's to say.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pandas as pd

from finops_dagster.defs.estate import Estate
from finops_dagster.domain.decisions import (
    Abstained,
    Decision,
    Finding,
    FindingKind,
    GateResult,
    Verdict,
)
from finops_dagster.domain.ids import content_id
from finops_dagster.domain.models import Check
from finops_dagster.engines.forecasting import (
    STANDARD,
    ForecastResult,
    forecast,
    learnt,
    name_of,
    opened,
    stale_code,
)
from finops_dagster.engines.optimisation import propose
from finops_dagster.responsible_ai.champions import Comparison, Terms, compare
from finops_dagster.responsible_ai.champions.findings import FIELD, PINNED, engine_finding, figures
from finops_dagster.responsible_ai.champions.standing import (
    EngineEvent,
    Evidence,
    Standing,
    standing,
    why_train,
)
from finops_dagster.storage.days import DayStore
from finops_dagster.storage.engines import EngineStore

ENGINE = "forecaster"
LEDGER = "engine"
DOCUMENT = "forecast_engine"
UNDECLARED = f"Engine//{ENGINE}"
_COLUMNS = ["unique_id", "ds", "y"]
_DAY = timedelta(days=1)


@dataclass(frozen=True)
class InUse:
    """What a day forecasts with."""

    standing: Standing
    artefact: bytes | None
    """None where a model is trained on the day's own history."""
    recipe: str
    reasons: tuple[str, ...]
    """Why it is trained anew, or why not."""
    trains: bool
    """With a champion that Git declares, beside it: for a change of the manifest."""


def store(estate: Estate) -> EngineStore:
    """The forecaster's artefacts."""
    return EngineStore(estate.layout.engines(ENGINE))


def events(estate: Estate) -> list[EngineEvent]:
    """All that was written down of the forecaster, in order."""
    return [
        event
        for entry in estate.ledger.entries(LEDGER)
        if (event := EngineEvent.model_validate(entry.payload)).engine == ENGINE
    ]


def declared(estate: Estate, as_of: date) -> tuple[str, bool] | None:
    """Artefact and whether it is pinned, as Git says for a day; None where nothing is declared."""
    named = estate.settings.ai.engines.declared
    index = estate.index(as_of) if named else None
    location = index.locate(named, FIELD) if index is not None else None
    if index is None or location is None:
        return None
    pinned = index.locate(named, PINNED)
    return location.value, pinned is not None and pinned.value == "true"


def in_use(estate: Estate, as_of: date, series: pd.DataFrame) -> InUse:
    """What `as_of` forecasts `series` with: only what was known before it counts.

    Raises SettingsError where the artefact in use is not kept, Stopped where its bytes are others:
    nothing is trained in its place.
    """
    now = standing(events(estate), as_of, declared(estate, as_of))
    if not now.champion:
        return InUse(now, None, STANDARD, why_train(now, Evidence(None), as_of, 1), True)
    artefact = store(estate).get(now.champion)
    recipe = opened(artefact).record.recipe
    settings = estate.settings.ai.engines
    reasons = why_train(
        now, _evidence(estate, as_of, artefact, series), as_of, settings.max_age_days
    )
    if not reasons:
        why = "A person went back to it." if now.pinned else "Nothing speaks against it."
        return InUse(now, artefact, recipe, (why,), trains=False)
    if not now.declared:
        return InUse(now, None, recipe, reasons, trains=True)
    waiting = bool(now.candidate) and _age(estate, now.candidate, as_of) <= settings.max_age_days
    return InUse(now, artefact, recipe, reasons, trains=not waiting)


def keep(
    estate: Estate, as_of: date, used: InUse, result: ForecastResult, series: pd.DataFrame
) -> Mapping[str, Any]:
    """Keep what was trained, try the challenger, write down what was done; the day's document.

    `result` is as the engine gave it. A replay writes nothing but its own day's document.
    """
    made: list[EngineEvent] = []
    fresh = result
    if used.trains and used.artefact is not None:
        fresh = _forecast(series, used.recipe)
    if used.trains and fresh.artefact:
        made.append(_event("trained", fresh.artefact, as_of, used.reasons, used))
        _put(estate, as_of, fresh.artefact)
    elif used.artefact is not None:
        made.append(_event("served", used.artefact, as_of, used.reasons, used))
    shadow = _challenge(estate, as_of, used, fresh, series) if used.trains else None
    if isinstance(shadow, EngineEvent):
        made.append(shadow)
    estate.record(as_of, LEDGER, made)
    document = {
        "artefact": name_of(result.artefact) if result.artefact else "",
        "trained": used.artefact is None and bool(result.artefact),
        "recipe": used.recipe,
        "reasons": list(used.reasons),
        "since": used.standing.since.isoformat() if used.standing.since else None,
        "pinned": used.standing.pinned,
        "declared": used.standing.declared,
        "trained_until": result.record.training_end[:10],
        "challenger": shadow.model_dump(mode="json") if shadow is not None else None,
    }
    estate.day(as_of).write_document(DOCUMENT, document)
    return document


def _challenge(
    estate: Estate, as_of: date, used: InUse, champion: ForecastResult, series: pd.DataFrame
) -> EngineEvent | Abstained | None:
    """What became of the challenger of the settings; None where there is none."""
    settings = estate.settings.ai.engines
    recipe = settings.challenger
    if not recipe or recipe == used.recipe:
        return None
    if not champion.artefact:
        return Abstained(subject=recipe, reason="the history is too short to train on")
    other = _forecast(series, recipe)
    terms = Terms(settings.margin, settings.segment_limit, settings.confidence)
    said = compare(champion.origins, other.origins, segments(series), terms)
    if isinstance(said, Abstained):
        return said
    reasons, promoted = said.reasons, said.promoted
    if promoted:
        verdict = _judged(estate, as_of, used, name_of(other.artefact), said, terms)
        promoted = verdict.decision is Decision.ALLOW
        reasons += tuple(
            f"Policy: {one.title}: {one.actual}."
            for one in verdict.rules
            if one.decision is not Decision.ALLOW
        )
    _put(estate, as_of, other.artefact)
    what = "promoted" if promoted else "held_back"
    event = _event(what, other.artefact, as_of, reasons, used)
    return event.model_copy(update={"recipe": recipe, "figures": figures(said, terms)})


def segments(series: pd.DataFrame) -> dict[str, str]:
    """Series -> the team that it is of; totals and services are of none."""
    found = {}
    for unique_id in series["unique_id"].unique():
        scope, currency, name = str(unique_id).split("|", 2)
        if scope == "team":
            found[str(unique_id)] = f"team {name} ({currency})"
    return found


def promotion(estate: Estate, as_of: date, current: str, event: EngineEvent) -> Finding:
    """The finding that one artefact should take the place of another."""
    named = estate.settings.ai.engines.declared
    index = estate.index(as_of) if named else None
    resource = index.resources().get(index.find(named) or "") if index is not None else None
    back = event.what == "rolled_back"
    return engine_finding(
        FindingKind.ENGINE_ROLLBACK if back else FindingKind.ENGINE_PROMOTION,
        resource=resource.resource if resource else UNDECLARED,
        field=FIELD if resource else "",
        current=current,
        proposed=event.artefact,
        owner=(resource.owner if resource else None) or "",
        environment=(resource.environment if resource else None) or "",
        reasons=event.reasons,
        measured=dict(event.figures),
        as_of=as_of,
        wrong_if="" if back else "the weeks to come are unlike those of the backtest",
    )


def _judged(
    estate: Estate, as_of: date, used: InUse, artefact: str, said: Comparison, terms: Terms
) -> Verdict:
    """What policy says of a promotion that is not made in Git."""
    event = EngineEvent(
        engine=ENGINE, what="promoted", artefact=artefact, as_of=as_of, reasons=said.reasons,
        figures=figures(said, terms),
    )  # fmt: skip
    found = promotion(estate, as_of, used.standing.champion, event)
    edited = found.model_copy(update={"field": FIELD})
    manifest = {
        "apiVersion": "finops.io/v1",
        "kind": "Engine",
        "metadata": {"name": ENGINE},
        "spec": {"artefact": used.standing.champion},
    }
    resource = {
        "kind": "Engine", "namespace": "", "name": ENGINE, "labels": {}, "annotations": {},
        "manifest": manifest,
    }  # fmt: skip
    context = {
        "resource": resource,
        "now": estate.cutoff(as_of),
        "ceiling": estate.settings.autonomy.value,
    }
    return estate.judge.judge(proposal_of(edited, as_of), context)


def proposal_of(finding: Finding, as_of: date) -> Any:
    """The proposal of a finding about an engine, that no limit of the day holds up."""
    from decimal import Decimal

    made, _ = propose(
        [finding], reconstructed=False, publication_id="", min_saving=Decimal(0),
        min_confidence=0.0, as_of=as_of,
    )  # fmt: skip
    return made[0]


def _evidence(estate: Estate, as_of: date, artefact: bytes, series: pd.DataFrame) -> Evidence:
    told = opened(artefact)
    known, now = set(told.series), learnt(series[_COLUMNS], "daily")
    until = date.fromisoformat(told.record.training_end[:10])
    return Evidence(
        trained_until=until,
        new_series=tuple(sorted(now - known)),
        gone_series=tuple(sorted(known - now)),
        alarms=_alarms(estate, as_of, until),
        code=stale_code(artefact),
    )


def _alarms(estate: Estate, as_of: date, until: date) -> tuple[str, ...]:
    """What the day before said of the forecaster, and did not say when it was trained."""
    before = estate.decided(as_of - _DAY)
    if before is None:
        return ()
    then = estate.decided(until + _DAY)
    old = _breached(then) if then is not None else set()
    told = [f"{one.value.replace('_', ' ').capitalize()} is in alarm."
            for one in sorted(_breached(before) - old)]  # fmt: skip
    return tuple(told)


def _breached(day: DayStore) -> set[Check]:
    from finops_dagster.defs.insight.models.cards import FORECASTER

    watched = (Check.COVERAGE, Check.BIAS, Check.DATA_DRIFT)
    return {
        breach.check
        for gate in day.items("gates", GateResult)
        if gate.gate == FORECASTER
        for breach in gate.breaches
        if breach.grade == "fail" and breach.check in watched
    }


def _age(estate: Estate, artefact: str, as_of: date) -> int:
    until = opened(store(estate).get(artefact)).record.training_end[:10]
    return (as_of - date.fromisoformat(until)).days


def _forecast(series: pd.DataFrame, recipe: str) -> ForecastResult:
    from finops_dagster.defs.insight.outlook import FORECAST_DAYS

    return forecast(
        series[_COLUMNS], horizon=FORECAST_DAYS, frequency="daily", recipe=recipe, explain_steps=[1]
    )


def _put(estate: Estate, as_of: date, artefact: bytes) -> None:
    if not estate.is_replay(as_of):
        store(estate).put(artefact)


def _event(
    what: Any, artefact: bytes, as_of: date, reasons: tuple[str, ...], used: InUse
) -> EngineEvent:
    return EngineEvent(
        engine=ENGINE,
        what=what,
        artefact=name_of(artefact),
        as_of=as_of,
        reasons=reasons,
        recipe=used.recipe,
        replaces=used.standing.champion,
    )


def record(estate: Estate, event: EngineEvent) -> bool:
    """Append one thing that a person did; False where it is written down already."""
    added = estate.ledger.append(LEDGER, [(content_id(LEDGER, event), event)], datetime.now(UTC))
    return bool(added)
