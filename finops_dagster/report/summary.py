"""Findings, proposals and reasons sorted and added up for reading, each currency by itself.

Spend is in `spend`, layout in `page`; no figure here decides anything.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal

from finops_dagster.domain.decisions import Abstained, Decision, Finding, Proposal, Verdict
from finops_dagster.domain.money import Money, MoneyRange
from finops_dagster.domain.pull_requests import PullRequest
from finops_dagster.report.data import ReportData
from finops_dagster.report.format import total as _sum


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


def waste_by_owner(
    findings: Sequence[Finding], counted: Mapping[str, MoneyRange]
) -> dict[str, list[WasteRow]]:
    """By currency, owners with the most to save first; `counted`: as of `ReportData`."""
    found: dict[str, list[WasteRow]] = {}
    for currency in _currencies(findings):
        rows = []
        here = [f for f in findings if f.saving_per_month.currency == currency]
        for owner in sorted({f.owner for f in here}):
            mine = [f for f in here if f.owner == owner]
            added = [counted[f.id] for f in mine if f.id in counted]
            rows.append(
                WasteRow(
                    owner=owner,
                    findings=len(mine),
                    saving=add([one for one in added if one.mid > 0]),
                    cost=add([_turned(one) for one in added if one.mid < 0]),
                )
            )
        rows.sort(key=lambda row: (-(row.saving.mid if row.saving else Decimal(0)), row.owner))
        found[currency] = rows
    return found


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


def waste_total(counted: Mapping[str, MoneyRange]) -> dict[str, MoneyRange]:
    """What all findings together could save a month, by currency; `counted`: as of `ReportData`."""
    found: dict[str, list[MoneyRange]] = defaultdict(list)
    for one in counted.values():
        if one.mid > 0:
            found[one.currency].append(one)
    totals = {currency: add(found[currency]) for currency in sorted(found)}
    return {currency: total for currency, total in totals.items() if total is not None}


def judged(
    proposals: Iterable[Proposal],
    verdicts: Mapping[str, Verdict],
    pull_requests: Sequence[PullRequest],
) -> dict[Decision | None, list[Judged]]:
    """Proposals by what policy said, allowed ones first; None holds those not yet judged.

    `verdicts`: by proposal id.
    """
    by_key = {member.key: pull for pull in pull_requests for member in pull.members}
    found: dict[Decision | None, list[Judged]] = {
        Decision.ALLOW: [],
        Decision.NEEDS_APPROVAL: [],
        Decision.DENY: [],
        None: [],
    }
    for proposal in proposals:
        verdict = verdicts.get(proposal.id)
        pull = by_key.get(proposal.change_key)
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
