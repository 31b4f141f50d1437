"""A challenger beside the champion on the same windows: better by a margin, and worse for nobody.

Errors are made by the engines, in each series' own scale; what a verdict leads to is the caller's.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np
import pandas as pd

from finops_dagster.domain.decisions import Abstained
from finops_dagster.responsible_ai.results import Interval

LEAST_ORIGINS = 8
"""Windows in time without which nothing is compared."""
KEYS = ["unique_id", "origin"]
_ROUNDING = 1e-12
"""Share of a difference that is no spread, but the last bits of sums."""


@dataclass(frozen=True)
class Terms:
    """What a challenger must hold to; shares of error."""

    margin: float = 0.01
    """By which it must be better than the champion, over all series."""
    segment_limit: float = 0.05
    """By which no segment may be worse off."""
    confidence: float = 0.95
    """Of the one-sided paired test, and of the segments' intervals (two-sided)."""
    overlap: int = 5
    """Windows that share days with the one before them, itself included: of a horizon of 30 days
    and origins a week apart 30 / 7, rounded up."""


@dataclass(frozen=True)
class Segment:
    """One segment: what the challenger's error is more than the champion's, as a share of it."""

    name: str
    series: int
    worse: Interval
    """Negative: it is better off. The ends are of the confidence asked for."""
    held: Literal["", "likely", "surely"]
    """Worse beyond the limit: likely where the figure itself is, surely where the whole interval
    is."""


@dataclass(frozen=True)
class Comparison:
    """Whether a challenger may replace the champion."""

    better: Interval
    """Share of the champion's error that the challenger saves, over all series. The low end is
    one-sided, of the confidence asked for; there is no high end."""
    p_value: float
    """Of its being better by no more than the margin."""
    origins: int
    series: int
    segments: tuple[Segment, ...]
    """The worst off first."""
    promoted: bool
    reasons: tuple[str, ...]
    """Why not, one sentence each; where it is promoted, why."""


def compare(
    champion: pd.DataFrame, challenger: pd.DataFrame, segments: dict[str, str], terms: Terms
) -> Comparison | Abstained:
    """Compare two forecasters on the windows that both were scored on.

    `champion`, `challenger`: unique_id, origin, error (mean absolute error of one window in a scale
    of its series that is the same for both, such as MASE's: currencies are never added). Windows
    that one of them lacks are left out. `segments`: unique_id -> the protected segment it is of;
    series may be of none.

    The errors of one origin are averaged over the series, so that series may depend on each other
    as they like, and origins are compared by the test of F. X. Diebold and R. S. Mariano,
    Comparing predictive accuracy, JBES 1995, one-sided, with a variance and t distribution for few
    windows that overlap: see `_test`.

    Abstains where the windows are too few. Raises ValueError on a window that comes twice.
    """
    both = champion[[*KEYS, "error"]].merge(
        challenger[[*KEYS, "error"]], on=KEYS, suffixes=("_old", "_new"), validate="one_to_one"
    )
    both = both.loc[np.isfinite(both["error_old"]) & np.isfinite(both["error_new"])]
    origins = both["origin"].nunique()
    if origins < LEAST_ORIGINS:
        return Abstained(
            subject="challenger",
            reason=f"{origins} windows were scored for both; {LEAST_ORIGINS} are needed",
        )
    by_origin = both.groupby("origin")[["error_old", "error_new"]].mean()
    old, new = (by_origin[name].to_numpy() for name in ("error_old", "error_new"))
    base = float(old.mean())
    if base <= 0:
        return Abstained(subject="challenger", reason="the champion makes no error at all")
    p_value = _p_value((1 - terms.margin) * old - new, terms.overlap)
    share = float((old - new).mean()) / base
    spread = _half(old - new, terms.overlap, terms.confidence)
    better = Interval(share, share - spread / base)
    judged = _segments(both, segments, terms)
    reasons = []
    if not p_value <= 1 - terms.confidence:
        reasons.append(
            f"It is not surely better by {_percent(terms.margin)}: its error is "
            f"{_told(-share)} over {len(old)} windows of {both['unique_id'].nunique()} series "
            f"(p {p_value:.3f})."
        )
    reasons += [
        f"{one.name} is {one.held} worse off by more than {_percent(terms.segment_limit)}: its "
        f"error is {_told(one.worse.value)} ({_told(one.worse.low)} to {_told(one.worse.high)})."
        for one in judged
        if one.held
    ]
    promoted = not reasons
    if promoted:
        reasons.append(
            f"Its error is {_told(-share)} over {len(old)} windows of "
            f"{both['unique_id'].nunique()} series (p {p_value:.3f}), and no segment is worse off "
            f"by more than {_percent(terms.segment_limit)}."
        )
    return Comparison(
        better=better,
        p_value=p_value,
        origins=len(old),
        series=int(both["unique_id"].nunique()),
        segments=judged,
        promoted=promoted,
        reasons=tuple(reasons),
    )


def _segments(both: pd.DataFrame, segments: dict[str, str], terms: Terms) -> tuple[Segment, ...]:
    """Of each segment with windows enough; each is shown, whether held back by it or not."""
    of = both["unique_id"].map(segments)
    found = []
    for name, rows in both.groupby(of):
        by_origin = rows.groupby("origin")[["error_old", "error_new"]].mean()
        old, new = by_origin["error_old"].to_numpy(), by_origin["error_new"].to_numpy()
        if old.mean() <= 0:
            continue
        worse = float((new - old).mean() / old.mean())
        # of the ratio, by the delta method: residuals of new on old at that ratio
        off = _half(new - (1 + worse) * old, terms.overlap, (1 + terms.confidence) / 2)
        half = off / float(old.mean())
        interval = Interval(worse, worse - half, worse + half)
        held: Literal["", "likely", "surely"] = ""
        if worse > terms.segment_limit:
            held = "surely" if worse - half > terms.segment_limit else "likely"
        found.append(Segment(str(name), int(rows["unique_id"].nunique()), interval, held))
    return tuple(sorted(found, key=lambda one: (-one.worse.value, one.name)))


def _test(values: np.ndarray, overlap: int) -> tuple[float, int]:
    """Standard error of the mean of values in the order of time, and its degrees of freedom.

    The mean of squared cosine transforms at the lowest frequencies, with a t distribution of as
    many degrees of freedom (E. Lazarus, D. Lewis, J. Stock, M. Watson, HAR inference:
    recommendations for practice, JBES 2018; for comparisons of forecasts in small samples L.
    Coroneo and F. Iacone, JAE 2020, in the same spirit). Windows that share days are alike up to
    `overlap` apart, so only frequencies under half a cycle in that many are used, two at least.
    With windows that share nothing all of them are, and it is the ordinary paired t test.
    """
    n = len(values)
    degrees = int(np.clip(n // overlap, 2, n - 1))
    times = (np.arange(n) + 0.5) / n
    waves = np.cos(np.pi * np.arange(1, degrees + 1)[:, None] * times[None, :])
    variance = float(np.mean(2 / n * (waves @ values) ** 2))
    return math.sqrt(variance / n), degrees


def _p_value(values: np.ndarray, overlap: int) -> float:
    """Of a mean of 0 or less."""
    from scipy.stats import t

    error, degrees = _test(values, overlap)
    if error <= _ROUNDING * float(np.abs(values).mean()):
        return 0.0 if values.mean() > 0 else 1.0
    return float(t.sf(float(values.mean()) / error, degrees))


def _half(values: np.ndarray, overlap: int, probability: float) -> float:
    """From the mean to the end below which the true one is with this probability."""
    from scipy.stats import t

    if len(values) < LEAST_ORIGINS:
        return math.inf
    error, degrees = _test(values, overlap)
    return error * float(t.ppf(probability, degrees))


def _percent(share: float) -> str:
    return f"{100 * share:.3g} %"


def _told(worse: float | None) -> str:
    """A change of error in words, rounded to a tenth of a percent."""
    if worse is None or not math.isfinite(worse):
        return "not known"
    return f"{abs(100 * worse):.1f} % {'higher' if worse > 0 else 'lower'}"
