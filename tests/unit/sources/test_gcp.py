"""Google Cloud's detailed export: months, credits, labels, and the shapes it comes in."""

from __future__ import annotations

import csv
import gzip
import json
from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from finops_dagster.domain.money import exact_sum
from finops_dagster.sources.nested import fields

Row = dict[str, Any]

USAGE: Row = {
    "billing_account_id": "01AB",
    "service.id": "6F81",
    "service.description": "Compute Engine",
    "sku.id": "S-1",
    "sku.description": "N2 Instance Core running in Belgium",
    "usage_start_time": "2025-09-30 23:00:00 UTC",
    "usage_end_time": "2025-10-01 00:00:00 UTC",
    "project.id": "shop",
    "project.labels": "[]",
    "labels": "[]",
    "location.location": "europe-west1",
    "location.region": "europe-west1",
    "cost": "2",
    "currency": "EUR",
    "usage.amount": "3600",
    "usage.unit": "seconds",
    "usage.amount_in_pricing_units": "1",
    "usage.pricing_unit": "hour",
    "credits": "[]",
    "invoice.month": "202509",
    "cost_type": "regular",
}


def costs(rows: pa.Table, column: str = "billed_cost") -> list[Decimal]:
    return rows[column].to_pylist()


def test_usage_and_invoice_months_are_both_kept(tmp_path: Path, read_each, write_csv) -> None:
    """Usage of a month's last day that is invoiced with the next one is of the next bill."""
    rows = [USAGE, {**USAGE, "invoice.month": "202510", "cost": "3"}]
    first, second = read_each("gcp_detailed", write_csv(tmp_path / "a.csv", rows))
    (late,) = second.rows.to_pylist()
    assert costs(first.rows) == [Decimal(2)]
    assert [late[f"billing_period_{end}"] for end in ("start", "end")] == [
        datetime(2025, 10, 1, tzinfo=UTC), datetime(2025, 11, 1, tzinfo=UTC),
    ]  # fmt: skip
    assert late["charge_period_start"] == datetime(2025, 9, 30, 23, tzinfo=UTC)
    assert second.conformance["crossover_month"] == ["invoice.month"]
    assert "crossover_month" not in first.conformance


CREDITS = {
    "json": '[{"name": "CUD", "amount": -0.30000000000000004, "type": "COMMITTED_USAGE_DISCOUNT"}, '
    '{"name": "x", "amount": -1e-7}]',
    "python": "[{'name': 'CUD', 'amount': -0.30000000000000004, 'full_name': None}, "
    "{'name': 'x', 'amount': -1e-07}]",
    "quoted": '[{"name": "CUD", "amount": "-0.30000000000000004"}, {"amount": "-0.0000001"}]',
    "hostile": """[{'name': "it's, \\"amount\\": 9", 'amount': -0.30000000000000004}, """
    """{"name": "{'amount': 7}", "amount": -1e-7}]""",
}


def test_what_is_owed_is_cost_and_credits(tmp_path: Path, read_one, write_csv) -> None:
    """Credits are negative; each notation of them must add up to the same last digit."""
    rows = [{**USAGE, "credits": text} for text in CREDITS.values()]
    read = read_one("gcp_detailed", write_csv(tmp_path / "a.csv", rows))
    net = Decimal("1.69999989999999996")
    assert read.set_codes == []
    assert costs(read.rows) == costs(read.rows, "effective_cost") == [net] * 4
    assert costs(read.rows, "contracted_cost") == [Decimal(2)] * 4
    assert read.landed.file_billed == {"EUR": net * 4}
    assert dict(read.rows["x_columns"].to_pylist()[0])["credits"] == CREDITS["json"]


def test_credits_that_cannot_be_read_are_set_aside(tmp_path: Path, read_one, write_csv) -> None:
    """A credit that is passed over is money that nobody gets."""
    texts = ["[{'name': 'x'}]", "3 %", '[{"amount": "many"}]', '[{"amount": -1}, {"name": "y"}]']
    rows = [{**USAGE, "credits": text} for text in texts]
    read = read_one("gcp_detailed", write_csv(tmp_path / "a.csv", rows))
    assert read.row_codes == [("credits_unreadable", "credits")] * 4


def test_sums_beyond_money_are_set_aside(tmp_path: Path, read_one, write_csv) -> None:
    """One absurd row must not stop the reader itself."""
    most = "9" * 18
    rows = [
        {**USAGE, "cost": most, "credits": f'[{{"amount": {most}}}]'},
        {**USAGE, "credits": f'[{{"amount": {most}}}, {{"amount": {most}}}]'},
        USAGE,
    ]
    read = read_one("gcp_detailed", write_csv(tmp_path / "a.csv", rows))
    assert read.set_codes and read.landed.rows_in == read.quarantine.num_rows == 3


def test_nested_parquet_is_the_same_bill(tmp_path: Path, read_one, write_csv) -> None:
    """BigQuery writes structs and lists: names and sums must not depend on the shape."""
    credit = [{"name": "CUD", "amount": -0.1, "type": "COMMITTED_USAGE_DISCOUNT"}]
    row = {
        "billing_account_id": "01AB",
        "service": {"id": "6F81", "description": "Compute Engine"},
        "sku": {"id": "S-1", "description": USAGE["sku.description"]},
        "usage_start_time": datetime(2025, 9, 30, 23, tzinfo=UTC),
        "usage_end_time": datetime(2025, 10, 1, tzinfo=UTC),
        "project": {"id": "shop", "name": None, "labels": [{"key": "team", "value": "web"}]},
        "labels": [{"key": "env", "value": "it's"}],
        "location": {"location": "europe-west1", "region": "europe-west1", "zone": None},
        "cost": 0.7,
        "currency": "EUR",
        "usage": {"amount": 3600.0, "unit": "seconds"},
        "credits": credit,
        "invoice": {"month": "202509"},
        "cost_type": "regular",
        "new_field": {"of": {"some": "kind"}},
    }
    pq.write_table(pa.Table.from_pylist([row]), tmp_path / "a.parquet")
    text = {key: json.dumps(value) if isinstance(value, dict | list) else value
            for key, value in row.items()}  # fmt: skip
    nested = read_one("gcp_detailed", tmp_path / "a.parquet").rows.to_pylist()[0]
    as_json = read_one("gcp_detailed", write_csv(tmp_path / "b.csv", [text])).rows.to_pylist()[0]
    for charge in (nested, as_json):
        assert charge["billed_cost"] == Decimal("0.6")
        assert (charge["service_name"], charge["sub_account_id"]) == ("Compute Engine", "shop")
        assert dict(charge["tags"]) == {"env": "it's", "project/team": "web"}
        assert charge["consumed_quantity"] == Decimal(3600)
        assert str(charge["billing_period_start"])[:10] == "2025-09-01"
        assert json.loads(dict(charge["x_columns"])["credits"]) == credit
    assert dict(nested["x_columns"])["new_field.of.some"] == "kind"


def test_lists_of_writers_without_lists_and_labels_as_a_map(tmp_path: Path, read_one) -> None:
    """Credits that hide one level deeper are still credits."""
    row = {
        "billing_account_id": "01AB",
        "usage_start_time": datetime(2025, 9, 1, tzinfo=UTC),
        "cost": Decimal("0.7"),
        "currency": "EUR",
        "credits": {"list": [{"element": {"name": "CUD", "amount": Decimal("-0.1")}}]},
        "labels": '{"team": "web"}',
    }
    pq.write_table(pa.Table.from_pylist([row]), tmp_path / "a.parquet")
    (charge,) = read_one("gcp_detailed", tmp_path / "a.parquet").rows.to_pylist()
    assert (charge["billed_cost"], dict(charge["tags"])) == (Decimal("0.6"), {"team": "web"})


def test_a_bill_without_credits_says_so(tmp_path: Path, read_one, write_csv) -> None:
    """It is gross: nobody should mistake it for what is owed."""
    row = {key: value for key, value in USAGE.items() if key != "credits"}
    read = read_one("gcp_detailed", write_csv(tmp_path / "a.csv", [row]))
    assert costs(read.rows) == [Decimal(2)]
    assert read.conformance["credits_absent"] == ["credits"]


def test_cost_types_are_charge_categories(tmp_path: Path, read_one, write_csv) -> None:
    """Taxes, adjustments, rounding and fees for commitments are no usage."""
    rows = [
        {**USAGE, "cost_type": "tax"},
        {**USAGE, "cost_type": "adjustment"},
        {**USAGE, "cost_type": "rounding_error", "cost": "-0.000001"},
        {**USAGE, "sku.description": "Commitment v1: N2 Cpu in Belgium for 1 Year"},
        {**USAGE, "adjustment_info.type": "USAGE_CORRECTION", "cost": "-2"},
    ]
    read = read_one("gcp_detailed", write_csv(tmp_path / "a.csv", rows))
    assert read.rows["charge_category"].to_pylist() == [
        "Tax", "Adjustment", "Adjustment", "Purchase", "Usage",
    ]  # fmt: skip
    assert read.rows["charge_class"].to_pylist() == [None] * 4 + ["Correction"]
    assert costs(read.rows)[4] == Decimal(-2)


def test_list_cost_is_googles_own_or_missing(tmp_path: Path, read_one, write_csv) -> None:
    """A list cost made up of the net cost would hide every discount."""
    rows = [{**USAGE, "cost_at_list": "2.5"}, {**USAGE, "cost_at_list": ""}]
    read = read_one("gcp_detailed", write_csv(tmp_path / "a.csv", rows))
    assert costs(read.rows, "list_cost") == [Decimal("2.5"), None]
    assert read.conformance["list_cost_missing"] == ["cost_at_list"]


def test_a_month_that_is_none_is_set_aside(tmp_path: Path, read_one, write_csv) -> None:
    """It would land in whatever month the usage was."""
    rows = [{**USAGE, "invoice.month": "2025-13"}]
    read = read_one("gcp_detailed", write_csv(tmp_path / "a.csv", rows))
    assert ("month_unreadable", "invoice.month") in read.row_codes


@pytest.mark.parametrize(
    ("struct", "told"),
    [
        ("STRUCT(a INTEGER)", [("a", "INTEGER")]),
        ('STRUCT("b, ""c" DECIMAL(38,9), d STRUCT(e VARCHAR)[])',
         [('b, "c', "DECIMAL(38,9)"), ("d", "STRUCT(e VARCHAR)[]")]),
    ],
)  # fmt: skip
def test_fields_of_a_struct(struct: str, told: list[tuple[str, str]]) -> None:
    """Names may hold what separates them."""
    assert fields(struct) == told


def test_exports_of_others_keep_their_sums(
    shared: Path, read_each: Callable[..., list[Any]]
) -> None:
    """Two months to the last digit, doubles that were printed included."""
    paths = sorted((shared / "billing" / "provider_exports" / "gcp").glob("*.csv.gz"))
    assert len(paths) == 2
    for path in paths:
        with gzip.open(path, "rt", encoding="utf-8", newline="") as file:
            rows = list(csv.DictReader(file))
        assert {row["credits"] for row in rows} == {"[]"}
        for read in read_each("gcp_detailed", path):
            month = f"{read.landed.delivery.partition:%Y%m}"
            whole = exact_sum(*(Decimal(r["cost"]) for r in rows if r["invoice.month"] == month))
            assert read.set_codes == [] and read.landed.rows_quarantined == 0
            assert read.landed.file_billed == {"USD": whole}
            assert exact_sum(*costs(read.rows)) == whole
