"""From where a difference between groups is a breach of the product's own engines, and how grave.

How it is measured is told in judging.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from finops_dagster.domain.decisions import GateResult
from finops_dagster.domain.models import Breach, Check
from finops_dagster.responsible_ai.decisions.results import (
    SUBJECT,
    Compared,
    DecisionFairness,
    Measure,
)
from finops_dagster.responsible_ai.results import Interval


@dataclass(frozen=True)
class DecisionRules:
    """From where a difference is told, and from where it is a breach."""

    least: int = 5
    """Resources judged that a group must have to be named; and resources, changes or answered
    incidents that a share must be of, in a group and in all others. They are no people: what is
    shielded is a handful of decisions from being read as a habit."""
    least_teams: int = 3
    """Teams that a mean of forecast errors must be of."""
    selection_ratio: float = 0.8
    """Lowest share over highest, at least: the four-fifths rule (29 CFR 1607.4 D, 1978), read for a
    burden: nobody bears more than 1 / 0.8 of what the others do."""
    error_ratio: float = 1.25
    """Highest mean error over lowest, at most."""
    alpha: float = 0.05
    """Chance of any breach where nothing differs, over all comparisons of a report (Holm)."""


_WORDS = {
    Measure.ASKED: "of its resources it is asked to spend less on",
    Measure.ASKED_OF_FOUND: "of what was found in it a change is asked for",
    Measure.TURNED_DOWN: "of its changes that people ended were rejected or reverted",
    Measure.FALSE_ALARMS: "of the incidents that it answered were called noise",
}


def gate_of(found: DecisionFairness) -> GateResult:
    """Whether what the product decides is fair, as the gate of its own decisions.

    What could not be judged fails nothing: it is a reason beside the breaches.
    """
    grades = {one.grade for one in found.breaches}
    untold = [one.reason for one in found.abstained if one.subject == SUBJECT]
    return GateResult(
        gate=SUBJECT,
        result="fail" if "fail" in grades else "warn" if grades else "pass",
        reasons=(*(one.reason for one in found.breaches), *untold),
        breaches=found.breaches,
    )


def breaches_of(compared: Sequence[Compared], rules: DecisionRules, since: date) -> list[Breach]:
    """Of what was compared, the gravest first; `since` is the first day of it."""
    found = [
        (one.to_others.value, breach)
        for one in compared
        if one.to_others is not None and (breach := _breach(one, one.to_others, rules, since))
    ]
    found.sort(key=lambda pair: (pair[1].grade != "fail", -pair[0], pair[1].segment))
    return [breach for _, breach in found]


def _breach(one: Compared, ratio: Interval, rules: DecisionRules, since: date) -> Breach | None:
    most = rules.error_ratio if one.measure is Measure.FORECAST_ERROR else 1 / rules.selection_ratio
    if one.p_adjusted is None or one.p_adjusted >= rules.alpha or ratio.value <= most:
        return None
    surely = ratio.low is not None and ratio.low > most and one.measure is not Measure.ASKED
    segment = f"{one.dimension.value}={one.group}"
    if one.measure is Measure.FORECAST_ERROR:
        told = f"the forecasts of its teams are off by {one.value.value:.2f} (scaled)"
    else:
        told = f"{one.value.value:.0%} {_WORDS[one.measure]}"
    return Breach(
        check=Check.FAIRNESS,
        grade="fail" if surely else "warn",
        reason=f"{segment}: {told}, {ratio.value:.2f} times as much as of all others, "
        f"{most:.2f} is the most (p = {one.p_adjusted:.2g} after adjusting for the "
        "number of comparisons)",
        segment=segment,
        since=since,
        figures={
            f"{one.measure.value}{'' if one.measure is Measure.FORECAST_ERROR else '_share'}":
                one.value.value,
            "times_the_others": ratio.value,
            "times_the_others_limit": most,
            "p_adjusted": one.p_adjusted,
        },
    )  # fmt: skip
