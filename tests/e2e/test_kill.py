"""A run that is killed leaves nothing half done that the next run does not put right."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from finops_dagster.gitops.local.forge import LocalForge
from finops_dagster.settings import load
from finops_dagster.storage.files import Layout
from finops_dagster.storage.lake import Lake
from finops_dagster.storage.ledger import Ledger
from finops_dagster.storage.publication import PublicationStore
from tests.e2e.estate import AGAIN, DAYS, SEED, World, create, finops, git, process
from tests.e2e.faults import Kill, killed

pytestmark = pytest.mark.conformance

KILLS = {
    "in a file of landing": Kill("os", "fsync", 3),
    "between rows and record of a delivery": Kill("finops_dagster.storage.lake", "write_json", 4),
    "with candidates exported": Kill(
        "finops_dagster.storage.publication", "PublicationStore.keep_candidates"
    ),
    "just before a publication is in force": Kill(
        "finops_dagster.storage.publication", "write_json", ending="current.json"
    ),
    "in the ledger": Kill("finops_dagster.storage.ledger", "Ledger.append", 2),
    "between branch and pull request": Kill(
        "finops_dagster.gitops.local.forge", "LocalForge.open", 3
    ),
}
THREE = (
    "between rows and record of a delivery",
    "just before a publication is in force",
    "between branch and pull request",
)


def state(estate: Path) -> dict[str, Any]:
    """All that a run leaves, apart from the times at which it did."""
    layout = Layout(estate / ".finops")
    manifest = PublicationStore(layout.published).current()
    assert manifest is not None
    repository = estate / "gitops.git"
    forge = LocalForge(repository, now=manifest.known_at)
    settings = load(estate / "finops.yaml")
    tables = ("charges", "measurements", "intensities", "predictions", "labels")
    day = layout.insight(settings.decided_day())
    return {
        "landed": [one for table in tables for one in Lake(layout).records(table)],
        "rows": sorted(
            str(path.relative_to(layout.root))
            for name in (layout.landing, layout.quarantine)
            for path in name.rglob("*.parquet")
        ),
        "versions": manifest.versions,
        "manifests": [path.name for path in sorted((layout.published / "manifests").iterdir())],
        "verdicts": (day / "verdicts.json").read_text("utf-8"),
        "ledger": [(one.kind, _unplaced(one.payload)) for one in Ledger(layout.ledger).entries()],
        "pull requests": [
            one.model_copy(update={"url": ""}).model_dump() for one in forge.pull_requests()
        ],
        "branches": git(repository, "for-each-ref", "refs/heads"),
    }


def _unplaced(payload: dict[str, Any]) -> dict[str, Any]:
    """Without the folder that a pull request's address starts with."""
    return {**payload, "url": payload.get("url", "").rpartition("/")[2]}


def live_through(estate: Path, kills: tuple[str, ...]) -> dict[str, Any]:
    """Run, be killed at each of these points in turn, and run to the end."""
    create(estate, SEED, DAYS)
    current = estate / ".finops" / "published" / "current.json"
    for name in kills:
        before = current.read_bytes() if current.exists() else None
        assert killed(estate, KILLS[name], "run").code == -9, name
        if "publication" in name:
            after = current.read_bytes() if current.exists() else None
            assert after == before
    done = finops(estate, "run", "--json")
    assert done.code == 0, done.out + done.err
    assert finops(estate, "audit", "verify").code == 0
    assert finops(estate, "ledger", "conserve").code == 0
    return state(estate)


def test_killed_while_it_opens_the_next_run_opens_the_rest_once(
    world: World, another_estate: Callable[..., Path]
) -> None:
    """Harm: a branch without its pull request, or two pull requests for one change."""
    estate = another_estate()
    repository = estate / "gitops.git"
    shutil.rmtree(repository)
    git(estate, "clone", "-q", "--bare", "--single-branch", str(world.repository), "gitops.git")
    last_job = [sys.executable, "-c", AGAIN, str(estate / "finops.yaml")]
    kill = KILLS["between branch and pull request"]
    assert killed(estate, kill, *last_job[3:], script=AGAIN).code == -9
    half = [git(repository, "for-each-ref", "refs/heads").count("finops/"), len(opened(estate))]
    assert half == [kill.at, kill.at - 1]
    done = process(last_job, estate)
    assert done.code == 0, done.err
    assert opened(estate) == opened(world.folder)
    assert state(estate)["branches"] == state(world.folder)["branches"]


def opened(estate: Path) -> list[dict[str, Any]]:
    pulls: list[dict[str, Any]] = state(estate)["pull requests"]
    return pulls


@pytest.mark.conformance
def test_killed_three_times_a_run_ends_as_if_it_never_was(world: World, tmp_path: Path) -> None:
    """Harm: a machine that is switched off leaves half a bill in force, rows counted twice, a
    branch without its pull request, or two pull requests for one change.
    """
    estate = tmp_path / "killed"
    assert live_through(estate, THREE) == state(world.folder)
    with dg.DagsterInstance.from_config(str(estate / ".finops" / "dagster")) as instance:
        ended = {run.status for run in instance.get_runs()}
        assert ended == {dg.DagsterRunStatus.SUCCESS, dg.DagsterRunStatus.FAILURE}
        for pool in ("warehouse", "forge"):
            held = instance.event_log_storage.get_concurrency_info(pool)
            assert not held.claimed_slots


@pytest.mark.conformance
@pytest.mark.parametrize("name", KILLS)
def test_killed_once_anywhere_a_run_ends_as_if_it_never_was(
    name: str, world: World, tmp_path: Path
) -> None:
    """Harm: one unlucky instant is not mended by the next run."""
    assert live_through(tmp_path / "killed", (name,)) == state(world.folder)


def test_a_state_that_lacks_something_is_another(another_estate: Callable[..., Path]) -> None:
    """Harm: the comparison above sees no difference because it looks at nothing."""
    estate = another_estate()
    whole = state(estate)
    assert state(estate) == whole
    assert all(whole.values())
    (estate / ".finops" / "ledger" / "chain.jsonl").unlink()
    git(estate / "gitops.git", "branch", "finops/left-over", "main")
    now = state(estate)
    assert {name for name in whole if whole[name] != now[name]} == {"ledger", "branches"}
