"""Cheaper GPU models that would do the work of a larger one, at prices seen in the same bill.

Parts of a GPU and fewer of them are judged elsewhere.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date

import pandas as pd

from finops_dagster.engines.optimisation.gpu_types import TYPES, GpuType, model_word

_NEWEST_FORMAT = 8.9
"""From this capability on a GPU has every number format that a program may use (FP8 the last)."""
MIN_PRICE_DAYS = 3


@dataclass(frozen=True)
class Cheaper:
    """A model that would do: its price over that of the present one, and how busy it would be."""

    kind: GpuType
    price_ratio: float
    busy: float
    """Percent."""


def price_ratios(
    costs: pd.DataFrame, prices: pd.DataFrame, as_of: date
) -> dict[str, dict[str, float]]:
    """Resource -> model word -> price on demand over its own, in one unit, region and currency.

    `costs`: of the whole bill by SKU and day, as `gpu_spot.with_meters` names them; `prices`: net
    unit prices of workloads by the same meters; later rows are not looked at. Machines have no
    price of a GPU alone.
    """
    usage = costs.loc[
        (costs["charge_category"] == "Usage")
        & ~costs["spot"].astype(bool)
        & (pd.to_datetime(costs["charge_date"]) <= pd.Timestamp(as_of))
    ]
    prices = prices.loc[pd.to_datetime(prices["day"]) <= pd.Timestamp(as_of)]
    seen: dict[tuple[str, str], float] = {}
    for (meter, currency), group in usage.groupby(["sku_meter", "billing_currency"]):
        if not str(meter).startswith("gpu ") or group["charge_date"].nunique() < MIN_PRICE_DAYS:
            continue
        sums = group[["effective_cost", "consumed_quantity"]].astype(float).sum()
        if sums["effective_cost"] > 0 and sums["consumed_quantity"] > 0:
            price = float(sums["effective_cost"] / sums["consumed_quantity"])
            seen[str(meter), str(currency)] = price
    out: dict[str, dict[str, float]] = {}
    for resource, own in prices.groupby("resource"):
        keys = own[["meter", "currency"]].drop_duplicates()
        quantity, cost = float(own["quantity"].sum()), float(own["cost"].sum())
        if len(keys) != 1 or quantity <= 0 or cost <= 0:
            continue
        meter, currency = keys.iloc[0]
        _, word, rest = str(meter).split(" ", 2)
        if not model_word(word):
            continue
        out[str(resource)] = {
            name.split(" ", 2)[1]: price / (cost / quantity)
            for (name, money), price in seen.items()
            if money == currency and name.split(" ", 2)[2] == rest and name != meter
        }
    return out


def cheaper(
    kind: GpuType, busy: float, memory_mib: float, ratios: Mapping[str, float]
) -> Cheaper | None:
    """The cheapest model that holds the memory and does `busy` percent of `kind` in time.

    Work is taken to be as slow as the worse of the two: arithmetic and memory bandwidth. A model
    that lacks a number format which the present one has may not run the program at all.
    """
    found = []
    for one in TYPES:
        word = model_word(one.name)
        sizes = [other for other in TYPES if model_word(other.name) == word]
        if word not in ratios or len(sizes) > 1 or one == kind:
            continue
        slower = max(
            1.0,
            kind.tflops / one.tflops,
            kind.gigabytes_per_second / one.gigabytes_per_second,
        )
        able = one.capability >= min(kind.capability, _NEWEST_FORMAT)
        if able and busy * slower <= 100 and memory_mib <= one.memory_mib:
            found.append(Cheaper(one, ratios[word], busy * slower))
    return min(found, key=lambda one: (one.price_ratio, one.kind.name), default=None)
