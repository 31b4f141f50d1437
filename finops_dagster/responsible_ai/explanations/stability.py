"""Whether explanations stay what they were: of the same series and horizon, against earlier days.

An explanation that jumps while its data stay is one nobody can rely on (Alvarez-Melis and Jaakkola,
On the Robustness of Interpretability Methods, 2018). Which days were decided is read elsewhere.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date

import numpy as np
import pandas as pd

from finops_dagster.domain.decisions import Abstained
from finops_dagster.domain.models import Breach, Check
from finops_dagster.responsible_ai.explanations.series import BASE

LIMIT = 0.25
"""Median over series of the total variation from which explanations have jumped. On simulated cost
it was .07 to .13 where one day's model followed those of up to a week before, .28 for a model whose
past was scrambled, and .78 where inputs were given each other's credit."""
MOVED = 0.1
"""Share by which a series' mean of 7 or of 28 days may differ for its data to count as unmoved."""
LEAST_SERIES = 5
"""Fewer unmoved series tell of themselves, not of the model."""
DAYS = 7
"""Decided days, at most, whose mean is what today is held against."""
TOP = 5
_WEEK, _MONTH = 7, 28


@dataclass(frozen=True)
class ExplainedDay:
    """What a day explained, and what it knew."""

    as_of: date
    contributions: pd.DataFrame
    """unique_id, step, feature, contribution."""
    history: pd.DataFrame
    """unique_id, ds, y: the series up to the newest day known."""


@dataclass(frozen=True)
class SeriesStability:
    """One series today against the earlier days' mean."""

    series: str
    variation: float
    """Total variation distance of the shares of its reasons, in [0, 1]: 0 is the same, 1 is that
    nothing of what explained it does so now."""
    rank_correlation: float
    """Spearman's, of the sizes of all inputs' contributions; NaN of fewer than two."""
    top_overlap: float
    """Share of its five largest inputs that were among the five largest: feature agreement, after
    Krishna et al., The Disagreement Problem in Explainable Machine Learning, 2022."""
    moved: float
    """Largest relative difference of its means of 7 and of 28 days."""


@dataclass(frozen=True)
class Stability:
    """Explanations of a day against those of earlier ones."""

    compared: tuple[date, ...]
    series: tuple[SeriesStability, ...]
    """Those in all, the least stable first."""
    unmoved: int
    variation: float
    """Median over the series whose data did not move."""
    rank_correlation: float
    top_overlap: float
    breach: Breach | None


def stability(
    today: ExplainedDay,
    earlier: Sequence[ExplainedDay],
    reason: Callable[[str, date | None], str],
    *,
    limit: float = LIMIT,
) -> Stability | Abstained:
    """How far explanations moved, as medians over the series whose data did not.

    Shares are of |contribution| by reason, over the steps that both have, so that each weekday
    counts alike where all steps are explained; a reason's inputs are summed first, since models
    that are trained anew move credit between inputs that tell of the same. Only days before today's
    are read, the newest DAYS of them. What begins with an event is a reason to move: a series with
    an event that earlier days had not counts as moved.
    """
    subject = "stability of explanations"
    before = sorted(
        (one for one in earlier if one.as_of < today.as_of and len(one.contributions)),
        key=lambda one: one.as_of,
    )[-DAYS:]
    if today.contributions.empty or not before:
        why = "nothing is explained" if today.contributions.empty else "no earlier day is explained"
        return Abstained(subject=subject, reason=why)
    rows = list(_compared(today, before, reason))
    still = [one for one in rows if one.moved <= MOVED]
    if len(still) < LEAST_SERIES:
        return Abstained(
            subject=subject,
            reason=f"of {len(rows)} series explained on both days the data of {len(still)} did not "
            f"move; {LEAST_SERIES} are needed",
        )
    variation = float(np.median([one.variation for one in still]))
    return Stability(
        compared=tuple(one.as_of for one in before),
        series=tuple(sorted(rows, key=lambda one: (-one.variation, one.series))),
        unmoved=len(still),
        variation=variation,
        rank_correlation=_median([one.rank_correlation for one in still]),
        top_overlap=_median([one.top_overlap for one in still]),
        breach=_breach(variation, len(still), before, limit),
    )


def _breach(
    variation: float, still: int, before: Sequence[ExplainedDay], limit: float
) -> Breach | None:
    if variation <= limit:
        return None
    return Breach(
        check=Check.EXPLANATION,
        grade="warn",
        reason=f"explanations jumped: of {still} series whose data did not move, half or more "
        f"moved {variation:.0%} of what explains them since {before[0].as_of} to "
        f"{before[-1].as_of}; limit {limit:.0%}",
        since=before[-1].as_of,
        figures={
            "explanation_variation_median": variation,
            "explanation_variation_median_limit": limit,
        },
    )


def _compared(
    today: ExplainedDay, before: Sequence[ExplainedDay], reason: Callable[[str, date | None], str]
) -> list[SeriesStability]:
    now, past = _by_series(today), [_by_series(one) for one in before]
    levels, was = _levels(today.history), _levels(before[-1].history)
    found = []
    for series in sorted(now):
        then = [one[series] for one in past if series in one]
        steps = set(now[series].columns)
        for one in then:
            steps &= set(one.columns)
        if not then or not steps or series not in levels or series not in was:
            continue
        at = sorted(steps)
        mine, theirs = now[series][at], [one[at] for one in then]
        reasons = [_shares(_reasons(one, reason)) for one in (mine, *theirs)]
        sizes = [_shares(one) for one in (mine, *theirs)]
        known = set().union(*(one.index for one in then))
        new = any(str(name).startswith("event") for name in set(mine.index) - known)
        found.append(
            SeriesStability(
                series=series,
                variation=_variation(reasons[0], _mean(reasons[1:])),
                rank_correlation=_ranks(sizes[0], _mean(sizes[1:])),
                top_overlap=_overlap(sizes[0], _mean(sizes[1:])),
                moved=1.0 if new else _difference(levels[series], was[series]),
            )
        )
    return found


def _by_series(day: ExplainedDay) -> dict[str, pd.DataFrame]:
    """Series -> contributions, a row a feature, a column a step; without the base."""
    rows = day.contributions.loc[day.contributions["feature"] != BASE]
    return {
        str(series): one.pivot_table(
            index="feature", columns="step", values="contribution", aggfunc="sum", observed=True
        ).fillna(0.0)
        for series, one in rows.groupby("unique_id", sort=False, observed=True)
    }


def _reasons(amounts: pd.DataFrame, reason: Callable[[str, date | None], str]) -> pd.DataFrame:
    return amounts.groupby([reason(str(name), None) for name in amounts.index]).sum()


def _shares(amounts: pd.DataFrame) -> pd.Series[float]:
    size = amounts.abs().sum(axis=1)
    total = float(size.sum())
    return size / total if total > 0 else size


def _mean(shares: Sequence[pd.Series[float]]) -> pd.Series[float]:
    return pd.concat(list(shares), axis=1).fillna(0.0).mean(axis=1)


def _variation(now: pd.Series[float], then: pd.Series[float]) -> float:
    one, other = now.align(then, fill_value=0.0)
    return float((one - other).abs().sum() / 2)


def _ranks(now: pd.Series[float], then: pd.Series[float]) -> float:
    one, other = now.align(then, fill_value=0.0)
    if one.nunique() < 2 or other.nunique() < 2:
        return float("nan")
    return float(np.corrcoef(one.rank(), other.rank())[0, 1])


def _overlap(now: pd.Series[float], then: pd.Series[float]) -> float:
    tops = [set(one.sort_values(ascending=False, kind="stable").index[:TOP]) for one in (now, then)]
    return len(tops[0] & tops[1]) / max(min(TOP, len(now)), 1)


def _levels(history: pd.DataFrame) -> dict[str, tuple[float, float]]:
    """Series -> means of its last 7 and 28 days."""
    ordered = history.sort_values("ds")
    return {
        str(series): (float(y.tail(_WEEK).mean()), float(y.tail(_MONTH).mean()))
        for series, y in ordered.groupby("unique_id", observed=True)["y"]
    }


def _difference(now: tuple[float, float], then: tuple[float, float]) -> float:
    scale = max(abs(then[0]), abs(then[1]), 1e-9)
    return max(abs(a - b) for a, b in zip(now, then, strict=True)) / scale


def _median(values: Sequence[float]) -> float:
    known = [one for one in values if np.isfinite(one)]
    return float(np.median(known)) if known else float("nan")
