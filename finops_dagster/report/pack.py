"""The monthly pack of a team: one page for people and tables for spreadsheets, each by itself.

Amounts are those of the marts; what is added up is added in one currency, to its last digit. Text
from bills and tags is escaped in HTML, and in CSV never begins as a formula does.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

from finops_dagster.domain.ids import content_id
from finops_dagster.domain.money import Money, exact_sum
from finops_dagster.report import charts
from finops_dagster.report.explain import UNALLOCATED, Explanation
from finops_dagster.report.landing import STATES, Landing
from finops_dagster.report.page import rendered, visible, written
from finops_dagster.report.summary import Judged
from finops_dagster.report.units import UnitCost

PAGE = "pack.html"
INDEX = "index.html"
_FORMULA = ("=", "+", "-", "@", "\t", "\r")
"""What a spreadsheet takes for the start of a formula (OWASP, CSV injection)."""

_FOLDER = 40
"""Letters of a team's name that its folder has."""


@dataclass(frozen=True)
class Carbon:
    """What a team emitted in the month, shared parts included; None where nothing is known."""

    energy_kwh: float | None
    location_kg: float | None
    market_kg: float | None
    embodied_kg: float | None
    lines: int
    """Lines of usage that were allocated to the team."""
    without_energy: int
    """Those of which no energy is known: requests, licences, services whose power nobody tells."""
    without_intensity: int
    """Those of which energy is known and emissions by the grid are not."""


@dataclass(frozen=True)
class Scoped:
    """A budget or a unit of costs that a team shares in, and whose these are in words."""

    scope: str
    is_own: bool
    """Whether it is of this team alone."""
    of: Landing | UnitCost


@dataclass(frozen=True)
class Pack:
    """A team's month. `team` None is what nobody has."""

    estate: str
    team: str | None
    month: date
    as_of: date
    publication_id: str
    costs: Sequence[Mapping[str, Any]]
    """billing_currency, provider_name, service_name, product, line, effective_cost (Decimal)."""
    daily: Sequence[Mapping[str, Any]]
    """day, billing_currency, effective_cost: of the month and the one before."""
    explained: Sequence[Explanation]
    """One for each currency that can be compared with the month before."""
    budgets: Sequence[Scoped] = ()
    units: Sequence[Scoped] = ()
    carbon: Carbon | None = None
    charges: Sequence[Mapping[str, Any]] = ()
    """Rows of fct_chargeback_monthly."""
    decisions: Sequence[Judged] = ()

    @property
    def name(self) -> str:
        return self.team or UNALLOCATED

    @property
    def folder(self) -> str:
        """A name that is one folder's, whatever the team is called; no two teams' the same."""
        plain = re.sub(r"[^a-z0-9_-]+", "-", self.name.lower()).strip("-")
        if plain == self.team and len(plain) <= _FOLDER:
            return plain
        return f"{plain[:_FOLDER] or 'team'}-{content_id('team', self.name)[-8:]}"

    @property
    def currencies(self) -> list[str]:
        return sorted({row["billing_currency"] for row in (*self.costs, *self.charges)})

    def spent(self, currency: str) -> Money:
        return _sum(self.costs, "effective_cost", currency)

    def charged(self, currency: str) -> Money:
        return _sum(self.charges, "charged", currency)

    def explanation(self, currency: str) -> Explanation | None:
        return next((one for one in self.explained if one.currency == currency), None)


def _sum(rows: Sequence[Mapping[str, Any]], column: str, currency: str) -> Money:
    mine = (row[column] for row in rows if row["billing_currency"] == currency)
    return Money(amount=exact_sum(*mine), currency=currency)


@dataclass(frozen=True)
class _Row:
    """Spend of one service or product, its change on the month before and the largest cause."""

    name: str
    amount: Money
    change: Money | None
    cause: str


def write_pack(pack: Pack, out: Path) -> Path:
    """Write the page and the tables of a team into its folder under `out`; returns the page."""
    folder = out / pack.folder
    for name, (columns, rows) in tables(pack).items():
        written(folder / f"{name}.csv", csv_text(columns, rows))
    return written(folder / PAGE, rendered("pack.html.j2", _view(pack)))


def write_index(packs: Sequence[Pack], out: Path) -> Path:
    """Write the page that leads to the packs of all teams; returns its path."""
    first = packs[0]
    view = {
        "pack": first,
        "rows": {
            currency: [one for one in packs if currency in one.currencies]
            for currency in sorted({name for one in packs for name in one.currencies})
        },
        "total": {
            currency: _total([one.spent(currency) for one in packs if currency in one.currencies])
            for currency in sorted({name for one in packs for name in one.currencies})
        },
        "whole": all(told.is_whole for one in packs for told in one.explained),
        "budgets": _distinct([each for one in packs for each in _of(one.budgets, Landing)]),
        "units": _distinct([each for one in packs for each in _of(one.units, UnitCost)]),
        "page": PAGE,
        "states": STATES,
    }
    return written(out / INDEX, rendered("packs.html.j2", view))


def _total(amounts: Sequence[Money]) -> Money:
    return Money(amount=exact_sum(*(one.amount for one in amounts)), currency=amounts[0].currency)


def csv_text(columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> str:
    """A CSV table (RFC 4180): amounts as decimals, text never as a formula."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\r\n")
    writer.writerow(columns)
    writer.writerows([_cell(value) for value in row] for row in rows)
    return out.getvalue()


def _cell(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, Decimal):
        whole, _, digits = format(value, "f").partition(".")
        return f"{whole}.{digits.rstrip('0').ljust(2, '0')}"
    if isinstance(value, str):
        text = str(visible(value))
        return f"'{text}" if text.startswith(_FORMULA) else text
    return str(value)


Table = tuple[tuple[str, ...], list[tuple[Any, ...]]]


def tables(pack: Pack) -> dict[str, Table]:
    """The tables of a pack by name, each row with the month, the team and its currency."""
    who = (f"{pack.month:%Y-%m}", pack.name)
    head = ("month", "team")
    return {
        "spend": (
            (*head, "currency", "provider", "service", "product", "line", "effective_cost"),
            [
                (*who, *(row[column] for column in (
                    "billing_currency", "provider_name", "service_name", "product", "line",
                    "effective_cost",
                )))
                for row in pack.costs
            ],
        ),
        "changes": (
            (*head, "currency", "service", "cost_before", "cost_after", "price", "quantity",
             "mix", "shared", "other"),
            [
                (*who, one.currency, service.name, service.before, service.after,
                 *service.effects.values())
                for one in pack.explained
                for service in one.services
            ],
        ),
        "chargeback": (
            (*head, "cost_center", "currency", "provider", "service", "price_list_entry",
             "effective_cost", "margin", "charged"),
            [
                (*who, *(row[column] for column in (
                    "cost_center", "billing_currency", "provider_name", "service_name",
                    "price_list_entry", "effective_cost", "margin", "charged",
                )))
                for row in pack.charges
            ],
        ),
        "budgets": (
            (*head, "budget", "scope", "currency", "period_start", "period_end", "amount",
             "planned_to_date", "actual", "expected_low", "expected", "expected_high", "state",
             "reason", "expected_low_80", "expected_high_80", "probability_exceeded",
             "exceeded_on", "exceeded_earliest", "exceeded_latest"),
            [
                (*who, one.budget, scoped.scope, one.currency, one.start, one.end, one.amount,
                 one.planned_to_date, one.actual,
                 *((one.expected.low, one.expected.mid, one.expected.high)
                   if one.expected else (None, None, None)),
                 one.state, one.reason,
                 *((one.odds.expected_80.low, one.odds.expected_80.high,
                    round(one.odds.probability, 4)) if one.odds else (None, None, None)),
                 one.exceeded,
                 *((one.odds.earliest, one.odds.latest) if one.odds else (None, None)))
                for scoped, one in _of(pack.budgets, Landing)
            ],
        ),
        "unit_costs": (
            (*head, "unit", "scope", "currency", "metric", "per", "unit_cost",
             "unit_cost_before", "cost", "quantity", "days"),
            [
                (*who, one.unit, scoped.scope, one.currency, one.metric, one.per, one.unit_cost,
                 one.before, one.cost, one.quantity, one.days)
                for scoped, one in _of(pack.units, UnitCost)
            ],
        ),
        "decisions": (
            (*head, "resource", "field", "current", "proposed", "currency", "saving_low",
             "saving", "saving_high", "verdict", "pull_request"),
            [
                (*who, one.proposal.resource, one.proposal.field, one.proposal.current,
                 one.proposal.proposed, one.proposal.saving_per_month.currency,
                 one.proposal.saving_per_month.low, one.proposal.saving_per_month.mid,
                 one.proposal.saving_per_month.high,
                 one.verdict.decision.value if one.verdict else None,
                 one.pull_request.url or str(one.pull_request.number) if one.pull_request else None)
                for one in pack.decisions
            ],
        ),
    }  # fmt: skip


def _of(ones: Sequence[Scoped], type_: type[Any]) -> list[tuple[Scoped, Any]]:
    return [(one, one.of) for one in ones if isinstance(one.of, type_)]


def _distinct(ones: list[tuple[Scoped, Any]]) -> list[tuple[Scoped, Any]]:
    """Each budget or unit once, though several teams share in it."""
    return [one for at, one in enumerate(ones) if one[1] not in [each for _, each in ones[:at]]]


def _view(pack: Pack) -> dict[str, Any]:
    return {
        "pack": pack,
        "services": {one: _services(pack, one) for one in pack.currencies},
        "products": {one: _grouped(pack.costs, "product", one) for one in pack.currencies},
        "lines": {one: _lines(pack, one) for one in pack.currencies},
        "charts": {one: _chart(pack, one) for one in pack.currencies},
        "charges": {one: _charges(pack, one) for one in pack.currencies},
        "savings": _savings(pack),
        "budgets": _of(pack.budgets, Landing),
        "units": _of(pack.units, UnitCost),
        "states": STATES,
        "files": [f"{name}.csv" for name, (_, rows) in tables(pack).items() if rows],
    }


def _services(pack: Pack, currency: str) -> list[_Row]:
    """By service, dearest first; those that are gone show by their change alone."""
    explanation = pack.explanation(currency)
    known = {one.name: one for one in explanation.services} if explanation else {}
    found = []
    amounts = dict.fromkeys(known, Money(amount=Decimal(0), currency=currency)) | {
        row.name: row.amount for row in _grouped(pack.costs, "service_name", currency)
    }
    for name, amount in amounts.items():
        service = known.get(name)
        change, cause = None, ""
        if service is not None:
            change = Money(amount=service.after - service.before, currency=currency)
            largest = max(service.effects, key=lambda effect: abs(service.effects[effect]))
            cause = largest if service.effects[largest] else ""
        found.append(_Row(name, amount, change, cause))
    return sorted(found, key=lambda row: (-row.amount.amount, row.name))


def _grouped(rows: Sequence[Mapping[str, Any]], column: str, currency: str) -> list[_Row]:
    names = {"product": "(no product)", "service_name": "(no service)"}
    found: dict[str, list[Decimal]] = {}
    for row in rows:
        if row["billing_currency"] == currency:
            found.setdefault(row[column] or names[column], []).append(row["effective_cost"])
    made = [
        _Row(name, Money(amount=exact_sum(*costs), currency=currency), None, "")
        for name, costs in found.items()
    ]
    return sorted(made, key=lambda row: (-row.amount.amount, row.name))


def _lines(pack: Pack, currency: str) -> dict[str, Money]:
    """What was charged as billed, given to others and received of them."""
    lines = {row["line"] for row in pack.costs if row["billing_currency"] == currency}
    return {
        line: _sum([row for row in pack.costs if row["line"] == line], "effective_cost", currency)
        for line in ("charge", "given", "received")
        if line in lines
    }


def _charges(pack: Pack, currency: str) -> list[Mapping[str, Any]]:
    mine = [row for row in pack.charges if row["billing_currency"] == currency]
    return sorted(mine, key=lambda row: (-row["charged"], row["service_name"] or ""))


def _savings(pack: Pack) -> dict[str, Money]:
    """What the open decisions could save a month, in the middle of their ranges."""
    found: dict[str, list[Decimal]] = {}
    for one in pack.decisions:
        saving = one.proposal.saving_per_month
        found.setdefault(saving.currency, []).append(saving.mid)
    return {
        currency: Money(amount=exact_sum(*middles), currency=currency)
        for currency, middles in sorted(found.items())
    }


def _chart(pack: Pack, currency: str) -> Any:
    points = [
        (row["day"], float(row["effective_cost"]))
        for row in pack.daily
        if row["billing_currency"] == currency
    ]
    title = f"Daily cost of {visible(pack.name)} in {currency}"
    return charts.spend_chart(sorted(points), (), title)
