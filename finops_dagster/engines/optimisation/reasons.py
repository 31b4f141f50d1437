"""Why a change that could be made is not in the plan, in words.

Which ones are, and which only wait, is decided elsewhere.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from decimal import Decimal

from finops_dagster.engines.optimisation.candidates import Candidate, Cell, Lever, Relations
from finops_dagster.engines.optimisation.marginal import Book, total
from finops_dagster.engines.optimisation.programme import Rules
from finops_dagster.engines.optimisation.queue import named


class Reasons:
    """Why a change is not in the plan: one sentence for a person."""

    def __init__(
        self,
        plan: Sequence[Candidate],
        book: Book,
        ruled: Rules,
        relations: Relations,
        min_saving: Decimal,
    ) -> None:
        self._plan = {one.id: one for one in plan}
        self._book, self._rules, self._min_saving = book, ruled, min_saving
        self._at: dict[Cell, list[Candidate]] = defaultdict(list)
        for one in plan:
            for cell in book.shares.get(one.id, ()):
                self._at[cell].append(one)
        self._users: dict[str, list[str]] = defaultdict(list)
        for user, used in sorted(relations.uses.items()):
            for resource in used:
                self._users[resource].append(user)

    def of(self, one: Candidate) -> str:
        """Of one that is not in the plan, and that could be by itself."""
        against = [self._plan[o] for o in sorted(self._rules.excludes[one.id]) if o in self._plan]
        for other in against:
            if other.lever is Lever.STOP and one.lever is not Lever.COMMIT:
                return (
                    f"covered by {other.what}, which is to be stopped: "
                    "nothing else about it matters then"
                )
        for other in against:
            if other.lever is Lever.REMEDY:
                return (
                    f"conflicts with {other.what}, which puts an AI model right: that comes first"
                )
            if other.lever is Lever.RAISE:
                more = ", and gives more room" if one.lever is Lever.RAISE else ""
                return f"conflicts with {other.what}, which runs short: safety comes first{more}"
        if against:
            names = named([other.what for other in against])
            return f"conflicts with {names}, which {'saves' if len(against) == 1 else 'save'} more"
        stays = [
            user
            for user, group in zip(
                self._users[one.resource], self._rules.needs.get(one.id, ()), strict=False
            )
            if not group & self._plan.keys()
        ]
        if stays:
            return f"still used by {named(stays)}, which is not to be stopped"
        return self._little(one)

    def _little(self, one: Candidate) -> str:
        """What it would still save beside the plan, and what it is short of."""
        around = {other for cell in self._book.shares[one.id] for other in self._at[cell]}
        saved = self._book.savings([*around, one])
        rest, currency = total(saved[one.id]), one.saving.currency
        beside = sorted(other.what for other in around)
        done = f" once {named(beside)} is done" if beside else ""
        if rest < self._min_saving:
            return (
                f"saves only {rest:.2f} {currency} a month{done}, {self._min_saving} are asked for"
            )
        return f"leaves less than {self._min_saving} {currency} a month for others to save"
