"""Containers of a fleet are sized by the risk that its own window teaches, where it is enough."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pandas as pd
import pytest

from finops_dagster.domain.decisions import Abstained, FindingKind
from finops_dagster.domain.quantities import parse_quantity
from finops_dagster.engines.optimisation import SizingConfig, find
from finops_dagster.engines.optimisation import fleet as by_fleet
from finops_dagster.engines.optimisation import sizing as by_rule
from finops_dagster.engines.optimisation.fleet import Demand, School, demands, sizes_by_risk
from finops_dagster.engines.optimisation.profiles import Key, Samples
from finops_dagster.engines.optimisation.risk import MIN_WORKLOADS, FleetModel, Sizing
from finops_dagster.engines.optimisation.window import Window
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


def fleet(count: int, seed: int = 0) -> tuple[Samples, Window, dict[Key, float]]:
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
                    "of": number,
                    "cpu": level * day * rng.gamma(8, 1 / 8, HOURS),
                }
            )
        )
        declared[resource, "server"] = 4 * level
    window = Window(START, START + timedelta(days=14), pd.DataFrame(), 14, {})
    keys = list(declared)
    samples = Samples(keys, [key[1] for key in keys], pd.concat(frames, ignore_index=True))
    return samples, window, declared


def taught(samples: Samples, window: Window, declared: dict[Key, float]) -> FleetModel | Abstained:
    school = School(window, frozenset(resource for resource, _ in declared))
    school.show(demands(samples, declared))
    return school.learnt()


@pytest.fixture(scope="module")
def sized() -> tuple[Sizes, Sizes]:
    """Sizes at two dials."""
    samples, window, declared = fleet(MIN_WORKLOADS + 5)
    model, asked = taught(samples, window, declared), demands(samples, declared)
    loose, careful = (
        sizes_by_risk(model, window, asked, dict.fromkeys(declared, dial)) for dial in (2.4, 45.0)
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
    model = taught(samples, window, declared)
    assert isinstance(model, Abstained)
    assert (
        model.reason
        == f"12 workloads with enough history, {MIN_WORKLOADS} are needed to learn risk from"
    )
    asked = demands(samples, declared)
    assert sizes_by_risk(model, window, asked, dict.fromkeys(declared, 9.0)) == {}


def test_what_is_learnt_does_not_depend_on_the_order_it_is_seen_in(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """An estate read in other parts would be given other sizes, and pull requests would flip."""
    monkeypatch.setattr(by_fleet, "MAX_WORKLOADS", 3)
    monkeypatch.setattr(by_fleet, "learn_fleet", lambda names, past, later: names)
    samples, window, declared = fleet(8)
    some = demands(samples, declared)
    seen = []
    for order in ([some], [some[5:], some[:5]], [[one] for one in reversed(some)]):
        school = School(window, frozenset(resource for resource, _ in declared))
        for part in order:
            school.show(part)
        seen.append(school.learnt())
    assert len(seen[0]) == 3  # type: ignore[arg-type]
    assert seen[0] == seen[1] == seen[2]


def test_demand_is_even_from_midnight_and_tells_its_gaps() -> None:
    """A gap closed up would move every peak after it to another hour."""
    times = pd.to_datetime(
        ["2026-03-16 00:20", "2026-03-16 00:25", "2026-03-16 00:41"], utc=True
    ).as_unit("us")
    rows = pd.DataFrame({"of": 0, "time": times, "interval_seconds": 600, "cpu": [1.0, 3.0, 2.0]})
    key = ("Deployment/shop/web", "server")
    (one,) = demands(Samples([key], ["server"], rows), {key: 4.0})
    np.testing.assert_array_equal(one.values, [75.0, np.nan, 50.0])
    hour = pd.Timestamp("2026-03-16 00:30", tz="UTC"), pd.Timestamp("2026-03-16 01:00", tz="UTC")
    np.testing.assert_array_equal(one.between(*hour), [np.nan, 50.0])


def test_findings_take_the_size_and_the_risk_of_the_fleet(monkeypatch: pytest.MonkeyPatch) -> None:
    """A risk that is learnt and not used, or used and not told, is worth nothing."""
    big = Workload("Deployment/shop/big", steady(0.3, 0.02, 1), steady(0.8 * GIB, 0.01 * GIB, 2))
    key = (big.resource, "server")
    one = Sizing("big", 55.0, 0.45, 0.004, 0.2, 0.1, "risk model", "learnt from 140 workloads")
    given: dict[str, Any] = {}

    def learnt(
        model: object, window: Window, asked: list[Demand], dials: dict[Key, float]
    ) -> Sizes:
        given.update(asked={demand.key: demand.values.max() for demand in asked}, dials=dials)
        return {key: one}

    monkeypatch.setattr(by_rule, "sizes_by_risk", learnt)
    config = replace(SizingConfig(), dials=dict.fromkeys(SizingConfig().dials, 7.0))
    result = find(measurements([big]), prices([big]), context([big]), AS_OF, config)
    (finding,) = [f for f in result.findings if f.kind is FindingKind.RIGHTSIZE_CPU]
    assert float(parse_quantity(finding.proposed)) == pytest.approx(0.55)
    assert finding.risk == 0.2
    assert "at least once in 14 days with 20%" in finding.reason
    assert "risk model: learnt from 140 workloads" in finding.engine
    assert given["asked"] == {key: pytest.approx(100 * big.cpu.max())}
    assert given["dials"] == {key: 7.0}
