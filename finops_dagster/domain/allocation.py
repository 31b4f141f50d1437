"""Whose a cost is, as ordered rules with dates, and how what is shared is split. Plain data.

Reading the file that people write is the business of sources; applying the rules, of dbt.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from datetime import date
from decimal import Decimal
from enum import StrEnum
from typing import Annotated, Any, Self, TypeVar

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from finops_dagster.domain.money import Amount

DIMENSIONS = ("business_unit", "team", "product", "environment", "cost_center")
"""What a cost is allocated to."""

PAYERS = (*DIMENSIONS, "cluster")
"""What those who pay for a pool may be narrowed by."""

COLUMNS = (
    *("source", "provider_name", "billing_account_id", "sub_account_id", "sub_account_name"),
    *("service_category", "service_name", "region_id", "resource_id", "resource_name"),
    *("resource_type", "resource", "namespace", "charge_category", "charge_class", "sku_id"),
    "sku_meter",
    *("commitment_discount_status", "billing_currency", "team", "environment", "business_unit"),
    *("cost_center", "cluster", "cost_part"),
)
"""Columns of daily costs that rules may ask; `namespace` is that of `resource`, and `cost_part`
tells what was split of a cluster: used, idle or overhead.

The dimensions among them are what the tag keys of settings say; a pool is asked after the rules.
"""

TAGS = "tags."
BY_TAGS = "tags"
"""Name of the rule that follows all written ones: what the tag keys of settings say."""


def _listed(value: Any) -> Any:
    return [value] if isinstance(value, str) else value


Texts = Annotated[tuple[str, ...], BeforeValidator(_listed), Field(min_length=1)]
"""One text, or several."""


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class _Dated(_Part):
    """Something that is in force between two days, both included."""

    from_: date = Field(default=date.min, alias="from", description="First day it is in force.")
    until: date = Field(default=date.max, description="Last day it is in force.")

    @model_validator(mode="after")
    def _ends_after_start(self) -> Self:
        if self.until < self.from_:
            raise ValueError(f"until on or after from, {self.from_}")
        return self


D = TypeVar("D", bound=_Dated)


class Given(_Part):
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
Conditions = dict[str, Texts]


class Rule(_Dated):
    """Costs for which all of `when` and none of `unless` holds get the values of `set`."""

    name: str = Field(min_length=1, max_length=80, description="Shown beside what it allocated.")
    when: Conditions = Field(
        default={}, description="Column or tags.KEY -> texts, any of which it may be; * is any."
    )
    unless: Conditions = Field(default={}, description="As when: where any holds, it does not.")
    set: dict[str, Value] = Field(
        min_length=1, description="Dimension -> text, {tag: KEY} or {column: NAME}."
    )


class Team(_Dated):
    """Who answers for costs, and what else is known of them for a time."""

    name: str = Field(min_length=1, max_length=80, description="Name that marts and reports show.")
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


class Shared(_Dated):
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


class Allocation(_Part):
    """The whole file: teams, ordered rules, shared costs. The first rule that fits decides."""

    teams: tuple[Team, ...] = Field(default=(), description="Who answers for costs.")
    rules: tuple[Rule, ...] = Field(
        default=(), description="In order: each dimension takes the first that gives it a value."
    )
    shared: tuple[Shared, ...] = Field(
        default=(), description="In order: a cost is of the first pool that it fits."
    )

    def __str__(self) -> str:
        return f"{len(self.teams)} teams, {len(self.rules)} rules, {len(self.shared)} shared costs"

    def of_days(self, first: date, last: date) -> Allocation:
        """What decides about charges from `first` to `last`, in force on these days at most.

        Equal for two files that differ on other days alone.
        """

        def within(dated: Iterable[D]) -> tuple[D, ...]:
            return tuple(
                one.model_copy(
                    update={"from_": max(one.from_, first), "until": min(one.until, last)}
                )
                for one in dated
                if one.from_ <= last and first <= one.until
            )

        return Allocation(
            teams=within(self.teams), rules=within(self.rules), shared=within(self.shared)
        )

    def misfits(self) -> Iterator[tuple[tuple[str | int, ...], str]]:
        """Where something means nothing or contradicts itself, and what could be there instead."""
        for group in ("rules", "shared"):
            names = Counter(one.name for one in getattr(self, group))
            for at, one in enumerate(getattr(self, group)):
                if names[one.name] > 1:
                    yield (group, at, "name"), "a name that no other has"
        for at, rule in enumerate(self.rules):
            if rule.name == BY_TAGS:
                yield ("rules", at, "name"), f"another name: {BY_TAGS} is what settings' keys say"
            yield from _asked(("rules", at), rule, COLUMNS)
            for dimension, value in rule.set.items():
                if dimension not in DIMENSIONS:
                    yield ("rules", at, "set", dimension), f"one of {', '.join(DIMENSIONS)}"
                if value.column not in (None, *COLUMNS):
                    yield ("rules", at, "set", dimension), f"a column: {', '.join(COLUMNS)}"
        for at, pool in enumerate(self.shared):
            yield from _asked(("shared", at), pool, (*COLUMNS, "product"))
            for column in pool.among:
                if column not in PAYERS:
                    yield ("shared", at, "among", column), f"one of {', '.join(PAYERS)}"
        yield from self._twice_at_once()

    def _twice_at_once(self) -> Iterator[tuple[tuple[str | int, ...], str]]:
        seen: dict[str, list[tuple[int, Team]]] = {}
        for at, team in enumerate(self.teams):
            for name in {text.lower() for text in (team.name, *team.aliases)}:
                for _, other in seen.get(name, []):
                    if team.from_ <= other.until and other.from_ <= team.until:
                        yield (
                            ("teams", at, "name"),
                            f"no two teams called {name!r} on one day: end the first with until",
                        )
                seen.setdefault(name, []).append((at, team))


def _asked(
    place: tuple[str | int, ...], one: Rule | Shared, columns: tuple[str, ...]
) -> Iterator[tuple[tuple[str | int, ...], str]]:
    for group in ("when", "unless"):
        for column in getattr(one, group):
            is_tag = column.startswith(TAGS) and len(column) > len(TAGS)
            if not is_tag and column not in columns:
                yield (*place, group, column), f"tags.KEY or a column: {', '.join(columns)}"
