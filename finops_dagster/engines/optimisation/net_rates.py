"""What of a charge is saved when its usage ends: commitments stay paid, credits and discounts go.

Prices for a unit are made of it elsewhere.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import NamedTuple

Key = tuple[str, str, str]
"""(resource, meter, currency)."""


class Charge(NamedTuple):
    """One row of usage on a meter: effective cost, and what it would cost on demand."""

    resource: str
    meter: str
    currency: str
    day: Hashable
    scope: tuple[Hashable, ...]
    """Where a commitment could be used instead: provider, account, service, region."""
    committed: bool
    cost: Decimal
    on_demand_cost: Decimal


class Place(NamedTuple):
    """Where usage on demand could take what is freed of a commitment."""

    scope: tuple[Hashable, ...]
    day: Hashable
    meter: str
    currency: str


@dataclass(frozen=True)
class Committed:
    """What is used in each place where commitments pay for some of it."""

    replaced: Mapping[Place, Decimal]
    """What usage that commitments pay for would cost on demand."""
    on_demand: Mapping[Place, Decimal]
    """What usage beside it costs on demand."""


def committed(charges: Iterable[Charge]) -> Committed:
    """The places of `charges`, which are all of their estate's, or its sums by place."""
    replaced: dict[Place, Decimal] = defaultdict(Decimal)
    on_demand: dict[Place, Decimal] = defaultdict(Decimal)
    for one in charges:
        if one.committed:
            replaced[_place(one)] += one.on_demand_cost
        else:
            on_demand[_place(one)] += one.cost
    return Committed(replaced, {place: on_demand[place] for place in replaced})


def avoidable(charges: Sequence[Charge], places: Committed | None = None) -> list[Decimal]:
    """What ends with each charge's usage, in its order: all of it on demand; of what a commitment
    pays for, as much as could be used elsewhere.

    A commitment is paid for whether it is used or not. What usage frees of it saves money only
    where it takes the place of other usage on demand: of other resources on the same day, meter and
    currency and in the same scope. Their cost on demand over what all committed usage there would
    cost on demand is the share that counts, at most 1, the same for all who would free some. Never
    more counts than the effective cost, though what is replaced is dearer. `places`: those of the
    whole estate, where `charges` are only all of some resources'.
    """
    if not any(one.committed for one in charges):
        return [one.cost for one in charges]
    places = places or committed(charges)
    own: dict[tuple[Place, str], Decimal] = defaultdict(Decimal)
    for one in charges:
        if not one.committed:
            own[_place(one), one.resource] += one.cost
    found = []
    for one in charges:
        if not one.committed:
            found.append(one.cost)
            continue
        place = _place(one)
        elsewhere = max(Decimal(0), places.on_demand[place] - own[place, one.resource])
        whole = places.replaced[place]
        share = min(Decimal(1), elsewhere / whole) if whole > 0 else Decimal(0)
        found.append(one.cost * share)
    return found


def _place(one: Charge) -> Place:
    return Place(one.scope, one.day, one.meter, one.currency)


@dataclass
class Reductions:
    """Credits and discounts that come as charges of their own, negative and without a quantity.

    They are spread over the whole window by cost: those of a meter over its own, those of no meter
    over all usage of the resource. So one that is given once a month lowers each of its days.
    """

    of_meter: dict[Key, Decimal] = field(default_factory=lambda: defaultdict(Decimal))
    of_resource: dict[tuple[str, str], Decimal] = field(
        default_factory=lambda: defaultdict(Decimal)
    )
    used: dict[tuple[str, str], Decimal] = field(default_factory=lambda: defaultdict(Decimal))
    """Effective cost of all usage of (resource, currency), on any meter or none."""
    metered: dict[Key, Decimal] = field(default_factory=lambda: defaultdict(Decimal))

    def usage(self, resource: str, meter: str | None, currency: str, cost: Decimal) -> None:
        """Count one charge that they may reduce."""
        self.used[resource, currency] += cost
        if meter is not None:
            self.metered[resource, meter, currency] += cost

    def reduction(self, resource: str, meter: str | None, currency: str, cost: Decimal) -> None:
        """Count one of them; `cost` is negative."""
        if meter is None:
            self.of_resource[resource, currency] += cost
        else:
            self.of_meter[resource, meter, currency] += cost

    def factor(self, resource: str, meter: str, currency: str) -> Decimal:
        """What is left of each unit of cost: 1 without any, negative where they are more."""
        left = Decimal(1)
        metered = self.metered[resource, meter, currency]
        used = self.used[resource, currency]
        if metered > 0:
            left += self.of_meter[resource, meter, currency] / metered
        if used > 0:
            left += self.of_resource[resource, currency] / used
        return left
