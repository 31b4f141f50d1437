"""Why a team's cost moved from one month to the next, in the few lines that a manager reads.

The parts are those of `fct_cost_changes_monthly`, which sum to the change; nothing is added here.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

from finops_dagster.domain.money import Money
from finops_dagster.domain.periods import month_start, next_month
from finops_dagster.report.format import change, money_brief, month, places, share, total

UNALLOCATED = "(unallocated)"
"""Stands for costs that no rule and no tag gives to anybody."""
EFFECTS = ("price", "quantity", "mix", "shared", "other")
"""What a change is parted into."""

_WORDS = {
    "price": ("Higher prices", "Lower prices"),
    "quantity": ("More use", "Less use"),
    "mix": ("A dearer mix", "A cheaper mix"),
    "shared": ("More of shared costs", "Less of shared costs"),
    "other": (
        "Fees, taxes, credits and corrections",
        "Fees, taxes, credits and corrections",
    ),
}
_NAMED = 2
"""Services that a line names."""


@dataclass(frozen=True)
class Service:
    """A service of a team: what it cost before and after, and why that differs."""

    name: str
    before: Decimal
    after: Decimal
    effects: Mapping[str, Decimal]


@dataclass(frozen=True)
class Explanation:
    """Why a team's effective cost in one currency moved. `effects` sum to `change`."""

    team: str | None
    """None is what nobody has."""
    period: date
    currency: str
    until: date
    """Last day of the month that every bill of it has, and to which the month before is counted."""
    services: tuple[Service, ...]

    @property
    def before(self) -> Decimal:
        return total(one.before for one in self.services)

    @property
    def after(self) -> Decimal:
        return total(one.after for one in self.services)

    @property
    def change(self) -> Decimal:
        return self.after - self.before

    @property
    def effects(self) -> dict[str, Decimal]:
        return {name: total(one.effects[name] for one in self.services) for name in EFFECTS}

    @property
    def is_whole(self) -> bool:
        """Whether the month has ended in all its bills."""
        return next_month(self.period) == self.until + timedelta(days=1)

    def document(self) -> dict[str, Any]:
        """As scripts read it."""
        return {
            "team": self.team or UNALLOCATED,
            "month": f"{self.period:%Y-%m}",
            "currency": self.currency,
            "cost_before": self.before,
            "cost_after": self.after,
            "change": self.change,
            "compared_until": self.until,
            "month_complete": self.is_whole,
            "effects": self.effects,
            "services": [
                {
                    "service": one.name,
                    "cost_before": one.before,
                    "cost_after": one.after,
                    "change": one.after - one.before,
                    "effects": one.effects,
                }
                for one in self.services
            ],
            "text": self.lines(),
        }

    def lines(self) -> list[str]:
        """At most ten lines: what was spent, each cause with its services, what is new or gone."""
        told = [self._headline()]
        for name, effect in sorted(self.effects.items(), key=lambda one: -abs(one[1])):
            if self._shows(effect):
                told.append(self._cause(name, effect))
        fresh = [
            one
            for one in self.services
            if one.before == 0 and one.after > 0 and self._shows(one.after)
        ]
        gone = [
            one
            for one in self.services
            if one.after == 0 and self._shows(one.before) and not self._comes_late(one)
        ]
        if fresh:
            told.append(f"New: {self._listed([(one.name, one.after) for one in fresh])}.")
        if gone:
            told.append(f"No more: {self._listed([(one.name, one.before) for one in gone])}.")
        if self.after > 0:
            largest = max(self.services, key=lambda one: (one.after, one.name))
            part = share(float(largest.after / self.after))
            told.append(
                f"Most is spent on {largest.name}: {self._money(largest.after)}, {part} of all."
            )
        told.append("Amounts are effective cost; the causes sum to the change.")
        return told

    def _comes_late(self, service: Service) -> bool:
        """Whether it may yet be billed: fees and taxes often are when a month is closed."""
        return not self.is_whole and service.effects["other"] == service.after - service.before

    def _headline(self) -> str:
        before = month(month_start(self.period - timedelta(days=1)))
        if self.is_whole:
            when, than = f"in {month(self.period)},", f"in {before}"
        else:
            when = f"in {month(self.period)}, up to day {self.until.day},"
            than = f"on the same days of {before}"
        who = f"{self.team} spent" if self.team else "What no team has cost"
        spent = f"{who} {self._money(self.after)} {when}"
        if not self._shows(self.change):
            return f"{spent} as much as {than}."
        more = "more" if self.change > 0 else "less"
        rate = f" ({change(float(self.change / self.before))})" if self.before > 0 else ""
        return f"{spent} {self._money(abs(self.change))} {more}{rate} than {than}."

    def _cause(self, name: str, effect: Decimal) -> str:
        words = _WORDS[name][0 if effect > 0 else 1]
        same_way = [
            (one.name, one.effects[name])
            for one in self.services
            if one.effects[name] * effect > 0 and self._shows(one.effects[name])
        ]
        named = f": {self._listed(same_way, signed=True)}" if same_way else ""
        late = name == "other" and effect < 0 and any(map(self._comes_late, self.services))
        return f"{words} {self._signed(effect)}{named}{'; some may yet come' if late else ''}."

    def _listed(self, services: Sequence[tuple[str, Decimal]], signed: bool = False) -> str:
        ranked = sorted(services, key=lambda one: (-abs(one[1]), one[0]))
        shown = self._signed if signed else self._money
        texts = [f"{name} ({shown(amount)})" for name, amount in ranked[:_NAMED]]
        left = len(ranked) - _NAMED
        if left == 1:
            return f"{', '.join(texts)} and one more"
        return ", ".join(texts) + (f" and {left} more" if left > 1 else "")

    def _money(self, amount: Decimal) -> str:
        return money_brief(Money(amount=amount, currency=self.currency))

    def _signed(self, amount: Decimal) -> str:
        return f"{'+' if amount > 0 else '-'}{self._money(abs(amount))}"

    def _shows(self, amount: Decimal) -> bool:
        """Whether an amount is more than nothing in the digits that its currency is written in."""
        return abs(amount) >= Decimal("0.5").scaleb(-places(self.currency))


def explained(
    team: str | None, period: date, rows: Sequence[Mapping[str, Any]]
) -> list[Explanation]:
    """One explanation for each currency, of a team's rows of `fct_cost_changes_monthly`.

    `team` None is of what nobody has.
    """
    found = []
    for currency in sorted({row["billing_currency"] or "" for row in rows}):
        mine = [row for row in rows if (row["billing_currency"] or "") == currency]
        services = []
        for name in sorted({row["service_name"] or "(no service)" for row in mine}):
            its = [row for row in mine if (row["service_name"] or "(no service)") == name]
            services.append(
                Service(
                    name,
                    total(row["cost_before"] for row in its),
                    total(row["cost_after"] for row in its),
                    {one: total(row[f"{one}_effect"] for row in its) for one in EFFECTS},
                )
            )
        services.sort(key=lambda one: (-abs(one.after - one.before), one.name))
        until = min(row["compared_until"] for row in mine)
        found.append(Explanation(team, period, currency, until, tuple(services)))
    return found
