"""Whether a model's log can be relied on: silence, missing days, too few answers, clocks that jump.

A pure function of the log; how good the answers in it are is judged elsewhere.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta

import pandas as pd

from finops_dagster.domain.models import Breach, Check

FEW = 0.5
"""Answers of the window judged, over those of the quietest window as long before it, under which
they are far fewer than usual; a choice. The quietest window, not the mean: a model that is asked
less in some weeks of each month raises no alarm."""
ODD_SHARE = 0.01
"""Share of rows with an impossible time above which the log is in breach; the share of faulty rows
that telemetry is allowed at landing."""
_LEAST_DAYS = 7
"""Days in the log before the window judged under which nothing is called usual."""


@dataclass(frozen=True)
class _Days:
    """Answers a day, days without any included, from the first answer to the day judged."""

    counts: pd.Series[int]
    start: date
    """First day of the window judged."""

    @property
    def before(self) -> pd.Series[int]:
        return self.counts[self.counts.index < self.start]

    @property
    def judged(self) -> pd.Series[int]:
        return self.counts[self.counts.index >= self.start]


def judge_log(
    predictions: pd.DataFrame,
    labels: pd.DataFrame | None,
    *,
    model: str,
    as_of: date,
    analysis_days: int,
    looked_at: int,
) -> tuple[Breach, ...]:
    """What is wrong with the log of `model` in the `analysis_days` that end with `as_of`.

    What is usual is what it did in the days before, `looked_at` days in all.

    predictions: rows of fct_model_predictions (day, model, prediction_id, and time if it is to be
    looked at); labels: of fct_model_labels, or None. What is newer than `as_of` is not looked at.
    A model that never logged is not in breach: nothing is known of it.
    """
    own = predictions[predictions["model"] == model]
    own = own.assign(day=pd.to_datetime(own["day"]).dt.date)
    own = own[(own["day"] <= as_of) & (own["day"] > as_of - timedelta(days=looked_at))]
    if own.empty:
        return ()
    start = as_of - timedelta(days=analysis_days - 1)
    span = pd.date_range(own["day"].min(), as_of, freq="D").date
    days = _Days(own.groupby("day").size().reindex(span, fill_value=0), start)
    window = own[own["day"] >= start]
    return (*_silence(days, as_of), *_few(days), *_clocks(window, labels, model, start))


def _silence(days: _Days, as_of: date) -> Iterator[Breach]:
    """Days without an answer, more of them in a row than there ever were before."""
    usual = _longest_gap(days.before)[0]
    if len(days.before) < _LEAST_DAYS and int(days.judged.sum()):
        return
    trailing = as_of - days.counts.index[days.counts > 0].max()
    length, first = _longest_gap(days.judged)
    figures = {"silent_days": float(trailing.days), "silent_days_limit": float(usual)}
    if not int(days.judged.sum()) or trailing.days > usual:
        since = as_of - trailing + timedelta(days=1)
        yield _breach(
            f"it has logged no answer since {since}; the longest silence before was "
            f"{_of_days(usual)}",
            since,
            figures,
        )
    elif length > usual and first is not None:
        yield _breach(
            f"its log jumps over {_of_days(length)} from {first} on; the longest silence before "
            f"was {_of_days(usual)}",
            first,
            {"silent_days": float(length), "silent_days_limit": float(usual)},
        )


def _few(days: _Days) -> Iterator[Breach]:
    count = int(days.judged.sum())
    sums = days.before.rolling(len(days.judged)).sum().dropna()
    if not count or len(sums) < _LEAST_DAYS:
        return
    quietest = float(sums.min())
    if count < FEW * quietest:
        yield _breach(
            f"it logged {count:,} answers in {_of_days(len(days.judged))}, far fewer than the "
            f"{quietest:,.0f} of the quietest such span before",
            days.start,
            {"answers": float(count), "answers_limit": FEW * quietest, "quietest": quietest},
        )


def _clocks(
    window: pd.DataFrame, labels: pd.DataFrame | None, model: str, start: date
) -> Iterator[Breach]:
    if window.empty:
        return
    repeated = window.groupby("prediction_id")["day"].nunique()
    yield from _odd(
        int((repeated > 1).sum()), len(repeated), "answers stand in the log on several days", start
    )
    if "time" not in window.columns:
        return
    times = pd.to_datetime(window["time"], utc=True, errors="coerce")
    drawn = times.dt.date
    later, earlier = drawn > window["day"], drawn < window["day"]
    yield from _odd(
        int(later.sum()), len(window), "answers are dated later than the day that logged them",
        start,
    )  # fmt: skip
    yield from _odd(
        int(earlier.sum()), len(window), "answers are dated before the day that logged them", start
    )
    if labels is None or labels.empty or "time" not in labels.columns:
        return
    own = labels[labels["model"] == model]
    asked = pd.Series(times.array, index=window["prediction_id"].astype(str)).groupby(level=0).min()
    of = own["prediction_id"].astype(str).map(asked)
    known = pd.to_datetime(own["time"], utc=True, errors="coerce")
    yield from _odd(
        int((known < of).sum()), int(of.notna().sum()),
        "labels were recorded before the answers that they are of", start,
    )  # fmt: skip


def _odd(count: int, total: int, words: str, since: date) -> Iterator[Breach]:
    if total and count > ODD_SHARE * total:
        yield _breach(
            f"{count:,} of {total:,} {words}: a clock jumps, or the log was written anew",
            since,
            {"odd_share": count / total, "odd_share_limit": ODD_SHARE},
        )


def _longest_gap(counts: pd.Series[int]) -> tuple[int, date | None]:
    """Most days in a row without an answer between days with one, and the first of them."""
    answered = [day for day, count in counts.items() if count and isinstance(day, date)]
    gaps = [
        ((later - earlier).days - 1, earlier + timedelta(days=1))
        for earlier, later in itertools.pairwise(answered)
    ]
    return max(gaps, key=lambda gap: gap[0], default=(0, None))


def _of_days(count: int) -> str:
    return "1 day" if count == 1 else f"{count} days"


def _breach(reason: str, since: date, figures: dict[str, float]) -> Breach:
    return Breach(check=Check.LOGGING, grade="warn", reason=reason, since=since, figures=figures)
