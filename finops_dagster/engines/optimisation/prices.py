"""Net unit prices really paid, from a workload's own charges, and savings priced by them.

No list prices and no guesses: what was not billed has no price here.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable
from datetime import date, timedelta
from decimal import Decimal, localcontext
from typing import NamedTuple

import numpy as np
import pandas as pd

from finops_dagster.domain.money import MONEY_PRECISION, MoneyRange, to_decimal
from finops_dagster.domain.periods import HOURS_PER_MONTH
from finops_dagster.engines.optimisation.net_rates import (
    Charge,
    Committed,
    Reductions,
    avoidable,
    committed,
)

DAYS_PER_MONTH = Decimal(365) / 12
MIN_PRICE_DAYS = 3
"""Days billed that a price needs: a spread of fewer says nothing."""
_FORECAST_DAYS = 30
"""The saving is promised for a mean of so many days to come."""

_MONTH_LENGTH_SPREAD = 1.96 * 0.0264
"""A month is 730 hours on average; seven of 31 days, four of 30 and one of 28.25 spread by 2.64 %
(standard deviation), which no promise "a month" escapes."""

_READ = (
    "resource", "sku_meter", "consumed_unit", "billing_currency", "charge_category", "charge_date",
    "consumed_quantity", "effective_cost", "commitment_discount_status", "contracted_cost",
    "list_cost",
)  # fmt: skip
_SCOPE = ("provider_name", "billing_account_id", "service_name", "region_id")
"""Where a commitment reaches at least: many reach further."""
PRICE_COLUMNS = ("resource", "meter", "currency", "day", "quantity", "cost", "unit_price")


def meter_of(sku_meter: str | None, consumed_unit: str | None = None) -> str | None:
    """cpu, memory, gpu or storage for a FOCUS SkuMeter, None for any other."""
    text = f"{sku_meter or ''} {consumed_unit or ''}".lower()
    if "gpu" in text or "accelerator" in text:
        return "gpu"
    if "storage" in text or "volume" in text or "disk" in text or "month" in text:
        return "storage"
    if "vcpu" in text or "cpu" in text or "core" in text:
        return "cpu"
    if "gib" in text or "memory" in text or "gb-h" in text or "ram" in text:
        return "memory"
    return None


def unit_prices(
    costs: pd.DataFrame,
    as_of: date,
    days: int = 14,
    meter_of: Callable[[str | None, str | None], str | None] = meter_of,
    places: Committed | None = None,
) -> pd.DataFrame:
    """Net unit price by resource, meter and day from `fct_costs_daily`.

    Usage charges, over the last `days` days up to `as_of`. Returns PRICE_COLUMNS: quantity in
    unit-hours (or GiB-months), cost and unit_price as Decimal in `currency`. The cost is what ends
    with the usage: effective cost after discounts, of what commitments pay for only what could be
    used elsewhere (`avoidable`), less the credits and discounts that name the resource
    (`Reductions`). unit_price is that over consumed quantity. Days without a positive quantity
    have no price and are left out. Columns that are not there count as unknown. `meter_of` names
    the meter of a (SkuMeter, ConsumedUnit). `places`: `commitment_places` of the whole estate,
    where `costs` are only all of some resources'.
    """
    day = pd.to_datetime(costs["charge_date"])
    inside = (day <= pd.Timestamp(as_of)) & (day > pd.Timestamp(as_of - timedelta(days=days)))
    wanted = costs["charge_category"].isin(("Usage", "Credit")) & costs["resource"].notna()
    frame = costs.loc[inside & wanted].reindex(columns=[*_READ, *_SCOPE])
    frame["charge_date"] = day.loc[frame.index]
    # what nobody used of a commitment is paid for, and ends with nobody's usage
    frame = frame.loc[frame["commitment_discount_status"] != "Unused"]
    frame = frame.astype(object).mask(frame.isna(), other=None)
    keys = frame[["sku_meter", "consumed_unit"]].drop_duplicates()
    meters = {(sku, unit): meter_of(sku, unit) for sku, unit in keys.itertuples(index=False)}
    reductions = Reductions()
    charges: list[Charge] = []
    quantities: list[Decimal] = []
    for row in frame.itertuples(index=False, name=None):
        resource, sku, unit, currency, category, charged, quantity, cost, status = row[:9]
        if cost is None:
            continue
        meter, amount = meters[sku, unit], Decimal(str(cost))
        unmetered = sku is None and unit is None
        if category == "Credit" or (amount < 0 and (unmetered or quantity is None)):
            if meter is not None or unmetered:
                reductions.reduction(resource, meter, currency, amount)
            continue
        known = None if quantity is None else meter
        reductions.usage(resource, known, currency, amount)
        if known is None:
            continue
        committed = status == "Used"
        full = amount
        if committed:
            full = next((Decimal(str(one)) for one in row[9:11] if one is not None), amount)
        charges.append(
            Charge(resource, known, currency, charged, row[11:], committed, amount, full)
        )
        quantities.append(Decimal(str(quantity)))
    sums: dict[tuple[str, str, str, Hashable], list[Decimal]] = {}
    rows = []
    with localcontext() as context:
        context.prec = MONEY_PRECISION
        for one, quantity, cost in zip(
            charges, quantities, avoidable(charges, places), strict=True
        ):
            key = one.resource, one.meter, one.currency, one.day
            total = sums.setdefault(key, [Decimal(0), Decimal(0)])
            total[0] += quantity
            total[1] += cost
        for (resource, meter, currency, charged), (quantity, cost) in sorted(sums.items()):
            if quantity > 0:
                net = cost * reductions.factor(resource, meter, currency)
                rows.append((resource, meter, currency, charged, quantity, net, net / quantity))
    return pd.DataFrame(rows, columns=list(PRICE_COLUMNS))


def commitment_places(
    use: pd.DataFrame,
    meter_of: Callable[[str | None, str | None], str | None] = meter_of,
) -> Committed:
    """Where commitments pay for usage, of an estate whose charges are summed already.

    `use`: by _SCOPE, sku_meter, consumed_unit, billing_currency and charge_date, effective_cost of
    what is paid on demand and contracted_cost of what commitments pay for.
    """
    frame = use.assign(charge_date=pd.to_datetime(use["charge_date"])).astype(object)
    frame = frame.mask(frame.isna(), other=None)
    keys = ["billing_currency", "charge_date", "sku_meter", "consumed_unit", *_SCOPE]
    charges = []
    for paid, replaced, currency, day, sku, unit, *scope in frame[
        ["effective_cost", "contracted_cost", *keys]
    ].itertuples(index=False, name=None):
        meter = meter_of(sku, unit)
        for amount, by_commitment in ((paid, False), (replaced, True)):
            if meter is not None and amount is not None:
                cost = Decimal(str(amount))
                charges.append(
                    Charge("", meter, currency, day, tuple(scope), by_commitment, cost, cost)
                )
    with localcontext() as context:
        context.prec = MONEY_PRECISION
        return committed(charges)


class _Billed(NamedTuple):
    """The days of one resource and meter on which it was billed, rising."""

    currency: list[str]
    day: np.ndarray
    quantity: list[Decimal]
    cost: list[Decimal]
    unit_price: list[Decimal]


class PriceBook:
    """Prices by resource and meter, with the reason where there is none to use."""

    def __init__(self, prices: pd.DataFrame) -> None:
        ordered = prices.sort_values(["resource", "meter", "day"], kind="stable")
        columns = {name: ordered[name].tolist() for name in PRICE_COLUMNS if name != "day"}
        days = pd.to_datetime(ordered["day"]).to_numpy(dtype="datetime64[ns]")
        keys = list(zip(columns.pop("resource"), columns.pop("meter"), strict=True))
        begins = [i for i, key in enumerate(keys) if i == 0 or key != keys[i - 1]]
        self._groups: dict[tuple[str, str], _Billed] = {}
        for start, end in zip(begins, [*begins, len(keys)][1:], strict=True):
            self._groups[str(keys[start][0]), str(keys[start][1])] = _Billed(
                day=days[start:end], **{name: all_[start:end] for name, all_ in columns.items()}
            )

    def meters(self, resource: str) -> list[str]:
        """Meters that `resource` was billed on."""
        return [m for r, m in self._groups if r == resource]

    def resources(self, meter: str) -> list[str]:
        """Resources billed on `meter`."""
        return [r for r, m in self._groups if m == meter]

    def days(self, resource: str, meter: str) -> int:
        """Days on which `resource` was billed on `meter`."""
        group = self._groups.get((resource, meter))
        return 0 if group is None else len(np.unique(group.day))

    def quantities(self, resource: str, meter: str) -> pd.Series[float]:
        """Units of `resource` on `meter` by the day billed; empty where it has none."""
        group = self._groups.get((resource, meter))
        if group is None:
            return pd.Series(dtype=float)
        return pd.Series([float(one) for one in group.quantity], pd.DatetimeIndex(group.day))

    def why_not(self, resource: str, meter: str) -> str:
        """Why `resource` has no usable price on `meter`; empty where it has one."""
        group = self._groups.get((resource, meter))
        if group is None:
            return f"no {meter} charge of its own in the window, so no price really paid is known"
        if len(set(group.currency)) > 1:
            return f"its {meter} is billed in more than one currency"
        if len(group.day) < MIN_PRICE_DAYS:
            return f"its {meter} is billed on {len(group.day)} days, {MIN_PRICE_DAYS} are needed"
        if sum(group.cost, Decimal(0)) < 0:
            return f"its net {meter} cost in the window is negative"
        return ""

    def saving(
        self, resource: str, meter: str, units_by_day: pd.Series[float]
    ) -> tuple[MoneyRange, Decimal]:
        """Money a month for `units_by_day` (index day) units given up, and the unit price.

        Price = cost over quantity of the window. Interval = Student's prediction interval for the
        mean of the next 30 days, from the day-to-day spread of units x price. GiB-months are
        months already; the rest are hours.
        """
        group = self._groups[(resource, meter)]
        hours = Decimal(1) if meter == "storage" else Decimal(HOURS_PER_MONTH)
        with localcontext() as context:
            context.prec = MONEY_PRECISION
            price = sum(group.cost, Decimal(0)) / sum(group.quantity, Decimal(0))
            units = to_decimal(float(units_by_day.mean()))
            mid = units * price * hours
        measured = units_by_day.index.to_numpy(dtype="datetime64[ns]")
        days = np.union1d(measured, group.day)
        prices = _every_day(days, group.day, np.array(group.unit_price, dtype=float))
        daily = _every_day(days, measured, units_by_day.to_numpy(dtype=float)) * prices
        return money_range(mid, daily * float(hours), group.currency[0]), price

    def cost_per_month(self, resource: str, meters: tuple[str, ...]) -> MoneyRange | None:
        """What `resource` costs a month on `meters`, from its days billed; None if no usable."""
        usable = [m for m in meters if (resource, m) in self._groups]
        if not usable or any(self.why_not(resource, m) for m in usable):
            return None
        groups = [self._groups[resource, m] for m in usable]
        if len({group.currency[0] for group in groups}) > 1:
            return None
        by_day: dict[object, Decimal] = {}
        for group in groups:
            for day, cost in zip(group.day.tolist(), group.cost, strict=True):
                by_day[day] = by_day.get(day, Decimal(0)) + cost
        with localcontext() as context:
            context.prec = MONEY_PRECISION
            mid = sum(by_day.values(), Decimal(0)) / len(by_day) * DAYS_PER_MONTH
        daily = np.array([float(v) for v in by_day.values()]) * float(DAYS_PER_MONTH)
        return money_range(mid, daily, groups[0].currency[0])


def _every_day(days: np.ndarray, known: np.ndarray, values: np.ndarray) -> np.ndarray:
    """`values` of the `known` days on each of `days` (rising): the last one known, else the next.

    Missing values are days not known.
    """
    there = ~np.isnan(values)
    known, values = known[there], values[there]
    if not known.size:
        return np.full(days.size, np.nan)
    return values[np.maximum(np.searchsorted(known, days, side="right") - 1, 0)]


def money_range(mid: Decimal, daily: np.ndarray, currency: str) -> MoneyRange:
    """`mid` and its 95 % prediction interval from `daily` values of the same monthly amount.

    Two independent spreads: from day to day, and of the length of a calendar month.
    """
    length = _MONTH_LENGTH_SPREAD * float(mid)
    half = to_decimal(float(np.hypot(half_width(daily), length)))
    mid = mid.quantize(Decimal("1e-10"))
    return MoneyRange(low=mid - half, mid=mid, high=mid + half, currency=currency)


def half_width(daily: np.ndarray, coming: float = _FORECAST_DAYS) -> float:
    """Half the 95 % prediction interval for the mean of the next 30 days, or of `coming` values.

    t(.975, n - 1) s sqrt(1/n + 1/30), Hahn and Meeker, Statistical Intervals (1991), 4.8.
    """
    from scipy import special

    n = daily.size
    if n < 2:
        raise ValueError("a spread takes two days or more")
    spread = float(np.std(daily, ddof=1))
    t = float(special.stdtrit(n - 1, 0.975))
    return float(t * spread * np.sqrt(1 / n + 1 / coming))


def times(money: MoneyRange, factor: float) -> MoneyRange:
    """`money` times a factor; a negative factor turns the ends around."""
    with localcontext() as context:
        context.prec = MONEY_PRECISION
        share = to_decimal(factor)
        ends = sorted((money.low * share, money.high * share))
        return MoneyRange(low=ends[0], mid=money.mid * share, high=ends[1], currency=money.currency)


def minus(money: MoneyRange, other: MoneyRange) -> MoneyRange:
    """`money` less the mid of `other`, keeping its own spread. Raises ValueError across
    currencies.
    """
    if money.currency != other.currency:
        raise ValueError(f"cannot take {other.currency} from {money.currency}")
    return MoneyRange(
        low=money.low - other.mid,
        mid=money.mid - other.mid,
        high=money.high - other.mid,
        currency=money.currency,
    )
