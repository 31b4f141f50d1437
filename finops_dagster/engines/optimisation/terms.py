"""What commitments are sold at and for which usage: as settings say, or as the bill shows.

How much of one is worth buying is decided elsewhere.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from fnmatch import fnmatchcase
from typing import NamedTuple

import pandas as pd

from finops_dagster.domain.money import to_decimal
from finops_dagster.engines.optimisation.offers import Offer, Payment

COMPUTE = "Compute"
"""FOCUS ServiceCategory."""
LONGEST_MONTHS = 36
"""Longest term that all of AWS, Azure and Google sell: what is not on the bill is taken for it."""


class Place(NamedTuple):
    """A kind of usage that commitments are told apart by; what is not known is empty."""

    provider: str
    account: str
    """Billing account: commitments are shared within it."""
    category: str
    service: str
    region: str
    family: str
    currency: str


@dataclass(frozen=True)
class Terms:
    """One offer and the usage that it may pay for."""

    scope: str
    """What it is for, in words: offers of one scope are alternatives."""
    term_months: int
    payment: Payment
    price_share: Decimal
    upfront_share: Decimal = Decimal(0)
    provider: str = ""
    services: tuple[str, ...] = ()
    """Patterns; none: all of the category Compute."""
    regions: tuple[str, ...] = ()
    families: tuple[str, ...] = ()
    bound_to: tuple[str, ...] = ()
    """Fields of `Place` of which one commitment pays for one value only."""
    places: frozenset[Place] | None = None
    """All that it pays for; None: by the patterns."""
    seen: str = ""
    """The commitment on the bill that shows its price; empty where settings say it."""

    def reaches(self, place: Place) -> bool:
        """Whether it may pay for usage of a place."""
        if self.places is not None:
            return place in self.places
        if self.provider and self.provider.casefold() != place.provider.casefold():
            return False
        if not self.services and place.category != COMPUTE:
            return False
        return all(
            not patterns or any(fnmatchcase(value.casefold(), one.casefold()) for one in patterns)
            for patterns, value in (
                (self.services, place.service),
                (self.regions, place.region),
                (self.families, place.family),
            )
        )

    def pool(self, place: Place) -> Pool:
        """Usage that one commitment of these terms shares among itself."""
        bound = [getattr(place, name) or f"no-{name}" for name in self.bound_to]
        what = _safe(" ".join([self.scope, *bound]))
        return Pool(place.provider, place.account, place.currency, what)

    def offer(self, pool: Pool, net_share: Decimal) -> Offer:
        """For a pool whose usage on demand costs `net_share` of its contracted price."""
        return Offer(
            scope=pool.resource,
            currency=pool.currency,
            term_months=self.term_months,
            payment=self.payment,
            price_share=self.price_share / net_share,
            upfront_share=self.upfront_share,
        )


class Pool(NamedTuple):
    """What one commitment could pay for."""

    provider: str
    account: str
    currency: str
    what: str
    """Of letters, digits and `.:-_`."""

    @property
    def resource(self) -> str:
        """As findings name it: `Commitment/1234/AWS-compute-USD`."""
        name = _safe(" ".join([self.provider, self.what, self.currency]))
        return f"Commitment/{_safe(self.account) or '-'}/{name}"


def _safe(text: str) -> str:
    return re.sub(r"[^\w.:-]+", "-", text.replace("/", ":"), flags=re.ASCII).strip("-")


@dataclass(frozen=True)
class Kind:
    """What the bill says of a commitment."""

    type: str
    """FOCUS CommitmentDiscountType, else its name."""
    spend: bool
    """FOCUS CommitmentDiscountCategory: whether it is of money; else of usage."""
    ends: date | None = None
    """First day after its term, where it was bought at once."""
    months: int | None = None
    """Of that term."""


def terms_of_bill(paid: pd.DataFrame, kinds: Mapping[str, Kind]) -> list[Terms]:
    """Offers of the kinds bought already, at the price really paid for them.

    `paid`: place (`Place`), commitment, effective_cost, on_demand_cost of what commitments paid
    for lately. Those of money are offered for all places that their kind pays for; those of usage
    for each place by itself. Price: effective cost of what was used over its cost on demand. What
    is not of `kinds`, or no cheaper than on demand, is left out.
    """
    groups: dict[tuple[str, ...], list[int]] = {}
    for at, (place, name) in enumerate(zip(paid["place"], paid["commitment"], strict=True)):
        kind = kinds.get(name)
        if kind is not None:
            alone = ("",) * len(place) if kind.spend else place
            key = (place.provider, place.account, place.currency, kind.type, str(kind.spend))
            groups.setdefault((*key, *alone), []).append(at)
    found = (_seen(paid.iloc[rows], kinds) for _, rows in sorted(groups.items()))
    return [one for one in found if one is not None]


def _seen(rows: pd.DataFrame, kinds: Mapping[str, Kind]) -> Terms | None:
    share = float(rows["effective_cost"].sum()) / float(rows["on_demand_cost"].sum())
    ids = sorted(set(rows["commitment"]))
    months = [kinds[one].months for one in ids]
    at_once = max((one for one in months if one is not None), default=None)
    if not 0 < share < 1:
        return None
    return Terms(
        scope=kinds[ids[0]].type or "commitment",
        term_months=at_once or LONGEST_MONTHS,
        payment=Payment.ALL_UPFRONT if at_once else Payment.NO_UPFRONT,
        price_share=to_decimal(share, 6),
        upfront_share=Decimal(1) if at_once else Decimal(0),
        bound_to=() if kinds[ids[0]].spend else ("service", "region", "family"),
        places=frozenset(rows["place"]),
        seen=", ".join(ids),
    )


def pools_of(places: Collection[Place], terms: Collection[Terms]) -> dict[Pool, set[Place]]:
    """What each commitment offered could pay for; a pool of many terms is there once."""
    found: dict[Pool, set[Place]] = {}
    for one in terms:
        for place in places:
            if one.reaches(place):
                found.setdefault(one.pool(place), set()).add(place)
    return found
