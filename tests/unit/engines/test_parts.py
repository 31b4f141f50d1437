"""An estate that is read part by part is judged as if it were in memory at once."""

from __future__ import annotations

import importlib
from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta

import numpy as np
import pandas as pd
import pytest

from finops_dagster.domain.decisions import FindingKind
from finops_dagster.engines.optimisation import (
    Measured,
    Part,
    fleet,
    risk,
    risk_model,
)
from finops_dagster.engines.optimisation.find import find, find_in_parts
from tests.unit.engines.estates import (
    AS_OF,
    GIB,
    Workload,
    context,
    measurements,
    prices,
    steady,
    times,
    volume,
)

HOURS = 14 * 24


def hourly(rows: pd.DataFrame) -> pd.DataFrame:
    """The first five minutes of each hour, as if they were all of it."""
    found: pd.DataFrame = rows[rows["time"].dt.minute == 0].assign(interval_seconds=3600)
    return found


def estate() -> list[Workload]:
    """Sixteen workloads: too large, too small, right, idle, asleep at night, and undeclared."""
    night = (times().hour < 7) | (times().hour >= 19) | (times().dayofweek >= 5)
    some = []
    for number in range(16):
        level = (0.2, 0.7, 1.3, 0.4)[number % 4]
        some.append(
            Workload(
                f"Deployment/shop/w{number:02d}",
                steady(level, 0.05 * level, number),
                steady(0.5 * GIB, 0.01 * GIB, 100 + number),
                environment=("production", "dev")[number % 2],
            )
        )
    some[3] = replace(some[3], cpu=steady(0.002, 0.0001, 3), network=20.0)
    some[5] = replace(some[5], cpu=np.where(night, 0.01, 0.8))
    some[7] = replace(some[7], declared=False)
    return some


def in_parts(rows: pd.DataFrame, paid: pd.DataFrame, most: int) -> tuple[Measured, list[int]]:
    """The same frames, handed out by resource; and how many resources each reading asked for."""
    counts = rows.groupby("resource").size().to_dict()
    own = dict(list(rows.groupby("resource")))
    asked: list[int] = []

    def read(names: Sequence[str]) -> Part:
        asked.append(len(names))
        measured = pd.concat([own.get(name, rows.iloc[:0]) for name in names])
        return Part(measured, paid[paid["resource"].isin(names)])

    names = {*counts, *paid["resource"]}
    return Measured({name: counts.get(name, 0) for name in names}, read, most_rows=most), asked


@pytest.fixture
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """A model that is learnt at once, of few workloads."""
    monkeypatch.setattr(risk, "MIN_WORKLOADS", 5)
    monkeypatch.setattr(risk_model, "_TREES", 3)


@pytest.mark.usefixtures("_quick")
@pytest.mark.parametrize("most_learnt", [6_000, 8])
def test_findings_do_not_depend_on_how_the_estate_is_cut(
    monkeypatch: pytest.MonkeyPatch, most_learnt: int
) -> None:
    """A recommendation that comes and goes with the machine's memory is none."""
    judges = importlib.import_module("finops_dagster.engines.optimisation.find")
    for module in (judges, fleet, risk):
        monkeypatch.setattr(module, "MAX_WORKLOADS", most_learnt)
    workloads = estate()
    volumes = tuple(f"PersistentVolumeClaim/shop/{n}" for n in ("empty", "gone", "full"))
    rows = pd.concat(
        [
            measurements(workloads),
            measurements([workloads[9]]).assign(cluster="other"),
            volume(volumes[0], 0.2 * GIB, 100.0 * GIB),
            volume(volumes[2], 60.0 * GIB, 100.0 * GIB),
        ]
    )
    rows = hourly(rows).sample(frac=1, random_state=1)
    paid = prices(workloads[:-1], volumes)
    unseen = Workload("Deployment/shop/unseen", steady(1, 0.1, 1), steady(GIB, 1.0, 2))
    about = context([*workloads, unseen], intensity=pd.DataFrame(columns=_INTENSITY))
    daily = pd.DataFrame(
        {
            "day": [AS_OF - timedelta(days=25)] * 2,
            "resource": [workloads[0].resource, workloads[3].resource],
            "container": "server",
            "cpu_cores_p95": [1.9, 1.5],
            "memory_bytes_max": [0.2 * GIB, 0.2 * GIB],
        }
    )
    at_once = find(rows, paid, about, AS_OF, daily=daily)
    kinds = {f.kind for f in at_once.findings}
    assert {
        FindingKind.RIGHTSIZE_CPU, FindingKind.UNDERPROVISIONED_CPU, FindingKind.OFF_HOURS,
        FindingKind.UNDECLARED_WORKLOAD, FindingKind.UNUSED_VOLUME,
    } <= kinds  # fmt: skip
    assert any("risk model" in f.engine for f in at_once.findings)
    for most in (1, 5 * HOURS):
        measured, asked = in_parts(rows, paid, most)
        found = find_in_parts(measured, about, AS_OF, daily=daily)
        assert found == at_once
        assert max(asked) * HOURS <= max(most, HOURS) + 3 * HOURS


_INTENSITY = ["resource", "gco2e_per_kwh"]


def test_no_part_alone_tells_whether_volumes_are_measured() -> None:
    """A part without a mounted volume must not be taken for an estate that measures none."""
    right = Workload("Deployment/shop/right", steady(0.7, 0.03, 3), steady(0.8 * GIB, 1e7, 4))
    names = ("PersistentVolumeClaim/shop/a-gone", "PersistentVolumeClaim/shop/b-full")
    paid = prices([right], names)
    seen = pd.concat([measurements([right]), volume(names[1], 60.0 * GIB, 100.0 * GIB)])
    found = find_in_parts(in_parts(seen, paid, 1)[0], context([right]), AS_OF)
    assert [f.resource for f in found.findings] == [names[0]]
    unseen = find_in_parts(in_parts(measurements([right]), paid, 1)[0], context([right]), AS_OF)
    assert unseen.findings == []
    assert [a.subject for a in unseen.abstained] == list(names)


def test_parts_are_whole_workloads_in_order_and_none_is_larger_than_it_may_be() -> None:
    """A workload cut in two would have two histories; an estate too large would not fit."""
    measured = Measured(
        {"d": 3, "a": 5, "c": 4, "b": 9, "e": 0, "f": 0}, _never, most_rows=8, most_workloads=3
    )
    assert measured.parts(measured.rows) == [["a"], ["b"], ["c", "d", "e"], ["f"]]
    assert measured.parts("ba") == [["a"], ["b"]]
    assert measured.parts("def") == [["d", "e", "f"]]
    assert measured.parts("") == []


def _never(_: Sequence[str]) -> Part:
    raise AssertionError("nothing is to be read")
