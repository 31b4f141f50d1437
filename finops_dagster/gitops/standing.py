"""What is asked of each open pull request: may it be touched, and does it still say what is so?

Whether its changes are still wanted is asked in planning.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence

from finops_dagster.domain.pull_requests import PullRequest
from finops_dagster.gitops import marker
from finops_dagster.gitops.memory import SNOOZE_LABEL
from finops_dagster.gitops.steps import AUTOCLOSED, REBASE_LABEL, STOP_LABEL, Keep
from finops_dagster.gitops.wanted import Wanted, decision_of, fingerprint_of, rules_of, rung_of


def left_alone(
    one: PullRequest, wanted: Collection[str], undecided: Collection[str]
) -> Keep | None:
    """Why an open pull request is not touched, whatever is wanted; None where it may be.

    `wanted`: change_keys; `undecided`: resources that could not be judged today.
    """
    if STOP_LABEL in one.labels:
        return Keep(one, f"left alone while it has the label {STOP_LABEL}", left_alone=True)
    if SNOOZE_LABEL in one.labels:
        return None
    if any(member.key not in wanted and member.resource in undecided for member in one.members):
        reason = "the resource could not be judged today; left as it is"
        return Keep(one, reason, left_alone=True)
    if REBASE_LABEL in one.labels:
        return None
    known = marker.read(one.body)
    if known is None:
        reason = f"its marker was removed by a person; left alone until labelled {REBASE_LABEL}"
        return Keep(one, reason, left_alone=True)
    if known.written_head not in ("", one.head_sha):
        reason = "a person committed to its branch; left alone"
        return Keep(one, reason, by_person=True, left_alone=True)
    return None


def why_write(
    one: PullRequest,
    items: Sequence[Wanted],
    approvers: Sequence[str],
    conflicting: Collection[int],
) -> str:
    """Why an open pull request is written again; empty where it says what is so.

    `approvers`: who is named today as who must approve; `conflicting`: numbers of those that do
    not merge.
    """
    before = {member.key for member in one.members}
    now = {item.proposal.change_key for item in items}
    decision, rung = decision_of(items), rung_of(items)
    if REBASE_LABEL in one.labels:
        return f"written again, as the label {REBASE_LABEL} asks"
    if before != now:
        return f"{len(now - before)} changes joined, {len(before - now)} left"
    if one.fingerprint != fingerprint_of(items):
        return "the recommendation changed"
    if one.verdict is not decision:
        return f"the verdict changed to {decision.value}"
    if set(one.rules) != set(rules_of(items)):
        return "other rules speak now"
    if one.rung is not rung:
        return f"the rung changed to {rung.value}"
    if one.approvers != tuple(approvers):
        return "who must approve it changed"
    if one.title.endswith(AUTOCLOSED):
        return "it is wanted again"
    if one.number in conflicting:
        return "written again on the newest commit, with which it conflicted"
    return ""
