"""The estate as a whole: the same for a seed, and never replaced by accident."""

from __future__ import annotations

import json
import shutil
from datetime import timedelta
from pathlib import Path

import pytest

from finops_dagster.cli.common import DEMO_DAYS
from finops_dagster.demo import advance, create
from finops_dagster.demo.estate import MAX_DAYS, STATE
from finops_dagster.demo.plan import build
from finops_dagster.demo.reader import read_main
from finops_dagster.demo.seasons import AS_OF
from finops_dagster.domain.errors import Stopped
from finops_dagster.settings import load

from .conftest import DAYS, SEED, digests


def test_the_same_seed_gives_the_same_bytes(estate: Path, tmp_path: Path) -> None:
    """A benchmark on an estate that differs from run to run measures nothing."""
    create(tmp_path / "again", SEED, DAYS)
    assert digests(tmp_path / "again") == digests(estate)


def test_another_seed_gives_another_estate() -> None:
    """Numbers that hold on one estate only would pass for general ones."""
    ours, other = build(7), build(8)
    assert [w.resource for w in ours.workloads] == [w.resource for w in other.workloads]
    assert sum(
        a.truth.cpu_ratio >= 1.5 != b.truth.cpu_ratio >= 1.5
        for a, b in zip(ours.workloads, other.workloads, strict=True)
    )
    assert [w.declared for w in ours.workloads] != [w.declared for w in other.workloads]


def test_creating_again_changes_nothing(estate: Path) -> None:
    """A second run would throw away pull requests that people merged."""
    before = {path: path.stat().st_mtime_ns for path in estate.rglob("*")}
    summary = create(estate, SEED, DAYS)
    assert not summary.created
    assert {path: path.stat().st_mtime_ns for path in estate.rglob("*")} == before


def test_another_stamp_rebuilds(estate: Path, tmp_path: Path) -> None:
    """An estate of another seed under the old name would be judged by the wrong truth."""
    out = tmp_path / "estate"
    shutil.copytree(estate, out)
    summary = create(out, SEED + 1, DAYS)
    assert summary.created and summary.seed == SEED + 1
    assert digests(out) != digests(estate)


def test_an_interrupted_estate_is_built_again(estate: Path, tmp_path: Path) -> None:
    """Half an estate that passes for a whole one would be decided on."""
    out = tmp_path / "estate"
    shutil.copytree(estate, out)
    state = json.loads((out / STATE).read_text())
    (out / STATE).write_text(json.dumps({"stamp": state["stamp"], "complete": False}))
    shutil.rmtree(out / "exports" / "gcp")
    create(out, SEED, DAYS)
    assert digests(out) == digests(estate)


def test_other_peoples_files_are_left_alone(tmp_path: Path) -> None:
    """`--out` on a folder with someone's work in it would delete that work."""
    (tmp_path / "thesis.txt").write_text("three years")
    with pytest.raises(Stopped, match="not a demo estate"):
        create(tmp_path, SEED, DAYS)
    assert (tmp_path / "thesis.txt").read_text() == "three years"


@pytest.mark.parametrize("days", [0, 20, MAX_DAYS + 1])
def test_days_out_of_bounds_are_refused(tmp_path: Path, days: int) -> None:
    """An estate without a closed month has nothing to judge by."""
    with pytest.raises(Stopped, match="days must be"):
        create(tmp_path / "estate", SEED, days)


def test_advancing_what_is_no_estate_is_refused(tmp_path: Path) -> None:
    """Days must not be added to a folder the demo did not make."""
    with pytest.raises(Stopped, match="not a demo estate"):
        advance(tmp_path, 1)


def test_its_settings_are_valid(estate: Path) -> None:
    """The first thing a newcomer runs would end in a settings error."""
    settings = load(estate / "finops.yaml")
    assert settings.as_of == AS_OF
    assert settings.act
    assert settings.desired_state is not None
    assert settings.desired_state.allowed_paths
    assert len(settings.models) == 3
    for source in (*settings.billing, *settings.telemetry, *settings.carbon, *settings.labels):
        assert source.path.exists()


@pytest.mark.parametrize("seed", [7, 8])
def test_main_declares_what_the_plan_says(seed: int, estate: Path, tmp_path: Path) -> None:
    """What is written and what is read of it would drift apart, and merges be seen in neither."""
    from finops_dagster.demo.repository import write_repository

    plan = build(seed)
    write_repository(tmp_path / "gitops.git", plan)
    declared = read_main(tmp_path / "gitops.git", plan)
    assert declared.workloads == {
        w.resource: w.declared for w in plan.workloads if w.resource in declared.workloads
    }
    assert len(declared.workloads) == len(plan.workloads) - 1, "all but the shadow workload"
    assert declared.claims == {c.resource: c.size_gib for c in plan.claims}


def test_truth_tells_every_kind(estate: Path) -> None:
    """A kind of waste that the estate does not hold can be neither found nor missed."""
    truth = json.loads((estate / "truth.json").read_text())
    kinds = {item["kind"] for item in truth}
    assert kinds >= {
        "rightsize_cpu",
        "rightsize_memory",
        "underprovisioned_cpu",
        "underprovisioned_memory",
        "idle_workload",
        "idle_gpu",
        "unused_volume",
        "off_hours",
        "undeclared_workload",
        "cost_anomaly_spike",
        "cost_anomaly_level_shift",
        "cost_anomaly_slow_leak",
        "cost_anomaly_new_service",
        "model_drift",
        "model_bias",
    }
    worth = [
        item
        for item in truth
        if item["kind"] in ("rightsize_cpu", "rightsize_memory")
        and item["expected"]["editable"]
        and float(item["expected"]["saving_per_month"]) > 10
    ]
    assert len(worth) >= 10
    assert sum(item["kind"] == "right" for item in truth) > len(truth) / 2


def test_a_full_estate_keeps_its_limits(tmp_path: Path) -> None:
    """Thirteen months that grow without bound would make the first run slow for everybody."""
    summary = create(tmp_path / "estate", SEED, DEMO_DAYS)
    assert summary.first_day == AS_OF - timedelta(days=DEMO_DAYS - 1)
    assert 40_000 < summary.charges <= 150_000
    assert 4_000_000 < summary.measurements <= 7_000_000
    assert 45 <= summary.workloads <= 80
