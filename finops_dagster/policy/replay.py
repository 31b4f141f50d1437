"""What another policy would have said of the past, beside what was decided and what came of it.

Verdicts come in; judging, reading days and rebuilding their context happens elsewhere.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import date
from decimal import Decimal
from enum import StrEnum

from pydantic import BaseModel, ConfigDict

from finops_dagster.domain.decisions import Decision, Proposal, Rung, Verdict
from finops_dagster.domain.money import Amount, MoneyRange, exact_sum
from finops_dagster.domain.pull_requests import PullRequest, PullRequestState
from finops_dagster.domain.violations import Violation


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True)


class Said(_Frozen):
    """A verdict in short."""

    decision: Decision
    rung: Rung

    @classmethod
    def of(cls, verdict: Verdict) -> Said:
        return cls(decision=verdict.decision, rung=verdict.rung)


class Reach(StrEnum):
    """How a verdict stands to what people then did."""

    OVERREACH = "overreach"
    """Denied, and yet it was merged and not reverted."""
    UNDERREACH = "underreach"
    """Not denied, and yet it was rejected or reverted."""


class Replayed(_Frozen):
    """One proposal of the past under two policies."""

    day: date
    proposal_id: str
    change_key: str
    """The same change proposed again on another day has the same."""
    resource: str
    kind: str
    decided: Said | None
    """What was decided then; None where no verdict was kept."""
    before: Said
    after: Said
    rules_added: tuple[str, ...]
    rules_dropped: tuple[str, ...]
    saving_per_month: MoneyRange
    merged: bool
    outcome: PullRequestState | None
    """Of its pull request as it stands now; None where none was opened."""
    realised: MoneyRange | None = None
    """None until it is known."""


class Total(_Frozen):
    """Changes of one kind and their money, in one currency; each change counts once."""

    what: str
    currency: str
    changes: int
    saving_per_month: Amount
    """Sum of the mids."""


class ManifestChange(_Frozen):
    """A rule that one policy finds broken in the desired state of a day and the other does not."""

    day: date
    resource: str
    owner: str
    rule: str
    title: str
    decision: Decision
    actual: str
    limit: str
    change: str
    """added or dropped."""


def replayed(
    day: date,
    proposal: Proposal,
    decided: Verdict | None,
    before: Verdict,
    after: Verdict,
    pull_request: PullRequest | None,
) -> Replayed:
    """One proposal under two policies; rules that speak in favour are not told."""
    was, now = _against(before), _against(after)
    outcome = pull_request.state if pull_request is not None else None
    return Replayed(
        day=day,
        proposal_id=proposal.id,
        change_key=proposal.change_key,
        resource=proposal.resource,
        kind=proposal.kind.value,
        decided=Said.of(decided) if decided is not None else None,
        before=Said.of(before),
        after=Said.of(after),
        rules_added=tuple(sorted(now - was)),
        rules_dropped=tuple(sorted(was - now)),
        saving_per_month=proposal.saving_per_month,
        merged=outcome in (PullRequestState.MERGED, PullRequestState.REVERTED),
        outcome=outcome,
    )


def pull_request_of(
    proposal: Proposal, day: date, pull_requests: Sequence[PullRequest]
) -> PullRequest | None:
    """The first pull request of this change, or of a group with it, that had not ended by `day`."""
    keys = {proposal.change_key, proposal.key}
    for one in sorted(pull_requests, key=lambda one: one.number):
        told = {one.key, *(member.key for member in one.members)}
        if keys & told and (one.ended_at is None or one.ended_at.date() >= day):
            return one
    return None


def reach(decision: Decision, outcome: PullRequestState | None) -> Reach | None:
    """How a decision stands to an outcome; None where it fits, or nothing came of it yet."""
    if decision is Decision.DENY:
        return Reach.OVERREACH if outcome is PullRequestState.MERGED else None
    disowned = outcome in (PullRequestState.REJECTED, PullRequestState.REVERTED)
    return Reach.UNDERREACH if disowned else None


def totals(items: Iterable[Replayed]) -> list[Total]:
    """Changes and money by change of decision: `allow -> deny`."""
    return _summed((f"{one.before.decision} -> {one.after.decision}", one) for one in _once(items))


def reaches(items: Iterable[Replayed]) -> list[Total]:
    """Changes and money by overreach and underreach: `overreach before`, `overreach after`."""
    return _summed(
        (f"{found} {when}", one)
        for one in _once(items)
        for when, said in (("before", one.before), ("after", one.after))
        if (found := reach(said.decision, one.outcome)) is not None
    )


def manifest_changes(
    day: date, before: Iterable[Violation], after: Iterable[Violation]
) -> list[ManifestChange]:
    """What is broken by one policy alone, or by another decision than by the other."""
    was = {(*one.key, one.decision): one for one in before}
    now = {(*one.key, one.decision): one for one in after}
    told = [(now[key], "added") for key in now.keys() - was.keys()]
    told += [(was[key], "dropped") for key in was.keys() - now.keys()]
    changes = [
        ManifestChange(
            day=day,
            resource=one.resource,
            owner=one.owner,
            rule=one.rule_id,
            title=one.title,
            decision=one.decision,
            actual=one.actual,
            limit=one.limit,
            change=change,
        )
        for one, change in told
    ]
    return sorted(changes, key=lambda one: (one.resource, one.rule, one.change))


def _against(verdict: Verdict) -> set[str]:
    return {rule.id for rule in verdict.rules if rule.decision is not Decision.ALLOW}


def _once(items: Iterable[Replayed]) -> list[Replayed]:
    """Each change once, as it was proposed last: a proposal comes again until it is merged."""
    last = {one.change_key: one for one in sorted(items, key=lambda one: one.day)}
    return list(last.values())


def _summed(named: Iterable[tuple[str, Replayed]]) -> list[Total]:
    amounts: dict[tuple[str, str], list[Decimal]] = {}
    for what, one in named:
        money = one.saving_per_month
        amounts.setdefault((what, money.currency), []).append(money.mid)
    return [
        Total(what=what, currency=currency, changes=len(mids), saving_per_month=exact_sum(*mids))
        for (what, currency), mids in sorted(amounts.items())
    ]
