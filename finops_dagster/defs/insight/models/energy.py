"""What models use: reads logs, telemetry and bills, has their energy judged, keeps what was said.

What a joule buys, and what is advised, is responsible_ai's to say.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import pandas as pd
from pydantic import TypeAdapter

from finops_dagster.defs.estate import Estate
from finops_dagster.defs.insight import facts
from finops_dagster.domain.decisions import Abstained
from finops_dagster.domain.money import Money
from finops_dagster.responsible_ai.energy.judging import (
    Surroundings,
    VersionFacts,
    judge_energy,
    model_days,
    per_answer_wh,
)
from finops_dagster.responsible_ai.energy.quality import MONTH_DAYS
from finops_dagster.responsible_ai.energy.results import DayEnergy, ModelEnergy
from finops_dagster.settings import ModelSettings
from finops_dagster.storage.days import DayStore
from finops_dagster.storage.publication import PublishedReader

DOCUMENT = "model_energy"
_KEPT = TypeAdapter(list[ModelEnergy])
_GRAMS = 1000


def energies(
    estate: Estate, reader: PublishedReader, as_of: date
) -> dict[str, ModelEnergy | Abstained]:
    """Energy of every monitored model of the settings, by name."""
    models = estate.settings.models
    days = {model.name: _days(reader, model, as_of) for model in models}
    told: dict[str, ModelEnergy | Abstained] = {}
    for model in models:
        rows = days[model.name]
        peers = {
            other.name: used
            for other in models
            if other.name != model.name and other.task is model.task
            if (used := per_answer_wh(days[other.name])) is not None
        }
        told[model.name] = judge_energy(
            model.name,
            rows,
            task=model.task.value,
            as_of=as_of,
            reference_days=model.reference_days,
            analysis_days=model.analysis_days,
            budget_kwh_month=model.energy_budget_kwh_month,
            around=Surroundings(
                versions=_facts(reader, model.name, rows, as_of),
                peers=peers,
                idle_share=_idle_share(reader, model, as_of),
            ),
        )
    return told


def keep(day: DayStore, told: Iterable[ModelEnergy | Abstained]) -> None:
    """Write what could be judged as the day's document `model_energy`."""
    made = [one for one in told if isinstance(one, ModelEnergy)]
    day.write_document(DOCUMENT, _KEPT.dump_python(made, mode="json"))


def kept(day: DayStore) -> list[ModelEnergy]:
    """What a day has kept; none where it kept nothing."""
    document = day.document(DOCUMENT)
    return [] if document is None else _KEPT.validate_python(document, strict=False)


def _days(reader: PublishedReader, model: ModelSettings, as_of: date) -> list[DayEnergy]:
    span = max(2 * model.reference_days + model.analysis_days, MONTH_DAYS)
    first = as_of - timedelta(days=span - 1)
    answers = reader.frame(
        "fct_model_predictions",
        """
        select day, time, model, model_version, prediction_id, prediction, energy_wh
        from mart where model = $model order by time, prediction_id
        """,
        first=first,
        last=as_of,
        given={"model": model.name},
    )
    if answers is None or answers.empty:
        return []
    return model_days(
        answers,
        facts.labels(reader, model.name, first, as_of),
        model=model.name,
        task=model.task.value,
        as_of=as_of,
        analysis_days=model.analysis_days,
    )


def _facts(
    reader: PublishedReader, model: str, rows: Iterable[DayEnergy], as_of: date
) -> Mapping[str, VersionFacts]:
    """By version: carbon and cost of serving on the days of `rows`, and of the run that made it."""
    days = [row.day for row in rows]
    first = min(days, default=as_of)
    serving = _sums(
        reader,
        "fct_model_carbon_daily",
        "model_version, sum(location_gco2e) as grams, null as kwh",
        "kind = 'serving' and location_gco2e is not null",
        model,
        first,
        as_of,
    )
    training = _sums(
        reader,
        "fct_model_carbon_daily",
        "model_version, sum(location_gco2e) as grams, sum(energy_kwh) as kwh",
        "kind = 'training'",
        model,
        None,
        as_of,
    )
    money = "billing_currency as currency, sum(effective_cost) as cost"
    billed = "billing_currency is not null"
    served = _sums(
        reader, "fct_model_serving_costs_daily", f"model_version, {money}", billed, model, first,
        as_of,
    )  # fmt: skip
    made = _sums(
        reader, "fct_model_version_costs", f"version as model_version, {money}", billed, model,
        None, as_of,
    )  # fmt: skip
    found = (row["model_version"] for row in (*serving, *training, *served, *made))
    versions = {version for version in found if version is not None}
    return {
        version: VersionFacts(
            kg_co2e=_figure(serving, version, "grams", _GRAMS),
            cost=_money(served, version),
            training_kwh=_figure(training, version, "kwh", 1),
            training_kg_co2e=_figure(training, version, "grams", _GRAMS),
            training_cost=_money(made, version),
        )
        for version in sorted(versions)
    }


def _sums(
    reader: PublishedReader,
    mart: str,
    columns: str,
    where: str,
    model: str,
    first: date | None,
    last: date,
) -> list[dict[str, Any]]:
    found = reader.frame(
        mart,
        f"""
        select {columns} from mart
        where {where} and model = $model and day between $first and $last group by all order by all
        """,
        last=last,
        given={"model": model, "first": first or date.min, "last": last},
    )
    if found is None:
        return []
    return [
        {str(key): None if pd.isna(value) else value for key, value in row.items()}
        for row in found.to_dict("records")
    ]


def _figure(rows: Iterable[Mapping[str, Any]], version: str, name: str, per: int) -> float | None:
    """The one figure of a version, in units of `per`."""
    for row in rows:
        if row["model_version"] == version and row[name] is not None:
            return float(row[name]) / per
    return None


def _money(rows: Iterable[Mapping[str, Any]], version: str) -> tuple[Money, ...]:
    return tuple(
        Money(amount=Decimal(row["cost"]), currency=str(row["currency"]))
        for row in rows
        if row["model_version"] == version
    )


def _idle_share(reader: PublishedReader, model: ModelSettings, as_of: date) -> float | None:
    """Share of idle in the hours that GPUs of its workload were held in the days judged."""
    if model.workload is None:
        return None
    found = reader.frame(
        "fct_gpu_idle_daily",
        """
        select sum(idle_gpu_hours) / nullif(sum(gpu_hours), 0) as share
        from (select distinct on (day) * from mart where resource = $resource)
        """,
        first=as_of - timedelta(days=model.analysis_days - 1),
        last=as_of,
        given={"resource": model.workload},
    )
    if found is None or found["share"].isna().all():
        return None
    return float(found["share"].iloc[0])
