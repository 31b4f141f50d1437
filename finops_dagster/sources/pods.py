"""Runs of pipelines, told by the labels of their pods: Kubernetes Pod objects, and the rules.

A pod belongs to one run, by the first rule that knows it. How days are told apart: `run_days`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

from finops_dagster.sources.flattening import Record, flattened
from finops_dagster.sources.places import Place
from finops_dagster.sources.run_days import DAY_MS, run_days
from finops_dagster.sources.run_records import RUN_RECORDS
from finops_dagster.sources.text_files import printable

_OPEN_MS = 14 * DAY_MS
"""A pod that nothing said the end of counts for this long from its start."""


@dataclass(frozen=True)
class Rule:
    """Which labels make a pod one of a run. Names are compared by letters and digits alone, since
    kube-state-metrics writes `pipeline/runid` as `label_pipeline_runid`."""

    system: str
    run_id: tuple[tuple[str, ...], ...]
    """Alternatives; all labels of one must be there, their values make the id."""
    experiment: tuple[str, ...] = ()
    name: tuple[str, ...] = ()


RULES = (
    # what a team sets itself says best whose pod it is; MLFLOW_RUN_ID is mlflow's own variable
    Rule("mlflow", (("MLFLOW_RUN_ID",), ("mlflow.org/run-id",), ("mlflow/run-id",))),
    # kubeflow/pipelines, backend/src/common/util/consts.go: LabelKeyWorkflowRunId
    Rule(
        "kubeflow",
        (("pipeline/runid",), ("pipelines.kubeflow.org/run_id",)),
        ("pipelines.kubeflow.org/pipeline_name", "pipelines.kubeflow.org/pipelinename"),
        ("workflows.argoproj.io/workflow",),
    ),
    # apache/airflow, providers/cncf/kubernetes: labels of KubernetesPodOperator and executor
    Rule("airflow", (("dag_id", "run_id"),), ("dag_id",), ("task_id",)),
    # flyteorg/flyte, flytepropeller: labels of every pod of an execution
    Rule("flyte", (("execution-id", "workflow-name"),), ("workflow-name",)),
    # tektoncd/pipeline, docs/labels.md
    Rule("tekton", (("tekton.dev/pipelineRun",),), ("tekton.dev/pipeline",)),
    # argoproj/argo-workflows, workflow/common: LabelKeyWorkflow
    Rule(
        "argo",
        (("workflows.argoproj.io/workflow",),),
        ("workflows.argoproj.io/cron-workflow", "workflows.argoproj.io/workflow-template"),
    ),
    # kubeflow/training-operator: JobNameLabel; trainer v2 makes JobSets
    Rule("kubeflow-training", (("training.kubeflow.org/job-name",),)),
    Rule("jobset", (("jobset.sigs.k8s.io/jobset-name",),)),
    # ray-project/kuberay: RayClusterLabelKey; a RayJob's cluster is its own
    Rule("ray", (("ray.io/cluster",),), ("ray.io/originated-from-cr-name",)),
    # kubeflow/spark-operator
    Rule("spark", (("sparkoperator.k8s.io/submission-id",), ("spark-app-selector",)),
         ("sparkoperator.k8s.io/app-name", "spark-app-name")),
)  # fmt: skip
"""In order: an engine's pods carry the labels of the engine below it too."""

_ENV = ("MLFLOW_RUN_ID",)
"""Variables of a container that count as labels."""


def pod_days(
    place: Place, cluster: str | None, days: list[date], scratch: Path
) -> Mapping[date, Path]:
    """A `Collector` over Pod objects: a PodList, or an object a line. Raises Unavailable.

    Only days on which some pod of a run was active. A pod may be in several files.
    """

    def flatten(document: Record) -> Iterator[Record]:
        for pod in document.get("items", [document]):
            yield from _run_of(pod, cluster)

    records = flattened(
        place, scratch.parent / ".pods", RUN_RECORDS, flatten, "Kubernetes Pod objects as JSON"
    )
    return run_days(records, _OPEN_MS, days, scratch, only_filled=True) if records else {}


def _run_of(pod: Mapping[str, Any], cluster: str | None) -> Iterator[Record]:
    metadata, status = pod["metadata"], pod.get("status") or {}
    labels = {str(key): str(value) for key, value in (metadata.get("labels") or {}).items()}
    told = told_by({**labels, **_variables(pod)})
    started = _ms(status.get("startTime")) or _ms(metadata.get("creationTimestamp"))
    if told is None or started is None:
        return
    owner: Mapping[str, Any] = next(
        (o for o in metadata.get("ownerReferences") or () if o.get("controller")), {}
    )
    yield {
        **told,
        "part": printable(str(metadata["uid"])),
        "status": status.get("phase"),
        "started_ms": started,
        "ended_ms": _end(status),
        "cluster": cluster,
        "namespace": printable(str(metadata["namespace"])),
        "workload_kind": printable(str(owner.get("kind", "Pod"))),
        "workload": printable(str(owner.get("name", metadata["name"]))),
        "metrics": [],
        "params": [],
        "tags": sorted((printable(key), printable(value)) for key, value in labels.items()),
    }


def told_by(labels: Mapping[str, str]) -> dict[str, str | None] | None:
    """system, run_id, experiment and name of the run that a pod with these labels is of."""
    plain = {_plain(key): value for key, value in labels.items() if value}
    for rule in RULES:
        for names in rule.run_id:
            values = [plain.get(_plain(name)) for name in names]
            if all(values):
                return {
                    "system": rule.system,
                    "run_id": printable("/".join(str(value) for value in values)),
                    "experiment": _first(plain, rule.experiment),
                    "name": _first(plain, rule.name),
                }
    return None


def _first(plain: Mapping[str, str], names: tuple[str, ...]) -> str | None:
    found = next((plain[_plain(name)] for name in names if _plain(name) in plain), None)
    return None if found is None else printable(found)


def _plain(name: str) -> str:
    return re.sub(r"[^a-z0-9]+", "_", name.lower().removeprefix("label_"))


def _variables(pod: Mapping[str, Any]) -> dict[str, str]:
    return {
        one["name"]: str(one["value"])
        for container in (pod.get("spec") or {}).get("containers") or ()
        for one in container.get("env") or ()
        if one.get("name") in _ENV and one.get("value")
    }


def _end(status: Mapping[str, Any]) -> int | None:
    """When the last container of a finished pod ended."""
    if status.get("phase") not in ("Succeeded", "Failed"):
        return None
    ends = [
        _ms(((one.get("state") or {}).get("terminated") or {}).get("finishedAt"))
        for one in status.get("containerStatuses") or ()
    ]
    return max((end for end in ends if end is not None), default=None)


def _ms(text: Any) -> int | None:
    if not text:
        return None
    moment = datetime.fromisoformat(str(text))
    return int((moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp() * 1000)
