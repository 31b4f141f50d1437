"""One model's estimate from its log, for a day whose labels are not here yet, with its record.

Which answers and which labels were known when; the estimate itself is made in `estimated`.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from finops_dagster.domain.decisions import Abstained
from finops_dagster.responsible_ai.performance.estimated import MIN_LABELLED, Answers, estimate
from finops_dagster.responsible_ai.performance.labelled import MIN_LABELS
from finops_dagster.responsible_ai.performance.results import (
    EstimatedQuality,
    EstimateRecord,
    PastEstimate,
)
from finops_dagster.responsible_ai.results import Task
from finops_dagster.responsible_ai.windows import known_labels, model_windows, newest_labelled

MOST_PAST = 12
"""Past estimates that are made anew, evenly spaced; a choice, for the time that they take."""
MISSED_SHARE = 0.5
"""Share of past intervals that missed from which an estimate is doubted; a choice: of intervals
that hold 95 times in 100, one of three that misses is chance still, two are not (p < 0.01)."""
MIN_PAST = 3


@dataclass(frozen=True)
class _Log:
    """All answers of one model that may be looked at, in the order of the log."""

    model: str
    answers: Answers
    ids: pd.Series[str]
    versions: pd.Series[str] | None
    predictions: pd.DataFrame
    labels: pd.DataFrame | None

    @property
    def days(self) -> NDArray[np.object_]:
        return self.answers.outcomes["day"].to_numpy(dtype="object")

    def labels_by(self, day: date) -> pd.DataFrame | None:
        """Labels that had arrived by the end of `day`."""
        if self.labels is None or "day" not in self.labels.columns:
            return self.labels
        return self.labels[pd.to_datetime(self.labels["day"]).dt.date <= day]

    def labelled_by(self, day: date) -> NDArray[np.float64]:
        """Each answer's label as it was known by the end of `day`; NaN where it was not."""
        known = known_labels(self.labels_by(day), self.model)
        if known.empty:
            known = pd.Series(np.nan, index=["no answer"])
        return np.asarray(known.reindex(self.ids), dtype=np.float64)


def estimate_quality(
    predictions: pd.DataFrame,
    labels: pd.DataFrame | None,
    *,
    model: str,
    task: Task,
    features: Sequence[str],
    as_of: date,
    reference_days: int,
    analysis_days: int,
    seed: int,
    concept_drift: str = "",
) -> EstimatedQuality | Abstained | None:
    """Quality of the `analysis_days` up to `as_of`, where their labels are not here; else None.

    Frames as of `windows.model_windows`. It rests on answers of the `reference_days` before whose
    labels had arrived, of the version that answers now if enough of these are. With it goes the
    record of past estimates: each made anew from what had been known on its day, against labels
    that came since.
    """
    log = _log(predictions, labels, model, features, as_of, reference_days, analysis_days)
    if isinstance(log, Abstained):
        return log
    made = _made(log, task, as_of, reference_days, analysis_days, seed, concept_drift)
    if not isinstance(made, EstimatedQuality):
        return made
    record = _record(log, task, as_of, reference_days, analysis_days, seed)
    return replace(made, record=record, doubts=(*made.doubts, *_missed(record)))


def _log(
    predictions: pd.DataFrame,
    labels: pd.DataFrame | None,
    model: str,
    features: Sequence[str],
    as_of: date,
    reference_days: int,
    analysis_days: int,
) -> _Log | Abstained:
    own = predictions[predictions["model"] == model]
    days = pd.to_datetime(own["day"]).dt.date
    windows = model_windows(
        own,
        None,
        model=model,
        features=features,
        protected=(),
        as_of=as_of,
        reference_days=2 * reference_days,
        analysis_days=analysis_days,
    )
    if isinstance(windows, Abstained):
        return windows
    # the windows keep the log's order, each within itself
    rows = pd.concat([own[(days >= one.first) & (days <= one.last)] for one in windows])
    return _Log(
        model=model,
        answers=Answers(
            pd.concat([one.features for one in windows], ignore_index=True),
            pd.concat([one.outcomes for one in windows], ignore_index=True),
        ),
        ids=rows["prediction_id"].astype(str).reset_index(drop=True),
        versions=rows["model_version"].astype(str).reset_index(drop=True)
        if "model_version" in rows.columns
        else None,
        predictions=own,
        labels=None if labels is None else labels[labels["model"] == model],
    )


def _made(
    log: _Log,
    task: Task,
    day: date,
    reference_days: int,
    analysis_days: int,
    seed: int,
    concept_drift: str = "",
) -> EstimatedQuality | Abstained | None:
    """The estimate that could be made when `day` ended, by what was known then."""
    newest = newest_labelled(
        log.predictions,
        log.labels_by(day),
        model=log.model,
        as_of=day,
        reference_days=reference_days,
    )
    if isinstance(newest, Abstained):
        reason = f"quality without labels: {newest.reason}"
        return Abstained(subject=log.model, reason=reason)
    if newest >= day:
        return None
    start = day - timedelta(days=analysis_days - 1)
    days = log.days
    judged = (days >= start) & (days <= day)
    # labels of younger days have arrived in part only: those that come early may be unlike others
    usable = (days < start) & (days >= start - timedelta(days=reference_days)) & (days <= newest)
    label = log.labelled_by(day)
    usable &= np.isfinite(label)
    doubt = ""
    if log.versions is not None and judged.any():
        now = log.versions[judged].mode().iloc[0]
        of_it = usable & (log.versions == now).to_numpy()
        if of_it.sum() >= MIN_LABELLED:
            usable = of_it
        elif of_it.sum() < usable.sum():
            doubt = (
                f"version {now} answers now, and {int(of_it.sum()):,} of its answers have a label: "
                "the estimate rests on versions before it"
            )
    known = Answers(log.answers.features, log.answers.outcomes.assign(label=label))
    found = estimate(
        log.model,
        known.where(usable),
        log.answers.where(judged),
        task=task,
        seed=seed,
        concept_drift=concept_drift,
    )
    if isinstance(found, Abstained) or not doubt:
        return found
    return replace(found, doubts=(*found.doubts, doubt))


def _record(
    log: _Log, task: Task, as_of: date, reference_days: int, analysis_days: int, seed: int
) -> EstimateRecord | Abstained:
    """Estimates as they would have been made on past days, against the labels known by `as_of`."""
    truth = log.labelled_by(as_of)
    past = []
    for day in _past_days(log, as_of, reference_days, analysis_days):
        made = _made(log, task, day, reference_days, analysis_days, seed)
        if not isinstance(made, EstimatedQuality):
            continue
        first = day - timedelta(days=analysis_days - 1)
        said = log.answers.column("prediction")
        rows = (log.days >= first) & (log.days <= day) & np.isfinite(truth) & np.isfinite(said)
        if rows.sum() < MIN_LABELS:
            continue
        wrong = (
            (said[rows] > 0.5) == (truth[rows] > 0.5)
            if task == "classification"
            else np.abs(said[rows] - truth[rows])
        )
        past.append(PastEstimate(first, day, made.estimate, float(np.mean(wrong)), int(rows.sum())))
    if not past:
        return Abstained(
            subject=log.model,
            reason="no past estimate can be held against labels: the log is too short, or too few "
            "of them have arrived",
        )
    errors = [one.error for one in past]
    return EstimateRecord(
        metric="accuracy" if task == "classification" else "mean_absolute_error",
        past=tuple(past),
        bias=float(np.mean(errors)),
        mean_absolute_error=float(np.mean(np.abs(errors))),
        coverage=float(np.mean([one.held for one in past])),
        separate=_separate(past),
    )


def _past_days(log: _Log, as_of: date, reference_days: int, analysis_days: int) -> Iterator[date]:
    """Days of which labels have arrived by `as_of`, the oldest first, evenly spaced."""
    newest = newest_labelled(
        log.predictions, log.labels, model=log.model, as_of=as_of, reference_days=reference_days
    )
    if isinstance(newest, Abstained):
        return
    oldest = min(log.days) + timedelta(days=analysis_days)
    count = (newest - oldest).days + 1
    step = max(1, math.ceil(count / MOST_PAST))
    for back in reversed(range(0, count, step)):
        yield newest - timedelta(days=back)


def _separate(past: Sequence[PastEstimate]) -> int:
    count, free = 0, date.min
    for one in past:
        if one.first > free:
            count, free = count + 1, one.last
    return count


def _missed(record: EstimateRecord | Abstained) -> tuple[str, ...]:
    """A doubt where past estimates did not hold: on the whole, or the last two of them."""
    if isinstance(record, Abstained) or len(record.past) < MIN_PAST:
        return ()
    missed = sum(not one.held for one in record.past)
    if record.coverage <= 1 - MISSED_SHARE:
        told = f"{missed} of {len(record.past)} past estimates missed what labels said later"
    elif not any(one.held for one in record.past[-2:]):
        told = "the last two estimates that labels have come for missed what these said"
    else:
        return ()
    return (f"{told}: what is true for the same inputs may have moved",)
