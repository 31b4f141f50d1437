"""Names and closed lists of FOCUS 1.0 to 1.4, and which version brought which column.

Source: the FOCUS specification's column pages (focus.finops.org), versions 1.0 to 1.4.
"""

from __future__ import annotations

from finops_dagster.domain.schemas import FOCUS_COLUMNS
from finops_dagster.sources.parsing import squeeze


def focus_name(column: str) -> str:
    """billing_account_id -> BillingAccountId."""
    return "".join(part.capitalize() for part in column.split("_"))


NAMES: dict[str, str] = {squeeze(column.name): column.name for column in FOCUS_COLUMNS}
"""Squeezed FOCUS name -> column of the table."""

ALIASES: dict[str, str] = {
    "invoiceissuer": "invoice_issuer_name",
    "provider": "provider_name",
    "publisher": "publisher_name",
    "hostprovider": "host_provider_name",
    "serviceprovider": "service_provider_name",
}
"""The display names that differ from the column's id. They count only where the column itself is
absent."""

JSON_COLUMNS = (
    "allocated_method_details",
    "commitment_program_eligibility_details",
    "contract_applied",
    "sku_price_details",
)
"""JSON objects kept as text: they hold numbers and lists, which a map of text would not."""

DROPPED = ("provider_name", "publisher_name")
"""Columns to 1.3 that 1.4 does not have any more."""

_NEW_IN: dict[str, tuple[str, ...]] = {
    "1.4": ("commitmentprogrameligibilitydetails", "invoicedetailid"),
    "1.3": (
        "allocatedmethodid",
        "allocatedmethoddetails",
        "allocatedresourceid",
        "allocatedresourcename",
        "allocatedtags",
        "contractapplied",
        "hostprovidername",
        "serviceprovidername",
    ),
    "1.2": (
        "billingaccounttype",
        "invoiceid",
        "pricingcurrency",
        "pricingcurrencycontractedunitprice",
        "pricingcurrencyeffectivecost",
        "pricingcurrencylistunitprice",
        "subaccounttype",
    ),
    "1.1": (
        "capacityreservationid",
        "capacityreservationstatus",
        "commitmentdiscountquantity",
        "commitmentdiscountunit",
        "servicesubcategory",
        "skumeter",
        "skupricedetails",
    ),
}


_DATASETS: dict[str, tuple[str, ...]] = {
    "Contract Commitment": ("contractcommitmentid", "contractcommitmentcategory"),
    "Billing Period": ("billingperiodstatus",),
    "Invoice Detail": ("invoicedetailgrain", "invoiceissuestatus"),
}
"""Datasets of FOCUS 1.3 and 1.4 beside Cost and Usage, by columns that only they have."""


def dataset_of(squeezed: set[str]) -> str:
    """Which FOCUS dataset these columns are of; Cost and Usage is the bill."""
    if "chargeperiodstart" in squeezed:
        return "Cost and Usage"
    for dataset, names in _DATASETS.items():
        if squeezed.intersection(names):
            return dataset
    return "Cost and Usage"


def version_of(squeezed: set[str]) -> str:
    """The newest version that brought one of these columns; 1.0 if none did.

    1.4 brought only conditional columns, but dropped two that every bill before had.
    """
    if "serviceprovidername" in squeezed and not squeezed & {squeeze(name) for name in DROPPED}:
        return "1.4"
    for version, names in _NEW_IN.items():
        if squeezed.intersection(names):
            return version
    return "1.0"


def introduced(column: str) -> str:
    """The version that brought a column of the table."""
    for version, names in _NEW_IN.items():
        if squeeze(column) in names:
            return version
    return "1.0"


def _words(*words: str) -> dict[str, str]:
    return {squeeze(word): word for word in words}


DECISIVE: dict[str, dict[str, str]] = {
    "charge_category": _words("Usage", "Purchase", "Tax", "Credit", "Adjustment"),
    "charge_class": _words("Correction"),
    "charge_frequency": _words("One-Time", "Recurring", "Usage-Based"),
    "commitment_discount_status": _words("Used", "Unused"),
}
"""Lists that decide how money is counted: a word outside of them faults its row."""

DESCRIPTIVE: dict[str, dict[str, str]] = {
    "pricing_category": _words("Standard", "Dynamic", "Committed", "Other"),
    "commitment_discount_category": _words("Spend", "Usage"),
    "capacity_reservation_status": _words("Used", "Unused"),
    "service_category": _words(
        "AI and Machine Learning", "Analytics", "Business Applications", "Compute", "Databases",
        "Developer Tools", "Multicloud", "Identity", "Integration", "Internet of Things",
        "Management and Governance", "Media", "Migration", "Mobile", "Networking", "Security",
        "Storage", "Web", "Other",
    ),
}  # fmt: skip
"""Lists that only describe: a word outside of them is kept and reported."""
