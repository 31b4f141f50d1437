"""Which changes come first, and which share a pull request.

Whether a change may be opened at all is asked in room, memory and planning.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from math import inf, prod
from typing import Literal

from finops_dagster.domain.decisions import Decision, FindingKind, Rung
from finops_dagster.domain.ids import content_id
from finops_dagster.gitops.changes import branch_of_value
from finops_dagster.gitops.wanted import Wanted

REMEDY_KINDS = frozenset(
    {
        FindingKind.MODEL_ROLLBACK,
        FindingKind.MODEL_CANARY,
        FindingKind.MODEL_PAUSE,
        FindingKind.MODEL_RETRAIN,
        FindingKind.SHADOW_AI,
        FindingKind.ENGINE_PROMOTION,
        FindingKind.ENGINE_ROLLBACK,
    }
)
"""Kinds that put AI right: they come before all else."""
SAFETY_KINDS = frozenset(
    {
        FindingKind.UNDERPROVISIONED_CPU,
        FindingKind.UNDERPROVISIONED_MEMORY,
        FindingKind.UNDERPROVISIONED_MACHINE,
        FindingKind.UNDERPROVISIONED_DATABASE,
    }
)
"""What is short of capacity comes before what saves money."""

MAX_MEMBERS = 50
"""Of a group: what is remembered of each has to fit into the body beside the words."""

_GROUP_KEY = re.compile(r"(?P<group>key-[0-9a-f]{16})-(?P<part>[0-9]+)")


@dataclass(frozen=True)
class Grouping:
    """What changes share a pull request by, and how much one may hold."""

    by: Literal["value", "team", "file", "kind"] = "value"
    max_lines: int = 10
    max_risk: float = 0.05
    """Probability that any change of the group harms, taken as independent."""


@dataclass(frozen=True)
class Unit:
    """Proposals that write the very same bytes: one change, whoever asked for it."""

    items: tuple[Wanted, ...]
    """By resource and field: the first names the unit."""

    @property
    def lead(self) -> Wanted:
        return self.items[0]

    @cached_property
    def keys(self) -> tuple[str, ...]:
        """The change_key of each proposal."""
        return tuple(one.proposal.change_key for one in self.items)

    @cached_property
    def branch(self) -> str:
        """Of a pull request for this change alone."""
        proposal, _, changes = self.lead
        return branch_of_value(changes.edits[0].file, proposal.resource, proposal.field)

    @property
    def denied(self) -> str:
        """Ids of the rules that deny it; empty where none does."""
        return ", ".join(
            dict.fromkeys(
                rule.id
                for one in self.items
                if one.verdict.decision is Decision.DENY
                for rule in one.verdict.rules
            )
        ) or ("policy" if any(one.verdict.decision is Decision.DENY for one in self.items) else "")

    @property
    def needs_approval(self) -> bool:
        return any(one.verdict.decision is Decision.NEEDS_APPROVAL for one in self.items)

    @property
    def rung(self) -> Rung:
        return min((one.verdict.rung for one in self.items), key=lambda rung: rung.height)

    @property
    def rung_reason(self) -> str:
        return min(self.items, key=lambda one: one.verdict.rung.height).verdict.rung_reason

    @property
    def lines(self) -> int:
        """Lines that it changes at most."""
        return sum(
            max(edit.before.count("\n"), edit.after.count("\n")) + 1
            for edit in self.lead.changes.edits
        )

    def shared(self, by: str) -> str:
        """What it shares with others of its group."""
        proposal, _, changes = self.lead
        return {
            "team": proposal.owner,
            "file": ", ".join(sorted({edit.file for edit in changes.edits})),
            "kind": proposal.kind.value,
        }[by]

    def group(self, by: str) -> str:
        """Key of the group that it belongs to, without its part."""
        return content_id(
            "key",
            {
                "by": by,
                "of": self.shared(by),
                # a reader's yes is one yes, and money of two currencies has no sum
                "approval": self.needs_approval,
                "currency": self.lead.proposal.saving_per_month.currency,
            },
        )


def group_of(key: str) -> str | None:
    """What a pull request's key says is grouped there; None where it is one change alone."""
    found = _GROUP_KEY.fullmatch(key)
    return found["group"] if found else None


def free_part(group: str, taken: Collection[str]) -> str:
    """The first key of the group that is not taken."""
    part = 1
    while f"{group}-{part}" in taken:
        part += 1
    return f"{group}-{part}"


def fits(units: Sequence[Unit], grouping: Grouping) -> bool:
    """Whether these may share a pull request: one alone always may."""
    return len(units) <= 1 or (
        sum(one.lines for one in units) <= grouping.max_lines
        and sum(len(one.items) for one in units) <= MAX_MEMBERS
        and risk_of(units) <= grouping.max_risk
    )


def risk_of(units: Iterable[Unit]) -> float:
    """Probability that any change harms: 1 - prod(1 - risk), taken as independent."""
    return 1 - prod(1 - item.proposal.risk for unit in units for item in unit.items)


def in_order(wanted: Iterable[Wanted]) -> list[Wanted]:
    """What puts AI right, what runs short, then by expected value, then in the order of doing.

    Expected value = expected saving a month x (1 - risk) x confidence. Amounts of two currencies
    are not compared: the best of each currency stand side by side, then the second best.
    """
    by_currency: dict[tuple[int, str], list[Wanted]] = defaultdict(list)
    for one in wanted:
        kind = one.proposal.kind
        later = 0 if kind in REMEDY_KINDS else 1 if kind in SAFETY_KINDS else 2
        by_currency[later, one.proposal.saving_per_month.currency].append(one)
    ranked: list[tuple[tuple[int, int, float, str, str], Wanted]] = []
    for (later, _), ones in by_currency.items():
        best_first = sorted(ones, key=lambda one: (-_value(one), _order(one)))
        for rank, one in enumerate(best_first):
            proposal = one.proposal
            place = (later, rank, _order(one), proposal.resource, proposal.field)
            ranked.append((place, one))
    return [one for _, one in sorted(ranked, key=lambda pair: pair[0])]


def units_of(
    ordered: Sequence[Wanted], open_keys: Collection[str]
) -> tuple[list[Unit], list[Wanted]]:
    """(units in the same order, proposals of a value that another sets already).

    Of several that would write the same bytes differently, the one that is open already stays,
    else the first that policy does not deny.
    """
    chosen: dict[object, list[Wanted]] = {}
    double: list[Wanted] = []
    for one in sorted(
        ordered,
        key=lambda one: (
            one.verdict.decision is Decision.DENY,
            one.proposal.change_key not in open_keys,
        ),
    ):
        same = chosen.setdefault(_place(one), [])
        if same and _written(same[0]) != _written(one):
            double.append(one)
        else:
            same.append(one)
    at = {id(one): place for place, one in enumerate(ordered)}
    units = sorted(chosen.values(), key=lambda items: min(at[id(one)] for one in items))
    return [Unit(tuple(sorted(items, key=_name))) for items in units], double


def _name(one: Wanted) -> tuple[str, str, str]:
    return one.proposal.resource, one.proposal.field, one.proposal.kind.value


def _place(one: Wanted) -> object:
    """The bytes that it replaces; a change that only adds has a place of its own."""
    replaced = frozenset(
        (edit.file, edit.start_byte, edit.end_byte)
        for edit in one.changes.edits
        if edit.end_byte > edit.start_byte
    )
    return replaced or one.proposal.change_key


def _written(one: Wanted) -> object:
    return frozenset(one.changes.edits), one.proposal.saving_per_month.currency


def _order(one: Wanted) -> float:
    """What has no place in the order of doing comes after what has one."""
    return one.proposal.order or inf


def _value(one: Wanted) -> float:
    proposal = one.proposal
    return float(proposal.saving_per_month.mid) * (1 - proposal.risk) * proposal.confidence
