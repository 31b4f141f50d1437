"""How wrong a regressor is expected to be of inputs whose truth is not here: a model of its loss.

Learned from answers whose label is here; what is made of it is told in `estimated`.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pandas as pd
from numpy.typing import NDArray

Floats = NDArray[np.float64]

CATEGORIES = 50
"""Words of an input that are told apart, the most frequent; a choice: rarer ones have too few
labelled answers to learn an error of."""
_PARAMETERS = {
    "objective": "reg:squarederror",
    "max_depth": 3,
    "learning_rate": 0.1,
    "min_child_weight": 20,
    # a second thread would wait longer than it helps with so few rows
    "nthread": 1,
}
_ROUNDS = 80


def encoder(features: pd.DataFrame) -> Callable[[pd.DataFrame], Floats]:
    """Inputs as numbers, as `features` has them: words by their order of frequency, others NaN."""
    codes = {
        name: {word: code for code, word in enumerate(column.value_counts().index[:CATEGORIES])}
        for name, column in features.items()
        if column.dtype == object
    }

    def apply(frame: pd.DataFrame) -> Floats:
        columns = [
            frame[name].map(codes[name]) if name in codes else frame[name]
            for name in features.columns
        ]
        if not columns:
            return np.empty((len(frame), 0))
        return np.column_stack([column.to_numpy(dtype="float64") for column in columns])

    return apply


def unseen_share(reference: Floats, analysis: Floats) -> float:
    """Share of rows of `analysis` with a number outside the range of `reference`, or NaN where
    `reference` has none: the estimate of these is a guess."""
    if reference.shape[1] == 0 or len(analysis) == 0:
        return 0.0
    gaps = np.isnan(reference)
    low = np.where(gaps, np.inf, reference).min(axis=0)
    high = np.where(gaps, -np.inf, reference).max(axis=0)
    outside = (analysis < low) | (analysis > high) | (np.isnan(analysis) & ~gaps.any(axis=0))
    return float(outside.any(axis=1).mean())


def expected_loss(inputs: Floats, loss: Floats, seed: int) -> Callable[[Floats], Floats]:
    """Mean absolute error expected of inputs: gradient-boosted trees on labelled answers.

    Direct loss estimation, as NannyML calls it (DLE, its documentation of 2022 on). The same seed
    gives the same trees.
    """
    import xgboost as xgb

    matrix = xgb.DMatrix(inputs, label=loss)
    trees = xgb.train({**_PARAMETERS, "seed": seed}, matrix, num_boost_round=_ROUNDS)

    def apply(given: Floats) -> Floats:
        found: Floats = np.asarray(trees.predict(xgb.DMatrix(given)), dtype="float64")
        return np.maximum(found, 0.0)

    return apply
