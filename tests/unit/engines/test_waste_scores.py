"""How the benchmarks of waste count, on answers whose worth is known."""

from __future__ import annotations

from datetime import date, timedelta
from types import SimpleNamespace
from typing import Any, cast

import pandas as pd
import pytest

from benchmarks import decided_again, frames, waste
from finops_dagster.domain.decisions import Finding

DAY = date(2026, 10, 1)


def said(kind: str, resource: str, field: str = "cpu", proposed: str = "1") -> Finding:
    one = SimpleNamespace(
        kind=SimpleNamespace(value=kind), resource=resource, field=field, proposed=proposed
    )
    return cast(Finding, one)


def true(kind: str, resource: str, **expected: Any) -> dict[str, Any]:
    return {"kind": kind, "resource": resource, "field": "cpu", "expected": expected}


def test_a_finding_is_right_by_kind_and_resource_and_harm_is_counted() -> None:
    """A precision that forgives the wrong kind, or cuts below the need, is none."""
    counts = waste.judged(
        [
            said("rightsize_cpu", "a", proposed="900m"),
            said("rightsize_cpu", "b"),
            said("idle_workload", "c"),
        ],
        [
            true("rightsize_cpu", "a", peak_need=1.0),
            true("right", "b"),
            true("off_hours", "c"),
        ],
    )
    told = waste.score(counts)
    assert (told["precision"], told["recall"]) == (0.3333, 0.5)
    assert (told["harmed"], told["short"]) == (1, 1)
    assert told["by_kind"]["rightsize_cpu"] == {
        "found": 2, "true": 1, "hit": 1, "precision": 0.5, "recall": 1.0,
    }  # fmt: skip
    assert told["by_kind"]["off_hours"]["recall"] == 0.0


def told(*days: int, amounts: tuple[float, ...] = (), current: str = "2") -> decided_again.Told:
    return decided_again.Told(
        days=[DAY + timedelta(days=n) for n in days],
        amounts=list(amounts or [1.0] * len(days)),
        current=[current] * len(days),
    )


def test_a_recommendation_that_comes_back_has_flipped() -> None:
    """Who follows one that is gone tomorrow and back the day after follows none again."""
    assert told(0, 1, 2).flips == 0
    assert told(0, 1, 4, 5, 9).flips == 2
    resized = told(0, 1, 9)
    resized.current[2] = "1"
    assert resized.flips == 0


def test_another_size_from_one_day_to_the_next_has_moved() -> None:
    """A size within a twentieth is the same."""
    assert told(0, 1, 2, amounts=(1.0, 1.04, 1.2)).moved == 1
    assert told(0, 3, amounts=(1.0, 2.0)).moved == 0


def test_what_followed_is_read_from_the_days_after_alone() -> None:
    """A day that scores itself on what it has seen is always right."""
    times = pd.date_range(pd.Timestamp(DAY, tz="UTC"), periods=48 * 3, freq="30min")
    use = pd.Series(9.0, index=times)
    use[times >= pd.Timestamp(DAY + timedelta(days=1), tz="UTC")] = 0.5
    use.iloc[-1] = 0.8
    mine = told(0)
    one = cast(Finding, SimpleNamespace(as_of=DAY, current="2"))
    decided_again._hold(mine, use, one, 0.7)
    assert mine.over == [pytest.approx(1 / 96)]
    assert mine.regret == [pytest.approx(-0.05)]


def test_metrics_are_named_by_the_dbt_project() -> None:
    """A list of its own would leave out what the product learns to measure."""
    names = frames.measured_columns()
    assert names["container_cpu_usage_seconds_total"] == "cpu_cores"
    assert names["kube_statefulset_replicas"] == names["kube_deployment_spec_replicas"]
    assert len(names) > 15
