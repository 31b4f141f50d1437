"""Metrics of the business: as people export them, and what is told of bad ones."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal

import pytest

from finops_dagster.sources import Limits

LENIENT = Limits(quarantined_row_share=Decimal(1))


def test_one_file_of_many_days_is_a_delivery_of_each(tmp_path, write_csv, read_each) -> None:
    """Few systems that count orders write a folder a day."""
    rows = [
        {"time": "2026-10-01", "metric": "orders", "quantity": "12", "product": "Shop"},
        {"time": "2026-10-02T06:00:00Z", "metric": "orders", "quantity": "1.5", "product": ""},
    ]
    write_csv(tmp_path / "sales.csv", rows)
    read = read_each("business_metrics", tmp_path)
    assert [one.landed.delivery.partition for one in read] == [date(2026, 10, 1), date(2026, 10, 2)]
    found = [row for one in read for row in one.rows.to_pylist()]
    assert [(row["time"], row["quantity"], row["product"], row["team"]) for row in found] == [
        (datetime(2026, 10, 1, tzinfo=UTC), 12.0, "Shop", None),
        (datetime(2026, 10, 2, 6, tzinfo=UTC), 1.5, None, None),
    ]


@pytest.mark.parametrize(
    ("changed", "reason"),
    [
        ({"quantity": "-1"}, "out_of_range quantity"),
        ({"quantity": "1e17"}, "out_of_range quantity"),
        ({"quantity": "many"}, "quantity"),
        ({"metric": ""}, "metric"),
        ({"time": "yesterday"}, "time"),
    ],
)
def test_a_bad_row_is_set_aside_by_name(
    tmp_path, write_csv, read_one, changed: dict[str, str], reason: str
) -> None:
    """Minus one order would make each of the others dearer."""
    good = {"time": "2026-10-01", "metric": "orders", "quantity": "12"}
    write_csv(tmp_path / "day=2026-10-01" / "a.csv", [good, {**good, "metric": "users", **changed}])
    read = read_one("business_metrics", tmp_path, LENIENT)
    assert read.rows.num_rows == 1
    (row,) = read.quarantine.to_pylist()
    assert reason in " ".join(row["reasons"])
