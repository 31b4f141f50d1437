"""Whose a cost is, as ordered rules with dates, and how what is shared is split. Plain data.

Reading the file that people write is the business of sources; applying the rules, of dbt.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from datetime import date
from decimal import Decimal
from enum import StrEnum
from typing import Annotated, Any, TypeVar

from pydantic import BeforeValidator, Field, model_validator

from finops_dagster.domain.budgets import Budget, Plan
from finops_dagster.domain.dated import (
    COLUMNS,
    DIMENSIONS,
    Conditions,
    Dated,
    Misfit,
    Named,
    Part,
    Texts,
    asked,
    of_dimensions,
    twice_at_once,
)
from finops_dagster.domain.money import Amount
from finops_dagster.domain.showback import PRICED, Price, Unit

PAYERS = (*DIMENSIONS, "cluster")
"""What those who pay for a pool may be narrowed by."""

BY_TAGS = "tags"
"""Name of the rule that follows all written ones: what the tag keys of settings say."""

D = TypeVar("D", bound=Dated)


class Given(Part):
    """A value: a text, or taken from the cost itself, of its tags or a column.

    Written as a text, `{tag: KEY}` or `{column: NAME}`, these two with `map` if need be.
    """

    text: str | None = Field(default=None, min_length=1, description="The value itself.")
    tag: Texts | None = Field(default=None, description="Tag keys; the first that is there.")
    column: str | None = Field(default=None, description="A column of daily costs.")
    map: dict[str, str] = Field(
        default={}, description="Value there -> value to give; others give none."
    )

    @model_validator(mode="after")
    def _one_place(self) -> Given:
        if [self.text, self.tag, self.column].count(None) != 2:
            raise ValueError("a text, {tag: KEY} or {column: NAME}")
        return self


def _as_given(value: Any) -> Any:
    return {"text": value} if isinstance(value, str) else value


Value = Annotated[Given, BeforeValidator(_as_given)]


class Rule(Dated):
    """Costs for which all of `when` and none of `unless` holds get the values of `set`."""

    name: str = Field(min_length=1, max_length=80, description="Shown beside what it allocated.")
    when: Conditions = Field(
        default={}, description="Column or tags.KEY -> texts, any of which it may be; * is any."
    )
    unless: Conditions = Field(default={}, description="As when: where any holds, it does not.")
    set: dict[str, Value] = Field(
        min_length=1, description="Dimension -> text, {tag: KEY} or {column: NAME}."
    )


class Team(Named):
    """Who answers for costs, and what else is known of them for a time."""

    aliases: tuple[str, ...] = Field(default=(), description="Other spellings in tags.")
    business_unit: str | None = Field(default=None, description="Part of the company.")
    product: str | None = Field(default=None, description="What the team makes.")
    cost_center: str | None = Field(default=None, description="Account to charge.")


class Split(StrEnum):
    """How a shared cost is parted."""

    EVEN = "even"
    FIXED = "fixed"
    PROPORTIONAL = "proportional"


class Driver(StrEnum):
    """What a proportional split follows, summed over a billing month."""

    EFFECTIVE_COST = "effective_cost"
    BILLED_COST = "billed_cost"
    LIST_COST = "list_cost"
    CPU_CORE_HOURS = "cpu_core_hours"
    MEMORY_GIB_HOURS = "memory_gib_hours"
    GPU_HOURS = "gpu_hours"


class Shared(Dated):
    """Costs that are allocated to somebody, or to nobody, and paid by all who use them."""

    name: str = Field(min_length=1, max_length=80, description="Name of the pool.")
    when: Conditions = Field(
        min_length=1, description="As in rules; dimensions as they were allocated may be asked too."
    )
    unless: Conditions = Field(
        default={}, description="As when: where any holds, it is not shared."
    )
    split: Split = Field(description="even, fixed or proportional.")
    by: Driver = Field(
        default=Driver.EFFECTIVE_COST, description="What a proportional split follows."
    )
    among: Conditions = Field(
        default={},
        description="Dimension or cluster -> texts: who pays. Empty is every team with costs.",
    )
    shares: dict[str, Annotated[Amount, Field(gt=Decimal(0), le=Decimal(1))]] = Field(
        default={}, description="Team -> share, for a fixed split; what is left stays."
    )

    @model_validator(mode="after")
    def _shares_are_fixed(self) -> Shared:
        if (self.split is Split.FIXED) != bool(self.shares):
            raise ValueError("shares with split: fixed, and with no other")
        if sum(self.shares.values()) > 1:
            raise ValueError("shares that sum to at most 1")
        return self


class Allocation(Part):
    """The whole file: teams, ordered rules, shared costs; what is bought, planned and charged."""

    teams: tuple[Team, ...] = Field(default=(), description="Who answers for costs.")
    rules: tuple[Rule, ...] = Field(
        default=(), description="In order: each dimension takes the first that gives it a value."
    )
    shared: tuple[Shared, ...] = Field(
        default=(), description="In order: a cost is of the first pool that it fits."
    )
    units: tuple[Unit, ...] = Field(default=(), description="What costs are told per.")
    budgets: tuple[Budget, ...] = Field(default=(), description="What may be spent.")
    price_list: tuple[Price, ...] = Field(
        default=(), description="In order: a cost is charged by the first entry that it fits."
    )

    def __str__(self) -> str:
        told = f"{len(self.teams)} teams, {len(self.rules)} rules, {len(self.shared)} shared costs"
        more = {"units": self.units, "budgets": self.budgets, "prices": self.price_list}
        return ", ".join([told, *(f"{len(ones)} {name}" for name, ones in more.items() if ones)])

    def of_days(self, first: date, last: date) -> Allocation:
        """What decides about charges from `first` to `last`, in force on these days at most.

        Equal for two files that differ on other days alone. Budgets decide by month: `plans`.
        """

        def within(dated: Iterable[D]) -> tuple[D, ...]:
            return tuple(one.within(first, last) for one in dated if one.meets(first, last))

        return Allocation(
            teams=within(self.teams),
            rules=within(self.rules),
            shared=within(self.shared),
            units=within(self.units),
            price_list=within(self.price_list),
        )

    def whose(self) -> Allocation:
        """Teams, rules and shared costs alone: what decides whose a cost is."""
        return Allocation(teams=self.teams, rules=self.rules, shared=self.shared)

    def plans(self, months: Iterable[date]) -> list[Plan]:
        """What every budget in force plans for each of these months (their first days)."""
        made = (budget.plan(month) for month in months for budget in self.budgets)
        return [plan for plan in made if plan is not None]

    def misfits(self) -> Iterator[Misfit]:
        """Where something means nothing or contradicts itself, and what could be there instead."""
        for group in ("rules", "shared"):
            names = Counter(one.name for one in getattr(self, group))
            for at, one in enumerate(getattr(self, group)):
                if names[one.name] > 1:
                    yield (group, at, "name"), "a name that no other has"
        for at, rule in enumerate(self.rules):
            if rule.name == BY_TAGS:
                yield ("rules", at, "name"), f"another name: {BY_TAGS} is what settings' keys say"
            for group in ("when", "unless"):
                yield from asked(("rules", at, group), getattr(rule, group), COLUMNS, tags=True)
            for dimension, value in rule.set.items():
                if dimension not in DIMENSIONS:
                    yield ("rules", at, "set", dimension), f"one of {', '.join(DIMENSIONS)}"
                if value.column not in (None, *COLUMNS):
                    yield ("rules", at, "set", dimension), f"a column: {', '.join(COLUMNS)}"
        for at, pool in enumerate(self.shared):
            known = (*COLUMNS, "product")
            for group in ("when", "unless"):
                yield from asked(("shared", at, group), getattr(pool, group), known, tags=True)
            yield from of_dimensions(("shared", at, "among"), pool.among, PAYERS)
        for at, price in enumerate(self.price_list):
            for group in ("when", "unless"):
                yield from asked(("price_list", at, group), getattr(price, group), PRICED)
        for group in ("units", "budgets"):
            for at, one in enumerate(getattr(self, group)):
                yield from of_dimensions((group, at, "of"), one.of)
        yield from twice_at_once(
            "teams",
            (
                (at, team, name)
                for at, team in enumerate(self.teams)
                for name in {text.lower() for text in (team.name, *team.aliases)}
            ),
        )
        for group in ("units", "budgets", "price_list"):
            ones = enumerate(getattr(self, group))
            yield from twice_at_once(group, ((at, one, one.name) for at, one in ones))
