"""One provider's charges being collected: rows, and the texts that kinds of charges share.

Which charges there are is said by pods, commitments, adjustments and billing.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from finops_dagster.demo.cloud import Meter
from finops_dagster.demo.company import ACCOUNTS, REGION_NAMES, Provider, tags_of
from finops_dagster.demo.focus import MISSING, Rows, Template
from finops_dagster.demo.noise import Ints

CLOSING = 1_000_000
"""`visible` of what is known only when a month is closed, added to the month's end."""


@dataclass
class Book:
    """Collects templates and rows of one provider's charges."""

    provider: Provider
    templates: list[Template] = field(default_factory=list)
    parts: list[Rows] = field(default_factory=list)

    def add(
        self,
        template: Template,
        start: Ints,
        quantity: Ints | None,
        list_price: Ints | None,
        *,
        end: Ints | None = None,
        visible: Ints | None = None,
        contracted_price: Ints | None = None,
        list_cost: Ints | None = None,
        contracted_cost: Ints | None = None,
        effective_cost: Ints | None = None,
        billed_cost: Ints | None = None,
        commitment_quantity: Ints | None = None,
    ) -> None:
        """Add one row for each entry of `start`; what is not said follows from the rest.

        Contracted price defaults to the list price less the negotiated discount, costs to
        quantity times price, and what is billed to what was contracted.
        """
        count = len(start)
        missing = np.full(count, MISSING, dtype=np.int64)
        if list_price is not None and contracted_price is None:
            contracted_price = discounted(list_price, self.provider.discount_permille)
        if quantity is not None and list_price is not None and contracted_price is not None:
            list_cost = quantity * list_price if list_cost is None else list_cost
            if contracted_cost is None:
                contracted_cost = quantity * contracted_price
        if list_cost is None or contracted_cost is None:
            raise ValueError("a charge needs quantity and price, or its costs")
        self.parts.append(
            Rows(
                template=np.full(count, len(self.templates), dtype=np.int64),
                start=start,
                end=start + 1 if end is None else end,
                visible=start if visible is None else visible,
                quantity=missing if quantity is None else quantity,
                list_price=missing if list_price is None else list_price,
                contracted_price=missing if contracted_price is None else contracted_price,
                list_cost=list_cost,
                contracted_cost=contracted_cost,
                effective_cost=contracted_cost if effective_cost is None else effective_cost,
                billed_cost=contracted_cost if billed_cost is None else billed_cost,
                commitment_quantity=missing if commitment_quantity is None else commitment_quantity,
            )
        )
        self.templates.append(template)

    def rows(self) -> Rows:
        """Every row added, in order."""
        return Rows.joined(self.parts)


def discounted(price: Ints, permille: int) -> Ints:
    """`price` less a discount in thousandths, rounded half up to whole 1e-6 units."""
    result: Ints = (price * (1000 - permille) + 500) // 1000
    return result


def base_texts(provider: Provider, account: str, region: str) -> dict[str, str]:
    """Who bills whom, and where."""
    sub = ACCOUNTS[account]
    return {
        "BillingAccountId": provider.billing_account_id,
        "BillingAccountName": provider.billing_account_name,
        "BillingAccountType": provider.billing_account_type,
        "BillingCurrency": provider.currency,
        "PricingCurrency": provider.currency,
        "ProviderName": provider.name,
        "PublisherName": provider.name,
        "InvoiceIssuerName": provider.invoice_issuer,
        "SubAccountId": sub.id,
        "SubAccountName": sub.name,
        "SubAccountType": provider.sub_account_type,
        "RegionId": region,
        "RegionName": REGION_NAMES[region],
    }


def usage_texts(service: tuple[str, str, str], meter: str, unit: str, sku: str) -> dict[str, str]:
    """Usage of a meter of a service (its name, category and subcategory)."""
    return {
        "ChargeCategory": "Usage",
        "ChargeFrequency": "Usage-Based",
        "PricingCategory": "Standard",
        "ServiceName": service[0],
        "ServiceCategory": service[1],
        "ServiceSubcategory": service[2],
        "SkuMeter": meter,
        "ConsumedUnit": unit,
        "PricingUnit": unit,
        "SkuId": f"SKU-{sku}",
        "SkuPriceId": f"SKU-{sku}-OD",
    }


def resource_id(provider: str, account: str, region: str, kind: str, name: str) -> str:
    """A resource id in the form its provider gives."""
    sub = ACCOUNTS[account].id
    if provider == "aws":
        return f"arn:aws:{kind}:{region}:{sub}:{name}"
    if provider == "azure":
        return f"{sub}/resourceGroups/rg-{kind}/providers/{name}"
    return f"//{kind}.googleapis.com/projects/{sub}/locations/{region}/{name}"


def meter_template(provider: Provider, meter: Meter) -> Template:
    """What every plain charge of a meter says."""
    service = (meter.service.name, meter.service.category, meter.service.subcategory)
    texts = {
        **base_texts(provider, meter.account, meter.region),
        **usage_texts(service, meter.meter, meter.unit, meter.key),
        "ChargeDescription": f"{meter.service.name}: {meter.meter}",
    }
    if meter.resource and meter.resource_type:
        kind = meter.resource_type.lower().replace(" ", "-")
        texts |= {
            "ResourceId": resource_id(
                provider.key, meter.account, meter.region, kind, meter.resource
            ),
            "ResourceName": meter.resource,
            "ResourceType": meter.resource_type,
        }
    return Template(
        texts,
        tags_of(provider.tag_style, meter.team, meter.environment, only=meter.tags),
    )
