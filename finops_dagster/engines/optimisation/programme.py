"""Which changes go together: rules of what excludes what, and the integer programme over them.

Money is counted elsewhere, to the last digit; here it only says which set is the best.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal

import numpy as np

from finops_dagster.engines.optimisation.candidates import Candidate, Cell, Lever, Relations
from finops_dagster.engines.optimisation.marginal import Book, Stage, total

_SCALE = 1e3
"""The objective is this at most per currency: HiGHS stops at an absolute gap of 1e-6."""
_TIE = 1e-6
"""Of two sets that save the same, the one of earlier levers, less risk and smaller ids: the last
of a component's changes counts for a millionth less. Far under any saving's interval."""


@dataclass(frozen=True)
class Rules:
    """What may not be done together, and what is not done without another; by candidate id."""

    excludes: Mapping[str, frozenset[str]]
    needs: Mapping[str, tuple[frozenset[str], ...]]
    """Of each group one at least."""

    def allow(self, chosen: Collection[str]) -> bool:
        """Whether a set breaks none of them."""
        return all(
            not self.excludes[one].intersection(chosen)
            and all(group.intersection(chosen) for group in self.needs.get(one, ()))
            for one in chosen
        )


def rules(candidates: Sequence[Candidate], book: Book, relations: Relations) -> Rules:
    """What excludes what: the same value; a stop and anything else it reaches; two schedules of
    one resource; two commitments over one cost; what is done alone and all else of its
    resource. A stop of what another resource uses needs a stop that reaches that other one.
    """
    excludes: dict[str, set[str]] = {one.id: set() for one in candidates}
    by_resource: dict[str, list[Candidate]] = defaultdict(list)
    stops: dict[str, set[str]] = defaultdict(set)
    groups: dict[tuple[str, ...], list[str]] = defaultdict(list)
    for one in candidates:
        groups["value", one.key].append(one.id)
        if one.lever is Lever.SCHEDULE:
            groups["hours", one.resource].append(one.id)
        elif one.lever is Lever.COMMIT:
            for cell in book.shares[one.id]:
                groups["paid", *cell].append(one.id)
        if one.lever is not Lever.COMMIT:
            by_resource[one.resource].append(one)
        if one.lever is Lever.STOP:
            for resource in book.reach[one.id]:
                stops[resource].add(one.id)
    for group in groups.values():
        for one_id in group:
            excludes[one_id].update(group)
    for one in candidates:
        if one.alone:
            for other in by_resource[one.resource]:
                excludes[one.id].add(other.id)
                excludes[other.id].add(one.id)
    for resource, stopping in stops.items():
        for other in by_resource.get(resource, ()):
            excludes[other.id] |= stopping
            for one_id in stopping:
                excludes[one_id].add(other.id)
    users: dict[str, set[str]] = defaultdict(set)
    for user, used in relations.uses.items():
        for resource in used:
            users[resource].add(user)
    return Rules(
        excludes={name: frozenset(others - {name}) for name, others in excludes.items()},
        needs={
            one.id: tuple(frozenset(stops[user]) for user in sorted(users[one.resource]))
            for one in candidates
            if one.lever is Lever.STOP and one.resource in users
        },
    )


def components(candidates: Sequence[Candidate], book: Book, rules_: Rules) -> list[list[Candidate]]:
    """Candidates that share a cost, exclude or need each other, apart from all the rest."""
    parent = {one.id: one.id for one in candidates}

    def root(name: str) -> str:
        while parent[name] != name:
            parent[name] = parent[parent[name]]
            name = parent[name]
        return name

    first: dict[Cell, str] = {}
    for one in candidates:
        linked = [first.setdefault(cell, one.id) for cell in book.shares[one.id]]
        linked += sorted(rules_.excludes[one.id] & parent.keys())
        for group in rules_.needs.get(one.id, ()):
            linked += sorted(group & parent.keys())
        for other in linked:
            parent[root(other)] = root(one.id)
    found: dict[str, list[Candidate]] = defaultdict(list)
    for one in candidates:
        found[root(one.id)].append(one)
    return list(found.values())


def best(
    candidates: Sequence[Candidate], book: Book, rules_: Rules, min_saving: Decimal
) -> list[Candidate]:
    """The set of one component's savings that together save most, each still `min_saving`.

    Where the component has several currencies, each counts by its share of its own cost in it, so
    that no amount is added to one of another currency. Raises RuntimeError if the solver fails.
    """
    if rules_.allow({one.id for one in candidates}) and not _small(candidates, book, min_saving):
        return list(candidates)
    chosen = _Programme(candidates, book, rules_, min_saving).solve()
    # a solver is right to 1e-6 only: what falls under the least saving by its last digits goes
    while drop := _small(chosen, book, min_saving):
        chosen = [one for one in chosen if one.id != drop[-1].id]
        ids = {one.id for one in chosen}
        chosen = [
            one for one in chosen if all(group & ids for group in rules_.needs.get(one.id, ()))
        ]
    return chosen


def _small(chosen: Sequence[Candidate], book: Book, least: Decimal) -> list[Candidate]:
    """Those that save less than `least`, or nothing, once the others are done."""
    saved = {name: total(by_cell) for name, by_cell in book.savings(chosen).items()}
    return [one for one in chosen if saved[one.id] < least or saved[one.id] <= 0]


class _Programme:
    """Binaries x (change done) and, where stages meet in a cell, fractions f and k in [0, 1].

    k: what earlier stages have left of a cell. f = k x, the product written in the linear form of
    McCormick (Computability of global solutions to factorable nonconvex programs, Mathematical
    Programming 10, 1976), which is exact for binary x: f <= x, f <= k, f >= k + x - 1. The next
    stage has k' = k - sum(share f). The objective is the sum of cost x share x f.
    """

    def __init__(
        self,
        candidates: Sequence[Candidate],
        book: Book,
        rules_: Rules,
        min_saving: Decimal,
    ) -> None:
        self._candidates = sorted(candidates, key=lambda one: (book.stage(one), one.risk, one.id))
        self._at = {one.id: place for place, one in enumerate(self._candidates)}
        self._count = len(self._candidates)
        self._entries: list[tuple[int, int, float]] = []
        self._low: list[float] = []
        self._high: list[float] = []
        # change -> (variable, money it carries)
        self._carries: dict[str, list[tuple[int, Decimal]]] = defaultdict(list)
        self._cells(book)
        self._least(min_saving)
        self._rules(rules_)
        self._gains = self._objective(book)

    def solve(self) -> list[Candidate]:
        """The best set. Raises RuntimeError if HiGHS finds no proven optimum."""
        from scipy import optimize, sparse

        rows, columns, values = zip(*self._entries, strict=True) if self._entries else ((),) * 3
        matrix = sparse.csr_array((values, (rows, columns)), shape=(len(self._low), self._count))
        binaries = np.arange(self._count) < len(self._candidates)
        found = optimize.milp(
            -self._gains,
            integrality=binaries.astype(int),
            bounds=optimize.Bounds(0, 1),
            constraints=optimize.LinearConstraint(matrix, self._low, self._high),
            options={"mip_rel_gap": 0},
        )
        if not found.success:
            raise RuntimeError(f"the portfolio of {len(self._candidates)}: {found.message}")
        return [one for one, x in zip(self._candidates, found.x, strict=False) if x > 0.5]

    def _cells(self, book: Book) -> None:
        """The chain of stages of every cell that these changes reach."""
        chains: dict[Cell, dict[Stage, list[Candidate]]] = defaultdict(lambda: defaultdict(list))
        for one in self._candidates:
            for cell in book.shares[one.id]:
                chains[cell][book.stage(one)].append(one)
        for cell in sorted(chains):
            left: int | None = None  # the variable k; at first all is left
            stages = sorted(chains[cell])
            for stage in stages:
                fractions = [
                    (self._fraction(one, left), float(book.shares[one.id][cell]), one)
                    for one in chains[cell][stage]
                ]
                for variable, _, one in fractions:
                    money = book.costs[cell] * book.shares[one.id][cell]
                    self._carries[one.id].append((variable, money))
                if stage != stages[-1]:
                    after = self._variable()
                    terms = [(variable, share) for variable, share, _ in fractions]
                    terms.append((after, 1.0))
                    if left is None:
                        self._row(terms, 1, 1)
                    else:
                        self._row([*terms, (left, -1.0)], 0, 0)
                    left = after

    def _fraction(self, one: Candidate, left: int | None) -> int:
        """The variable that is k x; x itself where nothing came before."""
        x = self._at[one.id]
        if left is None:
            return x
        f = self._variable()
        self._row([(f, 1), (x, -1)], -np.inf, 0)
        self._row([(f, 1), (left, -1)], -np.inf, 0)
        self._row([(f, 1), (left, -1), (x, -1)], -1, np.inf)
        return f

    def _least(self, min_saving: Decimal) -> None:
        """A change that is done saves `min_saving` at least, beside the others."""
        for name, carried in self._carries.items():
            scale = float(max(money for _, money in carried))
            least = float(min_saving) / scale
            if least > 0:
                terms = [(variable, float(money) / scale) for variable, money in carried]
                self._row([*terms, (self._at[name], -least)], 0, np.inf)

    def _rules(self, rules_: Rules) -> None:
        for name, x in self._at.items():
            for other in sorted(rules_.excludes[name]):
                if other in self._at and name < other:
                    self._row([(x, 1), (self._at[other], 1)], -np.inf, 1)
            for group in rules_.needs.get(name, ()):
                inside = [self._at[other] for other in sorted(group) if other in self._at]
                self._row([(x, 1), *((other, -1) for other in inside)], -np.inf, 0)

    def _objective(self, book: Book) -> np.ndarray:
        whole: dict[str, Decimal] = defaultdict(Decimal)
        for cell in {cell for one in self._candidates for cell in book.shares[one.id]}:
            whole[cell.currency] += book.costs[cell]
        gains = np.zeros(self._count)
        for place, one in enumerate(self._candidates):
            preferred = 1 - _TIE * place / len(self._candidates)
            for variable, money in self._carries.get(one.id, ()):
                share = float(money / whole[one.saving.currency])
                gains[variable] += _SCALE * share * preferred
        return gains

    def _variable(self) -> int:
        self._count += 1
        return self._count - 1

    def _row(self, terms: Iterable[tuple[int, float]], low: float, high: float) -> None:
        row = len(self._low)
        self._entries += [(row, column, value) for column, value in terms]
        self._low.append(low)
        self._high.append(high)
