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
    rows: int
    ones: int

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
            rows=len(probability),
            ones=len(positive),
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


def worth(
    groups: Mapping[str, Candidates],
    chosen: Mapping[str, float],
    free: Mapping[str, float],
    left: float,
) -> float:
    """What share of a difference thresholds take away, less the share of skill that they cost.

    left: share of the difference that they leave. free: the best thresholds where any difference is
    allowed. Skill is what right answers are beyond those of one answer for all, on the rows fitted.
    The choice of most worth is the knee of the frontier (V. Satopaa et al. 2011); one of none, such
    as selecting nobody, makes groups alike by being of no use.
    """
    rows = sum(group.rows for group in groups.values())
    ones = sum(group.ones for group in groups.values())
    best, reached = (
        sum(float(groups[name].right[groups[name].threshold == at][0]) for name, at in some.items())
        for some in (free, chosen)
    )
    skill = best - max(ones, rows - ones)
    return (1 - left) - (best - reached) / skill if skill > 0 else 0.0
