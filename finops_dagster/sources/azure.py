"""Azure cost and usage details, of enterprise and of Microsoft customer agreements, as charges.

Takes the actual and the amortised export, one alone or both in one delivery; FOCUS exports of
Azure are read by `focus`. Microsoft's words are in `azure_words`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from finops_dagster.domain.schemas import LogicalType
from finops_dagster.sources.azure_words import (
    FAMILIES,
    PROVIDERS,
    REGIONS,
    TYPES,
    block,
    unit,
)
from finops_dagster.sources.bills import BillFormat, Native
from finops_dagster.sources.parsing import FIRST_TIME, LAST_TIME, Note, RawColumn
from finops_dagster.sources.sql_words import SERVICE_UNLISTED, product, worded
from finops_dagster.sources.views import Check, View

_M = LogicalType.MONEY

NATIVES = (
    Native(
        "cost_in_billing_currency",
        _M,
        required=True,
        deep=True,
        aliases=("Cost", "PreTaxCost", "ExtendedCost"),
    ),
    Native(
        "billing_currency",
        required=True,
        aliases=("BillingCurrencyCode", "Currency", "CurrencyCode"),
    ),
    Native("date", required=True, aliases=("UsageDateTime", "UsageDate", "ServiceUsageDate")),
    Native(
        "billing_account_id",
        required=True,
        aliases=("EnrollmentNumber", "EnrollmentId", "BillingEnrollmentId"),
    ),
    Native("billing_account_name"),
    Native("billing_period_start_date", aliases=("BillingPeriodStart",)),
    Native("billing_period_end_date", aliases=("BillingPeriodEnd",)),
    Native("subscription_guid"),
    Native("subscription_id"),
    Native("subscription_name"),
    Native("resource_id", aliases=("InstanceId",)),
    Native("resource_name", aliases=("InstanceName",)),
    Native("resource_location", aliases=("Location",)),
    Native("availability_zone"),
    Native("charge_type"),
    Native("frequency"),
    Native("pricing_model"),
    Native("reservation_id"),
    Native("reservation_name"),
    Native("benefit_id"),
    Native("benefit_name"),
    Native("consumed_service"),
    Native("service_family"),
    Native("meter_category", aliases=("ServiceName",)),
    Native("meter_id", aliases=("ResourceGuid",)),
    Native("meter_name"),
    Native("product_name", aliases=("Product",)),
    Native("part_number"),
    Native("product_id"),
    Native("publisher_name"),
    Native("publisher_type"),
    Native("quantity", _M, aliases=("UsageQuantity", "ConsumedQuantity")),
    Native("unit_of_measure"),
    Native("unit_price", _M),
    Native("effective_price", _M, kept=True),
    Native("payg_price", _M),
    Native("payg_cost_in_billing_currency", _M),
    Native("pricing_currency", aliases=("PricingCurrencyCode",)),
    Native("cost_in_pricing_currency", _M),
    Native("exchange_rate_pricing_to_billing", _M, aliases=("ExchangeRate",), kept=True),
    Native("invoice_id", aliases=("InvoiceNumber",)),
    Native("reseller_name"),
    Native("tags"),
)


def _day(text: str) -> str:
    """SQL of a date: ISO, with or without a time, or the month first as EA exports write it."""
    iso = f"TRY_CAST(left({text}, 10) AS DATE)"
    american = f"try_strptime(split_part({text}, ' ', 1), '%m/%d/%Y')::DATE"
    compact = f"try_strptime({text}, '%Y%m%d')::DATE"
    day = (
        f"CASE WHEN regexp_full_match({text}, '\\d{{4}}-\\d{{2}}-\\d{{2}}([T ].*)?') THEN {iso} "
        f"WHEN regexp_full_match({text}, '\\d{{1,2}}/\\d{{1,2}}/\\d{{4}}( .*)?') THEN {american} "
        f"WHEN regexp_full_match({text}, '\\d{{8}}') THEN {compact} END"
    )
    return (
        f"CASE WHEN ({day}) >= DATE '{FIRST_TIME}' AND ({day}) < DATE '{LAST_TIME}' THEN {day} END"
    )


def _instant(day: str) -> str:
    return f"({day})::TIMESTAMPTZ"


_COMMITMENT = (
    "coalesce(lower(replace(n_pricing_model, ' ', '')) IN ('reservation', 'savingsplan'), "
    "n_reservation_id IS NOT NULL OR n_benefit_id IS NOT NULL)"
)
_CHARGE = "coalesce(lower(replace(n_charge_type, ' ', '')), 'usage')"
_UNUSED = "n_charge IN ('unusedreservation', 'unusedsavingsplan')"
_BOUGHT = "(n_commitment AND n_charge IN ('purchase', 'refund'))"
_AMORTISED = (
    f"({_UNUSED} OR (n_commitment AND n_charge = 'usage' AND n_cost_in_billing_currency <> 0))"
)
_KIND = (
    f"CASE WHEN coalesce(bool_or({_BOUGHT}), false) AND coalesce(bool_or({_AMORTISED}), false) "
    "THEN 'mixed' "
    f"WHEN bool_or({_AMORTISED}) THEN 'amortised' WHEN bool_or({_BOUGHT}) THEN 'actual' "
    "WHEN regexp_matches(lower(any_value(file_name)), 'amorti[sz]ed') THEN 'amortised' "
    "WHEN contains(lower(any_value(file_name)), 'actual') THEN 'actual' END"
)
"""A purchase of a commitment is in the actual export alone, its spread cost in the amortised one
alone; where a file has neither, its name and folder may tell."""
_BOTH = "coalesce(len(period_kinds) > 1, false)"
_ID = "regexp_replace(n_resource_id, '^/?subscriptions/', '/subscriptions/', 'i')"
_TYPE_PARTS = "string_split(regexp_extract(resource_id, '.*/providers/(.+)$', 1), '/')"
_FREE = "(n_cost_in_billing_currency = 0 AND NOT n_commitment)"
_SAME_CURRENCY = "(n_pricing_currency IS NULL OR n_pricing_currency = n_billing_currency)"

VALUES = {
    "n_charge": _CHARGE,
    "n_commitment": _COMMITMENT,
    "n_day": _day("n_date"),
    "n_first": _day("n_billing_period_start_date"),
    "n_last": _day("n_billing_period_end_date"),
    "billing_period_start": _instant("coalesce(n_first, date_trunc('month', n_day)::DATE)"),
    # an end on the first of a month is exclusive already
    "billing_period_end": _instant(
        "CASE WHEN n_last IS NULL THEN (coalesce(n_first, date_trunc('month', n_day)) "
        "+ INTERVAL 1 MONTH)::DATE "
        "WHEN day(n_last) = 1 AND day(n_first) = 1 AND n_last > n_first THEN n_last "
        "ELSE n_last + 1 END"
    ),
    "charge_period_start": _instant("n_day"),
    "charge_period_end": _instant("n_day + 1"),
    "v_bought": f"coalesce({_BOUGHT}, false)",
    "v_beside": f"({_BOTH} AND file_kind = 'actual' AND NOT v_bought)",
    "billed_cost": f"CASE WHEN {_BOTH} AND file_kind = 'amortised' THEN 0 "
    "ELSE n_cost_in_billing_currency END::DECIMAL(38,20)",
    "effective_cost": "CASE WHEN v_bought OR v_beside THEN 0 "
    "ELSE n_cost_in_billing_currency END::DECIMAL(38,20)",
    "billing_currency": "n_billing_currency",
    "billing_account_id": "n_billing_account_id",
    "billing_account_name": "n_billing_account_name",
    "sub_account_id": "lower(coalesce(n_subscription_guid, n_subscription_id))",
    "sub_account_name": "n_subscription_name",
    "sub_account_type": "CASE WHEN sub_account_id IS NOT NULL THEN 'Subscription' END",
    "charge_category": "CASE WHEN n_charge IN ('purchase', 'refund') THEN 'Purchase' "
    f"WHEN n_charge = 'usage' OR {_UNUSED} THEN 'Usage' "
    "WHEN n_charge = 'tax' THEN 'Tax' WHEN n_charge = 'credit' THEN 'Credit' "
    "ELSE 'Adjustment' END",
    "charge_class": "CASE WHEN n_charge = 'refund' THEN 'Correction' END",
    "charge_description": "coalesce(n_product_name, n_meter_name)",
    "charge_frequency": "CASE lower(replace(n_frequency, '-', '')) WHEN 'onetime' THEN 'One-Time' "
    "WHEN 'recurring' THEN 'Recurring' WHEN 'monthly' THEN 'Recurring' "
    "WHEN 'usagebased' THEN 'Usage-Based' END",
    "commitment_discount_id": "CASE WHEN n_commitment "
    "THEN lower(coalesce(n_benefit_id, n_reservation_id)) END",
    "commitment_discount_name": "CASE WHEN n_commitment "
    "THEN coalesce(n_benefit_name, n_reservation_name) END",
    "commitment_discount_type": "CASE WHEN commitment_discount_id IS NULL THEN NULL "
    "WHEN lower(replace(n_pricing_model, ' ', '')) = 'savingsplan' "
    "OR contains(commitment_discount_id, 'microsoft.billingbenefits') "
    "OR n_charge = 'unusedsavingsplan' THEN 'Savings Plan' ELSE 'Reservation' END",
    "commitment_discount_category": "CASE commitment_discount_type "
    "WHEN 'Savings Plan' THEN 'Spend' WHEN 'Reservation' THEN 'Usage' END",
    "commitment_discount_status": "CASE WHEN commitment_discount_id IS NULL THEN NULL "
    f"WHEN {_UNUSED} THEN 'Unused' WHEN n_charge = 'usage' THEN 'Used' END",
    "v_block": block("n_unit_of_measure"),
    "pricing_quantity": "CASE WHEN NOT v_beside THEN n_quantity END",
    "pricing_unit": "CASE WHEN pricing_quantity IS NULL OR v_block IS NULL THEN NULL "
    f"WHEN v_block = 1 THEN {unit('n_unit_of_measure')} "
    f"ELSE v_block || ' ' || {unit('n_unit_of_measure')} END",
    "consumed_quantity": "CASE WHEN n_charge = 'usage' "
    "AND abs(pricing_quantity::DOUBLE * coalesce(v_block, 1)) < 1e17 "
    "THEN (pricing_quantity * coalesce(v_block, 1))::DECIMAL(38,20) END",
    "consumed_unit": "CASE WHEN consumed_quantity IS NOT NULL "
    f"THEN {unit('n_unit_of_measure')} END",
    "list_unit_price": f"CASE WHEN {_SAME_CURRENCY} THEN nullif(n_payg_price, 0) END",
    "contracted_unit_price": f"CASE WHEN {_SAME_CURRENCY} "
    f"AND (n_unit_price <> 0 OR {_FREE}) THEN n_unit_price END",
    "pricing_currency_list_unit_price": "CASE WHEN n_pricing_currency IS NOT NULL "
    "THEN nullif(n_payg_price, 0) END",
    "pricing_currency_contracted_unit_price": "CASE WHEN n_pricing_currency IS NOT NULL "
    f"AND (n_unit_price <> 0 OR {_FREE}) THEN n_unit_price END",
    "pricing_currency_effective_cost": "CASE WHEN n_pricing_currency IS NULL THEN NULL "
    "WHEN v_bought OR v_beside THEN 0 ELSE n_cost_in_pricing_currency END",
    "list_cost": "CASE WHEN v_beside THEN 0 WHEN v_bought THEN n_cost_in_billing_currency "
    f"WHEN {_FREE} AND coalesce(n_payg_cost_in_billing_currency, n_payg_price, 0) = 0 THEN 0 "
    "ELSE coalesce(nullif(n_payg_cost_in_billing_currency, 0), "
    f"{product('list_unit_price', 'n_quantity')}) END",
    "contracted_cost": "CASE WHEN v_beside THEN 0 WHEN v_bought THEN n_cost_in_billing_currency "
    f"ELSE coalesce({product('contracted_unit_price', 'n_quantity')}, "
    "CASE WHEN n_unit_price <> 0 THEN "
    f"{product('n_unit_price', 'n_quantity', 'n_exchange_rate_pricing_to_billing')} END) END",
    "pricing_currency": "n_pricing_currency",
    "pricing_category": "CASE WHEN n_commitment AND n_charge NOT IN ('purchase', 'refund') "
    "THEN 'Committed' WHEN n_commitment THEN 'Standard' "
    "WHEN lower(n_pricing_model) = 'spot' THEN 'Dynamic' "
    "WHEN lower(replace(n_pricing_model, '-', '')) = 'ondemand' THEN 'Standard' "
    "WHEN n_pricing_model IS NOT NULL THEN 'Other' END",
    "invoice_id": "n_invoice_id",
    "invoice_issuer_name": "coalesce(n_reseller_name, 'Microsoft')",
    "provider_name": "'Microsoft'",
    "publisher_name": "coalesce(n_publisher_name, "
    "CASE WHEN lower(coalesce(n_publisher_type, 'azure')) = 'azure' THEN 'Microsoft' END)",
    "resource_id": f"lower({_ID})",
    "resource_name": "coalesce(n_resource_name, nullif(regexp_extract(n_resource_id, "
    "'([^/]+)$', 1), ''))",
    "resource_type": "CASE WHEN resource_id LIKE '%/providers/%/%' THEN "
    f"array_to_string(list_concat([{_TYPE_PARTS}[1]], list_filter({_TYPE_PARTS}[2:], "
    "lambda part, place: place % 2 = 1 AND part <> '')), '/') END",
    "v_region": "trim(regexp_replace(n_resource_location, '\\s+', ' ', 'g'))",
    "region_id": f"coalesce({worded('v_region', REGIONS)}, lower(replace(v_region, ' ', '')))",
    "region_name": "n_resource_location",
    "availability_zone": "n_availability_zone",
    "v_provider": "coalesce(lower(n_consumed_service), split_part(resource_type, '/', 1))",
    "v_category": f"coalesce({worded('resource_type', TYPES)}, {worded('v_provider', PROVIDERS)}, "
    f"{worded('n_service_family', FAMILIES)})",
    "service_category": "coalesce(v_category, 'Other')",
    "service_name": "coalesce(n_meter_category, n_consumed_service, n_product_name)",
    "sku_id": "coalesce(n_product_id, n_meter_id)",
    "sku_meter": "n_meter_name",
    "sku_price_id": "n_part_number",
    # generated exports write no tags as a pair of quotes
    "tags": "CASE WHEN n_tags NOT IN ('\"\"', '{}') THEN n_tags END",
}

CHECKS = (
    Check(
        "time_unreadable",
        "Date",
        "(n_date IS NOT NULL AND n_day IS NULL)",
        "quoted(n_date) || ' is not a date such as 2025-01-31 or 01/31/2025'",
    ),
    *(
        Check(
            "time_unreadable",
            column,
            f"({native} IS NOT NULL AND {day} IS NULL)",
            f"quoted({native}) || ' is not a date such as 2025-01-31 or 01/31/2025'",
        )
        for column, native, day in (
            ("BillingPeriodStartDate", "n_billing_period_start_date", "n_first"),
            ("BillingPeriodEndDate", "n_billing_period_end_date", "n_last"),
        )
    ),
    Check(
        "dataset_unknown",
        "ChargeType",
        f"({_BOTH} AND file_kind IS NULL)",
        "'the delivery has both the actual and the amortised export, and nothing in this file, its "
        "name or its folder tells which it is of: name it so, or deliver one export alone'",
    ),
    Check(
        "dataset_mixed",
        "ChargeType",
        "(file_kind = 'mixed')",
        "'its file has purchases of commitments and their spread cost, which would count both: "
        "deliver the actual and the amortised export as files of their own'",
    ),
)

_NOTES = (
    (
        "CostInBillingCurrency",
        Note(
            "amortised_as_billed",
            f"(file_kind = 'amortised' AND NOT {_BOTH} AND {_AMORTISED})",
            "The actual export beside the amortised one; alone, the spread cost of commitments "
            "stands for what was billed",
            "Deliver both exports if billed cost should be that of the invoice.",
        ),
    ),
    (
        "CostInBillingCurrency",
        Note(
            "amortised_missing",
            f"(n_commitment AND NOT {_BOTH} AND file_kind = 'actual')",
            "The amortised export beside the actual one; alone, effective cost lacks what "
            "commitments cover",
            "Deliver both exports if effective cost should be whole.",
        ),
    ),
    (
        "CostInBillingCurrency",
        Note(
            "counted_once",
            "v_beside",
            "Each cost once; billed cost is taken from the actual export, effective cost and "
            "quantities from the amortised one",
            "Nothing to do.",
        ),
    ),
    (
        "PayGPrice",
        Note("list_cost_missing", "(list_cost IS NULL)", "A list price; 0 means that it is missing",
             "Nothing to do; savings against list prices leave these rows out."),
    ),
    (
        "UnitPrice",
        Note("contracted_cost_missing", "(contracted_cost IS NULL)",
             "A contracted price; 0 or none means that it is missing", "Nothing to do."),
    ),
    ("ConsumedService", SERVICE_UNLISTED),
    (
        "ResourceId",
        Note("id_case", "(resource_id <> n_resource_id)",
             "Ids in lower case, as they are compared; the delivered text is in x_columns",
             "Nothing to do: it was mended."),
    ),
)  # fmt: skip


@dataclass(frozen=True)
class AzureFormat(BillFormat):
    """A bill of Azure Cost Management."""

    def view(self, columns: Sequence[RawColumn], files: str) -> View:
        """See `Format`. Resource ids are in lower case; the delivered one is kept if it differs."""
        view = super().view(columns, files)
        view = replace(view, kind=_KIND)
        view.extras.append(
            RawColumn("ResourceId", "CASE WHEN resource_id <> n_resource_id THEN n_resource_id END",
                      "VARCHAR")
        )  # fmt: skip
        return view


def _azure(label: str) -> AzureFormat:
    return AzureFormat(
        label=label,
        natives=NATIVES,
        values=VALUES,
        file_cost=f"CASE WHEN {_BOTH} AND file_kind = 'amortised' THEN 0 "
        "ELSE n_cost_in_billing_currency END",
        file_rest=f"CASE WHEN {_BOTH} AND file_kind = 'amortised' THEN 0 "
        "ELSE rest_cost_in_billing_currency END",
        checks=CHECKS,
        notes=_NOTES,
    )


AZURE_EA = _azure("azure_ea")
AZURE_MCA = _azure("azure_mca")
"""The columns of either agreement are taken under both names: real exports mix them."""
