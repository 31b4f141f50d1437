"""Explanations of forecast series: of all days together, and of single ones, from their frames.

Words of features are lent by whoever knows the engine; whether sums are right is checked here, of
every row.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass
from datetime import date
from typing import Any

import numpy as np
import pandas as pd

from finops_dagster.domain.decisions import Abstained
from finops_dagster.domain.models import Breach, Check
from finops_dagster.responsible_ai.explanations.words import TOLERANCE, Explanation, explain

BASE = "base"
Reason = Callable[[str, date | None], str]
"""A feature and a day -> the reason in words; without a day, of several days."""


@dataclass(frozen=True)
class SeriesExplanation:
    """One series."""

    id: str
    title: str
    whole: Explanation | Abstained | None
    """Of all days ahead together; None where not all of them are explained."""
    days: tuple[Explanation | Abstained, ...]
    """Of some of them, the first first."""

    @property
    def parts(self) -> tuple[Explanation | Abstained, ...]:
        """All of them together, where that is told, then single days."""
        return self.days if self.whole is None else (self.whole, *self.days)


def unexplained(frame: pd.DataFrame, contributions: pd.DataFrame) -> pd.DataFrame:
    """unique_id, step, mean, explained of every explained row whose contributions do not sum to its
    mean within TOLERANCE of the larger of it, of all that moved it, and 1; and of rows explained
    that are not forecast, whose mean is NaN."""
    if contributions.empty:
        return pd.DataFrame(columns=["unique_id", "step", "mean", "explained"])
    amounts = contributions.assign(size=contributions["contribution"].abs())
    sums = amounts.groupby(["unique_id", "step"], observed=True)[["contribution", "size"]].sum()
    sums = sums.rename(columns={"contribution": "explained"}).reset_index()
    joined = sums.merge(frame[["unique_id", "step", "mean"]], how="left", on=["unique_id", "step"])
    gap = (joined["explained"] - joined["mean"]).abs()
    scale = np.maximum(1.0, np.maximum(joined["mean"].abs(), joined["size"]))
    wrong = ~(gap <= TOLERANCE * scale)
    return joined.loc[wrong, ["unique_id", "step", "mean", "explained"]].reset_index(drop=True)


def sums_breach(frame: pd.DataFrame, contributions: pd.DataFrame) -> Breach | None:
    """A failure where any explained forecast is not the sum of its contributions."""
    wrong = unexplained(frame, contributions)
    if wrong.empty:
        return None
    rows = len(contributions[["unique_id", "step"]].drop_duplicates())
    return Breach(
        check=Check.EXPLANATION,
        grade="fail",
        reason=f"{len(wrong)} of {rows} explained forecasts are not the sum of their "
        f"contributions, such as {wrong['unique_id'].iloc[0]}, step {wrong['step'].iloc[0]}",
        figures={"unexplained_rows": float(len(wrong)), "unexplained_rows_limit": 0.0},
    )


def explain_series(
    frame: pd.DataFrame,
    contributions: pd.DataFrame,
    reason: Reason,
    *,
    titles: Callable[[str], tuple[str, str]],
    base_words: str,
    days: Collection[int] = (1, 7, 30),
    exact: bool = True,
) -> list[SeriesExplanation]:
    """Each explained series in the order of its first row.

    `frame`: unique_id, ds, step, mean, lo80, hi80. titles: unique_id -> title and currency. All
    days together are told where every day ahead has contributions: means add up and so do they,
    while the ends of intervals do not.
    """
    by_series = dict(list(frame.groupby("unique_id", sort=False)))
    found = []
    for unique_id, rows in contributions.groupby("unique_id", sort=False, observed=True):
        title, currency = titles(str(unique_id))
        ahead = by_series[unique_id].set_index("step").sort_index()
        steps = sorted(set(rows["step"]))
        found.append(
            SeriesExplanation(
                id=str(unique_id),
                title=title,
                whole=_whole(rows, ahead, reason, currency, base_words, exact)
                if steps == list(ahead.index) and len(steps) > 1
                else None,
                days=tuple(
                    _day(rows[rows["step"] == step], ahead.loc[step], step, reason, currency,
                         base_words, exact)
                    for step in steps
                    if step in days or len(steps) <= len(days)
                ),
            )
        )  # fmt: skip
    return found


def _whole(
    rows: pd.DataFrame,
    ahead: pd.DataFrame,
    reason: Reason,
    currency: str,
    base_words: str,
    exact: bool,
) -> Explanation | Abstained:
    sums = rows.groupby("feature", observed=True)["contribution"].sum()
    amounts = {str(name): float(value) for name, value in sums.items()}
    first, last = (_date(ahead["ds"].iloc[at]) for at in (0, -1))
    return explain(
        f"{len(ahead)} days, {first} to {last}",
        amounts.pop(BASE, 0.0),
        amounts,
        float(ahead["mean"].sum()),
        unit=currency,
        labels={name: reason(name, None) for name in amounts},
        base_words=f"{len(ahead)} times {base_words}",
        exact=exact,
    )


def _day(
    rows: pd.DataFrame,
    told: pd.Series[Any],
    step: int,
    reason: Reason,
    currency: str,
    base_words: str,
    exact: bool,
) -> Explanation | Abstained:
    told_of = zip(rows["feature"].astype(str), rows["contribution"].astype(float), strict=True)
    amounts = dict(told_of)
    day = _date(told["ds"])
    return explain(
        f"{day:%A} {day}, {step} day{'s' if step > 1 else ''} ahead",
        amounts.pop(BASE, 0.0),
        amounts,
        float(told["mean"]),
        unit=currency,
        labels={name: reason(name, day) for name in amounts},
        base_words=base_words,
        interval=(float(told["lo80"]), float(told["hi80"])),
        exact=exact,
    )


def _date(value: Any) -> date:
    found: date = pd.Timestamp(value).date()
    return found
