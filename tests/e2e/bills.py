"""A small company that has bills and nothing else: FOCUS files written by hand, run in seconds.

What is asserted of it is in the test modules.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import dagster as dg
import duckdb

from finops_dagster import runner
from finops_dagster.defs.estate import Estate
from finops_dagster.defs.jobs import BILLING_JOB
from finops_dagster.domain.periods import next_month
from finops_dagster.settings import load

COLUMNS = (
    "BilledCost,EffectiveCost,ListCost,ContractedCost,BillingCurrency,BillingAccountId,"
    "SubAccountId,BillingPeriodStart,BillingPeriodEnd,ChargePeriodStart,ChargePeriodEnd,"
    "ChargeCategory,ChargeClass,ServiceName,ProviderName,ResourceId"
)


def row(
    period: str,
    day: str,
    cost: str,
    *,
    currency: str = "USD",
    service: str = "Compute",
    account: str = "sub-1",
    charge_class: str = "",
) -> str:
    """One charge of a day, as a line of CSV."""
    first = date.fromisoformat(period)
    start = date.fromisoformat(day)
    stop = date.fromordinal(start.toordinal() + 1)
    return (
        f"{cost},{cost},{cost},{cost},{currency},acct-1,{account},{first}T00:00:00Z,"
        f"{next_month(first)}T00:00:00Z,{start}T00:00:00Z,{stop}T00:00:00Z,Usage,"
        f"{charge_class},{service},Cloud,i-{service}"
    )


@dataclass(frozen=True)
class Company:
    """An estate with one billing export under a folder."""

    folder: Path
    as_of: str

    def __post_init__(self) -> None:
        (self.folder / "exports").mkdir(parents=True, exist_ok=True)
        self.decide(self.as_of)

    def decide(self, as_of: str, **settings: Any) -> None:
        """Let another day be decided, by other settings."""
        self.config.write_text(
            json.dumps(
                {
                    "estate": "bills",
                    "as_of": as_of,
                    "start": "2025-11-01",
                    "billing": [{"name": "cloud", "path": "exports"}],
                    **settings,
                }
            )
        )

    @property
    def config(self) -> Path:
        return self.folder / "finops.yaml"

    @property
    def estate(self) -> Estate:
        return Estate(load(self.config))

    def deliver(self, period: str, name: str, known_at: str, rows: Sequence[str]) -> Path:
        """Put one delivery of a billing period there; returns its folder."""
        folder = self.folder / "exports" / f"billing_period={period}" / name
        folder.mkdir(parents=True)
        (folder / "part-0.csv").write_text("\n".join([COLUMNS, *rows]) + "\n")
        (folder / "_delivery.json").write_text(json.dumps({"known_at": known_at}))
        return folder

    def run(self, expect: int = 0, jobs: Sequence[str] = (BILLING_JOB,)) -> runner.Outcome:
        """Run the bills' job, or others, as the daily run does."""
        outcome = runner.run(load(self.config), jobs=jobs, say=lambda _: None)
        assert outcome.exit_code == expect, outcome.stopped
        return outcome

    def rows(self, mart: str, sql: str = "select * from mart") -> list[tuple[Any, ...]]:
        """Rows of a published mart."""
        manifest = self.estate.publications.current()
        assert manifest is not None
        paths = [str(path) for path in self.estate.publications.reader(manifest).paths(mart)]
        return self.read(paths, sql)

    def read(self, paths: Sequence[str], sql: str) -> list[tuple[Any, ...]]:
        """Rows of Parquet files, as the relation `mart`."""
        with duckdb.connect() as connection:
            connection.execute("set TimeZone = 'UTC'")
            connection.read_parquet(list(paths), union_by_name=True).create_view("mart")
            return connection.execute(sql).fetchall()

    @contextmanager
    def instance(self) -> Iterator[dg.DagsterInstance]:
        """Dagster's own records of the runs."""
        with dg.DagsterInstance.from_config(str(self.estate.layout.dagster_home)) as instance:
            yield instance
