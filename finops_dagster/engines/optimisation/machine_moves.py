"""A newer generation, another architecture or another region of the very size a machine has.

Each is a kind of its own and asks nothing of use: the size stays, only the price falls.
"""

from __future__ import annotations

from decimal import Decimal

from finops_dagster.domain.decisions import Abstained, Finding, FindingKind
from finops_dagster.engines.optimisation.machine_needs import carries
from finops_dagster.engines.optimisation.machine_prices import UNTOLD
from finops_dagster.engines.optimisation.machine_stand import (
    METER,
    Machine,
    Option,
    Stand,
    price_words,
)
from finops_dagster.engines.optimisation.machine_types import MachineType, caveats, in_arm, newer

GENERATION_RISK = 0.01
ARCHITECTURE_RISK = 0.05
"""What no use can tell of: that a machine does not start or is slower on other processors. Nobody
publishes a share; these rank the kinds by how much of a system changes (drivers, or every binary),
under and at the limit of `SizingConfig.max_risk`."""

REGION_RISK = ARCHITECTURE_RISK
"""Of the same rank: all that a machine talks to is further away."""
MIN_REGION_SHARE = Decimal("0.05")
"""A region that is cheaper by less is not told: sending data between regions costs as much soon."""

ARM_ENGINES = ("postgresql", "mysql", "mariadb", "aurora", "redis", "valkey", "memcached")
"""Engines with classes on Graviton: Amazon RDS user guide, "DB instance class types"; Amazon
ElastiCache user guide, "Supported node types". Oracle and SQL Server have none."""


def generation(stand: Stand, machine: Machine) -> Finding | Abstained | None:
    """MACHINE_GENERATION where the same size of a newer generation costs less an hour.

    Not fewer vCPUs, not less memory, and network and disks not less where both are known.
    """
    option = _cheaper(stand, machine, stand.options(machine, newer))
    if option is None:
        return None
    why = stand.why_no_saving(machine)
    if why:
        return Abstained(subject=f"{machine.name} generation", reason=why)
    own, other = machine.kind.lineage, option.kind.lineage
    notes = caveats(own, other) if own is not None and other is not None else []
    reason = (
        f"{option.kind.name} has what {machine.kind.name} has in a newer generation and costs "
        f"{price_words(option)}."
    )
    return _moved(
        stand, machine, option, FindingKind.MACHINE_GENERATION, GENERATION_RISK, reason, notes
    )


def architecture(stand: Stand, machine: Machine) -> Finding | Abstained | None:
    """MACHINE_ARCHITECTURE where the same size on arm64 costs less an hour than it does now.

    Abstains where what runs on it is not known, or does not run on arm64.
    """
    option = _cheaper(stand, machine, stand.options(machine, in_arm))
    if option is None:
        return None
    subject = f"{machine.name} architecture"
    why = _not_on_arm(machine) or stand.why_no_saving(machine)
    if why:
        return Abstained(subject=subject, reason=why)
    note = (
        "an extension or agent of it has no build for arm64"
        if machine.database
        else "any program, image, agent or licence on it has no build for arm64"
    )
    reason = (
        f"{option.kind.name} has what {machine.kind.name} has on arm64 and costs "
        f"{price_words(option)}; "
        + (
            "the engine is the provider's and runs on both."
            if machine.database
            else "everything that runs on it must be built for arm64 first."
        )
    )
    return _moved(
        stand, machine, option, FindingKind.MACHINE_ARCHITECTURE, ARCHITECTURE_RISK, reason, [note]
    )


def elsewhere(
    stand: Stand, machine: Machine, allowed: frozenset[str] | None, who: str
) -> Finding | Abstained | None:
    """MACHINE_REGION where the same type costs less an hour in a region that it may be in.

    `allowed`: those regions, None where nobody says: then none is told, since residency is not
    known. Moving is no edit of one value; the type's is named, since only one of both can be done.
    """
    here = machine.market
    options = []
    for region in stand.prices.regions(here) if allowed is not None and here.region else ():
        there = here._replace(region=region)
        prices = stand.prices.compare(here, machine.kind.name, machine.kind.name, there)
        if region in (allowed or ()) and prices and prices.ratio <= 1 - MIN_REGION_SHARE:
            options.append((prices.ratio, region, Option(machine.kind, prices)))
    if not options:
        return None
    why = stand.why_no_saving(machine)
    if why:
        return Abstained(subject=f"{machine.name} region", reason=why)
    _, region, option = min(options, key=lambda one: one[:2])
    reason = (
        f"{machine.kind.name} costs {price_words(option)} in {region} than in {here.region}; only "
        f"regions allowed for {who} were looked at."
    )
    notes = [
        "what it sends to or reads from where it is now costs more, or answers later, from there",
        "the data on it may not be moved",
    ]
    found = _moved(stand, machine, option, FindingKind.MACHINE_REGION, REGION_RISK, reason, notes)
    return found.model_copy(update={"proposed": ""})


def _not_on_arm(machine: Machine) -> str:
    told = machine.market.software
    if not told or told.startswith(UNTOLD):
        return "cheaper on arm64, but what runs on it is not known"
    if not (told.startswith(ARM_ENGINES) if machine.database else told == "linux"):
        return f"cheaper on arm64, but {told} is bound to its architecture or its licence"
    return ""


def _cheaper(stand: Stand, machine: Machine, options: list[Option]) -> Option | None:
    """The cheapest that costs less and carries no less, the newest of several."""
    fitting = [o for o in options if o.prices.ratio < 1 and not _weaker(machine, o.kind)]
    newest = {o.kind.name: o.kind.lineage.generation if o.kind.lineage else 0 for o in fitting}
    return min(fitting, key=lambda o: (o.prices.ratio, -newest[o.kind.name]), default=None)


def _weaker(machine: Machine, kind: MachineType) -> bool:
    """Whether the type is another size, or carries less of anything known of both."""
    if kind.vcpus != machine.kind.vcpus:
        return True
    held, offered = carries(machine.kind, machine.database), carries(kind, machine.database)
    for dimension, now in held.items():
        most = offered[dimension]
        if now is not None and most is not None and most < now:
            return True
    return False


def _moved(
    stand: Stand,
    machine: Machine,
    option: Option,
    kind: FindingKind,
    risk: float,
    reason: str,
    notes: list[str],
) -> Finding:
    held, offered = carries(machine.kind, False), carries(option.kind, False)
    untold = [d for d in ("network", "disk") if held[d] is None or offered[d] is None]
    if untold and option.kind != machine.kind:
        notes = [*notes, f"it lives on more {' and '.join(untold)} than the other type carries"]
    days = stand.ground.prices.days(machine.name, METER)
    return stand.finding(
        kind,
        machine,
        option,
        saving=stand.saving(machine, option),
        risk=risk,
        confidence=days / stand.ground.window.days,
        samples=days,
        figures={"days_billed": float(days)},
        reason=reason,
        rule="price rule",
        wrong_if=notes,
    )
