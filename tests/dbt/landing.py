"""A tiny landing zone for the dbt tests: rows of a few words, written by the product's own lake.

Building and reading the warehouse over it is here too. What is asserted is in the test modules.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa

from finops_dagster.domain.deliveries import Delivery, Landed
from finops_dagster.domain.schemas import LANDING_TABLES
from finops_dagster.storage.files import Layout, arrow_schema
from finops_dagster.storage.lake import Lake

PROJECT = Path(__file__).parents[2] / "dbt_project"


def at(text: str) -> datetime:
    """An instant, `2026-01-31T23:30`, UTC."""
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


@dataclass(frozen=True)
class Result:
    """The outcome of one dbt invocation: `statuses` by node name, and what it printed."""

    exit_code: int
    output: str
    statuses: dict[str, str]


@dataclass(frozen=True)
class Estate:
    """One landing zone and the warehouse built from it, under one folder."""

    root: Path

    @property
    def layout(self) -> Layout:
        return Layout(self.root)

    def deliver(
        self,
        table: str,
        partition: str,
        delivery_id: str,
        known_at: str,
        rows: Sequence[Mapping[str, Any]],
        *,
        source: str = "src",
        sealed: bool = True,
        rows_landed: int | None = None,
    ) -> None:
        """Write one delivery's rows and, unless the run was killed before it, its record."""
        delivery = Delivery(
            source=source,
            table=table,
            delivery_id=delivery_id,
            partition=date.fromisoformat(partition),
            known_at=at(known_at),
            files=(),
        )
        schema = arrow_schema(LANDING_TABLES[table])
        blank: dict[str, Any] = dict.fromkeys(schema.names)
        blank |= {"source": source, "delivery_id": delivery_id, "known_at": at(known_at)}
        data = pa.Table.from_pylist([blank | dict(row) for row in rows], schema=schema)
        nothing = pa.schema([("reasons", pa.string())]).empty_table()
        lake = Lake(self.layout)
        lake.write(delivery, data.to_reader(), nothing.to_reader())
        if sealed:
            lake.seal(
                Landed(
                    delivery=delivery,
                    rows_in=len(rows),
                    rows_landed=len(rows) if rows_landed is None else rows_landed,
                    rows_quarantined=0,
                    billed_in={},
                    billed_landed={},
                    billed_quarantined={},
                    quarantined_cost_unknown=0,
                    set_faults=(),
                    row_faults=(),
                    conformance=(),
                )
            )

    def dbt(self, verb: str, *arguments: str, **variables: Any) -> Result:
        """Run dbt over this landing zone; `variables` are dbt's vars."""
        target = self.root / "target"
        values = {
            "landing_root": str(self.layout.landing),
            "ledger_root": str(self.layout.ledger),
            **variables,
        }
        done = subprocess.run(
            [
                # all but parsing is done as the product does it: with what was parsed once
                str(Path(sys.executable).with_name("dbt" if verb == "parse" else "finops-dbt")),
                "--no-use-colors",
                verb,
                *("--project-dir", str(PROJECT), "--profiles-dir", str(PROJECT)),
                *("--target-path", str(target), "--log-path", str(self.root / "logs")),
                *("--vars", json.dumps(values)),
                *arguments,
            ],
            env={**os.environ, "FINOPS_WAREHOUSE": str(self.layout.warehouse), "DO_NOT_TRACK": "1"},
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )
        results = target / "run_results.json"
        statuses = {}
        if results.exists():
            for result in json.loads(results.read_text(encoding="utf-8"))["results"]:
                statuses[result["unique_id"].split(".")[2]] = result["status"]
            results.unlink()
        return Result(done.returncode, done.stdout + done.stderr, statuses)

    def query(self, sql: str) -> list[tuple[Any, ...]]:
        """Rows of the warehouse, read in UTC."""
        with duckdb.connect(str(self.layout.warehouse), read_only=True) as connection:
            connection.execute("set TimeZone = 'UTC'")
            return connection.execute(sql).fetchall()


def charge(
    number: int, day: str, billed: str, *, effective: str | None = None, **columns: Any
) -> dict[str, Any]:
    """A charge of one day, with the columns that every charge has; money as text."""
    start = at(day + "T00:00")
    month = start.replace(day=1)
    following = month.replace(year=month.year + month.month // 12, month=month.month % 12 + 1)
    return {
        "row_number": number,
        "file": "part-0.parquet",
        "billing_account_id": "account-1",
        "billing_currency": "USD",
        "provider_name": "AWS",
        "service_name": "Compute",
        "billing_period_start": month,
        "billing_period_end": following,
        "charge_category": "Usage",
        "charge_period_start": start,
        "charge_period_end": start,
        "billed_cost": Decimal(billed),
        "effective_cost": Decimal(billed if effective is None else effective),
        **columns,
    }


def measurement(time: str, metric: str, value: float, **columns: Any) -> dict[str, Any]:
    """A five-minute measurement of the container `server` of Deployment/shop/cart."""
    return {
        "time": at(time),
        "interval_seconds": 300,
        "metric": metric,
        "cluster": "prod",
        "namespace": "shop",
        "kind": "Deployment",
        "name": "cart",
        "container": "server",
        "value": value,
        **columns,
    }
