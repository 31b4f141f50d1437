"""FOCUS bills of any size, made by DuckDB alone, and the least that can be done with them.

The product is not imported here but for its column types: what it is held against must not be it.
"""

from __future__ import annotations

import json
import time
from datetime import date
from pathlib import Path
from typing import Any

import duckdb

from finops_dagster.domain.periods import next_month
from finops_dagster.domain.schemas import FOCUS_COLUMNS, LogicalType

THREADS = 2
MEMORY = "3GB"
FILE_ROWS = 1_000_000
"""Rows of one file of an export: providers split large ones."""
ROWS_PER_RESOURCE = 2_500
"""A resource that is billed by three meters every hour of a month has 2,160 charges."""
METERS_PER_RESOURCE = 3

_COST = "((h % 1000000) / 1000000.0::DECIMAL(18,8))::DECIMAL(30,15)"
_SPEND = "CASE WHEN resource % 10 = 0 THEN {} END"

COLUMNS: dict[str, str] = {
    "AvailabilityZone": "'az-' || (resource % 9)",
    "BilledCost": f"CASE WHEN h % 50 = 0 THEN -{_COST} ELSE {_COST} END",
    "BillingAccountId": "'acct-' || (resource % 5)",
    "BillingAccountName": "'Account ' || (resource % 5)",
    "BillingAccountType": "'Payer'",
    "BillingCurrency": "'USD'",
    "BillingPeriodStart": "TIMESTAMPTZ '{first}'",
    "BillingPeriodEnd": "TIMESTAMPTZ '{after}'",
    "CapacityReservationId": "NULL::VARCHAR",
    "CapacityReservationStatus": "NULL::VARCHAR",
    "ChargeCategory": "CASE WHEN h % 50 = 0 THEN 'Credit' ELSE 'Usage' END",
    "ChargeClass": "CASE WHEN h % 1000 = 0 THEN 'Correction' END",
    "ChargeDescription": "'Charge for meter ' || meter || ' in zone ' || (resource % 9)",
    "ChargeFrequency": "'Usage-Based'",
    "ChargePeriodStart": "TIMESTAMPTZ '{first}' + to_hours(hour)",
    "ChargePeriodEnd": "TIMESTAMPTZ '{first}' + to_hours(hour + 1)",
    "CommitmentDiscountCategory": _SPEND.format("'Spend'"),
    "CommitmentDiscountId": _SPEND.format("'arn:aws:savingsplans::1:plan/' || (resource % 40)"),
    "CommitmentDiscountName": _SPEND.format("'plan ' || (resource % 40)"),
    "CommitmentDiscountQuantity": "NULL::DECIMAL(30,15)",
    "CommitmentDiscountStatus": _SPEND.format("'Used'"),
    "CommitmentDiscountType": _SPEND.format("'Savings Plan'"),
    "CommitmentDiscountUnit": _SPEND.format("'USD'"),
    "ConsumedQuantity": "((h % 977) / 10.0)::DECIMAL(30,15)",
    "ConsumedUnit": "'Hours'",
    "ContractedCost": _COST,
    "ContractedUnitPrice": "((meter + 1) / 1000.0)::DECIMAL(30,15)",
    "EffectiveCost": _COST,
    "InvoiceId": "'INV-' || (resource % 5)",
    "InvoiceIssuerName": "'AWS'",
    "ListCost": f"({_COST} * 2)::DECIMAL(30,15)",
    "ListUnitPrice": "((meter + 1) / 900.0)::DECIMAL(30,15)",
    "PricingCategory": "'Standard'",
    "PricingCurrency": "'USD'",
    "PricingCurrencyContractedUnitPrice": "((meter + 1) / 1000.0)::DECIMAL(30,15)",
    "PricingCurrencyEffectiveCost": _COST,
    "PricingCurrencyListUnitPrice": "((meter + 1) / 900.0)::DECIMAL(30,15)",
    "PricingQuantity": "((h % 977) / 10.0)::DECIMAL(30,15)",
    "PricingUnit": "'Hours'",
    "ProviderName": "'AWS'",
    "PublisherName": "'AWS'",
    "RegionId": "'us-east-' || (resource % 3)",
    "RegionName": "'US East ' || (resource % 3)",
    "ResourceId": "'arn:aws:ec2:us-east-1:123456789012:instance/i-' || resource",
    "ResourceName": "'instance-' || resource",
    "ResourceType": "'Instance'",
    "ServiceCategory": "'Compute'",
    "ServiceName": "'Service ' || (meter % 20)",
    "ServiceSubcategory": "'Virtual Machines'",
    "SkuId": "'SKU' || meter",
    "SkuMeter": "'Meter ' || (meter % 30)",
    "SkuPriceDetails": "'{{\"CoreCount\": ' || (meter % 64) || '}}'",
    "SkuPriceId": "'SKUP' || meter",
    "SubAccountId": "lpad((resource % 40)::VARCHAR, 12, '0')",
    "SubAccountName": "'Sub ' || (resource % 40)",
    "SubAccountType": "'Linked'",
    "Tags": (
        '\'{{"team": "team-\' || (resource % 15) || \'", "environment": "\' || '
        "['prod', 'dev', 'test'][1 + resource % 3] || '\", \"cost_center\": \"' || "
        "(1000 + resource % 60) || '\"}}'"
    ),
}
"""FOCUS 1.2's 57 columns over the row's number: its resource, meter, hour, and a hash h."""

_GRAIN = (
    "ChargeDate", "ProviderName", "BillingAccountId", "SubAccountId", "SubAccountName",
    "ServiceCategory", "ServiceName", "RegionId", "ResourceId", "ResourceName", "ResourceType",
    "Tags", "ChargeCategory", "ChargeClass", "SkuMeter", "ConsumedUnit",
    "CommitmentDiscountStatus", "BillingCurrency",
)  # fmt: skip
_SUMS = ("BilledCost", "EffectiveCost", "ListCost", "ContractedCost", "ConsumedQuantity")


def connect() -> duckdb.DuckDBPyConnection:
    """DuckDB with as many threads as the product's own, in UTC."""
    connection = duckdb.connect(config={"threads": THREADS, "memory_limit": MEMORY})
    connection.execute("SET TimeZone = 'UTC'")
    return connection


def generate(
    exports: Path, month: date, rows: int, name: str, known_at: str, seed: int = 0
) -> None:
    """One bill of `rows` charges of a month, in order of time, as a delivery with a note."""
    delivery = exports / f"billing_period={month.isoformat()}" / name
    delivery.mkdir(parents=True)
    after = next_month(month)
    hours = (after - month).days * 24
    columns = ", ".join(
        f"{sql.format(first=month, after=after)} AS {name}" for name, sql in COLUMNS.items()
    )
    resources = max(20, rows // ROWS_PER_RESOURCE)
    files = []
    connection = connect()
    for number, start in enumerate(range(0, rows, FILE_ROWS)):
        end = min(rows, start + FILE_ROWS)
        connection.execute(
            f"COPY (SELECT {columns} FROM (SELECT *, "
            f"((resource * 7 + (h % {METERS_PER_RESOURCE})::INTEGER * 11) % 120) AS meter "
            f"FROM (SELECT hash(i + {seed}) AS h, (hash(i * 7 + 1) % {resources})::INTEGER "
            f"AS resource, (i * {hours} // {rows})::INTEGER AS hour "
            f"FROM range({start}, {end}) t(i)))) "
            f"TO '{delivery / f'part-{number}.parquet'}' (FORMAT parquet)"
        )
        files.append({"path": f"part-{number}.parquet", "rows": end - start})
    note = {"known_at": known_at, "files": files}
    (delivery / "_delivery.json").write_text(json.dumps(note), encoding="utf-8")


def floor(folder: Path, *, sort: bool) -> dict[str, Any]:
    """Bare DuckDB: the files as typed, sorted Parquet once, and the daily aggregate by resource.

    Typed as landed (money DECIMAL(38,20), tags a map), sorted by time and resource, compressed
    as landed. The aggregate has every column that the daily costs are grouped by.

    A sort of all columns spills every row: without `sort` only the aggregate is made, of the files
    as they came, to compare with.
    """
    typed = {
        name: f'"{name}"::DECIMAL(38,20)'
        for name in COLUMNS
        if LogicalType.MONEY in {c.type for c in FOCUS_COLUMNS if _same(c.name, name)}
    }
    typed["Tags"] = '"Tags"::JSON::MAP(VARCHAR, VARCHAR)'
    replaced = ", ".join(f'{sql} AS "{name}"' for name, sql in typed.items())
    sums = ", ".join(f"sum({name}) AS {name}" for name in _SUMS)
    connection = connect()
    rows = (
        f"SELECT * REPLACE ({replaced}) FROM read_parquet("
        f"'{folder}/exports/*/*/*.parquet', hive_partitioning=false)"
    )
    moments = [time.perf_counter()]
    if sort:
        written = folder / "floor.parquet"
        connection.execute(
            f"COPY ({rows} ORDER BY ChargePeriodStart, ResourceId) "
            f"TO '{written}' (FORMAT parquet, COMPRESSION zstd)"
        )
        rows = f"SELECT * FROM read_parquet('{written}')"
    moments.append(time.perf_counter())
    connection.execute(
        f"COPY (SELECT {', '.join(_GRAIN)}, {sums}, count(*) AS ChargeCount FROM (SELECT *, "
        f"ChargePeriodStart::DATE AS ChargeDate FROM ({rows})) "
        f"GROUP BY ALL ORDER BY ALL) TO '{folder / 'floor-daily.parquet'}' "
        "(FORMAT parquet, COMPRESSION zstd)"
    )
    moments.append(time.perf_counter())
    return {"write": moments[1] - moments[0], "aggregate": moments[2] - moments[1]}


def days_that_differ(folder: Path, mart: Path) -> list[Any]:
    """Days whose exact sums in `mart` are not those of the floor's aggregate; none if all agree."""
    sums = ", ".join(f"sum({name})" for name in _SUMS)
    ours = ", ".join(f"sum({c.name})" for n in _SUMS for c in FOCUS_COLUMNS if _same(c.name, n))
    floor = f"SELECT ChargeDate, {sums}, sum(ChargeCount) FROM '{folder}/floor-daily.parquet'"
    held = f"SELECT charge_date, {ours}, sum(charge_count) FROM '{mart}'"
    return (
        connect()
        .execute(
            f"({floor} GROUP BY 1 EXCEPT {held} GROUP BY 1) UNION ALL "
            f"({held} GROUP BY 1 EXCEPT {floor} GROUP BY 1)"
        )
        .fetchall()
    )


def _same(column: str, name: str) -> bool:
    return column.replace("_", "") == name.lower()
