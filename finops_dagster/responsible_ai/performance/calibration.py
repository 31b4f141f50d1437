"""Probabilities that mean what they say: a model's own, calibrated on answers whose label is here.

Arithmetic only; what is made of them is told in `estimated`.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

ISOTONIC_FROM = 1000
"""Labelled answers from which probabilities are calibrated by isotonic regression; with fewer it
overfits and Platt's two parameters do better (Niculescu-Mizil and Caruana 2005)."""
_EDGE = 1e-6


def calibrated(probability: Floats, label: Floats) -> tuple[Callable[[Floats], Floats], str]:
    """A map from probabilities to calibrated ones, and the method's name.

    probability, label: equal length, in [0, 1] and {0, 1}, both classes present.
    """
    if len(label) >= ISOTONIC_FROM:
        return _isotonic(probability, label), "isotonic regression"
    return _platt(probability, label), "Platt scaling"


def expected_area(rank: NDArray[np.int64], chance: Floats) -> float | None:
    """Area under the ROC curve that is expected where answer i is positive with chance[i].

    rank: place of each answer's score among the distinct ones, from 0; ties are halved. None where
    no positive or no negative is expected at all.
    """
    positive = np.bincount(rank, weights=chance)
    negative = np.bincount(rank, weights=1 - chance)
    total = float(positive.sum() * negative.sum())
    if total <= 0:
        return None
    below = np.cumsum(negative) - negative / 2
    return float((positive * below).sum() / total)


def thresholded_accuracy(
    probability: Floats, right: NDArray[np.bool_], unlabelled: Floats
) -> float:
    """Accuracy by average thresholded confidence (S. Garg et al. 2022, ATC).

    probability, right: of labelled answers, and whether they were right. The threshold of
    confidence is the one that as many labelled answers reach as were right.
    """
    confidence = np.maximum(probability, 1 - probability)
    threshold = float(np.quantile(confidence, 1 - float(right.mean())))
    return float((np.maximum(unlabelled, 1 - unlabelled) >= threshold).mean())


def _isotonic(probability: Floats, label: Floats) -> Callable[[Floats], Floats]:
    """Pooled adjacent violators over distinct probabilities, straight lines between them."""
    from scipy.optimize import isotonic_regression

    values, group, counts = np.unique(probability, return_inverse=True, return_counts=True)
    means = np.bincount(group, weights=label) / counts
    levels = isotonic_regression(means, weights=counts.astype("float64")).x

    def apply(given: Floats) -> Floats:
        found: Floats = np.interp(given, values, levels)
        return found

    return apply


def _platt(probability: Floats, label: Floats) -> Callable[[Floats], Floats]:
    """Logistic regression on the log odds, to Platt's own targets (J. Platt 1999)."""
    from scipy.optimize import minimize
    from scipy.special import expit, logit

    positive = float(label.sum())
    negative = len(label) - positive
    target = np.where(label > 0.5, (positive + 1) / (positive + 2), 1 / (negative + 2))
    odds = logit(np.clip(probability, _EDGE, 1 - _EDGE))

    def loss(at: Floats) -> tuple[float, Floats]:
        line = at[0] * odds + at[1]
        miss = expit(line) - target
        value = float(np.mean(np.logaddexp(0, line) - target * line))
        return value, np.array([np.mean(miss * odds), np.mean(miss)])

    slope, offset = minimize(loss, np.array([1.0, 0.0]), jac=True, method="BFGS").x

    def apply(given: Floats) -> Floats:
        found: Floats = expit(slope * logit(np.clip(given, _EDGE, 1 - _EDGE)) + offset)
        return found

    return apply
