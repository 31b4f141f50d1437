"""What sizing can judge: declared containers with their measured profile, and why not the rest.

Whether a request is too large or too small is judged elsewhere.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal

import numpy as np
import pandas as pd

from finops_dagster.domain.decisions import Abstained
from finops_dagster.domain.money import to_decimal
from finops_dagster.engines.optimisation.bounds import METERS, Bound
from finops_dagster.engines.optimisation.fleet import RISK_DAYS
from finops_dagster.engines.optimisation.ground import Declared, Ground
from finops_dagster.engines.optimisation.quantities import (
    GIB,
    MIB,
    cpu_text,
    memory_text,
    neat_cpu,
    neat_cpu_below,
    neat_memory,
    neat_memory_below,
)
from finops_dagster.engines.optimisation.risk import Sizing
from finops_dagster.engines.optimisation.rules import (
    CPU_FLOOR_CORES,
    RULES,
    Rule,
    cpu_request,
    memory_request,
    tier_of,
)

LEAST = {"cpu": Decimal("0.001"), "memory": Decimal(MIB)}
MOST = {"cpu": Decimal(2000), "memory": Decimal(64 * 1024 * GIB)}
"""Requests outside are slips of units, as 512m of memory (half a byte) or 100Mi of CPU: no cloud
rents a machine of 2,000 cores or 64 TiB, and a container of a runtime alone takes 1 MiB."""
_MIDDLE = {"cpu": "cpu_q0.5", "memory": "memory_mean"}
_HIGHEST = {"cpu": "cpu_q1", "memory": "memory_max"}
_IMPOSSIBLE = 10
"""The kernel holds use under the limit; units are mixed up by a thousand."""
_SAME = 0.02
"""Declared and running requests closer than this are the same."""


@dataclass(frozen=True)
class Case:
    """One container and one meter, with all that sizing asks about it."""

    resource: str
    container: str
    meter: str
    declared: Declared
    current: Decimal
    profile: pd.Series
    replicas: pd.Series
    """By day."""
    rule: Rule
    risked: Sizing | None = None
    """Of CPU: the size that a model of the fleet's risk chose, in percent of what is declared."""

    @property
    def key(self) -> tuple[str, str]:
        """Index of the container in the profiles."""
        return self.resource, self.container

    @property
    def subject(self) -> str:
        """What an abstention names."""
        return f"{self.resource} {self.container} {self.meter}"

    def wanted(self, prefix: str = "") -> Decimal:
        """What is asked for one replica: by the fleet's risk where that is learnt, else by rule.

        The rehearsal ("early_") is the rule's: it asks whether use is changing.
        """
        if self.risked is not None and not prefix:
            cores = self.current * to_decimal(self.risked.capacity / 100)
            return self.neat(max(CPU_FLOOR_CORES, cores))
        ask = cpu_request if self.meter == "cpu" else memory_request
        return self.neat(ask(self.profile, self.rule, prefix))

    @property
    def by(self) -> str:
        """What `wanted` goes by, in words."""
        if self.risked is not None:
            return (
                f"the risk that was learnt of the fleet (short in {self.risked.over_risk:.2%} of "
                f"intervals, at least once in {RISK_DAYS} days with {self.risked.any_risk:.0%})"
            )
        if self.meter == "cpu":
            return self.rule.name
        return f"peak + drift, {self.rule.memory_headroom - 1:.0%} headroom"

    def worth_a_cut(self, share: float) -> Decimal:
        """The most that it may need to be cut: at least `share` under what is declared, in steps.

        `wanted` is above it, and nothing is cut, exactly where what was asked for before it was
        made neat is.
        """
        most = self.current * (1 - to_decimal(share))
        return neat_cpu_below(most) if self.meter == "cpu" else neat_memory_below(most)

    def bearing(self, share: float) -> dict[str, float]:
        """What the rule goes by, and above which figure of it the request would not be cut by
        `share`: the rule solved for it.

        What the fleet's risk asks for has no inverse in demand: there it is the need itself.
        """
        most, profile = self.worth_a_cut(share), self.profile
        if self.risked is not None:
            asked = float(self.current) * self.risked.capacity / 100
            return {"risk_size_cores": asked, "risk_size_limit_cores": float(most)}
        if self.meter == "cpu":
            level = f"{self.rule.cpu_quantile:g}"
            return {
                "rule_quantile_cores": float(profile[f"cpu_q{level}"]),
                "rule_quantile_limit_cores": float(most) / self.rule.cpu_headroom,
            }
        peak = float(profile["memory_max"]) + float(profile["memory_drift"])
        return {
            "peak_and_drift_gib": peak / GIB,
            "peak_and_drift_limit_gib": float(most) / self.rule.memory_headroom / GIB,
        }

    def limit(self, ground: Ground) -> Bound | None:
        """The container's own limit: as declared, else as it runs, by a LimitRange's default."""
        declared = ground.declared.get((self.resource, self.container, f"limits.{self.meter}"))
        if declared is not None and declared.amount:
            return Bound(declared.amount, f"its limit of {declared.text}")
        running = float(self.profile[f"limit_{self.meter}"])
        if not running > 0:
            return None
        shown = f"{running:.3g} cores" if self.meter == "cpu" else f"{running / GIB:.3g} GiB"
        return Bound(to_decimal(running), f"the limit of {shown} that it runs with")

    def floor(self, ground: Ground) -> Bound | None:
        """What its namespace's LimitRange asks of it at least, by itself or beside its limit."""
        where = self.resource.split("/")[1], self.meter
        limit, ratio = self.limit(ground), ground.bounds.ratios.get(where)
        floors = [ground.bounds.least[where]] if where in ground.bounds.least else []
        if limit is not None and ratio is not None and ratio.amount > 0:
            floors.append(Bound(limit.amount / ratio.amount, ratio.by))
        return max(floors, default=None)

    def refuses(self, ground: Ground, wanted: Decimal) -> str:
        """Who would refuse a request of `wanted`, beside its own limit; empty where nobody."""
        where = self.resource.split("/")[1], self.meter
        most, quota = ground.bounds.most.get(where), ground.bounds.quotas.get(where)
        machine = ground.bounds.machines.get(self.meter)
        if most is not None and wanted > most.amount:
            return most.by
        if quota is not None:
            more = (wanted - self.current) * to_decimal(float(self.profile["replicas"]))
            if ground.requested.get(where, Decimal(0)) + more > quota.amount:
                return quota.by
        return "a machine's room for pods" if machine is not None and wanted > machine else ""

    def neat(self, amount: Decimal) -> Decimal:
        """`amount` rounded up to a step of its meter."""
        return neat_cpu(amount) if self.meter == "cpu" else neat_memory(amount)

    def text(self, amount: Decimal) -> str:
        """`amount` as it is written in a manifest, in the unit that is there where it can be."""
        write = cpu_text if self.meter == "cpu" else memory_text
        return write(amount, self.declared.text)


def declared_cores(ground: Ground) -> dict[str, dict[str, float]]:
    """Cores that one replica requests (0: none is declared) by resource and container."""
    found: dict[str, dict[str, float]] = {}
    for (resource, container, what), value in ground.declared.items():
        if what != "replicas":
            own = found.setdefault(resource, {})
            cores = float(value.amount or 0) if what == "requests.cpu" else 0.0
            own[container] = max(own.get(container, 0.0), cores)
    return found


def build_cases(
    ground: Ground, profiles: pd.DataFrame, replicas: dict[tuple[str, str], pd.Series]
) -> tuple[list[Case], list[Abstained]]:
    """What can be judged, and why the rest cannot: once for a whole resource where that is why."""
    cases: list[Case] = []
    abstained: list[Abstained] = []
    told: set[str] = set()
    for key, profile in profiles.iterrows():
        resource, container = (str(part) for part in key)  # type: ignore[attr-defined]
        if resource in told:
            continue
        why = _unfit(ground, resource, profile, len(replicas[(resource, container)]))
        if why:
            told.add(resource)
            abstained.append(Abstained(subject=resource, reason=why))
            continue
        rule = RULES[tier_of(ground.environment(resource))]
        for meter in METERS:
            declared = ground.declared.get((resource, container, f"requests.{meter}"))
            why = _no_case(ground, (resource, container), meter, declared, profile)
            if why or declared is None or declared.amount is None:
                subject = f"{resource} {container} {meter}"
                abstained.append(Abstained(subject=subject, reason=why))
                continue
            by_day = replicas[(resource, container)]
            cases.append(
                Case(resource, container, meter, declared, declared.amount, profile, by_day, rule)
            )
    return cases, abstained


def _unfit(ground: Ground, resource: str, profile: pd.Series, days_seen: int) -> str:
    """Why nothing of the resource can be sized; empty where something may be."""
    if resource in ground.managed:
        return f"{ground.managed[resource]} sets its scale: a new request would move that too"
    span: timedelta = profile["last"] - profile["first"]
    # the last sample is an interval too, hence the hour of grace
    if span + timedelta(hours=1) < timedelta(days=ground.config.min_history_days):
        days = span / timedelta(days=1)
        return f"measured for {days:.1f} days, {ground.config.min_history_days} are needed"
    if days_seen < ground.config.min_history_days:
        return f"measured on {days_seen} days, {ground.config.min_history_days} are needed"
    return ""


def _no_case(
    ground: Ground, key: tuple[str, str], meter: str, declared: Declared | None, profile: pd.Series
) -> str:
    """Why one meter of one container cannot be judged; empty where it can."""
    if declared is None:
        return f"no {meter} request is declared for this container"
    limit = ground.declared.get((*key, f"limits.{meter}"))
    why = _amiss(meter, declared, limit)
    if why or declared.amount is None:
        return why
    if not profile[f"{meter}_samples"] or np.isnan(profile[_early(meter)]):
        return f"{meter} was not measured in the first two thirds of the window"
    running = float(profile[f"running_{meter}"])
    if np.isfinite(running) and abs(running / float(declared.amount) - 1) > _SAME:
        shown = f"{running:.3g} cores" if meter == "cpu" else f"{running / GIB:.3g} GiB"
        return f"declared {declared.text}, last seen running with {shown}: not yet the same"
    most = np.inf if limit is None or limit.amount is None else _IMPOSSIBLE * float(limit.amount)
    if float(profile[_MIDDLE[meter]]) > most:
        return (
            f"measured {meter} is over {_IMPOSSIBLE} times its limit, which cannot be: units or "
            "names are mixed up"
        )
    if float(profile[_HIGHEST[meter]]) > float(MOST[meter]):
        return f"measured {meter} is more than any machine has: units are mixed up"
    return ground.prices.why_not(key[0], meter)


def _amiss(meter: str, request: Declared, limit: Declared | None) -> str:
    """What is wrong with what is declared; empty where nothing is."""
    for what, value in (("request", request), ("limit", limit)):
        if value is not None and (value.amount is None or value.amount <= 0):
            return f"declared {meter} {what} {value.text!r} is not a positive quantity"
    if request.amount is None or not LEAST[meter] <= request.amount <= MOST[meter]:
        unit = "cores" if meter == "cpu" else "bytes"
        return f"declared {meter} request {request.text!r} is {request.amount:g} {unit}: a slip"
    if limit is not None and limit.amount is not None and limit.amount < request.amount:
        return f"declared {meter} limit {limit.text} is under its request of {request.text}"
    return ""


def _early(meter: str) -> str:
    return "early_cpu_q1" if meter == "cpu" else "early_memory_max"
