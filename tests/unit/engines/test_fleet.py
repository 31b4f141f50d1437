"""Containers of a fleet are sized by the risk that its own window teaches, where it is enough."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pandas as pd
import pytest

from finops_dagster.domain.decisions import FindingKind
from finops_dagster.engines.optimisation import SizingConfig, find
from finops_dagster.engines.optimisation import sizing as by_rule
from finops_dagster.engines.optimisation.fleet import Key, cpu_by_risk
from finops_dagster.engines.optimisation.profiles import Window
from finops_dagster.engines.optimisation.quantities import parse_quantity
from finops_dagster.engines.optimisation.risk import MIN_WORKLOADS, Sizing
from tests.unit.engines.estates import (
    AS_OF,
    GIB,
    Workload,
    context,
    measurements,
    prices,
    steady,
)

START = datetime(2026, 3, 16, tzinfo=UTC)
HOURS = 14 * 24
Sizes = dict[Key, Sizing]


def fleet(count: int, seed: int = 0) -> tuple[pd.DataFrame, Window, dict[Key, float]]:
    """Hourly use of containers with days and noise, requests four times their usual use."""
    rng = np.random.default_rng(seed)
    times = pd.date_range(START, periods=HOURS, freq="h")
    day = 1 + 0.5 * np.sin(np.arange(HOURS) * 2 * np.pi / 24)
    frames, declared = [], {}
    for number in range(count):
        level = float(rng.choice([0.05, 0.5, 5.0]))
        resource = f"Deployment/shop/w{number}"
        frames.append(
            pd.DataFrame(
                {
                    "time": times,
                    "interval_seconds": 3600,
                    "resource": resource,
                    "container": "server",
                    "cpu": level * day * rng.gamma(8, 1 / 8, HOURS),
                }
            )
        )
        declared[resource, "server"] = 4 * level
    window = Window(START, START + timedelta(days=14), pd.DataFrame(), 14, {})
    return pd.concat(frames, ignore_index=True), window, declared


@pytest.fixture(scope="module")
def sized() -> tuple[Sizes, Sizes]:
    """Sizes at two dials."""
    samples, window, declared = fleet(MIN_WORKLOADS + 5)
    loose, careful = (
        cpu_by_risk(samples, window, declared, dict.fromkeys(declared, dial))[0]
        for dial in (2.4, 45.0)
    )
    return loose, careful


def test_each_container_gets_a_size_and_its_risks(sized: tuple[Sizes, Sizes]) -> None:
    """A size without the risk that was taken for it cannot be argued with."""
    loose, careful = sized
    assert len(loose) == len(careful) == MIN_WORKLOADS + 5
    for key, one in loose.items():
        assert one.rule == "risk model"
        assert 0 < one.capacity < 100
        assert one.over_risk is not None
        assert one.any_risk is not None
        assert 0 <= one.over_risk <= one.any_risk <= 1
        assert one.capacity <= careful[key].capacity
    mean = [np.mean([one.over_risk or 0.0 for one in some.values()]) for some in sized]
    assert mean[1] < mean[0] < 0.1


def test_a_small_container_is_sized_as_a_large_one_of_its_shape(
    sized: tuple[Sizes, Sizes],
) -> None:
    """Counted in cores, a fleet's largest would set what risk costs its smallest."""
    _, _, declared = fleet(MIN_WORKLOADS + 5)
    shares: dict[float, list[float]] = {}
    for key, one in sized[0].items():
        shares.setdefault(declared[key], []).append(one.capacity)
    means = [float(np.mean(some)) for some in shares.values()]
    assert len(means) == 3
    assert max(means) / min(means) < 1.1


def test_too_small_a_fleet_is_said_to_be() -> None:
    """A model of a dozen workloads would be guessing: peers' rules are not."""
    samples, window, declared = fleet(12)
    sizes, why = cpu_by_risk(samples, window, declared, dict.fromkeys(declared, 9.0))
    assert sizes == {}
    assert why == f"12 workloads with enough history, {MIN_WORKLOADS} are needed to learn risk from"


def test_findings_take_the_size_and_the_risk_of_the_fleet(monkeypatch: pytest.MonkeyPatch) -> None:
    """A risk that is learnt and not used, or used and not told, is worth nothing."""
    big = Workload("Deployment/shop/big", steady(0.3, 0.02, 1), steady(0.8 * GIB, 0.01 * GIB, 2))
    key = (big.resource, "server")
    one = Sizing("big", 55.0, 0.45, 0.004, 0.2, 0.1, "risk model", "learnt from 140 workloads")
    given: dict[str, Any] = {}

    def learnt(
        samples: pd.DataFrame, window: Window, declared: object, dials: object
    ) -> tuple[Sizes, str]:
        given.update(declared=declared, dials=dials)
        return {key: one}, ""

    monkeypatch.setattr(by_rule, "cpu_by_risk", learnt)
    config = replace(SizingConfig(), dials=dict.fromkeys(SizingConfig().dials, 7.0))
    result = find(measurements([big]), prices([big]), context([big]), AS_OF, config)
    (finding,) = [f for f in result.findings if f.kind is FindingKind.RIGHTSIZE_CPU]
    assert float(parse_quantity(finding.proposed)) == pytest.approx(0.55)
    assert finding.risk == 0.2
    assert "at least once in 14 days with 20%" in finding.reason
    assert "risk model: learnt from 140 workloads" in finding.engine
    assert given == {"declared": {key: 1.0}, "dials": {key: 7.0}}
