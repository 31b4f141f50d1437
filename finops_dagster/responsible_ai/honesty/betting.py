"""Tests by betting: capital that cannot grow on average where a mean is what it is said to be.

Which means are asked about, and what an alarm is worth, is told where they are used.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from finops_dagster.responsible_ai.results import Interval

Side = Literal["below", "above"]

STAKES = (0.0125, 0.025, 0.05, 0.1, 0.2, 0.4, 0.8)
"""Shares of the capital that is put at stake, each doubling the one before: a bet is within a
factor 1.5 of the best for every deviation of a mean that a year of days could tell."""
_HALVINGS = 24
_LARGEST = 700.0
"""Logarithm of capital beyond which more says nothing, and floats end."""


@dataclass(frozen=True)
class Alarm:
    """A detector reached its threshold; places are those of values, from 0."""

    at: int
    since: int
    """From where a bet that ended here would have won most: where the change is likeliest."""
    side: Side
    """Of the mean that was said, on which the true one is."""


@dataclass(frozen=True)
class Detected:
    """What a detector saw of a stream of values."""

    capital: np.ndarray
    """After each value."""
    alarms: tuple[Alarm, ...]


def returns(values: np.ndarray, mean: float, side: Side) -> np.ndarray:
    """Capital after each single bet per unit of capital before, (stakes, values); NaN bets nothing.

    `values` in [0, 1]. With stake c the bet `below` pays 1 + c (m - x) / (1 - m), and `above` pays
    1 + c (x - m) / m: on average at most 1 where the mean given the past is at least, or at most,
    m (I. Waudby-Smith, A. Ramdas, Estimating means of bounded random variables by betting, JRSS B
    2024, section 4). Raises ValueError on a value or mean out of range.
    """
    known = np.isfinite(values)
    if not 0 < mean < 1 or ((values[known] < 0) | (values[known] > 1)).any():
        raise ValueError("values are in [0, 1] and the mean is between them")
    gain = (mean - values) / (1 - mean) if side == "below" else (values - mean) / mean
    return 1 + np.array(STAKES)[:, None] * np.where(known, gain, 0.0)


def e_process(values: np.ndarray, mean: float, side: Side) -> np.ndarray:
    """Capital by value, from 1, averaged over the stakes; at any time an e-value.

    Ville (1939): where the mean is not on this side, it ever reaches 1 / a with probability a at
    most.
    """
    return np.asarray(np.exp(np.minimum(_logs(values, mean, side), _LARGEST)))


def e_detector(
    values: np.ndarray, asked: Sequence[tuple[Side, float]], threshold: float
) -> Detected:
    """The sum of the capitals of gamblers of whom one starts with each value (Shiryaev-Roberts).

    `asked`: (side, mean) of each fault looked for, of which the mean is taken. J. Shin, A. Ramdas,
    A. Rinaldo, E-detectors: a nonparametric framework for sequential change detection, NEJSDS 2024:
    it reaches `threshold` after that many values on average or later, where nothing changed. Having
    reached it, it starts anew.
    """
    paid = np.concatenate([returns(values, mean, side) for side, mean in asked])
    capital = np.zeros(len(values))
    alarms: list[Alarm] = []
    now = np.zeros(len(paid))
    first = 0
    for step in range(len(values)):
        if not np.isfinite(values[step]):
            capital[step] = capital[step - 1] if step else 0.0
            continue
        now = (now + 1) * paid[:, step]
        capital[step] = now.mean()
        if capital[step] >= threshold:
            richest = int(now.argmax())
            won = np.log(paid[richest, first : step + 1])[::-1].cumsum()
            side = asked[richest // len(STAKES)][0]
            alarms.append(Alarm(step, step - int(won.argmax()), side))
            now, first = np.zeros(len(paid)), step + 1
    return Detected(capital, tuple(alarms))


def confidence_sequence(values: np.ndarray, confidence: float = 0.95) -> Interval:
    """The mean of all known values, with an interval that may be looked at after each of them.

    It holds the mean at all times at once with this probability: the means that neither side's
    capital, each half, has multiplied by 1 / (1 - confidence) (the hedged capital of Waudby-Smith
    and Ramdas, with stakes that do not depend on the values). No value: ends are 0 and 1.
    """
    known = values[np.isfinite(values)]
    if not len(known):
        return Interval(float("nan"), 0.0, 1.0)
    middle = float(known.mean())
    limit = np.log(2 / (1 - confidence))

    def end(outer: float, side: Side) -> float:
        inner = middle
        for _ in range(_HALVINGS):
            tried = (outer + inner) / 2
            if not 0 < tried < 1 or _last_log(known, tried, side) >= limit:
                outer = tried
            else:
                inner = tried
        return outer

    # capital that bets on means above m falls with m, the other rises: the rest is an interval
    return Interval(middle, end(0.0, "above"), end(1.0, "below"))


def discoveries(capital: Mapping[str, float], threshold: float) -> tuple[str, ...]:
    """Which of several streams are told of, the richest first: the k-th has threshold x n / k.

    e-BH: R. Wang, A. Ramdas, False discovery rate control with e-values, JRSS B 2022; any
    dependence is allowed. With e-values and the threshold 1 / a the false discovery rate is at most
    a. With e-detectors (S. Dandapanthula, A. Ramdas, Multiple testing in multi-stream sequential
    change detection, 2025) an average alarm is as late as the threshold says where nothing changed.
    """
    richest = sorted(capital, key=lambda name: (-capital[name], name))
    last = 0
    for place, name in enumerate(richest, 1):
        if capital[name] >= threshold * len(richest) / place:
            last = place
    return tuple(richest[:last])


def _logs(values: np.ndarray, mean: float, side: Side) -> np.ndarray:
    """Logarithm of the capital after each value, averaged over the stakes."""
    logs = np.log(returns(values, mean, side)).cumsum(1)
    return np.asarray(np.logaddexp.reduce(logs, axis=0) - np.log(len(STAKES)))


def _last_log(values: np.ndarray, mean: float, side: Side) -> float:
    """The last of `_logs`."""
    logs = np.log(returns(values, mean, side)).sum(1)
    return float(np.logaddexp.reduce(logs) - np.log(len(STAKES)))
