"""AWS Cost and Usage Reports, legacy and 2.0, CSV and Parquet: what each line item is in FOCUS.

AWS's words are in `aws_cur_words`. Sources: AWS's data dictionary of CUR 2.0 and of the legacy CUR
(docs.aws.amazon.com/cur), its amortised-cost queries (CUR Query Library), the FOCUS specification.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from finops_dagster.domain.schemas import LogicalType
from finops_dagster.sources.aws_cur_words import category, resource_type, subcategory, unit
from finops_dagster.sources.bills import BillFormat, Native
from finops_dagster.sources.parsing import Note, RawColumn, as_text, literal, parse_map, squeeze
from finops_dagster.sources.sql_words import SERVICE_UNLISTED
from finops_dagster.sources.views import Check

_M, _T, _MAP = LogicalType.MONEY, LogicalType.TIME, LogicalType.STRING_MAP

NATIVES = (
    Native("bill_bill_type", kept=True),
    Native("bill_billing_entity", kept=True),
    Native("bill_billing_period_start_date", _T, required=True),
    Native("bill_billing_period_end_date", _T),
    Native("bill_invoice_id"),
    Native("bill_invoicing_entity"),
    Native("bill_payer_account_id", required=True),
    Native("bill_payer_account_name"),
    Native("capacity_reservation_capacity_reservation_arn"),
    Native("capacity_reservation_capacity_reservation_status"),
    Native("line_item_availability_zone"),
    Native("line_item_currency_code", required=True),
    Native("line_item_legal_entity"),
    Native("line_item_line_item_description"),
    Native("line_item_line_item_type", required=True, kept=True),
    Native("line_item_net_unblended_cost", _M, deep=True, kept=True),
    Native("line_item_product_code", kept=True),
    Native("line_item_resource_id"),
    Native("line_item_unblended_cost", _M, deep=True, required=True, kept=True),
    Native("line_item_unblended_rate", _M, deep=True),
    Native("line_item_usage_account_id"),
    Native("line_item_usage_account_name"),
    Native("line_item_usage_amount", _M, deep=True, kept=True),
    Native("line_item_usage_end_date", _T),
    Native("line_item_usage_start_date", _T),
    Native("line_item_usage_type"),
    Native("pricing_currency"),
    Native("pricing_public_on_demand_cost", _M, deep=True, kept=True),
    Native("pricing_public_on_demand_rate", _M, deep=True),
    Native("pricing_rate_code"),
    Native("pricing_rate_id"),
    Native("pricing_unit"),
    Native("product", _MAP),
    Native("product_location"),
    Native("product_product_family", kept=True),
    Native("product_product_name"),
    Native("product_region"),
    Native("product_region_code"),
    Native("product_sku"),
    Native("reservation_effective_cost", _M, deep=True, kept=True),
    Native("reservation_net_effective_cost", _M, deep=True, kept=True),
    Native(
        "reservation_net_unused_amortized_upfront_fee_for_billing_period", _M, deep=True, kept=True
    ),
    Native("reservation_net_unused_recurring_fee", _M, deep=True, kept=True),
    Native("reservation_reservation_arn"),
    Native("reservation_total_reserved_units", _M, deep=True, kept=True),
    Native("reservation_unused_amortized_upfront_fee_for_billing_period", _M, deep=True, kept=True),
    Native("reservation_unused_recurring_fee", _M, deep=True, kept=True),
    Native("savings_plan_net_savings_plan_effective_cost", _M, deep=True, kept=True),
    Native("savings_plan_savings_plan_arn"),
    Native("savings_plan_savings_plan_effective_cost", _M, deep=True, kept=True),
    Native("savings_plan_total_commitment_to_date", _M, deep=True, kept=True),
    Native("savings_plan_used_commitment", _M, deep=True, kept=True),
    Native("split_line_item_parent_resource_id", kept=True),
)
"""Columns of both reports. `lineItem/UnblendedCost`, `line_item_unblended_cost` and the Athena
spelling `..._a_r_n` are one name once letter case and punctuation are gone."""

_TYPE = "n_line_item_line_item_type"
_COVERED = f"{_TYPE} = 'SavingsPlanCoveredUsage'"
_NEGATION = f"{_TYPE} = 'SavingsPlanNegation'"
_PLAN = f"({_COVERED} OR {_NEGATION})"
_RESERVED = "n_reservation_reservation_arn IS NOT NULL"
_METERED = f"{_TYPE} IN ('Usage', 'SavingsPlanCoveredUsage', 'DiscountedUsage')"
_FEES = "('Fee', 'RIFee', 'SavingsPlanUpfrontFee', 'SavingsPlanRecurringFee')"
_AFTER = "('Tax', 'Credit', 'Refund')"
_SPLIT = "n_split_line_item_parent_resource_id IS NOT NULL"
_OF_PLAN = (
    "(n_savings_plan_savings_plan_arn IS NOT NULL OR n_line_item_product_code LIKE '%SavingsPlans')"
)

_NET = "(SELECT any_value('net') FROM before WHERE n_line_item_net_unblended_cost <> 0)"
"""Whether the file has costs after negotiated discounts. AWS has the columns where there was such a
discount; CUR 2.0 may have them always, and a column of zeros is nobody's bill."""


def _net(net: str, gross: str) -> str:
    return f"CASE WHEN n_net IS NULL THEN n_{gross} ELSE coalesce(n_{net}, n_{gross}) END"


_OF_PLAN_USED = _net(
    "savings_plan_net_savings_plan_effective_cost", "savings_plan_savings_plan_effective_cost"
)
_UPFRONT_UNUSED = _net(
    "reservation_net_unused_amortized_upfront_fee_for_billing_period",
    "reservation_unused_amortized_upfront_fee_for_billing_period",
)
_RECURRING_UNUSED = _net("reservation_net_unused_recurring_fee", "reservation_unused_recurring_fee")

_PLANS = f"""(SELECT coalesce(to_json(map_from_entries(list(
    {{'k': n_plan_key, 'v': {{'place': place, 'rest': rest::VARCHAR}}}}))), '{{}}'::JSON)::VARCHAR
  FROM (SELECT n_plan_key, sum(n_cost) AS rest,
      min(file_no * 1000000000000 + row_number) FILTER ({_NEGATION}) AS place
    FROM before WHERE {_PLAN} GROUP BY n_plan_key
    HAVING abs(rest) <= count(*) * 0.000000001 AND (rest = 0 OR place IS NOT NULL)))"""
"""Payers, currencies and months whose plan negations cancel covered usage, but for rounding: AWS
rounds each line to ten decimals, so a line is off by at most half of the tenth. What rounding left
stays with the first negation."""

_PRODUCT_NAMES = """(SELECT coalesce(to_json(map_from_entries(list(
    {'k': n_line_item_product_code, 'v': name}))), '{}'::JSON)::VARCHAR
  FROM (SELECT n_line_item_product_code, min(n_product_name) AS name
    FROM before WHERE n_line_item_product_code IS NOT NULL AND n_product_name IS NOT NULL
    GROUP BY n_line_item_product_code))"""
"""What the bill itself calls each product: taxes, credits and negations have only the code."""

VALUES = {
    "billing_period_start": "n_bill_billing_period_start_date",
    "billing_period_end": "coalesce(n_bill_billing_period_end_date, "
    "n_bill_billing_period_start_date + INTERVAL 1 MONTH)",
    "billing_account_id": "n_bill_payer_account_id",
    "billing_account_name": "n_bill_payer_account_name",
    "billing_currency": "n_line_item_currency_code",
    "sub_account_id": "n_line_item_usage_account_id",
    "sub_account_name": "n_line_item_usage_account_name",
    "charge_period_start": "coalesce(n_line_item_usage_start_date, billing_period_start)",
    # fees and taxes end at 23:59:59, FOCUS at the next midnight
    "charge_period_end": "CASE WHEN n_line_item_usage_end_date IS NULL THEN billing_period_end "
    "WHEN second(n_line_item_usage_end_date) = 59 AND minute(n_line_item_usage_end_date) = 59 "
    "THEN n_line_item_usage_end_date + INTERVAL 1 SECOND ELSE n_line_item_usage_end_date END",
    "n_net": _NET,
    "n_cost": _net("line_item_net_unblended_cost", "line_item_unblended_cost"),
    "n_plan_key": "concat_ws('|', n_bill_payer_account_id, n_line_item_currency_code, "
    "n_bill_billing_period_start_date::VARCHAR)",
    "n_plans": _PLANS,
    "n_plan": f"CASE WHEN {_PLAN} THEN "
    "(n_plans::JSON::MAP(VARCHAR, STRUCT(place BIGINT, rest VARCHAR)))[n_plan_key] END",
    "billed_cost": "CASE WHEN n_plan IS NULL THEN n_cost "
    "WHEN n_plan['place'] = file_no * 1000000000000 + row_number THEN "
    "n_plan['rest']::DECIMAL(38,20) ELSE 0 END",
    "effective_cost": f"""CASE
        WHEN {_COVERED} THEN {_OF_PLAN_USED}
        WHEN {_TYPE} = 'SavingsPlanRecurringFee' THEN
            n_savings_plan_total_commitment_to_date - n_savings_plan_used_commitment
        WHEN {_TYPE} IN ('SavingsPlanNegation', 'SavingsPlanUpfrontFee') THEN 0
        WHEN {_TYPE} = 'DiscountedUsage' THEN
            {_net("reservation_net_effective_cost", "reservation_effective_cost")}
        WHEN {_TYPE} = 'RIFee' THEN list_sum(list_filter([
            {_UPFRONT_UNUSED}, {_RECURRING_UNUSED}],
            lambda fee: fee IS NOT NULL))
        WHEN {_TYPE} = 'Fee' AND {_RESERVED} THEN 0
        WHEN {_TYPE} = 'Refund' AND {_OF_PLAN} THEN 0
        ELSE n_cost END""",
    "charge_category": f"""CASE
        WHEN {_METERED} OR {_NEGATION} OR {_TYPE} LIKE '%Discount' THEN 'Usage'
        WHEN {_TYPE} IN {_FEES} THEN 'Purchase'
        WHEN {_TYPE} IN ('Tax', 'Credit') THEN {_TYPE}
        ELSE 'Adjustment' END""",
    "charge_class": f"CASE WHEN {_TYPE} = 'Refund' AND (n_bill_bill_type = 'Refund' "
    "OR charge_period_end <= billing_period_start) THEN 'Correction' END",
    "charge_description": "n_line_item_line_item_description",
    "charge_frequency": f"""CASE
        WHEN charge_category = 'Usage' THEN 'Usage-Based'
        WHEN {_TYPE} IN ('RIFee', 'SavingsPlanRecurringFee') THEN 'Recurring'
        WHEN {_TYPE} IN ('Fee', 'Tax') AND n_bill_bill_type = 'Anniversary'
            AND NOT {_RESERVED} THEN 'Recurring'
        ELSE 'One-Time' END""",
    "commitment_discount_id": "coalesce(n_savings_plan_savings_plan_arn, "
    "n_reservation_reservation_arn)",
    "commitment_discount_category": "CASE WHEN n_savings_plan_savings_plan_arn IS NOT NULL "
    f"THEN 'Spend' WHEN {_RESERVED} THEN 'Usage' END",
    "commitment_discount_type": "CASE WHEN n_savings_plan_savings_plan_arn IS NOT NULL "
    f"THEN 'Savings Plan' WHEN {_RESERVED} THEN 'Reserved Instance' END",
    "commitment_discount_status": f"""CASE
        WHEN commitment_discount_id IS NULL THEN NULL
        WHEN charge_category = 'Usage' THEN 'Used'
        WHEN {_TYPE} IN ('RIFee', 'SavingsPlanRecurringFee') AND effective_cost <> 0
            THEN 'Unused' END""",
    "commitment_discount_quantity": f"""CASE
        WHEN commitment_discount_id IS NULL THEN NULL
        WHEN {_COVERED} THEN effective_cost
        WHEN {_TYPE} = 'SavingsPlanRecurringFee' THEN n_savings_plan_total_commitment_to_date
        WHEN {_TYPE} = 'DiscountedUsage' THEN n_line_item_usage_amount
        WHEN {_TYPE} = 'RIFee' THEN n_reservation_total_reserved_units END""",
    "commitment_discount_unit": "CASE WHEN commitment_discount_quantity IS NULL THEN NULL "
    "WHEN commitment_discount_category = 'Spend' THEN billing_currency "
    f"ELSE coalesce({unit('n_pricing_unit')}, 'Hours') END",
    "consumed_quantity": f"CASE WHEN {_METERED} AND NOT {_SPLIT} THEN n_line_item_usage_amount END",
    "consumed_unit": "CASE WHEN consumed_quantity IS NOT NULL THEN "
    f"coalesce({unit('n_pricing_unit')}, 'Units') END",
    "pricing_quantity": "CASE WHEN charge_category = 'Usage' THEN consumed_quantity "
    "WHEN charge_category = 'Purchase' THEN n_line_item_usage_amount END",
    "pricing_unit": "CASE WHEN pricing_quantity IS NOT NULL THEN "
    f"coalesce({unit('n_pricing_unit')}, 'Units') END",
    "pricing_category": f"""CASE
        WHEN {_TYPE} IN {_AFTER} THEN NULL
        WHEN {_PLAN} OR {_TYPE} = 'DiscountedUsage' THEN 'Committed'
        WHEN {_METERED} AND n_line_item_usage_type LIKE '%SpotUsage%' THEN 'Dynamic'
        WHEN {_METERED} OR charge_category = 'Purchase' THEN 'Standard'
        ELSE 'Other' END""",
    "pricing_currency": "n_pricing_currency",
    # zero beside a cost means that AWS has no public price of it
    "list_cost": f"""CASE
        WHEN {_SPLIT} OR {_NEGATION} OR {_TYPE} LIKE '%Discount' THEN 0
        WHEN {_TYPE} IN {_AFTER} THEN n_cost
        WHEN n_pricing_public_on_demand_cost <> 0 OR n_cost = 0
            AND {_TYPE} NOT IN {_FEES} THEN n_pricing_public_on_demand_cost END""",
    "list_unit_price": f"CASE WHEN {_METERED} AND list_cost IS NOT NULL "
    "AND pricing_quantity IS NOT NULL THEN n_pricing_public_on_demand_rate END",
    # net columns are there only where a discount was negotiated: without them it is the list cost
    "contracted_cost": f"""CASE
        WHEN {_NEGATION} THEN 0
        WHEN {_TYPE} = 'DiscountedUsage' THEN
            CASE WHEN n_net IS NULL THEN list_cost END
        ELSE n_cost END""",
    "contracted_unit_price": f"CASE WHEN {_TYPE} IN ('Usage', 'SavingsPlanCoveredUsage') "
    "AND pricing_quantity IS NOT NULL AND n_net IS NULL "
    "THEN n_line_item_unblended_rate END",
    "availability_zone": "n_line_item_availability_zone",
    "region_id": "coalesce(n_product_region_code, n_product_region, n_product['region'])",
    "region_name": "coalesce(n_product_location, n_product['location'])",
    "capacity_reservation_id": "n_capacity_reservation_capacity_reservation_arn",
    "capacity_reservation_status": "CASE WHEN n_capacity_reservation_capacity_reservation_status "
    "IN ('Used', 'Unused') THEN n_capacity_reservation_capacity_reservation_status END",
    "invoice_id": "n_bill_invoice_id",
    "invoice_issuer_name": "coalesce(n_bill_invoicing_entity, CASE WHEN n_bill_billing_entity "
    "= 'AWS' THEN n_line_item_legal_entity END)",
    "provider_name": "'AWS'",
    "publisher_name": "n_line_item_legal_entity",
    "resource_id": "n_line_item_resource_id",
    "resource_type": resource_type("n_line_item_resource_id"),
    "n_product_name": "coalesce(n_product_product_name, n_product['product_name'])",
    "n_product_names": _PRODUCT_NAMES,
    "service_name": "coalesce(n_product_name, (n_product_names::JSON::MAP(VARCHAR, VARCHAR))"
    "[n_line_item_product_code], n_line_item_product_code)",
    "service_subcategory": "CASE WHEN n_line_item_product_code = 'AmazonEC2' AND "
    "(n_product_product_family IN ('Storage', 'Storage Snapshot', 'System Operation', "
    "'Provisioned Throughput') OR n_line_item_usage_type LIKE '%EBS:%') THEN 'Block Storage' "
    f"ELSE {subcategory('n_line_item_product_code')} END",
    "v_category": category("service_subcategory"),
    "service_category": "coalesce(v_category, 'Other')",
    "sku_id": "coalesce(n_product_sku, n_product['sku'])",
    "sku_meter": "n_line_item_usage_type",
    "sku_price_id": "coalesce(n_pricing_rate_code, n_pricing_rate_id)",
}

_NOTES = (
    (
        "line_item_line_item_type",
        Note(
            "line_item_type_unknown",
            f"(charge_category = 'Adjustment' AND {_TYPE} <> 'Refund')",
            "A line item type that AWS documents; another counts as an adjustment at its cost",
            "Say what it is, so that it can be mapped.",
        ),
    ),
    ("line_item_product_code", SERVICE_UNLISTED),
    (
        "line_item_net_unblended_cost",
        Note(
            "net_cost",
            "(n_net IS NOT NULL AND n_line_item_net_unblended_cost IS NOT NULL)",
            "Costs before negotiated discounts; the file has them after, and these are taken",
            "Nothing to do.",
        ),
    ),
    (
        "line_item_unblended_cost",
        Note(
            "savings_plan_not_cancelled",
            f"({_PLAN} AND n_plan IS NULL AND n_cost <> 0)",
            "Negations that cancel what savings plans cover; where they do not, covered usage is "
            "billed as the file has it",
            "Deliver whole months: rows of type SavingsPlanNegation are missing.",
        ),
    ),
    (
        "split_line_item_parent_resource_id",
        Note(
            "split_row",
            f"({_SPLIT})",
            "Charges; rows that only split the cost of another resource among pods or tasks keep "
            "their split cost in x_columns",
            "Nothing to do: the cost is counted once, on the resource.",
        ),
    ),
    (
        "pricing_public_on_demand_cost",
        Note(
            "list_cost_missing",
            "(list_cost IS NULL)",
            "A public price; the file has none, so the list cost is empty",
            "Nothing to do.",
        ),
    ),
)  # fmt: skip

_TAG = re.compile(r"(?:resourceTags/|resource_tags_(?=user_|aws_))(?P<key>.+)", re.DOTALL)
_SHORN = (
    "lambda key: CASE WHEN key LIKE 'aws\\_%' ESCAPE '\\' THEN 'aws:' || substr(key, 5) "
    "ELSE regexp_replace(key, '^user[:_]', '') END"
)


@dataclass(frozen=True)
class AwsCur(BillFormat):
    """Either report: a file may have maps, or columns whose names are tags, or both."""

    def dynamic(self, left: Sequence[RawColumn]) -> tuple[dict[str, str], list[RawColumn]]:
        """See `BillFormat`. Tags are `resource_tags`, `resourceTags/...` and `resource_tags_...`.

        Keys lose the prefix `user:` or `user_`, and `aws_` becomes `aws:`; where two of one row
        would then be the same, all keep theirs.
        """
        named = {m["key"]: c for c in left if (m := _TAG.fullmatch(c.name))}
        maps = {squeeze(c.name): c for c in reversed(left)}
        # CUR 2.0 has resource tags in `tags` too: it serves where they are not chosen by themselves
        whole = maps.get("resourcetags") or maps.get("tags")
        rest = [c for c in left if c is not whole and c not in named.values()]
        if not named:
            return ({"tags": _tags_of(whole)} if whole else {}), rest
        pairs = ", ".join(
            f"{{'key': {literal(key)}, 'value': nullif({as_text(column)}, '')}}"
            for key, column in named.items()
        )
        own = f"map_from_entries(list_filter([{pairs}], lambda tag: tag.value IS NOT NULL))"
        if whole:
            own = f"map_concat(coalesce({_map(whole)}, MAP {{}}), {own})"
        return {"tags": _shorn(own)}, rest


def _map(column: RawColumn) -> str:
    return parse_map(column, "VARCHAR").sql


def _tags_of(column: RawColumn) -> str:
    """A map stays one; text that is no JSON object is left to whoever knows more notations."""
    shorn = _shorn(_map(column))
    if column.type.startswith(("MAP", "STRUCT")):
        return shorn
    text = as_text(column)
    return f"coalesce(to_json({shorn})::VARCHAR, nullif({text}, ''))"


def _shorn(tags: str) -> str:
    """The map with keys as in the docstring of `dynamic`; null for one without keys."""
    keys = f"list_transform(map_keys({tags}), {_SHORN})"
    return (
        f"CASE WHEN cardinality({tags}) = 0 THEN NULL "
        f"WHEN len(list_distinct({keys})) = cardinality({tags}) "
        f"THEN map_from_entries(list_zip({keys}, map_values({tags}))) ELSE {tags} END"
    )


AWS_CUR, AWS_CUR2 = (
    AwsCur(
        label=label,
        natives=NATIVES,
        values=VALUES,
        facts=frozenset({"n_net", "n_plans", "n_product_names"}),
        file_cost="n_cost",
        file_rest="CASE WHEN n_net IS NULL OR n_line_item_net_unblended_cost IS NULL "
        "THEN rest_line_item_unblended_cost ELSE rest_line_item_net_unblended_cost END",
        notes=_NOTES,
        checks=(
            Check(
                "period_reversed",
                "line_item_usage_end_date",
                "(charge_period_end < charge_period_start)",
                "'the period ends before it starts'",
            ),
        ),
    )
    for label in ("aws_cur", "aws_cur2")
)
