"""MLflow read by REST and by its SQLite file, from fakes of both that misbehave.

That the real package writes such stores is shown in `test_real_mlflow`.
"""

from __future__ import annotations

import json
import sqlite3
import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from finops_dagster.domain.errors import Unavailable
from finops_dagster.sources.collected import CollectedSource, open_collected
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
from finops_dagster.sources.shapes import Limits

NOON = datetime(2026, 3, 5, 12, tzinfo=UTC)
OPTIONS = MlflowOptions(reach_days=3, open_days=2, page_size=2, attempts=3)
LENIENT = Limits(quarantined_row_share=1)  # type: ignore[arg-type]


def ms(moment: datetime) -> int:
    return int(moment.timestamp()) * 1000


def hours(count: float) -> timedelta:
    return timedelta(hours=count)


SCHEMA = """
    CREATE TABLE experiments (experiment_id INTEGER, name VARCHAR);
    CREATE TABLE runs (run_uuid VARCHAR, name VARCHAR, user_id VARCHAR, status VARCHAR,
        start_time BIGINT, end_time BIGINT, lifecycle_stage VARCHAR, experiment_id INTEGER);
    CREATE TABLE latest_metrics (key VARCHAR, value DOUBLE, timestamp BIGINT, step BIGINT,
        is_nan BOOLEAN, run_uuid VARCHAR);
    CREATE TABLE params (key VARCHAR, value VARCHAR, run_uuid VARCHAR);
    CREATE TABLE tags (key VARCHAR, value VARCHAR, run_uuid VARCHAR);
    CREATE TABLE model_versions (name VARCHAR, version INTEGER, creation_time BIGINT,
        last_updated_time BIGINT, user_id VARCHAR, current_stage VARCHAR, run_id VARCHAR,
        status VARCHAR);
    CREATE TABLE registered_model_aliases (alias VARCHAR, version INTEGER, name VARCHAR);
    CREATE TABLE alembic_version (version_num VARCHAR);
    INSERT INTO experiments VALUES (1, 'fraud');
    INSERT INTO alembic_version VALUES ('cc1f77228345');
"""


class Store:
    """A SQLite store of MLflow 2's tables."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.execute_script(SCHEMA)

    def execute_script(self, sql: str) -> None:
        with sqlite3.connect(self.path) as connection:
            connection.executescript(sql)
        connection.close()

    def add(self, table: str, *rows: tuple[Any, ...]) -> None:
        with sqlite3.connect(self.path) as connection:
            for row in rows:
                marks = ", ".join("?" * len(row))
                connection.execute(f"INSERT INTO {table} VALUES ({marks})", row)
        connection.close()

    def run(
        self,
        id_: str,
        start: datetime | int | None,
        end: datetime | int | None = None,
        status: str = "FINISHED",
        user: str | None = "ana",
        stage: str = "active",
    ) -> None:
        times = [ms(one) if isinstance(one, datetime) else one for one in (start, end)]
        self.add("runs", (id_, f"name {id_}", user, status, *times, stage, 1))


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "mlflow.db")


def opened(
    tracker: Tracker,
    folder: Path,
    now: datetime = NOON,
    limits: Limits = LENIENT,
    options: MlflowOptions = OPTIONS,
) -> CollectedSource:
    return open_collected(
        "tracking",
        folder,
        RUN_LOG,
        partial(tracked_runs, tracker, options),
        "there",
        options.reach_days,
        limits,
        now=lambda: now,
    )


def read(source: CollectedSource) -> tuple[dict[str, list[dict[str, Any]]], dict[str, list[str]]]:
    """Rows by day of the delivery known last, and reasons of the rows set aside."""
    rows: dict[str, list[dict[str, Any]]] = {}
    reasons: dict[str, list[str]] = {}
    for delivery in source.deliveries():
        with source.read(delivery) as reading:
            rows[str(delivery.partition)] = reading.rows.read_all().to_pylist()
            aside = reading.quarantine.read_all().to_pylist()
            reasons[str(delivery.partition)] = [r for one in aside for r in one["reasons"]]
    return rows, reasons


def test_a_run_over_midnight_has_no_end_on_its_first_day(store: Store, tmp_path: Path) -> None:
    """The end told on a day that did not know it would rewrite what was decided on."""
    store.run("a", NOON - hours(30), NOON - hours(10))
    store.add("latest_metrics", ("auc", 0.9, ms(NOON - hours(11)), 1, 0, "a"))
    store.add("latest_metrics", ("early", 0.5, ms(NOON - hours(29)), 1, 0, "a"))
    rows, _ = read(opened(SqliteTracker("t", store.path), tmp_path / "kept"))
    assert rows["2026-03-02"] == rows["2026-03-03"] == []
    (first,) = rows["2026-03-04"]
    assert (first["status"], first["ended_at"]) == ("running", None)
    assert dict(first["metrics"]) == {"early": 0.5}
    later, _ = read(opened(SqliteTracker("t", store.path), tmp_path / "kept", NOON + hours(24)))
    (second,) = later["2026-03-05"]
    assert (second["status"], second["ended_at"]) == ("finished", NOON - hours(10))
    assert second["time"] == datetime(2026, 3, 5, tzinfo=UTC)
    assert dict(second["metrics"]) == {"auc": 0.9, "early": 0.5}


def test_what_changed_is_a_delivery_more_and_what_did_not_is_none(
    store: Store, tmp_path: Path
) -> None:
    """A tag set today must not look as if it had been known when the day was decided."""
    store.run("a", NOON - hours(26), NOON - hours(25))
    tracker = SqliteTracker("t", store.path)
    before = list(opened(tracker, tmp_path / "kept").deliveries())
    assert [one.known_at.hour for one in before] == [0, 0, 0]
    assert list(opened(tracker, tmp_path / "kept").deliveries()) == before
    store.add("tags", ("team", "risk", "a"))
    after = list(opened(tracker, tmp_path / "kept").deliveries())
    assert after[:3] == before
    (changed,) = after[3:]
    assert str(changed.partition) == "2026-03-04"
    assert changed.known_at > before[-1].known_at + timedelta(hours=1)


def test_odd_runs_are_kept_told_or_set_aside(store: Store, tmp_path: Path) -> None:
    """A run that vanished would leave its cost to nobody, and nobody would know."""
    store.run("deleted", NOON - hours(26), NOON - hours(25), stage="deleted")
    store.run("nobody", NOON - hours(26), NOON - hours(25), user="unknown")
    store.run("tagged", NOON - hours(26), NOON - hours(25), user="")
    store.add("tags", ("mlflow.user", "bo", "tagged"), ("<script>|`rm -rf`", "'; DROP", "tagged"))
    store.run("backwards", NOON - hours(25), NOON - hours(27))
    store.run("in_seconds", ms(NOON - hours(26)) // 1000, None, "RUNNING")
    store.run("left_open", NOON - hours(24 * 40), None, "RUNNING")
    store.run("planned", None, None, "SCHEDULED")
    store.add(
        "latest_metrics",
        ("loss", 0.0, ms(NOON - hours(26)), 1, 1, "nobody"),
        ("ratio", 1.7976931348623157e308, ms(NOON - hours(26)), 1, 0, "nobody"),
    )
    rows, reasons = read(opened(SqliteTracker("t", store.path), tmp_path / "kept"))
    day = {row["run_id"]: row for row in rows["2026-03-04"]}
    assert day.keys() == {"deleted", "nobody", "tagged"}
    assert day["deleted"]["lifecycle"] == "deleted"
    assert (day["nobody"]["owner"], day["tagged"]["owner"]) == (None, "bo")
    assert ("<script>|`rm -rf`", "'; DROP") in day["tagged"]["tags"]
    assert day["nobody"]["metrics"] == []
    assert dict(day["nobody"]["metrics_not_finite"]) == {"loss": "NaN", "ratio": "Infinity"}
    told = sorted(reason.split(":")[0] for reason in reasons["2026-03-04"])
    assert told == ["end_before_start ended_at", "start_implausible started_at"]
    assert reasons["2026-03-03"] == []


def test_a_store_that_is_written_to_is_read(store: Store, tmp_path: Path) -> None:
    """A tracking server keeps its file open for ever."""
    writer = sqlite3.connect(store.path)
    writer.execute("PRAGMA journal_mode = WAL")
    writer.execute("INSERT INTO experiments VALUES (2, 'held')")
    store.path.touch()
    rows, _ = read(opened(SqliteTracker("t", store.path), tmp_path / "kept"))
    assert rows["2026-03-04"] == []
    writer.rollback()
    writer.close()


def test_another_schema_is_told_by_what_is_missing(store: Store, tmp_path: Path) -> None:
    """A file that is no store, or an older one, must not look like a team without runs."""
    store.execute_script("ALTER TABLE runs DROP COLUMN end_time")
    with pytest.raises(Unavailable) as error:
        list(opened(SqliteTracker("t", store.path), tmp_path / "kept").deliveries())
    assert "runs.end_time" in error.value.message
    assert "cc1f77228345" in error.value.message
    other = tmp_path / "notes.db"
    other.write_text("no database")
    with pytest.raises(Unavailable, match="SQLite"):
        list(opened(SqliteTracker("t", other), tmp_path / "other").deliveries())


def test_versions_land_on_the_day_they_were_made_and_changed(store: Store, tmp_path: Path) -> None:
    """A stage reached later must not show on the day of registration."""
    made, changed = ms(NOON - hours(50)), ms(NOON - hours(25))
    store.add("model_versions", ("m", 1, made, changed, None, "Production", "a", "READY"))
    store.add("model_versions", ("m", 2, made, changed, None, "Deleted_Internal", "a", "READY"))
    store.add("registered_model_aliases", ("champion", 1, "m"))
    source = open_collected(
        "tracking",
        tmp_path / "kept",
        MODEL_VERSION_LOG,
        partial(tracked_versions, SqliteTracker("t", store.path)),
        "there",
        3,
        now=lambda: NOON,
    )
    rows, _ = read(source)
    assert [(r["version"], r["stage"], r["aliases"]) for r in rows["2026-03-03"]] == [
        ("1", None, None)
    ]
    assert [(r["version"], r["stage"], r["aliases"]) for r in rows["2026-03-04"]] == [
        ("1", "Production", "champion")
    ]


Answer = tuple[int, dict[str, str], bytes]


@pytest.fixture
def server() -> Iterator[Callable[[Callable[[str, dict[str, Any], Any], Answer]], str]]:
    """Starts a server that answers by a function of path, body and headers; gives its URL."""
    servers = []

    def start(answer: Callable[[str, dict[str, Any], Any], Answer]) -> str:
        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                size = int(self.headers.get("Content-Length", 0))
                body = json.loads(self.rfile.read(size) or b"{}")
                status, headers, content = answer(self.path, body, self.headers)
                self.send_response(status)
                for name, value in headers.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

            do_GET = do_POST  # noqa: N815 - the library's name

            def log_message(self, *_: Any) -> None:
                pass

        served = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=served.serve_forever, daemon=True).start()
        servers.append(served)
        return f"http://127.0.0.1:{served.server_port}"

    yield start
    for served in servers:
        served.shutdown()
        served.server_close()


def as_json(value: Any) -> Answer:
    return 200, {"Content-Type": "application/json"}, json.dumps(value).encode()


def rest(url: str, credentials: Credentials | None = None) -> RestTracker:
    return RestTracker("my-ml", url, OPTIONS, credentials or Credentials(), sleep=lambda _: None)


def run_answer(id_: str) -> dict[str, Any]:
    return {
        "info": {
            "run_id": id_,
            "experiment_id": "1",
            "status": "FINISHED",
            "start_time": str(ms(NOON - hours(26))),
            "end_time": ms(NOON - hours(25)),
            "user_id": "ana",
            "lifecycle_stage": "active",
        },
        "data": {"metrics": [{"key": "x", "value": "NaN", "timestamp": str(ms(NOON - hours(26)))}]},
    }


def test_pages_are_put_together_and_a_run_told_twice_is_one(server: Any, tmp_path: Path) -> None:
    """A page lost or taken twice would move cost between runs."""
    tried: list[str] = []

    def answer(path: str, body: dict[str, Any], headers: Any) -> Answer:
        assert headers["Authorization"] == "Bearer s3cret"
        tried.append(path)
        if len(tried) == 1:
            return 503, {"Retry-After": "0"}, b"busy"
        if path.endswith("experiments/search"):
            return as_json({"experiments": [{"experiment_id": "1", "name": "fraud"}]})
        assert body["run_view_type"] == "ALL"
        if not body.get("page_token"):
            return as_json({"runs": [run_answer("a"), run_answer("b")], "next_page_token": "2"})
        return as_json({"runs": [run_answer("b"), run_answer("c")]})

    tracker = rest(server(answer), Credentials(token="s3cret"))
    rows, _ = read(opened(tracker, tmp_path / "kept"))
    assert [row["run_id"] for row in rows["2026-03-04"]] == ["a", "b", "c"]
    assert rows["2026-03-04"][0]["experiment"] == "fraud"
    assert dict(rows["2026-03-04"][0]["metrics_not_finite"]) == {"x": "NaN"}


HTML = b"<!doctype html><html><title>Sign in</title></html>"


@pytest.mark.parametrize(
    ("answered", "code", "hint"),
    [
        ((200, {"Content-Type": "text/html"}, HTML), "tracker_login", "FINOPS_CREDENTIALS__MY_ML"),
        ((302, {"Location": "https://login"}, b""), "tracker_login", "FINOPS_CREDENTIALS__MY_ML"),
        ((401, {}, b"{}"), "tracker_login", "FINOPS_CREDENTIALS__MY_ML"),
        ((404, {}, HTML), "tracker_address", "path"),
        ((500, {}, b"oops"), "tracker_unavailable", "again"),
        ((400, {}, b'{"message": "Invalid attribute key"}'), "tracker_refused", "1.30"),
        ((200, {}, b"[1]"), "answer_strange", "path"),
        ((200, {}, b'{"experiments": [1]}'), "answer_strange", "path"),
    ],
)
def test_what_is_no_answer_is_told_with_what_to_do(
    server: Any, tmp_path: Path, answered: Answer, code: str, hint: str
) -> None:
    """A login page taken for an empty server would leave every run without cost."""
    tracker = rest(server(lambda *_: answered))
    with pytest.raises(Unavailable) as error:
        list(opened(tracker, tmp_path / "kept").deliveries())
    (fault,) = error.value.faults
    assert fault.code == code
    assert hint in fault.hint


def test_pages_that_go_in_circles_end(server: Any, tmp_path: Path) -> None:
    """A server's bug must not keep a run busy until its disk is full."""
    tracker = rest(server(lambda *_: as_json({"experiments": [], "next_page_token": "again"})))
    with pytest.raises(Unavailable, match="same page"):
        list(opened(tracker, tmp_path / "kept").deliveries())


def test_nothing_is_kept_of_a_look_that_failed(server: Any, store: Store, tmp_path: Path) -> None:
    """Half of a look, kept, would be a delivery with half of the runs."""
    store.run("a", NOON - hours(26), NOON - hours(25))
    before = list(opened(SqliteTracker("t", store.path), tmp_path / "kept").deliveries())
    with pytest.raises(Unavailable):
        list(opened(rest(server(lambda *_: (500, {}, b""))), tmp_path / "kept").deliveries())
    assert list(opened(SqliteTracker("t", store.path), tmp_path / "kept").deliveries()) == before
