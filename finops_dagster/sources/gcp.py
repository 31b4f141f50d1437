"""Google Cloud's detailed (and standard) usage cost export from BigQuery, as charges.

Nested Parquet, JSON and CSV with dotted names alike. Google's words are in `gcp_words`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from finops_dagster.domain.errors import Fault
from finops_dagster.domain.schemas import LogicalType
from finops_dagster.sources.bills import BillFormat, Native
from finops_dagster.sources.deep_decimals import REST, deep
from finops_dagster.sources.gcp_words import SERVICES
from finops_dagster.sources.nested import fields, flat
from finops_dagster.sources.parsing import (
    Note,
    RawColumn,
    as_text,
    exact_decimal,
    literal,
    squeeze,
)
from finops_dagster.sources.sql_words import SERVICE_UNLISTED, worded
from finops_dagster.sources.views import Check, View

_M, _T = LogicalType.MONEY, LogicalType.TIME

NATIVES = (
    Native("billing_account_id", required=True),
    Native("cost", _M, required=True, kept=True, deep=True),
    Native("currency", required=True),
    Native("usage_start_time", _T, required=True),
    Native("usage_end_time", _T),
    Native("invoice_month"),
    Native("cost_type", kept=True),
    Native("service_id"),
    Native("service_description"),
    Native("sku_id"),
    Native("sku_description"),
    Native("project_id"),
    Native("project_name"),
    Native("project_labels"),
    Native("labels"),
    Native("location_location"),
    Native("location_region"),
    Native("location_zone"),
    Native("usage_amount", _M),
    Native("usage_unit"),
    Native("usage_amount_in_pricing_units", _M),
    Native("usage_pricing_unit"),
    Native("resource_global_name"),
    Native("resource_name"),
    Native("price_list_price", _M),
    Native("price_effective_price", _M),
    Native("cost_at_list", _M),
    Native("seller_name"),
    Native("adjustment_info_type", kept=True),
    Native("subscription_instance_id"),
)
"""Source: "Structure of Detailed data export" (docs.cloud.google.com/billing)."""

_PARENTS: Mapping[str, tuple[str, ...]] = {
    "invoice": ("month",),
    "service": ("id", "description"),
    "sku": ("id", "description"),
    "project": ("id", "name", "labels"),
    "location": ("location", "region", "zone"),
    "usage": ("amount", "unit", "amount_in_pricing_units", "pricing_unit"),
    "resource": ("name", "global_name"),
    "price": ("list_price", "effective_price"),
    "adjustment_info": ("type",),
    "subscription": ("instance_id",),
}
"""Nested columns, and those of their fields that are natives."""

_STRINGS = r""""(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*\'"""
_MASK = rf"""(?s):\s*(?:["']([-+]?[0-9.]+(?:[eE][-+]?[0-9]+)?)["']|{_STRINGS})"""
_AMOUNT = r"""["']amount["']\s*:\s*([-+0-9.eE]+)"""
_COMMITMENT_FEE = "coalesce(n_sku_description ILIKE 'commitment%', false)"
_KNOWN_TYPES = "('regular', 'tax', 'adjustment', 'rounding_error')"


_CREDIT, _CREDIT_REST = deep("one", exact_decimal("one"))

VALUES = {
    # what credits are is told by their column's type: see `dynamic`
    "n_credits": "NULL::VARCHAR[]",
    "n_credit_count": "0",
    "n_credit": f"try(coalesce(list_sum(list_transform(n_credits, lambda one: {_CREDIT})), 0))"
    "::DECIMAL(38,20)",
    "rest_credit": "coalesce(list_sum(list_transform(n_credits, "
    f"lambda one: {_CREDIT_REST})), 0)::{REST}",
    "n_month": "try_strptime(left(replace(n_invoice_month, '-', ''), 6), '%Y%m')::DATE",
    "billing_period_start": "coalesce(n_month, "
    "date_trunc('month', n_usage_start_time)::DATE)::TIMESTAMPTZ",
    "billing_period_end": "(billing_period_start::DATE + INTERVAL 1 MONTH)::TIMESTAMPTZ",
    "charge_period_start": "n_usage_start_time",
    "charge_period_end": "coalesce(n_usage_end_time, n_usage_start_time + INTERVAL 1 HOUR)",
    "billed_cost": "try(n_cost + n_credit)",
    "effective_cost": "billed_cost",
    "contracted_cost": "n_cost",
    "list_cost": "CASE WHEN n_cost_type = 'regular' THEN n_cost_at_list ELSE n_cost END",
    "list_unit_price": "n_price_list_price",
    "contracted_unit_price": "n_price_effective_price",
    "billing_currency": "n_currency",
    "billing_account_id": "n_billing_account_id",
    "sub_account_id": "n_project_id",
    "sub_account_name": "n_project_name",
    "sub_account_type": "CASE WHEN sub_account_id IS NOT NULL THEN 'Project' END",
    "charge_category": "CASE n_cost_type WHEN 'tax' THEN 'Tax' WHEN 'adjustment' THEN 'Adjustment' "
    "WHEN 'rounding_error' THEN 'Adjustment' "
    f"ELSE CASE WHEN {_COMMITMENT_FEE} THEN 'Purchase' "
    "WHEN n_cost = 0 AND n_credit <> 0 AND n_usage_amount IS NULL THEN 'Credit' "
    "ELSE 'Usage' END END",
    "charge_class": "CASE WHEN n_adjustment_info_type ILIKE '%_CORRECTION' THEN 'Correction' END",
    "charge_description": "n_sku_description",
    "charge_frequency": "CASE charge_category WHEN 'Usage' THEN 'Usage-Based' "
    "WHEN 'Purchase' THEN 'Recurring' WHEN 'Tax' THEN 'Recurring' ELSE 'One-Time' END",
    "commitment_discount_id": "n_subscription_instance_id",
    "consumed_quantity": "CASE WHEN charge_category = 'Usage' THEN n_usage_amount END",
    "consumed_unit": "CASE WHEN consumed_quantity IS NOT NULL THEN n_usage_unit END",
    "pricing_quantity": "n_usage_amount_in_pricing_units",
    "pricing_unit": "n_usage_pricing_unit",
    "pricing_category": "CASE WHEN charge_category IN ('Usage', 'Purchase') THEN "
    "CASE WHEN n_sku_description ILIKE '%spot preemptible%' THEN 'Dynamic' "
    "ELSE 'Standard' END END",
    "invoice_issuer_name": "'Google Cloud'",
    "provider_name": "'Google Cloud'",
    "publisher_name": "coalesce(n_seller_name, 'Google Cloud')",
    "region_id": "coalesce(n_location_region, n_location_location)",
    "availability_zone": "n_location_zone",
    "resource_id": "coalesce(n_resource_global_name, n_resource_name)",
    "resource_name": "n_resource_name",
    "service_name": "n_service_description",
    "v_category": worded("n_service_description", SERVICES),
    "service_category": "coalesce(v_category, 'Other')",
    "sku_id": "n_sku_id",
    "sku_meter": "n_sku_description",
    # maps and objects are tags as they are; lists have both kinds of labels
    "tags": "CASE WHEN n_labels LIKE '{%' THEN n_labels "
    "WHEN v_own = '' AND v_project = '' THEN NULL "
    "ELSE '[' || concat_ws(',', nullif(v_own, ''), nullif(v_project, '')) || ']' END",
}


def _items(labels: str) -> str:
    """SQL of what is between the brackets of a list of labels; empty if there is nothing."""
    return f"coalesce(trim(regexp_extract({labels}, '(?s)^\\s*\\[(.*)\\]\\s*$', 1)), '')"


def _ordered() -> dict[str, str]:
    project = (
        f"regexp_replace({_items('n_project_labels')}, "
        """'([{,]\\s*["'']key["'']\\s*:\\s*["''])', '\\1project/', 'g')"""
    )
    last = VALUES["tags"]
    rest = {name: sql for name, sql in VALUES.items() if name != "tags"}
    return {**rest, "v_own": _items("n_labels"), "v_project": project, "tags": last}


CHECKS = (
    Check(
        "credits_unreadable",
        "credits",
        "(n_credit_count <> coalesce(len(n_credits), 0) "
        f"OR len(list_filter(n_credits, lambda one: {_CREDIT} IS NULL)) > 0)",
        "'its credits are no list of objects with an amount each'",
    ),
    Check(
        "month_unreadable",
        "invoice.month",
        "(n_invoice_month IS NOT NULL AND n_month IS NULL)",
        "quoted(n_invoice_month) || ' is not a month such as 202501'",
    ),
)

_NOTES = (
    ("cost_at_list", Note("list_cost_missing", "(list_cost IS NULL)",
                          "A cost at list prices; taken as missing",
                          "Nothing to do; savings against list prices leave these rows out.")),
    ("invoice.month", Note("invoice_month_missing", "(n_invoice_month IS NULL)",
                           "An invoice month; the month of the usage was taken", "Nothing to do.")),
    ("invoice.month", Note("crossover_month",
                           "(date_trunc('month', n_usage_start_time)::DATE <> n_month)",
                           "Usage of the month of its invoice; it is billed with another month's",
                           "Nothing to do: both months are kept.")),
    ("cost_type", Note("word_unlisted", f"(n_cost_type NOT IN {_KNOWN_TYPES})",
                       "A cost type that is known here; counted as usage", "Nothing to do.")),
    ("service.description", SERVICE_UNLISTED),
)  # fmt: skip


@dataclass(frozen=True)
class GcpFormat(BillFormat):
    """A bill of Google Cloud."""

    def view(self, columns: Sequence[RawColumn], files: str) -> View:
        """See `Format`. Nested columns are taken apart first."""
        flattened = tuple(flat(columns, _PARENTS))
        view = super().view(flattened, files)
        if "credits" not in {squeeze(column.name) for column in flattened}:
            view.tolerated.append(_no_credits(files))
        return view

    def dynamic(self, left: Sequence[RawColumn]) -> tuple[dict[str, str], list[RawColumn]]:
        """Amounts of credits, as the texts they are written in, and how many credits there are."""
        found = [column for column in left if squeeze(column.name) == "credits"]
        if not found:
            return {}, list(left)
        credits = found[0]
        shown = RawColumn("credits", f"nullif(nullif(({as_text(credits)}), '[]'), '')", "VARCHAR")
        rest = [shown if column is credits else column for column in left]
        if _amounts(credits.type):
            amounts = f"list_transform({credits.sql}, lambda one: one.amount::VARCHAR)"
            count = f"coalesce(len({credits.sql}), 0)"
            return {"n_credits": amounts, "n_credit_count": count}, rest
        text = as_text(credits)
        masked = f"regexp_replace({text}, {literal(_MASK)}, ': \\1', 'g')"
        return {
            "n_credits": f"regexp_extract_all({masked}, {literal(_AMOUNT)}, 1)",
            # text that is no list at all has no object that could be counted
            "n_credit_count": f"CASE WHEN {text} IS NULL OR trim({text}) "
            "IN ('', '[]', 'null', 'NULL', 'None') THEN 0 "
            f"ELSE greatest(1, len(string_split({masked}, '{{')) - 1) END",
        }, rest


def _no_credits(files: str) -> Fault:
    return Fault(
        code="credits_absent",
        file=files,
        column="credits",
        expected="A column credits; without it costs are before every discount that is one.",
        hint="Export the column: what is owed is cost and credits.",
    )


def _amounts(type_: str) -> bool:
    """Whether it is a list of structs with an amount."""
    return (
        type_.startswith("STRUCT(")
        and type_.endswith(")[]")
        and "amount" in {name.lower() for name, _ in fields(type_.removesuffix("[]"))}
    )


GCP_DETAILED = GcpFormat(
    label="gcp_detailed",
    natives=NATIVES,
    values=_ordered(),
    file_cost="n_cost + n_credit",
    file_rest="rest_cost + rest_credit",
    checks=CHECKS,
    notes=_NOTES,
)
