"""Weights of training rows that make group and label independent, and a stand-in to try them on.

How groups fare under what it answers is measured in `mitigation`.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from finops_dagster.responsible_ai.fairness.groups import words

_TREES = {"objective": "binary:logistic", "max_depth": 4, "eta": 0.15, "nthread": 2, "seed": 0,
          "tree_method": "hist"}  # fmt: skip
_ROUNDS = 60


def weights(group: NDArray[np.object_], label: NDArray[np.float64]) -> dict[tuple[str, int], float]:
    """Weight of each group and label that makes both independent: P(group) P(label) / P(both).

    F. Kamiran and T. Calders 2012, Knowledge and Information Systems 33, 1-33.
    """
    found = {}
    positive = label > 0.5
    for name in sorted({str(one) for one in group}):
        inside = group == name
        for value in (0, 1):
            of_class = positive == bool(value)
            both = (inside & of_class).mean()
            if both:
                found[name, value] = float(inside.mean() * of_class.mean() / both)
    return found


def stand_in(
    past: pd.DataFrame,
    now: pd.DataFrame,
    label: NDArray[np.float64],
    weight: NDArray[np.float64] | None,
) -> NDArray[np.float64]:
    """Probabilities of class 1 for `now`, of trees that learned `label` from the inputs `past`.

    label: 0 or 1 of each row of `past`; weight: of each row, None for equal ones.
    """
    import xgboost

    learned, asked = _encoded(past, now)
    table = xgboost.DMatrix(learned, label=label, weight=weight, enable_categorical=True)
    trees = xgboost.train(_TREES, table, num_boost_round=_ROUNDS)
    score = trees.predict(xgboost.DMatrix(asked, enable_categorical=True))
    return np.asarray(score, dtype=np.float64)


def _encoded(past: pd.DataFrame, now: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Inputs as numbers and as categories of the past; what was not there then is missing."""
    learned, asked = {}, {}
    for number, column in enumerate(past.columns):
        name = f"input {number}"  # XGBoost refuses some characters
        if pd.api.types.is_numeric_dtype(past[column]) and pd.api.types.is_numeric_dtype(
            now[column]
        ):
            learned[name], asked[name] = (
                pd.Series(part[column].to_numpy(dtype="float64")).replace([np.inf, -np.inf], np.nan)
                for part in (past, now)
            )
            continue
        text = words(past[column])
        usual = pd.CategoricalDtype(sorted(text.value_counts().index[:200]))
        learned[name] = text.reset_index(drop=True).astype(usual)
        asked[name] = words(now[column]).reset_index(drop=True).astype(usual)
    return pd.DataFrame(learned), pd.DataFrame(asked)
