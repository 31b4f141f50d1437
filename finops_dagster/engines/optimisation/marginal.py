"""What each of several changes saves once the others are done, to the last digit.

No choice is made here.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from decimal import ROUND_DOWN, Decimal, localcontext

from finops_dagster.domain.money import MoneyRange
from finops_dagster.engines.optimisation.candidates import (
    LEVERS,
    Candidate,
    Cell,
    Lever,
    Part,
    Relations,
    known_costs,
)

_PRECISION = 60
"""Digits of shares: products of dozens of them stay exact far below a cent."""
_PLACES = Decimal("1e-10")
_SAME = 1 - Decimal("1e-40")
"""Shares are rounded at the 60th digit: what differs by less is the same amount."""

Stage = tuple[int, int]
"""(place of the lever, minus the number of resources around it): what is inside comes first."""


class Book:
    """Costs by cell, and what share of each cell every change takes when its turn comes.

    A change takes `share` of what earlier stages have left of a cell; slices of one stage are of
    the same whole and add up. If slices claim more than the whole, all are cut in proportion. So
    the savings of any set of changes sum to cost x (1 - product of (1 - share of the stage)), at
    or under the cost of every cell, and with it of every resource, team and estate.
    """

    def __init__(
        self,
        candidates: Collection[Candidate],
        costs: Mapping[Cell, Decimal],
        relations: Relations,
    ) -> None:
        self.costs = known_costs(candidates, costs, relations)
        self.reach = {one.id: _reach(one, relations) for one in candidates}
        self._depth = _depths(relations)
        self._stages = {one.id: self._stage(one) for one in candidates}
        by_resource: dict[tuple[str, str], list[Cell]] = defaultdict(list)
        for cell in sorted(self.costs):
            by_resource[cell.resource, cell.currency].append(cell)
        self.shares: dict[str, dict[Cell, Decimal]] = {
            one.id: self._claims(one, by_resource) for one in candidates if not one.lever.for_safety
        }
        self._cut(candidates)

    def stage(self, candidate: Candidate) -> Stage:
        """When its saving is counted: the smallest first."""
        return self._stages[candidate.id]

    def alone(self, candidate: Candidate) -> Decimal:
        """What it saves a month if nothing else is done, never above the cost that it reaches."""
        with localcontext() as context:
            context.prec = _PRECISION
            claims = self.shares[candidate.id].items()
            return sum((share * self.costs[cell] for cell, share in claims), Decimal(0))

    def savings(self, chosen: Iterable[Candidate]) -> dict[str, dict[Cell, Decimal]]:
        """What each change of a set saves a month, by cell; what is for safety saves nothing.

        Those of one stage do not lessen each other.
        """
        order = sorted(
            (one for one in chosen if not one.lever.for_safety),
            key=lambda one: (self.stage(one), one.id),
        )
        kept: dict[Cell, Decimal] = {}
        saved: dict[str, dict[Cell, Decimal]] = {}
        at: Stage | None = None
        taken: dict[Cell, Decimal] = defaultdict(Decimal)
        with localcontext() as context:
            context.prec = _PRECISION
            for one in order:
                if self.stage(one) != at:
                    _settle(kept, taken)
                    at = self.stage(one)
                saved[one.id] = {}
                for cell, share in self.shares[one.id].items():
                    part = kept.get(cell, Decimal(1)) * share
                    taken[cell] += part
                    saved[one.id][cell] = part * self.costs[cell]
        return saved

    def _stage(self, candidate: Candidate) -> Stage:
        return LEVERS.index(candidate.lever), -self._depth.get(candidate.resource, 0)

    def _claims(
        self, one: Candidate, by_resource: Mapping[tuple[str, str], list[Cell]]
    ) -> dict[Cell, Decimal]:
        parts = {*one.parts, Part.OTHER}
        cells = [
            cell
            for resource in sorted(self.reach[one.id])
            for cell in by_resource.get((resource, one.saving.currency), ())
            if cell.part in parts
        ]
        whole = sum((self.costs[cell] for cell in cells), Decimal(0))
        with localcontext() as context:
            context.prec = _PRECISION
            share = one.share
            if share is None:
                share = one.saving.mid / whole if whole > 0 else Decimal(0)
            share = min(max(share, Decimal(0)), Decimal(1))
        return dict.fromkeys(cells, share) if share > 0 else {}

    def _cut(self, candidates: Collection[Candidate]) -> None:
        """Slices of one stage that claim more than the whole are cut in proportion."""
        claimed: dict[tuple[Cell, Stage], dict[str, Decimal]] = defaultdict(dict)
        for one in candidates:
            for cell, share in self.shares.get(one.id, {}).items():
                by_key = claimed[cell, self.stage(one)]
                by_key[one.key] = max(by_key.get(one.key, Decimal(0)), share)
        with localcontext() as context:
            context.prec = _PRECISION
            context.rounding = ROUND_DOWN
            for one in candidates:
                if one.lever is not Lever.SIZE:
                    continue
                for cell, share in self.shares[one.id].items():
                    whole = sum(claimed[cell, self.stage(one)].values(), Decimal(0))
                    if whole > 1:
                        self.shares[one.id][cell] = share / whole


def _settle(kept: dict[Cell, Decimal], taken: dict[Cell, Decimal]) -> None:
    for cell, part in taken.items():
        kept[cell] = max(Decimal(0), kept.get(cell, Decimal(1)) - part)
    taken.clear()


def _reach(one: Candidate, relations: Relations) -> frozenset[str]:
    return frozenset().union(
        *(relations.within(resource) for resource in sorted({one.resource, *one.scope}))
    )


def _depths(relations: Relations) -> dict[str, int]:
    """How many resources contain each that is contained at all."""
    depth: dict[str, int] = defaultdict(int)
    for outer in relations.contains:
        for inner in relations.within(outer) - {outer}:
            depth[inner] += 1
    return depth


def total(by_cell: Mapping[Cell, Decimal]) -> Decimal:
    """The sum over cells of one change, which are all in its currency."""
    with localcontext() as context:
        context.prec = _PRECISION
        return sum(by_cell.values(), Decimal(0))


def counted(candidate: Candidate, amount: Decimal) -> tuple[MoneyRange, Decimal]:
    """The range of a change's saving where `amount` of it counts, and the factor (1: as alone).

    Rounded down to 1e-10, so that no sum rises above a cost by rounding.
    """
    alone = candidate.saving
    if alone.mid <= 0 or amount >= alone.mid * _SAME:
        return alone, Decimal(1)
    with localcontext() as context:
        context.prec = _PRECISION
        factor = amount / alone.mid
        ends = [(end * factor).quantize(_PLACES, ROUND_DOWN) for end in (alone.low, alone.high)]
        mid = amount.quantize(_PLACES, ROUND_DOWN)
    low, high = min(ends[0], mid), max(ends[1], mid)
    return MoneyRange(low=low, mid=mid, high=high, currency=alone.currency), factor
