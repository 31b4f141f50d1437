"""Runs of pipelines told by their pods: the rules, retries, snapshots, hostile labels."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from finops_dagster.domain.errors import Unavailable
from finops_dagster.sources import ReadOptions, files_at
from finops_dagster.sources.collected import open_collected
from finops_dagster.sources.pods import pod_days, told_by
from finops_dagster.sources.runs import RUN_LOG


@pytest.mark.parametrize(
    ("labels", "told"),
    [
        ({"pipeline/runid": "r1", "workflows.argoproj.io/workflow": "wf"}, ("kubeflow", "r1")),
        ({"label_pipeline_runid": "r1"}, ("kubeflow", "r1")),
        ({"workflows.argoproj.io/workflow": "wf"}, ("argo", "wf")),
        ({"dag_id": "etl", "run_id": "manual__1", "task_id": "t"}, ("airflow", "etl/manual__1")),
        ({"training.kubeflow.org/job-name": "bert"}, ("kubeflow-training", "bert")),
        ({"ray.io/cluster": "rc"}, ("ray", "rc")),
        ({"tekton.dev/pipelineRun": "pr"}, ("tekton", "pr")),
        ({"MLFLOW_RUN_ID": "m", "pipeline/runid": "r1"}, ("mlflow", "m")),
        ({"run_id": "alone"}, None),
        ({"pipeline/runid": ""}, None),
        ({"app": "web"}, None),
    ],
)
def test_labels_tell_the_run(labels: dict[str, str], told: tuple[str, str] | None) -> None:
    """A pod given to the wrong run bills the wrong team."""
    found = told_by(labels)
    assert (found and (found["system"], found["run_id"])) == told


def pod(uid: str, start: str, end: str | None = None, phase: str = "Succeeded", **more: Any) -> Any:
    ended = [{"state": {"terminated": {"finishedAt": end}}}] if end else []
    return {
        "metadata": {
            "uid": uid,
            "name": f"wf-{uid}",
            "namespace": "ml",
            "labels": {"pipeline/runid": "r1", "x": "\ud800<b>", **more},
            "ownerReferences": [{"kind": "Workflow", "name": "wf", "controller": True}],
        },
        "status": {"phase": phase, "startTime": start, "containerStatuses": ended},
    }


def runs(folder: Path) -> dict[str, list[dict[str, Any]]]:
    source = open_collected(
        "pods",
        folder / "kept",
        RUN_LOG,
        partial(pod_days, files_at(folder / "pods", ReadOptions()), "prod"),
        "there",
        30,
        now=lambda: datetime(2026, 3, 7, 12, tzinfo=UTC),
    )
    found = {}
    for delivery in source.deliveries():
        with source.read(delivery) as reading:
            found[str(delivery.partition)] = reading.rows.read_all().to_pylist()
            assert reading.quarantine.read_all().num_rows == 0
    return found


def test_pods_of_a_run_are_one_run_from_the_first_to_the_last(tmp_path: Path) -> None:
    """A run per pod would be named as often as it has steps, each with a part of its time."""
    (tmp_path / "pods").mkdir()
    monday = [
        pod("a", "2026-03-05T22:00:00Z", "2026-03-05T23:00:00Z", "Failed"),
        pod("b", "2026-03-05T23:30:00Z", phase="Running"),
        {"metadata": {"uid": "c", "name": "web", "namespace": "shop"}, "status": {}},
    ]
    (tmp_path / "pods" / "1.json").write_text(
        json.dumps({"kind": "PodList", "items": monday}, indent=1)
    )
    first = runs(tmp_path)
    (known,) = first["2026-03-05"]
    assert (known["status"], known["ended_at"], known["workload"]) == ("running", None, "wf")
    # the next snapshot knows the end; the pod that failed is gone from it
    later = pod("b", "2026-03-05T23:30:00Z", "2026-03-06T01:00:00Z")
    (tmp_path / "pods" / "2.jsonl").write_text(json.dumps(later) + "\n")
    found = runs(tmp_path)
    assert found["2026-03-05"][0]["ended_at"] is None
    (row,) = found["2026-03-06"]
    assert row["started_at"] == datetime(2026, 3, 5, 22, tzinfo=UTC)
    assert row["ended_at"] == datetime(2026, 3, 6, 1, tzinfo=UTC)
    assert (row["status"], row["cluster"], row["workload_kind"]) == ("finished", "prod", "Workflow")


def test_what_is_no_pod_is_named(tmp_path: Path) -> None:
    """A file of something else must not look like a cluster without pipelines."""
    (tmp_path / "pods").mkdir()
    (tmp_path / "pods" / "x.jsonl").write_text('{"kind": "Node"}\n')
    with pytest.raises(Unavailable, match=r"x\.jsonl"):
        runs(tmp_path)
