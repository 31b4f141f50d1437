"""Azure's cost details: actual, amortised, and both."""

from __future__ import annotations

import csv
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from finops_dagster.domain.money import exact_sum
from tests.unit.sources.places import azure, text

Row = dict[str, Any]

PLAN = "/providers/Microsoft.Capacity/reservationOrders/O1/reservations/R1"
USAGE: Row = {
    "BillingAccountId": "0861",
    "BillingCurrency": "EUR",
    "BillingPeriodStartDate": "01/01/2025",
    "BillingPeriodEndDate": "01/31/2025",
    "Date": "01/30/2025",
    "SubscriptionId": "AAAA-1",
    "ResourceId": "/subscriptions/AAAA-1/resourceGroups/RG/providers/Microsoft.Compute/"
    "virtualMachines/Web1/extensions/agent",
    "ResourceLocation": "EU West",
    "ConsumedService": "Microsoft.Compute",
    "MeterCategory": "Virtual Machines",
    "MeterId": "m-1",
    "ChargeType": "Usage",
    "PricingModel": "OnDemand",
    "Frequency": "UsageBased",
    "UnitOfMeasure": "100 Hours",
    "Quantity": "0.24",
    "UnitPrice": "10",
    "PayGPrice": "12",
    "CostInBillingCurrency": "2.4",
    "Tags": '"team": "web","env": "prod"',
    "ReservationId": "",
    "benefitId": "",
}
BOUGHT = {
    **USAGE,
    "ChargeType": "Purchase",
    "PricingModel": "Reservation",
    "Frequency": "OneTime",
    "benefitId": PLAN,
    "CostInBillingCurrency": "730",
    "ResourceId": PLAN,
}
COVERED = {**USAGE, "PricingModel": "Reservation", "benefitId": PLAN, "PayGPrice": "0"}
USED = {**COVERED, "CostInBillingCurrency": "1.5"}
UNUSED = {**COVERED, "ChargeType": "UnusedReservation", "CostInBillingCurrency": "0.5"}
ACTUAL = [USAGE, BOUGHT, {**COVERED, "CostInBillingCurrency": "0"}]
AMORTISED = [USAGE, USED, UNUSED]


def total(rows: pa.Table, column: str) -> Decimal:
    return sum((amount or Decimal(0) for amount in rows[column].to_pylist()), Decimal(0))


def named(rows: pa.Table, **wanted: str) -> Row:
    (row,) = [
        row for row in rows.to_pylist() if all(row[key] == value for key, value in wanted.items())
    ]
    return row


@pytest.fixture(params=["azure_ea", "azure_mca"])
def name(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def test_a_row_of_usage_is_a_charge(tmp_path: Path, read_one, write_csv, name: str) -> None:
    """Blocks, dates, ids and words are Azure's own: each one misread is a wrong number."""
    (row,) = read_one(name, write_csv(tmp_path / "a.csv", [USAGE])).rows.to_pylist()
    assert row["billing_account_id"] == "0861"
    assert [str(row[f"{clock}_{end}"])[:10] for clock in ("billing_period", "charge_period")
            for end in ("start", "end")] == ["2025-01-01", "2025-02-01", "2025-01-30",
                                             "2025-01-31"]  # fmt: skip
    assert (row["pricing_quantity"], row["pricing_unit"]) == (Decimal("0.24"), "100 Hours")
    assert (row["consumed_quantity"], row["consumed_unit"]) == (Decimal(24), "Hours")
    assert (row["list_cost"], row["contracted_cost"]) == (Decimal("2.88"), Decimal("2.4"))
    assert (row["region_id"], row["region_name"]) == ("westeurope", "EU West")
    assert row["resource_type"] == "microsoft.compute/virtualmachines/extensions"
    assert row["resource_id"] == USAGE["ResourceId"].lower()
    assert dict(row["x_columns"])["ResourceId"] == USAGE["ResourceId"]
    assert dict(row["tags"]) == {"team": "web", "env": "prod"}
    assert (row["charge_category"], row["pricing_category"]) == ("Usage", "Standard")
    assert (row["service_category"], row["service_name"]) == ("Compute", "Virtual Machines")
    assert (row["sub_account_id"], row["invoice_id"]) == ("aaaa-1", None)


def test_the_actual_export_alone_is_what_was_billed(tmp_path: Path, read_one, write_csv) -> None:
    """A reservation is billed when it is bought; it serves later, so its effective cost is 0."""
    read = read_one("azure_ea", write_csv(tmp_path / "a.csv", ACTUAL))
    assert total(read.rows, "billed_cost") == read.landed.file_billed["EUR"] == Decimal("732.4")
    assert total(read.rows, "effective_cost") == Decimal("2.4")
    bought = named(read.rows, charge_category="Purchase")
    assert (bought["billed_cost"], bought["effective_cost"]) == (Decimal(730), 0)
    assert (bought["commitment_discount_id"], bought["commitment_discount_type"]) == (
        PLAN.lower(), "Reservation",
    )  # fmt: skip
    assert "amortised_missing" in read.conformance


def test_the_amortised_export_alone_keeps_the_sum_of_its_file(
    tmp_path: Path, read_one, write_csv
) -> None:
    """What is not delivered cannot be billed: the spread cost stands for it, and that is said."""
    read = read_one("azure_ea", write_csv(tmp_path / "a.csv", AMORTISED))
    assert total(read.rows, "billed_cost") == read.landed.file_billed["EUR"] == Decimal("4.4")
    assert total(read.rows, "effective_cost") == Decimal("4.4")
    assert "amortised_as_billed" in read.conformance
    unused = named(read.rows, commitment_discount_status="Unused")
    assert (unused["charge_category"], unused["consumed_quantity"]) == ("Usage", None)


@pytest.mark.parametrize(
    "places", [("x/one.csv", "y/two.csv"), ("one.csv", "two.csv")], ids=["folders", "files"]
)
def test_both_exports_count_each_cost_once(
    tmp_path: Path, read_one, write_csv, places: tuple[str, str]
) -> None:
    """Billed is the invoice's, effective the amortised; the usage in both is used once."""
    write_csv(tmp_path / places[0], ACTUAL)
    write_csv(tmp_path / places[1], AMORTISED)
    read = read_one("azure_ea", tmp_path)
    assert read.set_codes == [] and read.rows.num_rows == 6
    assert total(read.rows, "billed_cost") == read.landed.file_billed["EUR"] == Decimal("732.4")
    assert total(read.rows, "effective_cost") == Decimal("4.4")
    assert total(read.rows, "consumed_quantity") == Decimal(48)
    assert total(read.rows, "list_cost") == Decimal("732.88")


def test_runs_of_both_exports_are_one_delivery(tmp_path: Path, read_each) -> None:
    """Cost Management writes each export's month to date on its own: together they are the bill."""
    for day, kind, rows in ((5, "ActualCost", ACTUAL), (6, "AmortizedCost", AMORTISED)):
        run = f"exports/e{day}/20250101-20250131/run"
        (tmp_path / run).mkdir(parents=True)
        (tmp_path / run / "part.csv").write_bytes(text(rows))
        manifest = azure(run, ["part.csv"], f"2025-02-0{day}T06:00:00Z", export=kind, kind=kind)
        (tmp_path / run / "manifest.json").write_bytes(manifest)
    actual, both = read_each("azure_ea", tmp_path)
    assert total(actual.rows, "billed_cost") == Decimal("732.4")
    assert total(both.rows, "billed_cost") == both.landed.file_billed["EUR"] == Decimal("732.4")
    assert total(both.rows, "effective_cost") == Decimal("4.4")


def test_files_without_commitments_are_told_by_name_or_by_their_folder(
    tmp_path: Path, read_one, write_csv
) -> None:
    """A large export comes in parts, and not every part has a commitment in it."""
    write_csv(tmp_path / "run-1" / "part_0.csv", ACTUAL)
    write_csv(tmp_path / "run-1" / "part_1.csv", [{**USAGE, "Quantity": "7"}])
    write_csv(tmp_path / "amortized" / "part_0.csv", [USAGE])
    read = read_one("azure_ea", tmp_path)
    assert read.set_codes == []
    assert total(read.rows, "billed_cost") == Decimal("734.8")
    assert total(read.rows, "effective_cost") == Decimal("2.4")


def test_what_may_be_of_either_export_is_refused_beside_both(
    tmp_path: Path, read_one, write_csv
) -> None:
    """A guess would count it twice or not at all."""
    write_csv(tmp_path / "one.csv", ACTUAL)
    write_csv(tmp_path / "two.csv", AMORTISED)
    write_csv(tmp_path / "three.csv", [{**USAGE, "Quantity": "7"}])
    read = read_one("azure_ea", tmp_path)
    assert "dataset_unknown" in {code for code, _ in read.row_codes}
    assert read.rows.num_rows == 0
    assert "name it so" in read.landed.row_faults[0].expected


def test_months_do_not_tell_of_one_another(tmp_path: Path, read_each, write_csv) -> None:
    """January's actual export beside February's amortised one are two months, not a pair."""
    february = {"BillingPeriodStartDate": "02/01/2025", "BillingPeriodEndDate": "02/28/2025",
                "Date": "02/02/2025"}  # fmt: skip
    write_csv(tmp_path / "one.csv", ACTUAL)
    write_csv(tmp_path / "two.csv", [{**row, **february} for row in AMORTISED])
    first, second = read_each("azure_ea", tmp_path)
    assert total(first.rows, "billed_cost") == Decimal("732.4")
    assert total(first.rows, "effective_cost") == Decimal("2.4")
    assert total(second.rows, "billed_cost") == Decimal("4.4")


def test_purchases_and_their_spread_cost_in_one_file_are_refused(
    tmp_path: Path, read_one, write_csv
) -> None:
    """Two exports pasted together would bill a reservation twice."""
    read = read_one("azure_ea", write_csv(tmp_path / "a.csv", [*ACTUAL, *AMORTISED]))
    assert {code for code, _ in read.row_codes} == {"dataset_mixed"}


def test_names_of_older_exports_are_taken(tmp_path: Path, read_one, write_csv) -> None:
    """The same bill has had other column names every few years."""
    old = {
        "EnrollmentNumber": "0861", "CurrencyCode": "EUR", "UsageDateTime": "2025-01-30T00:00:00",
        "SubscriptionGuid": "BBBB", "SubscriptionId": "17", "InstanceId": "/x/Y", "Cost": "1.10",
        "Tags": '{"team": "web"}',
    }  # fmt: skip
    (row,) = read_one("azure_ea", write_csv(tmp_path / "a.csv", [old])).rows.to_pylist()
    assert (row["billed_cost"], row["billing_currency"]) == (Decimal("1.10"), "EUR")
    assert (row["sub_account_id"], row["resource_id"]) == ("bbbb", "/x/y")
    assert str(row["billing_period_start"])[:10] == "2025-01-01"
    assert str(row["billing_period_end"])[:10] == "2025-02-01"


def test_a_date_that_is_none_is_set_aside_by_name(tmp_path: Path, read_one, write_csv) -> None:
    """Day and month swapped must not land in another month."""
    rows = [USAGE, {**USAGE, "Date": "31/01/2025"}]
    read = read_one("azure_ea", write_csv(tmp_path / "a.csv", rows))
    (told,) = [fault for fault in read.landed.row_faults if fault.code == "time_unreadable"]
    assert (told.column, "31/01/2025" in told.expected) == ("Date", True)


def test_a_missing_column_is_one_fault_of_the_file(tmp_path: Path, read_one, write_csv) -> None:
    """Not one of every row."""
    row = {key: value for key, value in USAGE.items() if key != "BillingCurrency"}
    read = read_one("azure_ea", write_csv(tmp_path / "a.csv", [row]))
    assert [(fault.code, fault.column) for fault in read.landed.set_faults] == [
        ("column_missing", "billing_currency")
    ]


def test_prices_of_another_currency_are_converted_by_the_rate_of_the_row(
    tmp_path: Path, read_one, write_csv
) -> None:
    """A customer agreement prices in dollars and bills in euro: never mix the two."""
    mca = {
        **USAGE, "pricingCurrency": "USD", "costInPricingCurrency": "2.64",
        "exchangeRatePricingToBilling": "0.9", "paygCostInBillingCurrency": "2.7",
        "invoiceId": "G1", "UnitPrice": "11", "servicePeriodStartDate": "01/30/2025",
    }  # fmt: skip
    (row,) = read_one("azure_mca", write_csv(tmp_path / "a.csv", [mca])).rows.to_pylist()
    assert (row["billed_cost"], row["pricing_currency_effective_cost"]) == (
        Decimal("2.4"), Decimal("2.64"),
    )  # fmt: skip
    assert (row["list_cost"], row["contracted_cost"]) == (Decimal("2.7"), Decimal("2.376"))
    assert (row["contracted_unit_price"], row["invoice_id"]) == (None, "G1")
    assert row["pricing_currency_contracted_unit_price"] == Decimal(11)
    extra = dict(row["x_columns"])
    assert extra["exchangeRatePricingToBilling"] == "0.9"
    assert extra["servicePeriodStartDate"] == "01/30/2025"


def test_prices_of_zero_are_missing_where_there_is_cost(
    tmp_path: Path, read_one, write_csv
) -> None:
    """A saving against a list price of 0 would be a loss that nobody made."""
    unpriced = {**USAGE, "PayGPrice": "0", "UnitPrice": "0"}
    rows = [unpriced, {**unpriced, "CostInBillingCurrency": "0"}]
    read = read_one("azure_ea", write_csv(tmp_path / "a.csv", rows))
    costs = read.rows.select(["list_cost", "contracted_cost"]).to_pylist()
    assert [tuple(row.values()) for row in costs] == [(None, None), (0, 0)]
    assert {"list_cost_missing", "contracted_cost_missing"} <= set(read.conformance)


UNITS = {
    "1 Hour": (1, "Hours"),
    "100 Hours": (100, "Hours"),
    "10K": (10_000, "Units"),
    "1M": (1_000_000, "Units"),
    "1/Month": (1, "Units/Month"),
    "1 GB/Month": (1, "GB/Month"),
    "10,000": (10_000, "Units"),
    "1 GB Hour": (1, "GB-Hours"),
    "1 1 Hour": (1, "Hours"),
    "50000 GB Seconds": (50_000, "GB-Seconds"),
    "100 /Day": (100, "Units/Day"),
}


def test_units_come_in_blocks(tmp_path: Path, read_one, write_csv) -> None:
    """Two of '10K' are twenty thousand."""
    rows = [{**USAGE, "UnitOfMeasure": measure, "Quantity": "2"} for measure in UNITS]
    read = read_one("azure_ea", write_csv(tmp_path / "a.csv", rows))
    for row, (block, unit) in zip(read.rows.to_pylist(), UNITS.values(), strict=True):
        assert (row["consumed_quantity"], row["consumed_unit"]) == (2 * block, unit)
        assert row["pricing_unit"] == (unit if block == 1 else f"{block} {unit}")


def test_refunds_and_taxes_are_no_usage(tmp_path: Path, read_one, write_csv) -> None:
    """A returned reservation takes back what was billed, not what was used."""
    rows = [
        {**BOUGHT, "ChargeType": "Refund", "CostInBillingCurrency": "-700"},
        {**USAGE, "ChargeType": "Tax", "PricingModel": ""},
        {**USAGE, "ChargeType": "RoundAdjustment", "PricingModel": ""},
    ]
    read = read_one("azure_ea", write_csv(tmp_path / "a.csv", rows))
    refund, tax, other = read.rows.to_pylist()
    assert (refund["charge_category"], refund["charge_class"]) == ("Purchase", "Correction")
    assert (refund["billed_cost"], refund["effective_cost"]) == (Decimal(-700), 0)
    assert (tax["charge_category"], other["charge_category"]) == ("Tax", "Adjustment")


def test_digits_beyond_money_are_accounted_for(tmp_path: Path, read_one, write_csv) -> None:
    """Amortised costs have up to 28 decimals: the file's own sum must stay exact all the same."""
    deep = ["0.0000000072922557592391994567", "12.1188669167459011366123", "-4.9e-21"]
    rows = [{**USAGE, "CostInBillingCurrency": cost} for cost in deep]
    read = read_one("azure_ea", write_csv(tmp_path / "a.csv", rows))
    landed = read.landed
    assert landed.file_billed["EUR"] == exact_sum(*map(Decimal, deep))
    assert total(read.rows, "billed_cost") == landed.billed_landed["EUR"]
    whole = exact_sum(landed.billed_landed["EUR"], landed.file_rounded["EUR"])
    assert whole == landed.file_billed["EUR"]
    assert abs(landed.file_rounded["EUR"]) < Decimal("5e-21")
    assert total(read.rows, "effective_cost") == landed.billed_landed["EUR"]
    assert read.conformance["decimals_rounded"] == ["CostInBillingCurrency"]


def test_parquet_has_times_and_decimals_of_its_own(tmp_path: Path, read_one) -> None:
    """Newer exports come as Parquet, with types."""
    table = pa.table(
        {
            "costInBillingCurrency": pa.array([Decimal("1.2300000000000001")]),
            "billingCurrency": ["EUR"],
            "date": pa.array([1738195200000], pa.timestamp("ms")),
            "billingAccountId": ["1"],
            "billingPeriodStartDate": pa.array([1735689600000], pa.timestamp("ms", "UTC")),
            "tags": ['{"team": "web"}'],
        }
    )
    pq.write_table(table, tmp_path / "a.parquet")
    (row,) = read_one("azure_mca", tmp_path / "a.parquet").rows.to_pylist()
    assert row["billed_cost"] == Decimal("1.2300000000000001")
    assert str(row["charge_period_start"])[:10] == "2025-01-30"
    assert str(row["billing_period_end"])[:10] == "2025-02-01"


def csv_total(path: Path, column: str) -> Decimal:
    with path.open(encoding="utf-8-sig", newline="") as file:
        return exact_sum(*(Decimal(row[column]) for row in csv.DictReader(file)))


def test_exports_of_others_keep_their_sums(
    shared: Path, read_each: Callable[..., list[Any]]
) -> None:
    """Every file lands to its last digit, or says what to do."""
    folder = shared / "billing" / "provider_exports" / "azure"
    agreements = sorted((shared / "billing").rglob("EA_*Cost_*.csv"))
    found = [("azure_mca", path, "CostInBillingCurrency") for path in sorted(folder.glob("*.csv"))]
    found += [("azure_ea", path, "Cost") for path in agreements]
    assert len(found) >= 5
    for name, path, column in found:
        (read,) = read_each(name, path)
        if read.landed.rows_in == 0:
            assert read.set_codes == ["no_rows"], path.name
            continue
        assert read.set_codes == [] and read.landed.rows_quarantined == 0, path.name
        assert read.landed.file_billed == {"USD": csv_total(path, column)}, path.name
        rounded = read.landed.file_rounded.get("USD", Decimal(0))
        landed = total(read.rows, "billed_cost")
        assert exact_sum(landed, rounded) == read.landed.file_billed["USD"], path.name
