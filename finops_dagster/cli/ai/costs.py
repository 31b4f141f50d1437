"""`finops ai costs`: what AI cost, by kind, team, run, model or service.

It reads what is published and changes nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import date, datetime, timedelta
from decimal import Decimal
from enum import StrEnum
from typing import Annotated, Any

import typer

from finops_dagster.cli.common import AsJson, Config, command, settings_for
from finops_dagster.cli.costs import Month
from finops_dagster.cli.output import envelope, print_json, print_table
from finops_dagster.defs.estate import Estate
from finops_dagster.domain.errors import Fault, SettingsError
from finops_dagster.domain.periods import month_start, next_month
from finops_dagster.report.explain import UNALLOCATED
from finops_dagster.report.format import amount, places, quantity, share, words
from finops_dagster.settings import Settings
from finops_dagster.storage.publication import PublishedReader

COSTS = "fct_ai_costs_daily"
SERVING = "fct_model_serving_costs_daily"
TOKENS = "fct_token_costs_daily"
IDLE = "fct_gpu_idle_daily"
KINDS = ("training", "serving", "tokens", "idle_gpu", "other")
_THOUSAND, _MILLION = 1_000, 1_000_000
_PLACES = Decimal(1).scaleb(-10)


class By(StrEnum):
    """What costs of AI are summed by."""

    KIND = "kind"
    TEAM = "team"
    EXPERIMENT = "experiment"
    RUN = "run"
    MODEL = "model"
    MODEL_VERSION = "model_version"
    SERVICE = "service"
    WORKLOAD = "workload"

    @property
    def columns(self) -> tuple[str, ...]:
        """Columns of the marts."""
        return {
            By.RUN: ("experiment", "run_id"),
            By.MODEL_VERSION: ("model", "model_version"),
            By.WORKLOAD: ("resource",),
        }.get(self, (self.value,))


@command("ai_costs")
def ai_costs(
    by: Annotated[By, typer.Option("--by", help="What costs are summed by.")] = By.KIND,
    period: Month = None,
    day: Annotated[
        datetime | None,
        typer.Option("--day", formats=["%Y-%m-%d"], help="One day, YYYY-MM-DD, not a month."),
    ] = None,
    config: Config = None,
    as_json: AsJson = False,
) -> int:
    """What AI cost: training, serving, tokens and idle GPUs; each cost is of one kind."""
    settings = settings_for(config)
    estate = Estate(settings)
    if period is not None and day is not None:
        raise SettingsError("Give --month or --day, not both.")
    reader, first, last = _published(estate, settings, period, day)
    items = _summed(reader, by, first, last)
    if by in (By.MODEL, By.MODEL_VERSION):
        _judged(estate, settings.decided_day(), items)
    idle = reader.records(
        IDLE,
        """
        select sum(gpu_hours) as gpu_hours, sum(idle_gpu_hours) as idle_gpu_hours,
            max(idle_below_percent) as idle_below_percent
        from (select distinct on (day, resource) * from mart)
        """,
        first=first,
        last=last,
    )
    if as_json:
        answer = envelope(
            "ai_costs",
            [{"by": by.value, **one} for one in items],
            as_of=settings.decided_day(),
            publication_id=reader.manifest.id,
            first_day=first,
            last_day=last,
            gpus=idle[0] if idle else None,
        )
        print_json(answer)
        return 0
    _show(by, items, first, last, idle[0] if idle else None)
    return 0


def _published(
    estate: Estate, settings: Settings, period: datetime | None, day: datetime | None
) -> tuple[PublishedReader, date, date]:
    """What is published, and the days of it that are asked for. Raises SettingsError."""
    manifest = estate.publications.current()
    held = sorted({v.partition for v in manifest.of(COSTS)}) if manifest is not None else []
    since = day.date() if day else period.date() if period else month_start(settings.decided_day())
    until = since if day else next_month(since) - timedelta(days=1)
    wanted = [one for one in held if since <= one <= until]
    if manifest is None or not wanted:
        days = f"{held[0]} to {held[-1]}" if held else "none yet"
        raise SettingsError(
            f"No costs of AI are published of {since}{'' if day else ' and its month'}.",
            (
                Fault(
                    code="unknown_day",
                    column="--day" if day else "--month",
                    expected=f"Expected a day of {COSTS}: {days}.",
                    hint="Choose one of these, or run `finops run` to publish.",
                ),
            ),
        )
    return estate.publications.reader(manifest), wanted[0], wanted[-1]


def _summed(reader: PublishedReader, by: By, first: date, last: date) -> list[dict[str, Any]]:
    """One item for each name and currency, the dearest first: costs by kind, and unit costs."""
    kinds = ", ".join(
        f"coalesce(sum(effective_cost) filter (where kind = '{kind}'), 0) as {kind}_cost"
        for kind in KINDS
    )
    group = (*by.columns, "billing_currency")
    found = reader.records(
        COSTS,
        f"""
        select {", ".join(group)}, {kinds}, sum(effective_cost) as cost
        from mart group by all order by billing_currency, cost desc, {", ".join(by.columns)}
        """,
        first=first,
        last=last,
    )
    units = {
        "thousand_predictions": _per(reader, SERVING, "predictions", _THOUSAND, by, first, last),
        "million_tokens": _per(reader, TOKENS, "tokens", _MILLION, by, first, last),
    }
    items = []
    for row in found:
        key = tuple(row[column] for column in group)
        item = {
            "name": " ".join(str(row[column]) for column in by.columns if row[column]) or None,
            **{column: row[column] for column in by.columns},
            "currency": row["billing_currency"],
            "cost": row["cost"],
            **{f"{kind}_cost": row[f"{kind}_cost"] for kind in KINDS},
        }
        for unit, told in units.items():
            count, cost = told.get(key, (None, None))
            item[unit.partition("_")[2]] = count
            item[f"cost_per_{unit}"] = cost
        items.append(item)
    return items


def _per(
    reader: PublishedReader, mart: str, unit: str, many: int, by: By, first: date, last: date
) -> Mapping[tuple[Any, ...], tuple[int, Decimal]]:
    """Units and the cost of `many` of them, by what costs are summed by and currency."""
    beside = {SERVING: {"kind": "'serving'"}, TOKENS: {"kind": "'tokens'", "model_version": "null"}}
    given = beside[mart]
    known = {*given, *reader.columns(mart)} if reader.paths(mart, first, last) else set()
    if not known.issuperset(by.columns):
        return {}
    added = ", ".join(f"{value}::varchar as {name}" for name, value in given.items())
    rows = reader.records(
        mart,
        f"""
        with costs as (select *, {added} from mart where billing_currency is not null)
        select {", ".join(by.columns)}, billing_currency, sum({unit})::bigint as units,
            sum(effective_cost) as cost
        from costs group by all having sum({unit}) > 0
        """,
        first=first,
        last=last,
    )
    return {
        (*(row[column] for column in by.columns), row["billing_currency"]): (
            row["units"],
            (row["cost"] * many / row["units"]).quantize(_PLACES),
        )
        for row in rows
    }


def _judged(estate: Estate, as_of: date, items: Iterable[dict[str, Any]]) -> None:
    """Put what was judged of a model for the decided day beside it, or beside its versions that
    answered in the window that was judged."""
    day = estate.decided(as_of)
    told = {row["model"]: row for row in (day.document("models") or [] if day else [])}
    for item in items:
        row = told.get(item["model"])
        version = item.get("model_version")
        current = {one["version"] for one in row["versions"] if one["current"]} if row else set()
        if row is None or (version is not None and version not in current):
            row = {}
        for key in ("gate", "quality_metric", "quality", "drifted_share", "drifted_features"):
            item[key] = row.get(key)


def _show(
    by: By,
    items: list[dict[str, Any]],
    first: date,
    last: date,
    gpus: Mapping[str, Any] | None,
) -> None:
    judged = by in (By.MODEL, By.MODEL_VERSION)
    shown = [f"{kind}_cost" for kind in KINDS if any(one[f"{kind}_cost"] for one in items)]
    if by is By.KIND:
        shown = []
    units = [
        unit
        for unit in ("cost_per_thousand_predictions", "cost_per_million_tokens")
        if any(one[unit] is not None for one in items)
    ]

    def unit_cost(value: Decimal | None) -> str | None:
        return None if value is None else amount(value, 4)

    print_table(
        f"cost of AI by {words(by.value).lower()}, {first} to {last}, effective",
        (
            by.value,
            "currency",
            "cost",
            *(kind.replace("_", " ") for kind in shown),
            *(f"{unit.removeprefix('cost_').replace('_', ' ')} cost" for unit in units),
            *(("gate", "quality", "drift") if judged else ()),
        ),
        [
            (
                one["name"] or UNALLOCATED,
                one["currency"],
                amount(one["cost"], places(one["currency"])),
                *(amount(one[kind], places(one["currency"])) for kind in shown),
                *(unit_cost(one[unit]) for unit in units),
                *(_health(one) if judged else ()),
            )
            for one in items
        ],
    )
    if gpus is not None and gpus["gpu_hours"]:
        typer.echo(
            f"GPUs were held for {quantity(gpus['gpu_hours'], 'hours')} and idle for "
            f"{quantity(gpus['idle_gpu_hours'], 'hours')}: below "
            f"{gpus['idle_below_percent']:g} % in an interval."
        )


def _health(one: Mapping[str, Any]) -> tuple[str | None, str | None, str | None]:
    quality, drifted = one["quality"], one["drifted_share"]
    return (
        one["gate"],
        None if quality is None else f"{words(one['quality_metric']).lower()} {quality:.3g}",
        None if drifted is None else f"{share(drifted)} of inputs",
    )
