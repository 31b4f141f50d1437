"""Portfolios held against obvious code: sums under costs, the best set, the order, the limits."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date
from decimal import Decimal
from fractions import Fraction
from itertools import combinations
from random import Random

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from finops_dagster.domain.decisions import FindingKind
from finops_dagster.domain.money import MoneyRange
from finops_dagster.engines.optimisation.candidates import (
    Candidate,
    Cell,
    Lever,
    Part,
    Relations,
    lever_of,
)
from finops_dagster.engines.optimisation.portfolio import Portfolio, choose
from finops_dagster.engines.optimisation.queue import DailyLimits, Progress

CPU, MEMORY, GPU = Part.CPU, Part.MEMORY, Part.GPU
COMPUTE = (CPU, MEMORY, GPU)
TODAY = date(2026, 3, 29)
quick = settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow], database=None
)


def money(mid: Decimal | int | str, currency: str = "USD") -> MoneyRange:
    """`mid`, give or take a fifth."""
    amount = Decimal(mid)
    ends = sorted((amount * Decimal("0.8"), amount * Decimal("1.2")))
    return MoneyRange(low=ends[0], mid=amount, high=ends[1], currency=currency)


def change(
    name: str, lever: Lever, resource: str, mid: Decimal | int | str, **more: object
) -> Candidate:
    """A candidate of team `shop` that takes cpu, or all of compute where it stops or schedules."""
    given: dict[str, object] = {
        "id": name,
        "key": more.get("key", name),
        "lever": lever,
        "resource": resource,
        "what": f"{name} of {resource}",
        "team": "shop",
        "parts": COMPUTE if lever in (Lever.STOP, Lever.SCHEDULE, Lever.COMMIT) else (CPU,),
        "saving": money(mid, str(more.pop("currency", "USD"))),
    }
    return Candidate(**(given | more))  # type: ignore[arg-type]


@dataclass(frozen=True)
class Case:
    """A random portfolio."""

    candidates: list[Candidate]
    costs: dict[Cell, Decimal]
    relations: Relations
    min_saving: Decimal


def a_case(random: Random, resources: int, changes: int, currencies: Sequence[str]) -> Case:
    """Machines that contain workloads, volumes, wrong claims above cost, and two teams."""
    names = [f"Deployment/a/w{n}" for n in range(resources)]
    costs = {
        Cell(name, part, currency): Decimal(random.randint(1, 90_000)) / 100
        for name in names
        for part in COMPUTE
        for currency in currencies
        if random.random() < 0.8
    }
    contains: dict[str, frozenset[str]] = {}
    if resources > 2 and random.random() < 0.5:
        contains[names[0]] = frozenset(names[1 : random.randint(2, resources)])
    uses = {names[1]: frozenset({names[-1]})} if resources > 2 and random.random() < 0.4 else {}
    found = []
    for n in range(changes):
        lever = random.choice(list(Lever))
        resource = random.choice(names)
        parts = (random.choice(COMPUTE),) if lever in (Lever.SIZE, Lever.RAISE) else COMPUTE
        mid = Decimal(random.randint(1, 60_000)) / 100
        amount = {Lever.RAISE: -mid, Lever.REMEDY: Decimal(0)}.get(lever, mid)
        share = Decimal(random.randint(5, 80)) / 100
        scope = random.sample(names, random.randint(1, resources))
        rest = lever is Lever.COMMIT and random.random() < 0.5
        found.append(
            Candidate(
                id=f"c{n:02d}",
                key=f"k{random.randint(0, changes)}",
                lever=lever,
                resource=f"Commitment/a/c{n}" if rest else resource,
                what=f"c{n:02d}",
                team=f"team{names.index(resource) % 2}",
                parts=parts,
                saving=money(amount, random.choice(currencies)),
                share=share if lever in (Lever.SCHEDULE, Lever.COMMIT) else None,
                scope=frozenset(scope) if lever is Lever.COMMIT else frozenset(),
                own_cost=mid * 2 if rest else Decimal(0),
            )
        )
    least = Decimal(random.choice([0, 5, 40]))
    return Case(found, costs, Relations(contains=contains, uses=uses), least)


def within(case: Case, one: Candidate) -> set[str]:
    """What it reaches: one level of containment is all that `a_case` has."""
    reached = {one.resource, *one.scope}
    return reached.union(*(case.relations.contains.get(name, ()) for name in reached))


class Oracle:
    """The obvious count in exact fractions, from the words of the docstrings alone."""

    def __init__(self, case: Case) -> None:
        self.case = case
        self.costs = {cell: Fraction(cost) for cell, cost in case.costs.items()}
        for one in case.candidates:
            if one.own_cost:
                rest = Cell(one.resource, Part.OTHER, one.saving.currency)
                self.costs[rest] = Fraction(one.own_cost)
        priced = {(cell.resource, cell.currency) for cell in case.costs}
        for name in sorted({one.resource for one in case.candidates}):
            for currency in ("EUR", "USD"):
                if (name, currency) not in priced and name not in case.relations.contains:
                    self._least(name, currency)
        self.share: dict[tuple[str, Cell], Fraction] = {}
        for one in case.candidates:
            if one.lever.for_safety:
                continue
            cells = [
                cell
                for cell in self.costs
                if cell.resource in within(case, one)
                and cell.currency == one.saving.currency
                and cell.part in (*one.parts, Part.OTHER)
            ]
            whole = sum((self.costs[cell] for cell in cells), Fraction(0))
            for cell in cells:
                share = (
                    Fraction(one.share)
                    if one.share is not None
                    else Fraction(one.saving.mid) / whole
                )
                self.share[one.id, cell] = min(Fraction(1), share)
        self._cut()

    def _least(self, name: str, currency: str) -> None:
        mine = [
            one
            for one in self.case.candidates
            if one.resource == name
            and one.saving.currency == currency
            and not one.lever.for_safety
            and one.lever is not Lever.COMMIT
        ]
        known = Fraction(0)
        for part in COMPUTE:
            by_key: dict[str, Fraction] = {}
            for one in mine:
                if one.lever is Lever.SIZE and one.parts == (part,):
                    by_key[one.key] = max(
                        by_key.get(one.key, Fraction(0)), Fraction(one.saving.mid)
                    )
            if by_key:
                self.costs[Cell(name, part, currency)] = sum(by_key.values(), Fraction(0))
                known += sum(by_key.values(), Fraction(0))
        most = max((Fraction(one.saving.mid) for one in mine), default=Fraction(0))
        if most > known:
            self.costs[Cell(name, Part.OTHER, currency)] = most - known

    def _cut(self) -> None:
        wholes: dict[tuple[Cell, tuple[int, int]], dict[str, Fraction]] = defaultdict(dict)
        sizes = [one for one in self.case.candidates if one.lever is Lever.SIZE]
        for one in sizes:
            for cell in self.costs:
                share = self.share.get((one.id, cell))
                if share is not None:
                    by_key = wholes[cell, self.stage(one)]
                    by_key[one.key] = max(by_key.get(one.key, Fraction(0)), share)
        for one in sizes:
            for cell in self.costs:
                if (one.id, cell) in self.share:
                    whole = sum(wholes[cell, self.stage(one)].values())
                    self.share[one.id, cell] /= max(Fraction(1), whole)

    def stage(self, one: Candidate) -> tuple[int, int]:
        around = sum(one.resource in inner for inner in self.case.relations.contains.values())
        return list(Lever).index(one.lever), -around

    def allowed(self, chosen: Sequence[Candidate]) -> bool:
        for a, b in combinations(chosen, 2):
            if a.key == b.key:
                return False
            for stop, other in ((a, b), (b, a)):
                if (
                    stop.lever is Lever.STOP
                    and other.lever is not Lever.COMMIT
                    and other.resource in within(self.case, stop)
                ):
                    return False
            if a.lever is b.lever is Lever.SCHEDULE and a.resource == b.resource:
                return False
            if a.lever is b.lever is Lever.COMMIT and any(
                (a.id, cell) in self.share and (b.id, cell) in self.share for cell in self.costs
            ):
                return False
        stopped = set().union(
            *(within(self.case, one) for one in chosen if one.lever is Lever.STOP)
        )
        return not any(
            one.lever is Lever.STOP and one.resource in used and user not in stopped
            for one in chosen
            for user, used in self.case.relations.uses.items()
        )

    def saved(self, chosen: Sequence[Candidate]) -> dict[tuple[str, Cell], Fraction]:
        """Sequentially, stage by stage."""
        saved = {}
        for cell, cost in self.costs.items():
            left = cost
            for stage in sorted({self.stage(one) for one in chosen}):
                here = [
                    (one, self.share[one.id, cell])
                    for one in chosen
                    if self.stage(one) == stage and (one.id, cell) in self.share
                ]
                for one, share in here:
                    saved[one.id, cell] = left * share
                left -= sum((left * share for _, share in here), Fraction(0))
        return saved

    def best(self) -> Fraction:
        """The most that any allowed set saves, where each member still saves enough."""
        raised: dict[str, Candidate] = {}
        for one in sorted(
            self.case.candidates, key=lambda one: (one.lever.urgency, one.saving.mid)
        ):
            if one.lever.for_safety:
                raised.setdefault(one.key, one)
        rest = [
            one
            for one in self.case.candidates
            if not one.lever.for_safety and all(self._beside(one, kept) for kept in raised.values())
        ]
        most = Fraction(0)
        for count in range(len(rest) + 1):
            for chosen in combinations(rest, count):
                if not self.allowed(chosen):
                    continue
                by_id: dict[str, Fraction] = defaultdict(Fraction)
                for (name, _), amount in self.saved(chosen).items():
                    by_id[name] += amount
                if all(
                    by_id[one.id] > 0 and by_id[one.id] >= self.case.min_saving for one in chosen
                ):
                    most = max(most, sum(by_id.values(), Fraction(0)))
        return most

    def _beside(self, one: Candidate, raised: Candidate) -> bool:
        stops = one.lever is Lever.STOP and raised.resource in within(self.case, one)
        return one.key != raised.key and not stops


def chosen_of(case: Case, **more: object) -> Portfolio:
    return choose(
        case.candidates,
        case.costs,
        case.relations,
        min_saving=case.min_saving,
        **more,  # type: ignore[arg-type]
    )


@quick
@given(st.randoms(use_true_random=False))
def test_savings_never_exceed_what_anything_costs(random: Random) -> None:
    """A promise above the bill is a promise that cannot be kept: of no resource, team, estate."""
    case = a_case(random, random.randint(1, 8), random.randint(1, 20), ("USD", "EUR"))
    oracle = Oracle(case)
    found = chosen_of(case)
    teams = {f"Deployment/a/w{n}": f"team{n % 2}" for n in range(8)}
    for groups in (
        lambda name: name,
        lambda name: teams.get(name, "platform"),
        lambda _: "estate",
    ):
        saved: dict[tuple[str, str], Fraction] = defaultdict(Fraction)
        cost: dict[tuple[str, str], Fraction] = defaultdict(Fraction)
        for cell, amount in oracle.costs.items():
            cost[groups(cell.resource), cell.currency] += amount
        for one in found.chosen:
            for resource, amount in one.by_resource.items():
                saved[groups(resource), one.saving.currency] += Fraction(amount)
        assert all(amount <= cost[at] + Fraction(1, 10**30) for at, amount in saved.items())
    for currency, amount in found.saved().items():
        whole = sum(c for cell, c in oracle.costs.items() if cell.currency == currency)
        assert Fraction(amount) <= whole
    assert {one.candidate.id for one in found.chosen} | {
        one.candidate.id for one in found.left
    } == {one.id for one in case.candidates}
    assert all(one.why.reason for one in found.left)


@settings(quick, max_examples=60)
@given(st.randoms(use_true_random=False))
def test_the_set_is_the_best_of_all_sets(random: Random) -> None:
    """A solver's model that differs from what is meant finds the optimum of something else."""
    case = a_case(random, random.randint(1, 4), random.randint(1, 8), ("USD",))
    oracle = Oracle(case)
    found = chosen_of(case)
    chosen = [one.candidate for one in found.chosen if not one.candidate.lever.for_safety]
    assert oracle.allowed([one.candidate for one in found.chosen])
    by_id: dict[str, Fraction] = defaultdict(Fraction)
    for (name, _), amount in oracle.saved(chosen).items():
        by_id[name] += amount
    assert float(sum(by_id.values())) == pytest.approx(float(oracle.best()), rel=2e-6, abs=1e-9)
    for one in found.chosen:
        if not one.candidate.lever.for_safety:
            promised = min(by_id[one.candidate.id], Fraction(one.candidate.saving.mid))
            assert float(one.saving.mid) == pytest.approx(float(promised), abs=2e-10)


@quick
@given(st.randoms(use_true_random=False))
def test_the_order_respects_what_comes_first(random: Random) -> None:
    """A volume deleted before its workload is stopped takes the workload down."""
    case = a_case(random, random.randint(3, 7), random.randint(3, 16), ("USD",))
    found = chosen_of(case)
    at = {one.candidate.id: one.order for one in found.chosen}
    assert sorted(at.values()) == list(range(1, len(at) + 1))
    for one in found.chosen:
        assert all(at[other] < one.order for other in one.after)
        for other in found.chosen:
            reaches = other.candidate.resource in within(case, one.candidate)
            if one.candidate.lever is Lever.COMMIT and other.candidate.lever in (
                Lever.STOP, Lever.SIZE, Lever.SCHEDULE,
            ) and reaches:  # fmt: skip
                assert other.order < one.order
    first = [one.candidate.lever.urgency for one in found.chosen]
    assert first == sorted(first)


@quick
@given(st.randoms(use_true_random=False))
def test_the_same_in_any_order_is_the_same(random: Random) -> None:
    """A recommendation that flips with the order of rows cannot be trusted or replayed."""
    case = a_case(random, random.randint(1, 6), random.randint(1, 14), ("USD", "EUR"))
    shuffled = random.sample(case.candidates, len(case.candidates))
    cells = random.sample(sorted(case.costs), len(case.costs))
    again = replace(case, candidates=shuffled, costs={cell: case.costs[cell] for cell in cells})
    assert chosen_of(case) == chosen_of(again)


@settings(quick, max_examples=20)
@given(st.randoms(use_true_random=False))
def test_limits_are_kept_and_what_waits_is_first_tomorrow(random: Random) -> None:
    """A change that is always outbid by newer ones is never made."""
    case = a_case(random, random.randint(2, 8), random.randint(4, 18), ("USD", "EUR"))
    case = replace(case, candidates=[replace(c, key=c.id) for c in case.candidates])
    limits = DailyLimits(
        changes=random.randint(1, 4),
        changes_per_team=random.randint(1, 3),
        money_per_day=Decimal(random.randint(300, 900)),
    )
    everything = {one.candidate.id for one in chosen_of(case).chosen}
    progress, done = Progress(), set()
    for day in range(len(case.candidates)):
        found = chosen_of(case, limits=limits, progress=progress)
        new = [one for one in found.chosen if one.candidate.key not in progress.begun]
        assert len(new) <= limits.changes  # type: ignore[operator]
        per_team: dict[str, int] = defaultdict(int)
        spent: dict[str, Decimal] = defaultdict(Decimal)
        for one in new:
            per_team[one.candidate.team] += 1
            if not one.candidate.lever.for_safety:
                spent[one.saving.currency] += one.saving.mid
        assert all(count <= limits.changes_per_team for count in per_team.values())  # type: ignore[operator]
        assert all(amount <= limits.money_per_day for amount in spent.values())  # type: ignore[operator]
        waiting = [one.candidate for one in found.left if one.waits]
        since = {
            one.key: progress.waiting.get(one.key, date.fromordinal(TODAY.toordinal() + day))
            for one in waiting
        }
        done |= {one.candidate.id for one in found.chosen}
        if not waiting:
            break
        assert new, "nothing begun though something waits: it would wait for ever"
        progress = Progress(frozenset(one.candidate.key for one in found.chosen), since)
    else:
        raise AssertionError("still waiting after as many days as there are changes")
    small = {c.id for c in case.candidates if not limits.too_large(c)}
    assert everything & small <= done | {one.candidate.id for one in found.left}


def test_what_was_left_out_today_is_before_what_saves_more_tomorrow() -> None:
    """First come, first served: else a small change waits for ever."""
    large, small = (
        change("large", Lever.SIZE, "D/a/x", 90),
        change("small", Lever.SIZE, "D/a/y", 10),
    )
    limits = DailyLimits(changes_per_team=1)
    today = choose([large, small], {}, limits=limits)
    assert [one.candidate.id for one in today.chosen] == ["large"]
    (left,) = today.left
    assert left.waits
    assert left.why.reason == "over today's limit of 1 change of team shop: next in line"
    newer = change("newer", Lever.SIZE, "D/a/z", 95)
    progress = Progress(frozenset({"large"}), {"small": TODAY})
    tomorrow = choose([large, small, newer], {}, limits=limits, progress=progress)
    assert [one.candidate.id for one in tomorrow.chosen] == ["small", "large"]
    assert tomorrow.chosen[0].why == "waited since 2026-03-29"
    assert tomorrow.left[0].candidate.id == "newer"


def test_an_idle_workload_is_stopped_and_its_size_is_covered() -> None:
    """Stop saves 100 of 100; 30 of cpu and 20 of hours are in it."""
    costs = {Cell("D/a/x", CPU, "USD"): Decimal(70), Cell("D/a/x", MEMORY, "USD"): Decimal(30)}
    found = choose(
        [
            change("size", Lever.SIZE, "D/a/x", 30),
            change("stop", Lever.STOP, "D/a/x", 100),
            change("night", Lever.SCHEDULE, "D/a/x", 20),
        ],
        costs,
    )
    assert [one.candidate.id for one in found.chosen] == ["stop"]
    assert found.chosen[0].saving == money(100)
    assert all("covered by stop of D/a/x" in one.why.reason for one in found.left)


def test_sizing_first_then_hours_then_what_is_committed_by_hand() -> None:
    """Cost 100: sizing takes 40, nights half of 60, a commitment 20 % of 30: 76 of 100."""
    costs = {Cell("D/a/x", CPU, "USD"): Decimal(100)}
    found = choose(
        [
            change("plan", Lever.COMMIT, "Plan/a/p", 20, share=Decimal("0.2"),
                   scope=frozenset({"D/a/x"})),
            change("night", Lever.SCHEDULE, "D/a/x", 50, share=Decimal("0.5")),
            change("size", Lever.SIZE, "D/a/x", 40),
        ],
        costs,
    )  # fmt: skip
    assert [(one.candidate.id, one.saving.mid) for one in found.chosen] == [
        ("size", Decimal(40)), ("night", Decimal(30)), ("plan", Decimal(6)),
    ]  # fmt: skip
    assert found.saved() == {"USD": Decimal(76)}
    assert "need not be committed to" in found.chosen[2].why
    held = choose([one.candidate for one in found.chosen], costs, limits=DailyLimits(changes=2))
    assert held.left[0].why.reason == "over today's limit of 2 changes: next in line"


def test_a_commitment_waits_for_the_sizing_that_waits() -> None:
    """A commitment cannot be given back: made before sizing it pays for room nobody has."""
    size = change("size", Lever.SIZE, "D/a/x", 40)
    plan = change("plan", Lever.COMMIT, "Plan/a/p", 50, team="platform", share=Decimal("0.5"),
                  scope=frozenset({"D/a/x"}))  # fmt: skip
    other = change("other", Lever.SIZE, "D/a/y", 60)
    costs = {Cell("D/a/x", CPU, "USD"): Decimal(100)}
    found = choose([size, plan, other], costs, limits=DailyLimits(changes_per_team=1))
    assert [one.candidate.id for one in found.chosen] == ["other"]
    reasons = {one.candidate.id: one.why.reason for one in found.left}
    assert reasons["plan"] == "waits for size of D/a/x, which must come first"


def test_a_remedy_comes_before_all_else_and_is_not_undone_by_a_saving() -> None:
    """A model that harms people waits behind a saving, or is scaled down by one while it is
    paused."""
    pause = replace(change("pause", Lever.REMEDY, "D/a/x", 0), alone=True)
    found = choose(
        [
            change("rollback", Lever.REMEDY, "D/a/y", 0),
            change("raise", Lever.RAISE, "D/a/y", -5),
            pause,
            change("size", Lever.SIZE, "D/a/x", 60),
            change("stop", Lever.STOP, "D/a/x", 90),
            change("more", Lever.RAISE, "D/a/x", -20),
            change("small", Lever.SIZE, "D/a/y", 30),
        ],
        {Cell(name, CPU, "USD"): Decimal(100) for name in ("D/a/x", "D/a/y")},
        min_saving=Decimal(5),
        limits=DailyLimits(changes=4, money_per_change=Decimal(50)),
    )
    order = [one.candidate.id for one in found.chosen]
    assert set(order[:2]) == {"rollback", "pause"}
    assert order[2:] == ["raise", "small"]
    assert found.chosen[0].why == "it puts an AI model right: that comes before all else"
    assert {one.candidate.id: one.why.reason for one in found.left} == dict.fromkeys(
        ("size", "stop", "more"),
        "conflicts with pause of D/a/x, which puts an AI model right: that comes first",
    )
    assert found.saved() == {"USD": Decimal(30)}
    assert found.spent_on_safety() == {"USD": Decimal(5)}


def test_remedies_are_held_to_the_changes_of_a_day() -> None:
    """A day on which every model drifts opens more pull requests than anybody can read."""
    found = choose(
        [change(f"r{n}", Lever.REMEDY, f"D/a/{n}", 0) for n in range(3)],
        {},
        limits=DailyLimits(changes=2),
    )
    assert len(found.chosen) == 2
    assert [one.waits for one in found.left] == [True]


def test_what_runs_short_is_raised_whatever_it_costs_and_is_not_stopped() -> None:
    """An optimiser of money alone would never give a starved workload more room."""
    costs = {Cell("D/a/x", CPU, "USD"): Decimal(100)}
    found = choose(
        [
            change("raise", Lever.RAISE, "D/a/x", -500),
            change("stop", Lever.STOP, "Node/a/n", 100),
            change("size", Lever.SIZE, "D/a/y", 30),
        ],
        costs,
        Relations(contains={"Node/a/n": frozenset({"D/a/x"})}),
        limits=DailyLimits(money_per_change=Decimal(50), money_per_day=Decimal(50)),
    )
    assert [one.candidate.id for one in found.chosen] == ["raise", "size"]
    assert found.spent_on_safety() == {"USD": Decimal(500)}
    assert found.saved() == {"USD": Decimal(30)}
    assert "runs short: safety comes first" in found.left[0].why.reason


def test_currencies_are_never_added() -> None:
    """100 JPY beside 2 USD: the sum of the numbers would choose the yen."""
    found = choose(
        [
            change("yen", Lever.SIZE, "D/a/x", 100, currency="JPY", key="same"),
            change("usd", Lever.SIZE, "D/a/x", 2, key="same"),
            change("far", Lever.SIZE, "D/a/y", 7),
        ],
        {
            Cell("D/a/x", CPU, "JPY"): Decimal(10_000),
            Cell("D/a/x", CPU, "USD"): Decimal(4),
            Cell("D/a/y", CPU, "USD"): Decimal(10),
        },
    )
    assert {one.candidate.id for one in found.chosen} == {"usd", "far"}
    assert found.saved() == {"USD": Decimal(9)}


def test_two_smaller_ones_beat_one_larger_and_it_is_said() -> None:
    """Best first would shrink the machine by 60 %, and y then: 72 of 100. Both by hand: 75."""
    costs = {Cell(f"D/a/{n}", CPU, "USD"): Decimal(50) for n in "xy"}
    relations = Relations(contains={"Node/a/n": frozenset({"D/a/x", "D/a/y"})})
    found = choose(
        [
            change("node", Lever.SIZE, "Node/a/n", 60, key="k1"),
            change("x", Lever.SIZE, "D/a/x", 45, key="k1"),
            change("y", Lever.SIZE, "D/a/y", 30),
        ],
        costs,
        relations,
    )
    assert {one.candidate.id for one in found.chosen} == {"x", "y"}
    assert found.left[0].why.reason == "conflicts with x of D/a/x, which saves more"


def test_a_change_over_the_limit_of_money_is_left_to_a_person() -> None:
    """It would wait for ever: no day has room for it."""
    found = choose(
        [change("big", Lever.SIZE, "D/a/x", 80)], {},
        limits=DailyLimits(money_per_change=Decimal(50)),
    )  # fmt: skip
    assert found.left[0].why.reason == (
        "saves 80.00 USD a month, over the limit of 50 a change: for a person to decide"
    )


def test_what_is_left_to_save_may_be_too_little() -> None:
    """Hours of a workload that is nearly sized away are not worth a review."""
    found = choose(
        [
            change("size", Lever.SIZE, "D/a/x", 95),
            change("night", Lever.SCHEDULE, "D/a/x", 60, share=Decimal("0.6")),
        ],
        {Cell("D/a/x", CPU, "USD"): Decimal(100)},
        min_saving=Decimal(5),
    )
    assert [one.candidate.id for one in found.chosen] == ["size"]
    assert found.left[0].why.reason == (
        "saves only 3.00 USD a month once size of D/a/x is done, 5 are asked for"
    )


def test_a_volume_in_use_stays_until_its_workload_goes() -> None:
    """A claim that is deleted under a workload keeps its next pod from starting."""
    relations = Relations(uses={"D/a/x": frozenset({"PVC/a/v"})})
    volume = change("volume", Lever.STOP, "PVC/a/v", 9, parts=(Part.STORAGE,))
    alone = choose([volume], {}, relations)
    assert alone.left[0].why.reason == "still used by D/a/x, which is not to be stopped"
    both = choose([volume, change("stop", Lever.STOP, "D/a/x", 5)], {}, relations)
    assert [one.candidate.id for one in both.chosen] == ["stop", "volume"]


def test_two_changes_of_one_id_are_refused() -> None:
    with pytest.raises(ValueError, match="one id"):
        choose([change("a", Lever.SIZE, "D/a/x", 1)] * 2, {})


def test_every_kind_of_finding_has_a_lever() -> None:
    """A new kind without one would fail the daily run."""
    assert all(lever_of(kind) in Lever for kind in FindingKind)


def test_thousands_are_quick() -> None:
    """6,000 changes of 2,000 workloads on 50 machines, with a plan over all of them."""
    random = Random(7)
    names = [f"Deployment/a/w{n}" for n in range(2000)]
    costs = {
        Cell(name, part, "USD"): Decimal(random.randint(500, 9000)) / 100
        for name in names
        for part in (CPU, MEMORY)
    }
    found = []
    for name in names:
        cpu = costs[Cell(name, CPU, "USD")]
        found.append(change(f"size {name}", Lever.SIZE, name, cpu * random.randint(1, 9) / 10))
        found.append(change(f"night {name}", Lever.SCHEDULE, name, cpu / 3, share=Decimal("0.4")))
        if random.random() < 0.3:
            whole = cpu + costs[Cell(name, MEMORY, "USD")]
            found.append(change(f"stop {name}", Lever.STOP, name, whole))
    contains = {f"Node/a/n{n}": frozenset(names[40 * n : 40 * n + 40]) for n in range(50)}
    found += [change(f"shrink {name}", Lever.SIZE, name, 200) for name in contains]
    start = time.monotonic()
    portfolio = choose(found, costs, Relations(contains=contains), min_saving=Decimal(5))
    assert time.monotonic() - start < 10
    assert portfolio.saved()["USD"] <= sum(costs.values())
