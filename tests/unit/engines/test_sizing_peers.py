"""Peers' sizing rules give what their own documentation and tests say they give."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks.sizing_peers import (
    PEERS,
    VPA_GROWTH,
    VPA_MARGIN,
    Past,
    bucket_end,
    confidence,
    decayed_percentile,
    vpa,
)


def _past(values: list[float], minutes: float = 1.0, first_bucket: float = 0.01) -> Past:
    return Past(np.array([values]), np.arange(len(values)) * minutes / 60, first_bucket)


@pytest.mark.parametrize(
    ("value", "end"),
    [(-1.0, 40.0), (39.99, 40.0), (40.0, 100.0), (100.0, 190.0), (190.0, 325.0), (325.0, 527.5)],
)
def test_vpa_buckets(value: float, end: float) -> None:
    """kubernetes/autoscaler, histogram_options_test.go: first bucket 40, ratio 1.5."""
    assert bucket_end(np.array([value]), 40.0, 1.5)[0] == pytest.approx(end)


@pytest.mark.parametrize(
    ("level", "value"),
    [(0.0, 1), (0.1, 1), (0.2, 2), (0.3, 2), (0.4, 3), (0.5, 3), (0.6, 3), (0.7, 4), (1.0, 4)],
)
def test_vpa_percentiles(level: float, value: float) -> None:
    """histogram_test.go, TestPercentiles: values 1 to 4 of weights 1 to 4 (there by bucket end)."""
    four = np.array([[1.0, 2.0, 3.0, 4.0]])
    assert decayed_percentile(four, np.array([1.0, 2.0, 3.0, 4.0]), level)[0] == value


@pytest.mark.parametrize(
    ("level", "value"),
    [(0.0, 1), (0.02, 1), (0.03, 2), (0.10, 2), (0.11, 3), (0.34, 3), (0.35, 4), (1.0, 4)],
)
def test_vpa_decay(level: float, value: float) -> None:
    """decaying_histogram_test.go: the same, each a half-life after the one before."""
    four = np.array([[1.0, 2.0, 3.0, 4.0]])
    weights = np.array([1.0, 2.0, 3.0, 4.0]) * 2.0 ** np.arange(4)
    assert decayed_percentile(four, weights, level)[0] == value


def test_vpa_percentile_of_three() -> None:
    """estimator_test.go, TestPercentileEstimator: P20 of 1, 2, 3 cores is 1 within 5 %."""
    told = vpa(0.2)(_past([1.0, 2.0, 3.0]))[0] / VPA_MARGIN
    assert 1.0 < told <= 1.0 * VPA_GROWTH + 0.01


def test_vpa_confidence_of_few_samples() -> None:
    """estimator_test.go, TestConfidenceMultiplier: 9 samples give 0.00625, and 3.14 to 907.46."""
    past = _past([1.0] * 9, minutes=2.0)
    assert confidence(past)[0] == pytest.approx(0.00625)
    grown = vpa(0.9, 0.1, 2.0)(past)[0] / vpa(0.9)(past)[0]
    assert 3.14 * grown == pytest.approx(907.46)


@pytest.mark.parametrize(("hours", "factor"), [(12, 3.0), (24, 2.0), (168, 1.14)])
def test_vpa_upper_bound_of_short_histories(hours: int, factor: float) -> None:
    """recommender.go's comment: 12 h x 3, 24 h x 2, a week x 1.14."""
    past = _past([1.0] * (hours * 60 + 1))
    plain, upper = vpa(0.95)(past)[0], PEERS["vpa_histogram_upper"](past)[0]
    assert upper / plain == pytest.approx(factor, abs=0.01)


@pytest.mark.parametrize(("minutes", "factor"), [(5, 0.6), (30, 0.9), (60, 0.95)])
def test_vpa_lower_bound_of_short_histories(minutes: int, factor: float) -> None:
    """recommender.go's comment: 5 min x 0.6, 30 min x 0.9, 60 min x 0.95."""
    past = _past([1.0] * (minutes + 1))
    plain, lower = vpa(0.5)(past)[0], PEERS["vpa_histogram_lower"](past)[0]
    assert lower / plain == pytest.approx(factor, abs=0.02)


def test_goldilocks_is_vpas() -> None:
    """Its FAQ: guaranteed takes the target, burstable the lower and upper bounds."""
    past = _past([float(x) for x in range(1, 2000)])
    for name, of in (("guaranteed", "target"), ("burstable_request", "lower"),
                     ("burstable_limit", "upper")):  # fmt: skip
        assert PEERS[f"goldilocks_{name}"](past) == PEERS[f"vpa_histogram_{of}"](past)


def test_kubecost_max_over_target() -> None:
    """Its right-sizing API: 100m at 0.8 is 125m; of peaks 120m and 800m the higher counts."""
    assert PEERS["kubecost_max_over_0.8"](_past([40.0, 100.0]))[0] == pytest.approx(125.0)
    assert PEERS["kubecost_max_over_0.5"](_past([120.0, 800.0]))[0] == pytest.approx(1600.0)


def test_krr_percentiles_and_buffer() -> None:
    """strategies/simple.py and simple_limit.py: numpy's percentiles; memory max x 1.15."""
    values = [float(x) for x in range(1, 102)]
    expected = {"krr_simple_p95": 96.0, "krr_simple_limit_request_p66": 67.0,
                "krr_simple_limit_limit_p96": 97.0, "krr_memory_max_x1.15": 101 * 1.15}  # fmt: skip
    for name, value in expected.items():
        assert PEERS[name](_past(values))[0] == pytest.approx(value)


def test_compute_optimizer_defaults() -> None:
    """PutRecommendationPreferences: threshold P99_5 and headroom PERCENT_20 where not set."""
    values = [float(x) for x in range(1, 1002)]
    told = PEERS["compute_optimizer_p99.5_x1.2"](_past(values))[0]
    assert told == pytest.approx(996 * 1.2)
