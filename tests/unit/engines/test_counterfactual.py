"""What would have to be true for no proposal: every figure told is crossed, and the rules run."""

from __future__ import annotations

import re
from dataclasses import replace
from decimal import Decimal
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from finops_dagster.domain.decisions import Evidence, Finding, FindingKind, Proposal
from finops_dagster.domain.money import MoneyRange, Range
from finops_dagster.engines.optimisation import SizingConfig, find, propose
from finops_dagster.engines.optimisation.quantities import (
    neat_cpu,
    neat_cpu_below,
    neat_memory,
    neat_memory_below,
)
from tests.unit.engines.estates import (
    AS_OF,
    GIB,
    Workload,
    context,
    measurements,
    prices,
    steady,
)

BIG = Workload("Deployment/shop/big", steady(0.3, 0.02, 1), steady(0.3 * GIB, 0.01 * GIB, 2))
IDLE = Workload(
    "Deployment/shop/idle", steady(0.01, 0.001, 3), steady(0.3 * GIB, 0.01 * GIB, 4),
    network=200.0,
)  # fmt: skip
JUST = 1.003
"""A figure is told to four digits and a rule rounds nothing away: this far is across."""


def made(
    workload: Workload,
    *,
    price: Decimal = Decimal(1),
    min_saving: Decimal = Decimal(5),
    min_confidence: float = 0.7,
    rows: Any = None,
    config: SizingConfig | None = None,
) -> dict[FindingKind, Proposal]:
    """Proposals of an estate of one workload, by kind; `price` times what it really pays."""
    cost = prices([workload])
    for column in ("cost", "unit_price"):
        cost[column] = [amount * price for amount in cost[column]]
    found = find(
        measurements([workload]) if rows is None else rows,
        cost, context([workload]), AS_OF, config or SizingConfig(),
    )  # fmt: skip
    proposals, _ = propose(
        found.findings, reconstructed=False, publication_id="p", as_of=AS_OF,
        min_saving=min_saving, min_confidence=min_confidence,
    )  # fmt: skip
    return {one.kind: one for one in proposals}


def told(proposal: Proposal, pattern: str) -> tuple[float, float]:
    """The limit and what is, of the one clause that has `pattern` with two groups."""
    (found,) = [m for m in (re.search(pattern, one) for one in proposal.counterfactual) if m]
    return float(found[1]), float(found[2])


@settings(max_examples=15, deadline=None)
@given(mean=st.floats(0.05, 0.55), noise=st.floats(0.0, 0.05), seed=st.integers(0, 99),
       environment=st.sampled_from(["prod", "staging", "dev"]))  # fmt: skip
def test_demand_just_over_what_is_told_is_not_cut_and_just_under_it_is(
    mean: float, noise: float, seed: int, environment: str
) -> None:
    """A clause that is not so would be read to a team as the reason for a change."""
    base = replace(
        BIG, cpu=np.clip(steady(mean, noise * mean, seed), 0, None), environment=environment
    )
    one = made(base).get(FindingKind.RIGHTSIZE_CPU)
    if one is None:
        return
    limit, now = told(one, r"goes by were above ([\d.]+) cores a replica \(it is ([\d.]+)\)")
    over = replace(base, cpu=base.cpu * (limit / now) * JUST)
    under = replace(base, cpu=base.cpu * (limit / now) / JUST)
    assert FindingKind.RIGHTSIZE_CPU not in made(over)
    assert FindingKind.RIGHTSIZE_CPU in made(under)


def test_memory_just_over_what_is_told_is_not_cut_and_just_under_it_is() -> None:
    """As of CPU, by the peak and its growth."""
    one = made(BIG, min_saving=Decimal(1))[FindingKind.RIGHTSIZE_MEMORY]
    limit, now = told(one, r"growth included, were above ([\d.]+) GiB a replica \(it is ([\d.]+)")
    for factor, proposed in ((JUST, False), (1 / JUST, True)):
        other = made(
            replace(BIG, memory=BIG.memory * (limit / now) * factor), min_saving=Decimal("0.01")
        )
        assert (FindingKind.RIGHTSIZE_MEMORY in other) is proposed


def test_price_just_under_what_is_told_is_not_worth_a_change() -> None:
    """The saving is told at the price paid; at another it may not be worth a reviewer's time."""
    one = made(BIG)[FindingKind.RIGHTSIZE_CPU]
    ((limit, saves),) = [
        (float(m[1]), Decimal(m[2]))
        for m in (
            re.search(r"price were under ([\d.]+) of today's: .* \(it saves ([\d.]+)\)", clause)
            for clause in one.counterfactual
        )
        if m
    ]
    assert saves == round(one.saving_per_month.mid, 2)
    assert FindingKind.RIGHTSIZE_CPU not in made(BIG, price=Decimal(str(limit)) * Decimal("0.9999"))
    assert FindingKind.RIGHTSIZE_CPU in made(BIG, price=Decimal(str(limit * JUST)))


def test_measured_for_less_than_is_told_is_not_judged_enough() -> None:
    """Half the measurements are not the fourteen days that it stands on."""
    one = made(BIG)[FindingKind.RIGHTSIZE_CPU]
    limit, now = told(one, r"measured for under ([\d.]+) % of the window \(it was for ([\d.]+) %")
    assert (limit, now) == (70.0, 100.0)
    rows = measurements([BIG])
    for share, proposed in ((limit / 100 - 0.01, False), (limit / 100 + 0.01, True)):
        kept = rows.iloc[np.linspace(0, len(rows) - 1, round(share * len(rows))).astype(int)]
        assert (FindingKind.RIGHTSIZE_CPU in made(BIG, rows=kept)) is proposed


def test_a_rehearsal_that_was_short_more_often_than_is_told_forbids_the_cut() -> None:
    """The share that is told is the one that the rule asks of the last third."""
    one = made(BIG)[FindingKind.RIGHTSIZE_CPU]
    limit, now = told(one, r"exceeded in over ([\d.]+) % of .* \(it was in ([\d.]+) %\)")
    assert (limit, now) == (5.0, 0.0)
    late = np.arange(len(BIG.cpu)) >= len(BIG.cpu) * 2 // 3
    rng = np.random.default_rng(5)
    order = np.argsort(np.where(late, rng.random(late.size), 2.0))
    for share, proposed in ((0.055, False), (0.045, True)):
        cpu = BIG.cpu.copy()
        cpu[order[: round(share * late.sum())]] = 0.6
        config = SizingConfig(min_change_share=0.0)
        assert (FindingKind.RIGHTSIZE_CPU in made(replace(BIG, cpu=cpu), config=config)) is proposed


@pytest.mark.parametrize(
    ("column", "pattern"),
    [
        ("cpu", r"used ([\d.]+) cores or more in one interval of a hundred \(.* is ([\d.]+)\)"),
        ("network", r"received ([\d.]+) bytes a second or more .* \(.* is ([\d.]+)\)"),
    ],
)
def test_used_a_little_more_than_is_told_is_not_idle(column: str, pattern: str) -> None:
    """What is stopped must really be next to nothing, and the reader can see how far from it."""
    one = made(IDLE)[FindingKind.IDLE_WORKLOAD]
    limit, now = told(one, pattern)
    series = getattr(IDLE, column)
    for factor, proposed in ((JUST, False), (1 / JUST, True)):
        other = replace(IDLE, **{column: series * (limit / now) * factor})
        assert (FindingKind.IDLE_WORKLOAD in made(other)) is proposed


def test_a_raise_is_told_by_how_often_the_request_was_exceeded() -> None:
    """A cut's limits would say nothing of a change that costs money on purpose."""
    cpu = steady(0.5, 0.01, 6)
    cpu[::8] = 2.0
    one = made(replace(BIG, cpu=cpu))[FindingKind.UNDERPROVISIONED_CPU]
    limit, now = told(one, r"in at most ([\d.]+) % of the intervals \(it did in ([\d.]+) %\)")
    assert (limit, now) == (5.0, 12.5)
    for every, proposed in ((19, True), (21, False)):
        seldom = steady(0.5, 0.01, 6)
        seldom[::every] = 2.0
        found = made(replace(BIG, cpu=seldom))
        assert (FindingKind.UNDERPROVISIONED_CPU in found) is proposed


def test_the_nearest_comes_first_and_what_the_finder_said_before_all() -> None:
    """Who reads one clause reads the one that would have taken least."""
    of = finding(FindingKind.RIGHTSIZE_CPU, mid="6", low="3", figures={
        "rule_quantile_cores": 0.2, "rule_quantile_limit_cores": 1.0, "exceeded_share": 0.0,
    })  # fmt: skip
    (one,) = _proposed(of)
    assert one.counterfactual == (
        "its price were under 0.8333 of today's: it would save under 5 USD a month (it saves 6.00)",
        "it had been measured for under 70 % of the window (it was for 90 %)",
        "the high quantile of its CPU that the rule goes by were above 1.001 cores a replica (it "
        "is 0.2)",
        "the size that the first two thirds of the window ask for had been exceeded in over 5 % "
        "of the intervals of the last (it was in 0 %)",
        "the 95 % interval of its saving reached down to 0 USD a month (its lower end is 3.00)",
    )
    (other,) = _proposed(of.model_copy(update={"counterfactual": ("the moon were full",)}))
    assert other.counterfactual == ("the moon were full", *one.counterfactual)


@settings(max_examples=60, deadline=None)
@given(st.sampled_from(sorted(FindingKind)), st.floats(0.7, 1.0), st.decimals(6, 5000, places=2))
def test_every_kind_that_is_proposed_has_a_figure_that_would_undo_it(
    kind: FindingKind, confidence: float, mid: Decimal
) -> None:
    """A new kind of change must not arrive without its other side."""
    of = finding(kind, mid=str(mid), low=str(mid / 2), confidence=confidence)
    proposals = _proposed(of)
    for one in proposals:
        assert any(re.search(r"\d", clause) for clause in one.counterfactual), kind
        for clause in one.counterfactual:
            assert "e+" not in clause and "nan" not in clause


@settings(max_examples=60, deadline=None)
@given(st.decimals("5.01", 900, places=2), st.floats(0.02, 0.98))
def test_a_saving_and_a_confidence_just_under_their_limits_are_not_proposed(
    mid: Decimal, lower: float
) -> None:
    """The limits of the settings are told as they are asked."""
    of = finding(FindingKind.OFF_HOURS, mid=str(mid), low=str(round(mid * Decimal(str(lower)), 4)))
    (one,) = _proposed(of)
    assert any(c.startswith("it saved under 5 USD a month") for c in one.counterfactual)
    less = of.model_copy(update={"saving_per_month": money("4.99", "1")})
    enough = of.model_copy(update={"saving_per_month": money("5.00", "1")})
    unsure = of.model_copy(update={"saving_per_month": money(str(mid), "0")})
    assert [bool(_proposed(x)) for x in (less, enough, unsure)] == [False, True, False]


@given(st.decimals("0.005", 2000, places=4))
def test_the_step_below_is_the_greatest_that_rounding_up_leaves_alone(amount: Decimal) -> None:
    """A limit that is a step off would be told of the wrong size."""
    below = neat_cpu_below(amount)
    assert below <= amount
    assert neat_cpu(below) == below
    assert neat_cpu(amount) in (below, neat_cpu(below + Decimal("0.00001")))
    size = amount * GIB
    least = neat_memory_below(size)
    assert least <= size
    assert neat_memory(least) == least
    assert neat_memory(size) in (least, neat_memory(least + 1))


def money(mid: str, low: str) -> MoneyRange:
    """A saving in USD."""
    return MoneyRange(low=Decimal(low), mid=Decimal(mid), high=2 * Decimal(mid), currency="USD")


def finding(
    kind: FindingKind,
    *,
    mid: str,
    low: str,
    confidence: float = 0.9,
    figures: dict[str, float] | None = None,
) -> Finding:
    """A finding with an edit."""
    end = pd.Timestamp(AS_OF, tz="UTC").to_pydatetime()
    return Finding(
        kind=kind, resource="Deployment/shop/web", field="spec.x", current="2", proposed="1",
        owner="team-web", environment="prod", saving_per_month=money(mid, low),
        carbon_kg_per_month=Range(low=1, mid=2, high=3), risk=0.01, confidence=confidence,
        evidence=Evidence(window_start=end, window_end=end, samples=9, figures=figures or {}),
        reason="r", engine="e", as_of=AS_OF,
    )  # fmt: skip


def _proposed(of: Finding) -> list[Proposal]:
    return propose(
        [of], reconstructed=False, publication_id="p", as_of=AS_OF, min_saving=Decimal(5),
        min_confidence=0.7,
    )[0]  # fmt: skip
