"""What newer deliveries changed of closed bills, added up for reading, each currency by itself.

Layout is the business of `page`; no figure here decides anything.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

import pandas as pd

from finops_dagster.domain.money import Money, total
from finops_dagster.report.data import ReportData


@dataclass(frozen=True)
class Change:
    """What changed for one service and account; `correction`: by charges of class Correction."""

    service: str
    account: str
    correction: bool
    billed: Money
    effective: Money


@dataclass(frozen=True)
class Restatement:
    """One delivery that changed a closed bill in one currency, with its largest changes first."""

    source: str
    period: date
    known_at: datetime
    before_known_at: datetime
    billed: Money
    effective: Money
    changes: tuple[Change, ...]


def restatements(data: ReportData) -> list[Restatement]:
    """By delivery and currency, the newest first."""
    found: dict[tuple[Any, ...], list[dict[str, Any]]] = defaultdict(list)
    for row in data.restated.to_dict("records"):
        place = ("known_at", "source", "billing_period", "billing_currency")
        found[tuple(row[name] for name in place)].append({str(k): v for k, v in row.items()})
    return [_restatement(found[place]) for place in sorted(found, reverse=True)]


def _restatement(rows: list[dict[str, Any]]) -> Restatement:
    first = rows[0]
    changes = sorted(
        map(_change, rows),
        key=lambda one: (-abs(one.billed.amount), -abs(one.effective.amount), one.service),
    )
    return Restatement(
        source=first["source"],
        period=pd.Timestamp(first["billing_period"]).date(),
        known_at=pd.Timestamp(first["known_at"]).to_pydatetime(),
        before_known_at=pd.Timestamp(first["before_known_at"]).to_pydatetime(),
        billed=total(one.billed for one in changes),
        effective=total(one.effective for one in changes),
        changes=tuple(changes),
    )


def _change(row: dict[str, Any]) -> Change:
    names = [row["sub_account_id"], row["billing_account_id"], "(no account)"]
    currency = row["billing_currency"]
    return Change(
        service="(no service)" if pd.isna(row["service_name"]) else str(row["service_name"]),
        account=str(next(one for one in names if not pd.isna(one))),
        correction=row["charge_class"] == "Correction",
        billed=Money(amount=row["billed_difference"], currency=currency),
        effective=Money(amount=row["effective_difference"], currency=currency),
    )
