"""The bill: exact money, control totals that hold, commitments that add up, and no surprises."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import duckdb
import pytest

from finops_dagster.demo.focus import COLUMNS


def _sidecars(estate: Path) -> list[tuple[Path, dict[str, object]]]:
    return [
        (path.parent, json.loads(path.read_text()))
        for path in sorted(estate.glob("exports/*/*/*/_delivery.json"))
    ]


@pytest.fixture(scope="module")
def bill(estate: Path) -> duckdb.DuckDBPyConnection:
    """Table `bill`: the newest delivery of each provider and month."""
    newest: dict[Path, tuple[str, Path]] = {}
    for folder, sidecar in _sidecars(estate):
        known = str(sidecar["known_at"])
        if folder.parent not in newest or newest[folder.parent][0] < known:
            newest[folder.parent] = (known, folder)
    files = [str(folder / "part-0.parquet") for _, folder in newest.values()]
    connection = duckdb.connect()
    connection.execute("set timezone = 'UTC'")
    connection.execute(
        "create table bill as select * from read_parquet(?, hive_partitioning = false)", [files]
    )
    return connection


def _rows(connection: duckdb.DuckDBPyConnection, sql: str) -> list[tuple[object, ...]]:
    return connection.execute(sql).fetchall()


def test_it_has_every_focus_column(bill: duckdb.DuckDBPyConnection) -> None:
    """A reader of FOCUS 1.2 would stumble over a column that is not there."""
    names = [str(row[0]) for row in _rows(bill, "describe bill")]
    assert tuple(names) == COLUMNS
    assert len(COLUMNS) == 57


def test_control_totals_are_the_sum_of_their_window(estate: Path) -> None:
    """A total that its own rows do not meet would stop every delivery at the gate."""
    sidecars = _sidecars(estate)
    assert len(sidecars) > 60
    for folder, sidecar in sidecars:
        totals = sidecar["control_totals"]
        assert isinstance(totals, list) and len(totals) == 1
        total = totals[0]
        found = duckdb.execute(
            "select sum(BilledCost), count(*), count(*) filter (cast(ChargePeriodStart as date)"
            " >= ? and cast(ChargePeriodStart as date) < ?) from read_parquet(?)",
            [total["start"], total["end"], str(folder / "part-0.parquet")],
        ).fetchone()
        assert found is not None
        assert found[0] == Decimal(total["billed_cost"])
        assert found[1] == found[2], "rows outside the window"
        files = sidecar["files"]
        assert isinstance(files, list)
        assert found[1] == files[0]["rows"]


def test_a_snapshot_holds_nothing_of_later_days(estate: Path) -> None:
    """A past day decided again would know the future."""
    snapshots = 0
    for folder, sidecar in _sidecars(estate):
        known = datetime.fromisoformat(str(sidecar["known_at"]))
        latest = duckdb.execute(
            "select max(ChargePeriodStart) from read_parquet(?)", [str(folder / "part-0.parquet")]
        ).fetchone()
        assert latest is not None
        assert latest[0].astimezone(UTC) < known
        snapshots += folder.name != "final"
    assert snapshots >= 30


def test_quantity_times_price_is_the_cost(bill: duckdb.DuckDBPyConnection) -> None:
    """Rounding in the bill itself would look like a fault of whoever reads it."""
    wrong = _rows(
        bill,
        "select count(*) from bill where PricingQuantity is not null and ("
        "PricingQuantity * ListUnitPrice != ListCost or"
        " PricingQuantity * ContractedUnitPrice != ContractedCost)",
    )
    assert wrong == [(0,)]


def test_money_is_in_two_currencies(bill: duckdb.DuckDBPyConnection) -> None:
    """A sum over currencies would go unnoticed on a bill that has only one."""
    rows = _rows(bill, "select ProviderName, BillingCurrency from bill group by all order by 1")
    assert rows == [("AWS", "USD"), ("Google Cloud", "USD"), ("Microsoft", "EUR")]


def test_a_commitment_is_used_up_or_unused(bill: duckdb.DuckDBPyConnection) -> None:
    """Amortised cost that does not sum to what was paid would be invented money."""
    rows = _rows(
        bill,
        """
        select BillingPeriodStart,
            sum(BilledCost) filter (ChargeCategory = 'Purchase') as paid,
            sum(EffectiveCost) filter (ChargeCategory = 'Purchase') as booked,
            sum(EffectiveCost) filter (CommitmentDiscountStatus is not null) as amortised,
            sum(BilledCost) filter (CommitmentDiscountStatus is not null) as billed_again,
            count(*) filter (CommitmentDiscountStatus = 'Unused') as unused
        from bill where CommitmentDiscountType = 'Savings Plan' and InvoiceId is not null
        group by 1
        """,
    )
    assert rows
    for _, paid, booked, amortised, billed_again, unused in rows:
        assert paid == amortised
        assert booked == 0
        assert billed_again == 0
        assert unused


def test_it_has_what_real_bills_have(bill: duckdb.DuckDBPyConnection) -> None:
    """An ingestion that chokes on credits, taxes or corrections would be found out too late."""
    found = _rows(
        bill,
        """
        select count(*) filter (ChargeCategory = 'Tax'),
            count(*) filter (ChargeCategory = 'Credit' and BilledCost < 0),
            count(*) filter (ServiceName like '%Support%'),
            count(*) filter (ChargeClass = 'Correction' and BilledCost < 0
                and ChargePeriodStart < BillingPeriodStart),
            count(*) filter (cardinality(Tags) = 0 and ChargeCategory = 'Usage')
        from bill
        """,
    )[0]
    assert all(found), found
