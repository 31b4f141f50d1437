"""Minimum replicas by forecast: edits of autoscalers and schedules ahead of peaks."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from typing import Any

import numpy as np
import pandas as pd
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from finops_dagster.domain.decisions import Finding, FindingKind
from finops_dagster.engines.optimisation import FindResult, SizingConfig, find, propose
from finops_dagster.engines.optimisation.candidates import Cell, Part, Relations
from finops_dagster.engines.optimisation.floors import (
    Floor,
    Load,
    floor_of,
    followed,
    foreseen,
    growth,
)
from finops_dagster.engines.optimisation.scalers import Cron, Scaler, Scaling, Text
from finops_dagster.engines.optimisation.schedules import Window, running
from tests.unit.engines.estates import (
    AS_OF,
    GIB,
    Workload,
    context,
    measurements,
    prices,
    steady,
    times,
)

T = times()
HOUR = np.asarray(T.hour + T.minute / 60)
SMOOTH = 1.75 - 1.25 * np.cos(2 * np.pi * HOUR / 24)
"""Cores of all replicas: 0.5 at midnight, 3 at noon, with no sudden step."""
STEEP = np.where((HOUR >= 9) & (HOUR < 17) & (T.dayofweek < 5), 5.0, 0.5)
"""Ten times as much from one moment to the next, at nine on working days."""
WEB = "Deployment/shop/web"
HPA = "HorizontalPodAutoscaler/shop/web"
NOISE = steady(1.0, 0.02, 5)


def workload(demand: np.ndarray, replicas: int, **changes: Any) -> Workload:
    """So many replicas of one core each, with this demand over all of them."""
    memory = steady(0.8 * GIB, 0.01 * GIB, 4)
    return replace(Workload(WEB, demand / replicas, memory, replicas=replicas), **changes)


def scaled(minimum: int, maximum: int = 12, **changes: Any) -> dict[str, Any]:
    """A declared autoscaler at 65 % of CPU, for `context`."""
    text = Text("spec.minReplicas", str(minimum))
    scaler = replace(Scaler(HPA, minimum, maximum, 0.65, declared_minimum=text), **changes)
    return {"managed": {WEB: scaler.resource}, "scaling": Scaling(scalers={WEB: scaler})}


def followed_rows(one: Workload, demand: np.ndarray, minimum: int) -> pd.DataFrame:
    """Measurements with the replicas that an autoscaler at 65 % would have kept."""
    needed = pd.Series(np.ceil(demand / 0.65)).rolling(2, min_periods=1).max().shift(1).bfill()
    rows = measurements([one])
    rows["replicas"] = np.maximum(needed.to_numpy(), minimum)
    rows["cpu_request_cores"] = rows["replicas"]
    return rows


def judged(one: Workload, rows: pd.DataFrame | None = None, **changes: Any) -> FindResult:
    """Find on an estate of one workload."""
    measured = measurements([one]) if rows is None else rows
    return find(measured, prices([one]), context([one], **changes), AS_OF, SizingConfig())


def only(result: FindResult) -> Finding:
    """The one SCHEDULED_SCALING finding."""
    (finding,) = [f for f in result.findings if f.kind is FindingKind.SCHEDULED_SCALING]
    return finding


def silent(result: FindResult) -> bool:
    """Whether nothing of the kind was found."""
    return all(f.kind is not FindingKind.SCHEDULED_SCALING for f in result.findings)


def test_a_minimum_that_nobody_needs_is_lowered_by_one_edit() -> None:
    """A minimum set for a launch is paid for every night after; set too low it fails at noon."""
    demand = SMOOTH * NOISE
    finding = only(judged(workload(demand, 6), **scaled(6)))
    assert (finding.resource, finding.field) == (HPA, "spec.minReplicas")
    # two would do, but no more than half is taken away at once
    assert (finding.current, finding.proposed) == ("6", "3")
    needed = np.maximum(3, np.ceil(demand / 0.65))
    share = 1 - needed.mean() / 6
    assert finding.evidence.figures["off_share_of_week"] == pytest.approx(share, abs=0.02)
    cost = (0.04 + 0.005) * 6 * 730
    assert float(finding.saving_per_month.mid) == pytest.approx(cost * share, rel=0.04)
    assert finding.saving_per_month.low < finding.saving_per_month.mid < Decimal(cost)
    assert finding.evidence.figures["proposed_short_share"] == 0
    price = cost / 6 / 730
    figures = finding.evidence.figures
    assert figures["price_of_a_replica_hour_too_many"] == pytest.approx(price, rel=1e-4)
    assert figures["price_of_an_hour_too_few"] == pytest.approx(price * 16.3 * 6, rel=1e-4)
    assert figures["critical_ratio"] == pytest.approx(1 - 1 / (16.3 * 6), rel=1e-4)
    assert finding.owner == "shop"
    assert finding.suggestion == ""


def test_a_minimum_that_is_right_yields_nothing() -> None:
    """A change that is worth nothing costs a reviewer's time, and trust."""
    demand = SMOOTH * NOISE
    one = workload(demand, 3)
    assert silent(judged(one, followed_rows(one, demand, 2), **scaled(2)))


def test_a_steep_recurring_peak_gets_a_schedule_ahead_of_it() -> None:
    """An autoscaler that is ready ten minutes after nine fails at nine on every working day."""
    demand = STEEP * NOISE
    one = workload(demand, 2)
    finding = only(judged(one, followed_rows(one, demand, 2), **scaled(2)))
    assert finding.field == finding.proposed == ""
    assert finding.resource == WEB
    figures = finding.evidence.figures
    assert finding.saving_per_month.mid < 0
    # twice five minutes on each of ten working days
    assert figures["short_share"] == pytest.approx(20 / 4032, abs=1e-4)
    assert figures["proposed_short_share"] == 0
    spec = yaml.safe_load(finding.suggestion)["spec"]
    assert spec["minReplicaCount"] == 2
    cron = spec["triggers"][0]["metadata"]
    assert (cron["start"], cron["end"]) == ("50 8 * * 1-5", "0 17 * * 1-5")
    assert int(cron["desiredReplicas"]) >= 6
    assert spec["triggers"][-1] == {
        "type": "cpu", "metricType": "Utilization", "metadata": {"value": "65"}
    }  # fmt: skip
    assert spec["advanced"] == {"horizontalPodAutoscalerConfig": {"name": "web"}}


def test_a_fixed_number_of_replicas_with_a_quiet_night_gets_a_schedule() -> None:
    """Replicas for noon that run by night are paid for and used by nobody."""
    demand = (0.6 + 1.4 * (STEEP > 1)) * NOISE
    finding = only(judged(workload(demand, 3, environment="staging")))
    spec = yaml.safe_load(finding.suggestion)["spec"]
    assert (spec["minReplicaCount"], spec["maxReplicaCount"]) == (2, 3)
    assert spec["triggers"][-1]["metadata"] == {"value": "80"}
    assert finding.saving_per_month.low > 0
    assert finding.evidence.figures["proposed_short_share"] == 0


def test_replicas_that_were_changed_by_hand_are_not_a_fixed_number() -> None:
    """What was taken away last week is no saving of the next."""
    demand = (0.6 + 1.4 * (STEEP > 1)) * NOISE
    rows = measurements([workload(demand, 3)])
    rows.loc[: len(T) // 2, "replicas"] = 6.0
    assert silent(judged(workload(demand, 3), rows))


def test_replicas_kept_for_demand_stay() -> None:
    """A service at work all night looks like any other until it is stopped."""
    assert silent(judged(workload(2.2 * NOISE, 3)))


def test_a_stateful_set_of_three_keeps_its_quorum() -> None:
    """Two of three database members cannot elect a leader when one of them moves."""
    demand = (0.6 + 1.4 * (STEEP > 1)) * NOISE
    assert silent(judged(workload(demand, 3, resource="StatefulSet/shop/db")))


def test_what_holds_no_more_in_the_last_third_is_not_told() -> None:
    """A minimum lowered while demand climbs is short within the week."""
    grown = np.where(np.arange(len(T)) < 2 / 3 * len(T), 0.5, 11.0) * NOISE
    result = judged(workload(grown, 12), **scaled(12, 14))
    assert silent(result)
    assert any("its use is changing" in a.reason for a in result.abstained)


def test_production_keeps_two_and_elsewhere_one_will_do() -> None:
    """One replica alone is down whenever its machine is drained."""
    demand = 0.3 * NOISE
    assert only(judged(workload(demand, 3), **scaled(3))).proposed == "2"
    assert silent(judged(workload(demand, 2), **scaled(2)))
    staging = only(judged(workload(demand, 2, environment="staging"), **scaled(2)))
    assert staging.proposed == "1"
    (told,) = judged(workload(demand, 3), **scaled(3)).abstained
    assert "sets its scale" in told.reason


@pytest.mark.parametrize(
    ("one", "changes", "reason"),
    [
        (workload(SMOOTH, 6), {"others": ("requests",)}, "scales it by requests"),
        (workload(SMOOTH, 6), {"cpu_target": None}, "scales it by a schedule alone"),
        (
            workload(SMOOTH, 6),
            {"crons": (Cron("0 6 * * *", "0 20 * * *", "UTC"),)},
            "has a schedule already",
        ),
        (
            workload(SMOOTH[:2016], 6, memory=np.full(2016, 0.8 * GIB), days=7),
            {},
            "two weekly cycles are needed",
        ),
        (workload(SMOOTH * 3, 6), {}, "something else scales it"),
    ],
)
def test_what_cannot_be_judged_is_said(one: Workload, changes: dict[str, Any], reason: str) -> None:
    """A silent skip reads as all is well."""
    result = judged(one, **scaled(6, **changes))
    assert silent(result)
    said = [a.reason for a in result.abstained if a.subject == f"{WEB} replicas"]
    assert len(said) == 1
    assert reason in said[0]


def test_without_replicas_request_or_price_it_is_said() -> None:
    """Replicas made up of requests, or a price made up, is a guess with a decimal point."""
    one = workload(SMOOTH, 6)
    for column, reason in (
        ("replicas", "is not measured"),
        ("cpu_request_cores", "no CPU request"),
    ):
        rows = measurements([one]).assign(**{column: np.nan})
        said = [a.reason for a in judged(one, rows, **scaled(6)).abstained]
        assert any(reason in text for text in said)
    none = prices([one]).iloc[:0]
    result = find(measurements([one]), none, context([one], **scaled(6)), AS_OF, SizingConfig())
    assert any("no charges of its own" in a.reason for a in result.abstained)


def test_bad_numbers_order_and_the_future_change_nothing() -> None:
    """What is decided of a day must not hang on the order of its rows, or on the next day's."""
    one = workload(SMOOTH * NOISE, 6)
    rows = measurements([one])
    later = rows.assign(time=rows["time"] + pd.Timedelta(days=14), cpu_cores=99.0)
    mixed = pd.concat([rows, rows, later]).sample(frac=1.0, random_state=1)
    assert only(judged(one, mixed, **scaled(6))) == only(judged(one, **scaled(6)))
    bad = rows.copy()
    bad.loc[bad.index[::97], "cpu_cores"] = [np.inf, -1.0] * 21
    assert only(judged(one, bad, **scaled(6))).proposed == "3"


def test_two_schedules_of_one_workload_are_not_added_above_its_cost() -> None:
    """A saving on the autoscaler and one on the workload are of the same money."""
    edit = only(judged(workload(SMOOTH * NOISE, 6), **scaled(6)))
    night = edit.model_copy(
        update={"kind": FindingKind.OFF_HOURS, "resource": WEB, "field": "spec.off"}
    )
    cost = {
        Cell(WEB, Part.CPU, "USD"): Decimal("175.2"), Cell(WEB, Part.MEMORY, "USD"): Decimal("21.9")
    }  # fmt: skip
    proposals, _ = propose(
        [edit, night],
        reconstructed=False,
        publication_id="p",
        min_saving=Decimal(1),
        min_confidence=0.5,
        as_of=AS_OF,
        costs=cost,
        relations=Relations(contains={HPA: frozenset({WEB})}),
    )
    assert len(proposals) == 2
    assert sum(one.saving_per_month.mid for one in proposals) < Decimal("197.1")


def load(demand: np.ndarray, maximum: int = 10) -> Load:
    """A load in UTC of one-core replicas held to 80 %."""
    replicas = np.full(len(demand), 3.0)
    return Load(T[: len(demand)], demand, replicas, 1.0, 0.8, maximum)


def test_needed_replicas_are_those_of_the_target() -> None:
    """At 80 % of one core each, 0.8 cores are one replica and a little more are two."""
    demand = np.array([0.0, 0.8, 0.81, 4.0, 99.0])
    assert load(demand).needed.tolist() == [1, 1, 2, 5, 10]


def test_an_autoscaler_is_late_on_the_way_up_and_slow_on_the_way_down() -> None:
    """One that follows at once is never short, and every minimum looks too high."""
    demand = np.array([0.5, 0.5, 4.0, 4.0, 4.0, 4.0, 0.5, 0.5, 0.5, 0.5])
    outcome = followed(load(demand), Floor(1))
    assert outcome.paid.tolist() == [1, 1, 1, 5, 5, 5, 5, 5, 1, 1]
    assert outcome.short.tolist() == [0, 0, 1, 1, 0, 0, 0, 0, 0, 0]
    assert outcome.cost(usual=3, dial=2) == pytest.approx(100 * (3.0 / 3 + 2 * 0.2))
    assert followed(load(demand), Floor(4)).short_share == 0


def test_the_forecast_is_that_of_the_hour_at_todays_level() -> None:
    """A level of last week is short this week; one that falls is not counted on."""
    flat = np.full(len(T), 2.0)
    rising = np.where(np.arange(len(T)) < 7 * 288, 2.0, 2.4)
    assert growth(load(rising)) == pytest.approx(1.2)
    assert growth(load(rising[::-1])) == 1.0
    replicas = foreseen(load(flat), 0.5)
    assert replicas is not None
    assert set(replicas) == {3.0}
    steep = foreseen(load(STEEP), 0.95)
    assert steep is not None
    assert (steep[24 + 8], steep[24 + 9], steep[5 * 24 + 9]) == (1, 7, 1)
    assert foreseen(load(STEEP[:288]), 0.95) is None


@given(st.lists(st.integers(1, 9), min_size=48, max_size=48), st.integers(1, 3))
def test_a_floor_is_never_below_what_is_foreseen(hours: list[int], least: int) -> None:
    """An hour whose replicas were rounded away is short every week."""
    week = np.arange(168)
    wanted = np.array(hours, dtype=float)[week % 24 + 24 * (week >= 120)]
    floor = floor_of(wanted, least)
    assert len(floor.levels) <= 2
    kept = floor.by_minute()[::60]
    assert (kept >= np.maximum(wanted, least)).all()
    assert kept.max() <= max(wanted.max(), least)


def test_levels_of_a_floor_are_the_cheapest_that_cover_it() -> None:
    """A level too many is a line more to keep, one too few keeps replicas for nobody."""
    wanted = np.full(168, 1.0)
    for day in range(5):
        wanted[24 * day + 8 : 24 * day + 18] = 5
        wanted[24 * day + 11 : 24 * day + 14] = 6
    floor = floor_of(wanted, 1)
    working = (0, 1, 2, 3, 4)
    assert floor == Floor(1, ((5, (Window(working, 8, 10),)), (6, (Window(working, 11, 3),))))
    assert floor.by_minute()[7 * 60 + 50] == 5
    assert running(floor.levels[0][1]).sum() == 50 * 60
