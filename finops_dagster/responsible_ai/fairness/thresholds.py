"""A threshold of its own for each group: which ones make groups alike at the least loss.

Fitted on labelled answers of the past; whether that holds later is measured in `mitigation`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

Aim = Literal["demographic parity", "equalized odds"]
_LEVELS = 101
"""Candidate thresholds of a group: so many quantiles of its probabilities, and none selected."""
_STARTS = {"demographic parity": 201, "equalized odds": 51}
"""Grid of the lowest rate that groups may have; of two rates for equalised odds."""


@dataclass(frozen=True)
class Candidates:
    """What each threshold of a group would have done: rates and right answers, by threshold."""

    threshold: NDArray[np.float64]
    selected: NDArray[np.float64]
    true_positive: NDArray[np.float64]
    false_positive: NDArray[np.float64]
    right: NDArray[np.float64]

    @classmethod
    def of(cls, probability: NDArray[np.float64], label: NDArray[np.float64]) -> Candidates:
        """probability, label: of the group's rows, both classes there.

        Thresholds have three digits, so that none is the probability of a single person.
        """
        levels = np.quantile(probability, np.linspace(0, 1, _LEVELS))
        threshold = np.unique(np.append(np.round(levels, 3), [0.0, 1.001]))
        positive = np.sort(probability[label > 0.5])
        negative = np.sort(probability[label <= 0.5])
        hits = len(positive) - np.searchsorted(positive, threshold, side="left")
        alarms = len(negative) - np.searchsorted(negative, threshold, side="left")
        return cls(
            threshold=threshold,
            selected=(hits + alarms) / len(probability),
            true_positive=hits / len(positive),
            false_positive=alarms / len(negative),
            right=(hits + len(negative) - alarms).astype(np.float64),
        )


def best_thresholds(
    groups: Mapping[str, Candidates], aim: Aim, limit: float
) -> dict[str, float] | None:
    """The thresholds of most right answers whose rates differ by `limit` or less.

    Demographic parity holds selection rates together, equalised odds both error rates (M. Hardt et
    al. 2016). Every common window of rates on a grid is tried and in it every candidate of each
    group, so this is the best there is of the grid, without drawing lots for people as a randomised
    rule would. None where no thresholds come so close.
    """
    starts = np.linspace(0, 1, _STARTS[aim])
    if aim == "equalized odds":
        starts = np.stack(np.meshgrid(starts, starts), axis=-1).reshape(-1, 2)
    else:
        starts = starts[:, None]
    total = np.zeros(len(starts))
    chosen: dict[str, NDArray[np.int64]] = {}
    for name, group in groups.items():
        rates = (
            np.stack([group.true_positive, group.false_positive], axis=-1)
            if aim == "equalized odds"
            else group.selected[:, None]
        )
        inside = np.ones((len(starts), len(group.threshold)), dtype=np.bool_)
        for kind in range(rates.shape[1]):
            above = rates[None, :, kind] - starts[:, None, kind]
            inside &= (above >= -1e-9) & (above <= limit + 1e-9)
        right = np.where(inside, group.right[None, :], -np.inf)
        chosen[name] = np.asarray(right.argmax(axis=1), dtype=np.int64)
        total += right.max(axis=1)
    best = int(total.argmax())
    if not np.isfinite(total[best]):
        return None
    return {name: float(group.threshold[chosen[name][best]]) for name, group in groups.items()}
