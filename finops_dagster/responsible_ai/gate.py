"""From what was judged of a model to pass, warn or fail: its breaches, and the reasons in words.

Limits live here with their sources; what follows from a breach is policy's and the caller's.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Literal

from finops_dagster.domain.decisions import Abstained, GateResult
from finops_dagster.domain.models import Breach, Check
from finops_dagster.responsible_ai.results import (
    AttributeFairness,
    DriftResult,
    FairnessResult,
    GroupRow,
    Interval,
    PerformanceResult,
    Seen,
)

_Bad = Literal["warn", "fail"]
_Said = Breach | Abstained
_GRAVEST_FIRST = ("fail", "warn")
NOWHERE = Seen()


@dataclass(frozen=True)
class GateLimits:
    """From where a figure is a breach.

    A figure past its limit warns if the middle of its 95 % interval is past it too (the gap
    between the best and the worst of several groups is too large by chance alone, and the interval
    takes that back); one whose whole interval is past it fails. So a small sample cannot stop a
    model, and a likely breach cannot pass in silence.
    """

    selection_ratio: float = 0.8
    """Lowest selection rate over highest: the four-fifths rule, 29 CFR 1607.4(D)."""
    odds_difference: float = 0.1
    """Equalised odds difference; 0.1 is the fair band of AI Fairness 360 (Bellamy et al. 2018)."""
    error_ratio: float = 1.25
    """Highest mean absolute error of a group over the lowest: four fifths, turned round."""
    accuracy_drop: float = 0.05
    """Accuracy lost since the reference window; a choice, to be set by the model's owner."""
    error_growth: float = 0.2
    """Growth of mean absolute error since the reference window; likewise."""
    ignore: tuple[str, ...] = ()
    """Protected attributes shown and not judged, such as one whose base rates differ by law."""


def gate(
    name: str,
    drift: DriftResult | Abstained | None = None,
    fairness: FairnessResult | Abstained | None = None,
    performance: PerformanceResult | Abstained | None = None,
    limits: GateLimits | None = None,
    *,
    others: Iterable[_Said] = (),
    answers: Seen = NOWHERE,
    labelled: Seen = NOWHERE,
) -> GateResult:
    """One answer for one model. None means not asked for; what could not be judged warns.

    `others` are breaches and refusals of checks judged elsewhere. `answers` is where what the
    model said was measured, `labelled` where its errors were, which may be earlier days. Every
    reason is the reason of a breach, or tells what could not be judged; the gravest come first.
    """
    limits = limits or GateLimits()
    said: list[_Said] = [
        *_drift(drift, answers),
        *_fairness(fairness, limits, answers, labelled),
        *_performance(performance, limits, labelled),
        *others,
    ]
    if drift is None and fairness is None and performance is None and not said:
        return GateResult(gate=name, result="warn", reasons=("nothing was judged",))
    ordered = sorted(said, key=lambda one: _GRAVEST_FIRST.index(_grade(one)))
    return GateResult(
        gate=name,
        result=_grade(ordered[0]) if ordered else "pass",
        reasons=tuple(one.reason for one in ordered),
        breaches=tuple(one for one in ordered if isinstance(one, Breach)),
    )


def _grade(one: _Said) -> _Bad:
    return one.grade if isinstance(one, Breach) else "warn"


def _not_judged(what: str, why: Abstained) -> Abstained:
    return Abstained(subject=why.subject, reason=f"{what} could not be judged: {why.reason}")


def _drift(drift: DriftResult | Abstained | None, seen: Seen) -> Iterator[_Said]:
    if isinstance(drift, Abstained):
        yield _not_judged("drift", drift)
        return
    if drift is None:
        return
    worst_first = drift.drifted
    of_the_set = len(drift.reasons) - len(worst_first)
    for reason in drift.reasons[:of_the_set]:
        figures = {
            "drifted_share": drift.drifted_share,
            "drifted_columns": float(len(worst_first)),
            "columns": float(len(drift.features)),
        }
        yield _breach(Check.DATA_DRIFT, "fail", reason, seen, figures)
    for reason, one in zip(drift.reasons[of_the_set:], worst_first, strict=True):
        yield _breach(
            Check.PREDICTION_DRIFT if one.feature.startswith("output: ") else Check.DATA_DRIFT,
            "fail" if drift.dataset_drift or one.severity == "major" else "warn",
            reason,
            seen,
            {
                "stability_index": one.score,
                "limit": one.threshold,
                "by_chance": one.expected,
                "p_adjusted": one.p_adjusted,
            },
        )
    for refused in drift.abstained:
        yield _not_judged(f"drift of {refused.subject}", refused)


def _fairness(
    fairness: FairnessResult | Abstained | None, limits: GateLimits, answers: Seen, labelled: Seen
) -> Iterator[_Said]:
    if isinstance(fairness, Abstained):
        yield _not_judged("fairness", fairness)
        return
    if fairness is None:
        return
    for one in fairness.attributes:
        if one.attribute not in limits.ignore:
            rows = [row for row in fairness.groups if row.attribute == one.attribute and row.judged]
            yield from _selection(one, rows, limits, answers)
            yield from _errors(one, rows, limits, labelled)
    for refused in fairness.abstained:
        yield refused.model_copy(
            update={"reason": f"fairness of {refused.subject}: {refused.reason}"}
        )


def _selection(
    one: AttributeFairness, rows: list[GroupRow], limits: GateLimits, seen: Seen
) -> Iterator[Breach]:
    ratio = one.demographic_parity_ratio
    grade = _under(ratio, limits.selection_ratio)
    if ratio is None or grade is None:
        return
    rates = {row.group: row.selection_rate.value for row in rows if row.selection_rate is not None}
    low, high = min(rates, key=rates.__getitem__), max(rates, key=rates.__getitem__)
    yield _breach(
        Check.FAIRNESS,
        grade,
        f"{one.attribute}: {low} is selected {ratio.value:.2f} times as often as {high}"
        f"{_ends(ratio)}; limit {limits.selection_ratio:g}",
        seen,
        _figures("selection_ratio", ratio, limits.selection_ratio),
        segment=f"{one.attribute}={low}",
    )


def _errors(
    one: AttributeFairness, rows: list[GroupRow], limits: GateLimits, seen: Seen
) -> Iterator[Breach]:
    for name, figure, limit, words in (
        ("odds_difference", one.equalized_odds_difference, limits.odds_difference,
         "error rates differ between groups by"),
        ("error_ratio", one.error_ratio, limits.error_ratio,
         "the error of one group over another's is"),
    ):  # fmt: skip
        grade = _over(figure, limit)
        if figure is None or grade is None:
            continue
        worse = _worse_off(one, rows) if name == "odds_difference" else _most_wrong(rows)
        yield _breach(
            Check.FAIRNESS,
            grade,
            f"{one.attribute}: {words} {figure.value:.2f}{_ends(figure)}; limit {limit:g}"
            + (f"; {worse} fares worst" if worse else ""),
            seen,
            _figures(name, figure, limit),
            segment=f"{one.attribute}={worse}" if worse else one.attribute,
        )


def _worse_off(one: AttributeFairness, rows: list[GroupRow]) -> str:
    """The group found least where it should be, or accused most where it should not be:
    whichever rate differs more."""
    gaps = one.true_positive_rate_difference, one.false_positive_rate_difference
    found, accused = (0.0 if gap is None else gap.value for gap in gaps)
    if found >= accused:
        return _first({r.group: r.true_positive_rate for r in rows}, -1)
    return _first({r.group: r.false_positive_rate for r in rows}, 1)


def _most_wrong(rows: list[GroupRow]) -> str:
    return _first({row.group: row.mean_absolute_error for row in rows}, 1)


def _first(rates: dict[str, Interval | None], sign: int) -> str:
    known = {group: sign * rate.value for group, rate in rates.items() if rate is not None}
    return max(known, key=known.__getitem__) if known else ""


def _performance(
    performance: PerformanceResult | Abstained | None, limits: GateLimits, seen: Seen
) -> Iterator[_Said]:
    if isinstance(performance, Abstained):
        yield _not_judged("quality", performance)
        return
    if performance is None:
        return
    classified = performance.metric == "accuracy"
    limit = limits.accuracy_drop if classified else limits.error_growth
    grade = _over(performance.worsening, limit)
    if grade is not None:
        yield _breach(
            Check.QUALITY,
            grade,
            f"{performance.metric.replace('_', ' ')} went from {performance.reference.value:.4g} "
            f"to {performance.analysis.value:.4g}: worse by {performance.worsening.value:.1%}"
            f"{_ends(performance.worsening)}; limit {limit:.0%}",
            seen,
            {
                performance.metric: performance.analysis.value,
                f"{performance.metric}_reference": performance.reference.value,
                **_figures(
                    "accuracy_drop" if classified else "error_growth", performance.worsening, limit
                ),
            },
        )


def _breach(
    check: Check,
    grade: _Bad,
    reason: str,
    seen: Seen,
    figures: dict[str, float],
    segment: str | None = None,
) -> Breach:
    told = {"segment": segment} if segment is not None else {}
    return Breach(
        check=check,
        grade=grade,
        reason=reason,
        version=seen.version,
        since=seen.since,
        # JSON knows no infinity: a growth from nothing has no figure, and is told in words
        figures={name: value for name, value in figures.items() if math.isfinite(value)},
        **told,
    )


def _figures(name: str, figure: Interval, limit: float) -> dict[str, float]:
    ends = {f"{name}_low": figure.low, f"{name}_high": figure.high}
    known = {end: value for end, value in ends.items() if value is not None}
    return {name: figure.value, **known, "limit": limit}


def _over(figure: Interval | None, limit: float) -> _Bad | None:
    if figure is None or min(figure.value, _middle(figure)) <= limit:
        return None
    return "fail" if figure.low is not None and figure.low > limit else "warn"


def _under(figure: Interval | None, limit: float) -> _Bad | None:
    if figure is None or max(figure.value, _middle(figure)) >= limit:
        return None
    return "fail" if figure.high is not None and figure.high < limit else "warn"


def _middle(figure: Interval) -> float:
    if figure.low is None or figure.high is None:
        return figure.value
    return (figure.low + figure.high) / 2


def _ends(figure: Interval) -> str:
    if figure.low is None or figure.high is None:
        return ""
    return f" (95 %: {figure.low:.2f} to {figure.high:.2f})"
