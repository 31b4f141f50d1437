"""Has policy judge the proposals of a day in the context of that day, now or later.

What the context holds is told in `context`; what a policy would have said else in `policy.replay`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Any, Protocol

from finops_dagster.defs import rebuild
from finops_dagster.defs.decision.context import judge_all
from finops_dagster.defs.decision.knowledge import known_on
from finops_dagster.defs.estate import Estate
from finops_dagster.domain.decisions import Abstained, Proposal, Verdict
from finops_dagster.domain.periods import days
from finops_dagster.domain.pull_requests import PullRequest
from finops_dagster.policy.replay import (
    ManifestChange,
    Replayed,
    manifest_changes,
    pull_request_of,
    replayed,
)
from finops_dagster.policy.violations import DocumentJudge, Judging, declared_all
from finops_dagster.storage.days import DayStore


class Judge(DocumentJudge, Protocol):
    """Something that gives a verdict on a proposal, and on an input document."""

    def judge(self, proposal: Proposal, context: Mapping[str, Any]) -> Verdict: ...


def judged(
    estate: Estate, as_of: date, day: DayStore, made: Sequence[Proposal], judge: Judge
) -> list[Verdict]:
    """Verdicts on the proposals of a kept day, in the context it was decided in."""
    known = known_on(estate, as_of, day, rebuild.reader(estate, as_of, day))
    return judge_all(judge, made, known)


@dataclass
class History:
    """What two policies say of the days kept."""

    items: list[Replayed] = field(default_factory=list)
    manifests: list[ManifestChange] = field(default_factory=list)
    abstained: list[Abstained] = field(default_factory=list)


def replay(
    estate: Estate,
    first: date,
    last: date,
    other: Judge | None,
    every_manifest: bool,
    progress: Callable[[str], None],
) -> History:
    """Judge what was proposed in [first, last], and declared, by two policies.

    With `other` that is the policy in force and `other`; without, what was decided then and the
    policy in force. Of what is declared, each day or only the last is judged; without `other`
    there is nothing to hold it against. Nothing is written. A day that was not decided, or whose
    context cannot be rebuilt, is told with the reason. Raises Unavailable where a judge is one.
    """
    history = History()
    pull_requests = _pull_requests(estate)
    before, after = Judging(estate.judge), Judging(other) if other is not None else None
    for as_of in days(first, last):
        progress(f"{as_of}")
        _proposals(estate, as_of, other, pull_requests, history)
        if after is not None and (every_manifest or as_of == last):
            _manifests(estate, as_of, before, after, history)
    return history


def _proposals(
    estate: Estate,
    as_of: date,
    other: Judge | None,
    pull_requests: Sequence[PullRequest],
    history: History,
) -> None:
    day = estate.decided(as_of)
    if day is None:
        reason = "it was not decided, or its verdicts are not kept"
        history.abstained.append(Abstained(subject=as_of.isoformat(), reason=reason))
        return
    made = day.items("proposals", Proposal)
    kept = {one.subject: one for one in day.items("verdicts", Verdict)}
    if not made:
        return
    try:
        in_force = judged(estate, as_of, day, made, estate.judge)
        others = judged(estate, as_of, day, made, other) if other is not None else None
    except KeyError as error:
        reason = f"the publication it was decided on is not kept: {error}"
        history.abstained.append(Abstained(subject=as_of.isoformat(), reason=reason))
        return
    for place, one in enumerate(made):
        decided, now = kept.get(one.id), in_force[place]
        was = now if others is not None else decided
        if was is None:
            reason = "what was decided of it is not kept"
            subject = f"{as_of} {one.resource} {one.field}"
            history.abstained.append(Abstained(subject=subject, reason=reason))
            continue
        then = others[place] if others is not None else now
        pull_request = pull_request_of(one, as_of, pull_requests)
        history.items.append(replayed(as_of, one, decided, was, then, pull_request))


def _manifests(
    estate: Estate, as_of: date, before: Judging, after: Judging, history: History
) -> None:
    known, unread = declared_all(estate.declared(as_of))
    was, now = before.judge(known), after.judge(known)
    told = {one.subject: one for one in (*unread, *was.abstained, *now.abstained)}
    history.abstained += [
        one.model_copy(update={"subject": f"{as_of} {subject}"}) for subject, one in told.items()
    ]
    history.manifests += manifest_changes(as_of, was.violations, now.violations)


def _pull_requests(estate: Estate) -> list[PullRequest]:
    """Every pull request in the state it is in by the ledger, one for each number."""
    newest: dict[int, PullRequest] = {}
    for entry in estate.ledger.entries("pull_request"):
        one = PullRequest.model_validate(entry.payload)
        newest[one.number] = one
    return list(newest.values())
