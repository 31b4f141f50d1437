"""The best set of changes that go together, in what order, each with what it adds; and why not
the rest.

Where candidates come from, and what becomes of them, is not known here.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal

from finops_dagster.domain.decisions import Abstained
from finops_dagster.domain.money import MoneyRange, exact_sum
from finops_dagster.engines.optimisation.candidates import Candidate, Cell, Lever, Relations
from finops_dagster.engines.optimisation.marginal import Book, counted, total
from finops_dagster.engines.optimisation.programme import Rules, best, components, rules
from finops_dagster.engines.optimisation.queue import DailyLimits, Place, Progress, line_up
from finops_dagster.engines.optimisation.reasons import Reasons


@dataclass(frozen=True)
class Chosen:
    """A change for today; its `order` counts from 1."""

    candidate: Candidate
    order: int
    why: str
    """Why it stands at this place."""
    after: tuple[str, ...]
    """Ids of today's changes that come before it."""
    saving: MoneyRange
    """What it saves a month once the others are done; of a raise, what it costs, negative. Of what
    is for safety as its finding has it."""
    factor: Decimal
    """`saving` over what it would save alone, in (0, 1]."""
    by_resource: Mapping[str, Decimal]
    """Where it saves: the parts of `saving.mid`, none for what is for safety."""


@dataclass(frozen=True)
class Left:
    """A change that is not made today, and the reason."""

    candidate: Candidate
    why: Abstained
    waits: bool
    """It is in the set, and only a limit of the day holds it up."""


@dataclass(frozen=True)
class Portfolio:
    """Today's changes in the order of doing, and the rest with reasons."""

    chosen: tuple[Chosen, ...]
    left: tuple[Left, ...]

    def saved(self) -> dict[str, Decimal]:
        """What today's savings sum to a month, by currency; what is for safety is not in it."""
        return self._sum(lambda one: not one.candidate.lever.for_safety)

    def spent_on_safety(self) -> dict[str, Decimal]:
        """What today's raises cost a month, by currency, as positive amounts."""
        summed = self._sum(lambda one: one.candidate.lever is Lever.RAISE)
        return {currency: -amount for currency, amount in summed.items()}

    def _sum(self, wanted: Callable[[Chosen], bool]) -> dict[str, Decimal]:
        found: dict[str, list[Decimal]] = defaultdict(list)
        for one in filter(wanted, self.chosen):
            found[one.saving.currency].append(one.saving.mid)
        return {currency: exact_sum(*found[currency]) for currency in sorted(found)}


def choose(
    candidates: Sequence[Candidate],
    costs: Mapping[Cell, Decimal],
    relations: Relations | None = None,
    *,
    min_saving: Decimal = Decimal(0),
    limits: DailyLimits | None = None,
    progress: Progress | None = None,
) -> Portfolio:
    """Today's part of the set of changes that saves most a month.

    `costs`: what each resource itself costs a month at the net rate, by part and currency;
    for what is not in it see `known_costs`. `min_saving`: what a saving must still come to beside
    the others, in its own currency. The set is the best without any limit of the day: limits only
    spread it over days, since what is held up today is first tomorrow.

    What is for safety is taken first, whatever it costs: remedies of AI models and raises of what
    runs short, one of each value, a remedy before the raise with the most room; what they exclude
    is left. The rest is an integer programme for each
    connected component of `components`. What is made for its carbon alone comes beside them where
    nothing in the set excludes it. The same input in any order gives the same answer.
    Raises ValueError for two candidates of one id, RuntimeError if the solver fails.
    """
    relations = relations or Relations()
    limits = limits or DailyLimits()
    progress = progress or Progress()
    candidates = sorted(candidates, key=lambda one: one.id)
    if len({one.id for one in candidates}) < len(candidates):
        raise ValueError("two candidates have one id: each change is to be given once")
    book = Book(candidates, costs, relations)
    ruled = rules(candidates, book, relations)
    safe = _for_safety(candidates, ruled)
    blocked = {other for one in safe for other in ruled.excludes[one.id]}
    fits: list[Candidate] = []
    for_carbon: list[Candidate] = []
    reasons: dict[str, str] = {}
    for one in candidates:
        if one.lever.for_safety or one.id in blocked:
            continue
        too_large = "" if one.key in progress.begun else limits.too_large(one)
        if too_large:
            reasons[one.id] = too_large
        elif one.for_carbon:
            for_carbon.append(one)
        elif book.alone(one) <= 0:
            reasons[one.id] = "nothing that it reaches costs anything, so it saves nothing"
        else:
            fits.append(one)
    taken = [
        one
        for group in components(fits, book, ruled)
        for one in best(group, book, ruled, min_saving)
    ]
    plan = [*safe, *taken]
    for one in for_carbon:
        if not ruled.excludes[one.id] & {other.id for other in plan}:
            plan.append(one)
    why_not = Reasons(plan, book, ruled, relations, min_saving)
    places, waits = line_up(plan, book, relations, limits, progress)
    done = {place.candidate.id for place in places}
    return Portfolio(
        chosen=tuple(_chosen(places, book)),
        left=tuple(
            Left(one, Abstained(subject=one.what, reason=reason), one.id in waits)
            for one in candidates
            if one.id not in done
            for reason in [waits.get(one.id) or reasons.get(one.id) or why_not.of(one)]
        ),
    )


def _for_safety(candidates: Sequence[Candidate], ruled: Rules) -> list[Candidate]:
    """The most urgent first, of raises the one with the most room; what one excludes is left."""
    taken: dict[str, Candidate] = {}
    wanted = (one for one in candidates if one.lever.for_safety)
    for one in sorted(wanted, key=lambda one: (one.lever.urgency, one.saving.mid, one.id)):
        if not ruled.excludes[one.id] & taken.keys():
            taken[one.id] = one
    return sorted(taken.values(), key=lambda one: one.id)


def _chosen(places: Sequence[Place], book: Book) -> list[Chosen]:
    """Each with what it adds to the others of today."""
    saved = book.savings([place.candidate for place in places])
    found = []
    for order, place in enumerate(places, 1):
        one = place.candidate
        by_cell = saved.get(one.id, {})
        by_resource: dict[str, Decimal] = defaultdict(Decimal)
        saving, factor = one.saving, Decimal(1)
        if not one.lever.for_safety:
            saving, factor = counted(one, total(by_cell))
        whole = total(by_cell)
        for cell, amount in by_cell.items():
            by_resource[cell.resource] += amount * min(Decimal(1), saving.mid / whole)
        found.append(Chosen(one, order, place.why, place.after, saving, factor, by_resource))
    return found
