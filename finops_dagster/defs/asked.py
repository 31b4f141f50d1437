"""Opens those sources that are asked, or made of other records: MLflow, pods, OTLP.

What they are told comes from the settings; what they do is in `sources`.
"""

from __future__ import annotations

from functools import partial
from pathlib import Path

from finops_dagster.settings import RunSettings, Settings, TokenUsageSettings
from finops_dagster.sources import Limits, ReadOptions, files_at
from finops_dagster.sources.collected import CollectedSource, Collector, open_collected
from finops_dagster.sources.mlflow import (
    Credentials,
    MlflowOptions,
    RestTracker,
    SqliteTracker,
    Tracker,
    tracked_runs,
    tracked_versions,
)
from finops_dagster.sources.otlp import token_days
from finops_dagster.sources.pods import pod_days
from finops_dagster.sources.runs import MODEL_VERSION_LOG, RUN_LOG
from finops_dagster.sources.tokens import TOKEN_LOG

_FILES_REACH = 800
"""Days back that records in files may tell of; `history_days` can be no more."""


def open_asked(
    settings: Settings,
    table: str,
    one: RunSettings | TokenUsageSettings,
    folder: Path,
    limits: Limits,
    options: ReadOptions,
) -> CollectedSource:
    """The source `one`, for one of the tables it tells of; `folder` keeps what it said."""
    fmt = {"runs": RUN_LOG, "model_versions": MODEL_VERSION_LOG, "token_usage": TOKEN_LOG}[table]
    reach = _FILES_REACH
    collect: Collector
    if isinstance(one, TokenUsageSettings):
        collect = partial(token_days, files_at(one.path, options), one.signal)
    elif one.format == "pods":
        collect = partial(pod_days, files_at(one.path, options), one.cluster)
    else:
        told = MlflowOptions(reach_days=one.reach_days, open_days=one.open_days)
        tracker, reach = _tracker(settings, one, told), one.reach_days
        collect = (
            partial(tracked_versions, tracker)
            if table == "model_versions"
            else partial(tracked_runs, tracker, told)
        )
    return open_collected(
        one.name, folder / one.name / table, fmt, collect, str(one.path), reach, limits, options
    )


def _tracker(settings: Settings, one: RunSettings, options: MlflowOptions) -> Tracker:
    if isinstance(one.path, Path):
        return SqliteTracker(one.name, one.path)
    credentials = Credentials(**settings.credentials_of(one.name).plain())
    return RestTracker(one.name, one.path, options, credentials)
