"""From findings to proposals: which become an intended change, and why the rest do not.

Whether a proposal is allowed is for policy to say, how many open at once for the shell.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from datetime import date
from decimal import Decimal

from finops_dagster.domain.decisions import Abstained, Finding, FindingKind, Proposal

_STOPS = (FindingKind.IDLE_WORKLOAD, FindingKind.IDLE_GPU)
_RAISES = (FindingKind.UNDERPROVISIONED_CPU, FindingKind.UNDERPROVISIONED_MEMORY)


def propose(
    findings: Sequence[Finding],
    *,
    reconstructed: bool,
    publication_id: str,
    min_saving: Decimal,
    min_confidence: float,
    as_of: date,
) -> tuple[list[Proposal], list[Abstained]]:
    """One proposal a key at most, shortages first, and a reason for each finding left out.

    Left out: no edit known; confidence below `min_confidence`; saving below `min_saving` a month
    (each in its own currency) or an interval that reaches down to nothing, save where a request
    is raised, which costs money on purpose; sizing of a workload that is to be stopped; a second
    finding on the same value.
    """
    order = sorted(
        findings,
        key=lambda f: (f.saving_per_month.currency, -f.saving_per_month.mid, f.key, f.id),
    )
    stopped = {
        f.resource
        for f in order
        if f.kind in _STOPS and not _why_not(f, min_saving, min_confidence)
    }
    taken: dict[str, Finding] = {}
    left: list[Abstained] = []
    for finding in order:
        why = _why_not(finding, min_saving, min_confidence)
        if not why and finding.resource in stopped and finding.kind not in _STOPS:
            why = "the workload is proposed to be stopped: its size does not matter then"
        if not why and finding.key in taken:
            why = f"another finding on the same value saves more: {taken[finding.key].id}"
        if why:
            subject = f"{finding.resource} {finding.field or finding.kind.value}"
            left.append(Abstained(subject=subject, reason=why))
        else:
            taken[finding.key] = finding
    # What runs short comes first: it may fail before any saving is made. Then, since amounts of
    # different currencies have no order among them, the best of each.
    ranks: Counter[str] = Counter()
    ranked = []
    for finding in taken.values():
        currency = finding.saving_per_month.currency
        ranked.append((finding.kind not in _RAISES, ranks[currency], currency, finding))
        ranks[currency] += 1
    ranked.sort(key=lambda item: item[:3])
    proposals = [_proposal(finding, reconstructed, publication_id, as_of) for *_, finding in ranked]
    return proposals, left


def _why_not(finding: Finding, min_saving: Decimal, min_confidence: float) -> str:
    """Why a finding by itself is not proposed; empty where it may be."""
    saving = finding.saving_per_month
    if not finding.field or not finding.proposed:
        return f"{finding.kind.value}: no edit of one declared value does this"
    if finding.proposed == finding.current:
        return "already as proposed"
    if finding.confidence < min_confidence:
        return (
            f"measured for {finding.confidence:.0%} of the window, "
            f"{min_confidence:.0%} are asked for"
        )
    if finding.kind in _RAISES:
        return ""
    if saving.mid < min_saving:
        return f"saves {saving.mid:.2f} {saving.currency} a month, {min_saving} are asked for"
    if saving.low <= 0:
        return (
            f"may save nothing: 95 % interval {saving.low:.2f} to {saving.high:.2f} "
            f"{saving.currency} a month"
        )
    return ""


def _proposal(finding: Finding, reconstructed: bool, publication_id: str, as_of: date) -> Proposal:
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
        saving_per_month=finding.saving_per_month,
        carbon_kg_per_month=finding.carbon_kg_per_month,
        risk=finding.risk,
        confidence=finding.confidence,
        evidence=finding.evidence,
        reason=finding.reason,
        reconstructed=reconstructed,
        publication_id=publication_id,
        as_of=as_of,
    )
