"""What work would cost a day in another region, by prices really charged there for the same SKU.

No list of prices is asked: what the estate was never charged in a region has no price there.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Hashable, Iterator
from datetime import date, timedelta
from decimal import Decimal, localcontext

import pandas as pd

from finops_dagster.domain.money import MONEY_PRECISION
from finops_dagster.engines.optimisation.placement_inputs import WINDOW_DAYS
from finops_dagster.engines.optimisation.prices import unit_prices

Product = tuple[str, ...]
"""Provider, service, SKU or instance type, meter, unit and currency: what has a price a region."""
_NAMED = ("provider_name", "service_name", "sku_id", "sku_meter", "consumed_unit")


class RegionPrices:
    """On-demand price of one unit, by product and region: contracted cost, else list cost.

    A machine is the same by its instance type, anything else by its SKU. No commitment is counted
    on: it may not reach there.
    """

    def __init__(self, priced: pd.DataFrame, skus: pd.DataFrame) -> None:
        """`priced`: PRICED_COLUMNS; `skus`: sku_id, instance_type."""
        self._types = {
            str(sku): str(kind)
            for sku, kind in skus[["sku_id", "instance_type"]].itertuples(index=False, name=None)
            if isinstance(sku, str) and isinstance(kind, str) and kind
        }
        sums: dict[tuple[Product, str], list[Decimal]] = defaultdict(
            lambda: [Decimal(0), Decimal(0)]
        )
        columns = [*_NAMED, "billing_currency", "region_id", "quantity", "cost"]
        for *named, region, quantity, cost in priced[columns].itertuples(index=False, name=None):
            product = self._product(named)
            if product is None or not isinstance(region, str):
                continue
            if _number(quantity) and _number(cost) and quantity > 0 and cost > 0:
                total = sums[product, region]
                total[0] += Decimal(str(quantity))
                total[1] += Decimal(str(cost))
        with localcontext() as context:
            context.prec = MONEY_PRECISION
            self._prices = {key: cost / quantity for key, (quantity, cost) in sums.items()}

    def by_day(
        self, costs: pd.DataFrame, region: str, as_of: date
    ) -> dict[Hashable, Decimal] | str:
        """Cost a day of what `costs` (rows of `fct_costs_daily`, one resource) consumed, priced in
        `region`; or what has no price there.
        """
        found: dict[Hashable, Decimal] = defaultdict(Decimal)
        with localcontext() as context:
            context.prec = MONEY_PRECISION
            for named, day, quantity in _consumed(costs, as_of):
                product = self._product(named)
                if product is None:
                    return "its charges name no SKU to compare with"
                price = self._prices.get((product, region))
                if price is None:
                    return f"nothing was charged there for {product[2][:60]!r}, so it has no price"
                found[day] += price * quantity
        return dict(found)

    def _product(self, named: list[object]) -> Product | None:
        provider, service, sku, *rest = (one if isinstance(one, str) else "" for one in named)
        same = self._types.get(sku, sku)
        return (provider, service, same, *rest) if same else None


def net_costs(costs: pd.DataFrame, as_of: date) -> pd.DataFrame:
    """What `unit_prices` says of all meters in the window, whatever they count."""
    costs = costs.reset_index(drop=True)
    return unit_prices(costs, as_of, WINDOW_DAYS, meter_of=lambda sku, unit: f"{sku}/{unit}")


def present_costs(
    costs: pd.DataFrame, net: pd.DataFrame, as_of: date
) -> tuple[dict[Hashable, Decimal], str] | str:
    """What ends a day with the usage of one resource, at the net rate, and its currency; or why
    it is not known. `costs`: its rows of fct_costs_daily; `net`: of `net_costs`.
    """
    usage = _usage(costs, as_of)
    if usage.empty:
        return "no charge names it, so what it would cost elsewhere is not known"
    currencies = sorted(set(usage["billing_currency"]))
    if len(currencies) > 1:
        return f"it is billed in {' and '.join(currencies)}"
    if usage["consumed_quantity"].isna().any() or usage["sku_meter"].isna().any():
        return "some of its charges name no meter or no quantity to price elsewhere"
    found: dict[Hashable, Decimal] = defaultdict(Decimal)
    for day, cost in net[["day", "cost"]].itertuples(index=False, name=None):
        found[day] += cost
    return dict(found), str(currencies[0])


def _consumed(costs: pd.DataFrame, as_of: date) -> Iterator[tuple[list[object], Hashable, Decimal]]:
    usage = _usage(costs, as_of)
    day = pd.to_datetime(usage["charge_date"])
    columns = usage[[*_NAMED, "billing_currency", "consumed_quantity"]]
    for at, (*named, quantity) in zip(day, columns.itertuples(index=False, name=None), strict=True):
        yield named, at, Decimal(str(quantity))


def _usage(costs: pd.DataFrame, as_of: date) -> pd.DataFrame:
    """Rows of usage in the window that consumed something or cost something."""
    day = pd.to_datetime(costs["charge_date"])
    inside = (day <= pd.Timestamp(as_of)) & (day > pd.Timestamp(as_of) - timedelta(WINDOW_DAYS))
    rows = costs.loc[inside & (costs["charge_category"] == "Usage")]
    rows = rows.loc[rows["commitment_discount_status"] != "Unused"]
    return rows.loc[rows["effective_cost"].notna() & rows["consumed_quantity"].ne(0)]


def _number(value: object) -> bool:
    return isinstance(value, Decimal) and value.is_finite()
