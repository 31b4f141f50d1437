"""What a change rests on: charges of its resource and their rows, use, and what was forecast.

What was decided from it is in story.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any

import duckdb

from finops_dagster.defs.estate import Estate
from finops_dagster.defs.gitops.effects import COSTLY, billed_ids
from finops_dagster.domain.decisions import Proposal
from finops_dagster.domain.money import exact_sum
from finops_dagster.domain.periods import month_start
from finops_dagster.gitops.words import effect
from finops_dagster.storage.publication import PublishedReader

COST_DAYS = 30
ROWS = 5
"""Charge rows shown, the dearest: all of them are in the named files."""

_METERS = f"""
select
    source, provider_name, service_name, sku_meter, billing_currency as currency,
    sum(effective_cost) as effective_cost, sum(charge_count)::bigint as charge_rows,
    count(distinct charge_date) as days
from mart where {COSTLY} in (select unnest($names)) and charge_date between $first and $last
group by all order by sum(effective_cost) desc
"""
_USE = """
select
    count(*) as rows, string_agg(distinct cluster, ', ' order by cluster) as clusters
from mart where resource = $resource and time >= $first and time < $last
"""
_CHARGES = """
select
    source, file, row_number, charge_period_start::date as day, sku_meter, charge_category,
    effective_cost, billing_currency as currency
from read_parquet($files, union_by_name = true)
where resource_id in (select unnest($ids)) and charge_period_start::date <= $last
order by effective_cost desc, file, row_number limit $rows
"""


@dataclass(frozen=True)
class Step:
    """One step of the story of a change."""

    step: str
    at: datetime | date | None
    """By the estate's calendar; None where it has no time."""
    what: str
    """One sentence."""
    evidence: dict[str, Any] = field(default_factory=dict)


def billed(estate: Estate, proposal: Proposal, missing: list[str]) -> Step:
    """What its resource cost in the month before, by meter, and the dearest rows of the bill."""
    last = proposal.as_of
    first = last - timedelta(days=COST_DAYS - 1)
    published = _published(estate, proposal, missing)
    if published is None:
        return Step("charges", last, "cannot be told: nothing is published any more")
    ids = billed_ids(published, [proposal.resource], last)
    frame = published.frame(
        "fct_costs_daily", _METERS, first=month_start(first), last=last,
        given={"names": [proposal.resource, *ids], "first": first, "last": last},
    )  # fmt: skip
    meters = [] if frame is None else frame.to_dict("records")
    sums: dict[str, list[Decimal]] = {}
    for meter in meters:
        sums.setdefault(str(meter["currency"]), []).append(meter["effective_cost"])
    told = ", ".join(f"{exact_sum(*each):,.2f} {name}" for name, each in sorted(sums.items()))
    rows = sum(int(meter["charge_rows"]) for meter in meters)
    return Step(
        "charges", last,
        f"{proposal.resource} cost {told} in {COST_DAYS} days, in {rows} rows of the bill"
        if meters else f"no charge of {proposal.resource} is known in {COST_DAYS} days",
        {"from": first, "to": last, "mart": "fct_costs_daily", "meters": meters,
         "rows": _charges(estate, ids, last)},
    )  # fmt: skip


def _charges(estate: Estate, ids: dict[str, str], last: date) -> list[dict[str, Any]]:
    """The dearest landed rows of the month, with the provider's file and row."""
    newest: dict[str, Any] = {}
    for landed in estate.lake.records("charges"):
        delivery = landed.delivery
        if delivery.partition == month_start(last) and not landed.set_faults:
            before = newest.get(delivery.source)
            if before is None or before.known_at < delivery.known_at:
                newest[delivery.source] = delivery
    files = [path for one in newest.values() if (path := estate.lake.rows_file(one)).exists()]
    if not files or not ids:
        return []
    with duckdb.connect() as connection:
        connection.execute("set TimeZone = 'UTC'")
        found = connection.execute(
            _CHARGES, {"files": [str(path) for path in files], "ids": list(ids), "last": last,
                       "rows": ROWS},
        ).to_arrow_table()  # fmt: skip
    rows: list[dict[str, Any]] = found.to_pylist()
    return rows


def measured(estate: Estate, proposal: Proposal, missing: list[str]) -> Step:
    """What was used in the window of its evidence."""
    window = proposal.evidence
    evidence: dict[str, Any] = {
        "from": window.window_start, "to": window.window_end, "samples": window.samples,
        "figures": window.figures, "measured_share": proposal.confidence,
    }  # fmt: skip
    published = _published(estate, proposal, missing)
    mart = "fct_workload_measurements"
    frame = published.frame(
        mart, _USE, first=window.window_start.date(), last=window.window_end.date(),
        given={"resource": proposal.resource, "first": window.window_start,
               "last": window.window_end},
    ) if published is not None else None  # fmt: skip
    if frame is not None and len(frame) and frame["rows"][0]:
        evidence |= {
            "mart": mart,
            "mart_rows": int(frame["rows"][0]),
            "clusters": frame["clusters"][0],
            "sources": [one.name for one in estate.settings.telemetry],
        }
    days = (window.window_end - window.window_start).days
    return Step(
        "measurements", window.window_end,
        f"{window.samples} samples over {days} days, {proposal.confidence:.0%} of the window",
        evidence,
    )  # fmt: skip


def forecasted(estate: Estate, proposal: Proposal, missing: list[str]) -> Step:
    """What it is expected to do, and where its team's cost was headed on that day."""
    name = f"team|{proposal.saving_per_month.currency}|{proposal.owner}"
    day = estate.decided(proposal.as_of)
    frame = day.frame("forecasts") if day is not None else None
    evidence: dict[str, Any] = {
        "saving_per_month": proposal.saving_per_month.model_dump(mode="json"),
        "carbon_kg_per_month": proposal.carbon_kg_per_month.model_dump(mode="json"),
        "risk_in_14_days": proposal.risk,
    }
    if frame is None:
        missing.append(f"forecasts of {proposal.as_of} are not kept any more")
    else:
        ahead = frame[(frame["unique_id"] == name) & (frame["step"] <= COST_DAYS)]
        if len(ahead):
            evidence["team_cost_ahead"] = {
                "series": name, "days": len(ahead), "mean": round(float(ahead["mean"].sum()), 2),
                "currency": proposal.saving_per_month.currency,
            }  # fmt: skip
    return Step(
        "forecast", proposal.as_of,
        f"{effect([proposal])}; demand exceeds the new value within 14 days "
        f"with probability {proposal.risk:.1%}",
        evidence,
    )  # fmt: skip


def _published(estate: Estate, proposal: Proposal, missing: list[str]) -> PublishedReader | None:
    """What it was decided on; where that is pruned, what is in force."""
    try:
        return estate.publications.reader(estate.publications.by_id(proposal.publication_id))
    except KeyError:
        missing.append(
            f"publication {proposal.publication_id} is not kept any more; costs and use are told "
            "from the one in force"
        )
    current = estate.publications.current()
    return estate.publications.reader(current) if current is not None else None
