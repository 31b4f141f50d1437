"""Net unit prices of a publication's resources, some at a time, so that memory is bounded.

What a price is made of is the engine's to say.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import date
from decimal import Decimal

import pandas as pd

from finops_dagster.defs.insight import running
from finops_dagster.engines.optimisation import commitment_places, monthly_costs, unit_prices
from finops_dagster.engines.optimisation.candidates import Cell
from finops_dagster.storage.publication import PublishedReader

_AT_A_TIME = 2_000
"""Resources whose charges are in memory together."""


def price_reader(
    reader: PublishedReader, as_of: date, days: int
) -> Callable[[Sequence[str]], pd.DataFrame]:
    """Gives `unit_prices` of some resources, with the commitments of all in view."""
    use = running.commitment_use(reader, as_of, days)
    places = None if use is None else commitment_places(use)

    def prices(names: Sequence[str]) -> pd.DataFrame:
        costs = running.workload_costs(reader, as_of, days, names)
        assert costs is not None  # whose resources are asked for has a bill
        return unit_prices(costs, as_of, days, places=places)

    return prices


def costs_by_part(reader: PublishedReader, as_of: date, days: int) -> dict[Cell, Decimal]:
    """`monthly_costs` of every resource that is billed."""
    prices = price_reader(reader, as_of, days)
    billed = running.billed_names(reader, as_of, days)
    found: dict[Cell, Decimal] = {}
    for first in range(0, len(billed), _AT_A_TIME):
        found |= monthly_costs(prices(billed[first : first + _AT_A_TIME]))
    return found
