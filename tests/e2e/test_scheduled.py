"""Days and backfills under Dagster's own daemon, from an empty state to pull requests.

Each takes minutes; a first tick alone is in test_ui.
"""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.e2e.estate import DAYS, SEED, create, finops, git
from tests.e2e.faults import cut_in_the_middle, deliver
from tests.e2e.served import Run, Ui, browser, served, until

pytestmark = pytest.mark.conformance

ORDER = (
    *("ingest_billing", "ingest_signals", "allocate"),
    *("decide", "publish_changes", "ledger_marts"),
)
PAST = ["2026-10-13", "2026-10-14", "2026-10-15"]
MONTHS = ["2026-08-01", "2026-09-01", "2026-10-01"]
DONE = ("SUCCESS", "FAILURE", "CANCELED")


def whole_day(ui: Ui, tick: str, seconds: float = 900) -> list[Run]:
    """The runs of a tick, once they have ended."""

    def ended() -> list[Run]:
        runs = ui.runs(finops_daily=tick)
        assert all(run.status != "FAILURE" for run in runs), runs
        ended = runs and runs[-1].job == ORDER[-1] and runs[-1].status in DONE
        return runs if ended else []

    found: list[Run] = until(f"the day of {tick} has ended", ended, seconds)
    return found


def backfilled(ui: Ui, backfill: str, seconds: float = 900) -> list[Run]:
    """The runs of a backfill, once they have ended."""

    def ended() -> list[Run]:
        runs = ui.runs(dagster_backfill=backfill)
        return runs if runs and all(run.status in DONE for run in runs) else []

    until(
        "the backfill has ended",
        lambda: ui.backfill_status(backfill).startswith("COMPLETED"),
        seconds,
    )
    return ended()


def state(folder: Path) -> tuple[str, str, str]:
    """What may not change: references of the repository, pull requests, entries of the ledger."""
    pulls = finops(folder, "prs", "--json").items
    chain = finops(folder, "audit", "verify", "--json").items
    return git(folder / "gitops.git", "show-ref"), json.dumps(pulls), json.dumps(chain)


def test_days_and_backfills_under_the_daemon(tmp_path: Path) -> None:
    """A schedule is what runs this when nobody looks: a second tick that opened something again,
    or a backfill that acted on days long over, would be found by the people it was sent to."""
    folder = tmp_path / "estate"
    create(folder, SEED, DAYS)
    with served(folder, FINOPS_SCHEDULE="* * * * *") as ui:
        ui.schedule(on=True)
        until("two ticks", lambda: len(ui.ticks()) >= 2, 240)
        ui.schedule(on=False)
        first, second = (whole_day(ui, tick) for tick in ui.ticks()[:2])
        for runs in (first, second):
            jobs = [run.job for run in runs]
            # what the other tick has allocated needs no run
            assert jobs in ([*ORDER], [job for job in ORDER if job != "allocate"])
            assert {run.status for run in runs} == {"SUCCESS"}
        assert "allocate" in [run.job for run in first + second]
        # they overlap: whichever published first opened, and the other found it done
        opened = sorted(
            ui.figures("gitops/pull_requests", run.id)["opened"]
            for run in first + second
            if run.job == "publish_changes"
        )
        assert opened[0] == 0
        assert opened[1] >= 5
        for tick in ui.ticks()[2:]:
            whole_day(ui, tick)
        before = state(folder)

        runs = backfilled(ui, ui.backfill(PAST, job="decide"))
        assert [run.status for run in runs] == ["SUCCESS"] * len(PAST)
        assert state(folder) == before
        replays = {path.name: path for path in (folder / ".finops" / "replays").glob("*/*")}
        assert sorted(replays) == PAST
        for day in replays.values():
            assert json.loads((day / "publication.json").read_text())["reconstructed"] is True
            assert (day / "verdicts.json").exists()
            assert (day / "report" / "report.html").exists()
            assert not (day / "actions.json").exists()

        (run,) = backfilled(ui, ui.backfill(MONTHS, job="ingest_billing", by_asset=True))
        assert run.status == "SUCCESS"
        assert run.tags["dagster/asset_partition_range_start"] == MONTHS[0]
        assert run.tags["dagster/asset_partition_range_end"] == MONTHS[-1]
        assert state(folder) == before

        deliver(folder, cut_in_the_middle)
        (run,) = backfilled(ui, ui.backfill(MONTHS[-1:], job="ingest_billing"))
        assert run.status == "FAILURE"
        with browser(tmp_path) as chromium:
            chromium.open(f"{ui.url}/assets/landing/charges?view=checks")
            chromium.read("landing_gate", "Failed", "ends in the middle", "2026-10-01")
            chromium.screenshot(tmp_path / "failed.png")
            chromium.open(f"{ui.url}/assets/insight/forecasts?view=partitions")
            chromium.read("2026-10-22", "Materialized (4)")
            chromium.screenshot(tmp_path / "partitions.png")
        assert state(folder) == before
