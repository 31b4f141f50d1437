"""MLflow's tracking servers and stores, read without its package: it cannot share our environment.

`rest` asks a server, `store` reads a SQLite file, `records` has what both give.
"""

from finops_dagster.sources.mlflow.options import Credentials, MlflowOptions
from finops_dagster.sources.mlflow.records import Tracker
from finops_dagster.sources.mlflow.rest import RestTracker
from finops_dagster.sources.mlflow.store import SqliteTracker
from finops_dagster.sources.mlflow.tracking import tracked_runs, tracked_versions

__all__ = [
    "Credentials",
    "MlflowOptions",
    "RestTracker",
    "SqliteTracker",
    "Tracker",
    "tracked_runs",
    "tracked_versions",
]
