"""Oracle Cloud's cost reports."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from typing import Any

Row = dict[str, Any]

USAGE: Row = {
    "lineItem/referenceNo": "V2.abc",
    "lineItem/tenantId": "ocid1.tenancy.oc1..aaa",
    "lineItem/intervalUsageStart": "2025-01-30T23:00Z",
    "lineItem/intervalUsageEnd": "2025-01-31T00:00Z",
    "product/service": "COMPUTE",
    "product/compartmentName": "shop",
    "product/region": "eu-frankfurt-1",
    "product/availabilityDomain": "AD-1",
    "product/resourceId": "ocid1.instance.oc1.eu-frankfurt-1.abc",
    "product/Description": "Standard - E4 - OCPU",
    "usage/billedQuantity": "2",
    "usage/billedQuantityOverage": "",
    "cost/subscriptionId": "00871",
    "cost/productSku": "B93113",
    "cost/unitPrice": "0.025",
    "cost/myCost": "0.05",
    "cost/myCostOverage": "",
    "cost/currencyCode": "EUR",
    "cost/billingUnitReadable": "OCPU Hours",
    "cost/skuUnitDescription": "OCPU Per Hour",
    "lineItem/isCorrection": "false",
    "lineItem/backreferenceNo": "",
    "tags/orcl-cloud.free-tier-retained": "",
    "tags/Finance.team": "web",
}


def test_a_line_is_a_charge(tmp_path: Path, read_one, write_csv) -> None:
    """Ids stay text, tags become a map, nothing that is delivered is lost."""
    read = read_one("oci", write_csv(tmp_path / "a.csv", [USAGE]))
    (row,) = read.rows.to_pylist()
    assert (row["billed_cost"], row["effective_cost"]) == (Decimal("0.05"), Decimal("0.05"))
    assert (row["billing_account_id"], row["sub_account_id"]) == (
        "00871", "ocid1.tenancy.oc1..aaa",
    )  # fmt: skip
    assert [str(row[f"billing_period_{end}"])[:10] for end in ("start", "end")] == [
        "2025-01-01", "2025-02-01",
    ]  # fmt: skip
    assert str(row["charge_period_end"]) == "2025-01-31 00:00:00+00:00"
    assert (row["resource_type"], row["service_category"]) == ("instance", "Compute")
    assert (row["consumed_quantity"], row["consumed_unit"]) == (Decimal(2), "OCPU Per Hour")
    assert dict(row["tags"]) == {"Finance.team": "web"}
    assert dict(row["x_columns"])["lineItem/referenceNo"] == "V2.abc"
    assert read.landed.file_billed == {"EUR": Decimal("0.05")}


def test_overage_is_part_of_the_cost_and_corrections_are_marked(
    tmp_path: Path, read_one, write_csv
) -> None:
    """What goes beyond the commitment is in the line's cost already: adding it counts it twice."""
    rows = [
        {**USAGE, "cost/myCostOverage": "0.02"},
        {**USAGE, "cost/myCost": "-0.05", "lineItem/isCorrection": "true"},
    ]
    read = read_one("oci", write_csv(tmp_path / "a.csv", rows))
    over, corrected = read.rows.to_pylist()
    assert over["billed_cost"] == Decimal("0.05")
    assert dict(over["x_columns"])["cost/myCostOverage"] == "0.02"
    assert read.conformance["overage"] == ["cost/myCostOverage"]
    assert (corrected["billed_cost"], corrected["charge_class"]) == (Decimal("-0.05"), "Correction")


def test_a_usage_report_is_no_bill(tmp_path: Path, read_one, write_csv) -> None:
    """It has no costs: taken in, it would show a month for free."""
    usage = {key: value for key, value in USAGE.items() if not key.startswith("cost/")}
    read = read_one("oci", write_csv(tmp_path / "a.csv", [usage]))
    assert "column_missing" in read.set_codes
