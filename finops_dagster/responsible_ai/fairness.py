"""Fairness of one model's answers by protected group: tables and differences with intervals.

Measures only; which difference is too large is decided in `gate`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from finops_dagster.domain.decisions import Abstained
from finops_dagster.responsible_ai.intervals import (
    basic_bootstrap,
    calibration_error,
    mean,
    wilson,
)
from finops_dagster.responsible_ai.results import (
    AttributeFairness,
    FairnessResult,
    GroupRow,
    Interval,
    Task,
)

SMALLEST_GROUP = 20
"""k: a group of fewer people is not shown, nor a rate that fewer bear (k-anonymity,
L. Sweeney 2002)."""
SMALLEST_SHARE = 0.02
"""Groups under 2 % of those judged are shown and not compared, as in 29 CFR 1607.15(A)(2)(a)."""
LEFT_OUT_SHARE = 0.05
"""Share of rows left out above which the rest may not stand for all, and that is said aloud."""
_DRAWS = 2000
_ERRORS = "errors of"


def judge_fairness(
    subject: str,
    groups: pd.DataFrame,
    outcomes: pd.DataFrame,
    *,
    task: Task,
    seed: int,
    smallest_group: int = SMALLEST_GROUP,
) -> FairnessResult | Abstained:
    """Fairness over every column of `groups`, whose rows are those of `outcomes`.

    outcomes: prediction (0 or 1 for classifiers), label (NaN where not known) and, for
    classifiers, probability (may be NaN). Selection rates need predictions alone; error rates are
    over labelled rows. Rows without a group are left out of that attribute and counted.
    """
    answered = np.isfinite(outcomes["prediction"].to_numpy(dtype="float64"))
    if not answered.any():
        return Abstained(subject=subject, reason="no prediction has a value")
    abstained: list[Abstained] = []
    shielded: list[str] = []
    notes: list[str] = []
    rows: list[GroupRow] = []
    attributes: list[AttributeFairness] = []
    _left_out(subject, "prediction", int((~answered).sum()), len(answered), notes, abstained)
    labels = outcomes["label"].to_numpy(dtype="float64")
    if groups.shape[1] == 0:
        notes.append("Its owner names no protected group, so nothing is compared")
    elif not np.isfinite(labels[answered]).any():
        abstained.append(
            Abstained(
                subject=f"{_ERRORS} {subject}",
                reason="no label has arrived: only what the model said could be compared",
            )
        )
    for name in map(str, groups.columns):
        one = _Attribute.of(name, groups[name], outcomes, answered)
        _left_out(subject, name, one.unknown, one.rows + one.unknown, notes, abstained)
        small = [g for g, place in one.places.items() if len(place) < smallest_group]
        if small:
            shielded.append(
                f"{name}: {len(small)} {'group' if len(small) == 1 else 'groups'} of fewer than "
                f"{smallest_group} people"
            )
        shown = {g: place for g, place in one.places.items() if g not in small}
        judged = {g: place for g, place in shown.items() if len(place) >= SMALLEST_SHARE * one.rows}
        table = _group_rows(one, shown, set(judged), task, smallest_group)
        rows.extend(table)
        if len(judged) < 2:
            abstained.append(
                Abstained(
                    subject=f"{subject}: {name}",
                    reason="fewer than two groups are large enough to compare",
                )
            )
        else:
            compared = _attribute(one, judged, table, task, seed, smallest_group)
            attributes.append(compared)
            any_label = np.isfinite(labels[answered]).any()
            nothing = compared.equalized_odds_difference is None and compared.error_ratio is None
            if any_label and nothing:
                abstained.append(
                    Abstained(
                        subject=f"{_ERRORS} {subject} by {name}",
                        reason="fewer than two groups have enough labelled rows to compare",
                    )
                )
    return FairnessResult(
        subject=subject,
        task=task,
        rows=int(answered.sum()),
        labelled=int(np.isfinite(labels[answered]).sum()),
        groups=tuple(rows),
        attributes=tuple(attributes),
        shielded=tuple(shielded),
        notes=tuple(notes),
        abstained=tuple(abstained),
    )


def with_errors_of(
    answers: FairnessResult, errors: FairnessResult | Abstained, window: str
) -> FairnessResult:
    """`answers` with the error rates of another window, the newest whose labels have arrived."""
    if isinstance(errors, Abstained):
        return replace(answers, abstained=(*answers.abstained, errors))
    rows = {(row.attribute, row.group): row for row in errors.groups}
    compared = {one.attribute: one for one in errors.attributes}
    kept = tuple(one for one in answers.abstained if not one.subject.startswith(_ERRORS))
    return replace(
        answers,
        labelled=errors.labelled,
        groups=tuple(_row_with_errors(row, rows) for row in answers.groups),
        attributes=tuple(
            replace(
                compared[one.attribute],
                largest_group=one.largest_group,
                demographic_parity_difference=one.demographic_parity_difference,
                demographic_parity_ratio=one.demographic_parity_ratio,
            )
            if one.attribute in compared
            else one
            for one in answers.attributes
        ),
        notes=(*answers.notes, f"Error rates are of {window}, the newest days with labels"),
        abstained=(
            *kept,
            *(one for one in errors.abstained if one not in kept),
        ),
    )


def _row_with_errors(row: GroupRow, rows: Mapping[tuple[str, str], GroupRow]) -> GroupRow:
    other = rows.get((row.attribute, row.group))
    if other is None:
        return row
    return replace(
        other,
        rows=row.rows,
        selection_rate=row.selection_rate,
        selection_ratio=row.selection_ratio,
        judged=row.judged,
    )


def _left_out(
    subject: str, what: str, count: int, total: int, notes: list[str], abstained: list[Abstained]
) -> None:
    if not count:
        return
    text = f"{count} of {total} rows have no {what} and are left out"
    if count > LEFT_OUT_SHARE * total:
        abstained.append(Abstained(subject=f"{subject}: {what}", reason=text))
    else:
        notes.append(text)


@dataclass(frozen=True)
class _Attribute:
    """The answered rows of one attribute: where each group's are, and what was said of them."""

    name: str
    places: Mapping[str, NDArray[np.int64]]
    prediction: NDArray[np.float64]
    probability: NDArray[np.float64]
    label: NDArray[np.float64]
    unknown: int

    @property
    def rows(self) -> int:
        return sum(len(place) for place in self.places.values())

    @classmethod
    def of(
        cls, name: str, group: pd.Series[Any], outcomes: pd.DataFrame, answered: NDArray[np.bool_]
    ) -> _Attribute:
        known = group.notna().to_numpy() & answered
        texts = group.astype(str).to_numpy()
        codes, names = pd.factorize(texts[known], sort=True)
        places = np.flatnonzero(known)
        order = np.argsort(codes, kind="stable")
        parts = np.split(places[order], np.flatnonzero(np.diff(codes[order])) + 1)
        probability = (
            outcomes["probability"].to_numpy(dtype="float64")
            if "probability" in outcomes.columns
            else np.full(len(outcomes), np.nan)
        )
        return cls(
            name=name,
            places=dict(zip(map(str, names), parts, strict=True)) if len(names) else {},
            prediction=outcomes["prediction"].to_numpy(dtype="float64"),
            probability=probability,
            label=outcomes["label"].to_numpy(dtype="float64"),
            unknown=int((answered & ~known).sum()),
        )


def _largest(places: Mapping[str, NDArray[np.int64]]) -> str:
    return max(places, key=lambda group: (len(places[group]), group)) if places else ""


def _group_rows(
    one: _Attribute,
    shown: Mapping[str, NDArray[np.int64]],
    judged: set[str],
    task: Task,
    smallest: int,
) -> list[GroupRow]:
    base = None
    if task == "classification" and shown:
        base = float((one.prediction[shown[_largest(shown)]] > 0.5).mean())
    return [
        _group_row(one, group, place, group in judged, task, smallest, base)
        for group, place in shown.items()
    ]


def _group_row(
    one: _Attribute,
    group: str,
    place: NDArray[np.int64],
    judged: bool,
    task: Task,
    smallest: int,
    base: float | None,
) -> GroupRow:
    known = place[np.isfinite(one.label[place])]
    label, said = one.label[known], one.prediction[known]
    enough = len(known) >= smallest
    selection = tpr = fpr = accuracy = absolute = signed = None
    error = ratio = None
    if task == "classification":
        selected = one.prediction[place] > 0.5
        selection = wilson(float(selected.sum()), len(place))
        ratio = selection.value / base if base else None
        positive, chosen = label > 0.5, said > 0.5
        if enough:
            accuracy = wilson(float((positive == chosen).sum()), len(known))
        if positive.sum() >= smallest:
            tpr = wilson(float(chosen[positive].sum()), int(positive.sum()))
        if (~positive).sum() >= smallest:
            fpr = wilson(float(chosen[~positive].sum()), int((~positive).sum()))
        scored = np.isfinite(one.probability[known])
        if scored.sum() >= smallest:
            error = calibration_error(label[scored], one.probability[known][scored])
    elif enough:
        absolute, signed = mean(np.abs(said - label)), mean(said - label)
    return GroupRow(
        attribute=one.name,
        group=group,
        rows=len(place),
        labelled=len(known),
        selection_rate=selection,
        true_positive_rate=tpr,
        false_positive_rate=fpr,
        accuracy=accuracy,
        calibration_error=error,
        selection_ratio=ratio,
        mean_absolute_error=absolute,
        mean_error=signed,
        judged=judged,
    )


def _attribute(
    one: _Attribute,
    judged: Mapping[str, NDArray[np.int64]],
    table: list[GroupRow],
    task: Task,
    seed: int,
    smallest: int,
) -> AttributeFairness:
    largest = _largest(judged)
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
    drawn = np.maximum(rng.normal(centre, spread, size=(_DRAWS, len(errors))), 1e-12)
    logs = np.log(drawn.max(axis=1) / drawn.min(axis=1))
    interval = basic_bootstrap(float(np.log(centre.max() / centre.min())), logs)
    return _exponential(interval)


def _exponential(interval: Interval) -> Interval:
    ends = (interval.low, interval.high)
    low, high = (None if end is None else float(np.exp(end)) for end in ends)
    return Interval(float(np.exp(interval.value)), low, high)


def _classified(
    one: _Attribute,
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
    one: _Attribute,
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
    def of(cls, one: _Attribute, judged: Mapping[str, NDArray[np.int64]], seed: int) -> _Draws:
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
            groups.append(rng.multinomial(len(place), shares, size=_DRAWS))
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
