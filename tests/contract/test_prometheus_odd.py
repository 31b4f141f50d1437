"""What real servers hold and no fake would think of: numbers that are none, series that end, begin
again, change their labels or have gaps."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, datetime
from typing import Any

import pytest

from tests.contract.ingested import ingest, landed
from tests.contract.prometheus import Labels, Server, remote_write, skip_without_prometheus

DAY = date(2026, 10, 22)
START = int(datetime.fromisoformat(f"{DAY}T00:00:00Z").timestamp())
MINUTES = 120
INTERVALS = MINUTES // 5
MEMORY, CPU = "container_memory_working_set_bytes", "container_cpu_usage_seconds_total"
WEIRD = 'we"ird\\|\n<b>'


def sampled(minute: int) -> Iterator[tuple[Labels, float | None]]:
    """Every series with a sample at a minute of the day."""

    def memory(pod: str, value: float | None, **labels: str) -> tuple[Labels, float | None]:
        of = {"__name__": MEMORY, "namespace": "odd", "pod": pod, "container": "app"}
        return of | labels, value

    yield memory("steady", 100.0)
    broken = float("nan") if 10 <= minute < 15 or minute == 31 else 100.0
    yield memory("broken", float("inf") if 20 <= minute < 25 else broken)
    if minute <= 60:
        yield memory("relabelled", 50.0, image="v1")
    if minute >= 60:
        yield memory("relabelled", 50.0, image="v2")
    if minute <= 33:
        yield memory("stopped", 70.0 if minute < 33 else None)
    for replica in ("a", "b"):
        yield memory("seen-twice", 10.0, prometheus_replica=replica)
    if not 40 <= minute < 60:
        yield memory("gap", 30.0)
    yield memory("weird", 20.0, container=WEIRD)
    counter = {"__name__": CPU, "namespace": "odd", "pod": "restarted", "container": "app"}
    # restarted a minute before: it counts from 0 again
    yield counter, 30.0 * (minute if minute < 62 else minute - 61)


@pytest.fixture(scope="module")
def taken(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """pod -> {interval: row}, and the codes of what was noted."""
    folder = tmp_path_factory.mktemp("odd")
    skip_without_prometheus()
    with Server(folder / "store") as server:
        server.start("--web.enable-remote-write-receiver")
        for minute in range(MINUTES + 1):
            remote_write(server.url, START + 60 * minute, list(sampled(minute)))
        counted = ingest(server.url, folder, DAY, DAY, cluster="c")
    rows: dict[str, dict[int, dict[str, Any]]] = {}
    for row in landed(folder).to_pylist():
        interval = (int(row["time"].timestamp()) - START) // 300
        if interval < INTERVALS:
            rows.setdefault(row["name"], {})[interval] = row
    return {"rows": rows, "notes": counted["notes"], "quarantined": counted["quarantined"]}


def values(taken: dict[str, Any], pod: str) -> dict[int, float]:
    return {interval: row["value"] for interval, row in taken["rows"][pod].items()}


def test_what_is_no_number_is_missing_and_told(taken: dict[str, Any]) -> None:
    """NaN in a mart turns every sum to NaN; zero in its place would look like an idle pod."""
    assert values(taken, "broken") == dict.fromkeys(set(range(INTERVALS)) - {2, 4, 6}, 100.0)
    assert "value_not_finite" in taken["notes"]
    assert taken["quarantined"] == 0


def test_a_series_that_changes_its_labels_is_counted_once(taken: dict[str, Any]) -> None:
    """At every new image the old and the new series overlap: adding them doubles the pod."""
    assert values(taken, "relabelled") == dict.fromkeys(range(INTERVALS), 50.0)
    assert {row["series"] for row in taken["rows"]["relabelled"].values()} == {1}


def test_a_series_that_ended_is_not_carried_on(taken: dict[str, Any]) -> None:
    """A pod that is gone uses nothing; the lookback of queries would keep it for minutes."""
    assert values(taken, "stopped") == dict.fromkeys(range(7), 70.0)


def test_two_servers_that_saw_one_target_are_one(taken: dict[str, Any]) -> None:
    """Highly available pairs show everything twice."""
    assert values(taken, "seen-twice") == dict.fromkeys(range(INTERVALS), 10.0)
    assert {row["series"] for row in taken["rows"]["seen-twice"].values()} == {1}


def test_a_gap_stays_a_gap(taken: dict[str, Any]) -> None:
    """A failed scrape is not a pod that used nothing."""
    assert values(taken, "gap") == dict.fromkeys(set(range(INTERVALS)) - set(range(8, 12)), 30.0)


def test_a_counter_that_begins_again_keeps_its_rate(taken: dict[str, Any]) -> None:
    """A restart must show neither as a negative rate nor as a spike of all that was counted."""
    assert values(taken, "restarted") == pytest.approx(dict.fromkeys(range(INTERVALS), 0.5))


def test_hostile_text_arrives_as_it_is(taken: dict[str, Any]) -> None:
    """A quote in a label must neither break a query nor another row."""
    assert {row["container"] for row in taken["rows"]["weird"].values()} == {WEIRD}
    assert values(taken, "steady") == dict.fromkeys(range(INTERVALS), 100.0)
