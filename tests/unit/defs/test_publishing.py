"""A day's changes handed to gitops by the settings, on an estate of one file."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from pathlib import Path

import pytest

from finops_dagster.defs import rebuild
from finops_dagster.defs.estate import Estate
from finops_dagster.defs.gitops.publishing import limits_of, publish, rules_of
from finops_dagster.domain.decisions import ChangeSet
from finops_dagster.domain.errors import Stopped
from finops_dagster.gitops import marker
from finops_dagster.gitops.breaker import Thresholds
from finops_dagster.gitops.changes import plan_change_set
from finops_dagster.gitops.grouping import Grouping
from finops_dagster.gitops.memory import CoolOffs
from finops_dagster.gitops.room import Freeze, Limits
from finops_dagster.settings import load
from tests.builders import bare_repository, deployment, git, proposal, verdict

AS_OF = date(2026, 5, 3)
"""A Sunday, decided on the Monday after."""


def estate(folder: Path, more: str = "") -> Estate:
    bare = bare_repository(
        folder, {"apps/web.yaml": deployment("web"), "CODEOWNERS": b"apps/ @acme/shop\n"}
    )
    (folder / "bills").mkdir()
    config = folder / "finops.yaml"
    config.write_text(
        "estate: small\nstart: 2026-01-01\nas_of: 2026-05-03\nact: true\n"
        "billing: [{name: aws, path: bills}]\n"
        f"desired_state: {{repository: {bare}, branch: main}}\n{more}"
    )
    return Estate(load(config))


def decided(one: Estate) -> None:
    """One proposal of the day, judged and planned."""
    of = proposal(as_of=AS_OF)
    judged = verdict(of).model_copy(update={"approvers": ("@acme/finops",)})
    index = one.index(AS_OF)
    assert index is not None
    plan = plan_change_set(of, index, ["apps/**"])
    assert isinstance(plan, ChangeSet)
    day = one.day(AS_OF)
    for name, items in (("proposals", [of]), ("verdicts", [judged]), ("change_sets", [plan])):
        day.write_items(name, items)


def test_settings_become_rules_and_limits(tmp_path: Path) -> None:
    """Harm: a key of finops.yaml is read and does nothing."""
    one = estate(
        tmp_path,
        "limits: {open_pull_requests: 4, new_pull_requests: 3}\n"
        "pull_requests:\n  group_by: kind\n  max_lines: 7\n  max_risk: 0.2\n"
        "  money_per_team_per_day: 900\n  schedule: '* 8-9 * * 1-5'\n  cool_off_days: 5\n"
        "  revert_cool_off_days: 6\n  evidence_change: 0.4\n  dashboard: false\n"
        "  freezes: [{first: 2026-05-01, last: 2026-05-02, reason: fair}]\n"
        "  breaker: {window_days: 3, changes_of_one_value: 4, reverts: 5, reverts_in_all: 6,"
        " oom_kills_ratio: 7, cost_rise: 0.8}\n",
    )
    rules = rules_of(one.settings)
    assert rules.grouping == Grouping("kind", 7, 0.2)
    assert rules.cool_offs == CoolOffs(5, 6, 0.4)
    assert rules.breaker == Thresholds(3, 4, 5, 6, 7, 0.8)
    assert rules.dashboard is False
    assert one.now().isoweekday() == 1
    freeze = Freeze(date(2026, 5, 1), date(2026, 5, 2), "fair")
    assert limits_of(one) == Limits(4, 3, Decimal(900), 8 <= one.now().hour <= 9, (freeze,))


class Empty:
    """A publication in which nothing is."""

    def frame(self, *_: object, **__: object) -> None:
        return None


@pytest.mark.parametrize("schedule", ["* * * * 1", "* * * * 0"])
def test_a_day_is_published(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, schedule: str) -> None:
    """Harm: what was decided is not opened, or comes without owners, ledger and record."""
    monkeypatch.setattr(rebuild, "reader", lambda *_: Empty())
    one = estate(tmp_path, f"pull_requests: {{schedule: '{schedule}'}}\n")
    decided(one)
    actions, wanted = publish(one, AS_OF)
    assert (actions.acted, wanted) == (True, 1)
    if schedule.endswith("0"):
        assert [one.reason for one in actions.deferred] == ["outside the hours of the schedule"]
        assert one.forge().issue("dashboard") is not None
        return
    (opened,) = one.forge().pull_requests()
    assert opened.approvers == ("@acme/shop", "@acme/finops")
    assert opened.opened_at == one.now()
    assert "@acme/shop" in marker.visible(opened.body).replace("\u200b", "")
    told = git(
        Path(one.settings.desired_state.repository), "log", "-1", "--format=%B", opened.branch
    )  # type: ignore[union-attr]
    assert "Finops-Proposal: " in told
    one.record_events(actions.events)
    assert {entry.kind for entry in one.ledger.entries()} == {"action"}
    again, _ = publish(one, AS_OF)
    assert len(again.unchanged) == 1
    one.record_events(again.events)
    assert len(list(one.ledger.entries())) == 1
    one.forge().merge(opened.number)
    merged, _ = publish(one, AS_OF)  # effects of what was merged, where nothing is published
    assert {event.what for event in merged.events} == {"merged"}


def test_a_day_that_was_judged_otherwise_is_decided_again(tmp_path: Path) -> None:
    """Harm: after an upgrade the run ends in a fault of its own, or opens what nobody judged."""
    one = estate(tmp_path)
    decided(one)
    one.day(AS_OF).write_items("verdicts", [])
    with pytest.raises(Stopped) as stopped:
        publish(one, AS_OF)
    assert stopped.value.faults[0].code == "not_judged"
    assert "finops run --as-of 2026-05-03" in stopped.value.faults[0].hint
