"""Report data sorted and added up for reading, each currency by itself.

Layout is the business of `page`; no figure here decides anything.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal

import pandas as pd

from finops_dagster.domain.decisions import (
    Abstained,
    Decision,
    Finding,
    FindingKind,
    Proposal,
    PullRequest,
    Verdict,
)
from finops_dagster.domain.money import Money, MoneyRange
from finops_dagster.domain.periods import month_start, months, next_month
from finops_dagster.report.charts import Point
from finops_dagster.report.data import FORECAST_COLUMNS, TOTAL, ReportData

CHART_DAYS = 90
TEAMS_SHOWN = 12
UNTAGGED = "(untagged)"
"""As the series of cost without a team is called."""

_WHOLE = frozenset(
    {
        FindingKind.IDLE_WORKLOAD,
        FindingKind.IDLE_GPU,
        FindingKind.OFF_HOURS,
        FindingKind.UNDECLARED_WORKLOAD,
    }
)
"""Kinds that free a whole workload for some of the time: its sizing is not saved on top."""


@dataclass(frozen=True)
class MonthRow:
    """Spend of one month; `whole` is False where the bill does not reach its end, or start."""

    first: date
    amount: Money
    whole: bool


@dataclass(frozen=True)
class GroupRow:
    """Spend of one team or service in the last whole month, and its change on the one before."""

    name: str
    amount: Money
    share: float
    change: float | None
    ahead: Money | None
    """Expected over the days of the forecast; None where there is none."""


@dataclass(frozen=True)
class SeriesRow:
    """One line of daily amounts with what is ahead of it."""

    name: str
    history: tuple[tuple[date, float], ...]
    forecast: tuple[Point, ...]


@dataclass(frozen=True)
class CurrencySpend:
    """All that is said of spend in one currency."""

    currency: str
    months: tuple[MonthRow, ...]
    current: MonthRow
    """The month that is compared by group: the last whole one, else the last."""
    before: MonthRow | None
    total: SeriesRow
    teams: tuple[GroupRow, ...]
    services: tuple[GroupRow, ...]
    team_series: tuple[SeriesRow, ...]
    ahead: Money | None
    ahead_days: int


@dataclass(frozen=True)
class WasteRow:
    """What one owner could save in one currency, and what its short workloads would cost."""

    owner: str
    findings: int
    saving: MoneyRange | None
    cost: MoneyRange | None


@dataclass(frozen=True)
class Judged:
    """A proposal with what policy said, and the pull request it became."""

    proposal: Proposal
    verdict: Verdict | None
    pull_request: PullRequest | None


@dataclass(frozen=True)
class Reason:
    """One reason and everything it was given for."""

    reason: str
    subjects: tuple[str, ...]


@dataclass(frozen=True)
class CoverageRow:
    """How much of the cost carries one tag."""

    currency: str
    tag: str
    share: float
    untagged: Money


def spend_by_currency(data: ReportData) -> list[CurrencySpend]:
    """One summary per currency, the largest number of rows first."""
    if data.spend.empty:
        return []
    frame = data.spend[["charge_date", "billing_currency", "team", "service_name",
                        "effective_cost"]].copy()  # fmt: skip
    frame["charge_date"] = pd.to_datetime(frame["charge_date"]).dt.date
    frame["team"] = _named(frame["team"], UNTAGGED)
    frame["service_name"] = _named(frame["service_name"], "(no service)")
    order = frame["billing_currency"].value_counts()
    return [
        _currency(str(currency), frame[frame["billing_currency"] == currency], data)
        for currency in order.index
    ]


def _named(column: pd.Series, otherwise: str) -> pd.Series:
    filled = column.astype(object).where(column.notna(), otherwise)
    return filled.map(lambda name: str(name).strip() or otherwise)


def _sum(values: Iterable[Decimal]) -> Decimal:
    return sum(values, Decimal(0))


def _currency(currency: str, frame: pd.DataFrame, data: ReportData) -> CurrencySpend:
    daily = frame.groupby("charge_date")["effective_cost"].agg(_sum)
    rows = _months(currency, daily, data.as_of)
    whole = [row for row in rows if row.whole]
    current = (whole or rows)[-1]
    before = whole[-2] if len(whole) > 1 else None
    ahead = _points(data.forecast, currency)
    total = ahead.get(TOTAL, ())
    teams = _groups(frame, "team", current, before, ahead)
    shown = [row.name for row in teams if row.name in ahead][:TEAMS_SHOWN]
    return CurrencySpend(
        currency=currency,
        months=tuple(rows),
        current=current,
        before=before,
        total=SeriesRow(TOTAL, _history(daily, data.as_of), total),
        teams=tuple(teams),
        services=tuple(_groups(frame, "service_name", current, before, {})),
        team_series=tuple(
            SeriesRow(
                name,
                _history(
                    frame[frame["team"] == name].groupby("charge_date")["effective_cost"].agg(_sum),
                    data.as_of,
                ),
                ahead[name],
            )
            for name in shown
        ),
        ahead=_expected(total, currency),
        ahead_days=len(total),
    )


def _months(currency: str, daily: pd.Series, as_of: date) -> list[MonthRow]:
    first, last = min(daily.index), max(daily.index)
    by_month = daily.groupby([month_start(day) for day in daily.index]).agg(_sum)
    reach = min(as_of, last) if last >= first else last
    return [
        MonthRow(
            first=month,
            amount=Money(amount=by_month.get(month, Decimal(0)), currency=currency),
            whole=first <= month and reach >= next_month(month) - timedelta(days=1),
        )
        for month in months(first, last)
    ]


def _history(daily: pd.Series, as_of: date) -> tuple[tuple[date, float], ...]:
    """The last days up to `as_of`; a day without a charge cost nothing."""
    if daily.empty:
        return ()
    last = min(max(daily.index), as_of)
    first = max(min(daily.index), last - timedelta(days=CHART_DAYS - 1))
    days = [first + timedelta(days=offset) for offset in range((last - first).days + 1)]
    return tuple((day, float(daily.get(day, Decimal(0)))) for day in days)


def _points(forecast: pd.DataFrame, currency: str) -> dict[str, tuple[Point, ...]]:
    if forecast.empty:
        return {}
    rows = forecast[forecast["currency"] == currency].sort_values("date")
    found: dict[str, list[Point]] = defaultdict(list)
    columns = [rows[name].tolist() for name in FORECAST_COLUMNS[1:]]
    for series, day, *ends in zip(*columns, strict=True):
        found[str(series)].append(Point(pd.Timestamp(day).date(), *(float(end) for end in ends)))
    return {name: tuple(points) for name, points in found.items()}


def _expected(points: Sequence[Point], currency: str) -> Money | None:
    """Means may be added; interval ends may not, so no interval is given to a sum."""
    if not points:
        return None
    return Money(amount=Decimal(repr(sum(p.mean for p in points))), currency=currency)


def _groups(
    frame: pd.DataFrame,
    column: str,
    current: MonthRow,
    before: MonthRow | None,
    ahead: dict[str, tuple[Point, ...]],
) -> list[GroupRow]:
    now = _by_group(frame, column, current.first)
    then = _by_group(frame, column, before.first) if before is not None else {}
    total = _sum(now.values())
    currency = current.amount.currency
    rows = []
    for name, value in sorted(now.items(), key=lambda item: (-item[1], item[0])):
        past = then.get(name)
        rows.append(
            GroupRow(
                name=name,
                amount=Money(amount=value, currency=currency),
                share=float(value / total) if total else 0.0,
                change=float(value / past - 1) if past is not None and past > 0 else None,
                ahead=_expected(ahead.get(name, ()), currency),
            )
        )
    return rows


def _by_group(frame: pd.DataFrame, column: str, month: date) -> dict[str, Decimal]:
    day = frame["charge_date"]
    rows = frame[(day >= month) & (day < next_month(month))]
    return {
        str(name): value for name, value in rows.groupby(column)["effective_cost"].agg(_sum).items()
    }


def add(ranges: Sequence[MoneyRange]) -> MoneyRange | None:
    """Ranges of one currency, ends added: as wide as if all erred the same way."""
    if not ranges:
        return None
    return MoneyRange(
        low=_sum(r.low for r in ranges),
        mid=_sum(r.mid for r in ranges),
        high=_sum(r.high for r in ranges),
        currency=ranges[0].currency,
    )


def without_overlap(findings: Iterable[Finding]) -> list[Finding]:
    """Findings whose savings can be added: per resource, stopping it or sizing it, not both."""
    by_resource: dict[tuple[str, str], list[Finding]] = defaultdict(list)
    for finding in findings:
        if finding.saving_per_month.mid > 0:
            by_resource[finding.resource, finding.saving_per_month.currency].append(finding)
    kept: list[Finding] = []
    for group in by_resource.values():
        whole = [f for f in group if f.kind in _WHOLE]
        parts = [f for f in group if f.kind not in _WHOLE]
        best = max(whole, key=lambda f: f.saving_per_month.mid, default=None)
        apart = _sum(f.saving_per_month.mid for f in parts)
        if best is not None and best.saving_per_month.mid >= apart:
            kept.append(best)
        else:
            kept.extend(parts)
    return kept


def waste_by_owner(findings: Sequence[Finding]) -> dict[str, list[WasteRow]]:
    """By currency, owners with the most to save first."""
    counted = {f.id for f in without_overlap(findings)}
    found: dict[str, list[WasteRow]] = {}
    for currency in _currencies(findings):
        rows = []
        here = [f for f in findings if f.saving_per_month.currency == currency]
        for owner in sorted({f.owner for f in here}):
            mine = [f for f in here if f.owner == owner]
            rows.append(
                WasteRow(
                    owner=owner,
                    findings=len(mine),
                    saving=add([f.saving_per_month for f in mine if f.id in counted]),
                    cost=add([_turned(f.saving_per_month) for f in mine if _costs(f)]),
                )
            )
        rows.sort(key=lambda row: (-(row.saving.mid if row.saving else Decimal(0)), row.owner))
        found[currency] = rows
    return found


def _costs(finding: Finding) -> bool:
    return finding.saving_per_month.mid < 0


def _turned(saving: MoneyRange) -> MoneyRange:
    """The cost that a negative saving is."""
    return MoneyRange(low=-saving.high, mid=-saving.mid, high=-saving.low, currency=saving.currency)


def _currencies(findings: Iterable[Finding]) -> list[str]:
    return sorted({f.saving_per_month.currency for f in findings})


def by_currency(findings: Sequence[Finding], order: Sequence[str]) -> dict[str, list[Finding]]:
    """Findings by currency, in the `order` of the currencies; the largest saving first."""
    ranked = sorted(findings, key=lambda f: (-f.saving_per_month.mid, f.id))
    known = [*order, *(currency for currency in _currencies(findings) if currency not in order)]
    found = {
        currency: [f for f in ranked if f.saving_per_month.currency == currency]
        for currency in known
    }
    return {currency: rows for currency, rows in found.items() if rows}


def waste_total(findings: Sequence[Finding]) -> dict[str, MoneyRange]:
    """What all findings together could save a month, by currency, overlaps counted once."""
    kept = without_overlap(findings)
    found: dict[str, MoneyRange] = {}
    for currency in _currencies(kept):
        total = add([f.saving_per_month for f in kept if f.saving_per_month.currency == currency])
        if total is not None:
            found[currency] = total
    return found


def judged(data: ReportData) -> dict[Decision | None, list[Judged]]:
    """Proposals by what policy said, allowed ones first; None holds those not yet judged."""
    by_id = {pull.proposal_id: pull for pull in data.pull_requests}
    by_key = {pull.key: pull for pull in data.pull_requests}
    found: dict[Decision | None, list[Judged]] = {
        Decision.ALLOW: [],
        Decision.NEEDS_APPROVAL: [],
        Decision.DENY: [],
        None: [],
    }
    for proposal in data.proposals:
        verdict = data.verdicts.get(proposal.id)
        pull = by_id.get(proposal.id) or by_key.get(proposal.key)
        decision = verdict.decision if verdict is not None else None
        found[decision].append(Judged(proposal, verdict, pull))
    for rows in found.values():
        rows.sort(key=lambda row: (-row.proposal.saving_per_month.mid, row.proposal.key))
    return {decision: rows for decision, rows in found.items() if rows}


def reasons(abstained: Iterable[Abstained]) -> list[Reason]:
    """The same reason once, with everything it was given for; the most frequent first."""
    found: dict[str, set[str]] = defaultdict(set)
    for one in abstained:
        found[one.reason].add(one.subject)
    rows = [Reason(reason, tuple(sorted(subjects))) for reason, subjects in found.items()]
    return sorted(rows, key=lambda row: (-len(row.subjects), row.reason))


def coverage(data: ReportData) -> list[CoverageRow]:
    """Share of cost that carries each tag, by currency."""
    rows = []
    if data.coverage.empty:
        return []
    for (currency, tag), group in data.coverage.groupby(["billing_currency", "tag"], sort=False):
        total, untagged = _sum(group["total_cost"]), _sum(group["untagged_cost"])
        rows.append(
            CoverageRow(
                currency=str(currency),
                tag=str(tag),
                share=float(1 - untagged / total) if total else 0.0,
                untagged=Money(amount=untagged, currency=str(currency)),
            )
        )
    return rows
