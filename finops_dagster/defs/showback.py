"""What is told of budgets, units and charges of a month, read from one publication and its day.

Selections and names only: what is made of the numbers lives in `report`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pandas as pd

from finops_dagster.defs.estate import Estate
from finops_dagster.domain.dated import DIMENSIONS, Conditions, fits
from finops_dagster.domain.decisions import Abstained, Decision, Proposal, Verdict
from finops_dagster.domain.periods import month_start, next_month
from finops_dagster.domain.pull_requests import PullRequest, PullRequestState
from finops_dagster.engines.forecasting.sums import SUMS
from finops_dagster.report.explain import explained
from finops_dagster.report.format import words
from finops_dagster.report.landing import Ahead, Landing, Sum, landings
from finops_dagster.report.pack import (
    Carbon,
    Pack,
    Scoped,
    write_index,
    write_pack,
)
from finops_dagster.report.summary import Judged, judged
from finops_dagster.report.units import UnitCost, unit_costs
from finops_dagster.storage.days import DayStore
from finops_dagster.storage.publication import PublishedReader

_ALLOCATED = "fct_allocated_costs_daily"


def budgets(reader: PublishedReader, day: DayStore | None, month: date) -> list[Landing]:
    """Where the budgets of a month land; `day`: what was decided in that month, if it was."""
    longest = (month - timedelta(days=366)).replace(day=1)
    left = day.items("budget_forecasts_abstained", Abstained) if day else []
    reasons = {one.subject: one.reason for one in left}
    no_sums = reasons.get(SUMS)
    return landings(
        reader.records("fct_budgets_monthly", first=longest, last=month),
        reader.records("fct_budget_costs_daily", first=longest, last=month),
        _ahead(day.frame("budget_forecasts")) if day is not None else {},
        {_key(name): reason for name, reason in reasons.items() if name.startswith("budget|")},
        month,
        "no forecast was made of it"
        if day is not None
        else "what is ahead of a month is forecast on its own days",
        _sums(day.frame("budget_sums")) if day is not None else {},
        **({"no_sums": no_sums} if no_sums else {}),
    )


def units(reader: PublishedReader, month: date) -> list[UnitCost]:
    """What each unit cost in a month, beside the month before."""
    before = month_start(month - timedelta(days=1))
    return unit_costs(reader.records("fct_unit_costs_daily", first=before, last=month), month)


def charges(reader: PublishedReader, month: date) -> list[dict[str, Any]]:
    """fct_chargeback_monthly of a month, by team, provider and service."""
    return reader.records(
        "fct_chargeback_monthly",
        "select * from mart order by team nulls last, billing_currency, provider_name,"
        " service_name, price_list_entry nulls first, business_unit, cost_center",
        first=month,
        last=month,
    )


def packs(
    estate: Estate,
    reader: PublishedReader,
    as_of: date,
    day: DayStore | None,
    month: date,
    pull_requests: Sequence[PullRequest] = (),
) -> list[Pack]:
    """The pack of every team that had costs in a month, in the order of their names; last what
    nobody has. `day`: what `as_of` decided, whose open decisions are told."""
    before = month_start(month - timedelta(days=1))
    costs = by_team(
        reader.records(
            _ALLOCATED,
            "select team, billing_currency, provider_name, service_name, product, line,"
            " sum(effective_cost) as effective_cost from mart group by all order by all",
            first=month,
            last=month,
        )
    )
    if not costs:
        return []
    daily = by_team(
        reader.records(
            _ALLOCATED,
            "select team, billing_currency, least(greatest(charge_date, billing_period),"
            " last_day(billing_period)) as day, sum(effective_cost) as effective_cost"
            " from mart group by all order by all",
            first=before,
            last=month,
        )
    )
    owned = by_team(
        reader.records(
            _ALLOCATED,
            f"select distinct {', '.join(DIMENSIONS)} from mart order by all",
            first=month,
            last=month,
        )
    )
    changes = by_team(reader.records("fct_cost_changes_monthly", first=month, last=month))
    charged = by_team(charges(reader, month))
    emitted = _carbon(reader, month)
    landed = budgets(reader, day if decided_in(month, as_of) else None, month)
    told = units(reader, month)
    of_budgets = {plan.name: plan.of for plan in estate.allocation.plans([month])}
    of_units = {
        unit.name: unit.of
        for unit in estate.allocation.units
        if unit.meets(month, next_month(month) - timedelta(days=1))
    }
    decisions = _decisions(day, pull_requests)
    return [
        Pack(
            estate=estate.settings.estate,
            team=team,
            month=month,
            as_of=as_of,
            publication_id=reader.manifest.id,
            costs=costs[team],
            daily=daily.get(team, ()),
            explained=explained(team, month, changes.get(team, ())),
            budgets=_shared_in(landed, [one.budget for one in landed], of_budgets, owned[team]),
            units=_shared_in(told, [one.unit for one in told], of_units, owned[team]),
            carbon=emitted.get(team),
            charges=charged.get(team, ()),
            decisions=[one for one in decisions if team and one.proposal.owner == team],
        )
        for team in sorted(costs, key=lambda name: (name is None, name))
    ]


def write_packs(
    estate: Estate, reader: PublishedReader, as_of: date, month: date, out: Path
) -> Path | None:
    """Write the packs of a month and the page that leads to them, by what `as_of` decided; returns
    that page, or None where nothing of the month is allocated."""
    made = packs(estate, reader, as_of, estate.day(as_of), month)
    for one in made:
        write_pack(one, out)
    return write_index(made, out) if made else None


def by_team(rows: Sequence[dict[str, Any]]) -> dict[str | None, list[dict[str, Any]]]:
    """Rows of a mart by the team that each is of."""
    found: dict[str | None, list[dict[str, Any]]] = {}
    for row in rows:
        found.setdefault(row["team"], []).append(row)
    return found


def _shared_in(
    ones: Sequence[Landing | UnitCost],
    names: Sequence[str],
    scopes: Mapping[str, Conditions],
    owned: Sequence[Mapping[str, Any]],
) -> list[Scoped]:
    """Those that costs of a team count for; its own are those that name it."""
    return [
        Scoped(scope=_scope(scopes[name]), is_own="team" in scopes[name], of=one)
        for one, name in zip(ones, names, strict=True)
        if name in scopes and any(fits(scopes[name], row) for row in owned)
    ]


def _scope(of: Conditions) -> str:
    texts = (f"{words(column)}: {', '.join(value)}" for column, value in of.items())
    return "; ".join(texts) or "all costs"


def _decisions(day: DayStore | None, pull_requests: Sequence[PullRequest]) -> list[Judged]:
    """What waits for a decision: pull requests that are open, proposals that may become some."""
    if day is None:
        return []
    ranked = judged(
        day.items("proposals", Proposal),
        {one.subject: one for one in day.items("verdicts", Verdict)},
        [one for one in pull_requests if one.state is PullRequestState.OPEN],
    )
    return [
        one for decision, ones in ranked.items() if decision is not Decision.DENY for one in ones
    ]


def _carbon(reader: PublishedReader, month: date) -> dict[str | None, Carbon]:
    """What teams emitted, by the ledger."""
    rows = reader.records(
        _ALLOCATED,
        """
        select team, sum(energy_kwh) as energy_kwh, sum(location_gco2e) / 1000 as location_kg,
            sum(market_gco2e) / 1000 as market_kg, sum(embodied_gco2e) / 1000 as embodied_kg,
            count(*) as lines, count(*) filter (where energy_kwh is null) as without_energy,
            count(*) filter (where energy_kwh is not null and location_gco2e is null)
                as without_intensity
        from mart where charge_category = 'Usage' and line <> 'given' group by team
        """,
        first=month,
        last=month,
    )
    return {row.pop("team"): Carbon(**row) for row in rows}


def decided_in(month: date, decided: date) -> bool:
    """Whether what a day decided is of this month."""
    return month <= decided < next_month(month)


def _ahead(frame: pd.DataFrame | None) -> dict[tuple[str, str], list[Ahead]]:
    found: dict[tuple[str, str], list[Ahead]] = {}
    for row in frame.to_dict("records") if frame is not None else ():
        point = Ahead(
            pd.Timestamp(row["ds"]).date(),
            float(row["mean"]),
            float(row["lo95"]),
            float(row["hi95"]),
        )
        found.setdefault(_key(str(row["unique_id"])), []).append(point)
    return found


def _sums(frame: pd.DataFrame | None) -> dict[tuple[str, str], list[Sum]]:
    found: dict[tuple[str, str], list[Sum]] = {}
    if frame is None or frame.empty:
        return found
    for _, rows in frame.groupby(["unique_id", "ds"]):
        day = pd.Timestamp(rows["ds"].iloc[0]).date()
        one = Sum(day, tuple(rows["probability"]), tuple(rows["value"].astype(float)))
        found.setdefault(_key(str(rows["unique_id"].iloc[0])), []).append(one)
    return found


def _key(unique_id: str) -> tuple[str, str]:
    """Budget and currency of a forecast series."""
    _, currency, name = unique_id.split("|", 2)
    return name, currency
