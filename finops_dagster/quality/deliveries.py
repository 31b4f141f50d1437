"""Frames made of what landing says became of each delivery.

Arithmetic in Decimal only; what is expected of these frames is in `landing`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal

import pandas as pd

from finops_dagster.domain.deliveries import Landed
from finops_dagster.quality.outcomes import LandingLimits

_DELIVERY_COLUMNS = [
    "delivery_id",
    "source",
    "partition",
    "set_faults",
    "what",
    "rows_unaccounted",
    "over_row_limit",
    "rows_missing_in_files",
]


def deliveries(
    landed: Sequence[Landed],
    rows_in_files: Mapping[str, int],
    limits: LandingLimits,
    has_money: bool,
) -> pd.DataFrame:
    """One row per delivery: faults, rows that nobody accounts for, rows over the limit."""
    rows = []
    for one in landed:
        allowed = Decimal(one.rows_in) * limits.quarantined_row_share
        expected = 0 if one.set_faults else one.rows_landed
        rows.append(
            {
                "delivery_id": one.delivery.delivery_id,
                "source": one.delivery.source,
                "partition": one.delivery.partition.isoformat(),
                "set_faults": len(one.set_faults),
                "what": "; ".join(str(fault) for fault in one.set_faults[:3]),
                "rows_unaccounted": one.rows_in - one.rows_landed - one.rows_quarantined,
                # A bill's limit is on cost, not on rows: see `costs`.
                "over_row_limit": 0 if has_money else max(0, one.rows_quarantined - int(allowed)),
                "rows_missing_in_files": expected - rows_in_files.get(one.delivery.delivery_id, 0),
            }
        )
    # Columns are named for the day without a delivery: nothing is wrong with no rows.
    return pd.DataFrame(rows, columns=_DELIVERY_COLUMNS)


def costs(landed: Sequence[Landed], limits: LandingLimits) -> pd.DataFrame:
    """One row per delivery and currency: cost not accounted for, and set aside over the limit.

    `cost_unaccounted` is exact decimal text, "0" when every digit is accounted for.
    """
    rows = []
    for one in landed:
        for currency in sorted({*one.billed_in, *one.billed_landed, *one.billed_quarantined}):
            came = one.billed_in.get(currency, Decimal(0))
            kept = one.billed_landed.get(currency, Decimal(0))
            aside = one.billed_quarantined.get(currency, Decimal(0))
            missing = came - kept - aside
            unknown = one.quarantined_cost_unknown > 0 and limits.quarantined_cost_share < 1
            over = abs(aside) > abs(came) * limits.quarantined_cost_share
            rows.append(
                {
                    "delivery_id": one.delivery.delivery_id,
                    "source": one.delivery.source,
                    "currency": currency,
                    "read": str(came),
                    "set_aside": str(aside),
                    "cost_unaccounted": "0" if missing == 0 else str(missing),
                    "over_cost_limit": int(over or unknown),
                }
            )
        if not one.billed_in and one.quarantined_cost_unknown > 0:
            rows.append(
                {
                    "delivery_id": one.delivery.delivery_id,
                    "source": one.delivery.source,
                    "currency": "",
                    "read": "unknown",
                    "set_aside": "unknown",
                    "cost_unaccounted": "0",
                    "over_cost_limit": 1,
                }
            )
    columns = [
        "delivery_id",
        "source",
        "currency",
        "read",
        "set_aside",
        "cost_unaccounted",
        "over_cost_limit",
    ]
    return pd.DataFrame(rows, columns=columns)


def control_totals(
    landed: Sequence[Landed], sums: pd.DataFrame, limits: LandingLimits
) -> pd.DataFrame:
    """One row per control total: what the charges add up to, and if that is off by too much.

    sums: delivery_id, billing_account_id, billing_currency, charge_date, billed_cost (Decimal).
    """
    by_account: dict[tuple[str, str, str], list[tuple[object, Decimal]]] = {}
    for row in sums.itertuples(index=False):
        key = (str(row.delivery_id), str(row.billing_account_id), str(row.billing_currency))
        by_account.setdefault(key, []).append((row.charge_date, Decimal(str(row.billed_cost))))
    rows = []
    for one in landed:
        for total in one.delivery.control_totals:
            key = (one.delivery.delivery_id, total.billing_account_id, total.billing_currency)
            charged = sum(
                (cost for day, cost in by_account.get(key, ()) if total.start <= day < total.end),  # type: ignore[operator]
                Decimal(0),
            )
            off = abs(charged - total.billed_cost)
            rows.append(
                {
                    "delivery_id": one.delivery.delivery_id,
                    "billing_account_id": total.billing_account_id,
                    "currency": total.billing_currency,
                    "start": total.start.isoformat(),
                    "end": total.end.isoformat(),
                    "charged": str(charged),
                    "control_total": str(total.billed_cost),
                    "over_tolerance": int(off > abs(total.billed_cost) * limits.invoice_tolerance),
                }
            )
    return pd.DataFrame(rows)
