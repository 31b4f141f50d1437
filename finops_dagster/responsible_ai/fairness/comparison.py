"""How far the groups of one attribute differ, by fairlearn, with bootstrap intervals.

Rates of single groups are in `groups`; which difference is too large is decided in `gate`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from finops_dagster.responsible_ai.fairness.groups import Attribute, largest_of
from finops_dagster.responsible_ai.fairness.shielding import Places
from finops_dagster.responsible_ai.intervals import Z95, calibration_draws, widest_gap
from finops_dagster.responsible_ai.results import (
    AttributeFairness,
    GroupRow,
    Interval,
    Task,
)

DRAWS = 2000


def compare(
    one: Attribute,
    judged: Places,
    table: Sequence[GroupRow],
    task: Task,
    seed: int,
    *,
    level: float = 0.95,
) -> AttributeFairness:
    """Differences and ratios over the judged groups; None where too few have a figure.

    Only figures that `table` shows are compared. level: confidence of the intervals.
    """
    largest = largest_of(judged)
    rows = [row for row in table if row.group in judged]
    if task == "regression":
        ratio, difference = _errors(rows, seed, level)
        return AttributeFairness(
            attribute=one.name,
            largest_group=largest,
            error_ratio=ratio,
            error_difference=difference,
        )
    return _classified(one, judged, rows, largest, seed, level)


def _errors(
    rows: Sequence[GroupRow], seed: int, level: float
) -> tuple[Interval | None, Interval | None]:
    """Highest mean absolute error over and less the lowest; means are drawn from normal laws."""
    errors = [r.mean_absolute_error for r in rows if r.mean_absolute_error is not None]
    if len(errors) < 2:
        return None, None
    centre = np.array([e.value for e in errors])
    spread = np.array([0.0 if e.high is None else (e.high - e.value) / Z95 for e in errors])
    rng = np.random.default_rng(seed)
    drawn = np.maximum(rng.normal(centre, spread, size=(DRAWS, len(errors))), 1e-12)
    difference = widest_gap(float(centre.max() - centre.min()), drawn, level=level)
    if centre.min() <= 0:
        return None, difference
    ratio = widest_gap(float(np.log(centre.max() / centre.min())), np.log(drawn), level=level)
    return _exponential(ratio), difference


def _exponential(interval: Interval) -> Interval:
    ends = (interval.low, interval.high)
    low, high = (None if end is None else float(np.exp(end)) for end in ends)
    return Interval(float(np.exp(interval.value)), low, high)


def _classified(
    one: Attribute,
    judged: Places,
    rows: Sequence[GroupRow],
    largest: str,
    seed: int,
    level: float,
) -> AttributeFairness:
    """Fairlearn's figures over the judged groups, with bootstrap intervals.

    Rows of a group that agree in answer and label are alike, so a bootstrap over rows is a
    multinomial draw of each group's few counts.
    """
    from fairlearn.metrics import demographic_parity_difference, demographic_parity_ratio

    every = np.concatenate(list(judged.values()))
    names = np.repeat(np.arange(len(judged)), [len(place) for place in judged.values()])
    chosen = (one.prediction[every] > 0.5).astype(int)
    # fairlearn asks for true labels here and does not look at them.
    parity = {"sensitive_features": names}
    difference = float(demographic_parity_difference(chosen, chosen, **parity))
    ratio = float(demographic_parity_ratio(chosen, chosen, **parity)) if chosen.any() else None
    draws = _Draws.of(one, judged, seed)
    rates = draws.selection()
    return AttributeFairness(
        attribute=one.name,
        largest_group=largest,
        demographic_parity_difference=widest_gap(difference, rates, high=1.0, level=level),
        demographic_parity_ratio=None if ratio is None else _ratio(ratio, rows, rates, level),
        calibration_difference=_calibration(one, judged, rows, seed, level),
        **_rates(one, judged, rows, draws, level),
    )


def _ratio(
    ratio: float, rows: Sequence[GroupRow], drawn: NDArray[np.float64], level: float
) -> Interval:
    """Lowest selection rate over highest, by logarithms of the draws.

    Where a group is never selected, draws say nothing of how much it could be: the high end is
    the quotient of the ends of both groups' own intervals.
    """
    if ratio > 0:
        with np.errstate(divide="ignore"):
            found = widest_gap(-float(np.log(ratio)), np.log(drawn), level=level)
        low, high = (None if e is None else float(np.exp(-e)) for e in (found.high, found.low))
        return Interval(ratio, low, high)
    rates = [row.selection_rate for row in rows if row.selection_rate is not None]
    never = min(rate.high or 0.0 for rate in rates if rate.value == 0)
    most = max(rates, key=lambda rate: rate.value)
    return Interval(0.0, 0.0, min(1.0, never / most.low) if most.low else 1.0)


def _rates(
    one: Attribute, judged: Places, rows: Sequence[GroupRow], draws: _Draws, level: float
) -> dict[str, Interval]:
    """Differences of accuracy, error rates and precision between the groups that show them."""
    from fairlearn.metrics import MetricFrame, false_positive_rate, true_positive_rate

    row_of = {row.group: row for row in rows}
    drawn = draws.rates()
    found: dict[str, Interval] = {}
    odds = ("true_positive_rate", "false_positive_rate")
    for names, measures in (
        (odds, (true_positive_rate, false_positive_rate)),
        (("accuracy",), (lambda true, said: float(np.mean(true == said)),)),
        (("precision",), (lambda true, said: float(np.mean(true[said == 1])),)),
    ):
        enough = [
            place
            for place, group in enumerate(judged)
            if all(getattr(row_of[group], name) is not None for name in names)
        ]
        if len(enough) < 2:
            continue
        parts = [list(judged.values())[place] for place in enough]
        known = [place[np.isfinite(one.label[place])] for place in parts]
        every = np.concatenate(known)
        frame = MetricFrame(
            metrics=dict(zip(names, measures, strict=True)),
            y_true=(one.label[every] > 0.5).astype(int),
            y_pred=(one.prediction[every] > 0.5).astype(int),
            sensitive_features=np.repeat(np.arange(len(known)), [len(p) for p in known]),
        )
        spread = frame.difference(method="between_groups")
        for name in names:
            key = _DIFFERENCE.get(name, f"{name}_difference")
            found[key] = widest_gap(
                float(spread[name]), drawn[name][:, enough], high=1.0, level=level
            )
        if names == odds:
            found["equalized_odds_difference"] = widest_gap(
                float(max(spread[name] for name in odds)),
                np.stack([drawn[name][:, enough] for name in odds], axis=2),
                high=1.0,
                level=level,
            )
    return found


_DIFFERENCE = {"precision": "predictive_parity_difference"}


def _calibration(
    one: Attribute, judged: Places, rows: Sequence[GroupRow], seed: int, level: float
) -> Interval | None:
    """Highest expected calibration error less the lowest, drawn group by group."""
    errors = {r.group: r.calibration_error for r in rows if r.calibration_error is not None}
    if len(errors) < 2:
        return None
    values = np.array([error.value for error in errors.values()])
    drawn = []
    for number, group in enumerate(errors):
        place = judged[group]
        known = place[np.isfinite(one.label[place]) & np.isfinite(one.probability[place])]
        label, score = one.label[known], one.probability[known]
        drawn.append(calibration_draws(label, score, seed + number, DRAWS))
    gap = float(values.max() - values.min())
    return widest_gap(gap, np.stack(drawn, axis=1), high=1.0, level=level)


@dataclass(frozen=True)
class _Draws:
    """Bootstrap draws of each group's counts: (draw, group, [TP, FN, FP, TN, chosen, not])."""

    counts: NDArray[np.float64]

    @classmethod
    def of(cls, one: Attribute, judged: Places, seed: int) -> _Draws:
        rng = np.random.default_rng(seed)
        groups = []
        for place in judged.values():
            chosen = one.prediction[place] > 0.5
            known = np.isfinite(one.label[place])
            true = one.label[place] > 0.5
            cells = [
                known & true & chosen,
                known & true & ~chosen,
                known & ~true & chosen,
                known & ~true & ~chosen,
                ~known & chosen,
                ~known & ~chosen,
            ]
            shares = np.array([cell.sum() for cell in cells], dtype=np.float64) / len(place)
            groups.append(rng.multinomial(len(place), shares, size=DRAWS))
        return cls(np.stack(groups, axis=1).astype(np.float64))

    def selection(self) -> NDArray[np.float64]:
        chosen = self.counts[..., [0, 2, 4]].sum(axis=-1)
        return np.asarray(chosen / self.counts.sum(axis=-1), dtype=np.float64)

    def rates(self) -> dict[str, NDArray[np.float64]]:
        tp, fn, fp, tn = (self.counts[..., cell] for cell in range(4))
        with np.errstate(divide="ignore", invalid="ignore"):
            return {
                "true_positive_rate": tp / (tp + fn),
                "false_positive_rate": fp / (fp + tn),
                "accuracy": (tp + tn) / (tp + fn + fp + tn),
                "precision": tp / (tp + fp),
            }
