"""What people decided about a change before: rejected, reverted, snoozed, merged.

It is read from the forge's own record and from the dashboard; nothing is kept here.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal, InvalidOperation

from finops_dagster.domain.pull_requests import Member, PullRequest, PullRequestState
from finops_dagster.domain.quantities import parse_quantity
from finops_dagster.gitops.dashboard import SNOOZE_DAYS, Choice, Remembered
from finops_dagster.gitops.drawing import kept
from finops_dagster.gitops.grouping import Unit
from finops_dagster.gitops.rendering import render_title
from finops_dagster.gitops.wanted import Wanted

SNOOZE_LABEL = "finops/snooze-30d"

REVERT_TOPIC = "reverted"
"""Topic of the comment that tells when a merged value was first seen set back."""

_SEEN = re.compile(r"\((\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\+00:00)\)")


@dataclass(frozen=True)
class CoolOffs:
    """How long a no holds."""

    rejected_days: int = 90
    reverted_days: int = 180
    evidence_change: float = 0.2
    """Share by which value or expected saving must differ for a rejected change to come earlier."""


@dataclass(frozen=True)
class No:
    """Why a change is not opened again."""

    reason: str
    number: int | None = None
    url: str = ""
    settled: bool = False
    """True where nothing is asked of a person: it was merged already."""


class Memory:
    """What is remembered of every change, by its change_key."""

    def __init__(
        self,
        known: Iterable[PullRequest],
        remembered: Iterable[Remembered],
        set_back: Mapping[int, datetime],
        terms: CoolOffs,
        now: datetime,
    ) -> None:
        """`set_back`: number of a merged pull request -> when its value was first seen set back."""
        self._terms = terms
        self._now = now
        self._set_back = set_back
        self._chosen = {one.key: one for one in remembered}
        self._ended: dict[str, list[tuple[PullRequest, Member]]] = defaultdict(list)
        self._unmarked: dict[str, PullRequest] = {}
        for one in known:
            for member in one.members if one.state is not PullRequestState.OPEN else ():
                self._ended[member.key].append((one, member))
            if one.state is PullRequestState.REJECTED and not one.members:
                self._unmarked[one.branch] = one

    def choice(self, unit: Unit) -> Remembered | None:
        """The newest choice on the dashboard for any proposal of the unit."""
        found = [self._chosen[key] for key in unit.keys if key in self._chosen]
        return max(found, key=lambda one: one.at, default=None)

    def asked(self, unit: Unit) -> bool:
        """Whether a person ticked it to be opened, and it is still much the same change."""
        choice = self.choice(unit)
        return (
            choice is not None
            and choice.choice is Choice.OPEN
            and self.holds(choice)
            and not self._differs(unit.lead, choice.proposed, _decimal(choice.saving_mid))
        )

    def no(self, unit: Unit) -> No | None:
        """Why a unit is not opened; None where nothing stands against it."""
        if self.asked(unit):
            return None
        choice = self.choice(unit)
        held = self._by_choice(choice, unit.lead) if choice is not None else None
        if held is not None:
            return held
        for item, key in zip(unit.items, unit.keys, strict=True):
            for pull_request, member in reversed(self._ended.get(key, [])):
                found = self._by_record(pull_request, member, item)
                if found is not None:
                    return found
                if pull_request.state in (PullRequestState.MERGED, PullRequestState.REVERTED):
                    break  # what was said before a yes no longer counts
        # whose marker was removed: a person's no is then taken as it stands
        unmarked = self._unmarked.get(unit.branch)
        return self._rejected(unmarked) if unmarked is not None else None

    def holds(self, choice: Remembered) -> bool:
        """Whether a choice on the dashboard still has to be remembered."""
        return self.until(choice) > self._now

    def until(self, choice: Remembered) -> datetime:
        """When it ends: a tick to open is one for the time that a snooze lasts."""
        rejected = choice.choice is Choice.REJECT
        return choice.at + timedelta(days=self._terms.rejected_days if rejected else SNOOZE_DAYS)

    def _by_choice(self, choice: Remembered, item: Wanted) -> No | None:
        if choice.choice is Choice.OPEN or not self.holds(choice):
            return None
        if choice.choice is Choice.SNOOZE:
            told = "snoozed"
        else:
            told = "rejected"
            if choice.proposed and self._differs(
                item, choice.proposed, _decimal(choice.saving_mid)
            ):
                return None
        return No(f"{told} on the dashboard, until {self.until(choice):%Y-%m-%d}")

    def _by_record(self, pull_request: PullRequest, member: Member, item: Wanted) -> No | None:
        number, url, ended = pull_request.number, pull_request.url, pull_request.ended_at
        state = pull_request.state
        back = self._set_back.get(number)
        if SNOOZE_LABEL in pull_request.labels and state is not PullRequestState.MERGED:
            return self._until("snoozed", SNOOZE_DAYS, ended, number, url)
        if state is PullRequestState.REJECTED:
            same = member.saving_per_month.currency == item.proposal.saving_per_month.currency
            saving = member.saving_per_month.mid if same else None
            if self._differs(item, member.after, saving):
                return None
            return self._rejected(pull_request)
        if state is PullRequestState.REVERTED or back is not None:
            since = max((one for one in (ended, back) if one is not None), default=None)
            days = self._terms.reverted_days
            return self._until("merged and set back by a person", days, since, number, url)
        if state is PullRequestState.MERGED and member.fingerprint == item.changes.fingerprint:
            return No(f"merged already for the same change, as #{number}", number, url, True)
        return None

    def snoozed(self, pull_request: PullRequest) -> No:
        """The no of one that is closed now because a person labelled it so."""
        until = self._now + timedelta(days=SNOOZE_DAYS)
        return self._no("snoozed", until, pull_request.number, pull_request.url)

    def _rejected(self, pull_request: PullRequest) -> No | None:
        days, ended = self._terms.rejected_days, pull_request.ended_at
        return self._until(
            "rejected by a person", days, ended, pull_request.number, pull_request.url
        )

    def _until(
        self, told: str, days: int, since: datetime | None, number: int, url: str
    ) -> No | None:
        """A no that ends `days` after `since`; one whose beginning no forge tells does not end."""
        if since is None:
            return No(f"{told}, as #{number}", number, url)
        until = since.astimezone(UTC) + timedelta(days=days)
        return self._no(told, until, number, url) if until > self._now else None

    def _no(self, told: str, until: datetime, number: int, url: str) -> No:
        return No(f"{told}, as #{number}; not opened again before {until:%Y-%m-%d}", number, url)

    def _differs(self, item: Wanted, value: str, saving: Decimal | None) -> bool:
        """Whether the evidence changed by the stated share since a no to this value and saving."""
        share = Decimal(repr(self._terms.evidence_change))
        proposal = item.proposal
        if kept(proposal.proposed) != value:
            old, new = _amount(value), _amount(proposal.proposed)
            if old is None or new is None or abs(new - old) >= share * abs(old):
                return True
        if saving is None or saving == 0:
            return False  # of nothing there is no share
        return abs(proposal.saving_per_month.mid - saving) >= share * abs(saving)


def set_back_now(wanted: Iterable[Wanted], known: Iterable[PullRequest]) -> dict[int, str]:
    """Number of a merged pull request -> change_key of a value of it that reads as before again.

    Only the newest merged change of a value is asked: it reads as that left it, or a person set
    it back. The wanted must have been read at a commit that holds the merge.
    """
    merged: dict[str, tuple[PullRequest, Member]] = {}
    for one in known:
        if one.state in (PullRequestState.MERGED, PullRequestState.REVERTED):
            merged.update((member.key, (one, member)) for member in one.members)
    found: dict[int, str] = {}
    for item in wanted:
        key = item.proposal.change_key
        if key in merged:
            pull_request, member = merged[key]
            if kept(item.proposal.current) == member.before != member.after:
                found[pull_request.number] = key
    return found


def seen_comment(now: datetime) -> str:
    """Tells when a merged value was first seen set back, so that the forge remembers it."""
    seen = now.astimezone(UTC).replace(microsecond=0)
    return (
        "A value that this changed reads as before again. That is taken as a revert: it is not "
        f"proposed again during the cool-off, which began now ({seen.isoformat()})."
    )


def seen_at(comment: str) -> datetime | None:
    """The time in such a comment."""
    found = _SEEN.search(comment)
    return datetime.fromisoformat(found[1]) if found else None


def remember(key: str, item: Wanted | None, choice: Choice, now: datetime) -> Remembered:
    """A choice as the dashboard keeps it; `item`: what it is for, None if not wanted today."""
    if item is None:
        return Remembered(key, "", choice, now, saving_mid="", proposed="")
    return Remembered(
        key,
        item.changes.fingerprint,
        choice,
        now,
        saving_mid=format(item.proposal.saving_per_month.mid, "f"),
        proposed=kept(item.proposal.proposed),
        title=render_title([item]),
    )


def _amount(text: str) -> Decimal | None:
    try:
        return parse_quantity(text)
    except ValueError:
        return None


def _decimal(text: str) -> Decimal | None:
    try:
        return Decimal(text)
    except InvalidOperation:
        return None
