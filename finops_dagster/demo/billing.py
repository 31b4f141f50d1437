"""The whole bill of the estate: every charge of every provider between two days.

How charges become FOCUS columns is in focus; how they are delivered is in exports.
"""

from __future__ import annotations

from datetime import date

import numpy as np

from finops_dagster.demo import nodes
from finops_dagster.demo.adjustments import add_closing, add_corrections, add_credits
from finops_dagster.demo.charges import Book, meter_template
from finops_dagster.demo.commitments import COMMITMENTS, add_commitment, add_covered
from finops_dagster.demo.company import ACCOUNTS, PROVIDERS
from finops_dagster.demo.consumption import Event, meters, quantities, unit_price
from finops_dagster.demo.demand import Timeline
from finops_dagster.demo.meters import METERS
from finops_dagster.demo.noise import Ints
from finops_dagster.demo.plan import Plan
from finops_dagster.demo.pods import add_claim, add_workload
from finops_dagster.demo.seasons import AS_OF, HOUR_MINUTES, day_number, minutes_of
from finops_dagster.demo.volumes import Claims


def build(
    plan: Plan,
    timeline: Timeline,
    claims: Claims,
    hidden: tuple[Event, ...],
    first: date,
    last: date,
) -> dict[str, Book]:
    """Every charge with a charge period from `first` to `last`, by provider key."""
    books = {key: Book(provider) for key, provider in PROVIDERS.items()}
    days = np.arange(day_number(first), day_number(last) + 1, dtype=np.int64)
    minutes = minutes_of(first, last, HOUR_MINUTES)
    for workload in (one for one in plan.workloads if not one.cluster.pools):
        add_workload(
            books[workload.cluster.provider.key], plan.seed, workload, timeline, minutes, days
        )
    for cluster in nodes.clusters():
        nodes.add_cluster(books[cluster.provider.key], cluster, days)
    for claim in plan.claims:
        add_claim(books[claim.cluster.provider.key], claim, claims, days)
    used: dict[str, Ints] = {}
    for meter in meters():
        account = ACCOUNTS[meter.account]
        quantity = quantities(plan.seed, meter, days, hidden)
        born = (days >= day_number(AS_OF) - meter.age_days) & (quantity > 0)
        at = np.flatnonzero(born)
        if not len(at):
            continue
        price = unit_price(meter, days, hidden)
        book = books[account.provider]
        if meter.commitment:
            used_cost = add_covered(book, meter, days[at], quantity[at], price[at])
            total = used.setdefault(meter.commitment, np.zeros(len(days), dtype=np.int64))
            total[at] += used_cost
        else:
            book.add(meter_template(book.provider, meter), days[at], quantity[at], price[at])
    for key, spent in used.items():
        payer = next(meter.account for meter in METERS if meter.commitment == key)
        add_commitment(books[ACCOUNTS[payer].provider], COMMITMENTS[key], days, spent)
    for book in books.values():
        add_credits(book, days)
        add_corrections(book, days)
        add_closing(book, days)
    return books
