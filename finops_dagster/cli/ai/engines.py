"""`finops ai engines` and `finops ai rollback`: which trained models are used, and how to go back.

What is in use is told by Git or the ledger; a rollback is one change there.
"""

from __future__ import annotations

from datetime import date, timedelta
from typing import Annotated, Any

import typer

from finops_dagster.cli.common import AsJson, Config, command, settings_for
from finops_dagster.cli.output import console, envelope, print_json, print_table
from finops_dagster.defs.estate import Estate
from finops_dagster.defs.insight.models import engines
from finops_dagster.domain.errors import Fault, SettingsError
from finops_dagster.engines.forecasting import opened as opened_artefact
from finops_dagster.responsible_ai.champions.standing import EngineEvent, Standing, standing
from finops_dagster.settings import Settings

_METRICS = ("mase", "coverage_80", "coverage_95")


@command("ai_engines")
def ai_engines(config: Config = None, as_json: AsJson = False) -> int:
    """List the product's own trained models: which is used, since when and why, and how good."""
    settings = settings_for(config)
    estate, as_of = Estate(settings), settings.decided_day()
    rows = engine_rows(estate, as_of)
    if as_json:
        print_json(envelope("ai_engines", rows, as_of=as_of))
        return 0
    print_table(
        "engines",
        ("artefact", "role", "recipe", "since", "age in days", "MASE", "why"),
        [
            (row["artefact"][:12], row["role"], row["recipe"], row["since"] or "",
             row["age_days"], f"{row['metrics'].get('mase', float('nan')):.3f}",
             " ".join(row["reasons"]))
            for row in rows
        ],
    )  # fmt: skip
    if not rows:
        console().print("Nothing is trained yet: `finops run` does it.")
    return 0


def engine_rows(estate: Estate, as_of: date) -> list[dict[str, Any]]:
    """Champion, candidate and earlier artefacts, the champion first; as they will be used next."""
    told = engines.events(estate)
    now = _next(estate, told, as_of)
    last = {one.artefact: one for one in told if one.what != "served"}
    kept = engines.store(estate)
    names = dict.fromkeys((now.champion, now.candidate, *now.earlier, *last))
    rows = []
    for name in names:
        if not name:
            continue
        opened = opened_artefact(kept.get(name))
        until = date.fromisoformat(opened.record.training_end[:10])
        event = last.get(name)
        used = name == now.champion
        pooled = opened.backtest.query("unique_id == '(pooled)' and model == 'ours'")
        rows.append(
            {
                "engine": engines.ENGINE,
                "artefact": name,
                "role": _role(name, now, event),
                "recipe": opened.record.recipe,
                "since": now.since if used else event.as_of if event else None,
                "reasons": list(now.reasons if used else event.reasons if event else ()),
                "pinned": used and now.pinned,
                "declared": used and now.declared,
                "trained_until": until,
                "age_days": (as_of - until).days,
                "metrics": {one: float(pooled[one].iloc[0]) for one in _METRICS if len(pooled)},
            }
        )
    return rows


@command("ai_rollback")
def ai_rollback(
    engine: Annotated[str, typer.Argument(help="forecaster")],
    to: Annotated[
        str, typer.Option("--to", help="Artefact, or how it begins; empty: the one before.")
    ] = "",
    unpin: Annotated[
        bool, typer.Option("--unpin", help="Let go of an earlier rollback instead.")
    ] = False,
    act: Annotated[
        bool, typer.Option("--act", help="Do it; without this it is told what would be done.")
    ] = False,
    config: Config = None,
    as_json: AsJson = False,
) -> int:
    """Forecast with an earlier artefact from the next day on, until it is let go again.

    Where Git declares the artefact it is one pull request, else one entry of the ledger.
    """
    settings = settings_for(config)
    if engine != engines.ENGINE:
        raise SettingsError(
            f"There is no engine {engine[:64]!r} to roll back.",
            (
                Fault(
                    code="unknown_engine",
                    expected=f"{engines.ENGINE} was expected.",
                    hint=f"finops ai rollback {engines.ENGINE}",
                ),
            ),
        )
    row = rolled_back(settings, to, unpin=unpin, act=act)
    if as_json:
        print_json(envelope("ai_rollback", [row], as_of=settings.decided_day()))
    else:
        console().print(row["told"], markup=False)
    return 0


def rolled_back(settings: Settings, to: str, *, unpin: bool, act: bool) -> dict[str, Any]:
    """Roll back, or tell what would be done. Raises SettingsError, Stopped or Unavailable."""
    if act:
        settings = settings.model_copy(update={"act": True})
    estate, as_of = Estate(settings), settings.decided_day()
    told = engines.events(estate)
    now = _next(estate, told, as_of)
    if unpin:
        event = _event("unpinned", now.champion, as_of, "A person let go of it.", now)
        done = act and now.pinned and engines.record(estate, event)
        words = "let go" if done else "would be let go" if now.pinned else "nothing is pinned"
        return {"what": "unpinned", "artefact": now.champion, "recorded": done, "told": words}
    kept = engines.store(estate)
    target = kept.find(to) if to else _before(now)
    kept.get(target)  # refused here where its bytes are others
    if target == now.champion and now.pinned:
        return {"what": "rolled_back", "artefact": target, "recorded": False, "pull_request": None,
                "told": f"{target[:12]} is in use and pinned already."}  # fmt: skip
    event = _event("rolled_back", target, as_of, "A person went back to it.", now)
    row: dict[str, Any] = {"what": "rolled_back", "artefact": target, "replaces": now.champion,
                           "recorded": False, "pull_request": None}  # fmt: skip
    declared = engines.declared(estate, as_of)
    if declared is None or declared[0] == target:
        done = act and engines.record(estate, event)
        words = "is used from the next day on" if act else "would be used (--act does it)"
        return {**row, "recorded": done, "told": f"{target[:12]} {words}."}
    from finops_dagster.defs.gitops.adding import add_change

    finding = engines.promotion(estate, as_of, declared[0], event)
    if not act:
        return {**row, "told": f"A pull request would set {finding.resource} {finding.field} to "
                f"{target} (--act opens it)."}  # fmt: skip
    actions, proposal = add_change(estate, as_of, finding)
    done = engines.record(estate, event)  # so that the next runs keep it open
    listed = [*actions.opened, *actions.updated, *actions.unchanged, *actions.deferred,
              *actions.withheld]  # fmt: skip
    mine = [one for one in listed if one.resource == proposal.resource]
    url = mine[0].url if mine else None
    reason = mine[0].reason if mine else "the pull request was not opened"
    return {**row, "recorded": done, "pull_request": url, "told": f"{target[:12]}: {url or reason}"}


def _next(estate: Estate, told: list[EngineEvent], as_of: date) -> Standing:
    """What is in use from the next day on, with all that is written down by now."""
    return standing(told, as_of + timedelta(days=1), engines.declared(estate, as_of))


def _before(now: Standing) -> str:
    if not now.earlier:
        raise SettingsError(
            "No artefact was in use before.",
            (
                Fault(
                    code="no_earlier_artefact",
                    expected="An artefact that was in use before was expected.",
                    hint="`finops ai engines` lists what is kept; name one with --to.",
                ),
            ),
        )
    return now.earlier[0]


def _event(what: Any, artefact: str, as_of: date, reason: str, now: Standing) -> EngineEvent:
    return EngineEvent(
        engine=engines.ENGINE, what=what, artefact=artefact, as_of=as_of, reasons=(reason,),
        replaces=now.champion,
    )  # fmt: skip


def _role(name: str, now: Standing, event: EngineEvent | None) -> str:
    if name == now.champion:
        return "champion"
    if event is not None and event.what == "held_back":
        return "shadow"
    return "challenger" if name == now.candidate else "earlier"
