"""From anomalies to incidents: one per account and stretch of days, with its money and cause.

No test of any day is made here.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, date, datetime

import numpy as np

from finops_dagster.domain.decisions import Evidence
from finops_dagster.domain.incidents import Channel, Incident, Part
from finops_dagster.domain.money import Money, MoneyRange, to_decimal
from finops_dagster.domain.periods import day_start
from finops_dagster.engines.anomalies.channels import Hit
from finops_dagster.engines.anomalies.leaves import Floats, Leaves
from finops_dagster.engines.anomalies.result import DetectionConfig

_COUNTED_SHARE = 0.25
"""A day still belongs to an incident while its excess is a quarter of the largest, same sign."""
_OVER_DAYS = 3
"""So many normal days in a row and it is over, whatever comes later."""
_ONGOING_DAYS = 2
_DAYS_PER_MONTH = 365 / 12
_BASE_WEEKS = 4


def group(
    hits: Sequence[Hit], leaves: Leaves, config: DetectionConfig, as_of: date
) -> list[Incident]:
    """Incidents, heaviest first within a currency; those long over are left out."""
    stretches: list[list[Hit]] = []
    latest: dict[int, list[Hit]] = {}
    for hit in sorted(hits, key=lambda h: (h.day, h.leaf, h.kind)):
        account = int(leaves.account[hit.leaf])
        stretch = latest.get(account)
        if stretch is None or hit.day - stretch[-1].day > config.merge_days:
            stretch = latest[account] = []
            stretches.append(stretch)
        stretch.append(hit)
    last = len(leaves.days) - 1
    incidents = [
        _incident(stretch, leaves, as_of)
        for stretch in stretches
        if last - stretch[-1].day < config.report_days
    ]
    return sorted(incidents, key=lambda i: (i.currency, -abs(i.money.amount), i.id))


def _incident(stretch: list[Hit], leaves: Leaves, as_of: date) -> Incident:
    since = stretch[0].day
    last = len(leaves.days) - 1
    currency = str(leaves.keys["currency"].iloc[stretch[0].leaf])
    excess: dict[int, Floats] = {}
    spreads: dict[int, float] = {}
    for leaf in sorted({hit.leaf for hit in stretch}):
        onset = min(hit.day for hit in stretch if hit.leaf == leaf)
        excess[leaf], spreads[leaf] = _excess(leaves.cost[leaf], onset, last, stretch, leaf)
    money = {leaf: float(values.sum()) for leaf, values in excess.items()}
    order = sorted(money, key=lambda leaf: (-abs(money[leaf]), leaf))
    lead = order[0]
    first = next(hit for hit in stretch if hit.leaf == lead)
    recent = sum(float(values[-_ONGOING_DAYS:].mean()) for values in excess.values())
    ongoing = any((values[-_ONGOING_DAYS:] != 0).all() for values in excess.values())
    keys = leaves.keys.iloc[lead]
    return Incident(
        kind=first.kind,
        resource=f"{keys['account']}/{keys['service']}/{keys['team']}",
        owner=str(keys["team"]),
        since=leaves.days[since].date(),
        last_seen=leaves.days[stretch[-1].day].date(),
        ongoing=ongoing,
        currency=currency,
        money=_money(sum(money.values()), currency),
        saving_per_month=_per_month(recent if ongoing else 0.0, spreads, currency, ongoing),
        cause=_cause(first, leaves, len(order), currency),
        dimensions=tuple(_part(leaves, leaf, money[leaf], currency) for leaf in order),
        confidence=round(_confidence(stretch), 6),
        evidence=Evidence(
            window_start=day_start(leaves.days[0].date()),
            window_end=datetime.combine(as_of, datetime.max.time(), tzinfo=UTC).replace(
                microsecond=0
            ),
            samples=int(last + 1 - leaves.born[lead]),
            figures={
                "cost": round(float(leaves.cost[lead, first.day]), 6),
                "expected": round(first.expected, 6),
                "score": round(first.score, 4),
                "anomalies": float(len(stretch)),
                "leaves": float(len(order)),
            },
        ),
        as_of=as_of,
        current=f"{leaves.cost[lead, first.day]:.2f}",
        proposed=f"{first.expected:.2f}",
    )


def _excess(
    cost: Floats, onset: int, last: int, stretch: list[Hit], leaf: int
) -> tuple[Floats, float]:
    """Daily cost beyond expectation from `onset` to `last`, and the spread of normal days.

    The expectation is frozen at the onset, else a lasting rise would soon be expected: the median
    of the same weekday over four weeks before. Days back to normal count nothing.
    """
    mine = [hit for hit in stretch if hit.leaf == leaf]
    start = onset - 7 if all(h.kind is Channel.SLOW for h in mine) else onset
    start = max(start, 0)
    before = cost[max(0, start - 7 * _BASE_WEEKS) : start]
    days = np.arange(start, last + 1)
    usual = np.zeros(len(days))
    spread = 0.0
    if mine[0].kind is not Channel.NEW and len(before) >= 7:
        weekday = np.arange(start - len(before), start) % 7
        table = np.array([np.median(before[weekday == d]) for d in range(7)])
        usual = table[days % 7]
        spread = float(np.std(before - table[weekday]))
    if mine[0].kind is Channel.PRICE:
        usual = cost[start:] / (1 + mine[0].score)
    beyond = cost[start:] - usual
    # how large it was is told by its own days, not by what came long after
    told = max(hit.day for hit in mine) - start + 1
    largest = beyond[np.argmax(np.abs(beyond[:told]))]
    counted = np.sign(beyond) == np.sign(largest)
    counted &= np.abs(beyond) >= _COUNTED_SHARE * abs(largest)
    over = np.convolve(~counted, np.ones(_OVER_DAYS), "valid") == _OVER_DAYS
    over[:told] = False
    if over.any():
        counted[int(over.argmax()) :] = False
    return np.where(counted, beyond, 0.0), spread


def _per_month(
    recent: float, spreads: dict[int, float], currency: str, ongoing: bool
) -> MoneyRange:
    """A month of the present daily excess; 95 % by the spread of normal days, independent."""
    half = 0.0
    if ongoing:
        variance = sum(s * s for s in spreads.values())
        half = 1.96 * float(np.sqrt(variance / _ONGOING_DAYS + variance / _DAYS_PER_MONTH))
    mid = to_decimal(recent * _DAYS_PER_MONTH, 2)
    width = to_decimal(half * _DAYS_PER_MONTH, 2)
    return MoneyRange(low=mid - width, mid=mid, high=mid + width, currency=currency)


def _cause(first: Hit, leaves: Leaves, parts: int, currency: str) -> str:
    keys = leaves.keys.iloc[first.leaf]
    cost = leaves.cost[first.leaf, first.day]
    day = leaves.days[first.day].date()
    who = f"{keys['service']} of {keys['team'] or 'nobody'} in {keys['account']}"
    more = f", and {parts - 1} more with it" if parts > 1 else ""
    told = {
        Channel.POINT: f"cost {cost:.2f} {currency} on {day} where {first.expected:.2f} "
        f"was expected",
        Channel.SLOW: f"has crept to {cost:.2f} {currency} a day by {day}, from "
        f"{first.expected:.2f} three to six weeks before",
        Channel.PRICE: f"has a unit price {first.score:+.1%} different since {day}",
        Channel.MISSING: f"has {cost:.2f} {currency} on {day} where {first.expected:.2f} was "
        f"expected, as has most of the account: probably not delivered",
        Channel.NEW: f"is new: {cost:.2f} {currency} on {day}, nothing before",
    }
    return f"{who} {told[first.kind]}{more}."


def _part(leaves: Leaves, leaf: int, amount: float, currency: str) -> Part:
    keys = leaves.keys.iloc[leaf]
    return Part(
        account=str(keys["account"]),
        service=str(keys["service"]),
        team=str(keys["team"]),
        money=_money(amount, currency),
    )


def _money(amount: float, currency: str) -> Money:
    return Money(amount=to_decimal(amount, 2), currency=currency)


def _confidence(stretch: list[Hit]) -> float:
    """1 - p of the farthest point or creep under Student t(4); facts are certain."""
    from scipy import special

    if any(h.kind in (Channel.NEW, Channel.MISSING, Channel.PRICE) for h in stretch):
        return 1.0
    return float(1 - 2 * special.stdtr(4, -max(abs(h.score) for h in stretch)))
