"""Commands that tell of budgets, unit costs and what teams are charged, and write the monthly pack.

They read what is published and change nothing beside the pack.
"""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Annotated

import typer
from rich.text import Text

from finops_dagster.cli.common import AsJson, Config, command, settings_for
from finops_dagster.cli.costs import Month, period_of, published, unknown_team
from finops_dagster.cli.output import console, envelope, print_json, print_table
from finops_dagster.defs import showback
from finops_dagster.defs.estate import Estate
from finops_dagster.domain.decisions import Abstained
from finops_dagster.domain.money import Money
from finops_dagster.report.explain import UNALLOCATED
from finops_dagster.report.format import (
    amount,
    chance,
    change,
    money_brief,
    money_range,
    month,
    places,
)
from finops_dagster.report.landing import Landing
from finops_dagster.report.pack import write_index, write_pack
from finops_dagster.storage.days import DayStore

BUDGETS = "fct_budgets_monthly"
UNITS = "fct_unit_costs_daily"
CHARGES = "fct_chargeback_monthly"


def register(app: typer.Typer) -> None:
    """Add these commands to `app`."""
    app.command("budgets")(budgets_command)
    app.command("units")(units_command)
    app.command("chargeback")(chargeback_command)
    app.command("pack")(pack_command)


def decided(estate: Estate, wanted: date) -> DayStore | None:
    """What the decided day kept, where it is a day of the month asked about."""
    day = estate.settings.decided_day()
    return estate.decided(day) if showback.decided_in(wanted, day) else None


@command("budgets")
def budgets_command(period: Month = None, config: Config = None, as_json: AsJson = False) -> int:
    """What was spent of each budget, and where it will land with what is forecast."""
    settings = settings_for(config)
    estate = Estate(settings)
    wanted = period_of(settings, period)
    reader = estate.publications.reader(published(estate, BUDGETS, wanted))
    found = showback.budgets(reader, decided(estate, wanted), wanted)
    if as_json:
        answer = envelope(
            "budgets",
            [{"month": f"{wanted:%Y-%m}", **one.document()} for one in found],
            as_of=settings.decided_day(),
            abstained=[
                Abstained(subject=one.budget, reason=one.reason) for one in found if one.reason
            ],
            publication_id=reader.manifest.id,
        )
        print_json(answer)
        return 0
    print_table(
        f"budgets in {month(wanted)}",
        ("budget", "until", "spent", "of", "planned to date", "expected, 95 %", "to exceed",
         "exceeds on, 80 %", "state"),
        [_told(one) for one in found],
    )  # fmt: skip
    for one in found:
        if one.reason is not None:
            console().print(Text(f"Where {one.budget} lands is not known: {one.reason}."))
        elif one.no_odds is not None:
            console().print(Text(f"How likely {one.budget} is exceeded: {one.no_odds}."))
    return 0


def _told(one: Landing) -> tuple[str | None, ...]:
    def text(value: Decimal) -> str:
        return money_brief(Money(amount=value, currency=one.currency))

    expected, by_then = one.expected, ""
    if expected is None and one.by_month_end is not None:
        expected, by_then = one.by_month_end, f" by {one.month_end}"
    when = f" on {one.exceeded}" if one.exceeded and "exceed" in one.state else ""
    odds = one.odds
    return (
        one.budget,
        one.end.isoformat(),
        text(one.actual),
        text(one.amount),
        None if one.planned_to_date is None else text(one.planned_to_date),
        None if expected is None or one.is_over else f"{money_range(expected)}{by_then}",
        None if odds is None else chance(odds.probability),
        None if odds is None else odds.days,
        f"{one.state}{when}",
    )


@command("units")
def units_command(period: Month = None, config: Config = None, as_json: AsJson = False) -> int:
    """What an order, a user, a prediction cost, and how that moved since the month before."""
    settings = settings_for(config)
    estate = Estate(settings)
    wanted = period_of(settings, period)
    reader = estate.publications.reader(published(estate, UNITS, wanted))
    found = showback.units(reader, wanted)
    unknown = [
        Abstained(subject=one.unit, reason=f"{reason} on {count} days")
        for one in found
        for reason, count in one.not_known.items()
    ]
    if as_json:
        answer = envelope(
            "units",
            [one.document() for one in found],
            as_of=settings.decided_day(),
            abstained=unknown,
            publication_id=reader.manifest.id,
        )
        print_json(answer)
        return 0
    print_table(
        f"unit costs in {month(wanted)}",
        ("unit", "per", "currency", "unit cost", "before cost", "change", "cost", "quantity",
         "days"),
        [
            (
                one.unit,
                f"{one.per:,} {one.metric}" if one.per > 1 else one.metric,
                one.currency,
                None if one.unit_cost is None else amount(one.unit_cost, 4),
                None if one.before is None else amount(one.before, 4),
                None if one.change is None else change(one.change),
                amount(one.cost, places(one.currency)),
                f"{one.quantity.normalize():,f}",
                one.days,
            )
            for one in found
        ],
    )  # fmt: skip
    for each in unknown:
        console().print(Text(f"Not counted of {each.subject}: {each.reason}."))
    return 0


@command("chargeback")
def chargeback_command(period: Month = None, config: Config = None, as_json: AsJson = False) -> int:
    """What each team is charged for its services: allocated cost and margin, by the price list."""
    settings = settings_for(config)
    estate = Estate(settings)
    wanted = period_of(settings, period)
    reader = estate.publications.reader(published(estate, CHARGES, wanted))
    found = showback.charges(reader, wanted)
    if as_json:
        items = [
            {
                "month": f"{wanted:%Y-%m}",
                **{key: value for key, value in row.items() if key != "billing_period"},
            }
            for row in found
        ]
        print_json(
            envelope(
                "chargeback",
                items,
                as_of=settings.decided_day(),
                publication_id=reader.manifest.id,
            )
        )
        return 0
    print_table(
        f"charged in {month(wanted)}",
        ("team", "cost centre", "service", "charged by", "currency", "allocated cost",
         "margin cost", "charged cost"),
        [
            (
                row["team"] or UNALLOCATED,
                row["cost_center"],
                row["service_name"],
                row["price_list_entry"] or "cost",
                row["billing_currency"],
                *(
                    amount(row[column], places(row["billing_currency"] or ""))
                    for column in ("effective_cost", "margin", "charged")
                ),
            )
            for row in found
        ],
    )  # fmt: skip
    return 0


@command("pack")
def pack_command(
    period: Month = None,
    team: Annotated[
        str | None,
        typer.Option("--team", help=f"One team alone; {UNALLOCATED} for what has none."),
    ] = None,
    out: Annotated[
        Path, typer.Option("--out", file_okay=False, help="Folder that the packs go to.")
    ] = Path("packs"),
    config: Config = None,
    as_json: AsJson = False,
) -> int:
    """Write the month of every team: a page and tables of spend, budgets, carbon, decisions."""
    settings = settings_for(config)
    estate = Estate(settings)
    wanted = period_of(settings, period)
    reader = estate.publications.reader(published(estate, CHARGES, wanted))
    as_of = settings.decided_day()
    pulls = estate.forge().pull_requests() if settings.desired_state is not None else ()
    packs = showback.packs(estate, reader, as_of, estate.decided(as_of), wanted, tuple(pulls))
    named = [one for one in packs if team is None or one.name.lower() == team.lower()]
    if not named:
        raise unknown_team(team or "", wanted, [one.name for one in packs])
    folder = out / f"{wanted:%Y-%m}"
    pages = [(one.name, write_pack(one, folder)) for one in named]
    if team is None:
        pages.insert(0, ("all teams", write_index(packs, folder)))
    if as_json:
        print_json(
            envelope(
                "pack",
                [
                    {"month": f"{wanted:%Y-%m}", "team": name, "page": str(page)}
                    for name, page in pages
                ],
                as_of=settings.decided_day(),
                publication_id=reader.manifest.id,
            )
        )
        return 0
    for name, page in pages:
        console().print(Text(f"{name}: {page}"))
    return 0
