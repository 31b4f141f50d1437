"""The steps of a plan, done on a forge one by one; each may be cut off and done again.

What the steps are is decided in planning.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import TypeVar

from finops_dagster.domain.decisions import ChangeSet, Decision
from finops_dagster.domain.errors import Stopped, Unavailable
from finops_dagster.domain.protocols import Forge
from finops_dagster.domain.pull_requests import CheckState, PullRequest, PullRequestState
from finops_dagster.gitops.actions import Action
from finops_dagster.gitops.changes import combined
from finops_dagster.gitops.drawing import draw, labels_of
from finops_dagster.gitops.escaping import prose
from finops_dagster.gitops.rendering import render_commit_message, render_title
from finops_dagster.gitops.steps import (
    AUTOCLOSED,
    AUTOMERGE_LABEL,
    REBASE_LABEL,
    Close,
    Held,
    Keep,
    Plan,
    Write,
)
from finops_dagster.gitops.wanted import Shown, Wanted

CONTEXT = "finops/policy"
"""Name of the status that a commit gets."""

_TITLE_CHARACTERS = 255

_STATUS = {
    Decision.ALLOW: (CheckState.SUCCESS, "Policy allows it."),
    Decision.NEEDS_APPROVAL: (CheckState.PENDING, "It needs a person's approval."),
    Decision.DENY: (CheckState.FAILURE, "Policy denies it."),
}

Kind = TypeVar("Kind", Close, Keep)


@dataclass
class Done:
    """What became of the steps."""

    opened: list[Action] = field(default_factory=list)
    updated: list[Action] = field(default_factory=list)
    closed: list[Action] = field(default_factory=list)
    unchanged: list[Action] = field(default_factory=list)
    deferred: list[Action] = field(default_factory=list)
    withheld: list[Action] = field(default_factory=list)
    automerged: list[Action] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    failed: list[Write] = field(default_factory=list)
    """What the forge did not let be opened."""


class Doer:
    """Does a plan, or tells what it would do.

    Where a person changed a pull request under the run, that step ends with its reason and the
    others go on. Raises Unavailable if the forge does not answer.
    """

    def __init__(
        self,
        forge: Forge,
        base_branch: str,
        now: datetime,
        owners: Callable[[Sequence[Wanted]], tuple[str, ...]],
        shown: Callable[[Sequence[Wanted]], Shown],
        *,
        act: bool,
    ) -> None:
        self._forge = forge
        self._base_branch = base_branch
        self._now = now
        self._owners = owners
        self._beside = shown
        self._act = act
        self._done = Done()
        self._to_merge: list[PullRequest] = []
        self._mute = False

    def do(self, plan: Plan) -> Done:
        """Every step in order: what is closed makes room, what is merged moves the base."""
        done = self._done
        for close in plan.closes:
            self._guarded(close, self._close, done.closed)
        for keep in plan.keeps:
            self._guarded(keep, self._keep, done.unchanged)
        for write in plan.updates:
            self._update(write)
        opened = [self._open(write) for write in plan.opens]
        self._withdraw_doubles([one for one in opened if one is not None], plan.opens)
        for held in plan.held:
            where = done.deferred if held.waits else done.withheld
            where.append(_of_held(held))
        if self._act:
            self._automerge()
        return done

    def _guarded(self, step: Kind, do: Callable[[Kind], None], told: list[Action]) -> None:
        try:
            if self._act:
                do(step)
        except Stopped as refused:
            self._done.unchanged.append(_left(step.pull_request, refused))
        else:
            told.append(action_of(step.pull_request, step.reason))

    def _close(self, step: Close) -> None:
        one, forge = step.pull_request, self._forge
        if step.denied:
            self._status(one.head_sha, Decision.DENY)
        what = "for now" if step.snoozed else "as superseded"
        forge.comment(
            one.number, "closed", f"Closed {what} on {self._now:%Y-%m-%d}: {prose(step.reason)}."
        )
        if not step.snoozed and not one.title.endswith(AUTOCLOSED):
            title = one.title[: _TITLE_CHARACTERS - len(AUTOCLOSED)] + AUTOCLOSED
            forge.update(one.model_copy(update={"title": title}))
        forge.close(one.number, PullRequestState.SUPERSEDED)

    def _keep(self, step: Keep) -> None:
        one = step.pull_request
        if not step.automerge:
            self._cancel_automerge(one)
        if step.by_person:
            stale = f" It would be closed now: {prose(step.stale)}." if step.stale else ""
            self._forge.comment(
                one.number,
                "stopped",
                "A commit that was not made automatically is on this branch: it is not updated or "
                f"closed automatically any more.{stale} The label `{REBASE_LABEL}` has it written "
                "again, without that commit.",
            )
        if step.denied:
            self._status(one.head_sha, Decision.DENY)
        elif not step.left_alone:
            self._status(one.head_sha, one.verdict)
            if step.automerge:
                self._to_merge.append(one)

    def _update(self, step: Write) -> None:
        one = step.pull_request
        assert one is not None
        others = [
            label
            for label in one.labels
            if label != REBASE_LABEL and (step.automerge or label != AUTOMERGE_LABEL)
        ]
        shown = self._shown(step.group)
        drawn = draw(step.group, one.key, one.branch, shown, one.opened_at or self._now)
        drawn = drawn.model_copy(
            update={
                "number": one.number,
                "url": one.url,
                "labels": labels_of(step.group, others),
            }
        )
        if not self._act:
            self._done.updated.append(action_of(drawn, step.reason))
            return
        try:
            if not step.automerge:
                self._cancel_automerge(one)
            # Without a written head the branch counts as ours: a run that is killed between the
            # two writes below must not take its own commit for a person's.
            self._forge.update(one.model_copy(update={"head_sha": ""}))
            head = self._write(drawn, step.group, shown)
            written = self._forge.update(drawn.model_copy(update={"head_sha": head}))
            self._status(head, written.verdict)
        except Stopped as refused:
            self._done.unchanged.append(_left(one, refused))
            return
        self._done.updated.append(action_of(written, step.reason))
        if step.automerge:
            self._to_merge.append(written)

    def _open(self, step: Write) -> PullRequest | None:
        shown = self._shown(step.group)
        drawn = draw(step.group, step.key, step.branch, shown, self._now)
        if not self._act:
            self._done.opened.append(action_of(drawn, "would be opened"))
            return None
        try:
            head = self._write(drawn, step.group, shown)
            opened = self._forge.open(drawn.model_copy(update={"head_sha": head}))
            self._status(head, opened.verdict)
        except Stopped as refused:
            self._done.deferred.append(action_of(drawn, refused.message))
            self._done.failed.append(step)
            return None
        self._done.opened.append(action_of(opened, "opened"))
        if step.automerge:
            self._to_merge.append(opened)
        return opened

    def _shown(self, group: Sequence[Wanted]) -> Shown:
        return replace(self._beside(group), owners=self._owners(group))

    def _write(self, drawn: PullRequest, group: Sequence[Wanted], shown: Shown) -> str:
        changes: ChangeSet = combined(drawn.key, [one.changes for one in group])
        message = render_commit_message(group, shown)
        return self._forge.write_branch(drawn.branch, drawn.base_sha, changes, message)

    def _withdraw_doubles(self, opened: Sequence[PullRequest], steps: Sequence[Write]) -> None:
        """Of two runs that opened the same at once, the one with the higher number gives way."""
        if not opened:
            return
        first: dict[str, PullRequest] = {}
        for one in self._forge.pull_requests(PullRequestState.OPEN):
            first.setdefault(one.key, one)
        for one in opened:
            other = first.get(one.key, one)
            if other.number >= one.number:
                continue
            reason = f"the same change is open as #{other.number}"
            with suppress(Stopped):
                self._close(Close(one, reason))
            if other.branch == one.branch:
                # closing deleted the branch of both
                group = next(step.group for step in steps if step.key == one.key)
                self._write(one, group, self._shown(group))
            self._done.opened = [done for done in self._done.opened if done.number != one.number]
            self._done.closed.append(action_of(one, reason))
            self._to_merge = [kept for kept in self._to_merge if kept.number != one.number]

    def _automerge(self) -> None:
        """Hand one pull request to the forge to merge: then the base moves, and all is new."""
        waiting = [one for one in self._to_merge if AUTOMERGE_LABEL not in one.labels]
        if not waiting:
            return
        protection = self._forge.protection(self._base_branch)
        if not protection.holds:
            why = protection.reason or "nothing is asked before a merge"
            self._done.notes.append(
                f"{len(waiting)} could be merged automatically, but {self._base_branch} is not "
                f"protected: {why}"
            )
            return
        for one in waiting:
            try:
                merged = self._forge.automerge(one.number)
                self._forge.label(one.number, add=[AUTOMERGE_LABEL])
            except Stopped as refused:
                self._done.notes.append(f"#{one.number} is not merged: {refused.message}")
                continue
            now = merged.state is PullRequestState.MERGED
            reason = "merged" if now else "merged by the forge once its protection is satisfied"
            self._done.automerged.append(action_of(merged, reason))
            return

    def _cancel_automerge(self, one: PullRequest) -> None:
        """Take back a merge that was asked for while policy, the breaker or a freeze allowed it."""
        if AUTOMERGE_LABEL in one.labels:
            self._forge.cancel_automerge(one.number)
            self._forge.label(one.number, remove=[AUTOMERGE_LABEL])

    def _status(self, commit: str, decision: Decision) -> None:
        """Say it of the commit; a token that may not does not hold up the pull requests."""
        if self._mute:
            return
        state, told = _STATUS[decision]
        try:
            self._forge.set_status(commit, CONTEXT, state, told)
        except Unavailable as error:
            self._mute = True
            self._done.notes.append(f"no status was written: {error.message}")


def action_of(pull_request: PullRequest, reason: str) -> Action:
    """One pull request and what became of it."""
    return Action(
        pull_request.key,
        pull_request.resource,
        pull_request.title,
        reason,
        pull_request.number or None,
        pull_request.url,
    )


def _left(one: PullRequest, refused: Stopped) -> Action:
    return action_of(one, f"it changed under the run, left to the next: {refused.message}")


def _of_held(held: Held) -> Action:
    proposal = held.unit.lead.proposal
    title = render_title(held.unit.items)
    return Action(held.unit.keys[0], proposal.resource, title, held.reason, held.number, held.url)
