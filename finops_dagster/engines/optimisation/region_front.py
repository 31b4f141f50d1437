"""Regions as options in cost, carbon and risk: which are allowed, which are beaten, which is best.

What an option costs and emits is worked out elsewhere.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from finops_dagster.domain.money import MoneyRange, Range
from finops_dagster.engines.optimisation.placement_inputs import Weights


@dataclass(frozen=True)
class Option:
    """One region: money and kgCO2e a month there, and the risk of being there."""

    region: str
    cost: float
    """Transfer counted."""
    kg: float
    risk: float
    """Upper end (Wilson, 95 %) of the share of days that would have emitted more; 0 to stay."""
    saving: MoneyRange
    carbon: Range
    transfer: float
    """Money a month for transfer between regions, part of `cost`."""


def allowed_regions(
    owner: str, environment: str, regions: Mapping[str, Sequence[str]]
) -> tuple[frozenset[str] | None, str]:
    """Regions that work may be in, None where no rule says; and whose rules say so.

    `regions`: team, environment or `*` -> regions; names as billed or declared, in any case.
    """
    mine = {owner.lower(), environment.lower(), "*"}
    names = [name for name in regions if name.lower() in mine]
    if not names:
        return None, ""
    sets = [frozenset(regions[name]) for name in names]
    who = [name if name != "*" else "all" for name in names]
    return frozenset.intersection(*sets), " and ".join(who)


def front(options: Sequence[Option]) -> list[Option]:
    """Options that no other is at least as good as in cost, carbon and risk, and better in one."""

    def beats(one: Option, other: Option) -> bool:
        mine, its = (one.cost, one.kg, one.risk), (other.cost, other.kg, other.risk)
        return mine != its and all(a <= b for a, b in zip(mine, its, strict=True))

    return [one for one in options if not any(beats(other, one) for other in options)]


def score(option: Option, stay: Option, weights: Weights) -> float:
    """Weighted mean of cost and carbon as shares of what they are now, and of risk: less is better.

    A weighted sum (Zadeh 1963) of what is made free of units by the present; so what staying
    scores, and which of two regions is better, does not depend on what else is offered.
    """
    total = weights.cost + weights.carbon + weights.risk
    return (
        weights.cost * option.cost / stay.cost
        + weights.carbon * option.kg / stay.kg
        + weights.risk * option.risk
    ) / total
