"""A small clean FOCUS 1.2 bill, ways to break it, and helpers to judge either.

Written from the text of the specification's rules; no row of it is anybody's.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import duckdb
import pyarrow as pa

from finops_dagster.quality.conformance import (
    Column,
    Options,
    Report,
    Rows,
    RuleModel,
    judge,
)

MODEL = (
    Path(__file__).resolve().parents[4] / "shared/data/billing/focus_rules_1_2/rules/model-1.2.json"
)
"""Data of the specification, outside of the project."""

Row = dict[str, str]

USAGE: Row = {
    "AvailabilityZone": "eu-1a",
    "BilledCost": "12",
    "BillingAccountId": "0012",
    "BillingAccountName": "Main",
    "BillingAccountType": "Payer",
    "BillingCurrency": "EUR",
    "BillingPeriodEnd": "2026-04-01T00:00:00Z",
    "BillingPeriodStart": "2026-03-01T00:00:00Z",
    "CapacityReservationId": "",
    "CapacityReservationStatus": "",
    "ChargeCategory": "Usage",
    "ChargeClass": "",
    "ChargeDescription": "One day of a machine",
    "ChargeFrequency": "Usage-Based",
    "ChargePeriodEnd": "2026-03-03T00:00:00Z",
    "ChargePeriodStart": "2026-03-02T00:00:00Z",
    "CommitmentDiscountCategory": "",
    "CommitmentDiscountId": "",
    "CommitmentDiscountName": "",
    "CommitmentDiscountQuantity": "",
    "CommitmentDiscountStatus": "",
    "CommitmentDiscountType": "",
    "CommitmentDiscountUnit": "",
    "ConsumedQuantity": "24",
    "ConsumedUnit": "Hours",
    "ContractedCost": "12",
    "ContractedUnitPrice": "0.5",
    "EffectiveCost": "12",
    "InvoiceId": "INV-1",
    "InvoiceIssuerName": "Cloud",
    "ListCost": "14.4",
    "ListUnitPrice": "0.6",
    "PricingCategory": "Standard",
    "PricingCurrency": "EUR",
    "PricingCurrencyContractedUnitPrice": "0.5",
    "PricingCurrencyEffectiveCost": "12",
    "PricingCurrencyListUnitPrice": "0.6",
    "PricingQuantity": "24",
    "PricingUnit": "Hours",
    "ProviderName": "Cloud",
    "PublisherName": "Cloud",
    "RegionId": "eu-1",
    "RegionName": "Europe",
    "ResourceId": "vm-1",
    "ResourceName": "web",
    "ResourceType": "Machine",
    "ServiceCategory": "Compute",
    "ServiceName": "Machines",
    "ServiceSubcategory": "Virtual Machines",
    "SkuId": "S1",
    "SkuMeter": "Machine time",
    "SkuPriceDetails": '{"CoreCount": 2, "x_Tenancy": "Shared"}',
    "SkuPriceId": "S1.P1",
    "SubAccountId": "007",
    "SubAccountName": "Shop",
    "SubAccountType": "Project",
    "Tags": '{"team": "shop", "ready": true}',
}
_COMMITTED: Row = {
    "CommitmentDiscountCategory": "Usage",
    "CommitmentDiscountId": "cd-1",
    "CommitmentDiscountName": "Three years",
    "CommitmentDiscountQuantity": "24",
    "CommitmentDiscountType": "Reserved",
    "CommitmentDiscountUnit": "Hours",
}
_UNPRICED: Row = dict.fromkeys(
    (
        "ConsumedQuantity", "ConsumedUnit", "ContractedUnitPrice", "ListUnitPrice",
        "PricingCategory", "PricingCurrencyContractedUnitPrice", "PricingCurrencyListUnitPrice",
        "PricingQuantity", "PricingUnit", "SkuId", "SkuMeter", "SkuPriceDetails", "SkuPriceId",
    ),
    "",
)  # fmt: skip

CLEAN: dict[str, Row] = {
    "usage": USAGE,
    "used": USAGE
    | _COMMITTED
    | {"CommitmentDiscountStatus": "Used", "PricingCategory": "Committed", "BilledCost": "0"},
    "unused": USAGE
    | _COMMITTED
    | {"CommitmentDiscountStatus": "Unused", "ConsumedQuantity": "", "ConsumedUnit": ""},
    "purchase": USAGE
    | _COMMITTED
    | {
        "ChargeCategory": "Purchase",
        "ChargeFrequency": "Recurring",
        "ConsumedQuantity": "",
        "ConsumedUnit": "",
        "EffectiveCost": "0",
        "PricingCurrencyEffectiveCost": "0",
    },
    "tax": USAGE | _UNPRICED | {"ChargeCategory": "Tax", "ChargeFrequency": "One-Time"},
    "credit": USAGE
    | _UNPRICED
    | {
        "ChargeCategory": "Credit",
        "ChargeFrequency": "One-Time",
        "BilledCost": "-3.25",
        "ContractedCost": "-3.25",
        "EffectiveCost": "-3.25",
        "ListCost": "-3.25",
    },
    "correction": USAGE | {"ChargeClass": "Correction", "BilledCost": "-1.2E-7", "ListCost": "1"},
    "reserved": USAGE
    | {"CapacityReservationId": "cr-1", "CapacityReservationStatus": "Used", "Tags": ""},
    "rounded": USAGE
    | {"PricingQuantity": "0.3333", "ListCost": "0.2", "ContractedCost": "0.16665"},
}
"""Rows of many kinds that keep every rule."""


@dataclass(frozen=True)
class Broken:
    """A clean row with one thing wrong, and every rule that says so."""

    rules: tuple[str, ...]
    base: str
    change: Mapping[str, str]


def broken(rules: str, base: str = "usage", **change: str) -> Broken:
    return Broken(tuple(rules.split()), base, change)


BROKEN: tuple[Broken, ...] = (
    # CheckNotValue: no value where there must be one
    broken("BilledCost-C-003-M", BilledCost=""),
    broken("InvoiceIssuerName-C-003-M", InvoiceIssuerName="NULL"),
    broken("BillingCurrency-C-004-M", BillingCurrency=""),
    broken("ChargeDescription-C-003-O", ChargeDescription=""),
    broken("SkuMeter-C-005-C", SkuMeter=""),
    broken("RegionName-C-005-C", RegionName=""),
    broken("ResourceType-C-005-C", ResourceType=""),
    broken("ConsumedUnit-C-006-C", ConsumedUnit=""),
    broken("PricingQuantity-C-005-C", PricingQuantity="", PricingUnit=""),
    broken("CommitmentDiscountType-C-005-C", "used", CommitmentDiscountType=""),
    broken(
        "CommitmentDiscountQuantity-C-005-C", "used",
        CommitmentDiscountQuantity="", CommitmentDiscountUnit="",
    ),
    broken("ChargeFrequency-C-004-C", "purchase", ChargeFrequency="Usage-Based"),
    broken("CapacityReservationStatus-C-004-C", "reserved", CapacityReservationStatus=""),
    # judged by the text: the published check says the contrary
    broken("ConsumedQuantity-C-006-C", ConsumedQuantity="", ConsumedUnit=""),
    broken("CommitmentDiscountStatus-C-003-C", CommitmentDiscountStatus="Used"),
    broken("CommitmentDiscountStatus-C-004-C", "used", CommitmentDiscountStatus=""),
    # CheckValue: a value where there must be none, or another than there must be
    broken("SkuMeter-C-004-C", "tax", SkuMeter="Machine time"),
    broken("PricingQuantity-C-004-C", "tax", PricingQuantity="1", PricingUnit="Hours"),
    broken(
        "ConsumedQuantity-C-004-C", "purchase", ConsumedQuantity="1", ConsumedUnit="Hours"
    ),
    broken("SubAccountName-C-004-C SubAccountType-C-004-C", SubAccountId=""),
    broken(
        "CommitmentDiscountQuantity-C-007-C",
        CommitmentDiscountQuantity="1", CommitmentDiscountUnit="Hours",
    ),
    broken("CapacityReservationStatus-C-003-C", CapacityReservationStatus="Used"),
    broken("ChargeClass-C-005-C", ChargeClass="Amendment"),
    broken("EffectiveCost-C-005-C", "purchase", EffectiveCost="12"),
    # OR: one of a list
    broken("ChargeCategory-C-003-M", "credit", ChargeCategory="credit"),
    broken("ChargeFrequency-C-003-M", ChargeFrequency="usage-based"),
    broken("CommitmentDiscountCategory-C-005-M", "used", CommitmentDiscountCategory="Cash"),
    broken("CommitmentDiscountStatus-C-005-M", "used", CommitmentDiscountStatus="Consumed"),
    broken("CapacityReservationStatus-C-006-M", "reserved", CapacityReservationStatus="Idle"),
    broken("PricingCategory-C-007-M", PricingCategory="standard"),
    # AND: a subcategory under another category
    broken(
        "ServiceSubcategory-C-004-M", ServiceSubcategory="Bots", ServiceName="Machines two"
    ),
    # CheckNotSameValue: paid to somebody else
    broken("BilledCost-C-005-C", InvoiceIssuerName="Reseller"),
    # CheckGreaterOrEqualThanValue
    broken("ListUnitPrice-C-008-M", ListUnitPrice="-0.6", ListCost="-14.4"),
    broken(
        "ContractedUnitPrice-C-009-C", ContractedUnitPrice="-0.5", ContractedCost="-12"
    ),
    # ColumnByColumnEqualsColumnValue
    broken("ListCost-C-009-C ListUnitPrice-C-010-C", ListCost="14.5"),
    broken("ContractedUnitPrice-C-011-C", ContractedCost="12.006"),
    # TypeDecimal, FormatNumeric, CheckDecimalValue
    broken("BilledCost-C-001-M BilledCost-C-002-M BilledCost-C-004-M", BilledCost="12,00"),
    broken("EffectiveCost-C-001-M EffectiveCost-C-002-M EffectiveCost-C-004-M",
           EffectiveCost="1/2"),
    broken("BilledCost-C-002-M", BilledCost="+12"),
    broken("ConsumedQuantity-C-001-M ConsumedQuantity-C-002-M", ConsumedQuantity="24 h"),
    # FormatCurrency, CheckNationalCurrency
    broken("BillingCurrency-C-003-M BillingCurrency-C-006-M", BillingCurrency="eur"),
    broken("BillingCurrency-C-006-M", BillingCurrency="Credits"),
    broken("PricingCurrency-C-003-M", PricingCurrency="QQQ"),
    # TypeDateTime, FormatDateTime
    broken("BillingPeriodStart-C-002-M", BillingPeriodStart="2026-03-01 00:00:00"),
    broken("ChargePeriodStart-C-001-M ChargePeriodStart-C-002-M", ChargePeriodStart="yesterday"),
    broken("ChargePeriodEnd-C-001-M", ChargePeriodEnd="2026-02-30T00:00:00Z"),
    broken("BillingPeriodEnd-C-002-M", BillingPeriodEnd="2026-04-01T02:00:00+02:00"),
    # FormatString, FormatUnit
    broken("BillingAccountName-C-002-M", BillingAccountName="   "),
    broken("ResourceName-C-002-M", ResourceName="caf\ufffd"),
    broken("PricingUnit-C-003-O", PricingUnit="1.5 Hours"),
    # FormatKeyValue
    broken("Tags-C-001-M", Tags="team=shop"),
    broken("Tags-C-001-M", Tags='{"team": {"name": "shop"}}'),
    broken("Tags-C-001-M", Tags='{"team": "a", "team": "b"}'),
    broken("SkuPriceDetails-C-001-M", SkuPriceDetails='["CoreCount"]'),
)  # fmt: skip
"""Each with what a reader of the model's text would say of it."""


def row(one: Broken) -> Row:
    return CLEAN[one.base] | dict(one.change)


def judged(
    rows: Sequence[Mapping[str, object]],
    model: RuleModel,
    *,
    text_file: bool = True,
    types: Mapping[str, str] | None = None,
    **options: Mapping[str, object],
) -> Report:
    """Rows as one file: text as a CSV has it, or of DuckDB `types` as Parquet has."""
    connection = duckdb.connect(config={"threads": 1})
    names = list(rows[0])
    table = pa.table(
        {f"g{place}": pa.array([one[name] for one in rows]) for place, name in enumerate(names)}
    )
    connection.register("given", table)
    cast = ", ".join(
        f"g{place}::{(types or {}).get(name, 'VARCHAR')} AS c{place}"
        for place, name in enumerate(names)
    )
    connection.execute(
        "CREATE TABLE raw AS SELECT 0 AS file_no, row_number() OVER () AS row_number, "
        f"{cast} FROM given"
    )
    columns = tuple(
        Column(name, f"c{place}", (types or {}).get(name, "VARCHAR"), text_file)
        for place, name in enumerate(names)
    )
    group = Rows("raw", columns, {0: "bill.csv"})
    with connection:
        return judge(connection, "bill", [group], model, Options(**options))  # type: ignore[arg-type]


def published(tmp_path: Path, **rules: Mapping[str, object]) -> Path:
    """A rule model file of a few rules: `Requirement` and the rest of ValidationCriteria."""
    made = {}
    for name, given in rules.items():
        raw = dict(given)
        reference = str(raw.pop("Reference", name.split("_")[0]))
        made[name] = {
            "Function": raw.pop("Function", "Validation"),
            "Reference": reference,
            "EntityType": raw.pop("EntityType", "Column"),
            "Status": raw.pop("Status", "Active"),
            "Type": raw.pop("Type", "Static"),
            "ApplicabilityCriteria": raw.pop("ApplicabilityCriteria", []),
            "ValidationCriteria": {
                "MustSatisfy": "It MUST be so.",
                "Keyword": "MUST",
                "Requirement": {},
                "Condition": {},
                "Dependencies": [],
                **raw,
            },
        }
    path = tmp_path / "model.json"
    document = {
        "Details": {"ModelVersion": "9.9", "FOCUSVersion": "9.9"},
        "ApplicabilityCriteria": {"NAMING": {"Description": "It names"}},
        "CheckFunctions": {},
        "ModelDatasets": {},
        "ModelRules": made,
    }
    path.write_text(json.dumps(document), encoding="utf-8")
    return path
