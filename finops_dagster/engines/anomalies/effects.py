"""The money of an incident's leaf: what was beyond expectation; by price, quantity and mix.

Which days are anomalies is found elsewhere.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

import numpy as np

from finops_dagster.domain.incidents import Channel, Effects
from finops_dagster.domain.money import to_decimal
from finops_dagster.engines.anomalies.channels import Hit
from finops_dagster.engines.anomalies.watch import CostWatch
from finops_dagster.engines.known import Floats

_COUNTED_SHARE = 0.25
"""A day still belongs to an incident while its excess is a quarter of the largest, same sign."""
_OVER_DAYS = 3
"""So many normal days in a row and it is over, whatever comes later."""
_LASTING_DAYS = 2
RECENT_DAYS = 7
_BASE_WEEKS = 4


@dataclass(frozen=True)
class Excess:
    """Of one leaf: `beyond` by day from `start` to the newest, 0 where it is back to normal."""

    start: int
    """Column of the kept days."""
    usual: Floats
    """What was expected, frozen at the onset; as long as `beyond`."""
    beyond: Floats
    spread: float
    """Standard deviation of the days before; of something new, of its own."""

    @property
    def total(self) -> float:
        return float(self.beyond.sum())

    @property
    def recent(self) -> float:
        """Mean of its last days, a week at most."""
        return float(self.beyond[-RECENT_DAYS:].mean())

    @property
    def is_ongoing(self) -> bool:
        """Whether it lasted two days or more, and has not been normal for as long since, or for so
        long that it is over."""
        away = np.flatnonzero(self.beyond)
        if len(away) < _LASTING_DAYS:
            return False
        return bool(len(self.beyond) - 1 - away[-1] < min(_OVER_DAYS, len(away)))


def excess(watch: CostWatch, hits: list[Hit]) -> Excess:
    """Daily cost of a leaf beyond expectation since its first of `hits`.

    The expectation is frozen at the onset, else a lasting rise would soon be expected: the median
    of the same weekday over four weeks before. Days back to normal count nothing.
    """
    cost = watch.cost.last(watch.kept_days)[hits[0].leaf]
    newest = watch.day or 0
    here = watch.kept_days - 1 - newest
    start = max(hits[0].onset + here, 0)
    begun = max(int(watch.born[hits[0].leaf]) + here, 0)
    before = cost[max(begun, start - 7 * _BASE_WEEKS) : start]
    days = np.arange(start, len(cost))
    usual = np.zeros(len(days))
    spread = float(np.std(cost[start:])) if hits[0].kind is Channel.NEW else 0.0
    if hits[0].kind is not Channel.NEW and len(before) >= 7:
        weekday = np.arange(start - len(before), start) % 7
        table = np.array([np.median(before[weekday == d]) for d in range(7)])
        usual = table[days % 7]
        spread = float(np.std(before - table[weekday]))
    if hits[0].kind is Channel.PRICE:
        told = float(cost[hits[0].day + here])
        usual = cost[start:] * (hits[0].expected / told)
    beyond = cost[start:] - usual
    # how large it was is told by its own days, not by what came long after
    until = max(hit.day for hit in hits) + here - start + 1
    largest = beyond[np.argmax(np.abs(beyond[:until]))]
    counted = np.sign(beyond) == np.sign(largest)
    counted &= np.abs(beyond) >= _COUNTED_SHARE * abs(largest)
    over = np.convolve(~counted, np.ones(_OVER_DAYS), "valid") == _OVER_DAYS
    over[:until] = False
    if over.any():
        counted[int(over.argmax()) :] = False
    return Excess(start, usual, np.where(counted, beyond, 0.0), spread)


def split(watch: CostWatch, leaf: int, moved: Excess, money: Decimal) -> Effects | None:
    """`money` of a leaf by price, quantity and mix; None where quantities are not known.

    Over the counted days: price = sum of (p - p0) q by meter; mix = sum of p0 q less Q at the mean
    price of before, by unit; quantity = the rest, that is Q at the mean price of before less what
    was expected. p0 is cost over quantity of the four weeks before the onset; a meter that had none
    then has the price it began with.
    """
    rows = np.flatnonzero(watch.meters.leaf == leaf)
    rings = watch.meters.rings
    first = max(moved.start - 7 * _BASE_WEEKS, 0)
    cost = rings["cost"].last(watch.kept_days)[rows, first:]
    quantity = rings["quantity"].last(watch.kept_days)[rows, first:]
    if not np.isfinite(quantity).all() or not (quantity > 0).any():
        return None
    if ((quantity <= 0) & (cost != 0)).any():
        return None
    then = moved.start - first
    counted = moved.beyond != 0
    before_cost, before = cost[:, :then].sum(1), quantity[:, :then].sum(1)
    now_cost = cost[:, then:][:, counted].sum(1)
    now = quantity[:, then:][:, counted].sum(1)
    with np.errstate(invalid="ignore", divide="ignore"):
        price = np.where(before > 0, before_cost / before, np.nan)
        price = np.where(np.isnan(price), now_cost / now, price)
    price = np.nan_to_num(price)
    dearer = float((now_cost - price * now).sum())
    mixed = 0.0
    groups = watch.meters.group[rows]
    for one in np.unique(groups):
        same = groups == one
        if before[same].sum() > 0:
            usual = float((price * before)[same].sum() / before[same].sum())
            mixed += float((price * now)[same].sum()) - usual * float(now[same].sum())
    by_price, by_mix = to_decimal(dearer, 2), to_decimal(mixed, 2)
    return Effects(price=by_price, mix=by_mix, quantity=money - by_price - by_mix)
