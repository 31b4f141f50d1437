"""From drift that was found to breaches with what is at stake, worst first.

What drifted is decided in `family`; what follows from a breach is policy's and the caller's.
"""

from __future__ import annotations

from decimal import Decimal

from finops_dagster.domain.models import ALL, Breach, Check, RiskClass
from finops_dagster.domain.money import MoneyRange, to_decimal
from finops_dagster.domain.periods import HOURS_PER_MONTH
from finops_dagster.responsible_ai.drift.results import DriftReport, Stake
from finops_dagster.responsible_ai.drift.words import sentence
from finops_dagster.responsible_ai.results import DriftKind, DriftResult, FeatureDrift, Interval

CHECK_OF: dict[DriftKind, Check] = {
    "data": Check.DATA_DRIFT,
    "prediction": Check.PREDICTION_DRIFT,
    "label": Check.DATA_DRIFT,
    "concept": Check.CONCEPT_DRIFT,
}
"""A label's own distribution belongs to the data: it moves where the people asked about change.
What is true for the same inputs is the concept."""

_HARM = (
    RiskClass.PROHIBITED,
    RiskClass.HIGH,
    RiskClass.UNKNOWN,
    RiskClass.LIMITED,
    RiskClass.MINIMAL,
)
"""By the EU AI Act's classes; what nobody classed is taken for nearly high."""


def breaches_of(
    report: DriftReport,
    *,
    stake: Stake | None = None,
    version: str = "",
    estimated: Interval | None = None,
) -> tuple[Breach, ...]:
    """One breach per check and segment that drifted, worst first (`urgency`).

    A segment's breach is told where its move is its own (`results.of_their_own`). `estimated`:
    mean extra error of all answers now, in the unit of an error, as estimated before labels
    arrive; it is used where the labels known are of earlier days. `at_stake` is `stake.amount` x
    answers a month x extra error, its ends those of the error's 95 % interval; None where any of
    them is unknown.
    """
    stake = stake or Stake()
    found: dict[tuple[Check, str], list[FeatureDrift]] = {}
    for one in report.drifted:
        found.setdefault((CHECK_OF[one.kind], one.segment), []).append(one)
    made = [
        _breach(check, segment, moved, report, stake, version, estimated)
        for (check, segment), moved in found.items()
    ]
    return tuple(sorted(made, key=lambda breach: urgency(breach, stake.risk_class)))


def urgency(breach: Breach, risk_class: RiskClass) -> tuple[int, int, Decimal, float]:
    """Sorts breaches worst first: failures before warnings, then by risk class, then by the money
    at stake a month (of one currency: amounts of several have no order), then by size."""
    money = breach.at_stake.mid if breach.at_stake is not None else Decimal(0)
    size = breach.figures.get("excess_over_limit", 0.0)
    return int(breach.grade != "fail"), _HARM.index(risk_class), -money, -size


def _breach(
    check: Check,
    segment: str,
    moved: list[FeatureDrift],
    report: DriftReport,
    stake: Stake,
    version: str,
    estimated: Interval | None,
) -> Breach:
    worst = max(moved, key=size_of)
    extra, answers = _extra_error(segment, report, estimated)
    # most of the inputs moved, if each but somewhat: the model is asked about another world
    of_the_set = check is Check.DATA_DRIFT and segment == ALL and _moved_as_a_set(report)
    major = of_the_set or any(one.severity == "major" for one in moved)
    return Breach(
        check=check,
        grade="fail" if major else "warn",
        reason=sentence(worst, [one.feature for one in moved if one is not worst]),
        segment=segment,
        version=version,
        since=report.first,
        figures={
            **figures_of(worst),
            "excess_over_limit": size_of(worst),
            "columns": float(len(moved)),
        },
        at_stake=_money(stake, extra, answers),
    )


def figures_of(one: FeatureDrift) -> dict[str, float]:
    """How far and how surely one column moved, and from where that counts."""
    return {
        "score": one.score,
        "expected_by_chance": one.expected,
        "score_limit": one.threshold,
        "p_adjusted": one.p_adjusted,
    }


def _moved_as_a_set(report: DriftReport) -> bool:
    return isinstance(report.data, DriftResult) and report.data.dataset_drift


def size_of(one: FeatureDrift) -> float:
    """How many times as far it moved as it would have to, to matter."""
    room = one.threshold - one.expected
    return (one.score - one.expected) / room if room > 0 else 0.0


def _extra_error(
    segment: str, report: DriftReport, estimated: Interval | None
) -> tuple[Interval | None, float]:
    """Mean extra error of an answer, and answers a month."""
    a_month = report.answers_a_day * HOURS_PER_MONTH / 24
    fresh = report.labelled_last == report.last
    if segment == ALL:
        return (report.extra_error if fresh else estimated), a_month
    days = (report.last - report.first).days + 1
    for one in report.segments:
        if one.segment == segment and fresh:
            return one.extra_error, one.current_rows / days * HOURS_PER_MONTH / 24
    return None, a_month


def _money(stake: Stake, extra: Interval | None, answers: float) -> MoneyRange | None:
    if stake.amount is None or extra is None or extra.low is None or extra.high is None:
        return None
    low, mid, high = (
        stake.amount * to_decimal(error * answers) for error in (extra.low, extra.value, extra.high)
    )
    return MoneyRange(low=low, mid=mid, high=high, currency=stake.currency)
