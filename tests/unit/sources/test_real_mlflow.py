"""A store that the real mlflow package wrote, read by SQL and through its own server by REST.

mlflow cannot share our environment: uv runs it in one of its own. Without a registry it skips.
"""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from finops_dagster.sources.collected import open_collected
from finops_dagster.sources.mlflow import (
    Credentials,
    MlflowOptions,
    RestTracker,
    SqliteTracker,
    Tracker,
    tracked_runs,
    tracked_versions,
)
from finops_dagster.sources.runs import MODEL_VERSION_LOG, RUN_LOG

pytestmark = pytest.mark.conformance

OPTIONS = MlflowOptions(reach_days=4, page_size=2)
VERSIONS = [("mlflow>=3,<4",), ("mlflow>=2,<3", "sqlalchemy<2.1")]
"""2.x allows any later SQLAlchemy and does not load with it."""
WRITE = """
import sys, mlflow
from mlflow import MlflowClient
uri, midnight = sys.argv[1], int(sys.argv[2])
client = MlflowClient(uri)
hour = 3_600_000
for name in ("fraud", "churn"):
    experiment = client.create_experiment(name)
    for place in range(3):
        start = midnight - 30 * hour + place * hour
        tags = {"k8s-namespace": "ml", "k8s-workload-kind": "Job", "mlflow.user": "ana",
                "k8s-workload-name": name, "team": "risk", "odd": "<b>'; \\u20ac"}
        run = client.create_run(experiment, start_time=start, tags=tags, run_name=f"{name} {place}")
        id_ = run.info.run_id
        client.log_param(id_, "depth", place)
        for step, value in enumerate((0.5, 0.75)):
            client.log_metric(id_, "auc", value, timestamp=start + step * 20 * hour, step=step)
        client.log_metric(id_, "nan", float("nan"), timestamp=start)
        client.log_metric(id_, "inf", float("-inf"), timestamp=start)
        if place < 2:
            client.set_terminated(id_, "FAILED" if place else "FINISHED", start + 8 * hour)
        if place == 1:
            client.delete_run(id_)
    client.create_registered_model(name)
    version = client.create_model_version(name, "s3://models/x", run_id=id_)
    client.set_registered_model_alias(name, "champion", version.version)
client.delete_experiment(experiment)
"""


def mlflow_command(requirement: tuple[str, ...], *arguments: str) -> list[str]:
    uv = Path(sys.executable).with_name("uv")
    wanted = [part for one in requirement for part in ("--with", one)]
    return [str(uv), "run", "--isolated", "--no-project", *wanted, *arguments]


@pytest.fixture(scope="session", params=VERSIONS, ids=lambda one: one[0])
def written(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> tuple[tuple[str, ...], Path, datetime]:
    """Requirement, store, and the midnight around which its runs are. One for each version."""
    root = tmp_path_factory.mktemp("mlflow")
    midnight = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    done = subprocess.run(
        mlflow_command(
            request.param, "python", "-c", WRITE, f"sqlite:///{root / 'mlflow.db'}",
            str(int(midnight.timestamp()) * 1000),
        ),
        cwd=root, capture_output=True, text=True, timeout=600, check=False,
    )  # fmt: skip
    if done.returncode and "mlflow" not in done.stderr.rpartition("Traceback")[2]:
        pytest.skip(f"mlflow cannot be installed here: {done.stderr[-200:]}")
    assert done.returncode == 0, done.stderr
    return request.param, root / "mlflow.db", midnight


@contextmanager
def served(requirement: tuple[str, ...], store: Path) -> Iterator[str]:
    """The package's own server over the store, on loopback."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = mlflow_command(
        requirement, "mlflow", "server", "--backend-store-uri", f"sqlite:///{store}",
        "--host", "127.0.0.1", "--port", str(port), "--workers", "1",
    )  # fmt: skip
    process = subprocess.Popen(
        command,
        cwd=store.parent,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        for _ in range(600):
            try:
                urllib.request.urlopen(f"http://127.0.0.1:{port}/health", timeout=2).close()
                break
            except OSError:
                assert process.poll() is None, "the server ended"
                time.sleep(0.5)
        yield f"http://127.0.0.1:{port}"
    finally:
        os.killpg(process.pid, signal.SIGTERM)
        process.wait(30)


def rows(tracker: Tracker, folder: Path, now: datetime) -> list[dict[str, Any]]:
    """Every row of both tables, without what names the delivery."""
    found = []
    for fmt, collect in (
        (RUN_LOG, partial(tracked_runs, tracker, OPTIONS)),
        (MODEL_VERSION_LOG, partial(tracked_versions, tracker)),
    ):
        source = open_collected(
            "t", folder / fmt.table.name, fmt, collect, "there", 4, now=lambda: now
        )
        for delivery in source.deliveries():
            with source.read(delivery) as reading:
                # known by the clock where it is asked on the day itself
                found += reading.rows.read_all().drop_columns(["known_at"]).to_pylist()
                assert reading.quarantine.read_all().num_rows == 0
                assert not reading.landed.set_faults
    return found


def test_sql_and_rest_give_the_same_of_a_real_store(
    written: tuple[tuple[str, ...], Path, datetime], tmp_path: Path
) -> None:
    """A row that only one way gives would make costs depend on how a store is reached."""
    requirement, store, midnight = written
    # today is over for the test, so that what was registered today is in
    now = datetime.fromtimestamp(midnight.timestamp() + 1.5 * 86_400, tz=UTC)
    by_sql = rows(SqliteTracker("t", store), tmp_path / "sql", now)
    with served(requirement, store) as url:
        by_rest = rows(RestTracker("t", url, OPTIONS, Credentials()), tmp_path / "rest", now)
    assert by_sql == by_rest
    runs = [row for row in by_sql if "run_id" in row and "system" in row]
    assert len({row["run_id"] for row in runs}) == 6
    assert {row["owner"] for row in runs} == {"ana"}
    assert {row["experiment"] for row in runs} == {"fraud", "churn"}
    assert {row["status"] for row in runs} == {"finished", "failed", "running"}
    assert {row["lifecycle"] for row in runs} == {"active", "deleted"}
    first = next(r for r in runs if r["name"] == "fraud 0" and r["ended_at"] is None)
    last = next(r for r in runs if r["name"] == "fraud 0" and r["ended_at"] is not None)
    assert (last["ended_at"] - first["started_at"]).total_seconds() == 8 * 3600
    # a tracking server tells the last value alone, and it was logged a day later
    assert "auc" not in dict(first["metrics"])
    assert dict(last["metrics"]) == {"auc": 0.75}
    assert dict(last["metrics_not_finite"]) == {"nan": "NaN", "inf": "-Infinity"}
    versions = [row for row in by_sql if "registry" in row]
    assert {(row["model"], row["version"], row["aliases"]) for row in versions} == {
        ("fraud", "1", "champion"),
        ("churn", "1", "champion"),
    }
    assert {row["run_id"] for row in versions} <= {row["run_id"] for row in runs}
