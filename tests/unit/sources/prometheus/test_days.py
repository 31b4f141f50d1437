"""Days of a store become deliveries, and their series rows of workloads."""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from finops_dagster.domain.deliveries import Landed
from finops_dagster.domain.errors import Unavailable
from finops_dagster.domain.schemas import METRICS
from finops_dagster.sources.prometheus import PrometheusSource
from finops_dagster.sources.prometheus.catalogue import CATALOGUE
from tests.unit.sources.prometheus.conftest import AFTER, DAY, START, add_pod, every
from tests.unit.sources.prometheus.store import Reply, Store, serving

CPU = "container_cpu_usage_seconds_total"
MEMORY = "container_memory_working_set_bytes"
Open = Callable[..., PrometheusSource]


def read(source: PrometheusSource, day: date = DAY) -> tuple[pa.Table, Landed]:
    """The rows of a day and what became of it."""
    (delivery,) = [one for one in source.deliveries() if one.partition == day]
    with source.read(delivery) as reading:
        rows = reading.rows.read_all()
        reading.quarantine.read_all()
        return rows, reading.landed


def of(rows: pa.Table, metric: str, **wanted: str) -> list[dict[str, Any]]:
    return [
        row
        for row in rows.to_pylist()
        if row["metric"] == metric and all(row[key] == value for key, value in wanted.items())
    ]


def codes(landed: Landed) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for note in landed.conformance:
        found.setdefault(note.code, []).append(note.column or "")
    return found


def test_every_metric_is_one_that_the_schema_knows() -> None:
    """A name of its own would land as a metric that nothing reads."""
    names = [metric.name for metric in CATALOGUE]
    assert len(set(names)) == len(names)
    assert set(names) <= set(METRICS)


def test_replicas_add_up_to_their_workload(store: Store, open_store: Open) -> None:
    """Half of a workload's use would be cut away with the replica that was left out."""
    with serving(store) as url:
        rows, landed = read(open_store(url))
    cpu = of(rows, CPU)
    assert [row["time"].hour for row in cpu] == list(range(24))
    first = cpu[0]
    assert (first["cluster"], first["namespace"], first["kind"], first["name"]) == (
        "c1", "shop", "Deployment", "cart",
    )  # fmt: skip
    assert (first["container"], first["interval_seconds"], first["series"]) == ("web", 3600, 2)
    assert [row["value"] for row in cpu] == pytest.approx([0.75] * 24)
    assert first["value_max"] == first["value_p95"] == pytest.approx(0.5), "of one replica"
    memory = of(rows, MEMORY)[5]
    assert memory["value"] == pytest.approx(2 * (100 + 300))
    assert (memory["value_max"], memory["value_p50"]) == (700, 400)
    assert [row["value"] for row in of(rows, "kube_pod_container_resource_requests_cpu")] == [
        4.0
    ] * 24
    assert landed.set_faults == ()
    assert landed.rows_quarantined == 0
    assert landed.delivery.known_at == datetime(2026, 1, 6, 0, 10, tzinfo=UTC)


def test_a_counter_is_exact_from_its_first_interval_to_its_last(
    store: Store, open_store: Open
) -> None:
    """`rate` halves the first interval of a counter that starts from 0: a start would look idle."""
    add_pod(store, "cart-66d-77777", cores=2.0, first=START + 7200, until=START + 14_400)
    with serving(store) as url:
        rows, _ = read(open_store(url))
    values = {row["time"].hour: (row["value"], row["series"]) for row in of(rows, CPU)}
    assert values[1] == values[4] == (pytest.approx(0.75), 2)
    assert values[2] == values[3] == (pytest.approx(2.75), 3)


def test_scrapes_need_not_be_told(open_store: Open) -> None:
    """A wrong guess of the time between samples would find no slope at all, or half of them."""
    store = Store()
    for seconds, pod in ((60, "quick-a1"), (60, "quick-b2")):
        samples = every(seconds, lambda s: 0.25 * s, until=START + 86_401)
        store.add(CPU, samples, namespace="n", pod=pod, container="c")
    with serving(store) as url:
        rows, _ = read(open_store(url, owners="pod"))
    assert {row["name"] for row in of(rows, CPU)} == {"quick-a1", "quick-b2"}
    assert {row["value"] for row in of(rows, CPU)} == {0.25}
    assert len(of(rows, CPU)) == 48


def test_two_servers_that_scrape_one_target_count_once(store: Store, open_store: Open) -> None:
    """A pair of servers for availability would double every workload."""
    twice = [({**labels, "prometheus_replica": "b"}, samples) for labels, samples in store.series]
    store.series += twice
    with serving(store) as url:
        rows, landed = read(open_store(url))
    assert {row["value"] for row in of(rows, CPU)} == {0.75}
    assert "owner_contradicted" not in codes(landed)


def test_labels_that_change_are_no_second_container(store: Store, open_store: Open) -> None:
    """A container that restarted has a new id: adding both would show use that never was."""
    half = START + 43_200
    for labels, samples in list(store.series):
        if labels["__name__"] == MEMORY:
            store.series.remove((labels, samples))
            early = {at: value for at, value in samples.items() if at < half + 1200}
            late = {at: value for at, value in samples.items() if at >= half}
            store.series += [({**labels, "id": "1"}, early), ({**labels, "id": "2"}, late)]
    with serving(store) as url:
        rows, _ = read(open_store(url))
    assert {row["series"] for row in of(rows, MEMORY)} == {2}
    assert max(row["value"] for row in of(rows, MEMORY)) <= 2 * 700


def test_labels_of_pods_are_those_of_their_workload(store: Store, open_store: Open) -> None:
    """A team that labels its pods would else pay nothing of machines that are billed whole."""
    labels = {"label_app_kubernetes_io_name": "cart", "label_cost_center": "CC-1"}
    for pod, own in (("cart-66d-1", {"label_team": "red"}), ("cart-66d-2", {"label_team": "blue"})):
        add_pod(store, pod, cores=1.0)
        until = START + (21_600 if own["label_team"] == "blue" else 86_400)
        samples = every(300, lambda s: 1.0, until=until)
        store.add("kube_pod_labels", samples, namespace="shop", pod=pod, **labels, **own)
    store.add("kube_pod_labels", every(300, lambda s: 1.0), namespace="shop", pod="nobody-x")
    wanted = ("team", "app.kubernetes.io/name", "costCenter", "absent")
    with serving(store) as url:
        rows, landed = read(open_store(url, pod_labels=wanted))
        without, _ = read(open_store(url))
    told = of(rows, "kube_pod_labels")
    assert {(row["kind"], row["name"]) for row in told} == {("Deployment", "cart")}
    assert {(row["label"], row["label_value"]): row["value"] for row in told} == {
        ("team", "red"): 24, ("team", "blue"): 6, ("app_kubernetes_io_name", "cart"): 30,
        ("cost_center", "CC-1"): 30,
    }  # fmt: skip
    assert {row["interval_seconds"] for row in told} == {86_400}
    assert landed.rows_quarantined == 0
    assert of(without, "kube_pod_labels") == []
    same = [
        rows.drop_columns(["delivery_id", "known_at"]),
        without.drop_columns(["delivery_id", "known_at"]),
    ]
    assert [row for row in same[0].to_pylist() if row["label"] is None] == same[1].to_pylist()


def test_owners_are_those_of_the_hour(store: Store, open_store: Open) -> None:
    """A pod that is taken over, or whose name is used again, must not give its past away."""
    noon = START + 43_200
    pod = {"namespace": "shop", "pod": "reused", "container": "web"}
    store.add(MEMORY, every(300, lambda s: 7.0), **pod)
    for owner, window in (("one", {"until": noon}), ("two", {"first": noon})):
        store.add(
            "kube_pod_owner",
            every(300, lambda s: 1.0, **window),
            namespace="shop",
            pod="reused",
            owner_kind="StatefulSet",
            owner_name=owner,
        )
    with serving(store) as url:
        rows, _ = read(open_store(url))
    hours = {
        name: [row["time"].hour for row in of(rows, MEMORY, name=name)] for name in ("one", "two")
    }
    assert hours == {"one": list(range(12)), "two": list(range(12, 24))}


def test_a_job_belongs_to_its_cron_job_and_a_bare_pod_to_itself(
    store: Store, open_store: Open
) -> None:
    """A run per night would be a workload per night, each too young to size."""
    for pod, kind, owner in (
        ("tidy-28-abcde", "Job", "tidy-28"),
        ("alone", "<none>", "<none>"),
        ("proxy-node1", "Node", "node1"),
        ("lost", "", ""),
    ):
        labels = {"namespace": "ops", "pod": pod}
        store.add(MEMORY, every(300, lambda s: 1.0), container="run", **labels)
        if kind:
            store.add(
                "kube_pod_owner",
                every(300, lambda s: 1.0),
                owner_kind=kind,
                owner_name=owner,
                **labels,
            )
    store.add(
        "kube_job_owner",
        every(300, lambda s: 1.0),
        namespace="ops",
        job_name="tidy-28",
        owner_kind="CronJob",
        owner_name="tidy",
    )
    with serving(store) as url:
        rows, landed = read(open_store(url))
    found = {(row["kind"], row["name"]) for row in of(rows, MEMORY, namespace="ops")}
    assert found == {
        ("CronJob", "tidy"), ("Pod", "alone"), ("Pod", "proxy-node1"), ("Pod", "lost"),
    }  # fmt: skip
    (note,) = [one for one in landed.conformance if one.code == "owner_unknown"]
    assert "ops/lost" in note.expected
    assert "alone" not in note.expected


def test_owners_that_contradict_each_other_are_not_guessed(store: Store, open_store: Open) -> None:
    """Two clusters under one name would give one team the other's pods."""
    store.add(
        "kube_pod_owner",
        every(300, lambda s: 1.0),
        namespace="shop",
        pod="cart-66d-9bbcd",
        owner_kind="DaemonSet",
        owner_name="agent",
        owner_is_controller="true",
    )
    with serving(store) as url:
        rows, landed = read(open_store(url))
    assert {(row["kind"], row["name"]) for row in of(rows, CPU)} == {
        ("Deployment", "cart"), ("Pod", "cart-66d-9bbcd"),
    }  # fmt: skip
    assert "owner_contradicted" in codes(landed)


def test_requests_of_finished_pods_are_held_by_nobody(store: Store, open_store: Open) -> None:
    """Finished jobs stay listed for days: their requests would hide what a cluster has left."""
    store.add(
        "kube_pod_status_phase",
        every(300, lambda s: 1.0),
        namespace="shop",
        pod="cart-66d-9bbcd",
        phase="Succeeded",
    )
    asked: list[str] = []

    def note(number: int, query: str, reply: Reply) -> Reply:
        asked.append(query)
        if " unless on (" not in query:
            return reply
        assert "unless on (exported_namespace, namespace, exported_pod, pod)" in query
        return Reply(200, b'{"status":"success","data":{"resultType":"matrix","result":[]}}')

    store.spoil = note
    with serving(store) as url:
        read(open_store(url))
    assert any('phase=~"Succeeded|Failed"' in query for query in asked)


def test_slices_of_a_gpu_are_parts_of_one(store: Store, open_store: Open) -> None:
    """A pod with a seventh of a GPU would pay for a whole one, and a node seem to have seven."""
    held = {"nvidia_com_gpu": 1.0, "nvidia_com_mig_1g_5gb": 2.0, "nvidia_com_mig_3g_20gb_me": 1.0}
    for resource, count in {**held, "example_com_fpga": 4.0}.items():
        labels = {"resource": resource, "node": "gpu-1", "instance": "exporter:8080"}
        for side, factor in (("capacity", 2.0), ("allocatable", 1.0)):
            samples = every(300, lambda s, value=factor * count: value)
            store.add(f"kube_node_status_{side}", samples, **labels)
        store.add(
            "kube_pod_container_resource_requests",
            every(300, lambda s, value=count: value),
            namespace="shop",
            pod="cart-66d-9bbcd",
            container="web",
            resource=resource,
        )
    with serving(store) as url:
        rows, _ = read(open_store(url))
    whole = 1 + 2 / 7 + 3 / 7
    for metric, kind, name, value in (
        ("kube_node_status_capacity_gpu", "Node", "gpu-1", 2 * whole),
        ("kube_node_status_allocatable_gpu", "Node", "gpu-1", whole),
        ("kube_pod_container_resource_requests_gpu", "Deployment", "cart", whole),
    ):
        found = of(rows, metric)
        assert {(row["kind"], row["name"]) for row in found} == {(kind, name)}
        assert [row["value"] for row in found] == pytest.approx([value] * 24)


def test_gaps_are_told_and_never_zeros(store: Store, open_store: Open) -> None:
    """An hour without scrapes read as zero use would size a workload to nothing."""
    hole = range(START + 36_000, START + 43_200)
    store.series = [
        (labels, {at: value for at, value in samples.items() if at not in hole})
        for labels, samples in store.series
    ]
    with serving(store) as url:
        rows, landed = read(open_store(url))
    assert [row["time"].hour for row in of(rows, MEMORY)] == [*range(10), *range(12, 24)]
    assert MEMORY in codes(landed)["metric_incomplete"]
    (note,) = [
        one
        for one in landed.conformance
        if one.code == "metric_incomplete" and one.column == MEMORY
    ]
    assert "22 have one" in note.expected
    absent = " ".join(one.expected for one in landed.conformance if one.code == "metric_absent")
    assert "container_oom_events_total" in absent, "a metric of an exporter that is there"
    assert "DCGM exporter" in absent, "an exporter that is not there"


def test_what_is_no_number_is_left_out_and_counted(store: Store, open_store: Open) -> None:
    """One NaN in a sum makes the workload's whole hour undefined; an infinity makes it endless."""
    store.add(
        MEMORY,
        {**every(300, lambda s: float("nan"), until=START + 3600),
         **every(300, lambda s: float("inf"), first=START + 3600, until=START + 7200),
         **every(300, lambda s: 5.0, first=START + 7200)},
        namespace="shop", pod="odd", container="web",
    )  # fmt: skip
    with serving(store) as url:
        rows, landed = read(open_store(url, owners="pod"))
    assert [row["time"].hour for row in of(rows, MEMORY, name="odd")] == list(range(2, 24))
    (note,) = [one for one in landed.conformance if one.code == "value_not_finite"]
    assert (note.column, landed.rows_quarantined) == (MEMORY, 0)


def test_clusters_are_told_apart_by_their_label(store: Store, open_store: Open) -> None:
    """Two clusters have the same namespaces and pods: one would be billed the other's use."""
    store.series = [
        ({**labels, "kluster": name}, samples)
        for name in ("east", "west", "")
        for labels, samples in store.series
    ]
    with serving(store) as url:
        rows, landed = read(open_store(url, cluster=None, cluster_label="kluster"))
    assert {row["cluster"] for row in of(rows, CPU)} == {"east", "west"}
    assert {row["value"] for row in of(rows, CPU)} == {0.75}
    assert CPU in codes(landed)["series_without_owner"]


def test_only_days_that_ended_settled_and_were_measured_are_deliveries(
    store: Store, open_store: Open
) -> None:
    """Half a day would look like a day of falling demand; a day of nothing like an outage."""
    ended, early = datetime(2026, 1, 6, 0, 10, tzinfo=UTC), datetime(2026, 1, 6, 0, 9, tzinfo=UTC)
    late = datetime(2026, 1, 8, 1, tzinfo=UTC)
    with serving(store) as url:
        days = {
            now: [one.partition for one in open_store(url, now=now).deliveries()]
            for now in (ended, early, late)
        }
    assert days == {ended: [DAY], early: [], late: []}, "by reach_days the 6th and 7th alone"


def test_another_question_is_another_delivery_known_since(store: Store, open_store: Open) -> None:
    """Rows of another grid under the same id would never replace those that landed."""
    with serving(store) as url:
        (one,) = open_store(url).deliveries()
        (same,) = open_store(url, max_samples=5_000, concurrency=1).deliveries()
        (other,) = open_store(url, step_seconds=7200).deliveries()
    assert one == same
    assert other.delivery_id != one.delivery_id
    assert (one.known_at, other.known_at) == (datetime(2026, 1, 6, 0, 10, tzinfo=UTC), AFTER)


def test_small_answers_give_the_same_rows(store: Store, open_store: Open, tmp_path: Path) -> None:
    """A server with a low limit must not cost a workload its evidence."""
    for number in range(20):
        add_pod(store, f"cart-66d-{number:05d}")
    with serving(store) as url:
        whole, _ = read(open_store(url))
        store.max_samples = 2_000
        source = open_store(url, folder=tmp_path / "other")
        split, _ = read(source)
        planned = open_store(url, folder=tmp_path / "planned", max_samples=2_000)
        cut, _ = read(planned)
    assert source.statistics.splits > 0
    assert planned.statistics.largest_estimate <= 2_000
    assert whole.equals(split)
    assert whole.equals(cut)


def test_an_interrupted_day_goes_on_from_where_it_was(
    store: Store, open_store: Open, tmp_path: Path
) -> None:
    """A store of thousands of pods takes an hour: from the start every time, it never ends."""
    with serving(store) as url:
        whole, _ = read(open_store(url, folder=tmp_path / "whole"))
        asked = len(store.requests)
        stop = threading.Event()

        def fail(number: int, query: str, reply: Reply) -> Reply | None:
            if number >= asked + asked * 3 // 4:
                stop.set()
            return None if stop.is_set() else reply

        store.spoil = fail
        with pytest.raises(Unavailable, match="tried 8 times"):
            read(open_store(url))
        done = list((tmp_path / "mirror").rglob("answers/*.parquet"))
        assert done
        stop.clear()
        store.spoil = lambda number, query, reply: reply
        source = open_store(url)
        again, _ = read(source)
        assert source.statistics.chunks_reused == len(done)
        assert again.equals(whole)
        before = len(store.requests)
        once_more, _ = read(open_store(url))
    assert once_more.equals(whole)
    asked_again = [query for query in store.requests[before:] if "(" in query]
    assert asked_again == [], "a day that is whole is not asked again"
