"""Small bills for the tests of what is judged by the bill alone; what is in them is known exactly.

No test lives here.
"""

from __future__ import annotations

from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import pandas as pd

AS_OF = date(2026, 3, 31)
"""30 days back are March 2."""
DAYS = 45


def dates(count: int, until: date = AS_OF) -> list[date]:
    """The last `count` days up to and including `until`."""
    return [until - timedelta(days=back) for back in range(count - 1, -1, -1)]


def charges(
    resource: str, kind: str | None, quantity: float | str | None, cost: str,
    count: int = DAYS, until: date = AS_OF, **more: Any,
) -> list[dict[str, Any]]:  # fmt: skip
    """One charge on each of the last `count` days of a resource, such as `address/1/a`."""
    amount = None if quantity is None else Decimal(str(quantity))
    given: dict[str, Any] = {
        "source": "aws",
        "account": "1",
        "provider_name": "AWS",
        "billing_account_id": "payer",
        "service_name": "Service",
        "region_id": "eu-west-1",
        "resource": resource,
        "resource_id": resource.split("/")[-1],
        "resource_name": None,
        "usage_kind": kind,
        "sku_id": "sku",
        "sku_meter": None,
        "consumed_unit": "Hours",
        "charge_category": "Usage",
        "consumed_quantity": amount,
        "effective_cost": Decimal(cost),
        "contracted_cost": None,
        "list_cost": None,
        "commitment_discount_status": None,
        "billing_currency": "USD",
        "team": "shop",
        "environment": "prod",
    }
    return [given | more | {"charge_date": day} for day in dates(count, until)]


def frame(*parts: list[dict[str, Any]]) -> pd.DataFrame:
    """Charges as rows of fct_costs_daily with account and usage_kind."""
    return pd.DataFrame([row for part in parts for row in part])


def days(count: int = DAYS, until: date = AS_OF, source: str = "aws") -> pd.DataFrame:
    """Days that a source has billed."""
    return pd.DataFrame({"source": source, "day": dates(count, until)})


HISTORY = ["resource", "kind", "month", "unit", "first_day", "last_day", "days", "quantity",
           "least", "greatest"]  # fmt: skip


def history(billed: pd.DataFrame) -> pd.DataFrame:
    """What `billed_history` makes of rows: usage by resource, kind and month."""
    rows = []
    usage = billed.loc[billed["usage_kind"].notna() & billed["charge_category"].eq("Usage")]
    usage = usage.assign(
        month=[day.replace(day=1) for day in usage["charge_date"]],
        amount=usage["consumed_quantity"].astype(float),
    )
    ends = usage.groupby("resource")["charge_date"].agg(["min", "max"])
    for (resource, kind, month), group in usage.groupby(["resource", "usage_kind", "month"]):
        whole = group.loc[
            (group["charge_date"] > ends.loc[resource, "min"])
            & (group["charge_date"] < ends.loc[resource, "max"]),
            "amount",
        ]
        rows.append(
            (resource, kind, month, group["consumed_unit"].iloc[0], group["charge_date"].min(),
             group["charge_date"].max(), group["charge_date"].nunique(), group["amount"].sum(),
             whole.min(), whole.max())
        )  # fmt: skip
    return pd.DataFrame(rows, columns=HISTORY)
