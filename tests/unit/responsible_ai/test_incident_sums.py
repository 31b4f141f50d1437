"""Incidents have parts and effects that sum to their money, or it is said that they do not."""

from __future__ import annotations

from decimal import Decimal

import numpy as np
import pandas as pd
import pytest

from finops_dagster.domain.incidents import Effects
from finops_dagster.engines.anomalies import detect
from finops_dagster.responsible_ai.explanations.incidents import unexplained
from tests.builders import incident

NONE = pd.DataFrame(columns=["account", "service", "team", "ds", "cost", "expected", "impact"])


def history(seed: int) -> pd.DataFrame:
    """Daily cost and quantity of three services, each with a rise of its own."""
    rng = np.random.default_rng(seed)
    days = pd.date_range("2026-06-01", periods=120)
    parts = []
    for n, service in enumerate(("compute", "storage", "database")):
        quantity = rng.lognormal(5, 0.05, len(days)) * (1 + n)
        price = np.full(len(days), 0.5 + n)
        quantity[90 + 5 * n : 96 + 5 * n] *= rng.uniform(2, 4)
        price[110:] *= 1.3 if n == 2 else 1.0
        parts.append(
            pd.DataFrame(
                {
                    "account": "a", "service": service, "team": f"t{n}", "currency": "USD",
                    "meter": service, "unit": "h", "ds": days, "cost": quantity * price,
                    "quantity": quantity,
                }
            )
        )  # fmt: skip
    return pd.concat(parts, ignore_index=True)


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_what_the_detector_tells_adds_up(seed: int) -> None:
    """Reasons that sum to another amount are reasons of something else."""
    rows = history(seed)
    found = detect(rows, rows["ds"].max().date())
    assert len(found.incidents) >= 2 and len(found.anomalies) >= 2
    assert unexplained(found.incidents, found.anomalies) == []


def test_what_does_not_add_up_is_named() -> None:
    """A cent too many is a sign that something else was summed."""
    right = incident("Database", "1240.50", "USD", "search", pd.Timestamp("2026-10-19").date())
    assert unexplained([right], NONE) == []
    cent = Decimal("0.01")
    effects = Effects(price=Decimal(1), quantity=right.money.amount - 1 + cent, mix=Decimal(0))
    wrong = right.model_copy(update={"effects": effects})
    (said,) = unexplained([wrong], NONE)
    assert said.reason == "its price, quantity and mix sum to 1240.51, not to its money of 1240.50"
    money = right.money.model_copy(update={"amount": Decimal(9)})
    assert (
        "parts sum to 1240.50"
        in unexplained([right.model_copy(update={"money": money})], NONE)[0].reason
    )
    row = {"account": "a", "service": "s", "team": "t", "ds": pd.Timestamp("2026-10-19"),
           "cost": 30.0, "expected": 10.0, "impact": 20.1}  # fmt: skip
    (said,) = unexplained([], pd.DataFrame([row]))
    assert said.subject == "a/s/t on 2026-10-19" and "20.1" in said.reason
    assert unexplained([], pd.DataFrame([row | {"impact": 20.0}])) == []
