"""What of a charge is saved when its usage ends: commitments stay paid, credits and discounts go.

Prices for a unit are made of it elsewhere.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Hashable, Sequence
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


def avoidable(charges: Sequence[Charge]) -> list[Decimal]:
    """What ends with each charge's usage, in its order: all of it on demand; of what a commitment
    pays for, as much as could be used elsewhere.

    A commitment is paid for whether it is used or not. What usage frees of it saves money only
    where it takes the place of other usage on demand: of other resources on the same day, meter and
    currency and in the same scope. Their cost on demand over what all committed usage there would
    cost on demand is the share that counts, at most 1, the same for all who would free some. Never
    more counts than the effective cost, though what is replaced is dearer.
    """
    replaced: dict[Hashable, Decimal] = defaultdict(Decimal)
    open_: dict[Hashable, Decimal] = defaultdict(Decimal)
    own: dict[Hashable, Decimal] = defaultdict(Decimal)
    for one in charges:
        if one.committed:
            replaced[one.scope, one.day, one.meter, one.currency] += one.on_demand_cost
    for one in charges if replaced else ():
        place = one.scope, one.day, one.meter, one.currency
        if not one.committed and place in replaced:
            open_[place] += one.cost
            own[place, one.resource] += one.cost
    found = []
    for one in charges:
        if not one.committed:
            found.append(one.cost)
            continue
        place = one.scope, one.day, one.meter, one.currency
        elsewhere = max(Decimal(0), open_[place] - own[place, one.resource])
        whole = replaced[place]
        share = min(Decimal(1), elsewhere / whole) if whole > 0 else Decimal(0)
        found.append(one.cost * share)
    return found


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
