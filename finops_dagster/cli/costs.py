"""Commands that tell whose costs are, and why they moved.

They read what is published and change nothing.
"""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence
from datetime import date, datetime
from decimal import Decimal
from enum import StrEnum
from typing import Annotated, Any

import typer
from rich.text import Text

from finops_dagster.cli.common import AsJson, Config, command, settings_for
from finops_dagster.cli.output import console, envelope, print_json, print_table
from finops_dagster.defs.estate import Estate
from finops_dagster.defs.metrics import Metric, Metrics
from finops_dagster.domain.dated import DIMENSIONS
from finops_dagster.domain.decisions import Abstained
from finops_dagster.domain.errors import Fault, SettingsError
from finops_dagster.domain.periods import month_start
from finops_dagster.report.explain import UNALLOCATED, explained
from finops_dagster.report.format import amount, month, places, share
from finops_dagster.settings import Settings
from finops_dagster.storage.publication import Manifest

ALLOCATED = "fct_allocated_costs_daily"
CHANGES = "fct_cost_changes_monthly"
_CARBON_COVERAGE = "fct_carbon_coverage"
Month = Annotated[
    datetime | None,
    typer.Option("--month", formats=["%Y-%m"], help="Billing month, YYYY-MM; else the decided."),
]


class By(StrEnum):
    """What allocated costs are summed by."""

    TEAM = "team"
    BUSINESS_UNIT = "business_unit"
    PRODUCT = "product"
    ENVIRONMENT = "environment"
    COST_CENTER = "cost_center"
    SERVICE = "service_name"
    ACCOUNT = "sub_account_id"
    CLUSTER = "cluster"
    COST_PART = "cost_part"
    RULE = "rule"
    POOL = "pool"


def register(app: typer.Typer) -> None:
    """Add these commands to `app`."""
    app.command("allocation")(allocation_command)
    app.command("metrics")(metrics_command)
    app.command("explain")(explain_command)


def period_of(settings: Settings, given: datetime | None) -> date:
    """First day of the month that a command is about: its option, else the decided one."""
    return given.date() if given is not None else month_start(settings.decided_day())


def published(estate: Estate, mart: str, period: date) -> Manifest:
    """The publication in force. Raises SettingsError where the mart has not this month in it."""
    manifest = estate.publications.current()
    held = sorted({v.partition for v in manifest.of(mart)}) if manifest is not None else []
    if manifest is None or period not in held:
        months = f"{held[0]:%Y-%m} to {held[-1]:%Y-%m}" if held else "none yet"
        raise SettingsError(
            f"No costs of {month(period)} are allocated.",
            (
                Fault(
                    code="unknown_month",
                    column="--month",
                    expected=f"Expected a month of {mart}: {months}.",
                    hint="Choose one of these, or run `finops run` to publish.",
                ),
            ),
        )
    return manifest


@command("allocation")
def allocation_command(
    period: Month = None,
    by: Annotated[By, typer.Option("--by", help="What costs are summed by.")] = By.TEAM,
    metric: Annotated[
        str, typer.Option("--metric", help="What is summed: see `finops metrics`.")
    ] = "effective_cost",
    against: Annotated[
        str | None,
        typer.Option(
            "--against",
            help="Id of a publication to compare with, or `previous`: the last one in which the "
            "month was allocated otherwise.",
        ),
    ] = None,
    config: Config = None,
    as_json: AsJson = False,
) -> int:
    """Whose the costs of a month are: charged, given and received; what nobody has shows too."""
    settings = settings_for(config)
    estate = Estate(settings)
    wanted = period_of(settings, period)
    chosen = _metric(metric, Metrics.of_project(estate.dbt_project).over(ALLOCATED), "--metric")
    manifest = published(estate, ALLOCATED, wanted)
    items = _allocated(estate, manifest, wanted, by, chosen)
    other = _other(estate, manifest, wanted, against) if against is not None else None
    if other is not None:
        items = _compared(items, _allocated(estate, other, wanted, by, chosen))
    coverage = [] if chosen.in_currency else _carbon_coverage(estate, manifest, wanted)
    if as_json:
        answer = envelope(
            "allocation",
            [
                {"month": f"{wanted:%Y-%m}", "by": by.value, "metric": chosen.name, **one}
                for one in items
            ],
            as_of=settings.decided_day(),
            publication_id=manifest.id,
            against=other.id if other is not None else None,
            unit=chosen.unit,
            coverage=coverage,
        )
        print_json(answer)
        return 0
    title = f"{chosen.label} of {month(wanted)} by {by.value}"
    if other is not None:
        title = f"{title}, beside publication {other.id}"
        columns = {"other cost": "cost_against", "cost": "cost", "more cost": "difference"}
    else:
        parts = ("charged", "given", "received")
        columns = {f"{part} cost": part for part in parts} | {"cost": "cost"}
    beside = "currency" if chosen.in_currency else "unit"
    if not chosen.in_currency:
        columns = {name.replace("cost", "").strip() or "all": key for name, key in columns.items()}
    print_table(
        title,
        (by.value, beside, *columns, *(() if other is not None else ("share",))),
        [
            (
                one["name"] or (UNALLOCATED if by.value in DIMENSIONS else "(none)"),
                one["currency"] or chosen.unit,
                *(amount(one[key], places(one["currency"] or "")) for key in columns.values()),
                *([share(one["share"], 1)] if one.get("share") is not None else []),
            )
            for one in items
        ],
    )
    for one in coverage:
        console().print(Text(_known(one)))
    return 0


def _carbon_coverage(estate: Estate, manifest: Manifest, period: date) -> list[dict[str, Any]]:
    """Of the effective cost of usage, by currency: the share whose carbon is known, by how."""
    return estate.publications.reader(manifest).records(
        _CARBON_COVERAGE,
        """
        with sums as (
            select billing_currency as currency, cast(sum(effective_cost) as double) as cost,
                coalesce(sum(effective_cost) filter (where carbon_basis = 'measured'), 0)
                    as measured,
                coalesce(sum(effective_cost) filter (where carbon_basis = 'estimated'), 0)
                    as estimated,
                coalesce(sum(effective_cost) filter (
                    where carbon_basis is not null and reason is not null
                ), 0) as without_intensity
            from mart group by billing_currency
        )
        select currency, cast(measured as double) / nullif(cost, 0) as measured_share,
            cast(estimated as double) / nullif(cost, 0) as estimated_share,
            cast(without_intensity as double) / nullif(cost, 0) as without_intensity_share
        from sums order by currency
        """,
        first=period,
        last=period,
    )


def _known(one: Mapping[str, Any]) -> str:
    if one["measured_share"] is None:
        return f"Nothing was used in {one['currency']}."
    measured, estimated = one["measured_share"], one["estimated_share"]
    dark = one["without_intensity_share"]
    return (
        f"Energy is known of {share(measured + estimated, 1)} of the cost of usage in "
        f"{one['currency']}: measured {share(measured, 1)}, estimated from SKUs "
        f"{share(estimated, 1)}"
        + (f"; of {share(dark, 1)} no intensity of the grid is." if dark else ".")
        + f" Why not: `finops marts {_CARBON_COVERAGE}`."
    )


def _allocated(
    estate: Estate, manifest: Manifest, period: date, by: By, metric: Metric
) -> list[dict[str, Any]]:
    parts = ", ".join(
        f"coalesce(sum(cost) filter (where line = '{line}'), 0) as {name}"
        for name, line in (("charged", "charge"), ("given", "given"), ("received", "received"))
    )
    return estate.publications.reader(manifest).records(
        ALLOCATED,
        f"""
        with costs as (select *, {metric.value} as cost from mart),
        sums as (
            select {by.value} as name, {_currency(metric)} as currency, {parts}, sum(cost) as cost
            from costs group by all having count(cost) > 0
        )
        select *, cast(cost as double) / nullif(
            cast(sum(cost) over (partition by currency) as double), 0
        ) as share
        from sums order by currency, cost desc, name nulls last
        """,
        first=period,
        last=period,
    )


def _metric(name: str, known: Sequence[Metric], where: str) -> Metric:
    """The metric of a name. Raises SettingsError with the nearest."""
    by_name = {one.name: one for one in known}
    if name in by_name:
        return by_name[name]
    raise SettingsError(
        f"There is no metric {name!r} to tell.",
        (
            Fault(
                code="unknown_metric",
                column=where,
                expected=f"Expected one of: {', '.join(by_name)}.",
                hint=_meant(name, list(by_name)),
            ),
        ),
    )


def _meant(name: str, known: Sequence[str]) -> str:
    near = difflib.get_close_matches(name, known, n=1)
    return f"Did you mean {near[0]!r}?" if near else "Choose one of these."


@command("metrics")
def metrics_command(
    name: Annotated[
        str | None, typer.Argument(help="A metric; without it, what each of them means.")
    ] = None,
    by: Annotated[
        str | None, typer.Option("--by", help="A column that the metric may be told by.")
    ] = None,
    period: Month = None,
    config: Config = None,
    as_json: AsJson = False,
) -> int:
    """What each figure means; and one of them for a month, as it is defined."""
    settings = settings_for(config)
    estate = Estate(settings)
    known = list(Metrics.of_project(estate.dbt_project).by_name.values())
    if name is None:
        if as_json:
            items = [
                {
                    "metric": one.name,
                    "label": one.label,
                    "description": one.description,
                    "unit": one.unit,
                    "mart": one.mart,
                    "by": one.dimensions,
                    "sql": one.sql,
                }
                for one in known
            ]
            print_json(envelope("metrics", items, as_of=settings.decided_day()))
        else:
            print_table(
                "Metrics",
                ("metric", "is", "unit"),
                [(one.name, one.description, one.unit) for one in known],
            )
        return 0
    metric = _metric(name, known, "NAME")
    if by is not None and by not in metric.dimensions:
        raise SettingsError(
            f"{metric.name} is not told by {by!r}.",
            (
                Fault(
                    code="unknown_dimension",
                    column="--by",
                    expected=f"Expected one of: {', '.join(metric.dimensions)}.",
                    hint=_meant(by, metric.dimensions),
                ),
            ),
        )
    wanted = period_of(settings, period)
    manifest = published(estate, metric.mart, wanted)
    rows = estate.publications.reader(manifest).records(
        metric.mart,
        f"""
        select {by or "null"} as name, {_currency(metric)} as currency, {metric.sql} as value
        from mart group by all having value is not null
        order by currency, value desc, name nulls last
        """,
        first=wanted,
        last=wanted,
    )
    if as_json:
        beside = {"month": f"{wanted:%Y-%m}", "metric": metric.name, "unit": metric.unit, "by": by}
        answer = envelope(
            "metrics",
            [{**beside, **row} for row in rows],
            as_of=settings.decided_day(),
            publication_id=manifest.id,
        )
        print_json(answer)
        return 0
    print_table(
        f"{metric.label} of {month(wanted)}" + (f" by {by}" if by else ""),
        (by or "of", "currency" if metric.in_currency else "unit", "value"),
        [
            (row["name"] or ("-" if by else "all"), row["currency"] or metric.unit, _figure(row))
            for row in rows
        ],
    )
    return 0


def _currency(metric: Metric) -> str:
    return "billing_currency" if metric.in_currency else "null"


def _figure(row: Mapping[str, Any]) -> str:
    value = row["value"]
    if isinstance(value, Decimal):
        return amount(value, places(row["currency"] or ""))
    return share(value, 1)


def _other(estate: Estate, manifest: Manifest, period: date, against: str) -> Manifest:
    """The publication to compare with. Raises SettingsError where there is none."""
    held = [one.sha256 for one in manifest.of(ALLOCATED, period, period)]
    if against != "previous":
        try:
            found = estate.publications.by_id(against)
        except KeyError:
            found = None
        if found is not None and found.of(ALLOCATED, period, period):
            return found
    else:
        for other in estate.publications.before(manifest):
            if (versions := other.of(ALLOCATED, period, period)) and [
                one.sha256 for one in versions
            ] != held:
                return other
    raise SettingsError(
        f"There is no other allocation of {month(period)} to compare with.",
        (
            Fault(
                code="unknown_publication",
                column="--against",
                expected=f"Expected a publication that allocates {month(period)}, found none as "
                f"{against!r}.",
                hint="Ids are told by `finops run --json` and in the Dagster UI.",
            ),
        ),
    )


def _compared(now: list[dict[str, Any]], then: list[dict[str, Any]]) -> list[dict[str, Any]]:
    costs = {
        side: {(one["name"], one["currency"]): one["cost"] for one in rows}
        for side, rows in (("now", now), ("then", then))
    }
    keys = sorted(
        costs["now"].keys() | costs["then"].keys(), key=lambda key: (key[1] or "", key[0] or "")
    )
    found = []
    for key in keys:
        cost, before = (costs[side].get(key, Decimal(0)) for side in ("now", "then"))
        found.append(
            {
                "name": key[0],
                "currency": key[1],
                "cost": cost,
                "cost_against": before,
                "difference": cost - before,
            }
        )
    return sorted(found, key=lambda one: (one["currency"] or "", -abs(one["difference"])))


def unknown_team(team: str, period: date, known: Sequence[str]) -> SettingsError:
    """What to tell of a team that is none of those known."""
    return SettingsError(
        f"{team!r} has no costs in {month(period)}.",
        (
            Fault(
                code="unknown_team",
                column="--team",
                expected=f"Expected one of: {', '.join(known)}.",
                hint=_meant(team, known),
            ),
        ),
    )


@command("explain")
def explain_command(
    team: Annotated[
        str, typer.Option("--team", help=f"Team as allocated; {UNALLOCATED} for what has none.")
    ],
    period: Month = None,
    config: Config = None,
    as_json: AsJson = False,
) -> int:
    """Why a team's cost moved since the month before: price, use, mix, shared costs, fees."""
    settings = settings_for(config)
    estate = Estate(settings)
    wanted = period_of(settings, period)
    reader = estate.publications.reader(published(estate, CHANGES, wanted))
    rows = reader.records(CHANGES, first=wanted, last=wanted)
    of_team = [row for row in rows if (row["team"] or UNALLOCATED).lower() == team.lower()]
    known = sorted({row["team"] or UNALLOCATED for row in rows})
    abstained = []
    if not rows:
        abstained = [
            Abstained(
                subject=team,
                reason=f"no bill of the month before {month(wanted)} is known to compare with",
            )
        ]
    elif not of_team:
        raise unknown_team(team, wanted, known)
    found = explained(of_team[0]["team"] if of_team else team, wanted, of_team)
    if as_json:
        answer = envelope(
            "explain",
            [one.document() for one in found],
            as_of=settings.decided_day(),
            abstained=abstained,
            publication_id=reader.manifest.id,
        )
        print_json(answer)
        return 0
    for one in abstained:
        console().print(Text(f"{one.subject} cannot be explained: {one.reason}."))
    for each in found:
        for text in each.lines():
            console().print(Text(text))
    return 0
