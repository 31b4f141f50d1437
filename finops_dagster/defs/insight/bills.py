"""What the matched costs of a day tell of each resource: whose it is and what it costs a month.

By which rules things are told to be one is said in the models.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from decimal import Decimal, localcontext
from typing import Any

from finops_dagster.defs.insight import billed, running
from finops_dagster.domain.money import MONEY_PRECISION, Money, exact_sum
from finops_dagster.engines.optimisation.prices import DAYS_PER_MONTH
from finops_dagster.storage.publication import PublishedReader

Match = dict[str, Any]
"""A billed resource with its owner and currency, as fct_resource_matches has it."""


@dataclass(frozen=True)
class Bill:
    """What the matched costs of a day tell of a resource, under the name that findings use."""

    owner: str
    environment: str
    cost_per_month: tuple[Money, ...]


def matched(
    joined: PublishedReader, reader: PublishedReader, as_of: date, days: int
) -> list[Match] | None:
    """Billed resources of a day's window, with `resource` set to the name that findings use."""
    if not joined.manifest.of("fct_resource_matches", as_of, as_of):
        return None
    found = joined.records(
        "fct_resource_matches",
        f"""
        select
            coalesce(sub_account_id, billing_account_id) as account,
            resource_id, resource_type, region_id, workload,
            case when confidence >= {running.SURE} then declared_resource end as declared,
            rule, reason, owner, environment, billing_currency, effective_cost,
            first_date, last_date
        from mart
        where resource_id is not null or workload is not null
        order by all
        """,
        first=as_of,
        last=as_of,
    )
    kinds = billed.usage_kinds(reader, as_of, days)
    names = {} if kinds is None else billed.names_of({}, kinds)
    for row in found:
        key = str(row["account"]), str(row["resource_id"])
        by_bill = names.get(key) or billed.billed_name("resource", *key)
        row["resource"] = row["declared"] or row["workload"] or by_bill
    return found


def bills_of(matches: list[Match]) -> dict[str, Bill]:
    """What each billed resource costs a month, whose it is and where.

    Effective cost of the days from its first charge to its last, times 365/12 over those days.
    """
    found: dict[str, list[dict[str, Any]]] = {}
    for row in matches:
        found.setdefault(row["resource"], []).append(row)
    bills = {}
    for name, rows in found.items():
        days = (max(r["last_date"] for r in rows) - min(r["first_date"] for r in rows)).days + 1
        costs: dict[str, list[Decimal]] = {}
        for row in rows:
            costs.setdefault(row["billing_currency"], []).append(row["effective_cost"])
        newest = max(rows, key=lambda row: row["last_date"])
        with localcontext() as context:
            context.prec = MONEY_PRECISION
            bills[name] = Bill(
                owner=newest["owner"] or "",
                environment=newest["environment"] or "",
                cost_per_month=tuple(
                    Money(amount=exact_sum(*costs[one]) / days * DAYS_PER_MONTH, currency=one)
                    for one in sorted(costs)
                ),
            )
    return bills
