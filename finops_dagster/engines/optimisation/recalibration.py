"""A monotone correction of stated probabilities by what came true.

Which probabilities are stated, and of what, is known elsewhere.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from finops_dagster.engines.known import Floats

_TINY = 1e-7
_LEAST_SLOPE = 0.2
"""Below it what was predicted tells nearly nothing; the correction must stay rising."""
_PRIOR = 1.0
"""Weight of "as it is": as if one more observation had agreed, so that little data moves little."""
_ROUNDS = 25


@dataclass(frozen=True)
class Recalibration:
    """log-odds' = intercept + slope x log-odds, slope above 0 (Cox 1958, Platt 1999)."""

    intercept: float = 0.0
    slope: float = 1.0

    def __call__(self, probability: Floats) -> Floats:
        """Corrected probabilities, of the shape of `probability`, in its order."""
        return np.asarray(1 / (1 + np.exp(-self.intercept - self.slope * _odds(probability))))


def recalibration(stated: Floats, share: Floats) -> Recalibration:
    """The correction under which `stated` probabilities best agree with the `share` seen of each.

    Both have one dimension and values in 0 to 1. Maximum likelihood by Newton's method, with a
    weak prior at no correction; nothing to learn from gives none.
    """
    if stated.size == 0:
        return Recalibration()
    odds = _odds(stated)
    design = np.column_stack([np.ones_like(odds), odds])
    start = np.array([0.0, 1.0])
    beta = start.copy()
    for _ in range(_ROUNDS):
        p = 1 / (1 + np.exp(-design @ beta))
        gradient = design.T @ (share - p) - _PRIOR * (beta - start)
        curvature = (design * (p * (1 - p))[:, None]).T @ design + _PRIOR * np.eye(2)
        step = np.linalg.solve(curvature, gradient)
        beta = beta + np.clip(step, -1.0, 1.0)
        beta[1] = max(beta[1], _LEAST_SLOPE)
        if np.abs(step).max() < 1e-9:
            break
    return Recalibration(intercept=float(beta[0]), slope=float(beta[1]))


def _odds(probability: Floats) -> Floats:
    p = np.clip(np.asarray(probability, dtype=float), _TINY, 1 - _TINY)
    return np.asarray(np.log(p / (1 - p)))
