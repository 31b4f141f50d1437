"""Quality of one model's answers by segment of people or inputs, against its past and the rest.

Measures only; how much worse is too much is decided in `breaches`.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from finops_dagster.domain.decisions import Abstained
from finops_dagster.responsible_ai.intervals import Z95, mean, newcombe, wilson
from finops_dagster.responsible_ai.performance.labelled import MIN_LABELS, growth
from finops_dagster.responsible_ai.performance.results import SegmentQuality, SegmentRow
from finops_dagster.responsible_ai.results import Interval, Task
from finops_dagster.responsible_ai.windows import ModelWindow

MOST_SEGMENTS = 50
"""Segments of one attribute that are compared, the largest; a choice: the comparison of each is
widened for all, so that thousands of them would find nothing."""


@dataclass(frozen=True)
class _Part:
    """Labelled answers of one segment in one window: how wrong each was."""

    loss: NDArray[np.float64]
    """0 or 1 for classifiers, absolute error for regressors."""

    def figure(self, task: Task) -> Interval:
        if task == "classification":
            return wilson(float(len(self.loss) - self.loss.sum()), len(self.loss))
        return mean(self.loss)


def judge_segments(
    subject: str,
    reference: ModelWindow,
    analysis: ModelWindow,
    *,
    segments: Sequence[str],
    task: Task,
    smallest_group: int,
) -> SegmentQuality | Abstained:
    """Quality in each value of `segments`, which are groups or inputs that both windows hold.

    Only answers with a label count. A segment of fewer than `smallest_group` labelled answers in
    either window is withheld, and so is the next smallest of its attribute where those withheld
    could otherwise be worked out from the whole. Intervals of comparisons are Bonferroni's over all
    segments compared; p-values are adjusted after Holm 1979.
    """
    if not segments:
        return Abstained(subject=subject, reason="its owner names no segment")
    abstained, shielded, parts = [], [], []
    for name in segments:
        columns = [_column(window, name) for window in (reference, analysis)]
        if columns[0] is None or columns[1] is None:
            reason = f"segment {name}: no group and no category of that name is in the log"
            abstained.append(Abstained(subject=subject, reason=reason))
            continue
        before, now = (
            _parts(column, _loss(window, task))
            for column, window in zip(columns, (reference, analysis), strict=True)
            if column is not None
        )
        kept = _shown(before, now, smallest_group)
        if hidden := len(before.keys() | now.keys()) - len(kept):
            shielded.append(
                f"{name}: {hidden} of fewer than {smallest_group} people, or beside them"
            )
        for value in kept[MOST_SEGMENTS:]:
            reason = f"segment {name}={value}: it is not among the {MOST_SEGMENTS} largest"
            abstained.append(Abstained(subject=subject, reason=reason))
        for value in kept[:MOST_SEGMENTS]:
            pair = before[value], now[value]
            if (fewest := min(len(one.loss) for one in pair)) < MIN_LABELS:
                abstained.append(
                    Abstained(
                        subject=subject,
                        reason=f"segment {name}={value}: {fewest} labelled answers in a window, "
                        f"{MIN_LABELS} are needed",
                    )
                )
                continue
            rest = [one.loss for other, one in now.items() if other != value]
            parts.append((f"{name}={value}", *pair, _Part(np.concatenate([*rest, []]))))
    rows = tuple(sorted(_rows(parts, task), key=lambda row: (row.p_adjusted, row.segment)))
    return SegmentQuality(
        subject=subject,
        metric="accuracy" if task == "classification" else "mean_absolute_error",
        rows=rows,
        shielded=tuple(shielded),
        abstained=tuple(abstained),
    )


def _column(window: ModelWindow, name: str) -> pd.Series[str] | None:
    for frame in (window.groups, window.features):
        if name in frame.columns and frame[name].dtype == object:
            return frame[name]
    return None


def _loss(window: ModelWindow, task: Task) -> NDArray[np.float64]:
    """How wrong each answer was; NaN where no label is here."""
    said, label = (window.outcomes[name].to_numpy("float64") for name in ("prediction", "label"))
    if task == "regression":
        error: NDArray[np.float64] = np.abs(said - label)
        return error
    wrong: NDArray[np.float64] = ((said > 0.5) != (label > 0.5)).astype("float64")
    wrong[~(np.isfinite(said) & np.isfinite(label))] = np.nan
    return wrong


def _parts(column: pd.Series[str], loss: NDArray[np.float64]) -> dict[str, _Part]:
    kept = np.isfinite(loss) & column.notna().to_numpy()
    frame = pd.DataFrame({"value": column.to_numpy()[kept], "loss": loss[kept]})
    return {
        str(value): _Part(rows.to_numpy("float64"))
        for value, rows in frame.groupby("value")["loss"]
    }


def _shown(before: dict[str, _Part], now: dict[str, _Part], smallest: int) -> list[str]:
    """Values that may be shown, the largest first."""

    def fewest(value: str) -> int:
        return min(len(side[value].loss) if value in side else 0 for side in (before, now))

    ranked = sorted(before.keys() | now.keys(), key=lambda value: (-fewest(value), value))
    kept = [value for value in ranked if fewest(value) >= smallest]
    hidden = [value for value in ranked if fewest(value) < smallest]
    if hidden and kept:
        together = min(
            sum(len(side[value].loss) for value in hidden if value in side)
            for side in (before, now)
        )
        if together < smallest:
            kept.pop()
    return kept


def _rows(parts: Sequence[tuple[str, _Part, _Part, _Part]], task: Task) -> Iterator[SegmentRow]:
    from scipy.stats import norm

    count = max(len(parts), 1)
    widen = float(norm.isf(0.025 / count)) / Z95
    compared = [
        (before.figure(task), now.figure(task), rest.figure(task) if len(rest.loss) else None)
        for _, before, now, rest in parts
    ]
    chances = [float(norm.sf(_score(_worse(before, now, task)))) for before, now, _ in compared]
    adjusted = _holm(chances)
    for (name, first, second, _), (before, now, rest), p in zip(
        parts, compared, adjusted, strict=True
    ):
        yield SegmentRow(
            segment=name,
            reference_rows=len(first.loss),
            analysis_rows=len(second.loss),
            reference=before,
            analysis=now,
            worsening=_wider(_worse(before, now, task), widen),
            p_adjusted=p,
            against_rest=_wider(_worse(rest, now, task), widen) if rest else Interval(0.0),
        )


def _worse(before: Interval, now: Interval, task: Task) -> Interval:
    return newcombe(before, now) if task == "classification" else growth(before, now)


def _score(worsening: Interval) -> float:
    """Standard errors above zero, by the lower half of the interval."""
    if worsening.low is None or worsening.value <= worsening.low:
        return 0.0 if worsening.value <= 0 else math.inf
    return Z95 * worsening.value / (worsening.value - worsening.low)


def _wider(one: Interval, factor: float) -> Interval:
    if one.low is None or one.high is None:
        return one
    return replace(
        one,
        low=one.value - factor * (one.value - one.low),
        high=one.value + factor * (one.high - one.value),
    )


def _holm(chances: Sequence[float]) -> list[float]:
    adjusted, running = [0.0] * len(chances), 0.0
    for place, index in enumerate(sorted(range(len(chances)), key=lambda one: chances[one])):
        running = max(running, min(1.0, (len(chances) - place) * chances[index]))
        adjusted[index] = running
    return adjusted
