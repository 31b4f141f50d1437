"""A scope's usage and another finding, as tests of commitments are given them."""

from __future__ import annotations

from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import numpy as np
import pandas as pd

from finops_dagster.domain.decisions import Evidence, Finding, FindingKind
from finops_dagster.domain.money import MoneyRange, Range
from finops_dagster.domain.periods import day_start

TODAY = date(2026, 3, 29)
DAYS = 91
PLACE = {
    "provider_name": "AWS",
    "billing_account_id": "11/22",
    "service_category": "Compute",
    "service_name": "EC2",
    "region_id": "eu-west-1",
    "instance_family": "m5",
    "billing_currency": "USD",
}


def rows(
    per_hour: np.ndarray | float, freq: str = "h", paid: float = 1.0, **more: Any
) -> pd.DataFrame:
    """Usage up to the end of TODAY; `paid`: effective cost over cost on demand."""
    step = 24 if freq == "D" else 1
    if isinstance(per_hour, int | float):
        per_hour = np.full(DAYS * 24 // step, float(per_hour))
    end = pd.Timestamp(TODAY + timedelta(days=1), tz="UTC")
    times = pd.date_range(end=end, periods=len(per_hour) + 1, freq=freq)[:-1]
    given = {
        "used_at": times,
        "is_hourly": freq == "h",
        "kind": "on_demand",
        "commitment_discount_id": None,
        "on_demand_cost": per_hour * step,
        "effective_cost": per_hour * step * paid,
        **PLACE,
    }
    return pd.DataFrame(given | more)


def other(saving: str, resource: str = "Deployment/shop/web") -> Finding:
    """A finding of another kind that saves so much a month."""
    amount = Decimal(saving)
    return Finding(
        kind=FindingKind.IDLE_WORKLOAD,
        resource=resource,
        field="",
        current="",
        proposed="",
        owner="",
        environment="",
        saving_per_month=MoneyRange(low=amount, mid=amount, high=amount, currency="USD"),
        carbon_kg_per_month=Range(low=0, mid=0, high=0),
        risk=0,
        confidence=1,
        evidence=Evidence(
            window_start=day_start(TODAY), window_end=day_start(TODAY), samples=1, figures={}
        ),
        reason="",
        engine="",
        as_of=TODAY,
    )
