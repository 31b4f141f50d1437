"""`finops dashboard` and `finops breaker`: a person says it, and the next run reads it there."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from finops_dagster.cli.main import app
from finops_dagster.defs.estate import Estate
from finops_dagster.gitops import breaker, dashboard
from finops_dagster.gitops.breaker import Thresholds, Trip
from finops_dagster.gitops.dashboard import Choice
from finops_dagster.settings import load
from finops_dagster.storage.audit import verify
from tests.builders import NOW, bare_repository
from tests.unit.gitops.test_dashboard import waits

TRIP = Trip("kind:rightsize_cpu", NOW, "3 of them were reverted in 14 days; 3 stop it")


@pytest.fixture
def estate(tmp_path: Path) -> Estate:
    bare = bare_repository(tmp_path, {"apps/web.yaml": b"a: 1\n"})
    (tmp_path / "bills").mkdir()
    config = tmp_path / "finops.yaml"
    config.write_text(
        "estate: small\nstart: 2026-01-01\nbilling: [{name: aws, path: bills}]\n"
        f"desired_state: {{repository: {bare}, branch: main}}\n"
    )
    return Estate(load(config))


def said(estate: Estate, *arguments: str, code: int = 0) -> Any:
    config = str(estate.settings.folder / "finops.yaml")
    done = CliRunner().invoke(app, [*arguments, "--config", config])
    assert done.exit_code == code, done.output
    return json.loads(done.stdout) if "--json" in arguments else done.output


def write(estate: Estate) -> None:
    body = dashboard.render([waits("key-0123")], [], [TRIP], NOW)
    estate.forge().write_issue(dashboard.TOPIC, "FinOps", body)


def ticked(estate: Estate) -> dashboard.Ticked:
    issue = estate.forge().issue(dashboard.TOPIC)
    assert issue is not None
    return dashboard.read(issue.body)


def test_what_waits_is_shown_and_ticked(estate: Estate) -> None:
    """Harm: who works on a local repository has no way to open, snooze or reject anything."""
    assert "no dashboard issue yet" in said(estate, "dashboard")
    write(estate)
    page = said(estate, "dashboard")
    assert "key-0123" in page
    assert "<!--" not in page
    assert "ticked; the next run does it" in said(estate, "dashboard", "tick", "key-0123", "snooze")
    assert ticked(estate).choices == {"key-0123": Choice.SNOOZE}
    (row,) = said(estate, "dashboard", "--json")["items"]
    assert row["choices"] == {"key-0123": "snooze"}
    assert "no box to open key-9" in said(estate, "dashboard", "tick", "key-9", "open", code=1)


def test_a_reset_is_ticked_told_and_kept_for_audit(estate: Estate) -> None:
    """Harm: automation starts again and nobody can say who let it, and why."""
    write(estate)
    (row,) = said(estate, "breaker", "--json")["items"]
    assert (row["scope"], row["reason"], row["reset"]) == (TRIP.scope, TRIP.reason, False)
    refused = said(estate, "breaker", "reset", "all", "--reason", "x", code=1)
    assert "no box to reset all" in refused
    said(estate, "breaker", "reset", TRIP.scope, "--reason", "the rule was mended")
    assert said(estate, "breaker", "--json")["items"][0]["reset"] is True
    (entry,) = estate.ledger.entries()
    assert (entry.kind, entry.payload["key"]) == ("human_decision", TRIP.scope)
    assert entry.payload["reason"] == "the rule was mended"
    now = ticked(estate)
    resets = dict.fromkeys(now.reset, NOW)
    assert breaker.trips([], [], Thresholds(), NOW, now.trips, resets) == ()


def test_a_stop_is_recorded_once(estate: Estate) -> None:
    """Harm: the audit does not tell that automation was stopped, or tells it with every run."""
    estate.record_trips([TRIP])
    estate.record_trips([TRIP])
    (entry,) = estate.ledger.entries("breaker")
    assert entry.payload["scope"] == TRIP.scope
    assert verify(estate.ledger).broken is None
