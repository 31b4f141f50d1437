"""Past forecasts beside what came: a team whose intervals are wrong is named, others are not."""

from __future__ import annotations

from datetime import date, timedelta

import numpy as np
import pandas as pd

from finops_dagster.domain.decisions import Abstained
from finops_dagster.domain.models import ALL, Check
from finops_dagster.responsible_ai.honesty import HonestyResult, breaches_of, judge_forecasts

START = date(2026, 1, 1)
TEAMS = {f"team|{currency}|t{i}": f"t{i}" for i, currency in enumerate(("USD", "EUR", "USD"))}


def said(
    seed: int, days: int, *, wrong_from: int = 10**6, wider: float = 1.0, moved: float = 0.0
) -> pd.DataFrame:
    """Forecasts of 100 with true intervals of noise 10; of t1 noise or mean changes on a day."""
    rng = np.random.default_rng(seed)
    rows = []
    for day in range(days):
        for name in ("total|USD|all", *TEAMS):
            hit = name.endswith("t1") and day >= wrong_from
            actual = 100 + 10 * (wider if hit else 1) * rng.normal() + (moved if hit else 0)
            rows.append((name, START + timedelta(days=day), actual))
    frame = pd.DataFrame(rows, columns=["unique_id", "ds", "actual"])
    ends = {"mean": 100.0, "lo80": 87.184, "hi80": 112.816, "lo95": 80.4, "hi95": 119.6}
    return frame.assign(**ends)


def judged(frame: pd.DataFrame, rate: float = 0.5) -> HonestyResult:
    told = judge_forecasts("forecaster", frame, TEAMS, false_alarms_per_year=rate)
    assert isinstance(told, HonestyResult)
    return told


def test_right_forecasts_raise_no_alarm() -> None:
    told = judged(said(1, 300))
    assert breaches_of(told) == ()
    assert [one.segment for one in told.segments] == [ALL, "t0", "t1", "t2"]
    assert told.streams == 12
    for one in told.segments:
        assert abs(one.coverage[80].coverage.value - 0.8) < 0.08
        assert abs(one.signed_error) < 0.03
    assert {one.month for one in told.months if one.segment == "t0"} >= {"2026-01", "2026-10"}


def test_a_team_with_narrow_intervals_is_named_with_the_day() -> None:
    """The mean over teams hides it: three of four are right."""
    told = judged(said(2, 260, wrong_from=200, wider=4.0))
    found = [one for one in breaches_of(told) if one.segment == "t1"]
    assert {one.check for one in found} == {Check.COVERAGE}
    assert all(one.grade == "fail" and "too narrow" in one.reason for one in found)
    changed = START + timedelta(days=200)
    assert all(one.since and abs((one.since - changed).days) <= 14 for one in found)
    assert {one.segment for one in breaches_of(told)} <= {"t1", ALL}


def test_bias_is_told_with_its_side() -> None:
    told = judged(said(3, 260, wrong_from=200, moved=15.0))
    bias = [one for one in breaches_of(told) if one.check is Check.BIAS and one.segment == "t1"]
    assert len(bias) == 1 and "too low" in bias[0].reason
    assert bias[0].figures["above_share"] > 0.5
    assert bias[0].figures["signed_error_share"] < 0


def test_an_alarm_that_is_over_stands_no_longer() -> None:
    frame = said(4, 230, wrong_from=200, wider=6.0)
    assert any(one.segment == "t1" for one in breaches_of(judged(frame)))
    later = said(5, 60).assign(ds=lambda f: [one + timedelta(days=230) for one in f["ds"]])
    assert breaches_of(judged(pd.concat([frame, later]))) == ()


def test_few_days_are_not_judged() -> None:
    told = judge_forecasts("forecaster", said(6, 27), TEAMS, false_alarms_per_year=0.5)
    assert isinstance(told, Abstained) and told.reason.startswith("27 days were forecast")
    assert breaches_of(told) == ()
    empty = said(6, 40).assign(actual=np.nan)
    assert isinstance(
        judge_forecasts("forecaster", empty, TEAMS, false_alarms_per_year=0.5), Abstained
    )
