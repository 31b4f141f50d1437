"""What is bought ahead: purchases, what they pay for, and what of them nobody used.

Effective costs of a commitment's used and unused rows sum to what was paid for it.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

import numpy as np
from numpy.typing import NDArray

from finops_dagster.demo.charges import Book, base_texts, discounted, meter_template
from finops_dagster.demo.cloud import Meter
from finops_dagster.demo.company import Provider, tags_of
from finops_dagster.demo.focus import COST_SCALE, QUANTITY_DIGITS, Template
from finops_dagster.demo.meters import METERS
from finops_dagster.demo.noise import Ints
from finops_dagster.demo.seasons import day_number, day_of, month_end

TERM_DAYS = 365


@dataclass(frozen=True)
class Commitment:
    """Something bought ahead. A plan is paid by month; a reservation at once, for a year."""

    key: str
    name: str
    category: str
    type: str
    saving_permille: int
    """How much cheaper what it covers is than the list."""
    upfront_on: date | None
    headroom_permille: int
    """How much more was bought than is used when everything runs."""


COMMITMENTS: dict[str, Commitment] = {
    "compute-plan": Commitment(
        "compute-plan", "Compute Savings Plan 1 year", "Spend", "Savings Plan", 270, None, 30
    ),
    "sql-reservation": Commitment(
        "sql-reservation",
        "SQL vCore reservation 1 year",
        "Usage",
        "Reservation",
        330,
        date(2025, 11, 17),
        0,
    ),
}


def _commitment_texts(provider: Provider, commitment: Commitment) -> dict[str, str]:
    return {
        "CommitmentDiscountId": f"{provider.key}-{commitment.key}-2025",
        "CommitmentDiscountName": commitment.name,
        "CommitmentDiscountCategory": commitment.category,
        "CommitmentDiscountType": commitment.type,
        "CommitmentDiscountUnit": provider.currency if commitment.category == "Spend" else "Hours",
    }


def _covers(commitment: Commitment, days: Ints) -> NDArray[np.bool_]:
    """Whether the commitment is in force on each day; a plan is renewed, a reservation ends."""
    if commitment.upfront_on is None:
        return np.ones(len(days), dtype=np.bool_)
    start = day_number(commitment.upfront_on)
    result: NDArray[np.bool_] = (days >= start) & (days < start + TERM_DAYS)
    return result


def _tenths_of_cents(cost: Ints) -> Ints:
    """Costs of 1e-10 units as a quantity of 1e-4 currency units."""
    result: Ints = cost // 10 ** (COST_SCALE - QUANTITY_DIGITS)
    return result


def add_covered(book: Book, meter: Meter, days: Ints, quantity: Ints, price: Ints) -> Ints:
    """Add a meter that a commitment pays for: billed 0, effective at the committed price.

    Returns what it takes of the commitment on each day, 1e-10 units.
    """
    commitment = COMMITMENTS[meter.commitment or ""]
    covers = _covers(commitment, days)
    template = meter_template(book.provider, meter)
    plain = np.flatnonzero(~covers)
    if len(plain):
        book.add(template, days[plain], quantity[plain], price[plain])
    at = np.flatnonzero(covers)
    cost = quantity * discounted(price, commitment.saving_permille) * covers
    if len(at):
        texts = {
            **template.texts,
            **_commitment_texts(book.provider, commitment),
            "CommitmentDiscountStatus": "Used",
            "PricingCategory": "Committed",
        }
        spend = commitment.category == "Spend"
        book.add(
            Template(texts, template.tags),
            days[at],
            quantity[at],
            price[at],
            effective_cost=cost[at],
            billed_cost=np.zeros(len(at), dtype=np.int64),
            commitment_quantity=_tenths_of_cents(cost[at]) if spend else quantity[at],
        )
    return cost


def add_commitment(book: Book, commitment: Commitment, days: Ints, spent: Ints) -> None:
    """Add the purchase, and what of it nobody used on each day."""
    covered = [meter for meter in METERS if meter.commitment == commitment.key]
    full = sum(
        round(meter.per_day * 10_000)
        * int(discounted(np.array([meter.price]), commitment.saving_permille)[0])
        for meter in covered
    )
    # Whole 1e-6 units, so that the unit price of a day says exactly what is paid.
    daily = full * (1000 + commitment.headroom_permille) // 10_000_000 * 10_000
    meter = covered[0]
    texts = {
        **base_texts(book.provider, meter.account, meter.region),
        **_commitment_texts(book.provider, commitment),
        "ServiceName": meter.service.name,
        "ServiceCategory": meter.service.category,
        "ServiceSubcategory": meter.service.subcategory,
        "SkuId": f"SKU-{commitment.key}",
        "SkuPriceId": f"SKU-{commitment.key}-1Y",
        "ResourceId": f"{book.provider.key}-{commitment.key}-2025",
        "ResourceName": commitment.name,
        "ResourceType": commitment.type,
    }
    tags = tags_of(book.provider.tag_style, "platform-sre", "prod")
    _add_purchase(book, commitment, Template(texts, tags), days, daily)
    unused = np.flatnonzero(_covers(commitment, days) & (spent < daily))
    if len(unused):
        left = daily - spent[unused]
        zero = np.zeros(len(unused), dtype=np.int64)
        said = {
            "ChargeCategory": "Usage",
            "ChargeFrequency": "Usage-Based",
            "PricingCategory": "Committed",
            "CommitmentDiscountStatus": "Unused",
            "ChargeDescription": f"Unused part of {commitment.name}",
        }
        book.add(
            Template(texts | said, tags),
            days[unused],
            None,
            None,
            list_cost=zero,
            contracted_cost=zero,
            effective_cost=left,
            billed_cost=zero,
            commitment_quantity=_tenths_of_cents(left),
        )


def _add_purchase(
    book: Book, commitment: Commitment, template: Template, days: Ints, daily: int
) -> None:
    if commitment.upfront_on is None:
        frequency = "Recurring"
        starts = np.array([n for n in days if n == days[0] or day_of(int(n)).day == 1])
        ends = np.array([month_end(int(n)) for n in starts])
    else:
        frequency = "One-Time"
        bought = day_number(commitment.upfront_on)
        starts = np.array([n for n in (bought,) if days[0] <= n <= days[-1]], dtype=np.int64)
        ends = starts + TERM_DAYS
    if not len(starts):
        return
    cost = daily * (ends - starts)
    a_day = np.full(len(starts), daily // 10_000, dtype=np.int64)
    said = {
        "ChargeCategory": "Purchase",
        "ChargeFrequency": frequency,
        "PricingCategory": "Standard",
        "PricingUnit": "Days",
        "ChargeDescription": f"Purchase of {commitment.name}",
    }
    book.add(
        Template(template.texts | said, template.tags),
        starts,
        (ends - starts) * 10_000,
        a_day,
        contracted_price=a_day,
        end=ends,
        effective_cost=np.zeros(len(starts), dtype=np.int64),
        billed_cost=cost,
        commitment_quantity=_tenths_of_cents(cost)
        if commitment.category == "Spend"
        else (ends - starts) * 24 * 10_000,
    )
