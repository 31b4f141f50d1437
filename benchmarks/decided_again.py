"""Ten past months of a company as the demo's, decided again day by day, held against what followed.

Engines only. Each day knows what was measured, billed and declared up to it. Recommendations on a
request are held against the 14 days after: `over` is the share of intervals in which one replica
used more than was proposed, `regret` what the smallest size that would have held all of them saves
more than what was proposed, as a share of what the request costs. A recommendation stands from its
first day to its last without a gap. `flips` counts those that came back after they were withdrawn,
while Git declared the same; `moved` days on which a standing one names another size than the day
before, by more than a twentieth. `lead` is the days from the first on which there is enough history
(a week) to the first on which waste that lasted to the end was told.
"""

from __future__ import annotations

import argparse
import json
import platform
import sys
import time
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

sys.path.insert(0, str(Path(__file__).parent))  # not there where a test runs this file
from frames import PEAK_DAYS, WINDOW_DAYS, Company, utilisation
from loop import WASTE

from finops_dagster.defs.progress import own_peak_rss_bytes
from finops_dagster.demo.seasons import AS_OF
from finops_dagster.domain.decisions import Finding
from finops_dagster.domain.quantities import parse_quantity

STEP = 15
"""Minutes between measurements."""
AFTER_DAYS = 14
ENOUGH_DAYS = 7
_MOVED = 0.05
_CHUNK_DAYS = 30
_METERS = {
    "rightsize_cpu": "cpu_cores",
    "underprovisioned_cpu": "cpu_cores",
    "rightsize_memory": "memory_working_set_bytes",
    "underprovisioned_memory": "memory_working_set_bytes",
}


@dataclass
class Told:
    """One kind of recommendation on one field: what it said by day, and what held after."""

    days: list[date] = field(default_factory=list)
    amounts: list[float] = field(default_factory=list)
    current: list[str] = field(default_factory=list)
    over: list[float] = field(default_factory=list)
    regret: list[float] = field(default_factory=list)

    @property
    def flips(self) -> int:
        """Times it came back, of the same declared value, after days without it."""
        pairs = zip(self.days, self.days[1:], self.current, self.current[1:], strict=False)
        return sum((after - before).days > 1 and then == now for before, after, then, now in pairs)

    @property
    def moved(self) -> int:
        """Days on which it names another size than the day before of the same declared value."""
        one = zip(self.days, self.amounts, self.current, strict=True)
        two = list(zip(self.days, self.amounts, self.current, strict=True))[1:]
        return sum(
            (later - day).days == 1 and then == now and abs(new - amount) > _MOVED * abs(amount)
            for (day, amount, then), (later, new, now) in zip(one, two, strict=False)
        )


def replay(seed: int, days: int) -> dict[tuple[str, str, str], Told]:
    """Recommendations by (kind, resource, field) over the last `days` days before what followed."""
    company = Company(seed, days + AFTER_DAYS + PEAK_DAYS)
    last = AS_OF - timedelta(days=AFTER_DAYS)
    first = last - timedelta(days=days - 1)
    daily = pd.concat(
        utilisation(company.measured(begin, end, STEP))
        for begin, end in _chunks(first - timedelta(days=PEAK_DAYS), last)
    )
    told: dict[tuple[str, str, str], Told] = defaultdict(Told)
    for begin, end in _chunks(first, last):
        print(f"decided_again  {begin} to {end}", file=sys.stderr)
        kept = company.measured(
            begin - timedelta(days=WINDOW_DAYS - 1), end + timedelta(days=AFTER_DAYS), STEP
        )
        per_replica = _per_replica(kept)
        for number in range((end - begin).days + 1):
            as_of = begin + timedelta(days=number)
            oldest = as_of - timedelta(days=WINDOW_DAYS - 1)
            rows = kept[(kept["day"] >= oldest) & (kept["day"] <= as_of)]
            found = company.found_in(rows, daily[daily["day"] < oldest], as_of).findings
            for one in found:
                _note(told[one.kind.value, one.resource, one.field], one, per_replica)
    return told


def _chunks(first: date, last: date) -> Iterator[tuple[date, date]]:
    """Spans of a month or so: what is measured in ten of them is too much at once."""
    while first <= last:
        end = min(first + timedelta(days=_CHUNK_DAYS - 1), last)
        yield first, end
        first = end + timedelta(days=1)


def _note(mine: Told, one: Finding, use: dict[tuple[str, str], pd.Series]) -> None:
    column = _METERS.get(one.kind.value)
    amount = float(parse_quantity(one.proposed)) if column and one.proposed else 0.0
    mine.days.append(one.as_of)
    mine.current.append(one.current)
    mine.amounts.append(amount)
    if column and amount:
        _hold(mine, use.get((one.resource, column)), one, amount)


def _per_replica(rows: pd.DataFrame) -> dict[tuple[str, str], pd.Series]:
    """Use of one replica of the busiest container by (resource, column), indexed by time."""
    pods = rows.groupby(["resource", "time"])["replicas"].max().fillna(1.0).clip(lower=1.0)
    out = {}
    for column in set(_METERS.values()):
        used = rows.groupby(["resource", "time"])[column].max() / pods
        for resource, one in used.dropna().groupby(level=0):
            out[str(resource), column] = one.droplevel(0)
    return out


def _hold(mine: Told, use: pd.Series | None, one: Finding, amount: float) -> None:
    """Enter what the days after say of a proposed amount."""
    if use is None or not one.current:
        return
    start = pd.Timestamp(one.as_of + timedelta(days=1), tz="UTC")
    after = use[start : start + pd.Timedelta(days=AFTER_DAYS)]
    if len(after):
        mine.over.append(float((after > amount).mean()))
        mine.regret.append((amount - float(after.max())) / float(parse_quantity(one.current)))


def score(told: dict[tuple[str, str, str], Told], company_days: int) -> dict[str, Any]:
    """Figures of all recommendations, and by kind."""
    by_kind: dict[str, list[Told]] = defaultdict(list)
    for (kind, _, _), one in told.items():
        if kind in WASTE:
            by_kind[kind].append(one)
    return {
        **_figures([one for some in by_kind.values() for one in some]),
        "by_kind": {kind: _figures(some) for kind, some in sorted(by_kind.items())},
        "days": company_days,
    }


def _figures(some: list[Told]) -> dict[str, Any]:
    days = sum(len(one.days) for one in some)
    over = np.array([share for one in some for share in one.over])
    regret = np.array([share for one in some for share in one.regret])
    return {
        "recommendations": len(some),
        "days_told": days,
        "flips_per_100_days": _rounded(100 * sum(one.flips for one in some) / max(days, 1)),
        "moved_per_100_days": _rounded(100 * sum(one.moved for one in some) / max(days, 1)),
        "over_mean": _rounded(float(over.mean())) if len(over) else None,
        "over_any_share": _rounded(float((over > 0).mean())) if len(over) else None,
        "regret_mean": _rounded(float(regret.mean())) if len(regret) else None,
    }


def _rounded(value: float) -> float:
    return round(value, 4)


def leads(
    told: dict[tuple[str, str, str], Told], company: Company, first: date
) -> dict[str, float]:
    """By kind: median days from enough history to the first day that lasting waste was told."""
    begun = {one.resource: one.first_day for one in company.plan.workloads}
    begun |= {one.resource: one.first_day for one in company.plan.claims}
    found: dict[str, list[int]] = defaultdict(list)
    for (kind, resource, _), one in told.items():
        since = begun.get(resource)
        if kind in WASTE and since is not None and since > first:
            enough = since + timedelta(days=ENOUGH_DAYS - 1)
            found[kind].append((one.days[0] - enough).days)
    return {kind: float(np.median(days)) for kind, days in sorted(found.items())}


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seed", type=int, default=401)
    parser.add_argument("--days", type=int, default=304)
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    began = time.perf_counter()
    told = replay(arguments.seed, arguments.days)
    first = AS_OF - timedelta(days=AFTER_DAYS + arguments.days - 1)
    ours = {
        **score(told, arguments.days),
        "lead_days": leads(told, Company(arguments.seed, 1), first),
    }
    seconds, peak = time.perf_counter() - began, own_peak_rss_bytes()
    answer = {
        "benchmark": "decided_again",
        "machine": platform.platform(),
        "inputs": {"seed": arguments.seed, "days": arguments.days},
        "seconds": round(seconds, 2),
        "peak_rss_bytes": peak,
        "ours": ours,
        "baselines": {},
        "floor": {},
        "ratio_to_floor": None,
    }
    if arguments.json:
        print(json.dumps(answer))
        return
    print(pd.DataFrame(ours.pop("by_kind")).T.to_string())
    print(ours, f"{seconds:.1f} s, {peak / 2**20:.0f} MiB")


if __name__ == "__main__":
    main()
