"""How much may be opened now: limits, money, hours and freezes, counted from the forge's record.

What comes first, and what a person said no to, is decided elsewhere.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal

from finops_dagster.domain.money import MoneyRange
from finops_dagster.domain.pull_requests import PullRequest, PullRequestState
from finops_dagster.gitops.drawing import kept
from finops_dagster.gitops.grouping import Unit


@dataclass(frozen=True)
class Freeze:
    """Days on which nothing is opened or merged automatically, both ends included."""

    first: date
    last: date
    reason: str


@dataclass(frozen=True)
class Limits:
    """How many pull requests may be open at once and be opened in an hour, and when."""

    open_max: int
    new_max: int
    """Opened in one UTC clock hour of the runs' clock."""
    money_per_team_per_day: Decimal | None = None
    """Expected saving or cost a month of what is opened for one team on a UTC day, per currency."""
    scheduled: bool = True
    """False in an hour that the schedule does not name."""
    freezes: tuple[Freeze, ...] = ()


class Room:
    """What is left of the limits; what is opened in the run is taken from it."""

    def __init__(self, limits: Limits, known: Sequence[PullRequest], now: datetime) -> None:
        """`known`: every pull request on the forge, whatever became of it; `now`: run's clock."""
        now = now.astimezone(UTC)
        self._limits = limits
        self._open = sum(one.state is PullRequestState.OPEN for one in known)
        self._in_hour = 0
        self._money: dict[tuple[str, str], Decimal] = defaultdict(Decimal)
        self.frozen = next(
            (
                f"frozen until {one.last.isoformat()}: {one.reason}"
                for one in limits.freezes
                if one.first <= now.date() <= one.last
            ),
            "",
        )
        hour = now.replace(minute=0, second=0, microsecond=0)
        for one in known:
            if one.opened_at is None:
                continue
            opened = one.opened_at.astimezone(UTC)
            self._in_hour += opened.replace(minute=0, second=0, microsecond=0) == hour
            if opened.date() == now.date():
                self._add((member.owner, member.saving_per_month) for member in one.members)

    def why_not_now(self, *, asked: bool) -> str:
        """Why nothing may be opened at this time; `asked`: a person ticked it."""
        if self.frozen:
            return self.frozen
        if not (self._limits.scheduled or asked):
            return "outside the hours of the schedule"
        return ""

    def why_too_much(self, unit: Unit, *, asked: bool) -> str:
        """Why its money is too much for the team's day."""
        limit = self._limits.money_per_team_per_day
        if limit is None or asked:
            return ""
        for key, amount in _sums(_stakes(unit)).items():
            taken = self._money[key]
            if taken + amount > limit:
                team, currency = key
                alone = " by itself" if amount > limit else ""
                return (
                    f"{amount:,.2f} {currency} a month{alone} is more than is left of "
                    f"{limit:,.2f} {currency} for {team or 'no team'} today"
                )
        return ""

    def why_no_new(self, *, asked: bool) -> str:
        """Why one pull request more is too many."""
        if self._open >= self._limits.open_max:
            return f"{self._open} pull requests are open, the limit"
        if self._in_hour >= self._limits.new_max and not asked:
            return f"{self._in_hour} were opened in this hour, the limit"
        return ""

    def freed(self) -> None:
        """One that was open is closed."""
        self._open -= 1

    def opened(self) -> None:
        """One more is open."""
        self._open += 1
        self._in_hour += 1

    def take(self, unit: Unit) -> None:
        """A change is put into what is opened."""
        self._add(_stakes(unit))

    def _add(self, stakes: Iterable[tuple[str, MoneyRange]]) -> None:
        for key, amount in _sums(stakes).items():
            self._money[key] += amount


def _stakes(unit: Unit) -> list[tuple[str, MoneyRange]]:
    return [(kept(one.proposal.owner), one.proposal.saving_per_month) for one in unit.items]


def _sums(stakes: Iterable[tuple[str, MoneyRange]]) -> dict[tuple[str, str], Decimal]:
    """(team, currency) -> money at stake: what is saved, or what it costs more."""
    found: dict[tuple[str, str], Decimal] = defaultdict(Decimal)
    for team, saving in stakes:
        found[team, saving.currency] += abs(saving.mid)
    return found
