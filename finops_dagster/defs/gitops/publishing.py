"""Hands a day's changes to gitops with all that it asks for: settings, evidence, owners, effects.

What is opened, updated, closed and merged is decided there.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, date
from functools import cached_property

from finops_dagster.defs import rebuild
from finops_dagster.defs.estate import Estate
from finops_dagster.defs.gitops.effects import effects
from finops_dagster.defs.gitops.owners import code_owners
from finops_dagster.defs.gitops.use import uses
from finops_dagster.domain.decisions import ChangeSet, Proposal, Verdict
from finops_dagster.domain.errors import Fault, Stopped
from finops_dagster.domain.pull_requests import PullRequest
from finops_dagster.gitops import codeowners
from finops_dagster.gitops.actions import Actions
from finops_dagster.gitops.breaker import Effect, Thresholds
from finops_dagster.gitops.changes import refusal_together
from finops_dagster.gitops.grouping import Grouping
from finops_dagster.gitops.memory import CoolOffs
from finops_dagster.gitops.reconcile import Rules, reconcile
from finops_dagster.gitops.room import Freeze, Limits
from finops_dagster.gitops.wanted import Shown, Wanted
from finops_dagster.settings import Settings
from finops_dagster.settings.cron import names_hour


def publish(estate: Estate, as_of: date) -> tuple[Actions, int]:
    """What was done, or would be, for the changes of a day; and how many were wanted.

    Raises SettingsError where no desired state is named, Unavailable if the forge does not answer.
    """
    asked = _Asked(estate, as_of)
    forge = estate.forge()
    settings = estate.settings
    assert settings.desired_state is not None  # else there is no forge
    wanted = asked.wanted()
    actions = reconcile(
        wanted,
        forge,
        limits_of(estate),
        settings.desired_state.branch,
        estate.acts,
        estate.now(),
        undecided=estate.undecided(as_of),
        rules=rules_of(settings),
        effects=asked.effects,
        owners=asked.owners,
        shown=asked.shown,
        together=asked.together,
    )
    return actions, len(wanted)


def limits_of(estate: Estate) -> Limits:
    """How much may be opened now, by the settings."""
    limits, settings = estate.settings.limits, estate.settings.pull_requests
    schedule = settings.schedule
    return Limits(
        open_max=limits.open_pull_requests,
        new_max=limits.new_pull_requests,
        money_per_team_per_day=settings.money_per_team_per_day,
        scheduled=schedule is None or names_hour(schedule, estate.now().astimezone(UTC)),
        freezes=tuple(Freeze(one.first, one.last, one.reason) for one in settings.freezes),
    )


def rules_of(settings: Settings) -> Rules:
    """How changes are put together, remembered and stopped, by the settings."""
    asked = settings.pull_requests
    return Rules(
        grouping=Grouping(asked.group_by, asked.max_lines, asked.max_risk),
        cool_offs=CoolOffs(asked.cool_off_days, asked.revert_cool_off_days, asked.evidence_change),
        breaker=Thresholds(**asked.breaker.model_dump()),
        dashboard=asked.dashboard,
    )


class _Asked:
    """What gitops asks of the estate, for one day."""

    def __init__(self, estate: Estate, as_of: date) -> None:
        self._estate = estate
        self._as_of = as_of
        self._ledger = str(estate.ledger.head())

    def wanted(self) -> list[Wanted]:
        """Raises Stopped for a day that was judged before an upgrade changed what a proposal is."""
        day = self._estate.day(self._as_of)
        proposals = {one.id: one for one in day.items("proposals", Proposal)}
        verdicts = {one.subject: one for one in day.items("verdicts", Verdict)}
        planned = day.items("change_sets", ChangeSet)
        unjudged = [one for one in planned if one.proposal_id not in verdicts]
        if unjudged:
            raise Stopped(
                f"{len(unjudged)} changes of {self._as_of} have no verdict",
                (
                    Fault(
                        code="not_judged",
                        expected=f"A verdict on each proposal of {self._as_of} was expected; "
                        "an earlier version may have decided that day.",
                        hint=f"Decide it again: `finops run --as-of {self._as_of}`.",
                    ),
                ),
            )
        return [
            Wanted(proposals[one.proposal_id], verdicts[one.proposal_id], one) for one in planned
        ]

    def effects(self, known: Sequence[PullRequest]) -> Sequence[Effect]:
        reader = rebuild.reader(self._estate, self._as_of)
        window = self._estate.settings.pull_requests.breaker.window_days
        return effects(reader, known, self._as_of, window)

    def owners(self, group: Sequence[Wanted]) -> tuple[str, ...]:
        """Whom CODEOWNERS names for the files that are written, and who may approve by policy."""
        files = sorted({edit.file for one in group for edit in one.changes.edits})
        by_file = [name for file in files for name in codeowners.owners(self._codeowners, file)]
        by_policy = [name for one in group for name in one.verdict.approvers]
        return tuple(dict.fromkeys((*by_file, *by_policy)))

    @cached_property
    def _codeowners(self) -> str:
        """The file as it is on the branch now; empty where there is none."""
        index = self._estate.index(self._as_of)
        assert index is not None  # else nothing was planned
        return code_owners(self._estate, index.commit)

    def shown(self, group: Sequence[Wanted]) -> Shown:
        proposals = [one.proposal for one in group]
        return Shown(uses=uses(self._estate, self._as_of, proposals), ledger=self._ledger)

    def together(self, group: Sequence[Wanted]) -> str:
        index = self._estate.index(self._as_of)
        assert index is not None  # else nothing was planned
        return refusal_together(group, index)
