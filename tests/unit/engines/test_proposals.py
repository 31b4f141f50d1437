"""From findings to proposals by the portfolio: what is carried on, and what waits."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import Any

from finops_dagster.domain.decisions import (
    DeclaredResource,
    Evidence,
    Finding,
    FindingKind,
    Waiting,
)
from finops_dagster.domain.money import MoneyRange, Range
from finops_dagster.domain.periods import day_start
from finops_dagster.engines.optimisation import (
    DailyLimits,
    Progress,
    monthly_costs,
    propose,
    relations,
)
from finops_dagster.engines.optimisation.candidates import Cell, Part
from tests.unit.engines.estates import GIB, Workload, prices, steady

TODAY = date(2026, 3, 29)
X = "Deployment/shop/x"


def finding(kind: FindingKind, mid: str, field: str, **more: Any) -> Finding:
    """A certain finding of 100 % of its window that saves `mid` USD, give or take a tenth."""
    amount = Decimal(mid)
    ends = sorted((amount * Decimal("0.9"), amount * Decimal("1.1")))
    given = {
        "kind": kind,
        "resource": X,
        "field": field,
        "current": "2",
        "proposed": "1",
        "owner": "shop",
        "environment": "production",
        "saving_per_month": MoneyRange(low=ends[0], mid=amount, high=ends[1], currency="USD"),
        "carbon_kg_per_month": Range(low=0, mid=10, high=20),
        "risk": 0.01,
        "confidence": 1.0,
        "evidence": Evidence(
            window_start=day_start(TODAY), window_end=day_start(TODAY), samples=1,
            figures=more.pop("figures", {}),
        ),
        "reason": "",
        "engine": "test",
        "as_of": TODAY,
        **more,
    }  # fmt: skip
    return Finding.model_validate(given)


def proposed(findings: list[Finding], **more: Any) -> Any:
    return propose(
        findings, reconstructed=False, publication_id="pub-1", min_saving=Decimal(5),
        min_confidence=0.7, as_of=TODAY, **more,
    )  # fmt: skip


def test_a_proposal_carries_what_it_adds_to_the_others() -> None:
    """Sizing takes 40 of 100, nights half of the rest: 30, with its interval and its carbon."""
    size = finding(FindingKind.RIGHTSIZE_CPU, "40", "requests.cpu")
    night = finding(FindingKind.OFF_HOURS, "50", "schedule", figures={"off_share_of_week": 0.5})
    made, left = proposed([night, size], costs={Cell(X, Part.CPU, "USD"): Decimal(100)})
    assert left == []
    assert [(one.kind, one.order) for one in made] == [
        (FindingKind.RIGHTSIZE_CPU, 1), (FindingKind.OFF_HOURS, 2),
    ]  # fmt: skip
    assert made[0].saving_per_month == size.saving_per_month
    saving = made[1].saving_per_month
    assert (saving.low, saving.mid, saving.high) == (Decimal(27), Decimal(30), Decimal(33))
    assert made[1].carbon_kg_per_month.mid == 6
    assert made[1].order_reason == (
        f"after rightsize_cpu of {X}: its saving is counted on what is left then"
    )


def test_what_waits_is_told_apart_from_what_is_refused() -> None:
    """Its pull request must not be closed as no longer recommended."""
    one = finding(FindingKind.RIGHTSIZE_CPU, "40", "requests.cpu")
    two = finding(FindingKind.RIGHTSIZE_MEMORY, "30", "requests.memory")
    three = finding(FindingKind.UNUSED_VOLUME, "30", "")
    limits = DailyLimits(changes=1)
    made, left = proposed([one, two, three], limits=limits)
    assert [p.finding_id for p in made] == [one.id]
    (waits,) = [item for item in left if isinstance(item, Waiting)]
    assert (waits.key, waits.resource, waits.since) == (two.key, X, TODAY)
    assert waits.reason == "over today's limit of 1 change: next in line"
    progress = Progress(frozenset({one.key}), {waits.key: waits.since})
    made, left = proposed([one, two, three], limits=limits, progress=progress)
    assert [p.finding_id for p in made] == [two.id, one.id]
    assert len(left) == 1


def test_costs_are_of_the_days_billed_and_their_parts_sum_to_what_a_stop_saves() -> None:
    """2 replicas of 1 core at 0.04 and 1 GiB at 0.005, every hour of 365/12 days."""
    w = Workload(X, steady(0.3, 0.02, 1), steady(0.3 * GIB, 0.01 * GIB, 2))
    rows = prices([w], ("PersistentVolumeClaim/shop/v",))
    costs = monthly_costs(rows)
    # 2 x 0.04 x 24 x 365/12 and 2 x 0.005 x 24 x 365/12
    assert round(costs[Cell(X, Part.CPU, "USD")], 9) == Decimal("58.4")
    assert round(costs[Cell(X, Part.MEMORY, "USD")], 9) == Decimal("7.3")
    credited = rows.assign(cost=-rows["cost"])
    assert set(monthly_costs(credited).values()) == {Decimal(0)}


def test_volumes_of_a_workload_are_those_its_pods_claim() -> None:
    """A claim is named in the pod's own namespace."""
    manifest = (
        '{"spec":{"template":{"spec":{"volumes":[{"name":"a","emptyDir":{}},'
        '{"name":"b","persistentVolumeClaim":{"claimName":"data"}}]}}}}'
    )
    declared = DeclaredResource(
        resource=X, api_version="apps/v1", labels={}, annotations={}, file="a.yaml", document=0,
        manifest=manifest,
    )  # fmt: skip
    assert relations({X: declared}).uses == {X: {"PersistentVolumeClaim/shop/data"}}
