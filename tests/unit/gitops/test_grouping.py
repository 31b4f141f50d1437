"""What comes first, and what may share a pull request."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from finops_dagster.domain.decisions import ChangeSet, Decision, Edit, FindingKind
from finops_dagster.domain.money import MoneyRange
from finops_dagster.gitops.grouping import (
    MAX_MEMBERS,
    Grouping,
    Unit,
    fits,
    free_part,
    group_of,
    in_order,
    risk_of,
    units_of,
)
from finops_dagster.gitops.wanted import Wanted
from tests.builders import proposal, verdict


def wanted(
    name: str = "web", at: int = 1, decision: Decision = Decision.ALLOW, **changes: Any
) -> Wanted:
    of = proposal(resource=f"Deployment/shop/{name}", **changes)
    edit = Edit(file="a.yaml", start_byte=at, end_byte=at + 1, before="2", after=of.proposed)
    change = ChangeSet(proposal_id=of.id, key=of.key, base_sha="c" * 40, edits=(edit,))
    return Wanted(of, verdict(of, decision), change)


def saves(mid: float, currency: str = "USD") -> MoneyRange:
    amount = Decimal(str(mid))
    return MoneyRange(low=amount, mid=amount, high=amount, currency=currency)


def names(items: list[Wanted]) -> list[str]:
    return [one.proposal.resource.rpartition("/")[2] for one in items]


def test_order() -> None:
    """Harm: what is worth most waits behind what is worth little, or safety behind money."""
    items = [
        wanted("little", saving_per_month=saves(10)),
        wanted("risky", saving_per_month=saves(1000), risk=0.995),
        wanted("unsure", saving_per_month=saves(1000), confidence=0.015),
        wanted("much", saving_per_month=saves(500)),
        wanted("yen", saving_per_month=saves(3, "JPY"), order=4),
        wanted("safe", saving_per_month=saves(-5), kind=FindingKind.UNDERPROVISIONED_CPU),
    ]
    assert names(in_order(items)) == ["safe", "yen", "much", "unsure", "little", "risky"]


@given(st.permutations(range(6)))
def test_order_is_the_same_whatever_comes_in(order: list[int]) -> None:
    """Harm: two runs of one day open different pull requests."""
    items = [
        wanted(str(number), saving_per_month=saves(number // 2), order=number)
        for number in range(6)
    ]
    assert in_order(items[place] for place in order) == in_order(items)


def test_of_two_for_the_same_bytes_the_open_one_stays() -> None:
    """Harm: two rules that disagree about a value take turns each day."""
    one, other = wanted(proposed="500m"), wanted(kind=FindingKind.IDLE_WORKLOAD, proposed="100m")
    units, double = units_of([one, other], ())
    assert ([unit.items for unit in units], double) == ([(one,)], [other])
    units, double = units_of([one, other], {other.proposal.change_key})
    assert ([unit.items for unit in units], double) == ([(other,)], [one])
    denied = wanted(proposed="500m", decision=Decision.DENY)
    units, double = units_of([denied, other], {denied.proposal.change_key})
    assert ([unit.items for unit in units], double) == ([(other,)], [denied])


def test_the_same_bytes_alike_are_one_whoever_asks() -> None:
    """Harm: a chart's value is changed by two pull requests, one for the release and one for what
    it makes; or one that a rule denies comes in by the other."""
    workload, release = wanted("web"), wanted("release")
    (unit,), double = units_of([workload, release], ())
    assert (unit.items, double) == ((release, workload), [])
    (same,), _ = units_of([release, workload], ())
    assert same.branch == unit.branch
    denied = wanted("release", decision=Decision.DENY)
    (unit,), _ = units_of([workload, denied], ())
    assert unit.denied == "finops.headroom"


def test_insertions_at_one_place_are_two_changes() -> None:
    """Harm: the second patch that is added to a kustomization is thrown away as a double."""
    items = []
    for name in ("web", "api"):
        item = wanted(name)
        (edit,) = item.changes.edits
        added = edit.model_copy(update={"end_byte": 1, "before": "", "after": f"- {name}"})
        items.append(item._replace(changes=item.changes.model_copy(update={"edits": (added,)})))
    units, double = units_of(items, ())
    assert (len(units), double) == (2, [])


@given(st.lists(st.floats(0, 0.2), min_size=1, max_size=12), st.integers(1, 12))
def test_what_fits(risks: list[float], lines: int) -> None:
    """Harm: risks are added as if they could not pass 1, or a limit is passed by one."""
    units = [Unit((wanted(str(at), at, risk=risk),)) for at, risk in enumerate(risks)]
    survives = 1.0
    for risk in risks:
        survives *= 1 - risk
    assert risk_of(units) == pytest.approx(1 - survives)
    expected = len(units) == 1 or (len(units) <= lines and risk_of(units) <= 0.3)
    assert fits(units, Grouping("team", max_lines=lines, max_risk=0.3)) is expected


def test_a_group_is_never_so_large_that_its_marker_fills_the_body() -> None:
    """Harm: a body is cut off within what it has to remember."""
    units = [Unit((wanted(str(at), at, risk=0.0),)) for at in range(MAX_MEMBERS + 1)]
    wide = Grouping("team", max_lines=500, max_risk=1)
    assert fits(units[:-1], wide)
    assert not fits(units, wide)


def test_keys_of_groups() -> None:
    """Harm: a group is taken for one change, or two of its parts for one pull request."""
    group = Unit((wanted(),)).group("team")
    assert group_of(free_part(group, ())) == group
    assert free_part(group, {f"{group}-1", f"{group}-3"}) == f"{group}-2"
    assert group_of(group) is None
    assert Unit((wanted(owner="search"),)).group("team") != group
    assert Unit((wanted(owner="search"),)).group("kind") == Unit((wanted(),)).group("kind")
