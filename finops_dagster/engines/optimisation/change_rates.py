"""What a change is priced by: the rates and the use of an estate, and sums of what is known.

What a change of one value costs is told next door.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal, localcontext

import pandas as pd

from finops_dagster.domain.money import MONEY_PRECISION, Money, MoneyRange, Range
from finops_dagster.engines.optimisation.carbon import CarbonBook, add
from finops_dagster.engines.optimisation.machine_prices import Market, TypePrices
from finops_dagster.engines.optimisation.prices import PriceBook

FUNCTION = "function"
"""Meter of what functions compute: billed by their memory times their time."""
NO_CARBON_FIGURE = "its carbon is not counted"
NO_PRICE = "no charge names it, so no price really paid is known"


@dataclass(frozen=True)
class Priced:
    """What a change adds to the cost and the carbon of a month; negative where it takes away."""

    cost: MoneyRange | None
    carbon: Range | None
    reason: str = ""
    """Why the cost is not known, or what it rests on; empty where nothing is to be said."""


@dataclass(frozen=True)
class Rates:
    """What an estate pays and does, of the resources that a change is about and their peers."""

    prices: PriceBook
    """Of workloads and volumes."""
    replicas: Mapping[str, pd.Series]
    """Workload -> replicas by interval measured (index: naive UTC)."""
    carbon: CarbonBook
    peers: pd.DataFrame
    """resource, meter, currency, unit_price: what others pay, for what is new."""
    machines: Mapping[str, tuple[Market, str]] = field(default_factory=dict)
    """Billed machine or database -> where it is bought, and its type."""
    machine_prices: PriceBook | None = None
    """With the meter `machine`, in hours."""
    type_prices: TypePrices | None = None
    functions: PriceBook | None = None
    """With the meter FUNCTION."""
    billed: Mapping[str, tuple[Money, ...]] = field(default_factory=dict)
    """What resources of any kind cost a month, by currency."""


def total(priced: Iterable[Priced]) -> dict[str, MoneyRange]:
    """Sum of the known costs by currency, end by end: the careful side."""
    found: dict[str, list[MoneyRange]] = {}
    for one in priced:
        if one.cost is not None:
            found.setdefault(one.cost.currency, []).append(one.cost)
    return {currency: whole for currency, all_ in found.items() if (whole := summed(all_))}


def total_carbon(priced: Iterable[Priced]) -> Range | None:
    """Sum of the known carbon, end by end; None where none is known."""
    found: Range | None = None
    for one in priced:
        if one.carbon is not None:
            found = one.carbon if found is None else add(found, one.carbon)
    return found


def summed(parts: Iterable[MoneyRange]) -> MoneyRange | None:
    """End by end; None over several currencies, or of nothing."""
    rows = list(parts)
    if len({one.currency for one in rows}) != 1:
        return None

    def ends(pick: Callable[[MoneyRange], Decimal]) -> Decimal:
        return sum((pick(one) for one in rows), Decimal(0))

    with localcontext() as context:
        context.prec = MONEY_PRECISION
        return MoneyRange(
            low=ends(lambda one: one.low),
            mid=ends(lambda one: one.mid),
            high=ends(lambda one: one.high),
            currency=rows[0].currency,
        )
