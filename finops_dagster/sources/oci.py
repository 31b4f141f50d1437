"""Oracle Cloud's cost reports (`reports/cost-csv`), as charges.

Oracle's FOCUS reports are read by `focus`. Usage reports have no costs and are no bill.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from finops_dagster.domain.schemas import LogicalType
from finops_dagster.sources.bills import BillFormat, Native
from finops_dagster.sources.parsing import Note, RawColumn, as_text, literal
from finops_dagster.sources.sql_words import SERVICE_UNLISTED, worded

_M, _T = LogicalType.MONEY, LogicalType.TIME

NATIVES = (
    Native("line_item_tenant_id", required=True),
    Native("line_item_interval_usage_start", _T, required=True),
    Native("line_item_interval_usage_end", _T, required=True),
    Native("line_item_is_correction", aliases=("usageIsCorrection",)),
    Native("cost_my_cost", _M, required=True, deep=True),
    Native("cost_my_cost_overage", _M, kept=True),
    Native("cost_currency_code", required=True),
    Native("cost_unit_price", _M),
    Native("cost_subscription_id"),
    Native("cost_product_sku"),
    Native("cost_sku_unit_description"),
    Native("cost_billing_unit_readable"),
    Native("product_service"),
    Native("product_resource"),
    Native("product_resource_id"),
    Native("product_compartment_id"),
    Native("product_compartment_name"),
    Native("product_description"),
    Native("product_region"),
    Native("product_availability_domain"),
    Native("usage_billed_quantity", _M),
)
"""Source: "Cost and Usage Reports" (docs.oracle.com/iaas/Content/Billing)."""

_SERVICES: Mapping[str, str] = {
    "analytics": "Analytics",
    "api_gateway": "Integration",
    "apigateway": "Integration",
    "autonomous_database": "Databases",
    "big_data": "Analytics",
    "block_storage": "Storage",
    "compute": "Compute",
    "container_engine": "Compute",
    "data_catalog": "Analytics",
    "data_flow": "Analytics",
    "data_integration": "Integration",
    "data_science": "AI and Machine Learning",
    "database": "Databases",
    "dns": "Networking",
    "email_delivery": "Integration",
    "events": "Integration",
    "file_storage": "Storage",
    "functions": "Compute",
    "generative_ai": "AI and Machine Learning",
    "golden_gate": "Integration",
    "healthchecks": "Management and Governance",
    "identity": "Identity",
    "integration": "Integration",
    "kms": "Security",
    "load_balancer": "Networking",
    "lbaas": "Networking",
    "logging": "Management and Governance",
    "logging_analytics": "Management and Governance",
    "monitoring": "Management and Governance",
    "mysql": "Databases",
    "network": "Networking",
    "network_firewall": "Security",
    "nosql": "Databases",
    "notifications": "Integration",
    "object_storage": "Storage",
    "objectstore": "Storage",
    "postgresql": "Databases",
    "queue": "Integration",
    "redis": "Databases",
    "streaming": "Analytics",
    "telemetry": "Management and Governance",
    "vault": "Security",
    "waf": "Security",
}
"""product/service -> FOCUS ServiceCategory. Source: Oracle Cloud's list of services
(docs.oracle.com/iaas), FOCUS for the categories."""
_SERVICE = "replace(lower(n_product_service), ' ', '_')"

VALUES = {
    "billing_period_start": "date_trunc('month', n_line_item_interval_usage_start)"
    "::DATE::TIMESTAMPTZ",
    "billing_period_end": "(billing_period_start::DATE + INTERVAL 1 MONTH)::TIMESTAMPTZ",
    "charge_period_start": "n_line_item_interval_usage_start",
    "charge_period_end": "n_line_item_interval_usage_end",
    "billed_cost": "n_cost_my_cost",
    "effective_cost": "n_cost_my_cost",
    "contracted_cost": "n_cost_my_cost",
    "contracted_unit_price": "n_cost_unit_price",
    "billing_currency": "n_cost_currency_code",
    "billing_account_id": "coalesce(n_cost_subscription_id, n_line_item_tenant_id)",
    "sub_account_id": "n_line_item_tenant_id",
    "sub_account_type": "'Tenancy'",
    "charge_category": "CASE WHEN n_cost_my_cost < 0 AND n_usage_billed_quantity IS NULL "
    "THEN 'Credit' ELSE 'Usage' END",
    "charge_class": "CASE WHEN lower(n_line_item_is_correction) = 'true' THEN 'Correction' END",
    "charge_description": "n_product_description",
    "charge_frequency": "CASE charge_category WHEN 'Usage' THEN 'Usage-Based' ELSE 'One-Time' END",
    "consumed_quantity": "CASE WHEN charge_category = 'Usage' THEN n_usage_billed_quantity END",
    "pricing_quantity": "n_usage_billed_quantity",
    "pricing_unit": "coalesce(n_cost_sku_unit_description, n_cost_billing_unit_readable)",
    "consumed_unit": "CASE WHEN consumed_quantity IS NOT NULL THEN pricing_unit END",
    "pricing_category": "CASE charge_category WHEN 'Usage' THEN 'Standard' END",
    "invoice_issuer_name": "'Oracle'",
    "provider_name": "'Oracle'",
    "publisher_name": "'Oracle'",
    "region_id": "n_product_region",
    "availability_zone": "n_product_availability_domain",
    "resource_id": "n_product_resource_id",
    # ocid1.TYPE.REALM.REGION.ID
    "resource_type": "nullif(regexp_extract(n_product_resource_id, '^ocid1\\.([^.]+)\\.', 1), '')",
    "service_name": "n_product_service",
    "v_category": worded(_SERVICE, _SERVICES),
    "service_category": "coalesce(v_category, 'Other')",
    "sku_id": "n_cost_product_sku",
    "sku_meter": "n_product_resource",
    "tags": "NULL::MAP(VARCHAR, VARCHAR)",
}


class OciFormat(BillFormat):
    """A bill of Oracle Cloud."""

    def dynamic(self, left: Sequence[RawColumn]) -> tuple[dict[str, str], list[RawColumn]]:
        """One column per tag: `tags/NAMESPACE.KEY`, `tags/KEY`."""
        tags = {c.name[len("tags/") :]: c for c in left if c.name.lower().startswith("tags/")}
        if not tags:
            return {}, list(left)
        pairs = ", ".join(
            f"{{'key': {literal(key)}, 'value': nullif({as_text(column)}, '')}}"
            for key, column in tags.items()
        )
        given = f"list_filter([{pairs}], lambda tag: tag.value IS NOT NULL)"
        sql = f"CASE WHEN len({given}) > 0 THEN map_from_entries({given}) END"
        return {"tags": sql}, [column for column in left if column not in tags.values()]


OCI = OciFormat(
    label="oci",
    natives=NATIVES,
    values=VALUES,
    file_cost="n_cost_my_cost",
    file_rest="rest_cost_my_cost",
    notes=(
        ("product/service", SERVICE_UNLISTED),
        (
            "cost/myCostOverage",
            Note(
                "overage",
                "(coalesce(n_cost_my_cost_overage, 0) <> 0)",
                "Cost within the commitment; this is beyond it, and part of cost/myCost",
                "Nothing to do: it is kept in x_columns.",
            ),
        ),
    ),
)
