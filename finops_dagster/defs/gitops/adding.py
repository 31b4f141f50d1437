"""Puts one more change into a day that is decided, and has it published like any other of it.

What the change is, is the caller's; how it becomes a pull request, gitops' and policy's.
"""

from __future__ import annotations

from datetime import date

from finops_dagster.defs.decision.judging import judged
from finops_dagster.defs.estate import Estate
from finops_dagster.defs.gitops.publishing import publish
from finops_dagster.defs.insight.models.engines import proposal_of
from finops_dagster.domain.decisions import (
    Abstained,
    ChangeSet,
    Finding,
    Proposal,
    Verdict,
)
from finops_dagster.domain.errors import Fault, Stopped
from finops_dagster.gitops.actions import Actions
from finops_dagster.gitops.changes import plan_change_set


def add_change(estate: Estate, as_of: date, finding: Finding) -> tuple[Actions, Proposal]:
    """Propose, judge, plan and publish one finding beside the day's other changes.

    Again, it changes nothing. Raises Stopped where the day is not decided yet or no edit does it.
    """
    day, index = estate.day(as_of), estate.index(as_of)
    settings = estate.settings.desired_state
    if index is None or settings is None or not day.path("verdicts.json").exists():
        raise Stopped(
            f"{as_of} is not decided yet.",
            (
                Fault(
                    code="not_decided",
                    expected="A decided day was expected: the change goes beside its others.",
                    hint="`finops run` decides it.",
                ),
            ),
        )
    proposal = proposal_of(finding, as_of)
    plan = plan_change_set(proposal, index, settings.allowed_paths)
    if isinstance(plan, Abstained):
        raise Stopped(
            f"No edit of {finding.resource} does it: {plan.reason}.",
            (
                Fault(
                    code="no_edit",
                    expected=f"A value that may be edited was expected: {plan.reason}.",
                    hint="Change it by hand, or allow its file in `desired_state.allowed_paths`.",
                ),
            ),
        )
    (verdict,) = judged(estate, as_of, day, [proposal], estate.judge)
    others = [one for one in day.items("proposals", Proposal) if one.key != proposal.key]
    kept = {one.id for one in others}
    day.write_items("proposals", [*others, proposal])
    day.write_items(
        "verdicts", [*(v for v in day.items("verdicts", Verdict) if v.subject in kept), verdict]
    )
    day.write_items(
        "change_sets",
        [*(c for c in day.items("change_sets", ChangeSet) if c.proposal_id in kept), plan],
    )
    for kind, item in (("finding", finding), ("proposal", proposal), ("verdict", verdict),
                       ("change_set", plan)):  # fmt: skip
        estate.record(as_of, kind, [item])
    actions, _ = publish(estate, as_of)
    if actions.acted:
        estate.record_events(actions.events)
        estate.record_pull_requests(estate.forge().pull_requests())
    return actions, proposal
