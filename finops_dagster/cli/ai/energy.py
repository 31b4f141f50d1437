"""`finops ai energy`: what models use, what that buys in quality, and what our own training used.

It shows what the decided day has kept; nothing is judged here.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict
from enum import StrEnum
from typing import Annotated, Any

import typer

from finops_dagster.cli.common import AsJson, Config, command, settings_for
from finops_dagster.cli.output import envelope, plain, print_json, print_table
from finops_dagster.defs.estate import Estate
from finops_dagster.defs.insight.models.energy import kept
from finops_dagster.defs.insight.training import DOCUMENT
from finops_dagster.domain.decisions import Abstained
from finops_dagster.domain.errors import Fault, SettingsError
from finops_dagster.domain.money import Money
from finops_dagster.responsible_ai.energy.results import ModelEnergy, VersionEnergy
from finops_dagster.responsible_ai.results import Interval


class By(StrEnum):
    """What energy is told of."""

    MODEL = "model"
    VERSION = "version"
    ENGINE = "engine"


@command("ai_energy")
def ai_energy(
    by: Annotated[By, typer.Option("--by", help="What energy is told of.")] = By.MODEL,
    config: Config = None,
    as_json: AsJson = False,
) -> int:
    """Energy, carbon and cost of models and what they buy in quality, or of our own training."""
    settings = settings_for(config)
    as_of = settings.decided_day()
    day = Estate(settings).decided(as_of)
    if day is None:
        raise SettingsError(
            f"Nothing is decided for {as_of}.",
            (
                Fault(
                    code="unknown_day",
                    expected="Expected a decided day.",
                    hint="Run `finops run`.",
                ),
            ),
        )
    models = kept(day)
    items: list[dict[str, Any]]
    if by is By.ENGINE:
        items = [{"engine": one["subject"], **one} for one in day.document(DOCUMENT) or []]
    elif by is By.VERSION:
        items = [
            {"model": one.subject, **_told(version)} for one in models for version in one.versions
        ]
    else:
        items = [_model(one) for one in models]
    if as_json:
        abstained: list[Abstained] = [
            refused for one in models if by is not By.ENGINE for refused in one.abstained
        ]
        told = [{"by": by.value, **one} for one in items]
        print_json(envelope("ai_energy", told, as_of=as_of, abstained=abstained))
        return 0
    _show(by, models, items)
    return 0


def _model(one: ModelEnergy) -> dict[str, Any]:
    newest = one.versions[0] if one.versions else None
    return {
        "model": one.subject,
        "version": newest.version if newest else None,
        "energy_kwh_month": one.month_kwh,
        "energy_month_days": one.month_days,
        "energy_budget_kwh_month": one.budget_kwh_month,
        "wh_per_thousand": asdict(newest.wh_per_thousand) if newest else None,
        "gain_per_kilojoule": asdict(newest.gain_per_kilojoule)
        if newest and newest.gain_per_kilojoule
        else None,
        "quality_per_joule_change": asdict(one.change) if one.change else None,
        "compared": one.compared,
        "advice": one.advice.advice.value if one.advice else None,
        "reason": one.advice.reason if one.advice else None,
    }


def _told(version: VersionEnergy) -> dict[str, Any]:
    money = ("cost", "training_cost", "cost_per_thousand_gains")
    return {
        **{name: value for name, value in asdict(version).items() if name not in money},
        "first": version.first.isoformat(),
        "last": version.last.isoformat(),
        **{name: [plain(one) for one in getattr(version, name)] for name in money},
    }


def _show(by: By, models: Sequence[ModelEnergy], items: Iterable[dict[str, Any]]) -> None:
    if by is By.ENGINE:
        print_table(
            "energy of our own training",
            ("engine", "kWh", "kg CO2e", "seconds", "method"),
            [
                (one["engine"], _number(one["kwh"]), _number(one["kg_co2e"]),
                 f"{one['seconds']:.1f}", one["method"])
                for one in items
            ],
        )  # fmt: skip
        return
    if by is By.VERSION:
        print_table(
            "energy of models by version",
            ("model", "version", "days", "answers", "Wh per 1,000", "kg CO2e", "cost",
             "gains per kJ", "cost per 1,000 gains", "training kWh"),
            [
                (
                    one.subject,
                    version.version,
                    f"{version.first} to {version.last}",
                    f"{version.answers:,}",
                    _interval(version.wh_per_thousand),
                    _number(version.kg_co2e),
                    _money(version.cost),
                    _interval(version.gain_per_kilojoule),
                    _money(version.cost_per_thousand_gains),
                    _number(version.training_kwh),
                )
                for one in models
                for version in one.versions
            ],
        )  # fmt: skip
        return
    print_table(
        "energy of models",
        ("model", "kWh a month", "budget", "Wh per 1,000", "gains per kJ", "quality per joule",
         "advice"),
        [
            (
                one.subject,
                _number(one.month_kwh),
                _number(one.budget_kwh_month),
                _interval(one.versions[0].wh_per_thousand) if one.versions else None,
                _interval(one.versions[0].gain_per_kilojoule) if one.versions else None,
                None if one.change is None else f"{one.change.value:+.0%}",
                one.advice.advice.value if one.advice else None,
            )
            for one in models
        ],
    )  # fmt: skip
    for one in models:
        if one.advice is not None:
            typer.echo(f"{one.subject}: {one.advice.reason}.")


def _number(value: float | None) -> str | None:
    return None if value is None else f"{value:.3g}"


def _interval(one: Interval | None) -> str | None:
    if one is None:
        return None
    ends = "" if one.low is None or one.high is None else f" ({one.low:.3g} to {one.high:.3g})"
    return f"{one.value:.3g}{ends}"


def _money(some: Sequence[Money]) -> str | None:
    return ", ".join(f"{one.amount:.4f} {one.currency}" for one in some) or None
