"""What types of machines cost an hour: as paid, as listed in the bill, or by a list of the user.

No price is made up: a type that nobody billed or listed has none here.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from decimal import Decimal, localcontext
from typing import NamedTuple

import pandas as pd

from finops_dagster.domain.money import MONEY_PRECISION
from finops_dagster.engines.optimisation.inputs import word

TYPE_PRICE_COLUMNS = (
    "what", "region", "instance_type", "software", "currency", "evidence", "price_per_hour",
)  # fmt: skip
EVIDENCE = ("paid", "listed", "file")
"""Best first: on demand in the bill, after discounts; the bill's list price; the user's list."""

UNTOLD = "engine of "
"""Before a service's name: what runs on a database of which no charge says the engine."""

SAME_PRICE = Decimal("0.02")
"""Machines of one type whose hours differ by more do not cost the same for a reason that is not
known here (credits, licences), so that their mean is nobody's price."""


class Market(NamedTuple):
    """Where two prices can be compared."""

    what: str
    """machine or database."""
    region: str
    software: str
    """Operating system or engine, as the bill tells it; empty where it does not."""
    currency: str


@dataclass(frozen=True)
class Comparison:
    """Two types' prices an hour, of the same evidence."""

    now: Decimal
    then: Decimal
    evidence: str

    @property
    def ratio(self) -> Decimal:
        """What of the cost is left."""
        with localcontext() as context:
            context.prec = MONEY_PRECISION
            return self.then / self.now


def billed_prices(charges: pd.DataFrame) -> pd.DataFrame:
    """TYPE_PRICE_COLUMNS of every type that is billed by the hour, from its own charges.

    `charges`: resource, what, region, instance_type, software, currency, quantity (hours),
    effective_cost and list_cost (Decimal or None), committed and spot (bool). Paid are hours on
    demand; listed are those with a list cost, committed or not. Spot is neither. A type whose
    machines differ by more than SAME_PRICE in what an hour costs has no price of that evidence.
    """
    hours: dict[tuple[Market, str, str], dict[str, list[Decimal]]] = defaultdict(dict)
    columns = [
        "what", "region", "software", "currency", "instance_type", "resource", "quantity",
        "effective_cost", "list_cost", "committed", "spot",
    ]  # fmt: skip
    for row in charges.reindex(columns=columns).itertuples(index=False, name=None):
        market = Market(row[0], word(row[1]), word(row[2]), word(row[3]))
        kind, resource, quantity = word(row[4]), word(row[5]), _amount(row[6])
        if not kind or quantity is None or quantity <= 0 or bool(row[10]):
            continue
        costs = {"paid": None if bool(row[9]) else _amount(row[7]), "listed": _amount(row[8])}
        for evidence, cost in costs.items():
            if cost is not None and cost > 0:
                sums = hours[market, kind, evidence].setdefault(resource, [Decimal(0), Decimal(0)])
                sums[0] += quantity
                sums[1] += cost
    found = []
    with localcontext() as context:
        context.prec = MONEY_PRECISION
        for (market, kind, evidence), sums_of in sorted(hours.items()):
            each = [cost / quantity for quantity, cost in sums_of.values()]
            if max(each) - min(each) > SAME_PRICE * min(each):
                continue
            quantity = sum((one[0] for one in sums_of.values()), Decimal(0))
            cost = sum((one[1] for one in sums_of.values()), Decimal(0))
            found.append((market.what, market.region, kind, market.software, market.currency,
                          evidence, cost / quantity))  # fmt: skip
    return pd.DataFrame(found, columns=list(TYPE_PRICE_COLUMNS))


class TypePrices:
    """Prices of types by market; of several for one type and evidence the highest."""

    def __init__(self, prices: pd.DataFrame) -> None:
        """`prices`: TYPE_PRICE_COLUMNS; what is no positive amount is left out."""
        self._prices: dict[Market, dict[str, dict[str, Decimal]]] = {}
        for row in prices[list(TYPE_PRICE_COLUMNS)].itertuples(index=False, name=None):
            price = _amount(row[6])
            if price is None or price <= 0:
                continue
            market = Market(word(row[0]), word(row[1]), word(row[3]), word(row[4]))
            of = self._prices.setdefault(market, {}).setdefault(word(row[5]), {})
            of[word(row[2])] = max(price, of.get(word(row[2]), price))

    def names(self, market: Market) -> set[str]:
        """Types with any price in a market."""
        return {name for of in self._prices.get(market, {}).values() for name in of}

    def regions(self, market: Market) -> list[str]:
        """The other regions in which the same is sold in the same currency, by name."""
        same = {one.region for one in self._prices if one._replace(region=market.region) == market}
        return sorted(same - {market.region, ""})

    def compare(
        self, market: Market, now: str, then: str, there: Market | None = None
    ) -> Comparison | None:
        """Both types' prices by the best evidence that has both; None where none has.

        `there`: the market of `then`, where it is another.
        """
        here, other = self._prices.get(market, {}), self._prices.get(there or market, {})
        for evidence in EVIDENCE:
            a, b = here.get(evidence, {}).get(now), other.get(evidence, {}).get(then)
            if a is not None and b is not None:
                return Comparison(a, b, evidence)
        return None


def _amount(value: object) -> Decimal | None:
    """An amount as Decimal; None where it is missing or no finite number."""
    if value is None or (isinstance(value, float) and value != value):
        return None
    try:
        amount = Decimal(str(value))
    except ArithmeticError:
        return None
    return amount if amount.is_finite() else None
