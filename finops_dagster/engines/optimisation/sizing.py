"""Sizing of container requests: too much, too little, or right as it is.

Idle, undeclared and off-hours workloads are judged elsewhere.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from decimal import Decimal

import numpy as np
import pandas as pd

from finops_dagster.domain.decisions import Abstained, Finding, FindingKind
from finops_dagster.engines.optimisation.cases import (
    METERS,
    Case,
    build_cases,
    declared_cores,
)
from finops_dagster.engines.optimisation.fleet import Demand, demands, sizes_by_risk
from finops_dagster.engines.optimisation.ground import Declared, Ground
from finops_dagster.engines.optimisation.history import Peak
from finops_dagster.engines.optimisation.profiles import (
    Samples,
    breach_shares,
    container_profiles,
    per_replica,
    replicas_by_day,
    wilson_upper,
)
from finops_dagster.engines.optimisation.quantities import GIB
from finops_dagster.engines.optimisation.risk import FleetModel
from finops_dagster.engines.optimisation.rules import tier_of

_OFTEN = {"cpu": 0.05, "memory": 0.01}
"""Share of intervals over the request that is too little room: a CPU request may be exceeded
now and then (a scheduler shares what is free), a memory request only at the risk of eviction."""


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
        findings, abstained = [], list(self.abstained)
        for case in cases:
            shares = _share(over, case), _share(late, case)
            peak = peaks.get((case.resource, str(case.profile["measured"]), case.meter))
            judged = _judge(ground, case, *shares, peak, unlearnt)
            if isinstance(judged, Abstained):
                abstained.append(judged)
            elif judged is not None:
                findings.append(judged)
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
    if not samples.keys:
        return Sizeable(ground, samples, [], [], [])
    profiles = container_profiles(samples, ground.window)
    cases, abstained = build_cases(ground, profiles, replicas_by_day(samples, ground.window))
    cores = {case.key: float(case.current) for case in cases if case.meter == "cpu"}
    return Sizeable(ground, samples, cases, abstained, demands(samples, cores))


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
    """`wanted`, but no deeper a cut than may be made at once."""
    floor = case.current * (1 - Decimal(str(ground.config.max_change_share)))
    return max(wanted, case.neat(floor))


def _judge(
    ground: Ground,
    case: Case,
    over_share: float,
    late_share: float,
    peak: Peak | None,
    unlearnt: str,
) -> Finding | Abstained | None:
    wanted = case.wanted()
    risk = wilson_upper(
        0.0 if np.isnan(late_share) else late_share, float(case.profile["late_hours"])
    )
    if case.risked is not None and case.risked.any_risk is not None:
        risk = case.risked.any_risk
    if over_share > _OFTEN[case.meter] and wanted > case.current:
        return _raise(ground, case, wanted, over_share, risk, unlearnt)
    proposed = _bounded(ground, case, wanted)
    if proposed > case.current * (1 - Decimal(str(ground.config.min_change_share))):
        return None
    if np.isnan(late_share):
        return Abstained(
            subject=case.subject, reason="not measured in the last third of the window"
        )
    if late_share > ground.config.max_risk:
        return Abstained(
            subject=case.subject,
            reason=f"sized from the first two thirds of the window it would have been short in "
            f"{late_share:.1%} of the last third: its use is changing",
        )
    replicas = float(case.profile["replicas"])
    if peak is not None and peak.amount > float(proposed) * replicas:
        return Abstained(
            subject=case.subject,
            reason=f"needs only {case.text(proposed)} by the last {ground.window.days} days, but "
            f"used more on {peak.day}, which may come back",
        )
    return _cut(ground, case, proposed, late_share, risk, unlearnt)


def _cut(
    ground: Ground, case: Case, proposed: Decimal, late_share: float, risk: float, unlearnt: str
) -> Finding:
    wanted = case.wanted()
    step = (
        f"; cut to {case.text(proposed)} now, by at most {ground.config.max_change_share:.0%} "
        "at once"
        if proposed > wanted
        else ""
    )
    reason = (
        f"Container {case.container} requests {case.declared.text} of {case.meter} and needs "
        f"{case.text(wanted)} by {case.by}{step}. Set by the rule on the first two "
        f"thirds of {ground.window.days} days, the size was exceeded in "
        f"{late_share:.2%} of the intervals after."
    )
    kind = FindingKind.RIGHTSIZE_CPU if case.meter == "cpu" else FindingKind.RIGHTSIZE_MEMORY
    return _finding(ground, case, kind, case.declared, proposed, risk, reason, late_share, unlearnt)


def _raise(
    ground: Ground, case: Case, wanted: Decimal, over_share: float, risk: float, unlearnt: str
) -> Finding:
    cpu = case.meter == "cpu"
    limit = ground.declared.get((case.resource, case.container, f"limits.{case.meter}"))
    value: Declared | None = case.declared
    note = ""
    if limit is not None and limit.amount is not None and wanted > limit.amount:
        # a request above its limit is refused by the API server, and one edit sets one value
        if limit.amount > case.current * Decimal("1.05"):
            wanted = limit.amount
            note = f" Its limit of {limit.text} holds the request there and is short as well."
        else:
            value = None
            note = f" Its limit of {limit.text} must be raised with it, by hand."
    reason = (
        f"Container {case.container} requests {case.declared.text} of {case.meter} and used more "
        f"in {over_share:.1%} of the intervals of {ground.window.days} days; "
        f"{_limit_text(limit, wanted, case)} is needed by "
        f"{case.by}.{note}"
    )
    kind = FindingKind.UNDERPROVISIONED_CPU if cpu else FindingKind.UNDERPROVISIONED_MEMORY
    return _finding(ground, case, kind, value, wanted, risk, reason, over_share, unlearnt, limit)


def _limit_text(limit: Declared | None, wanted: Decimal, case: Case) -> str:
    """The text of `wanted`: the limit's own words where that is what it is."""
    if limit is not None and limit.amount == wanted:
        return limit.text
    return case.text(wanted)


def _finding(
    ground: Ground,
    case: Case,
    kind: FindingKind,
    value: Declared | None,
    proposed: Decimal,
    risk: float,
    reason: str,
    exceeded: float,
    unlearnt: str,
    limit: Declared | None = None,
) -> Finding:
    profile, cpu = case.profile, case.meter == "cpu"
    delta = case.current - proposed
    units = float(delta if cpu else delta / GIB)
    replicas = float(profile["replicas"])
    saving, price = ground.prices.saving(case.resource, case.meter, case.replicas * units)
    cores, size_bytes = (float(delta), 0.0) if cpu else (0.0, float(delta))
    scale, unit = (1.0, "cores") if cpu else (GIB, "gib")
    figures = {
        f"request_{unit}": float(case.current) / scale,
        f"proposed_{unit}": float(proposed) / scale,
        "replicas": replicas,
        f"unit_price_per_{'core' if cpu else 'gib'}_hour": float(price),
        "exceeded_share": exceeded,
    }
    if cpu:
        for name, level in (("p50", "0.5"), ("p95", "0.95"), ("p99", "0.99"), ("max", "1")):
            figures[f"{name}_cores"] = float(profile[f"cpu_q{level}"])
    else:
        figures["mean_gib"] = float(profile["memory_mean"]) / GIB
        figures["max_gib"] = float(profile["memory_max"]) / GIB
        figures["drift_gib"] = float(profile["memory_drift"]) / GIB
    return ground.finding(
        kind,
        case.resource,
        value=value,
        proposed=_limit_text(limit, proposed, case),
        saving=saving,
        carbon=ground.carbon.reserved(case.resource, cores * replicas, size_bytes * replicas),
        risk=risk,
        confidence=float(profile["coverage"])
        * float(profile[f"{case.meter}_samples"])
        / float(profile["samples"]),
        samples=int(profile[f"{case.meter}_samples"]),
        figures=figures,
        reason=reason,
        rule=_rule(case, unlearnt),
    )


def _rule(case: Case, unlearnt: str) -> str:
    if case.risked is not None:
        return f"risk model: {case.risked.why}"
    if case.meter == "cpu":
        return f"quantile rule, no learnt risk model ({unlearnt}): {case.by}"
    return f"peak rule, no learnt risk model: {case.by}"
