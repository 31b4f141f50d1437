"""What was found, held against what the demo hides: precision and recall, printed and floored.

The floors are what is reached now, less a margin; they fall when an engine gets worse.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from benchmarks.loop import WASTE
from tests.e2e.estate import World, create, finops, truth_of

Item = Mapping[str, Any]
REPORTED_DAYS = 30
"""Incidents that were over before are not listed any more."""


@dataclass(frozen=True)
class Score:
    """How many were found, how many there are, and how many of each met the other."""

    found: int
    right: int
    hidden: int
    met: int

    @property
    def precision(self) -> float:
        return self.right / self.found if self.found else 1.0

    @property
    def recall(self) -> float:
        return self.met / self.hidden if self.hidden else 1.0

    def __add__(self, other: Score) -> Score:
        return Score(
            self.found + other.found, self.right + other.right, self.hidden + other.hidden,
            self.met + other.met,
        )  # fmt: skip

    def __str__(self) -> str:
        return (
            f"precision {self.precision:.3f} ({self.right} of {self.found}), "
            f"recall {self.recall:.3f} ({self.met} of {self.hidden})"
        )


def of_waste(found: Iterable[Item], truth: Iterable[Item], kinds: frozenset[str]) -> Score:
    """By kind and resource: what is right as it is, or another kind, counts against precision."""
    said = {(one["kind"], one["resource"]) for one in found if one["kind"] in kinds}
    true = {(one["kind"], one["resource"]) for one in truth if one["kind"] in kinds}
    return Score(len(said), len(said & true), len(true), len(said & true))


def of_incidents(found: Iterable[Item], truth: Iterable[Item], as_of: date) -> Score:
    """By account, service, team and days that overlap.

    Asked for are anomalies that began in the days reported; a creeping one is asked for while it
    lasts, since nobody can tell its first day.
    """
    hidden = []
    for one in truth:
        if one["kind"].startswith("cost_anomaly"):
            since, until = date.fromisoformat(one["from"]), date.fromisoformat(one["to"])
            recent = as_of - since < timedelta(days=REPORTED_DAYS)
            lasting = one["kind"] == "cost_anomaly_slow_leak" and until == as_of
            hidden.append((one["resource"], since, until, recent or lasting))
    told = [
        (
            {f"{part['account']}/{part['service']}/{part['team']}" for part in one["dimensions"]},
            date.fromisoformat(one["since"]),
            date.fromisoformat(one["last_seen"]),
        )
        for one in found
    ]

    def meets(incident: Any, anomaly: Any) -> bool:
        resources, first, last = incident
        resource, since, until, _ = anomaly
        return resource in resources and first <= until and since <= last

    asked = [one for one in hidden if one[3]]
    return Score(
        found=len(told),
        right=sum(any(meets(one, anomaly) for anomaly in hidden) for one in told),
        hidden=len(asked),
        met=sum(any(meets(incident, one) for incident in told) for one in asked),
    )


def missed(found: Iterable[Item], truth: Iterable[Item]) -> list[str]:
    said = {(one["kind"], one["resource"]) for one in found}
    true = {(one["kind"], one["resource"]) for one in truth if one["kind"] in WASTE}
    kinds = {kind for kind, _ in true}
    return [
        *(f"  missed: {kind} {resource}" for kind, resource in sorted(true - said)),
        *(f"  wrong: {k} {r}" for k, r in sorted(said - true) if k in WASTE or k in kinds),
    ]


@dataclass(frozen=True)
class Held:
    """One estate's answers, held against its truth."""

    findings: Score
    proposals: Score
    incidents: Score


EDITED = frozenset(
    {"rightsize_cpu", "rightsize_memory", "underprovisioned_cpu", "underprovisioned_memory",
     "idle_workload", "idle_gpu"}
)  # fmt: skip
"""Kinds that one edit of one declared value can mend."""


def held(folder: Path) -> Held:
    """Ask an estate that was run, and print what came of it."""
    truth = truth_of(folder)
    findings = finops(folder, "findings", "--json").items
    proposals = finops(folder, "proposals", "--json").items
    incidents = finops(folder, "incidents", "--json")
    as_of = date.fromisoformat(incidents.json["as_of"])
    result = Held(
        of_waste(findings, truth, WASTE),
        of_waste(proposals, truth, EDITED),
        of_incidents(incidents.items, truth, as_of),
    )
    print(f"\nfindings: {result.findings}", *missed(findings, truth), sep="\n")
    print(f"proposals: {result.proposals}\nincidents: {result.incidents}")
    for one in incidents.items:
        print(f"  told: {one['since']} {one['kind']} {one['cause']}")
    return result


def test_what_is_found_is_there_and_what_is_there_is_found(world: World) -> None:
    """An engine that cries at everything, or sees little, wastes the time of those who review."""
    result = held(world.folder)
    assert result.findings.precision >= 0.95
    assert result.findings.recall >= 0.9
    assert result.proposals.precision >= 0.95
    assert result.proposals.recall >= 0.9
    assert result.incidents.precision >= 0.8
    assert result.incidents.recall >= 0.5


def test_what_is_right_is_left_alone(world: World) -> None:
    """Most workloads are right as they are: touching them is the costliest mistake of all."""
    right = {(one["resource"], one["field"]) for one in world.truth if one["kind"] == "right"}
    proposed = {
        (one["resource"], one["field"]) for one in world.finops("proposals", "--json").items
    }
    assert len(right) > 40
    assert len(right & proposed) <= 1


def test_a_cut_leaves_what_is_needed(world: World) -> None:
    """A request below what a workload needs at its peak trades money for an outage."""
    need = {
        (one["resource"], one["field"]): one["expected"]
        for one in world.truth
        if one["kind"] in ("rightsize_cpu", "rightsize_memory")
    }
    figures = {
        "rightsize_cpu": ("proposed_cores", 1.0),
        "rightsize_memory": ("proposed_gib", 2.0**30),
    }
    judged = 0
    for one in world.finops("proposals", "--json").items:
        known = need.get((one["resource"], one["field"]))
        if known is None or one["kind"] not in figures:
            continue
        name, unit = figures[one["kind"]]
        proposed = one["evidence"]["figures"][name] * unit
        assert proposed >= known["peak_need"], one["resource"]
        whole, saved = Decimal(known["saving_per_month"]), Decimal(one["saving_per_month"]["mid"])
        # cut by half at once at most: never more saving than there is to be had
        assert Decimal(0) < saved <= whole * Decimal("1.15"), one["resource"]
        judged += 1
    assert judged >= 8


@pytest.mark.conformance
def test_truth_over_seeds_at_full_length(tmp_path: Path) -> None:
    """One lucky seed proves nothing: thirteen months of several companies, added up."""
    total: Held | None = None
    for seed in (11, 12, 13, 14):
        folder = tmp_path / str(seed)
        create(folder, seed, 395, history_days=45)
        run = finops(folder, "run", "--no-act", "--json")
        assert run.code == 0, run.err
        print(f"\nseed {seed}")
        one = held(folder)
        total = one if total is None else Held(
            total.findings + one.findings, total.proposals + one.proposals,
            total.incidents + one.incidents,
        )  # fmt: skip
    assert total is not None
    print(f"\nall: findings {total.findings}; proposals {total.proposals}; "
          f"incidents {total.incidents}")  # fmt: skip
    assert total.findings.precision >= 0.95
    assert total.findings.recall >= 0.9
    assert total.proposals.precision >= 0.95
    assert total.proposals.recall >= 0.9
    assert total.incidents.precision >= 0.8
    assert total.incidents.recall >= 0.75
