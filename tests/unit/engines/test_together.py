"""What findings add to a total: never more than is paid, and what proposals say where proposed."""

from __future__ import annotations

from collections import defaultdict
from datetime import UTC, date, datetime
from decimal import Decimal
from random import Random

from hypothesis import given, settings
from hypothesis import strategies as st

from finops_dagster.domain.decisions import Evidence, Finding, FindingKind
from finops_dagster.domain.money import MoneyRange, Range
from finops_dagster.engines.optimisation import propose, together
from finops_dagster.engines.optimisation.candidates import Cell, Lever, Part, Relations, lever_of

AS_OF = date(2026, 3, 29)
NOW = datetime(2026, 3, 29, tzinfo=UTC)
CPU, MEMORY, STOP = "requests.cpu", "requests.memory", "spec.replicas"
NAME = "Deployment/shop/api"


def found(
    kind: FindingKind, mid: str, field: str = "", resource: str = NAME, currency: str = "USD",
    **figures: float,
) -> Finding:  # fmt: skip
    """A finding; one with a field is an edit from 2 to 1."""
    money = Decimal(mid)
    return Finding(
        kind=kind,
        resource=resource,
        field=field,
        current="2" if field else "",
        proposed="1" if field else "",
        owner=resource.split("/")[1],
        environment="production",
        saving_per_month=MoneyRange(
            low=money - abs(money) / 10, mid=money, high=money + abs(money) / 10, currency=currency
        ),
        carbon_kg_per_month=Range(low=0, mid=0, high=0),
        risk=0.01,
        confidence=1.0,
        evidence=Evidence(window_start=NOW, window_end=NOW, samples=1, figures=figures),
        reason="",
        engine="test",
        as_of=AS_OF,
    )


def costs(cpu: str = "100", memory: str = "60", resource: str = NAME) -> dict[Cell, Decimal]:
    """What one workload costs a month."""
    return {
        Cell(resource, Part.CPU, "USD"): Decimal(cpu),
        Cell(resource, Part.MEMORY, "USD"): Decimal(memory),
    }


def added(findings: list[Finding], paid: dict[Cell, Decimal]) -> list[tuple[str, Decimal]]:
    by_id = {one.id: one.kind.value for one in findings}
    told = together(findings, paid, Relations())
    return sorted((by_id[one.finding_id], one.saving_per_month.mid) for one in told)


def test_off_hours_add_their_share_of_what_sizing_leaves() -> None:
    """No edit switches hours off, and a report that sums both promises more than is paid."""
    cpu = found(FindingKind.RIGHTSIZE_CPU, "40", CPU)
    hours = found(FindingKind.OFF_HOURS, "84", off_share_of_week=0.7)
    told = added([cpu, hours], costs())
    # 160 a month, 40 less by sizing: 70 % of the 120 that are left
    assert told == [("off_hours", Decimal(84)), ("rightsize_cpu", Decimal(40))]


def test_of_a_stop_and_a_size_the_better_one_counts_and_the_other_adds_nothing() -> None:
    """A row of a report that adds to nothing must not be in its total."""
    stop = found(FindingKind.IDLE_WORKLOAD, "160", STOP)
    size = found(FindingKind.RIGHTSIZE_CPU, "40", CPU)
    assert added([stop, size], costs()) == [("idle_workload", Decimal(160))]


def test_a_raise_is_told_as_the_cost_it_is() -> None:
    """Safety that is left out of the sum is a bill that nobody expects."""
    size = found(FindingKind.RIGHTSIZE_CPU, "40", CPU)
    short = found(FindingKind.UNDERPROVISIONED_MEMORY, "-12", MEMORY)
    assert added([size, short], costs()) == [
        ("rightsize_cpu", Decimal(40)),
        ("underprovisioned_memory", Decimal(-12)),
    ]


def test_what_may_save_nothing_adds_nothing() -> None:
    """A workload that nobody declares is its owner's to keep."""
    assert added([found(FindingKind.UNDECLARED_WORKLOAD, "0")], costs()) == []
    assert together([]) == []


def test_a_finding_told_twice_counts_once() -> None:
    """Two parts of the line may find the same thing."""
    size = found(FindingKind.RIGHTSIZE_CPU, "40", CPU)
    assert added([size, size], costs()) == [("rightsize_cpu", Decimal(40))]


_SIZES = [
    (FindingKind.RIGHTSIZE_CPU, CPU),
    (FindingKind.RIGHTSIZE_MEMORY, MEMORY),
    (FindingKind.IDLE_WORKLOAD, STOP),
    (FindingKind.UNDERPROVISIONED_CPU, CPU),
]


def drawn(random: Random, kinds: list[tuple[FindingKind, str]]) -> list[Finding]:
    """Findings of a few resources, in two currencies, some of more than is paid."""
    made = []
    for _ in range(random.randint(1, 14)):
        kind, field = random.choice(kinds)
        raises = lever_of(kind) is Lever.RAISE
        mid = Decimal(random.randint(100, 30_000)) / 100
        off = {"off_share_of_week": random.random()} if kind is FindingKind.OFF_HOURS else {}
        made.append(
            found(
                kind,
                str(-mid if raises else mid),
                field,
                f"Deployment/team{random.randint(0, 1)}/w{random.randint(0, 3)}",
                random.choice(["USD", "EUR"]),
                **off,
            )
        )
    return made


def paid(random: Random) -> dict[Cell, Decimal]:
    """What every resource of `drawn` costs."""
    return {
        Cell(f"Deployment/team{team}/w{n}", part, currency): Decimal(random.randint(1, 20_000))
        / 100
        for team in range(2)
        for n in range(4)
        for part in (Part.CPU, Part.MEMORY, Part.STORAGE)
        for currency in ("USD", "EUR")
    }


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 2**32))
def test_no_sum_is_ever_above_what_is_paid(seed: int) -> None:
    """A saving above the bill, of a resource, a team or all, is the end of trust in the rest."""
    random = Random(seed)
    edits = dict(_SIZES)
    findings = drawn(random, [(kind, edits.get(kind, "")) for kind in FindingKind])
    bill = paid(random)
    by_id = {one.id: one for one in findings}
    saved: dict[tuple[str, str], Decimal] = defaultdict(Decimal)
    for one in together(findings, bill, Relations()):
        money = one.saving_per_month
        finding = by_id[one.finding_id]
        if not lever_of(finding.kind).for_safety:
            assert 0 < money.mid <= finding.saving_per_month.mid
            for whole in (finding.resource, finding.owner, "all"):
                saved[whole, money.currency] += money.mid
    for (whole, currency), amount in saved.items():
        cells = [
            cost
            for cell, cost in bill.items()
            if cell.currency == currency
            and whole in (cell.resource, cell.resource.split("/")[1], "all")
        ]
        assert amount <= sum(cells, Decimal(0))


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 2**32))
def test_a_total_and_the_proposals_say_the_same(seed: int) -> None:
    """Two figures for one change on one page: the reader believes neither."""
    random = Random(seed)
    findings, bill = drawn(random, _SIZES), paid(random)
    proposals, _ = propose(
        findings, reconstructed=False, publication_id="p", min_saving=Decimal(0),
        min_confidence=0, as_of=AS_OF, costs=bill,
    )  # fmt: skip
    told = {one.finding_id: one.saving_per_month for one in together(findings, bill)}
    assert {one.finding_id: one.saving_per_month for one in proposals} == told
