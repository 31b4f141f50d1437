"""Daily cost of simulated accounts 28 days ahead, from several days and seeds, beside baselines.

A seed's bill is made as the demo's is; its series are those that the product forecasts: total,
teams and services, each in its currency. A forecast knows the days up to its origin.
"""

from __future__ import annotations

import argparse
import json
import platform
import sys
import tempfile
import time
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any, cast

import duckdb
import numpy as np
import pandas as pd

sys.path.insert(0, str(Path(__file__).parent))  # not there where a test runs this file
import forecast as accuracy

from finops_dagster.defs.insight import facts
from finops_dagster.defs.progress import own_peak_rss_bytes
from finops_dagster.demo import billing, consumption, exports
from finops_dagster.demo import plan as plans
from finops_dagster.demo.seasons import AS_OF
from finops_dagster.engines.forecasting import forecast
from finops_dagster.storage.publication import PublishedReader

HORIZON = 28
SEASON = 7
RUN_RATE_DAYS = 28


class Books:
    """A seed's bill as the product's queries of costs find it, made of its exports alone."""

    def __init__(self, seed: int, days: int) -> None:
        plan, hidden = plans.build(seed), consumption.events(seed)
        first = AS_OF - timedelta(days=days - 1)
        books = billing.build(plan, {}, {}, hidden, first, AS_OF)
        self._connection = duckdb.connect()
        with tempfile.TemporaryDirectory() as folder:
            exports.write_exports(Path(folder), books, first, AS_OF, since=first)
            newest = [
                str(max(month.iterdir(), key=lambda o: (o.name == "final", o.name)) / "*.parquet")
                for month in sorted(Path(folder).glob("exports/*/*"))
            ]
            self._connection.execute(
                f"create table charges as {_AS_MART} from read_parquet(?, union_by_name = true)",
                [newest],
            )

    def frame(
        self, mart: str, query: str, *, given: Mapping[str, Any] | None = None, **_: Any
    ) -> pd.DataFrame:
        """As of `PublishedReader.frame`."""
        found: pd.DataFrame = self._queried(mart, query, given).to_pandas(date_as_object=True)
        return found

    def records(self, mart: str, query: str) -> list[dict[str, Any]]:
        """As of `PublishedReader.records`."""
        found: list[dict[str, Any]] = self._queried(mart, query, None).to_pylist()
        return found

    def _queried(self, mart: str, query: str, given: Mapping[str, Any] | None) -> Any:
        self._connection.execute(f"create or replace view mart as {_MARTS[mart]}")
        return self._connection.execute(query, given).to_arrow_table()


_AS_MART = """
    select
        BillingAccountId as billing_account_id, SubAccountId as sub_account_id,
        ServiceName as service_name, coalesce(Tags['team'], Tags['Team']) as team,
        BillingCurrency as billing_currency, SkuMeter as sku_meter,
        ConsumedUnit as consumed_unit, ConsumedQuantity as consumed_quantity,
        ChargePeriodStart::date as charge_date, ChargeCategory as charge_category,
        EffectiveCost as effective_cost, ContractedCost as contracted_cost,
        ResourceId as resource_id,
        Tags['k8s-workload-kind'] || '/' || Tags['k8s-namespace'] || '/'
        || Tags['k8s-workload-name'] as resource,
        CommitmentDiscountStatus as commitment_discount_status,
        CommitmentDiscountId as commitment_discount_id,
        CommitmentDiscountName as commitment_discount_name,
        ProviderName as provider_name,
        coalesce(Tags['environment'], Tags['Environment']) as environment,
        RegionId as region_id
"""
_MARTS = {
    "fct_costs_daily": "from charges",
    "fct_commitments_daily": """
        select *, effective_cost as used_cost from charges
        where commitment_discount_status = 'Used'
    """,
}


def usage(seed: int, days: int) -> pd.DataFrame:
    """A seed's charges of usage by day, as of `facts.cost_history`."""
    return cost_history(Books(seed, days))


def cost_history(books: Books) -> pd.DataFrame:
    """The charges of usage of `books`, of every day."""
    history = facts.cost_history(cast(PublishedReader, books), AS_OF)
    assert history is not None
    return history


def bill(seed: int, days: int) -> pd.DataFrame:
    """The series of a seed's bill: unique_id, ds, y."""
    return facts.series(usage(seed, days))[["unique_id", "ds", "y"]]


def run_rate(y: np.ndarray) -> dict[str, np.ndarray]:
    """The mean of the last 28 days, every day: what a spreadsheet does."""
    return {"mean": np.full(HORIZON, float(np.mean(y[-RUN_RATE_DAYS:])))}


def ahead(series: pd.DataFrame, origin: pd.Timestamp) -> dict[str, np.ndarray]:
    """What came after `origin`, of each series that all days of are known."""
    days = series[(series["ds"] > origin) & (series["ds"] <= origin + pd.Timedelta(days=HORIZON))]
    return {
        str(name): part["y"].to_numpy()
        for name, part in days.groupby("unique_id")
        if len(part) == HORIZON
    }


def measure(
    series: pd.DataFrame, origins: int, baselines: list[str], threads: int
) -> dict[str, list[dict[str, float]]]:
    """Scores by forecast, a row of each origin; origins are HORIZON days apart."""
    last = series["ds"].max()
    out: dict[str, list[dict[str, float]]] = {}
    for back in range(origins, 0, -1):
        origin = last - pd.Timedelta(days=HORIZON * back)
        known = series[series["ds"] <= origin]
        result = forecast(known, horizon=HORIZON, frequency="daily", threads=threads)
        ours = accuracy.by_series(result.frame)
        test = {name: y for name, y in ahead(series, origin).items() if name in ours}
        train = {
            str(name): part["y"].to_numpy()
            for name, part in known.groupby("unique_id")
            if name in test
        }
        said: dict[str, dict[str, dict[str, np.ndarray]]] = {
            "ours": ours,
            "seasonal_naive": {
                name: accuracy.seasonal_naive(y, SEASON, HORIZON) for name, y in train.items()
            },
            "run_rate": {name: run_rate(y) for name, y in train.items()},
        }
        for name in baselines:
            said[name] = accuracy.library(name, train, "daily", HORIZON, threads)
        for name, answers in said.items():
            out.setdefault(name, []).append(accuracy.score(train, test, answers, SEASON))
    return out


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, nargs="+", default=[11, 12, 13, 14, 15])
    parser.add_argument("--days", type=int, default=400)
    parser.add_argument("--origins", type=int, default=4)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument(
        "--baselines", nargs="*", choices=accuracy.LIBRARIES, default=accuracy.LIBRARIES
    )
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    began = time.perf_counter()
    by_seed: dict[int, dict[str, dict[str, float]]] = {}
    for seed in arguments.seeds:
        print(f"forecast  seed {seed}", file=sys.stderr)
        scores = measure(
            bill(seed, arguments.days), arguments.origins, arguments.baselines, arguments.threads
        )
        by_seed[seed] = {name: _mean(rows) for name, rows in scores.items()}
    names = list(next(iter(by_seed.values())))
    means = {name: _mean([one[name] for one in by_seed.values()]) for name in names}
    ours: dict[str, Any] = means.pop("ours")
    coverage = [one["ours"]["coverage_95"] for one in by_seed.values()]
    best = min(one["mase"] for one in means.values())
    answer = {
        "benchmark": "cost_forecast",
        "machine": platform.platform(),
        "inputs": {
            "seeds": arguments.seeds,
            "days": arguments.days,
            "origins": arguments.origins,
            "horizon": HORIZON,
        },
        "seconds": round(time.perf_counter() - began, 2),
        "peak_rss_bytes": own_peak_rss_bytes(),
        "ours": {
            **ours,
            "coverage_95_least": min(coverage),
            "coverage_95_most": max(coverage),
            "by_seed": {seed: one["ours"] for seed, one in by_seed.items()},
        },
        "baselines": means,
        "ratio_to_floor": round(ours["mase"] / best, 4),
    }
    if arguments.json:
        print(json.dumps(answer))
        return
    print(pd.DataFrame({"ours": ours, **means}).round(4).to_string())
    print(pd.DataFrame({s: one["ours"] for s, one in by_seed.items()}).round(4).to_string())


def _mean(rows: list[dict[str, float]]) -> dict[str, float]:
    return {str(k): round(float(v), 4) for k, v in pd.DataFrame(rows).mean().items()}


if __name__ == "__main__":
    main()
