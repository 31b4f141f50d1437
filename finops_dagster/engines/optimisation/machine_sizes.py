"""The size of a measured machine: the cheapest type that carries what it needs in every dimension.

Generations and architectures stay as they are; prices and needs come from elsewhere.
"""

from __future__ import annotations

from finops_dagster.domain.decisions import Abstained, Finding, FindingKind
from finops_dagster.engines.optimisation.idle import IDLE_CPU_SHARE, IDLE_NETWORK_BYTES_PER_SECOND
from finops_dagster.engines.optimisation.machine_needs import (
    DIMENSIONS,
    MIN_SAMPLES,
    Fit,
    MachineUse,
    fit,
    outgrown,
)
from finops_dagster.engines.optimisation.machine_stand import Machine, Option, Stand, price_words
from finops_dagster.engines.optimisation.machine_types import MachineType, sized_like
from finops_dagster.engines.optimisation.profiles import wilson_upper
from finops_dagster.engines.optimisation.rules import RULES, Rule, tier_of

SHORT_QUANTILE = 0.95
"""A machine is short where this quantile of its CPU with the rule's headroom is over what it has:
in one interval of twenty nothing is left. Azure Advisor judges sizes by P95 of CPU as well."""
SHORT_MEMORY = 0.95
"""Or where this share of its memory was in use in half of the window."""


def size(stand: Stand, machine: Machine, use: MachineUse) -> Finding | Abstained | None:
    """RIGHTSIZE_ or UNDERPROVISIONED_, None where the type is right, or why it is not judged."""
    subject = f"{machine.name} size"
    config = stand.ground.config
    if use.size < MIN_SAMPLES or use.days() + 1 / 24 < config.min_history_days:
        return Abstained(
            subject=subject,
            reason=f"measured {use.size} times in {use.days():.1f} days: "
            f"{config.min_history_days} days and {MIN_SAMPLES} times are needed",
        )
    if _idle(machine, use):
        reason = "looks idle: whether it is needed comes before what size it has"
        return Abstained(subject=subject, reason=reason)
    rule = RULES[tier_of(machine.environment)]
    if _short(machine, use, rule):
        return _raise(stand, machine, use, rule)
    return _cut(stand, machine, use, rule)


def _idle(machine: Machine, use: MachineUse) -> bool:
    """As of workloads: P99 of CPU under 5 %, P99 of network under 1000 B/s, and both measured."""
    if not use.known("network"):
        return False
    quiet = use.quantile("network", 0.99) * 1e9 / 8 < IDLE_NETWORK_BYTES_PER_SECOND
    return quiet and use.quantile("cpu", 0.99) < IDLE_CPU_SHARE * machine.kind.vcpus


def _short(machine: Machine, use: MachineUse, rule: Rule) -> str:
    """What it is short of: cpu, memory or nothing."""
    if use.quantile("cpu", SHORT_QUANTILE) * rule.cpu_headroom > machine.kind.vcpus:
        return "cpu"
    full = use.quantile("memory", 0.5) > SHORT_MEMORY * machine.kind.memory_gib
    return "memory" if use.known("memory") and full else ""


def _cut(stand: Stand, machine: Machine, use: MachineUse, rule: Rule) -> Finding | Abstained | None:
    subject = f"{machine.name} size"
    options = [o for o in stand.options(machine, sized_like) if o.prices.ratio < 1]
    options = [o for o in options if _in_steps(stand, machine, o.kind) and _lasts(o.kind, use)]
    needs = use.needs(rule)
    chosen, blocked = _cheapest(options, needs, machine)
    if chosen is None:
        return Abstained(subject=subject, reason=blocked) if blocked else None
    why = stand.why_no_saving(machine)
    if why:
        return Abstained(subject=subject, reason=why)
    if not use.late.any():
        return Abstained(subject=subject, reason="not measured in the last third of the window")
    rehearsed, _ = _cheapest(options, use.needs(rule, early=True), machine)
    seen = use.over((rehearsed or chosen).kind, machine.database, late=True)
    exceeded = use.over(chosen.kind, machine.database, late=True)
    if max(seen, exceeded) > stand.ground.config.max_risk:
        reason = (
            f"sized from the first two thirds of the window it would have been short in "
            f"{max(seen, exceeded):.1%} of the last third: its use is changing"
        )
        return Abstained(subject=subject, reason=reason)
    for dimension, peak in outgrown(use.before, chosen.kind, machine.database):
        reason = (
            f"{chosen.kind.name} would do by the last {stand.ground.window.days} days, but it used "
            f"{peak:.3g} {DIMENSIONS[dimension]} before, which may come back"
        )
        return Abstained(subject=subject, reason=reason)
    reason = (
        f"{machine.kind.name} can be {chosen.kind.name}: by {rule.name} it needs "
        f"{_words(needs)}, which that type carries for {price_words(chosen)}. Set by the "
        f"rule on the first two thirds of {stand.ground.window.days} days, the size was exceeded "
        f"in {seen:.2%} of the intervals after."
    )
    kind = FindingKind.RIGHTSIZE_DATABASE if machine.database else FindingKind.RIGHTSIZE_MACHINE
    return stand.finding(
        kind,
        machine,
        chosen,
        saving=stand.saving(machine, chosen),
        risk=wilson_upper(exceeded, float(use.late_hours())),
        confidence=use.coverage,
        samples=use.size,
        figures=_figures(use, needs) | {"exceeded_share": seen},
        reason=reason,
        rule=f"quantile rule in every dimension: {rule.name}",
        wrong_if=_wrong_if(machine, use),
    )


def _raise(stand: Stand, machine: Machine, use: MachineUse, rule: Rule) -> Finding | Abstained:
    subject = f"{machine.name} size"
    what = _short(machine, use, rule)
    have = machine.kind.vcpus if what == "cpu" else machine.kind.memory_gib
    level = SHORT_QUANTILE if what == "cpu" else 0.5
    seen = use.quantile(what, level)
    told = (
        f"{machine.kind.name} has {have:g} {DIMENSIONS[what]} and used {seen:.3g} or more in "
        f"{1 - level:.0%} of the intervals of {stand.ground.window.days} days"
    )
    larger = [
        o
        for o in stand.options(machine, sized_like)
        if o.kind.vcpus >= machine.kind.vcpus and o.kind.memory_gib >= machine.kind.memory_gib
        and _lasts(o.kind, use)
    ]  # fmt: skip
    needs = use.needs(rule)
    chosen, _ = _cheapest(larger, needs, machine)
    hours = stand.hours(machine)
    if chosen is None or len(hours) < 2:
        reason = f"{told}, and no larger type that would do has a price"
        return Abstained(subject=subject, reason=reason)
    kind = (
        FindingKind.UNDERPROVISIONED_DATABASE
        if machine.database
        else FindingKind.UNDERPROVISIONED_MACHINE
    )
    exceeded = use.over(machine.kind, machine.database, late=False)
    return stand.finding(
        kind,
        machine,
        chosen,
        saving=stand.spending(machine, chosen, hours),
        risk=wilson_upper(use.over(chosen.kind, machine.database, late=True), use.late_hours()),
        confidence=use.coverage,
        samples=use.size,
        figures=_figures(use, needs) | {"exceeded_share": exceeded},
        reason=f"{told}; {chosen.kind.name} carries what is needed by {rule.name}, for "
        f"{price_words(chosen)}.",
        rule=f"shortage rule: {rule.name}",
        wrong_if=["it works off a queue and may take as long as it likes"]
        if what == "cpu"
        else ["its memory is a cache that fills whatever there is"],
    )


def _in_steps(stand: Stand, machine: Machine, kind: MachineType) -> bool:
    """No deeper a cut of vCPUs or memory than may be made at once."""
    left = 1 - stand.ground.config.max_change_share
    return (
        kind.vcpus >= left * machine.kind.vcpus
        and kind.memory_gib >= left * machine.kind.memory_gib
    )


def _lasts(kind: MachineType, use: MachineUse) -> bool:
    """Whether a type that bursts would live within its baseline on the busiest day."""
    if kind.baseline is None:
        return False
    return kind.baseline >= 1 or use.busiest_day() <= kind.baseline * kind.vcpus


def _cheapest(
    options: list[Option], needs: dict[str, float], machine: Machine
) -> tuple[Option | None, str]:
    """The first that carries everything, or what cannot be told of one that may."""
    blocked: Fit | None = None
    name = ""
    for option in options:
        told = fit(needs, option.kind, machine.kind, machine.database)
        if told.good:
            return option, ""
        if not told.short and blocked is None:
            blocked, name = told, option.kind.name
    return None, f"{name} might do, but {' and '.join(blocked.unknown)}" if blocked else ""


def _words(needs: dict[str, float]) -> str:
    return ", ".join(f"{needs[d]:.3g} {unit}" for d, unit in DIMENSIONS.items() if d in needs)


def _figures(use: MachineUse, needs: dict[str, float]) -> dict[str, float]:
    units = {"cpu": "vcpus", "memory": "gib", "network": "gbps", "disk": "mib_per_second",
             "connections": "connections"}  # fmt: skip
    found = {}
    for dimension, need in needs.items():
        found[f"{dimension}_p95_{units[dimension]}"] = use.quantile(dimension, 0.95)
        found[f"{dimension}_max_{units[dimension]}"] = use.quantile(dimension, 1.0)
        found[f"{dimension}_needed_{units[dimension]}"] = need
    return found


def _wrong_if(machine: Machine, use: MachineUse) -> list[str]:
    found = ["what it does once a quarter or a year needs more than the window saw"]
    if machine.database:
        found.append("its cache is worth more than the memory it had in use")
        if not use.known("connections"):
            found.append("it has more connections than the smaller class takes")
    return found
