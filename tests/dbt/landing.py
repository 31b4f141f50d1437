"""A tiny landing zone for the dbt tests: rows of a few words, written as storage writes them.

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
import pyarrow.parquet as pq

from finops_dagster.domain.schemas import LANDING_TABLES, LogicalType

PROJECT = Path(__file__).parents[2] / "dbt_project"

_ARROW = {
    LogicalType.STRING: pa.string(),
    LogicalType.MONEY: pa.decimal128(38, 20),
    LogicalType.FLOAT: pa.float64(),
    LogicalType.INTEGER: pa.int64(),
    LogicalType.BOOLEAN: pa.bool_(),
    LogicalType.TIME: pa.timestamp("us", tz="UTC"),
    LogicalType.DATE: pa.date32(),
    LogicalType.STRING_MAP: pa.map_(pa.string(), pa.string()),
    LogicalType.FLOAT_MAP: pa.map_(pa.string(), pa.float64()),
}

_RECORD = pa.schema(
    {
        "source": pa.string(),
        "delivery_id": pa.string(),
        "partition": pa.date32(),
        "known_at": pa.timestamp("us", tz="UTC"),
        "rows_landed": pa.int64(),
        "table": pa.string(),
    }
)


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
    def landing(self) -> Path:
        return self.root / "landing"

    @property
    def warehouse(self) -> Path:
        return self.root / "warehouse.duckdb"

    def deliver(
        self,
        table: str,
        partition: str,
        delivery_id: str,
        known_at: str,
        rows: Sequence[Mapping[str, Any]],
        *,
        source: str = "src",
        accepted: bool = True,
        rows_landed: int | None = None,
    ) -> None:
        """Write one delivery's rows and, if accepted, its record."""
        schema = LANDING_TABLES[table]
        arrow = pa.schema([pa.field(c.name, _ARROW[c.type], c.nullable) for c in schema.columns])
        blank: dict[str, Any] = dict.fromkeys(schema.names)
        blank |= {"source": source, "delivery_id": delivery_id, "known_at": at(known_at)}
        data = pa.Table.from_pylist([blank | dict(row) for row in rows], schema=arrow)
        folder = self.landing / table / f"partition={partition}"
        folder.mkdir(parents=True, exist_ok=True)
        pq.write_table(data, folder / f"{source}.{delivery_id}.parquet")
        if not accepted:
            return
        record = {
            "source": source,
            "delivery_id": delivery_id,
            "partition": date.fromisoformat(partition),
            "known_at": at(known_at),
            "rows_landed": len(rows) if rows_landed is None else rows_landed,
            "table": table,
        }
        folder = self.landing / "deliveries" / table
        folder.mkdir(parents=True, exist_ok=True)
        pq.write_table(
            pa.Table.from_pylist([record], schema=_RECORD),
            folder / f"{partition}.{source}.{delivery_id}.parquet",
        )

    def dbt(self, verb: str, *arguments: str, **variables: Any) -> Result:
        """Run dbt over this landing zone; `variables` are dbt's vars."""
        target = self.root / "target"
        values = {
            "landing_root": str(self.landing),
            "ledger_root": str(self.root / "ledger"),
            **variables,
        }
        done = subprocess.run(
            [
                str(Path(sys.executable).with_name("dbt")),
                "--no-use-colors",
                verb,
                *("--project-dir", str(PROJECT), "--profiles-dir", str(PROJECT)),
                *("--target-path", str(target), "--log-path", str(self.root / "logs")),
                *("--vars", json.dumps(values)),
                *arguments,
            ],
            env={**os.environ, "FINOPS_WAREHOUSE": str(self.warehouse), "DO_NOT_TRACK": "1"},
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
        with duckdb.connect(str(self.warehouse), read_only=True) as connection:
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
