"""Fine series: what was never seen before, and what is far out, a point at a time."""

from __future__ import annotations

import io
import math
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pytest

from finops_dagster.engines.anomalies.fine_memory import MEMORY
from finops_dagster.engines.anomalies.novelty import Judged, Watch

HOUR = timedelta(hours=1)
START = datetime(2026, 1, 1, tzinfo=UTC)
WARM_UP = 24 * 14


def daily(hours: int, seed: int = 5) -> np.ndarray:
    """Demand with days and weeks, and noise; 100 or so."""
    at = np.arange(hours)
    noise = np.random.default_rng(seed).normal(0, 3, hours)
    return np.asarray(100 + 30 * np.sin(2 * np.pi * at / 24) + 10 * (at % 168 < 120) + noise)


def times(hours: int) -> list[datetime]:
    return [START + HOUR * i for i in range(hours)]


def judged(values: np.ndarray, watch: Watch | None = None) -> list[Judged]:
    return (watch or Watch(HOUR, WARM_UP)).judge_all(times(len(values)), values.tolist())


def alarms(said: list[Judged], since: int = 0) -> list[int]:
    return [i for i, one in enumerate(said) if one.novel and i >= since]


def through_a_file(watch: Watch) -> Watch:
    """As a day's run leaves it for the next one."""
    file = io.BytesIO()
    state = watch.state()
    last_at = state.pop("last_at")
    np.savez(file, **state)
    file.seek(0)
    with np.load(file) as kept:
        return Watch.restored({**{name: kept[name] for name in kept.files}, "last_at": last_at})


def same(one: Judged, other: Judged) -> bool:
    z = one.z == pytest.approx(other.z, rel=1e-9, nan_ok=True)
    score = one.score == pytest.approx(other.score, rel=1e-9)
    return z and score and (one.novel, one.far, one.why) == (other.novel, other.far, other.why)


def test_a_year_day_by_day_is_the_year_at_once() -> None:
    """What is kept between days is all that a verdict depends on."""
    values = daily(24 * 365)
    values[4000:4010] += 200
    values[6000:6200] *= 1.7
    whole = judged(values)
    watch = Watch(HOUR, WARM_UP)
    at = times(len(values))
    parts: list[Judged] = []
    for day in range(365):
        hours = slice(24 * day, 24 * day + 24)
        parts += watch.judge_all(at[hours], values[hours].tolist())
        watch = through_a_file(watch)
    assert all(same(one, other) for one, other in zip(whole, parts, strict=True))
    assert len(alarms(whole)) > 1


def test_points_one_by_one_are_points_at_once() -> None:
    """Harm: sums in another order would make other verdicts of the same points."""
    values = daily(1500)
    values[700:705] = math.nan
    values[900:920] = 500
    watch = Watch(HOUR, WARM_UP)
    single = [watch.judge(at, float(v)) for at, v in zip(times(1500), values, strict=True)]
    assert [repr(one) for one in single] == [repr(one) for one in judged(values)]
    assert len(alarms(single)) > 0


def test_times_that_go_back_are_refused_before_anything_is_taken_in() -> None:
    watch = Watch(HOUR, WARM_UP)
    watch.judge_all(times(3), [1.0, 2.0, 3.0])
    with pytest.raises(ValueError, match="is not after"):
        watch.judge_all([START + HOUR * 5, START + HOUR * 4], [4.0, 5.0])
    assert (watch.seen, watch.last_at) == (3, START + HOUR * 2)


def test_state_is_bounded_however_long_a_series_was_watched() -> None:
    watch = Watch(timedelta(minutes=5), 750)
    rng = np.random.default_rng(1)
    some = [START + timedelta(minutes=5 * i) for i in range(MEMORY // 10)]
    watch.judge_all(some, rng.normal(size=len(some)).tolist())
    watch.judge(START + timedelta(days=400), 0.0)  # months of nothing
    assert all(len(one) <= MEMORY for one in watch.state().values() if np.ndim(one) == 1)


@pytest.mark.parametrize("cut", [500, 901, 1300])
def test_nothing_later_changes_what_was_said(cut: int) -> None:
    values = daily(1500)
    changed = values.copy()
    changed[cut:] = 10_000 * np.random.default_rng(cut).normal(size=1500 - cut)
    pairs = zip(judged(values)[:cut], judged(changed)[:cut], strict=True)
    assert all(same(one, other) for one, other in pairs)


@pytest.mark.parametrize(
    ("change", "why"),
    [
        (lambda v: v + np.where(np.arange(24) == 3, 400, 0), "value"),
        (lambda v: v[::-1], "shape"),
        (lambda v: np.full(24, 105.0), "spread"),
    ],
)
def test_what_was_never_seen_is_told_with_what_is_new_about_it(change: Any, why: str) -> None:
    values = daily(24 * 40)
    day = slice(24 * 30, 24 * 31)
    values[day] = change(values[day])
    said = judged(values)
    found = [said[i] for i in alarms(said, day.start) if i < day.stop + 12]
    assert found, "nothing was said of it"
    assert why in {one.why for one in found} or why == "spread"


def test_an_ordinary_series_is_left_alone() -> None:
    """A feed that cries each week is closed: under one alarm in four weeks of hours."""
    total = sum(len(alarms(judged(daily(24 * 70, seed)))) for seed in range(8))
    assert total / 8 / 8 < 1 / 2  # 8 series of 8 weeks that are judged


def test_far_out_is_another_class_with_its_own_threshold() -> None:
    values = np.random.default_rng(3).normal(50, 1, 1200)
    values[800] = 90
    values[1000] = 90
    said = judged(values)
    assert [i for i, one in enumerate(said) if one.far] == [800, 1000]
    assert said[800].why == "value"
    # as high as before: far out still, and no record
    assert said[1000].why != "value"


def test_after_an_alarm_it_rests() -> None:
    values = daily(1500)
    values[900:920] = 500 + np.arange(20)
    said = judged(values)
    assert [i for i in alarms(said) if 900 <= i < 930] == [900]
    assert all(one.score < 0.5 for one in said[901:930])


def test_something_far_louder_is_told_in_a_rest() -> None:
    """A weak alarm must not hide the outage that follows it."""
    values = daily(1500)
    values[900], values[905] = 300, 50_000
    assert [i for i in alarms(judged(values)) if 900 <= i < 930] == [900, 905]


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
def test_what_is_not_known_is_no_anomaly(bad: float) -> None:
    values = daily(1200)
    values[700:705] = bad
    said = judged(values)
    assert not any(one.far for one in said[700:705])
    assert all(math.isnan(one.z) for one in said[700:705])
    clean = judged(daily(1200))
    assert alarms(said) == alarms(clean)


def test_steps_that_are_left_out_count_as_not_known() -> None:
    values, at = daily(1200), times(1200)
    gap = set(range(700, 705))
    told = values.copy()
    told[sorted(gap)] = math.nan
    there = [i for i in range(1200) if i not in gap]
    left = Watch(HOUR, WARM_UP).judge_all([at[i] for i in there], values[there].tolist())
    kept = [one for i, one in enumerate(judged(told)) if i not in gap]
    assert all(same(one, other) for one, other in zip(left, kept, strict=True))


@pytest.mark.parametrize("value", [0.0, 7.0, 1e12, -3.0])
def test_a_constant_is_judged_and_its_first_change_is_news(value: float) -> None:
    values = np.full(1000, value)
    values[900] = value + max(abs(value), 1.0)
    said = judged(values)
    assert alarms(said) == [900]
    assert said[900].far


def test_scale_and_unit_of_a_series_say_nothing() -> None:
    """10^12 next to 10^-7: the same series in other units has the same verdicts."""
    values = daily(1000)
    values[800] = 500
    one = judged(values)
    for factor in (2.0**40, 2.0**-24):
        assert alarms(judged(values * factor)) == alarms(one)


def test_a_time_that_is_not_later_is_refused() -> None:
    watch = Watch(HOUR, WARM_UP)
    watch.judge(START, 1.0)
    with pytest.raises(ValueError, match="is not after"):
        watch.judge(START, 2.0)


def test_too_little_is_not_judged() -> None:
    values = daily(WARM_UP)
    values[-1] = 10_000
    assert all(one.score == 0 and not one.far for one in judged(values))
