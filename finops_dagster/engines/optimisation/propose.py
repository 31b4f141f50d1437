"""From findings to proposals: which become an intended change, and why the rest do not.

Whether a proposal is allowed is for policy to say, how many open at once for the shell.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date
from decimal import Decimal

from finops_dagster.domain.decisions import (
    Abstained,
    Counted,
    Finding,
    FindingKind,
    Proposal,
    Waiting,
)
from finops_dagster.domain.money import Range, to_decimal
from finops_dagster.engines.optimisation.candidates import (
    Cell,
    Relations,
    candidate_of,
    for_carbon,
    lever_of,
)
from finops_dagster.engines.optimisation.counterfactual import counterfactuals
from finops_dagster.engines.optimisation.inputs import SizingConfig
from finops_dagster.engines.optimisation.portfolio import Chosen, choose
from finops_dagster.engines.optimisation.queue import DailyLimits, Progress


def propose(
    findings: Sequence[Finding],
    *,
    reconstructed: bool,
    publication_id: str,
    min_saving: Decimal,
    min_confidence: float,
    as_of: date,
    costs: Mapping[Cell, Decimal] | None = None,
    relations: Relations | None = None,
    limits: DailyLimits | None = None,
    progress: Progress | None = None,
    carbon_prices: Mapping[str, Decimal] | None = None,
    max_risk: float = SizingConfig.max_risk,
) -> tuple[list[Proposal], list[Abstained]]:
    """Proposals in the order of doing, what is for safety first, and a reason for each left out.

    Left out by itself: no edit known; confidence below `min_confidence`; saving below `min_saving`
    a month (each in its own currency) or an interval that reaches down to nothing, save where it
    is for safety, which costs money on purpose. A change made for carbon alone counts
    with what `carbon_prices` (currency -> worth of a kg) say that is worth a month; without a price
    it is left to a person. The rest is a portfolio (see `choose`): what
    does not go together with something better is left out, and each proposal carries what it saves
    once the others are done. `costs` a month are at the net rate. What only a limit of the day
    holds up is Waiting: handed in as tomorrow's `progress`, it comes first then. What would have
    to be true for it not to be proposed goes with each; `max_risk` is that of the finders.
    """
    by_id = {one.id: one for one in findings}
    why = {
        one.id: _why_not(one, min_saving, min_confidence, carbon_prices or {})
        for one in by_id.values()
    }
    chosen = choose(
        [candidate_of(one) for one in by_id.values() if not why[one.id]],
        costs or {},
        relations,
        min_saving=min_saving,
        limits=limits,
        progress=progress,
    )
    left = [Abstained(subject=_subject(by_id[name]), reason=why[name]) for name in why if why[name]]
    since = progress.waiting if progress else {}
    for one in chosen.left:
        finding, reason = by_id[one.candidate.id], one.why.reason
        subject = _subject(finding)
        if one.waits:
            left.append(
                Waiting(
                    subject=subject,
                    reason=reason,
                    key=finding.key,
                    resource=finding.resource,
                    since=since.get(finding.key, as_of),
                )
            )
        else:
            left.append(Abstained(subject=subject, reason=reason))
    proposals = []
    for taken in chosen.chosen:
        finding = by_id[taken.candidate.id]
        otherwise = counterfactuals(
            finding,
            min_saving=min_saving,
            min_confidence=min_confidence,
            max_risk=max_risk,
            carbon_price=(carbon_prices or {}).get(finding.saving_per_month.currency),
        )
        proposals.append(_proposal(finding, taken, reconstructed, publication_id, as_of, otherwise))
    return proposals, left


def together(
    findings: Sequence[Finding],
    costs: Mapping[Cell, Decimal] | None = None,
    relations: Relations | None = None,
) -> list[Counted]:
    """What each finding adds to a total, without any limit and whether or not an edit does it.

    Those that exclude something better, or add nothing, are left out. Savings sum to at most the
    `costs` a month of every resource and team; where nobody knows what it costs, its own findings
    tell the least (see `known_costs`).
    """
    by_id = {one.id: one for one in findings}
    portfolio = choose([candidate_of(one) for one in by_id.values()], costs or {}, relations)
    return [
        Counted(finding_id=one.candidate.id, saving_per_month=one.saving)
        for one in portfolio.chosen
    ]


def _subject(finding: Finding) -> str:
    return f"{finding.resource} {finding.field or finding.kind.value}"


def _why_not(
    finding: Finding,
    min_saving: Decimal,
    min_confidence: float,
    carbon_prices: Mapping[str, Decimal],
) -> str:
    """Why a finding by itself is not proposed; empty where it may be."""
    saving = finding.saving_per_month
    if not finding.document and not (finding.field and finding.proposed):
        return f"{finding.kind.value}: no edit of one declared value does this"
    if finding.kind is FindingKind.POLICY_VIOLATION:
        return "breaks a rule, which saves no money: it is mended by its owner"
    if finding.proposed == finding.current and not finding.document:
        return "already as proposed"
    if finding.confidence < min_confidence:
        return (
            f"measured for {finding.confidence:.0%} of the window, "
            f"{min_confidence:.0%} are asked for"
        )
    if lever_of(finding.kind).for_safety:
        return ""
    if for_carbon(finding):
        return _too_little_carbon(finding, min_saving, carbon_prices.get(saving.currency))
    if saving.low == saving.high == 0:
        return (
            "saves nothing: credits pay for it, or commitments that no other usage known of "
            "could take over"
        )
    if saving.mid < min_saving:
        return f"saves {saving.mid:.2f} {saving.currency} a month, {min_saving} are asked for"
    if saving.low <= 0:
        return (
            f"may save nothing: 95 % interval {saving.low:.2f} to {saving.high:.2f} "
            f"{saving.currency} a month"
        )
    return ""


def _too_little_carbon(finding: Finding, min_saving: Decimal, price: Decimal | None) -> str:
    """Why a change that saves carbon and no money is not proposed; empty where it is worth it."""
    carbon, currency = finding.carbon_kg_per_month, finding.saving_per_month.currency
    saves = f"saves {carbon.mid:.3g} kg of carbon a month and no money"
    if carbon.low <= 0:
        return f"may save no carbon: 95 % interval {carbon.low:.3g} to {carbon.high:.3g} kg a month"
    if price is None:
        return f"{saves}, and no setting says what a kg is worth in {currency}"
    worth = to_decimal(carbon.mid) * price
    if worth < min_saving:
        return f"{saves}: worth {worth:.2f} {currency}, {min_saving} are asked for"
    return ""


def _proposal(
    finding: Finding,
    chosen: Chosen,
    reconstructed: bool,
    publication_id: str,
    as_of: date,
    counterfactual: tuple[str, ...],
) -> Proposal:
    return Proposal(
        finding_id=finding.id,
        key=finding.key,
        kind=finding.kind,
        resource=finding.resource,
        field=finding.field,
        current=finding.current,
        proposed=finding.proposed,
        owner=finding.owner,
        environment=finding.environment,
        saving_per_month=chosen.saving,
        carbon_kg_per_month=_part(finding.carbon_kg_per_month, chosen.factor),
        risk=finding.risk,
        confidence=finding.confidence,
        evidence=finding.evidence,
        reason=finding.reason,
        reconstructed=reconstructed,
        publication_id=publication_id,
        as_of=as_of,
        order=chosen.order,
        order_reason=chosen.why,
        wrong_if=finding.wrong_if,
        document=finding.document,
        counterfactual=counterfactual,
    )


def _part(carbon: Range, factor: Decimal) -> Range:
    """Of the capacity given up, what the others do not give up already: as its money."""
    if factor == 1:
        return carbon
    share = float(factor)
    return Range(low=carbon.low * share, mid=carbon.mid * share, high=carbon.high * share)
