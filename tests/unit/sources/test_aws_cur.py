"""AWS's own reports: what each line item costs, and that nothing is counted twice or lost."""

from __future__ import annotations

import csv
import gzip
import io
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from finops_dagster.domain.money import exact_sum

Row = dict[str, Any]

ITEM: Row = {
    "bill/BillType": "Anniversary",
    "bill/BillingEntity": "AWS",
    "bill/BillingPeriodStartDate": "2025-01-01T00:00:00Z",
    "bill/BillingPeriodEndDate": "2025-02-01T00:00:00Z",
    "bill/InvoiceId": "0012345",
    "bill/InvoicingEntity": "Amazon Web Services, Inc.",
    "bill/PayerAccountId": "007000000001",
    "lineItem/AvailabilityZone": "eu-west-1a",
    "lineItem/CurrencyCode": "USD",
    "lineItem/LegalEntity": "Amazon Web Services, Inc.",
    "lineItem/LineItemType": "Usage",
    "lineItem/ProductCode": "AmazonEC2",
    "lineItem/ResourceId": "i-0123456789abcdef0",
    "lineItem/UnblendedCost": "1.0000000000",
    "lineItem/UnblendedRate": "0.5",
    "lineItem/UsageAccountId": "000000000042",
    "lineItem/UsageAmount": "2",
    "lineItem/UsageEndDate": "2025-01-05T01:00:00Z",
    "lineItem/UsageStartDate": "2025-01-05T00:00:00Z",
    "lineItem/UsageType": "EUW1-BoxUsage:m5.large",
    "pricing/publicOnDemandCost": "1.5",
    "pricing/publicOnDemandRate": "0.75",
    "pricing/unit": "Hrs",
    "product/ProductName": "Amazon Elastic Compute Cloud",
    "product/region": "eu-west-1",
}
PLAN = "arn:aws:savingsplans::007000000001:savingsplan/p-1"
RESERVATION = "arn:aws:ec2:eu-west-1:000000000042:reserved-instances/r-1"


def item(type_: str = "Usage", cost: str = "1.0000000000", **changed: Any) -> Row:
    """A line item; `a__B=` sets the column a/B."""
    named = {name.replace("__", "/"): value for name, value in changed.items()}
    return {**ITEM, "lineItem/LineItemType": type_, "lineItem/UnblendedCost": cost, **named}


def planned(type_: str, cost: str, **changed: Any) -> Row:
    return item(type_, cost, savingsPlan__SavingsPlanARN=PLAN, **changed)


def reserved(type_: str, cost: str, **changed: Any) -> Row:
    return item(type_, cost, reservation__ReservationARN=RESERVATION, **changed)


@pytest.fixture
def land(tmp_path: Path, read_one: Any, write_csv: Any) -> Callable[..., Any]:
    def landed(*rows: Row) -> Any:
        return read_one("aws_cur", write_csv(tmp_path / "cur.csv", rows))

    return landed


@pytest.fixture
def charges(land: Any) -> Callable[..., list[Row]]:
    """Landed rows; fails if any was set aside or the bill is not what the file says."""

    def landed(*rows: Row) -> list[Row]:
        read = land(*rows)
        assert (read.set_codes, read.row_codes) == ([], [])
        file = sum(Decimal(row["lineItem/UnblendedCost"]) for row in rows)
        assert read.landed.file_billed == read.landed.billed_landed == {"USD": file}
        return list(read.rows.to_pylist())

    return landed


AMORTISED = [
    (item(), "1", "1", "Usage", "Usage-Based", None),
    (
        planned("SavingsPlanRecurringFee", "5", savingsPlan__TotalCommitmentToDate="5",
                savingsPlan__UsedCommitment="4.25"),
        "5", "0.75", "Purchase", "Recurring", "Unused",
    ),
    (
        planned("SavingsPlanRecurringFee", "5", savingsPlan__TotalCommitmentToDate="5",
                savingsPlan__UsedCommitment="5"),
        "5", "0", "Purchase", "Recurring", None,
    ),
    (planned("SavingsPlanUpfrontFee", "100", bill__BillType="Purchase"),
     "100", "0", "Purchase", "One-Time", None),
    (reserved("DiscountedUsage", "0", reservation__EffectiveCost="0.3"),
     "0", "0.3", "Usage", "Usage-Based", "Used"),
    (
        reserved("RIFee", "20", reservation__UnusedAmortizedUpfrontFeeForBillingPeriod="1.5",
                 reservation__UnusedRecurringFee="2.25"),
        "20", "3.75", "Purchase", "Recurring", "Unused",
    ),
    (
        reserved("RIFee", "20", reservation__UnusedAmortizedUpfrontFeeForBillingPeriod="",
                 reservation__UnusedRecurringFee="2.25"),
        "20", "2.25", "Purchase", "Recurring", "Unused",
    ),
    (reserved("Fee", "900"), "900", "0", "Purchase", "One-Time", None),
    (item("Fee", "29"), "29", "29", "Purchase", "Recurring", None),
    (item("Fee", "29", bill__BillType="Purchase"), "29", "29", "Purchase", "One-Time", None),
    (planned("Refund", "-100"), "-100", "0", "Adjustment", "One-Time", None),
    (item("Refund", "-100", lineItem__ProductCode="ComputeSavingsPlans"),
     "-100", "0", "Adjustment", "One-Time", None),
    (item("Refund", "-3"), "-3", "-3", "Adjustment", "One-Time", None),
    (item("Credit", "-2"), "-2", "-2", "Credit", "One-Time", None),
    (item("Tax", "0.21"), "0.21", "0.21", "Tax", "Recurring", None),
    (item("BundledDiscount", "-0.1"), "-0.1", "-0.1", "Usage", "Usage-Based", None),
    (item("EdpDiscount", "-0.1"), "-0.1", "-0.1", "Usage", "Usage-Based", None),
    (item("PrivateRateDiscount", "-0.1"), "-0.1", "-0.1", "Usage", "Usage-Based", None),
    (item("SomethingNew", "4"), "4", "4", "Adjustment", "One-Time", None),
]  # fmt: skip


def test_each_line_item_type_counts_once(charges: Any) -> None:
    """A fee and what it pays for, both counted, would double the cost of every commitment."""
    found = [
        (r["billed_cost"], r["effective_cost"], r["charge_category"], r["charge_frequency"],
         r["commitment_discount_status"])
        for r in charges(*(row for row, *_ in AMORTISED))
    ]  # fmt: skip
    assert found == [
        (Decimal(billed), Decimal(effective), *words) for _, billed, effective, *words in AMORTISED
    ]


def test_unknown_types_and_services_are_counted(land: Any) -> None:
    """A type that AWS brings out next year may not vanish, nor pass as something known."""
    read = land(item("SomethingNew", "4"), item(lineItem__ProductCode="8x7marketplace"))
    assert read.set_codes == []
    assert {"line_item_type_unknown", "service_unlisted"} <= set(read.conformance)
    assert read.rows["service_category"].to_pylist() == ["Compute", "Other"]


def covered(cost: str, **changed: Any) -> Row:
    return planned("SavingsPlanCoveredUsage", cost, savingsPlan__SavingsPlanEffectiveCost="0.6",
                   **changed)  # fmt: skip


def test_plan_negations_cancel_covered_usage(charges: Any) -> None:
    """Usage that a plan covers is not billed; what it costs is its share of the plan."""
    rows = charges(
        covered("1"), covered("0.5"), planned("SavingsPlanNegation", "-1.5"), item(cost="7")
    )
    assert [row["billed_cost"] for row in rows] == [0, 0, 0, 7]
    assert [str(row["effective_cost"])[:3] for row in rows] == ["0.6", "0.6", "0E-", "7.0"]
    assert [row["commitment_discount_category"] for row in rows] == ["Spend"] * 3 + [None]
    assert [row["pricing_category"] for row in rows] == ["Committed"] * 3 + ["Standard"]
    assert [row["list_cost"] for row in rows] == [Decimal("1.5"), Decimal("1.5"), 0, Decimal("1.5")]
    assert [row["contracted_cost"] for row in rows] == [1, Decimal("0.5"), 0, 7]
    assert [row["consumed_quantity"] for row in rows] == [2, 2, None, 2]


def test_what_rounding_leaves_of_a_plan_is_billed_once(charges: Any) -> None:
    """AWS rounds each line: a bill that lost the last digits would not be the file's sum."""
    rows = charges(
        item(),
        covered("0.3333333333"),
        covered("0.3333333333"),
        planned("SavingsPlanNegation", "-0.3333333334"),
        planned("SavingsPlanNegation", "-0.3333333333"),
    )
    billed = [row["billed_cost"] for row in rows]
    assert billed == [1, 0, 0, Decimal("-0.0000000001"), 0]


def test_covered_usage_without_negations_stays_as_the_file_has_it(land: Any) -> None:
    """Half a file must come to its own sum too; and one payer's half is not another's."""
    other = "009"
    read = land(
        covered("1"),
        covered("2", bill__PayerAccountId=other),
        planned("SavingsPlanNegation", "-2", bill__PayerAccountId=other),
        covered("4", lineItem__CurrencyCode="EUR"),
    )
    assert read.rows["billed_cost"].to_pylist() == [1, 0, 0, 4]
    assert read.landed.file_billed == read.landed.billed_landed == {"USD": 1, "EUR": 4}
    assert "savings_plan_not_cancelled" in read.conformance


def test_a_cost_that_cannot_be_told_is_refused(land: Any) -> None:
    """Without the plan's columns the share of a plan is unknown: a guess would be invented cost."""
    for row in (
        planned("SavingsPlanCoveredUsage", "1"),
        planned("SavingsPlanRecurringFee", "1"),
        reserved("DiscountedUsage", "0"),
        reserved("RIFee", "20"),
    ):
        read = land(item(), row)
        assert "quarantined_cost_unknown" in read.set_codes
        assert ("value_missing", "effective_cost") in read.row_codes


def test_net_columns_are_what_is_paid(land: Any) -> None:
    """After a negotiated discount the gross cost is nobody's bill."""
    read = land(
        item(cost="10", lineItem__NetUnblendedCost="9"),
        item("EdpDiscount", "-1", lineItem__NetUnblendedCost="0"),
        reserved("DiscountedUsage", "0", lineItem__NetUnblendedCost="0",
                 reservation__EffectiveCost="0.5", reservation__NetEffectiveCost="0.45"),
    )  # fmt: skip
    assert read.landed.file_billed == read.landed.billed_landed == {"USD": 9}
    assert read.rows["effective_cost"].to_pylist() == [9, 0, Decimal("0.45")]
    assert read.rows["contracted_cost"].to_pylist() == [9, 0, None]
    assert "net_cost" in read.conformance


def test_net_columns_of_zeros_are_no_discount(land: Any) -> None:
    """A fixed schema has the column in every month: taken at its word, the month would be free."""
    read = land(
        item(cost="10", lineItem__NetUnblendedCost="0.0"),
        reserved("DiscountedUsage", "0", lineItem__NetUnblendedCost="0.0",
                 reservation__EffectiveCost="0.5", reservation__NetEffectiveCost="0.0"),
    )  # fmt: skip
    assert read.landed.file_billed == read.landed.billed_landed == {"USD": 10}
    assert read.rows["effective_cost"].to_pylist() == [10, Decimal("0.5")]
    assert "net_cost" not in read.conformance


def test_split_rows_cost_nothing_and_are_kept(charges: Any) -> None:
    """A pod's share of a node beside the whole node would bill the node twice."""
    parent = "i-0123456789abcdef0"
    node, *pods = charges(
        item(cost="10"),
        *(
            item(
                cost="0",
                lineItem__ProductCode="AmazonEKS",
                lineItem__ResourceId=f"arn:aws:eks:eu-west-1:1:pod/shop/web/{name}/u",
                splitLineItem__ParentResourceId=parent,
                splitLineItem__SplitCost=share,
                splitLineItem__UnusedCost="0.5",
            )
            for name, share in (("a", "6"), ("b", "3"))
        ),
    )
    assert (node["billed_cost"], node["effective_cost"]) == (10, 10)
    for pod, share in zip(pods, ("6", "3"), strict=True):
        assert (pod["billed_cost"], pod["effective_cost"], pod["list_cost"]) == (0, 0, 0)
        assert pod["consumed_quantity"] is None and pod["resource_type"] == "pod"
        kept = dict(pod["x_columns"])
        assert kept["splitLineItem/ParentResourceId"] == parent
        assert (kept["splitLineItem/SplitCost"], kept["splitLineItem/UnusedCost"]) == (share, "0.5")


def test_marketplace_names_its_seller(charges: Any) -> None:
    """AWS invoices what others sell: reports must show both."""
    (row,) = charges(
        item(
            "Fee",
            "50",
            bill__BillingEntity="AWS Marketplace",
            lineItem__LegalEntity="Seller GmbH",
            lineItem__ProductCode="abc123",
            product__ProductName="Seller's Scanner",
        )
    )
    assert (row["publisher_name"], row["invoice_issuer_name"], row["provider_name"]) == (
        "Seller GmbH", "Amazon Web Services, Inc.", "AWS",
    )  # fmt: skip
    assert (row["service_name"], row["service_category"]) == ("Seller's Scanner", "Other")
    assert dict(row["x_columns"])["bill/BillingEntity"] == "AWS Marketplace"


def test_a_refund_of_an_earlier_month_is_a_correction(charges: Any) -> None:
    """It belongs to this invoice, and tells of that month: both clocks are needed."""
    earlier = {
        "lineItem__UsageStartDate": "2024-12-01T00:00:00Z",
        "lineItem__UsageEndDate": "2024-12-31T23:59:59Z",
    }
    late, now, own = charges(
        item("Refund", "-3", **earlier),
        item("Refund", "-3"),
        item("Refund", "-3", bill__BillType="Refund"),
    )
    assert [r["charge_class"] for r in (late, now, own)] == ["Correction", None, "Correction"]
    assert late["charge_period_end"] == datetime(2025, 1, 1, tzinfo=UTC)
    assert late["billing_period_start"] == datetime(2025, 1, 1, tzinfo=UTC)


def test_ids_prices_and_places(charges: Any) -> None:
    """An account that lost its zeros is another account."""
    spot, disk, snapshot, bucket, function, tax = charges(
        item(lineItem__UsageType="EUW1-SpotUsage:m5.large"),
        item(lineItem__ResourceId="vol-0a", lineItem__UsageType="EUW1-EBS:VolumeUsage.gp3",
             pricing__unit="GB-Mo"),
        item(lineItem__ResourceId="arn:aws:ec2:eu-west-1:1:snapshot/snap-1"),
        item(lineItem__ResourceId="arn:aws:s3:::logs", lineItem__ProductCode="AmazonS3",
             pricing__publicOnDemandCost="0"),
        item(lineItem__ResourceId="arn:aws:lambda:eu-west-1:1:function:f",
             lineItem__ProductCode="AWSLambda"),
        item("Tax", "0.2", lineItem__ResourceId=""),
    )  # fmt: skip
    assert (spot["billing_account_id"], spot["sub_account_id"], spot["invoice_id"]) == (
        "007000000001", "000000000042", "0012345",
    )  # fmt: skip
    assert (spot["region_id"], spot["availability_zone"]) == ("eu-west-1", "eu-west-1a")
    assert (spot["pricing_category"], spot["consumed_quantity"], spot["consumed_unit"]) == (
        "Dynamic", 2, "Hours",
    )  # fmt: skip
    assert (spot["list_cost"], spot["list_unit_price"]) == (Decimal("1.5"), Decimal("0.75"))
    assert spot["contracted_unit_price"] == Decimal("0.5")
    assert (disk["service_category"], disk["service_subcategory"], disk["pricing_unit"]) == (
        "Storage", "Block Storage", "GB-Months",
    )  # fmt: skip
    assert [r["resource_type"] for r in (spot, disk, snapshot, bucket, function, tax)] == [
        "instance", "volume", "snapshot", "bucket", "function", None,
    ]  # fmt: skip
    # a public price of zero beside a cost is no price
    assert bucket["list_cost"] is None
    assert (tax["list_cost"], tax["pricing_category"], tax["pricing_quantity"]) == (
        Decimal("0.2"), None, None,
    )  # fmt: skip


def test_a_service_has_one_name_in_a_bill(charges: Any) -> None:
    """Taxes have only its code: a report would show them as a service of their own."""
    used, tax, alone = charges(
        item(),
        item("Tax", "0.2", product__ProductName=""),
        item("Tax", "0.1", product__ProductName="", lineItem__ProductCode="AmazonRDS"),
    )
    assert used["service_name"] == tax["service_name"] == "Amazon Elastic Compute Cloud"
    assert alone["service_name"] == "AmazonRDS"


def test_tag_columns_lose_their_prefix(charges: Any) -> None:
    """One tag under two names would split its owner's cost; a tag's name may be anything."""
    plain, both, none = charges(
        item(
            **{
                "resourceTags__user:team": "web",
                "resourceTags__aws:createdBy": "root",
                'resourceTags__user:it\'s "odd"; --': "=1+1",
                "costCategory__Team": "Shop",
            }
        ),
        item(resource_tags_user_team="ops", resource_tags_aws_created_by="ci"),
        item(),
    )
    assert dict(plain["tags"]) == {
        "team": "web", "aws:createdBy": "root", "it's \"odd\"; --": "=1+1",
    }  # fmt: skip
    assert dict(plain["x_columns"])["costCategory/Team"] == "Shop"
    assert dict(both["tags"]) == {"team": "ops", "aws:created_by": "ci"}
    assert none["tags"] is None


def test_tags_that_would_be_one_keep_their_prefix(charges: Any) -> None:
    """A key twice is no map: losing the row's tags, or one of two values, would be silent."""
    (row,) = charges(item(**{"resourceTags__user:team": "web", "resource_tags_user_team": "ops"}))
    assert dict(row["tags"]) == {"user:team": "web", "user_team": "ops"}


def january(day: int) -> pa.Array:
    """Three times a midnight without a zone."""
    at = int(datetime(2025, 1, 1, tzinfo=UTC).timestamp()) + (day - 1) * 86_400
    return pa.array([at * 1000] * 3).cast(pa.timestamp("ms"))


def cur2(**columns: pa.Array) -> pa.Table:
    return pa.table(
        {
            "bill_billing_period_start_date": january(1),
            "bill_billing_period_end_date": january(32),
            "bill_payer_account_id": ["007"] * 3,
            "bill_payer_account_name": ["Holding"] * 3,
            "line_item_currency_code": ["USD"] * 3,
            "line_item_line_item_type": ["Usage", "DiscountedUsage", "Tax"],
            "line_item_product_code": ["AWSLambda", "AmazonRDS", "AmazonRDS"],
            "line_item_unblended_cost": [0.1, 0.0, 0.021],
            "line_item_usage_account_id": ["001", "002", "002"],
            "line_item_usage_account_name": ["web", "data", "data"],
            "line_item_usage_amount": [3.0, 1.0, 1.0],
            "line_item_usage_start_date": january(3),
            "line_item_usage_end_date": january(4),
            "pricing_unit": ["Lambda-GB-Second", "Hrs", ""],
            "product_region_code": ["eu-west-1", "eu-west-1", ""],
            "reservation_effective_cost": [0.0, 0.25, 0.0],
            "reservation_reservation_a_r_n": ["", RESERVATION, ""],
            "year": ["2025"] * 3,
            **columns,
        }
    )


def maps(*values: Any, of: pa.DataType | None = None) -> pa.Array:
    return pa.array(values, pa.map_(pa.string(), of or pa.string()))


def test_cur_2_parquet_with_maps(tmp_path: Path, read_one: Any) -> None:
    """Maps, doubles and times without a zone are how Data Exports delivers today."""
    pq.write_table(
        cur2(
            resource_tags=maps(
                [("user_team", "web"), ("aws_created_by", "ci")],
                [("team", "a"), ("user_team", "b")],
                [],
            ),
            product=maps([("product_name", "AWS Lambda"), ("sku", "S1")], [], None),
            cost_category=maps([("Team", "Shop")], [], None),
            discount=maps([("total_discount", 0.5)], [], None, of=pa.float64()),
        ),
        tmp_path / "cur.parquet",
    )  # fmt: skip
    read = read_one("aws_cur2", tmp_path / "cur.parquet")
    assert (read.set_codes, read.row_codes) == ([], [])
    assert read.landed.file_billed == read.landed.billed_landed == {"USD": Decimal("0.121")}
    usage, database, tax = read.rows.to_pylist()
    assert [dict(r["tags"] or {}) for r in (usage, database, tax)] == [
        {"team": "web", "aws:created_by": "ci"}, {"team": "a", "user_team": "b"}, {},
    ]  # fmt: skip
    assert (usage["service_name"], usage["sku_id"]) == ("AWS Lambda", "S1")
    assert (usage["billing_account_id"], usage["billing_account_name"]) == ("007", "Holding")
    assert (usage["sub_account_id"], usage["sub_account_name"]) == ("001", "web")
    assert (usage["consumed_unit"], database["consumed_unit"]) == ("GB-Seconds", "Hours")
    assert (database["billed_cost"], database["effective_cost"]) == (0, Decimal("0.25"))
    assert database["commitment_discount_id"] == RESERVATION
    kept = dict(usage["x_columns"])
    assert (kept["cost_category"], kept["discount"]) == (
        '{"Team":"Shop"}',
        '{"total_discount":0.5}',
    )
    assert kept["line_item_line_item_type"] == "Usage"


def test_cur_2_as_text_has_maps_as_json(tmp_path: Path, read_one: Any, write_csv: Any) -> None:
    """The same export as CSV must give the same tags."""
    rows = cur2(
        resource_tags=pa.array(['{"user_team":"web"}', "", '{"user:team":"ops","aws:x":"y"}']),
        product=pa.array(['{"product_name":"AWS Lambda"}', "{}", ""]),
    ).to_pylist()
    for row in rows:
        row.update({k: f"{v:%Y-%m-%d %H:%M:%S}" for k, v in row.items() if isinstance(v, datetime)})
    read = read_one("aws_cur2", write_csv(tmp_path / "cur.csv", rows))
    assert (read.set_codes, read.row_codes) == ([], [])
    assert [dict(tags or []) for tags in read.rows["tags"].to_pylist()] == [
        {"team": "web"}, {}, {"team": "ops", "aws:x": "y"},
    ]  # fmt: skip
    assert read.rows["service_name"].to_pylist() == ["AWS Lambda", "AmazonRDS", "AmazonRDS"]


def test_tags_of_all_kinds_serve_where_resource_tags_were_not_chosen(
    tmp_path: Path, read_one: Any
) -> None:
    """CUR 2.0 has them in one more column: an export with that alone has owners too."""
    tags = maps([("user_team", "web")], [], None)
    for name, columns in {"alone": {"tags": tags}, "both": {"tags": tags, "resource_tags": maps(
        [("user_team", "ops")], [], None)}}.items():  # fmt: skip
        pq.write_table(cur2(**columns), tmp_path / f"{name}.parquet")
        read = read_one("aws_cur2", tmp_path / f"{name}.parquet")
        expected = "web" if name == "alone" else "ops"
        assert dict(read.rows["tags"][0].as_py()) == {"team": expected}


def test_another_file_is_refused_by_the_columns_it_lacks(land: Any) -> None:
    """A bill of another provider under this name may not land empty."""
    row = item()
    del row["lineItem/UnblendedCost"], row["bill/PayerAccountId"]
    read = land(row)
    missing = {f.column for f in read.landed.set_faults if f.code == "column_missing"}
    assert missing == {"line_item_unblended_cost", "bill_payer_account_id"}


def check_against_decimal_arithmetic(source: Path, read_one: Any) -> None:
    """What lands is the file's own sum by Python's decimals, to the last digit of all of them."""
    with gzip.open(source, "rt", newline="") as file:
        rows = list(csv.DictReader(file))
    billed, effective, tagged = Counter[str](), Counter[str](), Counter[str]()
    for row in rows:
        covers = row["lineItem/LineItemType"] == "SavingsPlanCoveredUsage"
        paid = row["savingsPlan/SavingsPlanEffectiveCost" if covers else "lineItem/UnblendedCost"]
        account = row["lineItem/UsageAccountId"]
        billed[account] += cut(row["lineItem/UnblendedCost"])
        effective[account] += cut(paid)
        tagged[row["resourceTags/user:app"]] += 1
    read = read_one("aws_cur", source)
    assert (read.set_codes, read.quarantine.num_rows) == ([], 0)
    sums = read.rows.group_by("sub_account_id").aggregate(
        [("billed_cost", "sum"), ("effective_cost", "sum")]
    )
    landed = {row.pop("sub_account_id"): tuple(row.values()) for row in sums.to_pylist()}
    assert landed.keys() == billed.keys()
    for account, (paid, used) in landed.items():
        # what rounding took from all rows may be with one of them
        assert abs(paid - billed[account]) <= Decimal("1E-17")
        assert abs(used - effective[account]) <= Decimal("1E-17")
    exact = exact_sum(*(Decimal(row["lineItem/UnblendedCost"]) for row in rows))
    rounded = read.landed.file_rounded.get("USD", Decimal(0))
    assert read.landed.file_billed["USD"] == exact
    assert exact_sum(read.landed.billed_landed["USD"], rounded) == exact
    assert abs(rounded) < Decimal("1E-17")
    apps = Counter(dict(tags or []).get("app", "") for tags in read.rows["tags"].to_pylist())
    assert apps == tagged


def cut(text: str) -> Any:
    return Decimal(text).quantize(Decimal("1E-20"), "ROUND_HALF_UP")


@pytest.fixture
def sample(shared: Path) -> Path:
    (found,) = (shared / "billing" / "provider_exports" / "aws").glob("*.csv.gz")
    return found


def test_some_rows_of_a_generated_bill_to_the_last_digit(
    sample: Path, tmp_path: Path, read_one: Any
) -> None:
    """195 columns, Python's None, printed doubles: none of it may cost a digit."""
    with gzip.open(sample, "rt", newline="") as file:
        header, *lines = [line for n, line in enumerate(file) if n % 40 == 0]
    part = tmp_path / "part.csv.gz"
    with gzip.open(part, "wt", newline="") as out:
        out.write(header + "".join(lines))
    assert len(list(csv.reader(io.StringIO("".join(lines))))) == 2500
    check_against_decimal_arithmetic(part, read_one)


@pytest.mark.conformance
def test_the_whole_generated_bill_to_the_last_digit(sample: Path, read_one: Any) -> None:
    """The same for all of its 100,000 rows."""
    check_against_decimal_arithmetic(sample, read_one)
