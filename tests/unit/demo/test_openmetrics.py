"""The estate as exporters show it: the same numbers as its telemetry, in text Prometheus takes."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

from finops_dagster.demo import expose
from finops_dagster.demo.demand import sizing_on
from finops_dagster.demo.openmetrics import enlarged, write_openmetrics
from finops_dagster.demo.plan import Plan, build
from finops_dagster.demo.replicas import controller, pods_of
from finops_dagster.demo.seasons import AS_OF, FINE_MINUTES, minutes_of
from finops_dagster.domain.errors import Stopped

from .conftest import SEED

STEP = 60 * FINE_MINUTES
_LINE = re.compile(r"(\w+)\{(.*)\} (\S+) (\d+)")
_LABEL = re.compile(r'(\w+)="((?:[^"\\]|\\.)*)"')

Samples = dict[tuple[str, tuple[tuple[str, str], ...]], dict[int, float]]
"""Metric and labels -> second -> value."""


@dataclass(frozen=True)
class Text:
    """An OpenMetrics text, read the plain way."""

    samples: Samples
    types: list[tuple[str, str]]
    last_line: str


def parsed(path: Path) -> Text:
    samples: Samples = defaultdict(dict)
    types = []
    line = ""
    for line in path.read_text().splitlines():
        if line.startswith("# TYPE "):
            family, kind = line.split()[2:]
            types.append((family, kind))
        elif not line.startswith("#"):
            match = _LINE.fullmatch(line)
            assert match is not None, line
            metric, inner, value, second = match.groups()
            of = samples[metric, tuple(_LABEL.findall(inner))]
            assert not of or int(second) > max(of), f"out of order: {line}"
            of[int(second)] = float(value)
    return Text(samples, types, line)


@pytest.fixture(scope="module")
def text(estate: Path, tmp_path_factory: pytest.TempPathFactory) -> Text:
    out = tmp_path_factory.mktemp("openmetrics") / "estate.om"
    expose(estate, out, 1, 1, STEP)
    return parsed(out)


def _rows(text: Text) -> Iterator[tuple[tuple[str, str, str, str], str, int, float]]:
    """(metric, namespace, pod or other object, container), cluster, second, value or rate."""
    for (metric, pairs), samples in text.samples.items():
        labels = dict(pairs)
        if metric.endswith("_owner") or metric == "kube_pod_labels":
            continue
        if metric in WHOLES and not labels["container"]:
            continue
        if metric == "node_cpu_seconds_total" and labels["mode"] == "idle":
            continue
        if "resource" in labels:
            metric = f"{metric}_{labels['resource'].removeprefix('nvidia_com_')}"
        names = ("pod", "persistentvolumeclaim", "instance", "deployment", "statefulset",
                 "daemonset", "cronjob", "node")  # fmt: skip
        name = next(labels[one] for one in names if one in labels)
        key = (metric, labels.get("namespace", ""), name, labels.get("container", ""))
        for second, value in samples.items():
            if not metric.endswith("_total"):
                yield key, labels["cluster"], second, value
            elif second + STEP in samples:
                after = samples[second + STEP]
                yield key, labels["cluster"], second, (after - value * (after >= value)) / STEP


WHOLES = ("container_cpu_usage_seconds_total", "container_memory_working_set_bytes")
MEANS = ("DCGM_FI_DEV_GPU_UTIL",)
REPLICAS = {
    "kube_statefulset_replicas",
    "kube_daemonset_status_desired_number_scheduled",
    "kube_cronjob_status_active",
}


def _owners(text: Text) -> dict[tuple[str, str], tuple[str, str]]:
    """(namespace, pod) -> kind and name of its workload, as an ordinary reader joins them."""
    above: dict[tuple[str, str, str], tuple[str, str]] = {}
    for (metric, pairs), _ in text.samples.items():
        labels = dict(pairs)
        if metric in ("kube_replicaset_owner", "kube_job_owner"):
            kind = "ReplicaSet" if "replicaset" in labels else "Job"
            name = labels.get("replicaset") or labels["job_name"]
            above[labels["namespace"], kind, name] = labels["owner_kind"], labels["owner_name"]
    owners = {}
    for (metric, pairs), _ in text.samples.items():
        labels = dict(pairs)
        if metric == "kube_pod_owner":
            owner = labels["owner_kind"], labels["owner_name"]
            place = labels["namespace"]
            owners.setdefault((place, labels["pod"]), above.get((place, *owner), owner))
        if metric == "kube_pod_labels":
            service = labels["label_serving_kserve_io_inferenceservice"]
            owners[labels["namespace"], labels["pod"]] = "InferenceService", service
    return owners


def test_summed_over_replicas_it_says_what_telemetry_says(estate: Path, text: Text) -> None:
    """An export of other numbers would prove of an ingestion that it reads them, and no more."""
    owners = _owners(text)
    labelled = [dict(pairs) for _, pairs in text.samples]
    assert {(one["namespace"], one["pod"]) for one in labelled if "pod" in one} == owners.keys()
    values: dict[tuple[str, ...], list[float]] = defaultdict(list)
    for (metric, namespace, name, container), cluster, second, value in _rows(text):
        _, owner = owners.get((namespace, name), ("", name))
        if metric in REPLICAS:
            metric = "kube_deployment_spec_replicas"
        at = str(second)
        values[metric, cluster, namespace, owner.split(":")[0], container, at].append(value)
    found = {
        key: sum(several) / (len(several) if key[0] in MEANS else 1)
        for key, several in values.items()
    }
    expected = {}
    table = pq.read_table(estate / "telemetry" / f"day={AS_OF}" / "part-0.parquet")
    for row in table.to_pylist():
        name = row["name"]
        if row["kind"] == "InferenceService" and row["metric"].startswith("kube_deployment"):
            name = f"{name}-predictor"
        second = int(row["time"].timestamp())
        place = (row["cluster"], row["namespace"], name, row["container"])
        expected[row["metric"], *place, str(second)] = row["value"]
    assert found.keys() == expected.keys()
    got = np.array([found[key] for key in expected])
    np.testing.assert_allclose(got, np.array(list(expected.values())), rtol=1e-9)


def test_bytes_of_replicas_are_whole_and_differ(text: Text) -> None:
    """Equal replicas would let a reader take the largest for the mean, and half bytes are none."""
    of: dict[tuple[str, int], list[float]] = defaultdict(list)
    for (metric, pairs), samples in text.samples.items():
        labels = dict(pairs)
        if metric == WHOLES[1] and labels["container"] and labels["namespace"] == "search":
            for second, value in samples.items():
                assert value == int(value)
                of[labels["container"], second].append(value)
    several = [values for values in of.values() if len(values) > 1]
    assert several
    assert all(len(set(values)) == len(values) for values in several)


def test_it_is_openmetrics(text: Text) -> None:
    """Families that are split, or counters without their suffix, are refused by strict readers."""
    families = [family for family, _ in text.types]
    assert len(families) == len(set(families))
    kinds = dict(text.types)
    for metric, _ in text.samples:
        if metric.endswith("_total"):
            assert kinds[metric.removesuffix("_total")] == "counter"
        else:
            assert kinds[metric] == "gauge"
    assert text.last_line == "# EOF"


def test_any_window_tells_the_same(tmp_path: Path) -> None:
    """Two exports side by side must not contradict each other: names and totals are those of life,
    not of the window."""
    few = Plan(SEED, build(SEED).workloads[:1], ())
    yesterday = AS_OF - timedelta(days=1)
    write_openmetrics(tmp_path / "two", few, {}, {}, yesterday, AS_OF)
    write_openmetrics(tmp_path / "one", few, {}, {}, AS_OF, AS_OF)
    two, one = parsed(tmp_path / "two").samples, parsed(tmp_path / "one").samples
    pods = {key: samples for key, samples in one.items() if not key[0].startswith("node_")}
    assert len(pods) > 20
    for key, samples in pods.items():
        for second, value in samples.items():
            assert two[key][second] == pytest.approx(value, rel=1e-12)


def test_a_finer_scrape_tells_the_same_slopes(tmp_path: Path) -> None:
    """Who scrapes each minute must not see another estate than who scrapes every five."""
    few = Plan(SEED, tuple(w for w in build(SEED).workloads if w.spec.name == "fx-rates"), ())
    write_openmetrics(tmp_path / "fine", few, {}, {}, AS_OF, AS_OF, 60)
    write_openmetrics(tmp_path / "coarse", few, {}, {}, AS_OF, AS_OF, STEP)
    fine, coarse = parsed(tmp_path / "fine").samples, parsed(tmp_path / "coarse").samples
    assert fine.keys() == coarse.keys()
    for key, samples in coarse.items():
        assert samples.items() <= fine[key].items()
        assert len(fine[key]) >= 5 * (len(samples) - 1)


def test_pods_change_names_with_releases_and_with_declared_values() -> None:
    """A reader that joins by pod names across a rollout must be found out."""
    plan = build(SEED)
    web = next(w for w in plan.workloads if w.resource == "Deployment/storefront/web")
    minutes = minutes_of(AS_OF - timedelta(days=9), AS_OF, FINE_MINUTES)
    counts = np.full(len(minutes), 2.0)
    declared = sizing_on(web, {}, AS_OF)
    assert declared is not None
    half = type(declared)(declared.replicas, declared.containers[:0], None)
    timeline = {web.resource: ((date(2026, 10, 20), half),)}
    plain = pods_of(SEED, web, {}, counts, minutes)
    changed = pods_of(SEED, web, timeline, counts, minutes)
    assert len({pod.owner_name for pod in plain}) in (2, 3)
    assert len({pod.owner_name for pod in changed}) == len({pod.owner_name for pod in plain}) + 1
    assert all(pod.name.startswith(f"{pod.owner_name}-") for pod in changed)
    assert len({pod.name for pod in changed}) == len(changed)


def test_scaling_down_and_up_makes_another_pod() -> None:
    """A pod that comes back under its old name would hide that its counters began again."""
    plan = build(SEED)
    web = next(w for w in plan.workloads if w.resource == "Deployment/storefront/web")
    minutes = minutes_of(AS_OF, AS_OF, FINE_MINUTES)[:9]
    counts = np.array([1.0, 2, 2, 1, np.nan, 1, 2, 2, 2])
    found = [(pod.slot, pod.start, pod.end) for pod in pods_of(SEED, web, {}, counts, minutes)]
    assert found == [(0, 0, 4), (0, 5, 9), (1, 1, 3), (1, 6, 9)]


def test_copies_have_names_of_their_own_and_what_was_merged() -> None:
    """Copies under one name would be one series with twice the samples, which no server takes."""
    plan = build(SEED)
    first = plan.workloads[0]
    timeline = {first.resource: ((AS_OF, None),)}
    larger, changes, _ = enlarged(plan, timeline, {}, 3)
    resources = [w.resource for w in larger.workloads]
    assert len(set(resources)) == 3 * len(plan.workloads)
    assert len({c.resource for c in larger.claims}) == 3 * len(plan.claims)
    copies = [w for w in larger.workloads if controller(w) == controller(first)]
    assert {changes.get(w.resource) for w in copies if w.environment == "prod"} == {
        timeline[first.resource]
    }


@pytest.mark.parametrize(
    ("days", "copies", "scrape", "message"),
    [
        (0, 1, 300, "days must be from 1 to 30"),
        (31, 1, 300, "before 2026-09-23 measurements are hourly"),
        (1, 0, 300, "copies must be from 1"),
        (1, 1, 7, "must divide 300"),
    ],
)
def test_what_cannot_be_told_is_refused(
    estate: Path, tmp_path: Path, days: int, copies: int, scrape: int, message: str
) -> None:
    """Hourly values spread over five minutes would look measured."""
    with pytest.raises(Stopped, match=message):
        expose(estate, tmp_path / "x", days, copies, scrape)
    assert not list(tmp_path.iterdir())


def test_a_folder_without_an_estate_is_refused(tmp_path: Path) -> None:
    """A text of another company than the one asked for would prove nothing."""
    with pytest.raises(Stopped, match="is not a demo estate"):
        expose(tmp_path, tmp_path / "x", 1, 1, STEP)
