"""A limit or a condition of any rule that is changed by mistake makes a test or a sample fail."""

from __future__ import annotations

import pytest

from tests.policies.mutants import Mutant, chosen, mutants, survives

EVERY = list(mutants())
EQUIVALENT = {
    "sizing/headroom/rule.rego: not headroom < min_share -> not headroom <= min_share": (
        "exactly enough headroom is kept already, and the next line asks that it is not"
    ),
    "autonomy/ladder/rule.rego: record.merged > 0 -> record.merged >= 0": (
        "of none merged the share of reverts has no value, and the record is not good"
    ),
    'spend/ceiling/rule.rego: not after("team") > ceiling("team") -> '
    'not after("team") >= ceiling("team")': (
        "what is exactly at the ceiling is known by the line before"
    ),
}
"""Mutants that say the same as the rule -> why."""
FEW = [
    *chosen(
        [mutant for mutant in EVERY if mutant.operator != "limit"],
        lambda mutant: (mutant.place, mutant.operator == "negation"),
    ),
    *chosen(
        [mutant for mutant in EVERY if mutant.operator == "limit"],
        lambda mutant: mutant.place.split(".")[0],
    ),
]
"""Of each rule a comparison and a negation, of each topic a limit: what every run tries."""


def limit_of(mutant: Mutant) -> str:
    """TOPIC.defaults.LIMIT, or TOPIC.environments.ENVIRONMENT.LIMIT; empty for a condition's."""
    parts = mutant.place.split(".") if mutant.operator == "limit" else []
    return ".".join(parts[: 4 if parts[1:2] == ["environments"] else 3])


LIMITS = list(dict.fromkeys(filter(None, map(limit_of, EVERY))))


def unnoticed(mutant: Mutant) -> bool:
    return mutant.id not in EQUIVALENT and survives(mutant) is True


@pytest.mark.parametrize("mutant", FEW, ids=lambda mutant: mutant.id)
def test_noticed(mutant: Mutant) -> None:
    """Harm: a condition is turned around or a limit moved by mistake, and every test passes."""
    assert not unnoticed(mutant)


@pytest.mark.conformance
@pytest.mark.parametrize(
    "mutant",
    [mutant for mutant in EVERY if mutant.operator != "limit"],
    ids=lambda mutant: mutant.id,
)
def test_every_condition_is_noticed(mutant: Mutant) -> None:
    """Harm: likewise, of every condition of every rule."""
    assert not unnoticed(mutant)


@pytest.mark.conformance
@pytest.mark.parametrize("limit", LIMITS)
def test_every_limit_is_noticed(limit: str) -> None:
    """Harm: a limit is moved, or a table of them emptied, and nothing that it decides is told.

    Entries of a table (kinds, currencies, patterns) are data: that one of them counts is enough.
    """
    assert any(survives(mutant) is False for mutant in EVERY if limit_of(mutant) == limit)


def test_every_rule_and_topic_is_tried() -> None:
    """Harm: a new rule is never put to the test, since the harness does not find its conditions."""
    rules = {m.place for m in EVERY if m.operator != "limit"}
    assert rules == {m.place for m in FEW if m.operator != "limit"}
    assert {source.name for source in EVERY[0].bundle.policies if "/rule" in source.name} == rules
    assert {m.place for m in EVERY if m.operator == "negation"} == rules


def test_equivalent_mutants_are_mutants() -> None:
    """Harm: an excuse stands for a line that is gone, and covers whatever comes in its place."""
    assert set(EQUIVALENT) <= {mutant.id for mutant in EVERY}
