"""Figures by group agree with what pandas says of the same rows, missing values and all."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from finops_dagster.engines.optimisation.grouped import (
    highest,
    means,
    numbered,
    quantiles,
    sums,
)

OF = np.array([0, 0, 0, 2, 2, 3])
VALUES = np.array([1.0, np.nan, 4.0, np.nan, np.nan, 7.0])
"""Group 1 has no row, and group 2 nothing known."""


def test_what_is_not_known_does_not_count_and_nothing_known_is_no_zero() -> None:
    """A gap counted as no use would size a workload by its gaps."""
    nan = np.nan
    np.testing.assert_array_equal(sums(VALUES, OF, 4), [5.0, nan, nan, 7.0])
    np.testing.assert_array_equal(means(VALUES, OF, 4), [2.5, nan, nan, 7.0])
    np.testing.assert_array_equal(highest(VALUES, OF, 4), [4.0, nan, nan, 7.0])
    found = quantiles(VALUES, OF, 4, (0.5, 1.0))
    np.testing.assert_array_equal(found, [[2.5, 4.0], [nan, nan], [nan, nan], [7.0, 7.0]])


def test_quantiles_are_those_of_pandas() -> None:
    """Two ways to interpolate would give two sizes of one history."""
    rng = np.random.default_rng(1)
    of = np.sort(rng.integers(0, 20, 3_000))
    values = np.where(rng.random(3_000) < 0.1, np.nan, rng.gamma(2, 1, 3_000))
    levels = (0.5, 0.95, 0.995)
    expected = pd.Series(values).groupby(of).quantile(np.array(levels)).unstack().to_numpy()
    np.testing.assert_array_equal(quantiles(values, of, 20, levels), expected)


@pytest.mark.parametrize(
    ("values", "places", "distinct"),
    [
        (["b", "a", "b", None], [1, 0, 1, -1], ["a", "b"]),
        (np.array([30, 10, 20, 10]), [2, 0, 1, 0], [10, 20, 30]),
        ([], [], []),
    ],
)
def test_numbers_rise_with_what_they_stand_for(
    values: object, places: list[int], distinct: list[object]
) -> None:
    """Groups out of order would give one workload's figures to another."""
    found, names = numbered(pd.Series(values, dtype=None if len(places) else object))
    assert found.tolist() == places
    assert names.tolist() == distinct
