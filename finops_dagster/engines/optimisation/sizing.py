"""Sizing of container requests: too much, too little, or right as it is.

Idle, undeclared and off-hours workloads are judged elsewhere.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from decimal import Decimal

import numpy as np
import pandas as pd

from finops_dagster.domain.decisions import Abstained, Finding
from finops_dagster.engines.optimisation.bounds import METERS
from finops_dagster.engines.optimisation.cases import (
    Case,
    build_cases,
    declared_cores,
)
from finops_dagster.engines.optimisation.doubts import OFTEN, doubts
from finops_dagster.engines.optimisation.fleet import Demand, demands, sizes_by_risk
from finops_dagster.engines.optimisation.ground import Ground
from finops_dagster.engines.optimisation.history import Peak
from finops_dagster.engines.optimisation.inputs import take
from finops_dagster.engines.optimisation.profiles import (
    Samples,
    breach_shares,
    container_profiles,
    per_replica,
    replicas_by_day,
    wilson_upper,
)
from finops_dagster.engines.optimisation.risk import FleetModel
from finops_dagster.engines.optimisation.rules import tier_of
from finops_dagster.engines.optimisation.sized import cut, killed, raised
from finops_dagster.engines.optimisation.window import NOT_WORKLOADS


@dataclass(frozen=True)
class _Signs:
    """What the window showed of a case; shares are of intervals, NaN where none was measured."""

    over: float
    """Over the request."""
    late: float
    """Of the last third, over the size that the first two thirds ask for."""
    peak: Peak | None
    doubt: str
    kills: float


@dataclass(frozen=True)
class Sizeable:
    """What of some workloads can be sized, and why the rest cannot."""

    ground: Ground
    samples: Samples
    cases: list[Case]
    abstained: list[Abstained]
    demands: list[Demand]
    """CPU of those cases that risk can be told of."""

    def sized(
        self, model: FleetModel | Abstained, peaks: Mapping[tuple[str, str, str], Peak]
    ) -> tuple[list[Finding], list[Abstained]]:
        """Findings on the requests of each, by what the fleet taught (or by rule where nothing).

        `peaks` of days before the window (all replicas together) are not cut below.
        """
        if not self.cases:
            return [], self.abstained
        ground, samples = self.ground, self.samples
        cases = self._by_risk(model)
        unlearnt = model.reason if isinstance(model, Abstained) else ""
        over = breach_shares(samples, _table(cases, [c.current for c in cases]))
        rehearsed = [_bounded(ground, c, c.wanted("early_")) for c in cases]
        late = breach_shares(samples.late(ground.window), _table(cases, rehearsed))
        doubted = doubts(ground, samples.keys, samples.rows["of"].to_numpy(), samples.rows)
        findings: list[Finding] = []
        abstained = list(self.abstained)
        for case in cases:
            signs = _Signs(
                over=_share(over, case),
                late=_share(late, case),
                peak=peaks.get((case.resource, str(case.profile["measured"]), case.meter)),
                doubt=doubted.unsure.get((*case.key, case.meter), ""),
                kills=doubted.kills.get(case.key, 0.0) if case.meter == "memory" else 0.0,
            )
            take(_judge(ground, case, signs, unlearnt), findings, abstained)
        return findings, abstained

    def _by_risk(self, model: FleetModel | Abstained) -> list[Case]:
        """The cases with CPU sized by the fleet's risk, where it is learnt."""
        sizes = sizes_by_risk(
            model,
            self.ground.window,
            self.demands,
            {
                one.key: self.ground.config.dials[tier_of(self.ground.environment(one.key[0]))]
                for one in self.demands
            },
        )
        return [
            replace(case, risked=sizes.get(case.key)) if case.meter == "cpu" else case
            for case in self.cases
        ]


def sizeable(ground: Ground, skip: frozenset[str]) -> Sizeable:
    """Every declared container that can be sized; resources in `skip` are left out."""
    samples = per_replica(
        ground.window,
        declared_cores(ground),
        lambda resource: resource in ground.resources and resource not in skip,
    )
    uncounted = _uncounted(ground, samples, skip)
    if not samples.keys:
        return Sizeable(ground, samples, [], uncounted, [])
    profiles = container_profiles(samples, ground.window)
    cases, abstained = build_cases(ground, profiles, replicas_by_day(samples, ground.window))
    cores = {case.key: float(case.current) for case in cases if case.meter == "cpu"}
    return Sizeable(ground, samples, cases, abstained + uncounted, demands(samples, cores))


def _uncounted(ground: Ground, samples: Samples, skip: frozenset[str]) -> list[Abstained]:
    """Measured workloads whose use of one replica cannot be told from that of all."""
    rows = ground.window.rows
    used = rows["cpu_cores"].notna() | rows["memory_working_set_bytes"].notna()
    measured = rows["resource"].loc[used & ~rows["kind"].isin(NOT_WORKLOADS)].unique()
    reason = "neither its replicas nor its CPU requests are measured: use of one is not known"
    untold = (ground.resources & set(measured.astype(str))) - skip
    return [
        Abstained(subject=resource, reason=reason)
        for resource in sorted(untold - {resource for resource, _ in samples.keys})
    ]


def _table(cases: list[Case], amounts: list[Decimal]) -> pd.DataFrame:
    """Limits for `breach_shares` from one amount a case."""
    frame = pd.DataFrame(
        {
            "resource": [c.resource for c in cases],
            "container": [c.container for c in cases],
            "meter": [c.meter for c in cases],
            "amount": [float(a) for a in amounts],
        }
    )
    table = frame.pivot(index=["resource", "container"], columns="meter", values="amount")
    return table.reindex(columns=list(METERS))


def _share(shares: pd.DataFrame, case: Case) -> float:
    """The case's own share, NaN where none was measured."""
    return float(shares[case.meter].get(case.key, np.nan))


def _bounded(ground: Ground, case: Case, wanted: Decimal) -> Decimal:
    """`wanted`, but no deeper a cut than may be made at once or than a LimitRange takes."""
    least = case.current * (1 - Decimal(str(ground.config.max_change_share)))
    floor = case.floor(ground)
    return max(wanted, case.neat(least if floor is None else max(least, floor.amount)))


def _judge(ground: Ground, case: Case, signs: _Signs, unlearnt: str) -> Finding | Abstained | None:
    wanted = case.wanted()
    risk = wilson_upper(
        0.0 if np.isnan(signs.late) else signs.late, float(case.profile["late_hours"])
    )
    if case.risked is not None and case.risked.any_risk is not None:
        risk = case.risked.any_risk
    if signs.over > OFTEN[case.meter] and wanted > case.current:
        return raised(ground, case, wanted, signs.over, risk, unlearnt, kills=signs.kills)
    if signs.kills > 0:
        return killed(ground, case, signs.kills, signs.over, risk, unlearnt)
    if signs.doubt:
        return Abstained(subject=case.subject, reason=signs.doubt)
    proposed = _bounded(ground, case, wanted)
    if proposed > case.current * (1 - Decimal(str(ground.config.min_change_share))):
        return None
    if np.isnan(signs.late):
        return Abstained(
            subject=case.subject, reason="not measured in the last third of the window"
        )
    if signs.late > ground.config.max_risk:
        return Abstained(
            subject=case.subject,
            reason=f"sized from the first two thirds of the window it would have been short in "
            f"{signs.late:.1%} of the last third: its use is changing",
        )
    peak, replicas = signs.peak, float(case.profile["replicas"])
    if peak is not None and peak.amount > float(proposed) * replicas:
        return Abstained(
            subject=case.subject,
            reason=f"needs only {case.text(proposed)} by the last {ground.window.days} days, but "
            f"used more on {peak.day}, which may come back",
        )
    return cut(ground, case, proposed, signs.late, risk, unlearnt)
