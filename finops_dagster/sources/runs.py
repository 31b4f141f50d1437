"""Run logs and registered model versions: flat rows under the tables' own names.

How they are had of a tracking server is in `mlflow`, of pods' labels in `pods`.
"""

from __future__ import annotations

from finops_dagster.domain.schemas import MODEL_VERSIONS, RUNS
from finops_dagster.sources.signals import SignalFormat
from finops_dagster.sources.views import Check

STATUSES = {
    # MLflow's RunStatus
    "scheduled": "scheduled",
    "running": "running",
    "finished": "finished",
    "failed": "failed",
    "killed": "killed",
    # phases of Kubernetes pods and of Argo workflows, states of Airflow
    "pending": "scheduled",
    "queued": "scheduled",
    "succeeded": "finished",
    "success": "finished",
    "omitted": "finished",
    "skipped": "finished",
    "error": "failed",
    "upstreamfailed": "failed",
    "unknown": "unknown",
}
"""Squeezed word of a system -> ours."""

OLDEST_START = "2000-01-01"
"""No run of ours is older: such a start is seconds where milliseconds are meant, or nothing."""

PLACE = ("cluster", "namespace", "workload_kind", "workload", "resource_id")

RUN_LOG = SignalFormat(
    table=RUNS,
    key=("system", "run_id", *PLACE),
    partial_key=PLACE,
    words={"status": STATUSES},
    bounds=(
        Check(
            "end_before_start",
            "ended_at",
            "(ended_at < started_at)",
            "'it is ' || ended_at::VARCHAR || ', before the start at ' || started_at::VARCHAR",
        ),
        Check(
            "start_implausible",
            "started_at",
            f"(started_at < TIMESTAMPTZ '{OLDEST_START} 00:00:00+00')",
            "'it is ' || started_at::VARCHAR || ': seconds where milliseconds are wanted?'",
        ),
    ),
)

MODEL_VERSION_LOG = SignalFormat(table=MODEL_VERSIONS, key=("registry", "model", "version"))
