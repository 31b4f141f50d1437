"""Coverage as its days come: false alarms as rare as stated, and narrow intervals soon found."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from finops_dagster.responsible_ai.honesty.betting import (
    STAKES,
    confidence_sequence,
    discoveries,
    e_detector,
    e_process,
    returns,
)
from finops_dagster.responsible_ai.honesty.coverage import days_to_false_alarm, judge_coverage


def test_one_bet_pays_what_the_paper_says() -> None:
    """Stake .1 on coverage below .8: a miss pays 1 + .1 x .8 / .2, a hit 1 - .1."""
    paid = returns(np.array([0.0, 1.0, np.nan]), 0.8, "below")[STAKES.index(0.1)]
    np.testing.assert_allclose(paid, [1.4, 0.9, 1.0])
    paid = returns(np.array([0.0, 1.0, 0.8]), 0.8, "above")[STAKES.index(0.4)]
    np.testing.assert_allclose(paid, [0.6, 1.1, 1.0])


@given(mean=st.floats(0.05, 0.95), ones=st.integers(0, 200))
@settings(max_examples=50)
def test_a_fair_bet_wins_nothing_on_average(mean: float, ones: int) -> None:
    """Else capital would grow where nothing is wrong, and every alarm would be one of chance."""
    for side in ("below", "above"):
        paid = returns(np.array([0.0, 1.0]), mean, side)  # type: ignore[arg-type]
        np.testing.assert_allclose(paid @ np.array([1 - mean, mean]), 1.0)
        assert (paid > 0).all()


@pytest.mark.parametrize("side", ["below", "above"])
@pytest.mark.parametrize("level", [0.5, 0.8, 0.95])
def test_capital_ever_reaches_twenty_as_rarely_as_ville_says(level: float, side: str) -> None:
    """Looked at after each of 100 days, in 1000 streams: at most .05, and four standard errors."""
    rng = np.random.default_rng(3)
    hits = (rng.random((1000, 100)) < level).astype(float)
    reached = [e_process(row, level, side).max() >= 20 for row in hits]  # type: ignore[arg-type]
    assert np.mean(reached) <= 0.05 + 4 * np.sqrt(0.05 * 0.95 / 1000)


def test_capital_of_dependent_series_keeps_to_ville_too() -> None:
    """Teams whose days are good and bad together, as shares of hits: still at most .05."""
    rng = np.random.default_rng(4)
    shares = rng.beta(0.8, 0.2, (1000, 100))
    reached = [e_process(row, 0.8, "below").max() >= 20 for row in shares]
    assert np.mean(reached) <= 0.05 + 4 * np.sqrt(0.05 * 0.95 / 1000)


def test_runs_without_change_are_as_long_as_stated() -> None:
    """Half an alarm a year is 730.5 days between them: over 100 years, no more than 50."""
    rng = np.random.default_rng(5)
    hits = (rng.random(round(365.25 * 100)) < 0.8).astype(float)
    result = judge_coverage(hits, 0.8, false_alarms_per_year=0.5)
    assert result.threshold == pytest.approx(730.5)
    assert 1 <= len(result.alarms) <= 50
    assert 0.79 < result.coverage.value < 0.81
    assert result.coverage.low is not None and result.coverage.high is not None
    assert result.coverage.low <= 0.8 <= result.coverage.high


def test_streams_share_the_rate_and_weeks_are_fewer_than_days() -> None:
    assert days_to_false_alarm(0.5, streams=4) == pytest.approx(2922)
    assert days_to_false_alarm(0.5, days_apart=7) == pytest.approx(104.357, abs=1e-3)
    assert days_to_false_alarm(12, days_apart=365) == 1


@pytest.mark.parametrize(
    ("level", "then", "side", "within"),
    [(0.8, 0.4, "below", 40), (0.95, 0.7, "below", 40), (0.8, 1.0, "above", 80)],
)
def test_a_change_is_found_and_dated(level: float, then: float, side: str, within: int) -> None:
    """Right for 200 days, wrong from then on, in 50 streams: found in nearly all, soon."""
    rng = np.random.default_rng(6)
    delays, dated = [], []
    for _ in range(50):
        chance = np.where(np.arange(200 + within) < 200, level, then)
        result = judge_coverage((rng.random(len(chance)) < chance).astype(float), level)
        later = [alarm for alarm in result.alarms if alarm.at >= 200]
        if later and later[0].side == side:
            delays.append(later[0].at - 200)
            dated.append(abs(later[0].since - 200))
    assert len(delays) >= 47
    assert np.median(delays) <= within * 0.7
    assert np.median(dated) <= 10


def test_tolerated_coverage_is_no_fault() -> None:
    """.77 where .8 is said and .05 tolerated: over 50 years no more than the stated alarms."""
    rng = np.random.default_rng(7)
    hits = (rng.random(round(365.25 * 50)) < 0.77).astype(float)
    assert len(judge_coverage(hits, 0.8, tolerance=0.05).alarms) <= 25
    assert len(judge_coverage(hits, 0.8).alarms) > 25


def test_ninety_five_with_tolerance_five_looks_below_alone() -> None:
    """Coverage above 1 is none: intervals that always hold are tolerated, not an error."""
    result = judge_coverage(np.ones(1000), 0.95, tolerance=0.05)
    assert result.alarms == () and result.e_value < 1


def test_an_interval_holds_the_mean_at_all_times_at_once() -> None:
    """Over 150 streams, at six looks: missed in .05 of the streams at most."""
    rng = np.random.default_rng(8)
    missed = 0
    for _ in range(150):
        hits = (rng.random(60) < 0.8).astype(float)
        ends = [confidence_sequence(hits[:n]) for n in range(10, 61, 10)]
        missed += any(not (one.low or 0) <= 0.8 <= (one.high or 0) for one in ends)
    assert missed / 150 <= 0.05 + 4 * np.sqrt(0.05 * 0.95 / 150)


def test_the_interval_narrows_and_stays_within_bounds() -> None:
    hits = np.tile([1.0, 1.0, 1.0, 1.0, 0.0], 100)
    few, many = confidence_sequence(hits[:20]), confidence_sequence(hits)
    assert few.value == many.value == pytest.approx(0.8)
    assert 0 <= (few.low or 0) < (many.low or 0) < 0.8 < (many.high or 0) < (few.high or 0) <= 1
    nothing = confidence_sequence(np.array([np.nan]))
    assert (nothing.low, nothing.high) == (0.0, 1.0)


@given(st.lists(st.sampled_from([0.0, 1.0, float("nan")]), min_size=1, max_size=80))
@settings(max_examples=60, deadline=None)
def test_unknown_days_change_nothing(hits: list[float]) -> None:
    """A bill that comes late is no evidence: the same capital as if those days had not been."""
    values = np.array(hits)
    known = values[np.isfinite(values)]
    all_days = judge_coverage(values, 0.8, false_alarms_per_year=12)
    alone = judge_coverage(known, 0.8, false_alarms_per_year=12)
    assert all_days.capital == pytest.approx(alone.capital)
    assert all_days.e_value == pytest.approx(alone.e_value)
    assert len(all_days.alarms) == len(alone.alarms)
    places = np.flatnonzero(np.isfinite(values))
    assert [alarm.at for alarm in all_days.alarms] == [places[a.at] for a in alone.alarms]


def test_a_year_of_misses_is_finite() -> None:
    result = judge_coverage(np.zeros(2000), 0.95)
    assert np.isfinite(result.e_value) and np.isfinite(result.capital) and result.alarms
    assert judge_coverage(np.array([]), 0.95).e_value == 1.0


@pytest.mark.parametrize("level", [0.0, 1.0, -1, 80])
def test_a_level_that_is_none_is_refused(level: float) -> None:
    with pytest.raises(ValueError, match="level"):
        judge_coverage(np.ones(3), level)


def test_a_hit_that_is_none_is_refused() -> None:
    with pytest.raises(ValueError, match="between"):
        judge_coverage(np.array([2.0]), 0.8)


def test_the_richest_streams_are_told_of() -> None:
    """e-BH at 10 of 4 streams: the first needs 40, two need 20 each, three 13.3 each."""
    assert discoveries({"a": 39, "b": 1, "c": 1, "d": 1}, 10) == ()
    assert discoveries({"a": 40, "b": 1, "c": 1, "d": 1}, 10) == ("a",)
    assert discoveries({"a": 21, "b": 20, "c": 1, "d": 1}, 10) == ("a", "b")
    assert discoveries({}, 10) == ()


def test_teams_that_are_right_are_rarely_told_of() -> None:
    """Ten teams that share their luck, 2 of them wrong: false discoveries at most .1 on average."""
    rng = np.random.default_rng(9)
    shares = []
    for _ in range(100):
        common = rng.random(200)
        capital = {
            f"team-{i}": e_process(
                (np.where(rng.random(200) < 0.5, common, rng.random(200)) < (0.5 if i < 2 else 0.8))
                .astype(float), 0.8, "below",
            )[-1]
            for i in range(10)
        }  # fmt: skip
        told = discoveries(capital, 10)
        shares.append(sum(name not in ("team-0", "team-1") for name in told) / max(1, len(told)))
        assert {"team-0", "team-1"} <= set(told)
    assert np.mean(shares) <= 0.1


def test_the_detector_of_two_faults_is_their_mean() -> None:
    hits = np.array([1.0, 0.0, 0.0, 1.0])
    below = e_detector(hits, [("below", 0.8)], 1e9).capital
    above = e_detector(hits, [("above", 0.8)], 1e9).capital
    both = e_detector(hits, [("below", 0.8), ("above", 0.8)], 1e9).capital
    np.testing.assert_allclose(both, (below + above) / 2)
