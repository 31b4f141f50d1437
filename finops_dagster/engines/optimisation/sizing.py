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
    named_as_declared,
)
from finops_dagster.engines.optimisation.doubts import OFTEN, doubts
from finops_dagster.engines.optimisation.fleet import cpu_by_risk
from finops_dagster.engines.optimisation.ground import Ground
from finops_dagster.engines.optimisation.history import Peak
from finops_dagster.engines.optimisation.profiles import (
    NOT_WORKLOADS,
    breach_shares,
    container_profiles,
    late_part,
    per_replica,
    replicas_by_day,
    wilson_upper,
)
from finops_dagster.engines.optimisation.rules import tier_of
from finops_dagster.engines.optimisation.sized import cut, killed, raised


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


def size(
    ground: Ground, skip: frozenset[str], peaks: Mapping[tuple[str, str, str], Peak]
) -> tuple[list[Finding], list[Abstained]]:
    """Findings on the requests of every declared container; resources in `skip` are left out.

    `peaks` of days before the window (all replicas together) are not cut below.
    """
    rows = named_as_declared(ground)
    rows = rows.loc[rows["resource"].isin(ground.resources) & ~rows["resource"].isin(skip)]
    samples = per_replica(rows, declared_cores(ground))
    uncounted = _uncounted(rows, samples)
    if samples.empty:
        return [], uncounted
    profiles = container_profiles(samples, ground.window)
    cases, abstained = build_cases(ground, profiles, replicas_by_day(samples))
    abstained += uncounted
    if not cases:
        return [], abstained
    cases, unlearnt = _by_risk(ground, samples, cases)
    over = breach_shares(samples, _table(cases, [c.current for c in cases]))
    rehearsed = [_bounded(ground, c, c.wanted("early_")) for c in cases]
    late = breach_shares(late_part(samples, ground.window), _table(cases, rehearsed))
    places = samples.groupby(["resource", "container"], sort=True).ngroup().to_numpy()
    doubted = doubts(ground, list(profiles.index), places, samples)
    findings = []
    for case in cases:
        signs = _Signs(
            over=_share(over, case),
            late=_share(late, case),
            peak=peaks.get((case.resource, str(case.profile["measured"]), case.meter)),
            doubt=doubted.unsure.get((*case.key, case.meter), ""),
            kills=doubted.kills.get(case.key, 0.0) if case.meter == "memory" else 0.0,
        )
        judged = _judge(ground, case, signs, unlearnt)
        if isinstance(judged, Abstained):
            abstained.append(judged)
        elif judged is not None:
            findings.append(judged)
    return findings, abstained


def _uncounted(rows: pd.DataFrame, samples: pd.DataFrame) -> list[Abstained]:
    """Measured workloads whose use of one replica cannot be told from that of all."""
    used = rows["cpu_cores"].notna() | rows["memory_working_set_bytes"].notna()
    measured = rows.loc[used & ~rows["kind"].isin(NOT_WORKLOADS), "resource"]
    reason = "neither its replicas nor its CPU requests are measured: use of one is not known"
    return [
        Abstained(subject=str(resource), reason=reason)
        for resource in sorted(set(measured) - set(samples["resource"]))
    ]


def _by_risk(ground: Ground, samples: pd.DataFrame, cases: list[Case]) -> tuple[list[Case], str]:
    """The cases with CPU sized by the fleet's risk, and why it is not learnt where it is not."""
    cpu = {case.key: case for case in cases if case.meter == "cpu"}
    keys = pd.MultiIndex.from_arrays([samples["resource"], samples["container"]])
    sizes, unlearnt = cpu_by_risk(
        samples.loc[keys.isin(list(cpu))],
        ground.window,
        {key: float(case.current) for key, case in cpu.items()},
        {
            key: ground.config.dials[tier_of(ground.environment(case.resource))]
            for key, case in cpu.items()
        },
    )
    return [
        replace(case, risked=sizes.get(case.key)) if case.meter == "cpu" else case for case in cases
    ], unlearnt


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
        return raised(ground, case, wanted, signs.over, risk, unlearnt)
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
