"""`finops ai decisions`: whom cuts, refusals, false alarms and errors of the product fell on.

It reads what decided days have kept and the ledger, and changes nothing.
"""

from __future__ import annotations

from typing import Annotated, Any

import typer

from finops_dagster.cli.common import AsJson, AsOf, Config, command, day_of, settings_for
from finops_dagster.cli.lists import print_abstained
from finops_dagster.cli.output import console, envelope, plain, print_json, print_table
from finops_dagster.defs import rebuild
from finops_dagster.defs.estate import Estate
from finops_dagster.report.format import amount, share
from finops_dagster.responsible_ai.decisions.facts import LOOK_BACK_DAYS, Dimension
from finops_dagster.responsible_ai.decisions.results import (
    Compared,
    DecisionFairness,
    Measure,
)
from finops_dagster.responsible_ai.results import Interval


@command("ai_decisions")
def ai_decisions(
    days: Annotated[
        int, typer.Option("--days", min=1, max=366, help="Decided days looked at.")
    ] = LOOK_BACK_DAYS,
    by: Annotated[
        Dimension | None, typer.Option("--by", help="Only by this; default: by all.")
    ] = None,
    config: Config = None,
    as_of: AsOf = None,
    as_json: AsJson = False,
) -> int:
    """Who is asked to cut, who gets false alarms and errors; exit code 1 where it is unfair."""
    from finops_dagster.defs.insight.models.decided import decided_fairness

    settings = settings_for(config)
    day = day_of(settings, as_of)
    estate = Estate(settings)
    found = decided_fairness(estate, rebuild.reader(estate, day), day, last=day, days=days)
    dimensions = [by] if by is not None else list(Dimension)
    breaches = [
        one for one in found.breaches if one.segment.startswith(tuple(f"{d}=" for d in dimensions))
    ]
    abstained = [
        one for one in found.abstained if by is None or not one.subject.endswith(_OTHERS[by])
    ]
    if as_json:
        print_json(
            envelope(
                "ai_decisions",
                [item for dimension in dimensions for item in _items(found, dimension)],
                as_of=day,
                abstained=abstained,
                first=found.first,
                last=found.last,
                decided_days=found.decided_days,
                breaches=[one.model_dump(mode="json") for one in breaches],
                notes=list(found.notes),
            )
        )
    else:
        for dimension in dimensions:
            _print(found, dimension)
        for breach in breaches:
            console().print(f"{breach.grade}: {breach.reason}", markup=False)
        for note in found.notes:
            console().print(note, markup=False)
        print_abstained(abstained)
    return 1 if any(one.grade == "fail" for one in breaches) else 0


_OTHERS = {
    one: tuple(f" by {other.value}" for other in Dimension if other is not one) for one in Dimension
}
"""How subjects end that are of another dimension."""


def _items(found: DecisionFairness, dimension: Dimension) -> list[dict[str, Any]]:
    """One item for each measure of each group, in one form."""
    items: list[dict[str, Any]] = []
    for count in found.counts:
        if count.dimension is dimension:
            items.append(
                {
                    "by": dimension.value,
                    "group": count.group,
                    "measure": "counts",
                    "resources": count.resources,
                    "found": count.found,
                    "changes": count.changes,
                    "cuts": count.cuts,
                    "verdicts": {one.value: n for one, n in count.decisions.items()},
                    "outcomes": {one.value: n for one, n in count.outcomes.items()},
                }
            )
    for asked in found.money:
        if asked.dimension is dimension:
            items.append(
                {
                    "by": dimension.value,
                    "group": asked.group,
                    "measure": "share_of_spend",
                    **_ends(asked.share),
                    "saving_per_month": plain(asked.saving_per_month),
                    "spend_per_month": plain(asked.spend_per_month),
                    "currency": asked.currency,
                }
            )
    for one in found.compared:
        if one.dimension is dimension:
            items.append(
                {
                    "by": dimension.value,
                    "group": one.group,
                    "measure": one.measure.value,
                    "of": one.of,
                    **_ends(one.value),
                    "to_others": _ends(one.to_others),
                    "p_adjusted": one.p_adjusted,
                }
            )
    return items


def _ends(one: Interval | None) -> dict[str, float | None]:
    if one is None:
        return {"value": None, "low": None, "high": None}
    return {"value": one.value, "low": one.low, "high": one.high}


def _print(found: DecisionFairness, dimension: Dimension) -> None:
    counts = {one.group: one.resources for one in found.counts if one.dimension is dimension}
    groups = found.groups(dimension)
    if not groups:
        return
    figures = {(one.group, one.measure): one for one in found.compared
               if one.dimension is dimension}  # fmt: skip
    money = [one for one in found.money if one.dimension is dimension]
    print_table(
        f"by {dimension.value.replace('_', ' ')}, {found.first} to {found.last}",
        (
            "group", "resources", "asked to cut", "of what was found", "turned down", "noise",
            "forecast error",
        ),
        [_row(one, counts.get(one), figures) for one in groups],
    )  # fmt: skip
    print_table(
        "savings asked a month",
        ("group", "asked", "spend", "share", "currency"),
        [
            (
                one.group,
                amount(one.saving_per_month),
                amount(one.spend_per_month),
                _with_ends(one.share),
                one.currency,
            )
            for one in money
        ],
    )


def _with_ends(one: Interval | None) -> str:
    if one is None:
        return "spends nothing"
    if one.low is None or one.high is None:
        return share(one.value)
    return f"{share(one.value)} ({share(one.low)} to {share(one.high)})"


def _row(
    group: str, resources: int | None, figures: dict[tuple[str, Measure], Compared]
) -> tuple[Any, ...]:
    def told(measure: Measure) -> str:
        one = figures.get((group, measure))
        if one is None:
            return "too few"
        value = one.value.value
        text = f"{value:.2f}" if measure is Measure.FORECAST_ERROR else share(value)
        return text if one.to_others is None else f"{text} ({one.to_others.value:.2f} x others)"

    return (
        group,
        "too few" if resources is None else resources,
        told(Measure.ASKED),
        told(Measure.ASKED_OF_FOUND),
        told(Measure.TURNED_DOWN),
        told(Measure.FALSE_ALARMS),
        told(Measure.FORECAST_ERROR),
    )
