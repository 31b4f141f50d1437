"""MLflow's tracking servers and stores, read without its package: it cannot share our environment.

`rest` asks a server, `store` reads a SQLite file, `records` has what both give, `days` splits it.
"""

from finops_dagster.sources.mlflow.days import run_days, version_days
from finops_dagster.sources.mlflow.options import Credentials, MlflowOptions
from finops_dagster.sources.mlflow.records import Tracker
from finops_dagster.sources.mlflow.rest import RestTracker
from finops_dagster.sources.mlflow.store import SqliteTracker

__all__ = [
    "Credentials",
    "MlflowOptions",
    "RestTracker",
    "SqliteTracker",
    "Tracker",
    "run_days",
    "version_days",
]
