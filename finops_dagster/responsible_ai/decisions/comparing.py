"""Comparing one group's share, or mean, with that of all others: ratio, interval, p-value.

Which groups and which shares is for judging to say.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from finops_dagster.responsible_ai.intervals import basic_bootstrap
from finops_dagster.responsible_ai.results import Interval

_DRAWS = 2000
_AT_A_TIME = 50
"""Draws that are held at once: of 50,000 resources these are 20 MB."""


def ratio_of_shares(hits: int, of: int, other_hits: int, other_of: int) -> Interval | None:
    """A share over another's, with Katz's log interval; None where the other is nothing.

    D. Katz et al. 1978, as SciPy's relative_risk computes it; without ends where the first is
    nothing, since its logarithm has none.
    """
    from scipy.stats.contingency import relative_risk

    if other_hits == 0:
        return None
    found = relative_risk(hits, of, other_hits, other_of)
    if hits == 0:
        return Interval(0.0)
    ends = found.confidence_interval(0.95)
    return Interval(float(found.relative_risk), float(ends.low), float(ends.high))


def exact_p(hits: int, of: int, other_hits: int, other_of: int) -> float:
    """Two-sided p-value that both shares are one (R. A. Fisher's exact test, 1935)."""
    from scipy.stats import fisher_exact

    table = [[hits, of - hits], [other_hits, other_of - other_hits]]
    return float(fisher_exact(table).pvalue)


def permutation_p(values: Sequence[float], others: Sequence[float], seed: int) -> float:
    """Two-sided p-value that both have one mean, by permuting them (E. J. G. Pitman 1937).

    Exact where there are at most 9,999 ways to divide them, else by as many drawn with `seed`.
    """
    from scipy.stats import permutation_test

    def difference(first: NDArray[np.float64], second: NDArray[np.float64], axis: int) -> object:
        return first.mean(axis=axis) - second.mean(axis=axis)

    drawn = permutation_test(
        (np.asarray(values), np.asarray(others)),
        difference,
        vectorized=True,
        random_state=np.random.default_rng(seed),
    )
    return float(drawn.pvalue)


def holm(p_values: Sequence[float]) -> list[float]:
    """Adjusted for their number: the chance of any false finding stays at the level (S. Holm 1979,
    step-down), whatever hangs together among them.
    """
    adjusted = [0.0] * len(p_values)
    highest = 0.0
    for place, at in enumerate(sorted(range(len(p_values)), key=lambda one: p_values[one])):
        highest = max(highest, min(1.0, (len(p_values) - place) * p_values[at]))
        adjusted[at] = highest
    return adjusted


def share_of_spend(asked: Sequence[float], spend: Sequence[float], seed: int) -> Interval | None:
    """Sum of `asked` over sum of `spend`, one of each a resource; None where nothing is spent.

    The resources are drawn again (A. C. Davison and D. V. Hinkley 1997), so that one large change
    among few resources gives a wide interval; without ends under two resources.
    """
    pairs = np.column_stack([np.asarray(asked, dtype=float), np.asarray(spend, dtype=float)])
    total = pairs.sum(axis=0)
    if not total[1] > 0:
        return None
    value, n = float(total[0] / total[1]), len(pairs)
    if n < 2:
        return Interval(value)
    rng = np.random.default_rng(seed)
    drawn = np.concatenate(
        [rng.multinomial(n, np.full(n, 1 / n), size=_AT_A_TIME) @ pairs
         for _ in range(_DRAWS // _AT_A_TIME)]
    )  # fmt: skip
    with np.errstate(invalid="ignore", divide="ignore"):
        return basic_bootstrap(value, drawn[:, 0] / drawn[:, 1])


def ratio_of_means(values: Sequence[float], others: Sequence[float]) -> Interval | None:
    """A mean over another's, without ends: of a handful of teams none is worth telling."""
    own, other = float(np.mean(values)), float(np.mean(others))
    return Interval(own / other) if other > 0 and math.isfinite(own) else None
