"""How far the groups of one attribute differ, by fairlearn, with bootstrap intervals.

Rates of single groups are in `groups`; which difference is too large is decided in `gate`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from finops_dagster.responsible_ai.fairness.groups import Attribute, largest_of
from finops_dagster.responsible_ai.intervals import (
    basic_bootstrap,
)
from finops_dagster.responsible_ai.results import (
    AttributeFairness,
    GroupRow,
    Interval,
    Task,
)

DRAWS = 2000


def compare(
    one: Attribute,
    judged: Mapping[str, NDArray[np.int64]],
    table: list[GroupRow],
    task: Task,
    seed: int,
    smallest: int,
) -> AttributeFairness:
    """Differences and ratios over the judged groups; None where too few labels are known."""
    largest = largest_of(judged)
    if task == "regression":
        return AttributeFairness(
            attribute=one.name,
            largest_group=largest,
            error_ratio=_error_ratio([r for r in table if r.judged], seed),
        )
    return _classified(one, judged, largest, seed, smallest)


def _error_ratio(rows: list[GroupRow], seed: int) -> Interval | None:
    """Highest mean absolute error over lowest; the means are drawn from their normal laws."""
    errors = [r.mean_absolute_error for r in rows if r.mean_absolute_error is not None]
    if len(errors) < 2 or min(e.value for e in errors) <= 0:
        return None
    centre = np.array([e.value for e in errors])
    spread = np.array([0.0 if e.high is None else (e.high - e.value) / 1.96 for e in errors])
    rng = np.random.default_rng(seed)
    drawn = np.maximum(rng.normal(centre, spread, size=(DRAWS, len(errors))), 1e-12)
    logs = np.log(drawn.max(axis=1) / drawn.min(axis=1))
    interval = basic_bootstrap(float(np.log(centre.max() / centre.min())), logs)
    return _exponential(interval)


def _exponential(interval: Interval) -> Interval:
    ends = (interval.low, interval.high)
    low, high = (None if end is None else float(np.exp(end)) for end in ends)
    return Interval(float(np.exp(interval.value)), low, high)


def _classified(
    one: Attribute,
    judged: Mapping[str, NDArray[np.int64]],
    largest: str,
    seed: int,
    smallest: int,
) -> AttributeFairness:
    """Fairlearn's figures over the judged groups, with bootstrap intervals.

    Rows of a group that agree in answer and label are alike, so a bootstrap over rows is a
    multinomial draw of each group's few counts.
    """
    from fairlearn.metrics import demographic_parity_difference, demographic_parity_ratio

    every = np.concatenate(list(judged.values()))
    names = np.concatenate([np.full(len(p), g, dtype=object) for g, p in judged.items()])
    chosen = (one.prediction[every] > 0.5).astype(int)
    # fairlearn asks for true labels here and does not look at them.
    parity = {"sensitive_features": names}
    difference = float(demographic_parity_difference(chosen, chosen, **parity))
    ratio = float(demographic_parity_ratio(chosen, chosen, **parity))
    draws = _Draws.of(one, judged, seed)
    rates = draws.selection()
    with np.errstate(divide="ignore", invalid="ignore"):
        logs = np.log(rates.max(axis=1) / rates.min(axis=1))
    of_ratio = basic_bootstrap(-float(np.log(ratio)), logs) if ratio > 0 else Interval(float("inf"))
    low, high = (
        None if end is None else float(np.exp(-end)) for end in (of_ratio.high, of_ratio.low)
    )
    return AttributeFairness(
        attribute=one.name,
        largest_group=largest,
        demographic_parity_difference=basic_bootstrap(difference, _spread(rates), high=1.0),
        demographic_parity_ratio=Interval(ratio, low, high),
        **_errors(one, judged, draws, smallest),
    )


def _errors(
    one: Attribute,
    judged: Mapping[str, NDArray[np.int64]],
    draws: _Draws,
    smallest: int,
) -> dict[str, Interval]:
    """Differences of error rates between the groups of which enough labels are known."""
    from fairlearn.metrics import (
        MetricFrame,
        false_positive_rate,
        true_positive_rate,
    )

    known = {g: p[np.isfinite(one.label[p])] for g, p in judged.items()}
    enough = [
        place
        for place, p in enumerate(known.values())
        if min((one.label[p] > 0.5).sum(), (one.label[p] <= 0.5).sum()) >= smallest
    ]
    if len(enough) < 2:
        return {}
    names = list(known)
    every = np.concatenate([known[names[place]] for place in enough])
    group = np.concatenate([np.full(len(known[names[p]]), names[p], dtype=object) for p in enough])
    frame = MetricFrame(
        metrics={
            "true_positive_rate": true_positive_rate,
            "false_positive_rate": false_positive_rate,
            "accuracy": lambda true, said: float(np.mean(true == said)),
        },
        y_true=(one.label[every] > 0.5).astype(int),
        y_pred=(one.prediction[every] > 0.5).astype(int),
        sensitive_features=group,
    )
    spread = frame.difference(method="between_groups")
    drawn = {name: _spread(rate[:, enough]) for name, rate in draws.rates().items()}
    differences = {
        f"{name}_difference": basic_bootstrap(float(spread[name]), drawn[name], high=1.0)
        for name in ("true_positive_rate", "false_positive_rate", "accuracy")
    }
    differences["equalized_odds_difference"] = basic_bootstrap(
        float(max(spread["true_positive_rate"], spread["false_positive_rate"])),
        np.maximum(drawn["true_positive_rate"], drawn["false_positive_rate"]),
        high=1.0,
    )
    return differences


def _spread(rates: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.asarray(rates.max(axis=1) - rates.min(axis=1), dtype=np.float64)


@dataclass(frozen=True)
class _Draws:
    """Bootstrap draws of each group's counts: (draw, group, [TP, FN, FP, TN, chosen, not])."""

    counts: NDArray[np.float64]

    @classmethod
    def of(cls, one: Attribute, judged: Mapping[str, NDArray[np.int64]], seed: int) -> _Draws:
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
            }
