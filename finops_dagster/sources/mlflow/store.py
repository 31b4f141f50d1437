"""MLflow's SQL store in a SQLite file, read beside a server that writes it.

Tables as MLflow 1.30 to 3.17 make them; another schema is refused only where what we need is gone.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

from finops_dagster.domain.errors import Fault, Unavailable
from finops_dagster.sources.mlflow.records import Window, run_record, version_record

_NEEDED = {
    "experiments": ("experiment_id", "name"),
    "runs": (
        "run_uuid",
        "experiment_id",
        "user_id",
        "status",
        "lifecycle_stage",
        "start_time",
        "end_time",
    ),
    "latest_metrics": ("run_uuid", "key", "value", "timestamp", "is_nan"),
    "params": ("run_uuid", "key", "value"),
    "tags": ("run_uuid", "key", "value"),
}
_NEEDED_VERSIONS = {
    "model_versions": (
        "name",
        "version",
        "run_id",
        "user_id",
        "status",
        "current_stage",
        "creation_time",
        "last_updated_time",
    ),
}
_AT_ONCE = 500
"""Runs whose metrics, parameters and tags are asked for together; SQLite binds 999 at least."""
_BUSY_SECONDS = 30.0
_DELETED = "Deleted_Internal"
"""`current_stage` of a version that was deleted: mlflow.store.model_registry.dbmodels."""
_DEFAULT_WORKSPACE = "default"


class SqliteTracker:
    """A `Tracker` over a file. It is opened read-only: nothing is made, changed or locked long."""

    def __init__(self, name: str, path: Path) -> None:
        self._name = name
        self._path = path

    def runs(self, window: Window) -> Iterator[dict[str, Any]]:
        """See `Tracker`."""
        first, end = window.seconds
        with self._open() as connection:
            columns = self._columns(connection, _NEEDED)
            # 1.x kept the name in a tag alone
            name = "r.name" if "name" in columns["runs"] else "NULL"
            cursor = connection.execute(
                f"""
                SELECT r.run_uuid AS run_id, {name} AS run_name, r.user_id, r.status,
                    r.lifecycle_stage, r.start_time, r.end_time, e.name AS experiment
                FROM runs AS r LEFT JOIN experiments AS e ON e.experiment_id = r.experiment_id
                WHERE r.end_time >= ? OR r.start_time >= ?
                    OR (r.start_time >= ? AND r.start_time < ?)
                """,
                (window.ended_from, window.started_from, first, end),
            )
            while runs := cursor.fetchmany(_AT_ONCE):
                yield from self._whole(connection, [dict(run) for run in runs])

    def _whole(
        self, connection: sqlite3.Connection, runs: list[dict[str, Any]]
    ) -> Iterator[dict[str, Any]]:
        ids = [run["run_id"] for run in runs]
        metrics = _by_run(
            connection,
            ids,
            "latest_metrics",
            "CASE WHEN is_nan THEN 'NaN' ELSE value END, timestamp",
        )
        params = _by_run(connection, ids, "params", "value")
        tags = _by_run(connection, ids, "tags", "value")
        for run in runs:
            id_ = run["run_id"]
            yield run_record(
                run,
                run["experiment"],
                ((key, value, time) for key, value, time in metrics.get(id_, ())),
                ((key, value) for key, value in params.get(id_, ())),
                ((key, value) for key, value in tags.get(id_, ())),
            )

    def versions(self) -> Iterator[dict[str, Any]]:
        """See `Tracker`. Versions outside the default workspace are named WORKSPACE/NAME."""
        with self._open() as connection:
            columns = self._columns(connection, _NEEDED_VERSIONS)["model_versions"]
            workspace = "workspace" if "workspace" in columns else f"'{_DEFAULT_WORKSPACE}'"
            aliases: dict[tuple[str, str, str], list[str]] = {}
            # since MLflow 2.3
            held = _table_columns(connection, "registered_model_aliases")
            if held:
                space = "workspace" if "workspace" in held else f"'{_DEFAULT_WORKSPACE}'"
                for name, version, alias, where in connection.execute(
                    f"SELECT name, version, alias, {space} FROM registered_model_aliases"
                ):
                    aliases.setdefault((where, name, str(version)), []).append(alias)
            for row in connection.execute(
                f"""
                SELECT {workspace} AS workspace, name, version, run_id, user_id, status,
                    current_stage, creation_time AS creation_timestamp,
                    last_updated_time AS last_updated_timestamp
                FROM model_versions WHERE current_stage IS NOT '{_DELETED}'
                """
            ):
                version = dict(row)
                space = version["workspace"]
                place = (space, version["name"], str(version["version"]))
                if space != _DEFAULT_WORKSPACE:
                    version["name"] = f"{space}/{version['name']}"
                yield version_record(version, aliases.get(place, ()))

    @contextmanager
    def _open(self) -> Iterator[sqlite3.Connection]:
        """One transaction: what is written meanwhile is not seen. Raises Unavailable."""
        try:
            with closing(
                sqlite3.connect(
                    f"{self._path.resolve().as_uri()}?mode=ro", uri=True, timeout=_BUSY_SECONDS
                )
            ) as connection:
                connection.row_factory = sqlite3.Row
                connection.text_factory = lambda raw: raw.decode("utf-8", "replace")
                connection.execute("BEGIN")
                yield connection
        except sqlite3.Error as error:
            raise self._fault(
                "store_unreadable",
                f"a SQLite file that can be read; {error}",
                "Look whether the file is whole and may be read, its folder too: a store that is "
                "in use has files beside it.",
            ) from error

    def _columns(
        self, connection: sqlite3.Connection, needed: Mapping[str, tuple[str, ...]]
    ) -> dict[str, frozenset[str]]:
        columns = {table: _table_columns(connection, table) for table in needed}
        missing = [
            f"{table}.{name}"
            for table, names in needed.items()
            for name in names
            if name not in columns[table]
        ]
        if missing:
            revision = "none"
            if _table_columns(connection, "alembic_version"):
                found = connection.execute("SELECT version_num FROM alembic_version").fetchone()
                revision = str(found[0]) if found else revision
            raise self._fault(
                "store_schema",
                f"MLflow's tables; {', '.join(missing)} are not there (alembic_version {revision})",
                "Name an MLflow store of version 1.30 or newer (`mlflow db upgrade` brings an "
                "older one there).",
            )
        return columns

    def _fault(self, code: str, expected: str, hint: str) -> Unavailable:
        return Unavailable(
            f"{self._name} could not be read: expected {expected}.",
            (Fault(code=code, file=str(self._path), expected=f"Expected {expected}.", hint=hint),),
        )


def _table_columns(connection: sqlite3.Connection, table: str) -> frozenset[str]:
    """Names of a table's columns; empty where there is no such table."""
    return frozenset(
        str(row[0]) for row in connection.execute("SELECT name FROM pragma_table_info(?)", (table,))
    )


def _by_run(
    connection: sqlite3.Connection, ids: list[str], table: str, values: str
) -> dict[str, list[tuple[Any, ...]]]:
    marks = ", ".join("?" * len(ids))
    found: dict[str, list[tuple[Any, ...]]] = {}
    for row in connection.execute(
        f"SELECT run_uuid, key, {values} FROM {table} WHERE run_uuid IN ({marks})", ids
    ):
        found.setdefault(row[0], []).append(tuple(row)[1:])
    return found
