"""Ingestion from a real Prometheus that holds the demo estate: the estate's own numbers, whatever
fails on the way."""

from __future__ import annotations

import json
import signal
import subprocess
import time
import urllib.parse
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest

from finops_dagster.demo.demand import Timeline
from finops_dagster.demo.openmetrics import enlarged, write_openmetrics
from finops_dagster.demo.plan import Plan, build
from finops_dagster.demo.seasons import AS_OF, FINE_MINUTES
from finops_dagster.demo.telemetry import write_telemetry
from finops_dagster.demo.volumes import Claims
from finops_dagster.sources.prometheus.catalogue import CATALOGUE
from tests.contract.ingested import KEYS, ingest, landed, started
from tests.contract.prometheus import FaultyProxy, Server, skip_without_prometheus

SEED = 7
NOTHING: tuple[Timeline, Claims] = ({}, {})
NAMES = ("web", "session-cache", "log-shipper", "nightly-settlement", "parcel-ocr")
"""One that scales by itself, a StatefulSet, a DaemonSet, a CronJob, and GPUs behind KServe."""
LOW_LIMIT = 12_000
"""Samples a query: a day of one metric of ten containers does not pass."""
HARD_LIMIT = 50_000
"""Samples a query, of an estate of which a day of one metric has over 100,000."""
KEPT = 10
"""Answers that a killed process has on disk, at least."""
DAYS = 14
OPTIONS = {"cluster_label": "cluster"}

EXPECTED = """
    select time,
        case when metric = 'kube_deployment_spec_replicas' and kind = 'StatefulSet'
            then 'kube_statefulset_replicas'
        when metric = 'kube_deployment_spec_replicas' and kind = 'DaemonSet'
            then 'kube_daemonset_status_desired_number_scheduled'
        else metric end as metric,
        cluster, namespace, kind, name, nullif(container, '') as container, value
    from read_parquet('{telemetry}/*/*.parquet', hive_partitioning = false)
    where not (metric = 'kube_deployment_spec_replicas' and kind = 'CronJob')
"""
"""The estate's telemetry under the names of the series it is made of: it counts the replicas of all
kinds as those of Deployments, and of CronJobs, of which no exporter tells how many should run."""


@dataclass(frozen=True)
class Case:
    """An estate in a server that runs, and the estate's own numbers of the same days."""

    server: Server
    telemetry: Path
    first: date

    def ingest(self, url: str, folder: Path, **options: Any) -> dict[str, Any]:
        return ingest(url, folder, self.first, AS_OF, **OPTIONS, **options)

    def started(self, url: str, folder: Path, **options: Any) -> subprocess.Popen[str]:
        return started(url, folder, self.first, AS_OF, **OPTIONS, **options)


@contextmanager
def case(
    folder: Path, estate: tuple[Plan, Timeline, Claims], days: int, scrape: int
) -> Iterator[Case]:
    """The last `days` of an estate in a server that runs."""
    skip_without_prometheus()
    first = AS_OF - timedelta(days=days - 1)
    write_telemetry(folder, *estate, first, AS_OF, FINE_MINUTES)
    write_openmetrics(folder / "estate.om", *estate, first, AS_OF, scrape)
    with Server(folder / "store") as server:
        server.backfill(folder / "estate.om")
        (folder / "estate.om").unlink()
        server.start()
        yield Case(server, folder / "telemetry", first)


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Case]:
    """A day of a dozen pods, scraped every minute."""
    plan = build(SEED)
    workloads = tuple(w for w in plan.workloads if w.spec.name in NAMES and w.environment == "prod")
    few = replace(plan, workloads=workloads, claims=plan.claims[:2])
    with case(tmp_path_factory.mktemp("prometheus"), (few, *NOTHING), 1, 60) as held:
        yield held


@pytest.fixture(scope="module")
def plain(store: Case, tmp_path_factory: pytest.TempPathFactory) -> pa.Table:
    """What is taken in where nothing fails."""
    folder = tmp_path_factory.mktemp("plain")
    store.ingest(store.server.url, folder)
    return landed(folder)


def differing(telemetry: Path, taken: pa.Table) -> str:
    """Some rows that are in one and not in the other, or whose values are not the same."""
    same = " and ".join(f"estate.{key} is not distinct from taken.{key}" for key in KEYS)
    found = duckdb.sql(
        f"""
        with estate as ({EXPECTED.format(telemetry=telemetry)})
        select estate.*, taken.* from estate full join taken on {same}
        where estate.value is null or taken.value is null
            or abs(estate.value - taken.value) > 1e-9 * greatest(abs(estate.value), 1e-3)
        limit 10
        """
    ).fetchall()
    return "\n".join(map(str, found))


def assert_same(taken: pa.Table, plain: pa.Table) -> None:
    """Row for row, and bit for bit where the store adds nothing up.

    What it adds up (a node's processors) it adds in the order of a Go map, which is another every
    time, so that the last bits of such sums may differ.
    """
    added = pa.array(sorted(metric.name for metric in CATALOGUE if metric.parts))
    assert taken.drop_columns(["value"]).equals(plain.drop_columns(["value"]))
    exact = pc.invert(pc.is_in(plain["metric"], added))
    assert taken.filter(exact).equals(plain.filter(exact))
    np.testing.assert_allclose(taken["value"], plain["value"], rtol=1e-13)


def test_what_is_taken_in_is_what_the_estate_measured(store: Case, plain: pa.Table) -> None:
    """A sum over the wrong pods, or a rate that is a little off, sizes everything wrongly."""
    assert not differing(store.telemetry, plain)
    assert plain.num_rows > 10_000


def test_a_low_limit_of_samples_changes_no_row(
    store: Case, plain: pa.Table, tmp_path: Path
) -> None:
    """Queries that a server refuses must be cut until it answers, and never be left out."""
    store.server.kill()
    store.server.start(f"--query.max-samples={LOW_LIMIT}")
    try:
        counted = store.ingest(store.server.url, tmp_path)
    finally:
        store.server.kill()
        store.server.start()
    assert counted["splits"] > 0
    assert_same(landed(tmp_path), plain)


def test_one_answer_in_five_failing_changes_no_row(
    store: Case, plain: pa.Table, tmp_path: Path
) -> None:
    """A gateway that answers with errors, half answers and login pages must cost time alone."""
    with FaultyProxy(store.server.url, seed=1) as proxy:
        counted = store.ingest(proxy.url, tmp_path, max_samples=LOW_LIMIT)
    assert all(proxy.faults.values()), proxy.faults
    assert sum(proxy.faults.values()) == pytest.approx(proxy.requests / 5, abs=1)
    assert counted["retries"] >= sum(proxy.faults.values())
    assert counted["largest_estimate"] <= LOW_LIMIT
    assert_same(landed(tmp_path), plain)


@pytest.mark.conformance
def test_a_server_that_restarts_changes_no_row(
    store: Case, plain: pa.Table, tmp_path: Path
) -> None:
    """Stores are upgraded on working days, in the middle of somebody's query."""

    def restart(request: int) -> None:
        if request == 20:
            store.server.kill()
            store.server.start()

    with FaultyProxy(store.server.url, seed=2, kinds=("cut",), before=restart) as proxy:
        store.ingest(proxy.url, tmp_path, max_samples=LOW_LIMIT)
    assert proxy.requests > 20
    assert_same(landed(tmp_path), plain)


def test_a_process_that_is_killed_goes_on_where_it_was(
    store: Case, plain: pa.Table, tmp_path: Path
) -> None:
    """Days of queries must not be asked again because a node was drained near the end."""
    with (
        KilledOnce(tmp_path) as killer,
        FaultyProxy(store.server.url, 3, kinds=("cut",), before=killer.look) as proxy,
    ):
        killer.process = store.started(proxy.url, tmp_path, max_samples=LOW_LIMIT)
        assert killer.process.wait(timeout=600) == -signal.SIGKILL
        counted = store.ingest(proxy.url, tmp_path, max_samples=LOW_LIMIT)
    assert counted["chunks_reused"] >= KEPT
    assert_same(landed(tmp_path), plain)


class KilledOnce:
    """Ends a process at once, after so many requests, when it has answers of a day on disk."""

    def __init__(self, folder: Path, requests: int = 0) -> None:
        self._folder = folder
        self._requests = requests
        self.process: subprocess.Popen[str] | None = None

    def __enter__(self) -> KilledOnce:
        return self

    def __exit__(self, *exc: object) -> None:
        if self.process is not None:
            self.process.kill()
            self.process.communicate()

    def look(self, request: int) -> None:
        """Called before every request is handed on."""
        if self.process is None or self.process.returncode is not None or request < self._requests:
            return
        held = list(self._folder.glob(".finops/mirror/prometheus/**/answers/*.parquet"))
        if len(held) >= KEPT:
            self.process.send_signal(signal.SIGKILL)


@pytest.mark.conformance
def test_three_hundred_pods_for_two_weeks(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """What holds for a dozen pods may fail where a day does not fit into one query or one memory:
    with everything at once that is tried one by one above."""
    estate = enlarged(build(SEED), *NOTHING, 4)
    with case(tmp_path, estate, DAYS, FINE_MINUTES * 60) as held:
        assert fewest_pods(held) >= 300
        began = time.monotonic()
        quiet = held.ingest(held.server.url, tmp_path / "quiet")
        seconds = time.monotonic() - began
        plain = landed(tmp_path / "quiet")
        assert not differing(held.telemetry, plain)
        held.server.kill()
        held.server.start(f"--query.max-samples={HARD_LIMIT}")
        hurt = tmp_path / "hurt"
        done: list[int] = []

        def restart(request: int) -> None:
            killer.look(request)
            if request >= 40 * DAYS and not done:
                held.server.kill()
                held.server.start(f"--query.max-samples={HARD_LIMIT}")
                done.append(request)

        with (
            KilledOnce(hurt, requests=20 * DAYS) as killer,
            FaultyProxy(held.server.url, 5, before=restart) as proxy,
        ):
            killer.process = held.started(proxy.url, hurt)
            assert killer.process.wait(timeout=3600) == -signal.SIGKILL
            counted = held.ingest(proxy.url, hurt)
        assert done and counted["splits"] > 0 and counted["chunks_reused"] >= KEPT
        assert_same(landed(hurt), plain)
    told = {
        "rows": quiet["rows"],
        "seconds": round(seconds, 1),
        "samples": quiet["samples"],
        "peak_rss_bytes": quiet["peak_rss_bytes"],
        "largest_query_samples": quiet["largest_estimate"],
        "largest_answer_samples": quiet["largest_answer"],
        "where_all_fails": {
            "requests": proxy.requests,
            "faults": proxy.faults,
            "splits": counted["splits"],
            "peak_rss_bytes": counted["peak_rss_bytes"],
            "largest_query_samples": counted["largest_estimate"],
        },
    }
    with capsys.disabled():
        print(f"\n300 pods, {DAYS} days, 5 minutes: {json.dumps(told)}")
    assert quiet["peak_rss_bytes"] < 1 << 30
    assert counted["peak_rss_bytes"] < 1 << 30


def fewest_pods(held: Case) -> int:
    """How many pods there are at least, at any time of the days that are held."""
    query = {"query": "count(kube_pod_owner)", "step": "3600"}
    window = {"start": f"{held.first}T00:00:00Z", "end": f"{AS_OF}T23:55:00Z"}
    body = urllib.parse.urlencode(query | window).encode()
    with urllib.request.urlopen(f"{held.server.url}/api/v1/query_range", body) as answer:
        (series,) = json.loads(answer.read())["data"]["result"]
    return min(int(value) for _, value in series["values"])
