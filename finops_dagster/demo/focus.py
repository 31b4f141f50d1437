"""FOCUS 1.2 rows as columns: fixed texts by template, money and quantities exact.

Which charges there are is decided in billing.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from finops_dagster.demo.delivery import chosen, times
from finops_dagster.demo.noise import Ints
from finops_dagster.demo.seasons import DAY_MINUTES, day_number, day_of

COST_SCALE = 10
"""Costs are integers of 1e-10: a quantity of 1e-4 units times a price of 1e-6."""
PRICE_SCALE = 6
QUANTITY_DIGITS = 4
MISSING = np.iinfo(np.int64).min
"""Stands for an empty quantity or price."""

COLUMNS = (
    "AvailabilityZone",
    "BilledCost",
    "BillingAccountId",
    "BillingAccountName",
    "BillingAccountType",
    "BillingCurrency",
    "BillingPeriodEnd",
    "BillingPeriodStart",
    "CapacityReservationId",
    "CapacityReservationStatus",
    "ChargeCategory",
    "ChargeClass",
    "ChargeDescription",
    "ChargeFrequency",
    "ChargePeriodEnd",
    "ChargePeriodStart",
    "CommitmentDiscountCategory",
    "CommitmentDiscountId",
    "CommitmentDiscountName",
    "CommitmentDiscountQuantity",
    "CommitmentDiscountStatus",
    "CommitmentDiscountType",
    "CommitmentDiscountUnit",
    "ConsumedQuantity",
    "ConsumedUnit",
    "ContractedCost",
    "ContractedUnitPrice",
    "EffectiveCost",
    "InvoiceId",
    "InvoiceIssuerName",
    "ListCost",
    "ListUnitPrice",
    "PricingCategory",
    "PricingCurrency",
    "PricingCurrencyContractedUnitPrice",
    "PricingCurrencyEffectiveCost",
    "PricingCurrencyListUnitPrice",
    "PricingQuantity",
    "PricingUnit",
    "ProviderName",
    "PublisherName",
    "RegionId",
    "RegionName",
    "ResourceId",
    "ResourceName",
    "ResourceType",
    "ServiceCategory",
    "ServiceName",
    "ServiceSubcategory",
    "SkuId",
    "SkuMeter",
    "SkuPriceDetails",
    "SkuPriceId",
    "SubAccountId",
    "SubAccountName",
    "SubAccountType",
    "Tags",
)
"""The 57 columns of FOCUS 1.2."""

_FIXED = tuple(
    name
    for name in COLUMNS
    if name
    not in {
        "BilledCost",
        "EffectiveCost",
        "ListCost",
        "ContractedCost",
        "ListUnitPrice",
        "ContractedUnitPrice",
        "PricingCurrencyContractedUnitPrice",
        "PricingQuantity",
        "PricingCurrencyEffectiveCost",
        "PricingCurrencyListUnitPrice",
        "ConsumedQuantity",
        "CommitmentDiscountQuantity",
        "BillingPeriodStart",
        "BillingPeriodEnd",
        "ChargePeriodStart",
        "ChargePeriodEnd",
        "InvoiceId",
        "Tags",
    }
)


@dataclass(frozen=True)
class Template:
    """The texts that every row of one kind of charge shares; absent columns are null."""

    texts: dict[str, str]
    tags: dict[str, str]


@dataclass(frozen=True)
class Rows:
    """Charges as columns of integers, all of one length."""

    template: Ints
    start: Ints
    """Day number on which the charge period starts."""
    end: Ints
    """Day number on which it ends, exclusive."""
    visible: Ints
    """Day number from which a snapshot holds the row."""
    quantity: Ints
    """1e-4 units, or MISSING."""
    list_price: Ints
    """1e-6 currency units, or MISSING."""
    contracted_price: Ints
    list_cost: Ints
    """1e-10 currency units, as all costs."""
    contracted_cost: Ints
    effective_cost: Ints
    billed_cost: Ints
    commitment_quantity: Ints
    """1e-4 of the commitment's unit, or MISSING."""

    def __len__(self) -> int:
        return len(self.template)

    def pick(self, index: Ints) -> Rows:
        """The rows at `index`."""
        return Rows(*(column[index] for column in self.columns()))

    def columns(self) -> tuple[Ints, ...]:
        return (
            self.template,
            self.start,
            self.end,
            self.visible,
            self.quantity,
            self.list_price,
            self.contracted_price,
            self.list_cost,
            self.contracted_cost,
            self.effective_cost,
            self.billed_cost,
            self.commitment_quantity,
        )

    @classmethod
    def joined(cls, parts: list[Rows]) -> Rows:
        """All rows of `parts`, in order."""
        return cls(
            *(np.concatenate(group) for group in zip(*(p.columns() for p in parts), strict=True))
        )


def decimals(values: Ints, scale: int) -> pa.Array:
    """Integers of 10**-scale as exact decimals; MISSING becomes null."""
    words = np.empty((len(values), 2), dtype=np.int64)
    words[:, 0] = values
    words[:, 1] = values >> 63  # the sign fills the upper half of each 128-bit number
    there = values != MISSING
    validity = None
    if not there.all():
        validity = pa.py_buffer(np.packbits(there, bitorder="little").tobytes())
    return pa.Array.from_buffers(
        pa.decimal128(28, scale), len(values), [validity, pa.py_buffer(words.tobytes())]
    )


def _tags(templates: list[Template], index: Ints) -> pa.Array:
    every = pa.array([list(t.tags.items()) for t in templates], pa.map_(pa.string(), pa.string()))
    return every.take(pa.array(index))


def _days(numbers: Ints) -> pa.Array:
    return times(numbers * DAY_MINUTES)


def table(
    rows: Rows, templates: list[Template], month: int, month_end: int, invoice: str | None
) -> pa.Table:
    """The rows of one billing period as a FOCUS 1.2 table; `invoice` is null until it closes."""
    count = len(rows)
    prices = {
        "ListUnitPrice": decimals(rows.list_price, PRICE_SCALE),
        "ContractedUnitPrice": decimals(rows.contracted_price, PRICE_SCALE),
    }
    effective = decimals(rows.effective_cost, COST_SCALE)
    consumed = np.array(["ConsumedUnit" in t.texts for t in templates])[rows.template]
    data: dict[str, pa.Array] = {
        "BilledCost": decimals(rows.billed_cost, COST_SCALE),
        "EffectiveCost": effective,
        "ListCost": decimals(rows.list_cost, COST_SCALE),
        "ContractedCost": decimals(rows.contracted_cost, COST_SCALE),
        **prices,
        "PricingCurrencyListUnitPrice": prices["ListUnitPrice"],
        "PricingCurrencyContractedUnitPrice": prices["ContractedUnitPrice"],
        "PricingCurrencyEffectiveCost": effective,
        "PricingQuantity": decimals(rows.quantity, QUANTITY_DIGITS),
        "ConsumedQuantity": decimals(np.where(consumed, rows.quantity, MISSING), QUANTITY_DIGITS),
        "CommitmentDiscountQuantity": decimals(rows.commitment_quantity, QUANTITY_DIGITS),
        "BillingPeriodStart": _days(np.full(count, month, dtype=np.int64)),
        "BillingPeriodEnd": _days(np.full(count, month_end, dtype=np.int64)),
        "ChargePeriodStart": _days(rows.start),
        "ChargePeriodEnd": _days(rows.end),
        "InvoiceId": pa.array([invoice] * count, pa.string()),
        "Tags": _tags(templates, rows.template),
    }
    for name in _FIXED:
        data[name] = chosen([t.texts.get(name) for t in templates], rows.template)
    return pa.table({name: data[name] for name in COLUMNS})


def month_number(number: int) -> int:
    """Day number of the first of the month that holds day `number`."""
    return day_number(day_of(number).replace(day=1))
