"""A machine, its market, and the finding that a change of its type makes.

Which type it changes to is judged elsewhere.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from decimal import Decimal, localcontext

import pandas as pd

from finops_dagster.domain.decisions import Finding, FindingKind
from finops_dagster.domain.money import MONEY_PRECISION, NO_CARBON, MoneyRange
from finops_dagster.domain.periods import HOURS_PER_MONTH
from finops_dagster.engines.optimisation.ground import Declared, Ground
from finops_dagster.engines.optimisation.machine_prices import Comparison, Market, TypePrices
from finops_dagster.engines.optimisation.machine_types import Catalogue, Lineage, MachineType
from finops_dagster.engines.optimisation.prices import money_range, times

METER = "machine"
"""Of `unit_prices`: hours of a machine or a database instance."""
_SAID = {"paid": "as paid on demand", "listed": "as listed in the bill", "file": "by your list"}


@dataclass(frozen=True)
class Machine:
    """One billed machine or database."""

    name: str
    kind: MachineType
    market: Market
    owner: str
    environment: str
    field: str
    declared: str
    held: str

    @property
    def database(self) -> bool:
        """Whether it is a database's instance."""
        return self.market.what == "database"

    def value(self, to: MachineType) -> tuple[Declared | None, str]:
        """Its declared value, if it is the type that is billed, and what it would say instead."""
        if not self.field or not self.declared.endswith(self.kind.name):
            return None, ""
        prefix = self.declared.removesuffix(self.kind.name)
        if prefix not in ("", "db."):
            return None, ""
        return Declared(self.field, self.declared, None), prefix + to.name


@dataclass(frozen=True)
class Option:
    """Another type for a machine, and both types' prices."""

    kind: MachineType
    prices: Comparison


@dataclass(frozen=True)
class Stand:
    """What all judges of machines stand on."""

    ground: Ground
    catalogue: Catalogue
    prices: TypePrices

    def options(self, machine: Machine, may: Callable[[Lineage, Lineage], bool]) -> list[Option]:
        """Priced types that `may` take the machine's place, cheapest first against its own.

        Prices are compared with the machine's own by the best evidence that has both.
        """
        own = machine.kind.lineage
        if own is None:
            return []
        found = []
        for kind in self.catalogue.among(self.prices.names(machine.market)):
            if kind.name == machine.kind.name or kind.lineage is None:
                continue
            prices = self.prices.compare(machine.market, machine.kind.name, kind.name)
            if prices is not None and may(own, kind.lineage):
                found.append(Option(kind, prices))
        return sorted(found, key=lambda one: (one.prices.ratio, one.kind.name))

    def why_no_saving(self, machine: Machine) -> str:
        """Why no saving of the machine can be told; empty where it can."""
        why = self.ground.prices.why_not(machine.name, METER)
        if why:
            return why
        cost = self.ground.prices.cost_per_month(machine.name, (METER,))
        if cost is None or cost.mid <= 0:
            return (
                "its hours are paid for by a commitment that no other usage known could take over, "
                "or by credits: a cheaper type saves nothing"
            )
        if cost.currency != machine.market.currency:
            return "it is billed in more than one currency"
        return ""

    def saving(self, machine: Machine, option: Option) -> MoneyRange:
        """What the other type saves a month: of the net cost that ends with the machine's hours,
        the share that it is cheaper by. Call after `why_no_saving`.
        """
        cost = self.ground.prices.cost_per_month(machine.name, (METER,))
        if cost is None:
            raise ValueError(f"{machine.name} has no price")
        return times(cost, float(1 - option.prices.ratio))

    def spending(self, machine: Machine, option: Option, hours: pd.Series[float]) -> MoneyRange:
        """What a dearer type costs a month more, as a negative amount, at the compared prices.

        `hours`: run on each day. What a commitment covers now is of no help: the difference is
        paid in full.
        """
        with localcontext() as context:
            context.prec = MONEY_PRECISION
            each = option.prices.now - option.prices.then
            share = Decimal(str(round(float(hours.mean()) / 24, 6)))
            mid = each * HOURS_PER_MONTH * share
        daily = (hours * float(each) * HOURS_PER_MONTH / 24).to_numpy(dtype=float)
        return money_range(mid, daily, machine.market.currency)

    def hours(self, machine: Machine) -> pd.Series[float]:
        """Hours billed on each day."""
        return self.ground.prices.quantities(machine.name, METER)

    def finding(
        self,
        kind: FindingKind,
        machine: Machine,
        option: Option,
        *,
        saving: MoneyRange,
        risk: float,
        confidence: float,
        samples: int,
        figures: Mapping[str, float],
        reason: str,
        rule: str,
        wrong_if: list[str],
    ) -> Finding:
        """A change of type, with both types' prices among its figures."""
        value, proposed = machine.value(option.kind)
        if machine.declared and value is None:
            reason += " It is declared as another type than is billed, so no edit is proposed."
        found = self.ground.finding(
            kind,
            machine.name,
            value=value,
            proposed=proposed,
            saving=saving,
            carbon=NO_CARBON,
            risk=risk,
            confidence=confidence,
            samples=samples,
            figures={
                "price_per_hour": float(option.prices.now),
                "proposed_price_per_hour": float(option.prices.then),
                "vcpus": machine.kind.vcpus,
                "proposed_vcpus": option.kind.vcpus,
                "memory_gib": machine.kind.memory_gib,
                "proposed_memory_gib": option.kind.memory_gib,
                **figures,
            },
            reason=reason,
            rule=rule,
        )
        return found.model_copy(update={"wrong_if": "; ".join(wrong_if)})


def price_words(option: Option) -> str:
    """By how much cheaper or dearer, and by which prices."""
    change = float(option.prices.ratio) - 1
    word = "less" if change < 0 else "more"
    return f"{abs(change):.0%} {word} an hour {_SAID[option.prices.evidence]}"
