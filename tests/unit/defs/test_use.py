"""What was used of a value: of one replica, in its unit, in its window, and of nothing else."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Any

import pandas as pd
import pytest

from finops_dagster.defs.gitops.use import used
from finops_dagster.domain.decisions import Evidence, FindingKind
from finops_dagster.domain.pull_requests import UseSeries
from tests.builders import CPU, MEMORY, proposal
from tests.unit.defs.test_effects import Marts

AS_OF = date(2026, 5, 2)
START = datetime(2026, 5, 1, tzinfo=UTC)
EVIDENCE = Evidence(
    window_start=START, window_end=START + timedelta(hours=2), samples=4, figures={}
)
COLUMNS = (
    "cpu_cores", "cpu_request_cores", "cpu_cores_replica_max", "cpu_cores_replica_p95",
    "memory_working_set_bytes", "memory_replica_max_bytes", "memory_replica_p95_bytes",
    "gpu_utilisation_percent", "gpu_requests", "replicas", "replicas_measured",
)  # fmt: skip


def mart(*rows: dict[str, Any]) -> Marts:
    """Rows of the measurements' mart: minutes after START, and what was measured."""
    made = [
        {
            "cluster": "eu", "resource": "Deployment/shop/web", "container": "server",
            "interval_seconds": 1800, **dict.fromkeys(COLUMNS), **row,
            "time": pd.Timestamp(START + timedelta(minutes=row["minute"])),
        }
        for row in rows
    ]  # fmt: skip
    frame = pd.DataFrame(made).astype(dict.fromkeys(COLUMNS, float))
    return Marts(fct_workload_measurements=frame)


def one(marts: Marts, **changes: Any) -> UseSeries | None:
    of = proposal(evidence=EVIDENCE, **changes)
    return used(marts, AS_OF, [of]).get(of.id)


def test_of_a_request_it_is_what_one_replica_used() -> None:
    """Harm: the use of three replicas is drawn against the request of one: all looks too small."""
    series = one(
        mart(
            {"minute": 0, "container": "", "replicas": 3},
            {"minute": 0, "cpu_cores": 0.9, "cpu_cores_replica_max": 0.5},
            {"minute": 30, "container": "", "replicas": 3},
            {"minute": 30, "cpu_cores": 0.3},
            {"minute": 60, "cpu_cores": 0.2},
            {"minute": 0, "container": "proxy", "cpu_cores": 90},
            {"minute": 0, "resource": "Deployment/shop/api", "cpu_cores": 70},
            {"minute": 120, "cpu_cores": 50},
            {"minute": -30, "cpu_cores": 50},
        )
    )
    assert series is not None
    assert series.starts == (START, START + timedelta(hours=1))
    assert series.typical == pytest.approx((0.2, 0.2))
    assert series.peak == pytest.approx((0.5, 0.2))
    assert (series.unit, series.current, series.proposed) == ("cores", 2.0, 0.5)


def test_memory_is_in_the_unit_of_the_values() -> None:
    """Harm: bytes are drawn against GiB."""
    series = one(
        mart({"minute": 0, "memory_working_set_bytes": 3 * 2**30, "replicas_measured": 2}),
        field=MEMORY, current="4Gi", proposed="1536Mi", kind=FindingKind.RIGHTSIZE_MEMORY,
    )  # fmt: skip
    assert series is not None
    assert (series.unit, series.current, series.proposed) == ("GiB", 4.0, 1.5)
    assert series.typical == series.peak == (1.5,)


def test_of_replicas_it_is_how_many_were_busy() -> None:
    """Harm: two idle replicas are drawn as two in use, or idle GPUs as busy processors."""
    marts = mart(
        {"minute": 0, "container": "", "replicas": 2, "gpu_utilisation_percent": 5},
        {"minute": 0, "cpu_cores": 1.0, "cpu_request_cores": 4.0},
    )
    busy = one(marts, field="spec.replicas", proposed="0", kind=FindingKind.IDLE_WORKLOAD)
    gpus = one(marts, field="spec.replicas", proposed="0", kind=FindingKind.IDLE_GPU)
    assert busy is not None
    assert gpus is not None
    assert (busy.unit, busy.peak) == ("busy replicas", (0.5,))
    assert (gpus.unit, gpus.peak) == ("replicas with busy GPUs", pytest.approx((0.1,)))


@pytest.mark.parametrize(
    "changes",
    [
        {"field": "spec.schedule", "current": "1 2 * * *", "proposed": "1 4 * * *"},
        {"field": "spec[[", "current": "1", "proposed": "2"},
        {"field": CPU, "current": "a lot", "proposed": "2"},
        {"field": CPU, "resource": "Deployment/shop/unseen"},
        {"field": MEMORY, "current": "4Gi", "proposed": "2Gi"},
    ],
)
def test_what_was_not_measured_has_no_picture(changes: dict[str, str]) -> None:
    """Harm: a picture of nothing, or a run that stops at a value that a person wrote."""
    assert one(mart({"minute": 0, "cpu_cores": 1.0}), **changes) is None
    assert one(Marts(), **changes) is None
