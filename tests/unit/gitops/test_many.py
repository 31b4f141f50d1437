"""Five hundred proposals in one run: every limit holds, and the forge is asked no more for it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from pathlib import Path

import pytest

from finops_dagster.domain.decisions import ChangeSet, Edit
from finops_dagster.domain.money import MoneyRange
from finops_dagster.domain.pull_requests import PullRequest
from finops_dagster.gitops import dashboard
from finops_dagster.gitops.grouping import Grouping, risk_of, units_of
from finops_dagster.gitops.local.forge import LocalForge
from finops_dagster.gitops.reconcile import Rules, reconcile
from finops_dagster.gitops.room import Limits
from finops_dagster.gitops.wanted import Wanted
from tests.builders import NOW, bare_repository, deployment, proposal, verdict

COUNT = 500
FILES = {f"apps/w{number}.yaml": deployment(f"w{number}") for number in range(COUNT)}
HOUR = timedelta(hours=1)


@pytest.fixture(scope="module")
def bare(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return bare_repository(tmp_path_factory.mktemp("many"), FILES)


def wanted(head: str, count: int = COUNT) -> list[Wanted]:
    """Of seven teams and two currencies, each a little riskier and dearer than the one before."""
    found = []
    for number in range(count):
        mid = Decimal(100 + number)
        of = proposal(
            resource=f"Deployment/shop/w{number}",
            owner=f"team-{number % 7}",
            risk=0.001 + number / 50_000,
            saving_per_month=MoneyRange(
                low=mid - 10, mid=mid, high=mid + 10, currency="USD" if number % 2 else "EUR"
            ),
        )
        path = f"apps/w{number}.yaml"
        start = FILES[path].index(b"cpu: 2") + 5
        edit = Edit(file=path, start_byte=start, end_byte=start + 1, before="2", after="500m")
        change = ChangeSet(proposal_id=of.id, key=of.key, base_sha=head, edits=(edit,))
        found.append(Wanted(of, verdict(of), change))
    return found


class Counting:
    """A forge that counts what it is asked."""

    def __init__(self, forge: LocalForge) -> None:
        self._forge = forge
        self.asked: Counter[str] = Counter()

    def __getattr__(self, name: str) -> Callable[..., object]:
        def asked(*given: object, **more: object) -> object:
            self.asked[name] += 1
            return getattr(self._forge, name)(*given, **more)

        return asked


def test_limits_hold_hour_by_hour(bare: Path) -> None:
    """Harm: a first run on a large estate opens hundreds of pull requests."""
    limits = Limits(open_max=5, new_max=2, money_per_team_per_day=Decimal(1100))
    rules = Rules(dashboard=True)
    opened: list[PullRequest] = []
    for hour, expected in enumerate((2, 4, 5, 5)):
        forge = LocalForge(bare, now=NOW + hour * HOUR)
        items = wanted(forge.head("main"))
        done = reconcile(items, forge, limits, "main", True, NOW + hour * HOUR, rules=rules)
        opened = list(forge.pull_requests())
        assert len(opened) == expected
        assert len(done.opened) + len(done.unchanged) + len(done.deferred) == COUNT
    money: Counter[tuple[str, str]] = Counter()
    for one in opened:
        for member in one.members:
            money[member.owner, member.saving_per_month.currency] += int(
                member.saving_per_month.mid
            )
    assert max(money.values()) <= 1100
    issue = LocalForge(bare, now=NOW).issue(dashboard.TOPIC)
    assert issue is not None
    assert len(issue.body.encode()) <= 65_536


def test_groups_of_many_keep_to_their_limits_and_stay(tmp_path: Path) -> None:
    """Harm: a group that nobody can review, or that is dealt anew each day."""
    bare = bare_repository(tmp_path, FILES)
    rules = Rules(grouping=Grouping("team", max_lines=8, max_risk=0.03))
    limits = Limits(open_max=30, new_max=30)
    forge = LocalForge(bare, now=NOW)
    items = wanted(forge.head("main"))
    reconcile(items, forge, limits, "main", True, NOW, rules=rules)
    first = list(forge.pull_requests())
    assert len(first) == 30
    by_key = {one.proposal.change_key: one for one in items}
    for one in first:
        units, _ = units_of([by_key[member.key] for member in one.members], ())
        assert len({member.owner for member in one.members}) == 1
        assert len({member.saving_per_month.currency for member in one.members}) == 1
        assert len(units) <= 8
        assert len(units) == 1 or risk_of(units) <= 0.03
    again = reconcile(list(reversed(items)), forge, limits, "main", True, NOW + HOUR, rules=rules)
    assert (again.opened, again.updated, again.closed) == ((), (), ())
    assert list(forge.pull_requests()) == first


def test_a_forge_is_asked_no_more_for_many(tmp_path: Path) -> None:
    """Harm: each proposal costs a call, until GitHub refuses to answer."""
    bare = bare_repository(tmp_path, FILES)
    asked = []
    for count in (20, COUNT):
        forge = Counting(LocalForge(bare, now=NOW))
        items = wanted(LocalForge(bare, now=NOW).head("main"), count)
        rules = replace(Rules(), dashboard=True)
        reconcile(items, forge, Limits(open_max=0, new_max=0), "main", True, NOW, rules=rules)  # type: ignore[arg-type]
        asked.append(forge.asked)
    assert asked[0] == asked[1]
    assert sum(asked[1].values()) < 10
