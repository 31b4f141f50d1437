"""Suites of landed deliveries: rows and money are accounted for, faults stop, totals agree."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from finops_dagster.domain.deliveries import ControlTotal, DeliveredFile, Delivery, Landed
from finops_dagster.domain.errors import Fault
from finops_dagster.domain.schemas import LANDING_TABLES, LogicalType
from finops_dagster.quality import AuditResult, LandingLimits, judge_landing

T0 = datetime(2026, 3, 1, tzinfo=UTC)
T1 = datetime(2026, 3, 2, tzinfo=UTC)
ARROW = {
    LogicalType.STRING: pa.string(),
    LogicalType.MONEY: pa.decimal128(38, 20),
    LogicalType.FLOAT: pa.float64(),
    LogicalType.INTEGER: pa.int64(),
    LogicalType.TIME: pa.timestamp("us", tz="UTC"),
    LogicalType.STRING_MAP: pa.map_(pa.string(), pa.string()),
    LogicalType.FLOAT_MAP: pa.map_(pa.string(), pa.float64()),
}


def charge(number: int, **changes: Any) -> dict[str, Any]:
    return {
        "source": "aws",
        "delivery_id": "d1",
        "known_at": T1,
        "row_number": number,
        "file": "part-0.parquet",
        "billed_cost": Decimal("10"),
        "effective_cost": Decimal("10"),
        "billing_account_id": "111",
        "billing_currency": "USD",
        "billing_period_start": T0,
        "billing_period_end": datetime(2026, 4, 1, tzinfo=UTC),
        "charge_category": "Usage",
        "charge_period_start": T0,
        "charge_period_end": T1,
    } | changes


def landing_file(folder: Path, table: str, rows: list[dict[str, Any]]) -> Path:
    schema = pa.schema([pa.field(c.name, ARROW[c.type]) for c in LANDING_TABLES[table].columns])
    path = folder / f"{table}.parquet"
    pq.write_table(pa.Table.from_pylist(rows, schema=schema), path)
    return path


def landed(rows: int = 2, **changes: Any) -> Landed:
    delivery = Delivery(
        source="aws",
        table="charges",
        delivery_id="d1",
        partition=date(2026, 3, 1),
        known_at=T1,
        files=(DeliveredFile(path=Path("part-0.parquet")),),
        control_totals=changes.pop("control_totals", ()),
    )
    values: dict[str, Any] = {
        "delivery": delivery,
        "rows_in": rows,
        "rows_landed": rows,
        "rows_quarantined": 0,
        "billed_in": {"USD": Decimal(20)},
        "billed_landed": {"USD": Decimal(20)},
        "billed_quarantined": {},
        "quarantined_cost_unknown": 0,
        "set_faults": (),
        "row_faults": (),
        "conformance": (),
    }
    return Landed(**(values | changes))


def failed(audit: AuditResult) -> set[str]:
    return {outcome.name for outcome in audit.failures}


def owed(amount: str) -> tuple[ControlTotal, ...]:
    return (
        ControlTotal(
            billing_account_id="111",
            billing_currency="USD",
            start=date(2026, 3, 1),
            end=date(2026, 4, 1),
            billed_cost=Decimal(amount),
        ),
    )


@pytest.fixture
def good(tmp_path: Path) -> Path:
    return landing_file(tmp_path, "charges", [charge(1), charge(2)])


def test_a_clean_delivery_passes(good: Path) -> None:
    """A gate that stops clean bills is worse than none."""
    audit = judge_landing("charges", [good], [landed(control_totals=owed("20"))])
    assert audit.success, audit.failures
    assert not audit.abstained


@pytest.mark.parametrize(
    ("changes", "name"),
    [
        ({"set_faults": (Fault(code="truncated", expected="whole file", hint="send again"),)},
         "no_set_fault"),
        ({"rows_in": 3}, "every_row_accounted_for"),
        ({"rows_in": 3, "rows_landed": 3}, "landed_rows_are_in_files"),
        ({"billed_in": {"USD": Decimal("20.00000000000000000001")}}, "cost_conserved"),
        ({"rows_in": 3, "rows_quarantined": 1, "quarantined_cost_unknown": 1},
         "cost_set_aside_within_limit"),
        ({"rows_in": 3, "rows_quarantined": 1, "billed_in": {"USD": Decimal(21)},
          "billed_quarantined": {"USD": Decimal(1)}}, "cost_set_aside_within_limit"),
        ({"control_totals": owed("200")}, "agrees_with_control_total"),
    ],
)  # fmt: skip
def test_a_faulty_delivery_fails_by_name(changes: dict[str, Any], name: str, good: Path) -> None:
    """Money that nobody accounts for must not reach a chart."""
    assert f"charges.{name}" in failed(judge_landing("charges", [good], [landed(**changes)]))


def test_limits_are_honoured(good: Path) -> None:
    """A limit that settings raise must be the one applied."""
    one = landed(
        rows_in=3,
        rows_quarantined=1,
        billed_in={"USD": Decimal(21)},
        billed_quarantined={"USD": Decimal(1)},
    )
    limits = LandingLimits(quarantined_cost_share=Decimal("0.05"))
    assert judge_landing("charges", [good], [one], limits).success


def test_a_delivery_that_did_not_land_is_judged_by_its_faults() -> None:
    """A truncated export leaves no rows; the audit must still say so, by name."""
    fault = Fault(code="truncated", file="x.parquet", expected="a footer", hint="Send again.")
    one = landed(rows=0, set_faults=(fault,), billed_in={}, billed_landed={})
    audit = judge_landing("charges", [], [one])
    assert failed(audit) == {"charges.no_set_fault"}
    assert "Send again." in audit.failures[0].examples[0]["what"]


def test_a_row_landed_twice_fails(tmp_path: Path) -> None:
    """One file listed twice would double the bill."""
    path = landing_file(tmp_path, "charges", [charge(1), charge(1)])
    assert "charges.grain_unique" in failed(judge_landing("charges", [path], [landed()]))


def test_missing_currency_where_there_is_cost_fails(tmp_path: Path) -> None:
    """A cost without currency cannot be added to anything."""
    path = landing_file(tmp_path, "charges", [charge(1), charge(2, billing_currency=None)])
    audit = judge_landing("charges", [path], [landed()])
    assert "charges.billing_currency_present_where_cost" in failed(audit)


def test_signals_may_lose_a_hundredth_of_their_rows(tmp_path: Path) -> None:
    """Telemetry with one bad line in a hundred must flow; with two it must not."""
    row = {
        "source": "prometheus", "delivery_id": "d1", "known_at": T1, "time": T0,
        "interval_seconds": 300, "metric": "container_cpu_usage_seconds_total",
        "cluster": "prod", "namespace": "shop", "kind": "Deployment", "name": "web",
        "container": "web",
    }  # fmt: skip
    rows = [row | {"value": 0.1, "container": f"c{n}"} for n in range(99)]
    path = landing_file(tmp_path, "measurements", rows)
    money: dict[str, Any] = {"billed_in": {}, "billed_landed": {}}
    within = landed(99, rows_in=100, rows_quarantined=1, **money)
    assert judge_landing("measurements", [path], [within]).success
    over = landed(99, rows_in=101, rows_quarantined=2, **money)
    assert failed(judge_landing("measurements", [path], [over])) == {
        "measurements.rows_set_aside_within_limit"
    }


def test_a_measurement_below_zero_fails(tmp_path: Path) -> None:
    """A negative load would size a workload to nothing."""
    row = {
        "source": "prometheus", "delivery_id": "d1", "known_at": T1, "time": T0,
        "interval_seconds": 300, "metric": "container_cpu_usage_seconds_total",
        "cluster": "prod", "namespace": "shop", "kind": "Deployment", "name": "web",
        "container": "web", "value": -1.0,
    }  # fmt: skip
    path = landing_file(tmp_path, "measurements", [row])
    one = landed(1, billed_in={}, billed_landed={})
    assert failed(judge_landing("measurements", [path], [one])) == {"measurements.value_in_range"}


@pytest.mark.parametrize("table", LANDING_TABLES)
def test_a_table_that_nobody_delivers_to_is_no_fault(table: str) -> None:
    """Harm: a first look at a bill alone is stopped because there is no telemetry."""
    result = judge_landing(table, [], [])
    assert result.success, result.failures
