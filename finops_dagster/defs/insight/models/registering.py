"""The register of AI systems of a day: reads what settings, marts, Git, days and the ledger say.

What is missing, and what a check is evidence for, is responsible_ai's to say.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path
from typing import Any

from finops_dagster.defs import rebuild
from finops_dagster.defs.estate import Estate
from finops_dagster.defs.insight.models.declared_models import declared_models
from finops_dagster.defs.insight.models.recorded import recorded
from finops_dagster.domain.decisions import Finding, FindingKind, GateResult
from finops_dagster.domain.models import Check, RiskClass
from finops_dagster.responsible_ai.cards.card import FOLDER as CARDS
from finops_dagster.responsible_ai.cards.card import INDEX as CARDS_INDEX
from finops_dagster.responsible_ai.governance.pages import FOLDER, write_register
from finops_dagster.responsible_ai.governance.register import (
    JudgedDay,
    Kind,
    Link,
    Register,
    System,
    merged,
    open_breaches,
    registered,
)
from finops_dagster.settings import ModelSettings
from finops_dagster.storage.days import DayStore
from finops_dagster.storage.publication import PublishedReader

BACK_DAYS = 90
"""How far back decided days are looked at for the age of a breach and for what was checked."""
TOKEN_DAYS = 28
_REPORT = "report.html"
_PAGES = {"Model cards of our own engines": f"{CARDS}/{CARDS_INDEX}"}
"""Pages about AI beside those of models, by their place in a day's folder."""


def write_ai_pages(estate: Estate, as_of: date) -> Path:
    """Write the register of a day, with a page of each system; returns its index."""
    folder = estate.report_folder(as_of)
    named = {**_PAGES, **(estate.day(as_of).document("model_pages") or {})}
    links = [Link(name, f"../{href}") for name, href in named.items() if (folder / href).exists()]
    back = f"../{_REPORT}"
    return write_register(folder / FOLDER, read_register(estate, as_of), links, back)


def read_register(estate: Estate, as_of: date) -> Register:
    """Every AI system known on a day."""
    reader = rebuild.reader(estate, as_of)
    days = dict(_decided(estate, as_of))
    gates = {day: store.items("gates", GateResult) for day, store in days.items()}
    today = days.get(as_of) or DayStore(estate.day(as_of).root)
    served = estate.declared(as_of)
    declared = {one.name: one for one in declared_models(served.values())}
    by_place = {one.place: one for one in declared.values() if one.place}
    systems: dict[str, System] = {}
    for model in estate.settings.models:
        own = declared.pop(model.name, None) or by_place.get(model.workload or "")
        if own is not None:
            declared.pop(own.name, None)
        made = _monitored(model, today, model.workload in served)
        systems[model.name] = merged(own, made) if own is not None else made
    systems |= {name: one for name, one in declared.items() if name not in systems}
    for one in (*_tracked(reader, as_of), *_language(estate, reader, as_of)):
        known = systems.get(one.name)
        systems[one.name] = one if known is None else _with_versions(known, one)
    systems |= {one.name: one for one in _engines(estate, as_of)}
    findings = today.items("findings", Finding)
    for one in _unregistered(findings, systems.values()):
        systems[one.name] = one
    entries = list(recorded(estate, as_of))
    return registered(
        estate.settings.estate,
        as_of,
        (
            replace(
                one,
                gate=next((g for g in gates.get(as_of, ()) if g.gate == _gate(one)), None),
                breaches=open_breaches(_gate(one), gates, as_of),
                history=tuple(_history(estate, _gate(one), days, gates, as_of)),
                recorded=tuple(
                    entry for names, entry in entries if names & {one.name, one.place} - {""}
                ),
                found=one.found
                or tuple(f.reason for f in findings if f.resource in (one.place, one.name)),
            )
            for one in systems.values()
        ),
    )


def _gate(one: System) -> str:
    """Its name in gates: an engine's is written in words."""
    return one.name.replace("-", " ") if one.kind is Kind.ENGINE else one.name


def _decided(estate: Estate, as_of: date) -> Iterator[tuple[date, DayStore]]:
    """The day itself, and decided days before it, the newest first."""
    today = estate.day(as_of)
    if today.path("gates.json").exists():
        yield as_of, today
    for back in range(1, BACK_DAYS):
        day = as_of - timedelta(days=back)
        if (store := estate.decided(day)) is not None:
            yield day, store


def _monitored(model: ModelSettings, today: DayStore, is_declared: bool) -> System:
    """`is_declared`: Git says where it answers, and so can have it stop."""
    rows = {row["model"]: row for row in today.document("models") or []}
    row = rows.get(model.name, {})
    remedies = model.remedies
    pages = today.document("model_pages") or {}
    return System(
        name=model.name,
        kind=Kind.MONITORED,
        owner=model.owner,
        purpose=model.purpose,
        risk_class=model.risk_class,
        data=model.training_data,
        versions=tuple(one["version"] for one in row.get("versions", ())),
        card=model.card,
        place=model.workload or "",
        protected=model.protected,
        stoppable=is_declared or remedies.pause is not None or remedies.version is not None,
        logged=bool(row),
        judged=tuple(Check(one) for one in row.get("judged", ())),
        energy_kwh_month=row.get("energy_kwh_month"),
        links=tuple(
            Link("report" if name == model.name else name.removeprefix(f"{model.name}: "), href)
            for name, href in _up(pages)
            if name == model.name or name.startswith(f"{model.name}: ")
        ),
    )


def _up(pages: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    """Pages of the day as seen from the folder of the register."""
    for name, href in pages.items():
        yield name, f"../{href}"


def _tracked(reader: PublishedReader, as_of: date) -> Iterator[System]:
    """Models that a registry has versions of, the newest version first."""
    rows = reader.records(
        "fct_model_versions",
        "select model, version, owner, stage, max(created_at) as created_at from mart "
        "group by all order by created_at desc, version desc",
        last=as_of,
    )
    by_model: dict[str, list[dict[str, Any]]] = {}
    for row in rows:
        by_model.setdefault(row["model"], []).append(row)
    for name, versions in by_model.items():
        newest = versions[0]
        made = newest["created_at"]
        yield System(
            name=name,
            kind=Kind.TRACKED,
            owner=newest["owner"] or "",
            versions=tuple(dict.fromkeys(row["version"] for row in versions)),
            changed=f"version {newest['version']} registered on {made:%Y-%m-%d}" if made else "",
        )


def _language(estate: Estate, reader: PublishedReader, as_of: date) -> Iterator[System]:
    """Language models that somebody asked in the last weeks, and those that settings name."""
    rows = reader.records(
        "fct_token_usage",
        "select provider, model, list(distinct team order by team) as teams, "
        "cast(sum(input_tokens + output_tokens) as bigint) as tokens from mart "
        "group by all order by all",
        first=as_of - timedelta(days=TOKEN_DAYS - 1),
        last=as_of,
    )
    asked = {(row["provider"], row["model"]): row for row in rows}
    named = {(one.provider, one.model): one for one in estate.settings.language_models}
    for provider, model in sorted({*asked, *named}):
        row, setting = asked.get((provider, model)), named.get((provider, model))
        teams = [team for team in (row["teams"] if row else ()) if team]
        told = (
            f"{row['tokens']:,} tokens in {TOKEN_DAYS} days, "
            f"asked by {', '.join(teams) or 'nobody known'}"
            if row and row["tokens"] is not None
            else f"no tokens in {TOKEN_DAYS} days"
        )
        yield System(
            name=f"{provider}/{model}",
            kind=Kind.LANGUAGE,
            place=(setting.workload if setting else None) or provider,
            found=(told,),
        )


def _with_versions(known: System, tracked: System) -> System:
    """A model that a registry has versions of too."""
    return replace(
        known,
        versions=tuple(dict.fromkeys((*known.versions, *tracked.versions))),
        changed=known.changed or tracked.changed,
    )


def _engines(estate: Estate, as_of: date) -> Iterator[System]:
    """Engines of this product, as their cards describe them."""
    from finops_dagster.defs.insight.models.cards import card_entries

    folder = estate.report_folder(as_of)
    for one in card_entries():
        shown = (folder / one.page).exists()
        yield System(
            name=one.name,
            kind=Kind.ENGINE,
            owner=one.owner,
            purpose=one.purpose,
            # none decides about people: bills, workloads and forecasts of them
            risk_class=RiskClass.MINIMAL,
            versions=(one.version,),
            card=one.page if shown else "docs/model-cards.md",
            links=(Link("model card", f"../{one.page}"),) if shown else (),
        )


def _unregistered(findings: Iterable[Finding], known: Iterable[System]) -> Iterator[System]:
    taken = {one.name for one in known}
    for one in findings:
        if one.kind is FindingKind.SHADOW_AI and one.resource not in taken:
            yield System(
                name=one.resource,
                kind=Kind.UNREGISTERED,
                owner=one.owner,
                place=one.resource,
                found=(one.reason,),
            )


def _history(
    estate: Estate,
    name: str,
    days: Mapping[date, DayStore],
    gates: Mapping[date, list[GateResult]],
    as_of: date,
) -> Iterator[JudgedDay]:
    here = estate.report_folder(as_of) / FOLDER
    for day in sorted(days, reverse=True):
        gate = next((one for one in gates[day] if one.gate == name), None)
        if gate is None:
            continue
        folder = estate.report_folder(day)
        pages = days[day].document("model_pages") or {}
        links = tuple(
            Link(
                "report" if title == name else title.removeprefix(f"{name}: "),
                Path(os.path.relpath(folder / href, here)).as_posix(),
            )
            for title, href in pages.items()
            if (title == name or title.startswith(f"{name}: ")) and (folder / href).exists()
        )
        checks = tuple(dict.fromkeys(one.check for one in gate.breaches))
        yield JudgedDay(day, gate.result, gate.reasons, checks, links)
