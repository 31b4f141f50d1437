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
from finops_dagster.responsible_ai.drift.breaches import CHECK_OF, figures_of
from finops_dagster.responsible_ai.fairness.breaches import breaches_of as fairness_breaches
from finops_dagster.responsible_ai.performance.breaches import breaches_of as quality_breaches
from finops_dagster.responsible_ai.results import (
    DriftResult,
    FairnessResult,
    PerformanceResult,
    Seen,
)

Said = Breach | Abstained
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
    others: Iterable[Said] = (),
    answers: Seen = NOWHERE,
    labelled: Seen = NOWHERE,
) -> GateResult:
    """One answer for one model. None means not asked for; what could not be judged warns.

    `others` are breaches and refusals of checks judged elsewhere. `answers` is where what the
    model said was measured, `labelled` where its errors were, which may be earlier days. Every
    reason is the reason of a breach, or tells what could not be judged; the gravest come first.
    """
    limits = limits or GateLimits()
    said: list[Said] = [
        *_drift(drift, answers),
        *_fairness(fairness, limits, answers, labelled),
        *_performance(performance, limits, labelled),
        *others,
    ]
    if drift is None and fairness is None and performance is None and not said:
        return GateResult(gate=name, result="warn", reasons=("nothing was judged",))
    said = [_finite(one) for one in said]
    ordered = sorted(said, key=lambda one: _GRAVEST_FIRST.index(_grade(one)))
    return GateResult(
        gate=name,
        result=_grade(ordered[0]) if ordered else "pass",
        reasons=tuple(dict.fromkeys(one.reason for one in ordered)),
        breaches=tuple(one for one in ordered if isinstance(one, Breach)),
    )


def not_judged(what: str, why: Abstained) -> Abstained:
    """The refusal as a gate's reason."""
    return Abstained(subject=why.subject, reason=f"{what} could not be judged: {why.reason}")


def _finite(one: Said) -> Said:
    """JSON knows no infinity: a growth from nothing has no figure, and is told in words."""
    if isinstance(one, Abstained):
        return one
    kept = {name: value for name, value in one.figures.items() if math.isfinite(value)}
    return one if len(kept) == len(one.figures) else one.model_copy(update={"figures": kept})


def _grade(one: Said) -> Literal["warn", "fail"]:
    return one.grade if isinstance(one, Breach) else "warn"


def _drift(drift: DriftResult | Abstained | None, seen: Seen) -> Iterator[Said]:
    if isinstance(drift, Abstained):
        yield not_judged("drift", drift)
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
        yield Breach(
            check=Check.DATA_DRIFT,
            grade="fail",
            reason=reason,
            version=seen.version,
            since=seen.since,
            figures=figures,
        )
    for reason, one in zip(drift.reasons[of_the_set:], worst_first, strict=True):
        yield Breach(
            check=CHECK_OF[one.kind],
            grade="fail" if drift.dataset_drift or one.severity == "major" else "warn",
            reason=reason,
            version=seen.version,
            since=seen.since,
            figures=figures_of(one),
        )
    for refused in drift.abstained:
        yield not_judged(f"drift of {refused.subject}", refused)


def _fairness(
    fairness: FairnessResult | Abstained | None, limits: GateLimits, answers: Seen, labelled: Seen
) -> Iterator[Said]:
    if isinstance(fairness, Abstained):
        yield not_judged("fairness", fairness)
        return
    if fairness is None:
        return
    for one in fairness_breaches(fairness, limits):
        seen = answers if "selection_ratio" in one.figures else labelled
        yield one.model_copy(update={"version": seen.version, "since": seen.since})
    for refused in fairness.abstained:
        yield Abstained(
            subject=refused.subject, reason=f"fairness of {refused.subject}: {refused.reason}"
        )


def _performance(
    performance: PerformanceResult | Abstained | None, limits: GateLimits, seen: Seen
) -> Iterator[Said]:
    if isinstance(performance, Abstained):
        yield not_judged("quality", performance)
        return
    yield from quality_breaches(
        performance,
        None,
        None,
        accuracy_drop=limits.accuracy_drop,
        error_growth=limits.error_growth,
        version=seen.version,
        since=seen.since,
    )
