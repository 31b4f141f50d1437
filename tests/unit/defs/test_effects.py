"""What came after merged changes: the right days, the right resource, and no guess."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any

import duckdb
import pandas as pd
import pytest

from finops_dagster.defs.gitops.effects import effects
from finops_dagster.domain.pull_requests import PullRequest
from tests.unit.gitops.test_breaker import pull

MERGED = date(2026, 4, 20)
AS_OF = date(2026, 4, 28)
WEB = "Deployment/shop/web"


class Marts:
    """Published frames, asked with the very queries that the product asks."""

    def __init__(self, **frames: pd.DataFrame) -> None:
        self.frames = frames

    def frame(
        self, mart: str, query: str = "", *, first: date | None = None,
        last: date | None = None, given: Mapping[str, Any] | None = None,
    ) -> pd.DataFrame | None:  # fmt: skip
        if mart not in self.frames:
            return None
        with duckdb.connect() as connection:
            connection.register("mart", self.frames[mart])
            found = connection.execute(query, given).to_arrow_table()
        result: pd.DataFrame = found.to_pandas(date_as_object=True)
        return result


def merged() -> PullRequest:
    at = datetime.fromisoformat(f"{MERGED}T09:30:00+00:00")
    return pull(1).model_copy(update={"ended_at": at})


def costs(before: float, after: float, **changes: object) -> pd.DataFrame:
    """A row for each day, with a sum on the day of the merge that counts on neither side."""
    return pd.DataFrame(
        [
            {
                "resource": WEB, "resource_id": "x", "billing_currency": "USD",
                "charge_date": MERGED + timedelta(days=day),
                "effective_cost": Decimal(
                    str(999 if day == 0 else before if day < 0 else after)
                ),
                **changes,
            }
            for day in range(-9, 9)
        ]
    )  # fmt: skip


def kills(per_hour: Mapping[int, float | None]) -> pd.DataFrame:
    return pd.DataFrame(
        [
            {
                "resource": WEB, "interval_seconds": 3600.0,
                "time": pd.Timestamp(MERGED + timedelta(days=day), tz="UTC"),
                "oom_kills_per_second": None if count is None else count / 3600,
            }
            for day, count in per_hour.items()
        ]
    )  # fmt: skip


def test_cost_before_and_after_the_day_of_the_merge() -> None:
    """Harm: the day of the merge, another currency or another resource makes a rise or hides it."""
    mart = pd.concat([
        costs(10, 12), costs(500, 1, billing_currency="EUR"),
        costs(1, 700, resource="Deployment/shop/api"),
    ])  # fmt: skip
    (found,) = effects(Marts(fct_costs_daily=mart), [merged()], AS_OF, 14)
    assert (found.cost_before_per_day, found.cost_after_per_day) == (10.0, 12.0)
    assert (found.number, found.currency, found.days_after) == (1, "USD", 8.0)
    assert found.oom_kills_after_per_day is None


def test_what_a_bill_calls_by_its_own_id_is_the_declared_resource() -> None:
    """Harm: changes of machines and functions are never held to their cost."""
    mart = costs(4, 6, resource=None, resource_id="arn:web")
    matches = pd.DataFrame({"resource_id": ["arn:web"], "declared_resource": [WEB]})
    (found,) = effects(
        Marts(fct_costs_daily=mart, fct_resource_matches=matches), [merged()], AS_OF, 14
    )
    assert (found.cost_before_per_day, found.cost_after_per_day) == (4.0, 6.0)


@pytest.mark.parametrize(("days_after", "after"), [(2, None), (3, 2.0)])
def test_too_few_days_tell_nothing(days_after: int, after: float | None) -> None:
    """Harm: one bad night stops a kind; an interval that was not measured counts as no kill."""
    counts: dict[int, float | None] = dict.fromkeys(range(-5, 0), 1.0)
    counts |= dict.fromkeys(range(1, days_after + 1), 2.0)
    counts[8] = None
    (found,) = effects(Marts(fct_workload_measurements=kills(counts)), [merged()], AS_OF, 14)
    assert found.oom_kills_before_per_day == pytest.approx(1.0)
    assert found.oom_kills_after_per_day == (pytest.approx(after) if after else None)


def test_what_came_later_or_long_ago_is_not_looked_at() -> None:
    """Harm: a replay of a day knows its future; a merge of last year stops a kind today."""
    mart = Marts(fct_costs_daily=costs(10, 12))
    (found,) = effects(mart, [merged()], MERGED + timedelta(days=2), 14)
    assert (found.cost_after_per_day, found.days_after) == (None, 2.0)
    assert effects(mart, [merged()], MERGED + timedelta(days=15), 14) == ()
    assert effects(mart, [], AS_OF, 14) == ()
