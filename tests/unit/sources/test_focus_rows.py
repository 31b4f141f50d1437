"""FOCUS rows: what is mended, what is set aside, what is kept as it is."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from finops_dagster.domain.schemas import CHARGES
from finops_dagster.sources import QUARANTINE_SCHEMA, Limits, arrow_schema

LENIENT = Limits(quarantined_cost_share=Decimal(1))


def test_rows_come_in_exactly_the_declared_schema(tmp_path, write_csv, charge, read_one) -> None:
    """What storage and dbt rely on is the declared schema, not whatever a file happens to have."""
    read = read_one("focus", write_csv(tmp_path / "b.csv", [charge()]))
    assert read.rows.schema.equals(arrow_schema(CHARGES))
    assert read.quarantine.schema.equals(QUARANTINE_SCHEMA)
    (row,) = read.rows.to_pylist()
    assert row["source"] == "src"
    assert row["file"] == "b.csv"
    assert row["row_number"] == 1
    assert row["billed_cost"] == Decimal("1.25")
    assert row["billing_account_id"] == "000123"
    assert row["charge_period_start"] == datetime(2025, 1, 1, tzinfo=UTC)
    assert row["tags"] == [("team", "web")]


@pytest.mark.parametrize(
    ("changed", "reason"),
    [
        ({"BilledCost": "lots"}, ("money_unreadable", "BilledCost")),
        ({"BilledCost": "0.123456789012345678901"}, ("money_unreadable", "BilledCost")),
        ({"BilledCost": "1" + "0" * 18}, ("money_unreadable", "BilledCost")),
        ({"ListCost": "1_000"}, ("money_unreadable", "ListCost")),
        ({"BilledCost": ""}, ("value_missing", "BilledCost")),
        ({"BillingAccountId": "NULL"}, ("value_missing", "BillingAccountId")),
        ({"BillingCurrency": ""}, ("value_missing", "BillingCurrency")),
        ({"ChargePeriodStart": "4/1/25"}, ("time_unreadable", "ChargePeriodStart")),
        ({"ChargePeriodStart": "9999-12-31"}, ("time_unreadable", "ChargePeriodStart")),
        ({"ChargePeriodEnd": "2024-12-31T00:00:00Z"}, ("period_reversed", "ChargePeriodEnd")),
        ({"ChargeCategory": "Gift"}, ("word_unknown", "ChargeCategory")),
        ({"ChargeCategory": ""}, ("value_missing", "ChargeCategory")),
        ({"ChargeClass": "Correktion"}, ("word_unknown", "ChargeClass")),
    ],
)  # fmt: skip
def test_faulted_row_is_set_aside_with_its_reason(
    tmp_path, write_csv, charge, read_one, changed: dict[str, str], reason: tuple[str, str]
) -> None:
    """A row that lands wrong is worse than one that is missing and counted."""
    rows = [charge(ListCost="3"), charge(**changed)]
    read = read_one("focus", write_csv(tmp_path / "b.csv", rows), LENIENT)
    assert read.row_codes == [reason]
    assert read.landed.row_faults[0].row == 2
    assert read.rows["row_number"].to_pylist() == [1]
    (aside,) = read.quarantine.to_pylist()
    assert aside["row_number"] == 2
    assert aside["file"] == "b.csv"
    assert aside["reasons"][0].startswith(f"{reason[0]} {reason[1]}: ")
    assert json.loads(aside["raw"])["ResourceId"] == "i-1"


def test_negative_cost_and_quantity_are_no_fault(tmp_path, write_csv, charge, read_one) -> None:
    """Credits, refunds and late records are negative; clipping or dropping them inflates a bill."""
    row = charge(BilledCost="-5", EffectiveCost="-5", ConsumedQuantity="-2")
    read = read_one("focus", write_csv(tmp_path / "b.csv", [row]))
    assert read.rows["billed_cost"].to_pylist() == [Decimal(-5)]
    assert read.rows["consumed_quantity"].to_pylist() == [Decimal(-2)]


def test_equal_rows_are_all_kept(tmp_path, write_csv, charge, read_one) -> None:
    """FOCUS rows have no key and equal rows are legal: merging them loses money."""
    read = read_one("focus", write_csv(tmp_path / "b.csv", [charge()] * 3))
    assert read.rows.num_rows == 3


def test_the_word_null_is_empty_and_reported(tmp_path, write_csv, charge, read_one) -> None:
    """A team or class called NULL would be a group of its own in every report."""
    row = charge(ChargeClass="NULL", ResourceId="null", ListCost="NULL", Tags="NULL")
    read = read_one("focus", write_csv(tmp_path / "b.csv", [row]))
    (landed,) = read.rows.to_pylist()
    assert [landed[c] for c in ("charge_class", "resource_id", "list_cost", "tags")] == [None] * 4
    assert set(read.conformance["null_text"]) == {"ChargeClass", "ResourceId", "ListCost", "Tags"}


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("2025-01-01 00:00:00", "time_without_zone"),
        ("2025-01-01T00:00:00", "time_without_zone"),
        ("2025-01-01", "date_for_time"),
        ("2025-01-01T02:00:00+02:00", None),
        ("2024-12-31T19:00:00-05:00", None),
        ("2025-01-01T00:00Z", None),
        ("2025-01-01 00:00:00 UTC", None),
        ("2025-01-01T00:00:00.000Z", None),
    ],
)
def test_times_in_every_notation_are_one_instant(
    tmp_path, write_csv, charge, read_one, text: str, code: str | None
) -> None:
    """A charge shifted by a zone falls into another day, or another month's bill."""
    read = read_one("focus", write_csv(tmp_path / "b.csv", [charge(ChargePeriodStart=text)]))
    assert read.rows["charge_period_start"].to_pylist() == [datetime(2025, 1, 1, tzinfo=UTC)]
    assert read.conformance.get(code or "none", []) == (["ChargePeriodStart"] if code else [])


def test_words_of_closed_lists_get_the_spelling_of_the_format(
    tmp_path, write_csv, charge, read_one
) -> None:
    """usage and Usage as two categories split every report by category."""
    row = charge(ChargeCategory="usage", ChargeFrequency="USAGE_BASED", ChargeClass="correction")
    read = read_one("focus", write_csv(tmp_path / "b.csv", [row]))
    (landed,) = read.rows.to_pylist()
    assert landed["charge_category"] == "Usage"
    assert landed["charge_frequency"] == "Usage-Based"
    assert landed["charge_class"] == "Correction"
    assert set(read.conformance["enumeration_spelling"]) == {
        "ChargeCategory", "ChargeFrequency", "ChargeClass",
    }  # fmt: skip


def test_a_word_that_only_describes_is_kept_and_reported(
    tmp_path, write_csv, charge, read_one
) -> None:
    """A new service category must not stop a bill whose money is right."""
    read = read_one("focus", write_csv(tmp_path / "b.csv", [charge(ServiceCategory="Quantum")]))
    assert read.rows["service_category"].to_pylist() == ["Quantum"]
    assert read.conformance["word_unlisted"] == ["ServiceCategory"]


def test_names_in_another_spelling_are_recognised(tmp_path, write_csv, charge, read_one) -> None:
    """Exports through warehouses come back in snake case; spreadsheets use display names."""
    row = charge()
    row["billed_cost"] = row.pop("BilledCost")
    row["Billing Account ID"] = row.pop("BillingAccountId")
    row["EFFECTIVECOST"] = row.pop("EffectiveCost")
    row["Provider"] = "AWS"
    read = read_one("focus", write_csv(tmp_path / "b.csv", [row]))
    assert read.rows["billed_cost"].to_pylist() == [Decimal("1.25")]
    assert read.rows["provider_name"].to_pylist() == ["AWS"]
    assert set(read.conformance["column_name"]) == {
        "billed_cost", "Billing Account ID", "EFFECTIVECOST", "Provider",
    }  # fmt: skip


def test_columns_outside_of_focus_are_kept_as_text(tmp_path, write_csv, charge, read_one) -> None:
    """x_ columns hold what a team needs later and what the sender will not export again."""
    row = charge(x_Discount="0.10", Id="0042", x_Empty="")
    read = read_one("focus", write_csv(tmp_path / "b.csv", [row]))
    assert dict(read.rows["x_columns"].to_pylist()[0])["Id"] == "0042"
    assert dict(read.rows["x_columns"].to_pylist()[0])["x_Discount"] == "0.10"
    assert "Id" in read.conformance["column_unknown"]


def test_hostile_headers_are_only_names(tmp_path, charge, read_one) -> None:
    """A header that ends a SQL string must name a column, not run."""
    evil = ["'; DROP TABLE totals; --", '"x', "c0", "file_no", "row_number", "a\nb", "typed_0", ""]
    row = charge()
    header = ",".join('"' + name.replace('"', '""') + '"' for name in [*row, *evil])
    values = ",".join('"' + str(v).replace('"', '""') + '"' for v in row.values())
    path = tmp_path / "b.csv"
    path.write_text(header + "\n" + values + "," + ",".join("v" for _ in evil) + "\n")
    read = read_one("focus", path)
    assert read.set_codes == []
    assert set(dict(read.rows["x_columns"].to_pylist()[0])) == set(evil)


def test_hostile_parquet_columns_cannot_pose_as_row_numbers(tmp_path, charge, read_one) -> None:
    """DuckDB's own virtual columns give way to a file's: rows would be numbered by the sender."""
    row = charge(file_row_number="999", file_index="7", filename="/etc/passwd")
    path = tmp_path / "b.parquet"
    pq.write_table(pa.Table.from_pylist([row, row]), path)
    read = read_one("focus", path)
    assert read.rows["row_number"].to_pylist() == [1, 2]
    assert read.rows["file"].to_pylist() == ["b.parquet"] * 2
    assert dict(read.rows["x_columns"].to_pylist()[0])["file_row_number"] == "999"


@pytest.mark.parametrize("name", ["part-*.csv", "a[1].csv", "it's.csv", "a?b.csv"])
def test_file_names_are_not_patterns(tmp_path, write_csv, charge, read_one, name: str) -> None:
    """A star in a name would read its neighbours too, and count them twice."""
    write_csv(tmp_path / name, [charge()])
    write_csv(tmp_path / "part-1.csv", [charge(ResourceId="i-2")])
    read = read_one("focus", tmp_path)
    assert sorted(read.rows["file"].to_pylist()) == sorted([name, "part-1.csv"])


def _with_repeated_cost(charge, cost: str) -> str:
    row = charge()
    tags = '"' + row["Tags"].replace('"', '""') + '"'
    values = ",".join([*list(row.values())[:-1], tags])
    return ",".join([*row, "BilledCost"]) + "\n" + values + f",{cost}\n"


def test_two_costs_of_one_name_that_differ_are_refused(tmp_path, charge, read_one) -> None:
    """Which of two BilledCost columns is the bill cannot be told: guessing invents money."""
    path = tmp_path / "b.csv"
    path.write_text(_with_repeated_cost(charge, "99"))
    read = read_one("focus", path)
    assert read.rows.num_rows == 0
    (fault,) = read.landed.row_faults
    assert (fault.code, fault.row, fault.column) == ("duplicate_column", 1, "BilledCost")
    assert "'1.25" in fault.expected and "'99'" in fault.expected


def test_repeated_header_keeps_both_columns(tmp_path, charge, read_one) -> None:
    """A second BilledCost of the same amount is no harm, but does not vanish."""
    path = tmp_path / "b.csv"
    path.write_text(_with_repeated_cost(charge, "1.250"))
    read = read_one("focus", path)
    assert read.rows["billed_cost"].to_pylist() == [Decimal("1.25")]
    assert read.conformance["duplicate_column"] == ["BilledCost"]


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_delimiters_line_ends_and_byte_order_marks(
    tmp_path, charge, read_one, delimiter: str, end: str
) -> None:
    """European spreadsheets write semicolons and a mark; that is no fault of the bill."""
    row = charge(Tags="")
    path = tmp_path / "b.csv"
    text = delimiter.join(row) + end + delimiter.join(map(str, row.values())) + end
    path.write_bytes(b"\xef\xbb\xbf" + text.encode())
    assert read_one("focus", path).rows["billed_cost"].to_pylist() == [Decimal("1.25")]


def test_values_with_line_breaks_quotes_and_formulas_stay_text(
    tmp_path, write_csv, charge, read_one
) -> None:
    """Names are whatever users type; a line break in one must not shift the rows after it."""
    odd = ['say "hi"', "two\nlines", "=1+1", "'; DROP TABLE x; --", "\u202ertl", "tab\there"]
    rows = [charge(ResourceName=name) for name in odd]
    read = read_one("focus", write_csv(tmp_path / "b.csv", rows))
    assert read.rows["resource_name"].to_pylist() == odd
    assert read.rows["row_number"].to_pylist() == [1, 2, 3, 4, 5, 6]


def test_parquet_types_of_real_exports(tmp_path, charge, read_one) -> None:
    """Doubles, numeric ids, naive timestamps and maps are how exporters write FOCUS Parquet."""
    table = pa.table(
        {
            **{key: [value] for key, value in charge().items()},
            "BilledCost": pa.array([0.1], pa.float64()),
            "EffectiveCost": pa.array([Decimal("0.30")], pa.decimal128(18, 2)),
            "ListCost": pa.array([float("nan")]),
            "ConsumedQuantity": pa.array([3], pa.int32()),
            "BillingAccountId": pa.array([123456789012], pa.int64()),
            "SubAccountId": pa.array([42.0], pa.float64()),
            "ChargePeriodStart": pa.array([datetime(2025, 1, 1)], pa.timestamp("ns")),  # noqa: DTZ001
            "Tags": pa.array([[("team", "web"), ("env", None)]], pa.map_(pa.string(), pa.string())),
            "SkuPriceDetails": [{"CoreCount": 2}],
        }
    )
    pq.write_table(table, tmp_path / "b.parquet")
    read = read_one("focus", tmp_path)
    (row,) = read.rows.to_pylist()
    assert row["billed_cost"] == Decimal("0.1")
    assert row["effective_cost"] == Decimal("0.30")
    assert row["list_cost"] is None
    assert row["consumed_quantity"] == Decimal(3)
    assert row["billing_account_id"] == "123456789012"
    assert row["sub_account_id"] == "42"
    assert row["tags"] == [("team", "web"), ("env", None)]
    assert json.loads(row["sku_price_details"]) == {"CoreCount": 2}
    assert read.conformance["money_as_float"] == ["BilledCost"]
    assert read.conformance["time_without_zone"] == ["ChargePeriodStart"]
    assert set(read.conformance["number_for_text"]) == {"BillingAccountId", "SubAccountId"}


def test_files_of_one_delivery_may_differ_in_columns(tmp_path, write_csv, charge, read_one) -> None:
    """A column added in mid-month must not shift or drop the rows of the older files."""
    write_csv(tmp_path / "a.csv", [charge()])
    write_csv(tmp_path / "b.csv", [charge(InvoiceId="inv-1", ResourceId="i-2")])
    read = read_one("focus", tmp_path)
    assert read.rows["invoice_id"].to_pylist() == [None, "inv-1"]
    assert read.rows["file"].to_pylist() == ["a.csv", "b.csv"]


def test_faults_are_listed_up_to_a_hundred_and_kept_all(
    tmp_path, write_csv, charge, read_one
) -> None:
    """A broken export of millions of rows must not become a record of millions of faults."""
    rows = [charge(ChargeCategory=f"Odd {n}") for n in range(250)]
    read = read_one("focus", write_csv(tmp_path / "b.csv", rows), LENIENT)
    assert len(read.landed.row_faults) == 100
    assert read.quarantine.num_rows == read.landed.rows_quarantined == 250


def test_quarantine_keeps_cost_and_currency(tmp_path: Path, write_csv, charge, read_one) -> None:
    """Cost set aside has to be findable without parsing the raw text again."""
    rows = [charge(BilledCost="7.5", ChargeCategory="Gift"), charge(BilledCost="x")]
    read = read_one("focus", write_csv(tmp_path / "b.csv", rows), LENIENT)
    assert read.quarantine["billed_cost"].to_pylist() == [Decimal("7.5"), None]
    assert read.quarantine["billing_currency"].to_pylist() == ["USD", "USD"]
    assert read.landed.billed_quarantined == {"USD": Decimal("7.5")}
    assert read.landed.quarantined_cost_unknown == 1
