"""Ingestion from a real Prometheus that holds the demo estate: the estate's own numbers, whatever
fails on the way."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from finops_dagster.demo.demand import Timeline
from finops_dagster.demo.openmetrics import enlarged, write_openmetrics
from finops_dagster.demo.plan import Plan, build
from finops_dagster.demo.seasons import AS_OF, FINE_MINUTES
from finops_dagster.demo.telemetry import write_telemetry
from finops_dagster.demo.volumes import Claims
from tests.contract.prometheus import FaultyProxy, Server, prometheus_or_skip

SEED = 7
ROOT = Path(__file__).parents[2]
NAMESPACES = ("storefront", "payouts", "platform-sre", "ml-vision", "ml-serving")
"""All kinds of workload: one that scales by itself, a StatefulSet, a DaemonSet, a CronJob, GPUs."""
KEYS = ("time", "metric", "cluster", "namespace", "kind", "name", "container")
LOW_LIMIT = 20_000
"""Samples a query: a day of one metric of fifty pods does not pass."""
INGEST = f"{ROOT}/tests/contract/ingest_prometheus.py"


@dataclass(frozen=True)
class Case:
    """An estate in a store, and the estate's own numbers of it."""

    server: Server
    telemetry: Path
    first: date
    last: date


def case(folder: Path, plan: Plan, first: date, scrape: int, *flags: str) -> Iterator[Case]:
    """The estate of `plan` from `first` to the estate's last day in a server that runs."""
    nothing: tuple[Timeline, Claims] = ({}, {})
    with prometheus_or_skip(folder / "store", *flags) as server:
        write_openmetrics(folder / "estate.om", plan, *nothing, first, AS_OF, scrape)
        server.backfill(folder / "estate.om")
        (folder / "estate.om").unlink()
        write_telemetry(folder, plan, *nothing, first, AS_OF, FINE_MINUTES)
        server.start()
        yield Case(server, folder / "telemetry", first, AS_OF)


def small() -> Plan:
    plan = build(SEED)
    return replace(
        plan,
        workloads=tuple(w for w in plan.workloads if w.namespace in NAMESPACES),
        claims=tuple(c for c in plan.claims if c.namespace in NAMESPACES),
    )


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Case]:
    yield from case(tmp_path_factory.mktemp("prometheus"), small(), AS_OF, 60)


def ingest(url: str, folder: Path, case: Case, **options: Any) -> dict[str, Any]:
    """Ingest all days in a process of its own; what it counted."""
    done = started(url, folder, case, **options)
    out, errors = done.communicate(timeout=3600)
    assert done.returncode == 0, errors[-3000:]
    answer: dict[str, Any] = json.loads(out)
    return answer


def started(url: str, folder: Path, case: Case, **options: Any) -> subprocess.Popen[str]:
    given = {
        "url": url,
        "folder": str(folder),
        "first": str(case.first),
        "last": str(case.last),
        "options": {"cluster_label": "cluster", "attempts": 8, **options},
    }
    return subprocess.Popen(
        [sys.executable, INGEST, json.dumps(given)],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )  # fmt: skip


def landed(folder: Path) -> pa.Table:
    """Every row that was taken in, in order."""
    order = [(key, "ascending") for key in KEYS]
    return pq.read_table(folder / "landed").sort_by(order)


EXPECTED = """
    select time,
        case when metric = 'kube_deployment_spec_replicas' and kind = 'StatefulSet'
            then 'kube_statefulset_replicas'
        when metric = 'kube_deployment_spec_replicas' and kind = 'DaemonSet'
            then 'kube_daemonset_status_desired_number_scheduled'
        else metric end as metric,
        cluster, namespace,
        case when metric = 'kube_deployment_spec_replicas' and kind = 'InferenceService'
            then 'Deployment' else kind end as kind,
        case when metric = 'kube_deployment_spec_replicas' and kind = 'InferenceService'
            then name || '-predictor' else name end as name,
        container, value
    from read_parquet('{telemetry}/*/*.parquet')
    where not (metric = 'kube_deployment_spec_replicas' and kind = 'CronJob')
"""
"""The estate's telemetry under the names of the series it is made of: it counts the replicas of all
kinds as those of Deployments, and of CronJobs, of which no exporter tells how many should run."""


def differing(case: Case, folder: Path) -> list[tuple[Any, ...]]:
    """Rows that are in one and not in the other, or whose values are not the same."""
    keys = ", ".join(KEYS)
    return duckdb.sql(
        f"""
        with estate as ({EXPECTED.format(telemetry=case.telemetry)}),
            taken as (select {keys}, value from read_parquet('{folder}/landed/*.parquet'))
        select {keys}, estate.value, taken.value
        from estate full join taken using ({keys})
        where estate.value is null or taken.value is null
            or abs(estate.value - taken.value) > 1e-9 * greatest(abs(estate.value), 1e-3)
        limit 20
        """
    ).fetchall()


@pytest.fixture(scope="module")
def plain(store: Case, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What is taken in where nothing fails."""
    folder = tmp_path_factory.mktemp("plain")
    ingest(store.server.url, folder, store)
    return folder


def test_what_is_taken_in_is_what_the_estate_measured(store: Case, plain: Path) -> None:
    """A sum over the wrong pods, or a rate that is a little off, sizes everything wrongly."""
    assert differing(store, plain) == []
    assert landed(plain).num_rows > 10_000
