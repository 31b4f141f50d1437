"""A lake that was filled before a table had all of its columns still builds."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from tests.dbt.landing import Estate, at, charge

JANUARY, FEBRUARY = "2026-01-01", "2026-02-01"
STAGING = ("--select", "+stg_focus__charges")


def _without(estate: Estate, partition: str, columns: set[str], table: str = "charges") -> None:
    """Take columns out of what landed, as an older release would have left it."""
    (path,) = (estate.layout.landing / table / f"partition={partition}").glob("*.parquet")
    rows = pq.ParquetFile(path).read()
    kept = [name for name in rows.column_names if name not in columns]
    pq.write_table(rows.select(kept), path)


@pytest.mark.parametrize("last", [JANUARY, FEBRUARY], ids=["old months only", "old and new"])
def test_months_landed_without_the_newest_columns(tmp_path: Path, last: str) -> None:
    """Nobody should have to land years of bills again because FOCUS has a new version."""
    estate = Estate(tmp_path)
    new: dict[str, Any] = {
        "contract_applied": "{}",
        "allocated_tags": [("team", "red")],
        "pricing_currency_effective_cost": Decimal("0.5"),
    }
    estate.deliver("charges", JANUARY, "old", "2026-02-02T03:00", [charge(1, JANUARY, "1.10")])
    estate.deliver(
        "charges", FEBRUARY, "new", "2026-03-02T03:00", [charge(1, FEBRUARY, "2", **new)]
    )
    _without(estate, JANUARY, {*new, "service_provider_name", "invoice_detail_id"})
    result = estate.dbt(
        "run",
        *STAGING,
        first_period=JANUARY,
        last_period=last,
        cutoff="2026-03-03T06:00:00+00:00",
    )
    assert result.exit_code == 0, result.output
    rows = estate.query(
        "select billed_cost, contract_applied, allocated_tags,"
        " pricing_currency_effective_cost from stg_focus__charges order by billing_period"
    )
    old = (Decimal("1.10"), None, None, None)
    assert (
        rows == [old, (Decimal(2), "{}", {"team": "red"}, Decimal("0.5"))][: 1 + (last != JANUARY)]
    )


def test_days_landed_before_logs_had_categories_and_tokens(tmp_path: Path) -> None:
    """A year of prediction logs must not be unreadable because logs can say more now."""
    estate = Estate(tmp_path)
    new: dict[str, Any] = {"categories": [("city", "h-1")], "input_tokens": 3, "output_tokens": 4}
    for day, delivery in ((JANUARY, "old"), ("2026-01-02", "new")):
        answer = {
            "time": datetime.fromisoformat(f"{day}T12:00:00+00:00"),
            "model": "m", "model_version": "1", "prediction_id": delivery,
            "features": [("age", 1.0)], "groups": [], "prediction": 1.0, **new,
        }  # fmt: skip
        estate.deliver("predictions", day, delivery, "2026-01-03T00:00", [answer])
    _without(estate, JANUARY, set(new), table="predictions")
    result = estate.dbt(
        "run",
        *("--select", "+fct_model_metrics_daily"),
        first_day=JANUARY,
        last_day="2026-01-02",
        cutoff="2026-01-04T06:00:00+00:00",
    )
    assert result.exit_code == 0, result.output
    rows = estate.query(
        "select categories, input_tokens, output_tokens from fct_model_predictions order by day"
    )
    assert rows == [(None, None, None), ({"city": "h-1"}, 3, 4)]
    assert estate.query(
        "select input_tokens, output_tokens from fct_model_metrics_daily order by day"
    ) == [(None, None), (3, 4)]


def test_days_landed_without_maxima_and_quantiles(tmp_path: Path) -> None:
    """Weeks of measurements are evidence; a new column must not make them unreadable."""
    estate = Estate(tmp_path)
    day = "2026-01-05"
    row = {
        "time": at(f"{day}T00:00"),
        "interval_seconds": 300,
        "metric": "container_cpu_usage_seconds_total",
        "cluster": "c",
        "namespace": "shop",
        "kind": "Deployment",
        "name": "cart",
        "container": "web",
        "value": 0.5,
    }
    estate.deliver("measurements", day, "old", "2026-01-06T03:00", [row])
    _without(estate, day, {"value_max", "value_p50", "value_p95", "series"}, table="measurements")
    result = estate.dbt(
        "run",
        "--select",
        "+fct_workload_measurements",
        first_day=day,
        last_day=day,
        cutoff="2026-01-07T06:00:00+00:00",
    )
    assert result.exit_code == 0, result.output
    rows = estate.query(
        "select cpu_cores, cpu_cores_replica_max, replicas_measured from fct_workload_measurements"
    )
    assert rows == [(0.5, None, None)]
