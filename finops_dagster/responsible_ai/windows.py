"""From prediction logs to two windows of plain columns: the reference and what is judged.

Shaping only; nothing here judges.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

import numpy as np
import pandas as pd

from finops_dagster.domain.decisions import Abstained
from finops_dagster.responsible_ai.results import Seen


@dataclass(frozen=True)
class ModelWindow:
    """One window of one model's log, row by row in three frames with one index.

    features: one column per input, numbers or, for categories, text. groups: one text column per
    protected attribute, null where not known. outcomes: day, prediction, probability, label (NaN
    where not known yet).
    """

    model: str
    first: date
    last: date
    features: pd.DataFrame
    groups: pd.DataFrame
    outcomes: pd.DataFrame
    versions: tuple[str, ...] = ()
    """Those that answered, in order of their names."""

    @property
    def rows(self) -> int:
        return len(self.outcomes)

    @property
    def seen(self) -> Seen:
        """Where figures of this window were measured."""
        return Seen(self.first, self.versions[0] if len(self.versions) == 1 else "")

    def drift_frame(self) -> pd.DataFrame:
        """What is watched for drift: the inputs, what the model said of them, and the day."""
        frame = self.features.copy()
        for name in ("prediction", "probability"):
            column = self.outcomes[name]
            if column.notna().any():
                frame[f"output: {name}"] = column.to_numpy()
        frame[BLOCK] = self.outcomes["day"].to_numpy()
        return frame


BLOCK = "block: day"
"""Column of `drift_frame` that says which rows belong together."""


MATURE = 0.8
"""A day's labels have arrived when its labelled share is at least this part of what days of this
model reach in the end (the 90th percentile over days: for some models most answers never get one).
"""


def model_windows(
    predictions: pd.DataFrame,
    labels: pd.DataFrame | None,
    *,
    model: str,
    features: Sequence[str],
    protected: Sequence[str],
    as_of: date,
    reference_days: int,
    analysis_days: int,
    reference: tuple[date, date] | None = None,
) -> tuple[ModelWindow, ModelWindow] | Abstained:
    """The reference and the analysis window of `model`: the latter ends with `as_of`.

    `reference` is the first and last of fixed days to compare with, as far as they lie before the
    analysis window; None takes the `reference_days` before it.

    predictions: rows of fct_model_predictions (day, model, prediction_id, features, categories,
    groups, prediction, probability); maps as dicts or as lists of pairs. labels: rows of
    fct_model_labels (model, prediction_id, label) or None; of several labels of one prediction
    the one known last counts. Where the log is shorter than both windows, the reference is what
    there is before the analysis window. What is newer than `as_of` is not looked at. Where labels
    arrive late, ask `newest_labelled` for the day whose windows have them.
    """
    own = predictions[predictions["model"] == model]
    days = pd.to_datetime(own["day"]).dt.date
    start = as_of - timedelta(days=analysis_days - 1)
    before = start - timedelta(days=1)
    span = start - timedelta(days=reference_days), before
    if reference is not None:
        # what came later was not known then
        span = reference[0], min(reference[1], before)
        if span[0] > span[1]:
            reason = (
                f"the fixed reference of {reference[0]} to {reference[1]} is not before the days "
                f"judged, {start} to {as_of}"
            )
            return Abstained(subject=model, reason=reason)
    known = known_labels(labels, model)
    windows = []
    for first, last in (span, (start, as_of)):
        rows = own[(days >= first) & (days <= last)]
        if rows.empty:
            reason = f"the model logged no prediction from {first} to {last}"
            return Abstained(subject=model, reason=reason)
        windows.append(_window(rows, known, model, features, protected, first, last))
    return windows[0], windows[1]


def window_of(
    predictions: pd.DataFrame,
    labels: pd.DataFrame | None,
    *,
    model: str,
    features: Sequence[str],
    protected: Sequence[str],
    first: date,
    last: date,
) -> ModelWindow | Abstained:
    """One window of `model` with both days in it; frames as in `model_windows`."""
    own = predictions[predictions["model"] == model]
    days = pd.to_datetime(own["day"]).dt.date
    rows = own[(days >= first) & (days <= last)]
    if rows.empty:
        reason = f"the model logged no prediction from {first} to {last}"
        return Abstained(subject=model, reason=reason)
    return _window(rows, known_labels(labels, model), model, features, protected, first, last)


def newest_labelled(
    predictions: pd.DataFrame,
    labels: pd.DataFrame | None,
    *,
    model: str,
    as_of: date,
    reference_days: int,
) -> date | Abstained:
    """The newest day up to `as_of` whose labels have arrived; frames as in `model_windows`.

    Labels more than `reference_days` late come too late to say anything of today.
    """
    own = predictions[predictions["model"] == model]
    days = pd.to_datetime(own["day"]).dt.date
    own, days = own[days <= as_of], days[days <= as_of]
    known = known_labels(labels, model)
    has = own["prediction_id"].astype(str).isin(known.index[known.notna()])
    by_day = pd.DataFrame({"day": days.to_numpy(), "has": has.to_numpy(dtype="float64")})
    share = by_day.groupby("day")["has"].mean()
    usual = float(share.quantile(0.9)) if len(share) else 0.0
    arrived = [
        day
        for day, part in share.items()
        if isinstance(day, date) and usual > 0 and part >= MATURE * usual
    ]
    if not arrived:
        return Abstained(subject=model, reason="no label has arrived")
    newest = max(arrived)
    if (as_of - newest).days > reference_days:
        return Abstained(
            subject=model,
            reason=f"labels have arrived up to {newest} only, more than {reference_days} days ago",
        )
    return newest


def joinable_labels(
    predictions: pd.DataFrame, labels: pd.DataFrame | None, model: str
) -> tuple[pd.DataFrame | None, tuple[str, ...]]:
    """The labels of `model` that can be the truth of an answer, and what is told of the others.

    A label recorded before its answer is left out: it cannot be the truth of it. One without an
    answer among `predictions` joins nothing, and one that was corrected gives way to the later.
    """
    if labels is None or labels.empty or not {"time"} <= {*labels.columns} & {*predictions.columns}:
        return labels, ()
    own = labels[labels["model"] == model]
    answers = predictions[predictions["model"] == model]
    asked = pd.Series(
        pd.to_datetime(answers["time"], utc=True).array,
        index=answers["prediction_id"].astype(str),
    )
    asked = asked.groupby(level=0).min()
    of = own["prediction_id"].astype(str).map(asked)
    before = pd.to_datetime(own["time"], utc=True) < of
    corrected = own.groupby("prediction_id")["label"].nunique() > 1
    told = [
        f"{count:,} {what}"
        for count, what in (
            (int(of.isna().sum()), "labels are of older answers or of none that was logged"),
            (int(before.sum()), "labels were recorded before their answer and are left out"),
            (int(corrected.sum()), "answers have labels that differ: the one known last counts"),
        )
        if count
    ]
    return own[~before], tuple(told)


def known_labels(labels: pd.DataFrame | None, model: str) -> pd.Series[float]:
    """Prediction id -> label of `model`; of several of one prediction the one known last."""
    if labels is None or labels.empty:
        return pd.Series(dtype="float64")
    own = labels[labels["model"] == model]
    # what became known last counts: by the day it arrived, then by when it was recorded
    if order := [name for name in ("day", "time") if name in own.columns]:
        own = own.sort_values(order, kind="stable")
    own = own.drop_duplicates("prediction_id", keep="last")
    return pd.Series(_numbers(own["label"]), index=own["prediction_id"].astype(str))


def _window(
    rows: pd.DataFrame,
    known: pd.Series[float],
    model: str,
    features: Sequence[str],
    protected: Sequence[str],
    first: date,
    last: date,
) -> ModelWindow:
    inputs = [_mapping(value) for value in rows["features"]]
    categories = (
        [_mapping(value) for value in rows["categories"]] if "categories" in rows.columns else []
    )
    groups = [_mapping(value) for value in rows["groups"]]
    ids = rows["prediction_id"].astype(str)
    probability = rows["probability"] if "probability" in rows.columns else None
    outcomes = pd.DataFrame(
        {
            "day": pd.to_datetime(rows["day"]).dt.date.to_numpy(),
            "prediction": _numbers(rows["prediction"]),
            "probability": np.nan if probability is None else _numbers(probability),
            "label": known.reindex(ids).to_numpy() if len(known) else np.nan,
        }
    )
    return ModelWindow(
        model=model,
        first=first,
        last=last,
        features=pd.DataFrame(
            {name: _input(name, inputs, categories) for name in features},
            index=outcomes.index,
        ),
        groups=pd.DataFrame(
            {name: [_text(one.get(name)) for one in groups] for name in protected},
            index=outcomes.index,
            dtype="object",
        ),
        outcomes=outcomes,
        versions=tuple(sorted(set(versions_of(rows)) - {""})),
    )


def versions_of(rows: pd.DataFrame) -> pd.Series[str]:
    """The version that gave each answer; empty where the log does not say."""
    if "model_version" not in rows.columns:
        return pd.Series("", index=rows.index, dtype="object")
    return rows["model_version"].astype("object").where(rows["model_version"].notna(), "").map(str)


def _input(
    name: str, numbers: Sequence[Mapping[str, Any]], categories: Sequence[Mapping[str, Any]]
) -> Any:
    """An input's values: text where any row of the window has it among its categories."""
    if any(name in one for one in categories):
        return pd.Series([_text(one.get(name)) for one in categories], dtype="object")
    return _numbers([one.get(name) for one in numbers])


def _mapping(value: Any) -> Mapping[str, Any]:
    if isinstance(value, Mapping):
        return value
    if value is None or isinstance(value, float):
        return {}
    return dict(value)


def _numbers(values: Any) -> np.ndarray[Any, np.dtype[np.float64]]:
    """As floats; what is no number, and infinities, become NaN."""
    numbers = np.array(
        pd.to_numeric(pd.Series(list(values), dtype="object"), errors="coerce"), dtype="float64"
    )
    numbers[~np.isfinite(numbers)] = np.nan
    return numbers


def _text(value: Any) -> str | None:
    return None if value is None or value == "" else str(value)
