"""Queries are cut into parts that are whole together, and read as PromQL means them."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from finops_dagster.sources.prometheus.catalogue import CATALOGUE
from finops_dagster.sources.prometheus.plan import (
    Surveyed,
    chunks,
    measurements,
    scrape_of,
    within,
)
from finops_dagster.sources.prometheus.scope import Scope

NAMES = st.text("abcdefghijklmnopqrstuvwxyz0123456789-._Aé", max_size=12)


def holds(scope: Scope, name: str) -> bool:
    """Whether PromQL's matchers let a name in."""
    for matcher in scope.matchers:
        operator, pattern = re.match(r'pod(=~|!~)"(.*)"$', matcher).groups()  # type: ignore[union-attr]
        if (re.fullmatch(pattern, name) is not None) == (operator == "!~"):
            return False
    return True


def leaves(scope: Scope, depth: int) -> list[Scope]:
    halves = scope.halves() if depth else ()
    return [leaf for half in halves for leaf in leaves(half, depth - 1)] or [scope]


@given(NAMES, st.integers(0, 9))
def test_parts_hold_every_name_once(name: str, depth: int) -> None:
    """A name in two parts would count twice, one in none would be a workload without use."""
    assert sum(holds(leaf, name) for leaf in leaves(Scope("pod"), depth)) == 1


def test_a_scope_can_be_cut_to_the_end() -> None:
    """A namespace of one team with ten thousand pods is one tenth of no limit."""
    scope = Scope("pod")
    for _ in range(100):
        halves = scope.halves()
        if not halves:
            break
        scope = halves[0]
    assert not scope.halves()
    assert scope.share < 1e-5


CPU = next(one for one in CATALOGUE if one.name == "container_cpu_usage_seconds_total")


@pytest.mark.parametrize("limit", [1_000_000, 50_000, 3_000])
def test_chunks_are_within_the_limit_and_cover_the_day(limit: int) -> None:
    """Peers bring servers down at a thousand pods; a hole between two parts loses an hour."""
    query = measurements(CPU, Surveyed(2_000, 60, "pod"), (), None, 300, phases=False)[0]
    parts = chunks(query, 1_767_571_200, limit)
    assert max(part.estimate for part in parts) <= limit
    for scope in {part.scope for part in parts}:
        points = sorted(
            at
            for part in parts
            if part.scope == scope
            for at in range(part.start, part.end + 1, 300)
        )
        assert len(points) == len(set(points))
    assert len({part.name for part in parts}) == len(parts)
    share = sum(part.scope.share * part.points for part in parts) / 288
    assert share == pytest.approx(1)


def test_a_chunk_that_cannot_be_cut_stays_one() -> None:
    """An endless recursion is no plan."""
    query = measurements(CPU, Surveyed(10**9, 60, "pod"), (), None, 300, phases=False)[0]
    one = chunks(query, 0, 10**9)[0]
    while halves := one.halves():
        one = halves[0]
    assert within(one, 1) == [one]


@pytest.mark.parametrize(
    ("counts", "seconds"),
    [
        ({30: 900, 31: 40, 7: 20}, 60),
        ({120: 5}, 15),
        ({119: 5, 121: 4}, 15),
        ({6: 3, 1: 50}, 300),
        ({1: 9}, 77),
        ({}, 77),
    ],
)
def test_time_between_samples_is_that_of_most_series(counts: dict[int, int], seconds: int) -> None:
    """Pods that came or went within the half hour have fewer samples, not slower ones."""
    assert scrape_of(counts, unknown=77) == seconds


def test_queries_read_as_they_are_meant() -> None:
    """Ranges that take in both ends count a sample in two intervals."""
    mean, largest, *_ = measurements(
        CPU, Surveyed(10, 60, "pod"), ('env="prod"',), "cluster", 300, phases=False
    )
    assert mean.build(()) == (
        "max by (cluster, namespace, pod, container) (avg_over_time(irate("
        'container_cpu_usage_seconds_total{container!="",container!="POD",env="prod"}[119999ms]'
        ")[299999ms:60s]))"
    )
    assert "max_over_time(irate(" in largest.build(())
    slow = measurements(CPU, Surveyed(10, 300, "pod"), (), None, 300, phases=False)
    assert len(slow) == 1
    assert "(irate(" in slow[0].build(())
