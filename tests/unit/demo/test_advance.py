"""Living on: what was merged changes measurements and bills from then on, nothing else does."""

from __future__ import annotations

import shutil
from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path

import duckdb
import pytest

from finops_dagster.demo import DemoSummary, advance
from finops_dagster.demo.folders import manifest_path, overlay_folder
from finops_dagster.demo.plan import Plan, Workload, build
from finops_dagster.demo.seasons import AS_OF

from .conftest import SEED, digests, merge

DAYS = 14
LAST = AS_OF + timedelta(days=DAYS)


def _named(plan: Plan, name: str) -> Workload:
    return next(w for w in plan.workloads if w.resource == name)


@pytest.fixture(scope="module")
def plan() -> Plan:
    return build(SEED)


@pytest.fixture(scope="module")
def lived(estate: Path, plan: Plan, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The estate after two merges, a removal and an unmerged branch, 14 days on."""
    out = tmp_path_factory.mktemp("lived") / "estate"
    shutil.copytree(estate, out)
    repository = out / "gitops.git"
    api = _named(plan, "Deployment/search/search-api")
    old = api.declared.main.cpu_millis
    text = {2000: '"2"', 1000: '"1"'}.get(old, f'"{old}m"')
    merge(
        repository,
        f"{overlay_folder(api)}/search-api-resources.yaml",
        lambda file: file.replace(f"cpu: {text}", 'cpu: "600m"', 1),
    )
    ledger = _named(plan, "Deployment/ledger/ledger-api")
    memory = ledger.declared.main.memory_mib
    merge(
        repository,
        f"{overlay_folder(ledger)}/kustomization.yaml",
        lambda file: file.replace(f'memory: "{memory}Mi"', 'memory: "3000Mi"', 1),
    )
    gone = _named(plan, "Deployment/warehouse/label-printer")
    merge(repository, manifest_path(gone), lambda file: None)
    waiting = _named(plan, "Deployment/vision/image-resizer")
    merge(
        repository,
        manifest_path(waiting),
        lambda file: file.replace("cpu: ", "cpu: 1 # ", 1),
        branch="waiting",
    )
    summary = advance(out, DAYS)
    assert isinstance(summary, DemoSummary)
    assert summary.as_of == LAST
    assert set(summary.changed) == {api.resource, ledger.resource, gone.resource}
    return out


@pytest.fixture(scope="module")
def undisturbed(estate: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same days without any merge."""
    out = tmp_path_factory.mktemp("undisturbed") / "estate"
    shutil.copytree(estate, out)
    assert advance(out, DAYS).changed == ()
    return out


def _measured(out: Path, day: date, workload: Workload, metric: str) -> list[float]:
    rows = duckdb.execute(
        "select value from read_parquet(?) where namespace = ? and name = ? and metric = ?"
        " and container = ? order by time",
        [
            str(out / "telemetry" / f"day={day}" / "part-0.parquet"),
            workload.namespace,
            workload.spec.name,
            metric,
            workload.declared.main.name,
        ],
    ).fetchall()
    return [row[0] for row in rows]


def _billed(out: Path, day: date, workload: Workload, meter: str) -> Decimal:
    known = LAST + timedelta(days=1)
    row = duckdb.execute(
        "select coalesce(sum(EffectiveCost), 0) from read_parquet(?)"
        " where SkuMeter = ? and Tags['k8s-namespace'] = ? and Tags['k8s-workload-name'] = ?"
        " and cast(ChargePeriodStart as date) = ?",
        [
            str(
                out
                / "exports"
                / "*"
                / f"billing_period={day.replace(day=1)}"
                / f"known={known}"
                / "*.parquet"
            ),
            meter,
            workload.namespace,
            workload.spec.name,
            day,
        ],
    ).fetchone()
    assert row is not None
    return Decimal(row[0])


def test_merged_requests_are_measured_from_the_merge_on(lived: Path, plan: Plan) -> None:
    """A saving that the estate does not feel could never be called realised."""
    api = _named(plan, "Deployment/search/search-api")
    metric = "kube_pod_container_resource_requests_cpu"
    before = api.declared.main.cpu_millis / 1000 * api.declared.replicas
    assert set(_measured(lived, AS_OF, api, metric)) == {before}
    after = _measured(lived, AS_OF + timedelta(days=1), api, metric)
    assert after == pytest.approx([0.6 * api.declared.replicas] * 288)


def test_merged_memory_in_an_inline_patch_is_measured(lived: Path, plan: Plan) -> None:
    """A JSON patch is a file of main like any other."""
    ledger = _named(plan, "Deployment/ledger/ledger-api")
    metric = "kube_pod_container_resource_requests_memory"
    assert set(_measured(lived, LAST, ledger, metric)) == {
        3000 * 1024.0**2 * ledger.declared.replicas
    }


def test_merged_requests_are_billed_and_only_they(
    lived: Path, undisturbed: Path, plan: Plan
) -> None:
    """Money that falls where nothing was merged would be a false saving."""
    day = LAST
    api = _named(plan, "Deployment/search/search-api")
    share = Decimal(600) / api.declared.main.cpu_millis
    assert _billed(lived, day, api, "vCPU-hours") == share * _billed(
        undisturbed, day, api, "vCPU-hours"
    )
    assert _billed(lived, day, api, "GiB-hours") == _billed(undisturbed, day, api, "GiB-hours")
    for other in plan.workloads:
        if other.resource in (
            api.resource,
            "Deployment/ledger/ledger-api",
            "Deployment/warehouse/label-printer",
        ):
            continue
        for meter in ("vCPU-hours", "GiB-hours", "GPU-hours"):
            assert _billed(lived, day, other, meter) == _billed(undisturbed, day, other, meter)


def test_demand_does_not_follow_the_request(lived: Path, undisturbed: Path, plan: Plan) -> None:
    """If use fell with the request, every cut would look safe."""
    api = _named(plan, "Deployment/search/search-api")
    metric = "container_cpu_usage_seconds_total"
    assert _measured(lived, LAST, api, metric) == _measured(undisturbed, LAST, api, metric)


def test_what_main_declares_no_more_is_gone(lived: Path, plan: Plan) -> None:
    """A workload that was deleted must stop to be measured and to cost."""
    gone = _named(plan, "Deployment/warehouse/label-printer")
    metric = "container_cpu_usage_seconds_total"
    assert _measured(lived, AS_OF, gone, metric)
    assert not _measured(lived, LAST, gone, metric)
    assert _billed(lived, LAST, gone, "vCPU-hours") == 0


def test_the_past_stays_as_it_was(lived: Path, estate: Path) -> None:
    """A delivery rewritten after the fact would change what was known on past days."""
    before, after = digests(estate), digests(lived)
    kept = [
        path
        for path in before
        if path.startswith(("exports", "telemetry", "carbon", "predictions", "labels", "business"))
    ]
    assert kept
    assert all(after[path] == before[path] for path in kept)


def test_only_the_as_of_line_of_the_settings_changes(lived: Path, estate: Path) -> None:
    """A person's own edits of the settings must survive."""
    old = (estate / "finops.yaml").read_text().splitlines()
    new = (lived / "finops.yaml").read_text().splitlines()
    different = [(a, b) for a, b in zip(old, new, strict=True) if a != b]
    assert different == [(f"as_of: {AS_OF}", f"as_of: {LAST}")]


def test_a_month_is_closed_when_its_day_comes(lived: Path) -> None:
    """An invoice that never arrives would leave taxes and support out for ever."""
    for provider in ("aws", "azure", "gcp"):
        months = lived / "exports" / provider
        assert (months / "billing_period=2026-10-01" / "final").exists()
        assert not (months / "billing_period=2026-11-01" / "final").exists()


def test_days_lived_one_by_one_are_the_same_days(
    undisturbed: Path, estate: Path, tmp_path: Path
) -> None:
    """How often `advance` is called must not matter."""
    out = tmp_path / "estate"
    shutil.copytree(estate, out)
    advance(out, 3)
    advance(out, DAYS - 3)
    ours, theirs = digests(out), digests(undisturbed)
    assert {path: ours[path] for path in theirs} == theirs
