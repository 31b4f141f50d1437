"""From anomalies to incidents: one per cause, with its days, its money and its words.

No test of any day is made here; why the money moved is told in effects.
"""

from __future__ import annotations

import calendar
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal

import numpy as np

from finops_dagster.domain.decisions import Evidence
from finops_dagster.domain.incidents import Channel, Effects, Incident, Part, Severity
from finops_dagster.domain.money import Money, MoneyRange, to_decimal
from finops_dagster.domain.periods import day_start
from finops_dagster.engines.anomalies.channels import Hit
from finops_dagster.engines.anomalies.effects import RECENT_DAYS, Excess, excess, split
from finops_dagster.engines.anomalies.result import DetectionConfig
from finops_dagster.engines.anomalies.watch import CostWatch
from finops_dagster.engines.anomalies.words import cause, what_to_do

_DAYS_PER_MONTH = 365 / 12
_SPEND_DAYS = 28
_TOGETHER_DAYS = 1
"""One cause moves its leaves at once; what begins later has another."""
_ALIKE = 0.1
"""Prices that moved by so nearly the same moved by one price list."""
_CLASS = {Channel.OFFSETTING: Channel.POINT}
"""Kinds that one cause has beside each other are one class."""


@dataclass(frozen=True)
class Grouped:
    """An incident and what each of its leaves cost beyond what was usual, by leaf."""

    incident: Incident
    moved: dict[int, Excess]


def group(watch: CostWatch, as_of: date) -> list[Grouped]:
    """Incidents, heaviest first within a currency; those long over are left out.

    So are accounts of which only the newest day is absent: bills come in during the day.
    """
    last = watch.day
    if last is None:
        return []
    waiting = just_missing(watch)
    found = [
        _incident(stretch, watch, as_of)
        for stretch in stretches(watch)
        if last - stretch[-1].day < watch.config.report_days
        and not all(hit in waiting for hit in stretch)
    ]
    return sorted(found, key=lambda one: _rank(one.incident))


def ranked(incidents: Iterable[Incident]) -> list[Incident]:
    """Heaviest first within a currency."""
    return sorted(incidents, key=_rank)


def _rank(incident: Incident) -> tuple[str, Decimal, str]:
    return incident.currency, -abs(incident.money.amount), incident.id


def just_missing(watch: CostWatch) -> set[Hit]:
    """What is absent on the newest day and was there the day before."""
    last = watch.day
    if last is None:
        return set()
    absent = [hit for hit in watch.hits if hit.kind is Channel.MISSING]
    before = {hit.leaf for hit in absent if hit.day == last - 1}
    return {hit for hit in absent if hit.day == last and hit.leaf not in before}


def stretches(watch: CostWatch) -> list[list[Hit]]:
    """Anomalies of one cause each, in order of days.

    The same leaf within merge_days, or told again of a creep that has not ended; and leaves of one
    account that begin together with the same kind of anomaly.
    """
    found: list[list[Hit]] = []
    by_leaf: dict[int, list[Hit]] = {}
    by_account: dict[int, list[list[Hit]]] = {}
    for hit in sorted(watch.hits, key=lambda h: (h.day, watch.keys[h.leaf], h.kind)):
        account = int(watch.account[hit.leaf])
        own = by_leaf.get(hit.leaf)
        if own is None or not _goes_on(own, hit, watch.config):
            beside = by_account.get(account, [])
            own = next((one for one in reversed(beside) if _together(one[0], hit)), None)
        if own is None:
            own = []
            found.append(own)
            by_account.setdefault(account, []).append(own)
        own.append(hit)
        by_leaf[hit.leaf] = own
    return found


def _goes_on(stretch: list[Hit], hit: Hit, config: DetectionConfig) -> bool:
    mine = [one for one in stretch if one.leaf == hit.leaf]
    if hit.day - mine[-1].day <= config.merge_days:
        return True
    told = [one for one in mine if one.kind is Channel.SLOW]
    if hit.kind is not Channel.SLOW or not told:
        return False
    same_way = (hit.score > 0) == (told[-1].score > 0)
    return same_way and hit.day - told[-1].day <= config.slow_rest_days + config.merge_days


def _together(first: Hit, hit: Hit) -> bool:
    """Whether `hit` of another leaf begins with `first` of a stretch, and is of its kind."""
    if abs(hit.onset - first.onset) > _TOGETHER_DAYS or hit.leaf == first.leaf:
        return False
    if _CLASS.get(hit.kind, hit.kind) is not _CLASS.get(first.kind, first.kind):
        return False
    return hit.kind is not Channel.PRICE or abs(hit.score - first.score) <= _ALIKE * abs(
        first.score
    )


def _incident(stretch: list[Hit], watch: CostWatch, as_of: date) -> Grouped:
    last = watch.day or 0
    since = stretch[0].onset
    keys = watch.keys
    currency = keys[stretch[0].leaf][3]
    moved: dict[int, Excess] = {}
    for leaf in sorted({hit.leaf for hit in stretch}):
        moved[leaf] = excess(watch, [hit for hit in stretch if hit.leaf == leaf])
    money = {leaf: to_decimal(one.total, 2) for leaf, one in moved.items()}
    order = sorted(money, key=lambda leaf: (-abs(money[leaf]), keys[leaf]))
    lead = order[0]
    first = next(hit for hit in stretch if hit.leaf == lead)
    going_on = [one for one in moved.values() if one.is_ongoing]
    recent = sum(one.recent for one in going_on)
    total = sum(money.values(), to_decimal(0.0, 2))
    effects = {leaf: split(watch, leaf, moved[leaf], money[leaf]) for leaf in order}
    unknown = [leaf for leaf in order if effects[leaf] is None]
    left = calendar.monthrange(as_of.year, as_of.month)[1] - as_of.day
    to_come = to_decimal(recent * left, 2)
    account, service, team, _ = keys[lead]
    cost_then = float(watch.cost.back(last - first.day)[lead])
    gross = abs(float(total)) if len(order) == 1 else max(
        float(sum(m for m in money.values() if m > 0)),
        -float(sum(m for m in money.values() if m < 0)),
    )  # fmt: skip
    month = _month_of(watch, stretch[0])
    share = (gross + abs(float(to_come))) / month if month > 0 else 1.0
    incident = Incident(
        kind=first.kind,
        resource=f"{account}/{service}/{team}",
        owner=team,
        since=date.fromordinal(since),
        last_seen=date.fromordinal(stretch[-1].day),
        ongoing=bool(going_on),
        currency=currency,
        money=Money(amount=total, currency=currency),
        saving_per_month=_per_month(recent, going_on, currency),
        cause=cause(first, keys[lead], cost_then, len(order)),
        dimensions=tuple(
            Part(
                account=keys[leaf][0],
                service=keys[leaf][1],
                team=keys[leaf][2],
                money=Money(amount=money[leaf], currency=currency),
                since=date.fromordinal(next(h.onset for h in stretch if h.leaf == leaf)),
                kind=next(h.kind for h in stretch if h.leaf == leaf),
            )
            for leaf in order
        ),
        confidence=round(_confidence(stretch), 6),
        evidence=Evidence(
            window_start=day_start(date.fromordinal(watch.first or last)),
            window_end=datetime.combine(as_of, datetime.max.time(), tzinfo=UTC).replace(
                microsecond=0
            ),
            samples=int(last + 1 - watch.born[lead]),
            figures={
                "cost": round(cost_then, 6),
                "expected": round(first.expected, 6),
                "score": round(first.score, 4),
                "anomalies": float(len(stretch)),
                "leaves": float(len(order)),
            },
        ),
        as_of=as_of,
        current=f"{cost_then:.2f}",
        proposed=f"{first.expected:.2f}",
        origin="/".join(keys[stretch[0].leaf][:3]),
        effects=None if unknown else _sum([one for one in effects.values() if one is not None]),
        effects_unknown=_unknown([keys[leaf] for leaf in unknown]),
        gross_up=Money(
            amount=sum((m for m in money.values() if m > 0), to_decimal(0.0, 2)), currency=currency
        ),
        gross_down=Money(
            amount=sum((m for m in money.values() if m < 0), to_decimal(0.0, 2)), currency=currency
        ),
        severity=_severity(share, watch.config),
        share_of_month=round(share, 6),
        by_month_end=Money(amount=total + to_come, currency=currency),
        what_to_do=what_to_do(first.kind, total >= 0),
    )
    return Grouped(incident, moved)


def _per_month(recent: float, going_on: Iterable[Excess], currency: str) -> MoneyRange:
    """A month of the present daily excess; 95 % by the spread of normal days, independent."""
    variances = [(one.spread * one.spread, len(one.beyond[-RECENT_DAYS:])) for one in going_on]
    variance = sum(each / days + each / _DAYS_PER_MONTH for each, days in variances)
    half = 1.96 * float(np.sqrt(variance))
    mid = to_decimal(recent * _DAYS_PER_MONTH, 2)
    width = to_decimal(half * _DAYS_PER_MONTH, 2)
    return MoneyRange(low=mid - width, mid=mid, high=mid + width, currency=currency)


def _month_of(watch: CostWatch, hit: Hit) -> float:
    """A month of the account's spend, by the four weeks before `hit` began."""
    last = watch.day or 0
    end = watch.kept_days - 1 - (last - hit.onset)
    same = watch.account == watch.account[hit.leaf]
    before = watch.cost.last(watch.kept_days)[same, max(end - _SPEND_DAYS, 0) : max(end, 1)]
    return float(before.sum(0).mean()) * _DAYS_PER_MONTH


def _severity(share: float, config: DetectionConfig) -> Severity:
    if share >= config.severity_high:
        return Severity.HIGH
    return Severity.MEDIUM if share >= config.severity_medium else Severity.LOW


def _sum(effects: list[Effects]) -> Effects:
    nothing = to_decimal(0.0, 2)
    return Effects(
        price=sum((one.price for one in effects), nothing),
        quantity=sum((one.quantity for one in effects), nothing),
        mix=sum((one.mix for one in effects), nothing),
    )


def _unknown(keys: list[tuple[str, ...]]) -> str:
    if not keys:
        return ""
    named = ", ".join("/".join(key[:3]) for key in keys[:3])
    more = f" and {len(keys) - 3} more" if len(keys) > 3 else ""
    return f"quantities of {named}{more} are not known, or not of every day"


def _confidence(stretch: list[Hit]) -> float:
    """1 - p of the farthest point or creep under Student t(4); facts are certain."""
    from scipy import special

    facts = (Channel.NEW, Channel.MISSING, Channel.PRICE)
    if any(h.kind in facts for h in stretch):
        return 1.0
    return float(1 - 2 * special.stdtr(4, -max(abs(h.score) for h in stretch)))
