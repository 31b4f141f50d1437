"""`make ui` as a person meets it: pages in a real browser, links that open, a daemon that works.

Whole days under the daemon are in test_scheduled.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import dagster as dg
import pytest

from finops_dagster.definitions import build_defs
from finops_dagster.settings import load
from tests.builders import free_port
from tests.e2e.estate import World, finops, git
from tests.e2e.served import Browser, Ui, browser, served, until

STAGES = ("landing", "warehouse", "publication", "insight", "decision", "gitops")


@pytest.fixture(scope="module")
def ui(world: World, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ui]:
    """The UI of a copy of the shared estate, whose cron is each minute and still off."""
    folder = tmp_path_factory.mktemp("ui") / "estate"
    shutil.copytree(world.folder, folder)
    with served(folder, FINOPS_SCHEDULE="* * * * *") as one:
        yield one


@pytest.fixture(scope="module")
def chromium(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    with browser(tmp_path_factory.mktemp("browser")) as one:
        yield one


@pytest.mark.browser
@pytest.mark.slow
def test_a_person_finds_the_way_from_the_graph_to_the_report(
    ui: Ui, chromium: Browser, tmp_path: Path
) -> None:
    """A graph without stages, a plot that is not drawn or a link that no browser opens: what was
    decided would be there, and nobody could see why."""
    chromium.open(f"{ui.url}/asset-groups")
    text = chromium.read(*STAGES)
    assert "Join the Dagster community" not in text
    chromium.screenshot(tmp_path / "graph.png")

    chromium.open(f"{ui.url}/assets/insight/forecasts")
    text = chromium.read("Row count", "backtest", "Columns", "XGBoost")
    assert "file://" not in text
    chromium.click("[Show Markdown]")
    until(
        "the plot is drawn",
        lambda: chromium.script(
            "return [...document.images].some(i => i.alt === 'plot' && i.naturalWidth > 300)"
        ),
        30,
    )
    chromium.screenshot(tmp_path / "plot.png")

    chromium.open(f"{ui.url}/assets/decision/report")
    chromium.read("/pages/reports/")
    href = chromium.script(
        "return [...document.links].map(a => a.href).find(h => h.includes('/pages/reports/'))"
    )
    chromium.open(href)
    chromium.read("Spend and forecast", "Proposals")
    chromium.screenshot(tmp_path / "report.png")


@pytest.mark.slow
def test_pages_cannot_act_and_nothing_else_is_served(ui: Ui) -> None:
    """A tag on a bill is text from outside: its script must not drive the UI that shows it; and
    who can see the pages must not read the rest of the disk."""
    page = next((ui.folder / ".finops" / "reports").glob("*/report.html"))
    shown = page.relative_to(ui.folder / ".finops").as_posix()
    status, text, headers = ui.get(f"/pages/{shown}")
    assert status == 200
    assert "<html" in text
    policy = {name.lower(): value for name, value in headers.items()}["content-security-policy"]
    assert policy.startswith("sandbox")
    assert "allow-same-origin" not in policy
    outside = (
        "dagster/dagster.yaml", "..%2f..%2ftruth.json", "reports/..%2f..%2ftruth.json",
        "reports/%2e%2e/dagster/dagster.yaml", "reports", "%2fetc%2fhostname", "reports/none.html",
    )  # fmt: skip
    for asked in outside:
        assert ui.get(f"/pages/{asked}")[0] == 404, asked


@pytest.mark.slow
def test_every_check_was_told_of_every_partition(ui: Ui) -> None:
    """A check that looks skipped in the months of a range would be read as never made."""
    for path in (["landing", "charges"], ["publication", "billing_candidates"]):
        (node,) = ui.ask(
            "query($k: [AssetKeyInput!]){assetNodes(assetKeys: $k){partitionStats{numMaterialized}"
            "assetChecksOrError{... on AssetChecks{checks{name partitionStatuses{"
            "... on AssetCheckTimePartitionStatuses{ranges{status startKey endKey}}}}}}}}",
            k=[{"path": path}],
        )["assetNodes"]
        assert node["partitionStats"]["numMaterialized"] >= 5
        (check,) = node["assetChecksOrError"]["checks"]
        (told,) = check["partitionStatuses"]["ranges"]
        assert told["status"] == "SUCCEEDED"
        assert (told["startKey"], told["endKey"]) == ("2026-06-01", "2026-10-01")


@pytest.mark.slow
def test_a_tick_starts_a_day_and_the_sensor_hands_it_on(ui: Ui) -> None:
    """A schedule that starts nothing, or a day that stops after its bills, is seen weeks late."""
    ui.schedule(on=True)
    tick = until("a tick", lambda: (ui.ticks() or [""])[0], 150)
    ui.schedule(on=False)
    until(
        "the bills of the day are in, and its signals are asked for",
        lambda: (
            [run.job for run in ui.runs(finops_daily=tick)][:2]
            == ["ingest_billing", "ingest_signals"]
        ),
        240,
    )
    first = ui.runs(finops_daily=tick)[0]
    assert first.status == "SUCCESS"
    assert first.tags["dagster/asset_partition_range_start"] == "2026-10-01"


def test_without_act_it_only_lists(another_estate: Callable[..., Path]) -> None:
    """Someone who looks at the last asset of the graph must be able to press its button."""
    folder = another_estate()
    repository = folder / "gitops.git"
    for ref in git(repository, "for-each-ref", "--format=%(refname)").split():
        if ref != "refs/heads/main":
            git(repository, "update-ref", "-d", ref)
    refs = git(repository, "show-ref")
    settings = load(folder / "finops.yaml").model_copy(update={"act": False})
    job = build_defs(settings).resolve_job_def("publish_changes")
    with dg.DagsterInstance.ephemeral() as instance:
        result = job.execute_in_process(instance=instance)
    (shown,) = [
        event.materialization.metadata
        for event in result.get_asset_materialization_events()
        if event.asset_key == dg.AssetKey(["gitops", "pull_requests"])
    ]
    assert shown["acted"].value is False
    assert shown["opened"].value >= 5
    assert git(repository, "show-ref") == refs


def test_a_port_in_use_is_told_in_one_line(world: World) -> None:
    """Two UIs on one port: the second would fail somewhere in the log of a child."""
    import socket

    port = free_port()
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", port))
        taken.listen()
        answer = finops(world.folder, "ui", "--port", str(port))
    assert answer.code == 2
    assert f"Port {port}" in answer.err
