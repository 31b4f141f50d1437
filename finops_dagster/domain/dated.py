"""What the parts of the allocation file share: dates, conditions, and what these may ask.

What the parts are for is in `allocation`, `budgets` and `showback`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from datetime import date
from enum import StrEnum
from typing import Annotated, Any, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator

DIMENSIONS = ("business_unit", "team", "product", "environment", "cost_center")
"""What a cost is allocated to."""

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

Misfit = tuple[tuple[str | int, ...], str]
"""A place in the file, and what could be there instead."""


def _listed(value: Any) -> Any:
    return [value] if isinstance(value, str) else value


Texts = Annotated[tuple[str, ...], BeforeValidator(_listed), Field(min_length=1)]
"""One text, or several."""
Conditions = dict[str, Texts]


class CostMetric(StrEnum):
    """Which cost of FOCUS is meant."""

    EFFECTIVE_COST = "effective_cost"
    BILLED_COST = "billed_cost"
    LIST_COST = "list_cost"
    CONTRACTED_COST = "contracted_cost"


class Part(BaseModel):
    """A part of the file: no key but its own."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class Dated(Part):
    """Something that is in force between two days, both included."""

    from_: date = Field(default=date.min, alias="from", description="First day it is in force.")
    until: date = Field(default=date.max, description="Last day it is in force.")

    @model_validator(mode="after")
    def _ends_after_start(self) -> Self:
        if self.until < self.from_:
            raise ValueError(f"until on or after from, {self.from_}")
        return self

    def meets(self, first: date, last: date) -> bool:
        """Whether it is in force on any day from `first` to `last`."""
        return self.from_ <= last and first <= self.until

    def within(self, first: date, last: date) -> Self:
        """Itself, in force on none but these days."""
        return self.model_copy(
            update={"from_": max(self.from_, first), "until": min(self.until, last)}
        )


class Named(Dated):
    """Something dated that goes by a name."""

    name: str = Field(min_length=1, max_length=80, description="Name that marts and reports show.")


def asked(
    place: tuple[str | int, ...], conditions: Conditions, known: tuple[str, ...], tags: bool = False
) -> Iterator[Misfit]:
    """Where conditions ask what they may not: one of `known`, or with `tags` a tag."""
    wanted = f"{'tags.KEY or ' if tags else ''}a column: {', '.join(known)}"
    for column in conditions:
        is_tag = tags and column.startswith(TAGS) and len(column) > len(TAGS)
        if not is_tag and column not in known:
            yield (*place, column), wanted


def of_dimensions(
    place: tuple[str | int, ...], conditions: Conditions, known: tuple[str, ...] = DIMENSIONS
) -> Iterator[Misfit]:
    """Where conditions ask something that costs are not allocated to, or none of `known`."""
    for column in conditions:
        if column not in known:
            yield (*place, column), f"one of {', '.join(known)}"


def fits(conditions: Conditions, values: Mapping[str, str | None]) -> bool:
    """Whether each of `values` that is asked for is one of its texts: without case, * is any."""
    return all(_is_any_of(values.get(column), texts) for column, texts in conditions.items())


def _is_any_of(value: str | None, texts: Iterable[str]) -> bool:
    if value is None:
        return "" in texts
    return any(
        re.fullmatch(".*".join(map(re.escape, text.lower().split("*"))), value.lower(), re.DOTALL)
        for text in texts
        if text
    )


def twice_at_once(group: str, spelled: Iterable[tuple[int, Dated, str]]) -> Iterator[Misfit]:
    """Where two of a group go by one name on one day."""
    seen: dict[str, list[Dated]] = {}
    for at, one, name in spelled:
        for other in seen.get(name, []):
            if one.meets(other.from_, other.until):
                yield (
                    (group, at, "name"),
                    f"no two {group} called {name!r} on one day: end the first with until",
                )
        seen.setdefault(name, []).append(one)
