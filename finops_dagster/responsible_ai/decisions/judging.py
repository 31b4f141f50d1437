"""Whether cuts, refusals, false alarms and errors fall on some groups more than on others.

A group is held against all others together, in shares of what could have fallen on it, never in
sums: who has much is asked much. What follows from a breach is for policy to say.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import NamedTuple, TypeVar

import numpy as np

from finops_dagster.domain.decisions import Abstained, Decision
from finops_dagster.domain.money import exact_sum
from finops_dagster.responsible_ai.decisions.breaches import DecisionRules, breaches_of
from finops_dagster.responsible_ai.decisions.comparing import (
    exact_p,
    holm,
    permutation_p,
    ratio_of_means,
    ratio_of_shares,
    share_of_spend,
)
from finops_dagster.responsible_ai.decisions.facts import (
    DecisionFacts,
    Dimension,
    Groups,
    Outcome,
)
from finops_dagster.responsible_ai.decisions.results import (
    SUBJECT,
    Asked,
    Compared,
    Counted,
    DecisionFairness,
    Measure,
)
from finops_dagster.responsible_ai.decisions.small import shown_as
from finops_dagster.responsible_ai.intervals import mean, wilson
from finops_dagster.responsible_ai.results import Interval

Fact = TypeVar("Fact")


class _Case(NamedTuple):
    """One fact that a share is of, and whether it counts."""

    groups: Groups
    hit: bool


@dataclass(frozen=True)
class _Question:
    """A share to be compared."""

    measure: Measure
    cases: tuple[_Case, ...]
    least: int
    """Cases that a group must have."""


@dataclass(frozen=True)
class _Test:
    """One comparison before it is adjusted for the number of all."""

    dimension: Dimension
    group: str
    measure: Measure
    of: int
    value: Interval
    to_others: Interval | None
    p_value: float | None


def judge_decisions(
    facts: DecisionFacts, *, rules: DecisionRules | None = None, seed: int = 0
) -> DecisionFairness:
    """Counts, money and shares by group, and the breaches of the product's own engines.

    A group is a breach where it bears a burden more often than the others by more than the
    four-fifths rule permits and that is surely not chance: a fail where the whole interval is
    beyond it, else a warning. Being asked more often than others is a warning at most: it may
    waste more, which `asked_of_found` does not count. What is too few is not judged, with the
    reason; the same facts in any order give the same answer.
    """
    rules = rules or DecisionRules()
    facts = _ordered(facts)
    abstained: list[Abstained] = []
    counts: list[Counted] = []
    money: list[Asked] = []
    tests: list[_Test] = []
    if not facts.changes:
        reason = f"no change was proposed on the {facts.decided_days} days that were decided"
        abstained.append(Abstained(subject=SUBJECT, reason=reason))
    for dimension in Dimension:
        named = _named(facts, dimension, rules)
        if len(set(named.values())) < 2:
            reason = f"fewer than two groups have {rules.least} resources that were judged"
            abstained.append(Abstained(subject=f"{SUBJECT} by {dimension.value}", reason=reason))
            continue
        counts += _counted(facts, dimension, named)
        money += _money(facts, dimension, named, seed)
        for question in _questions(facts, rules):
            found, why = _compared(question, dimension, named)
            tests += found
            if why:
                subject = f"{question.measure.value} by {dimension.value}"
                abstained.append(Abstained(subject=subject, reason=why))
    for dimension in Dimension:
        tests += _errors(facts, dimension, rules, seed, abstained)
    compared = _adjusted(tests)
    return DecisionFairness(
        first=facts.first,
        last=facts.last,
        decided_days=facts.decided_days,
        counts=tuple(counts),
        money=tuple(money),
        compared=tuple(compared),
        breaches=tuple(breaches_of(compared, rules, facts.first)),
        abstained=tuple(abstained),
        notes=(*facts.notes, *_unknown(facts)),
    )


def _ordered(facts: DecisionFacts) -> DecisionFacts:
    return replace(
        facts,
        resources=tuple(sorted(facts.resources, key=lambda one: one.name)),
        forecasted=tuple(sorted(facts.forecasted, key=lambda one: one.team)),
    )


def _named(facts: DecisionFacts, dimension: Dimension, rules: DecisionRules) -> dict[str, str]:
    sizes = Counter(one.groups[dimension] for one in facts.resources if dimension in one.groups)
    return shown_as(sizes, rules.least)


def _unknown(facts: DecisionFacts) -> Iterator[str]:
    for dimension in Dimension:
        without = sum(dimension not in one.groups for one in facts.resources)
        if without:
            yield (
                f"{without} of {len(facts.resources)} resources are left out by "
                f"{dimension.value}: theirs is not known"
            )


def _by_group(
    facts: Iterable[Fact],
    groups: Callable[[Fact], Groups],
    dimension: Dimension,
    named: Mapping[str, str],
) -> dict[str, list[Fact]]:
    """Facts by the name that their group is told under, in the order of names."""
    found: dict[str, list[Fact]] = {name: [] for name in sorted(set(named.values()))}
    for one in facts:
        name = named.get(groups(one).get(dimension, ""))
        if name is not None:
            found[name].append(one)
    return found


def _counted(
    facts: DecisionFacts, dimension: Dimension, named: Mapping[str, str]
) -> Iterator[Counted]:
    resources = _by_group(facts.resources, lambda one: one.groups, dimension, named)
    changes = _by_group(facts.changes, lambda one: one.groups, dimension, named)
    for group, own in resources.items():
        asked = changes[group]
        decisions = Counter(one.decision for one in asked if one.decision is not None)
        outcomes = Counter(one.outcome for one in asked)
        yield Counted(
            dimension=dimension,
            group=group,
            resources=len(own),
            found=sum(one.found for one in own),
            changes=len(asked),
            cuts=sum(one.cuts for one in asked),
            decisions={one: decisions[one] for one in Decision},
            outcomes={one: outcomes[one] for one in Outcome},
        )


def _money(
    facts: DecisionFacts, dimension: Dimension, named: Mapping[str, str], seed: int
) -> Iterator[Asked]:
    resources = _by_group(facts.resources, lambda one: one.groups, dimension, named)
    changes = _by_group(facts.changes, lambda one: one.groups, dimension, named)
    for group, own in resources.items():
        savings: dict[str, dict[str, list[Decimal]]] = defaultdict(lambda: defaultdict(list))
        for change in changes[group]:
            if change.cuts:
                savings[change.currency][change.resource].append(change.saving_per_month)
        for currency in sorted({*savings, *(c for one in own for c in one.spend_per_month)}):
            spend = {one.name: one.spend_per_month.get(currency, Decimal(0)) for one in own}
            asked = {
                name: exact_sum(*savings[currency].get(name, ()))
                for name in sorted({*spend, *savings[currency]})
            }
            yield Asked(
                dimension=dimension,
                group=group,
                currency=currency,
                saving_per_month=exact_sum(*asked.values()),
                spend_per_month=exact_sum(*spend.values()),
                share=share_of_spend(
                    [float(amount) for amount in asked.values()],
                    [float(spend.get(name, 0)) for name in asked],
                    seed,
                ),
            )


def _questions(facts: DecisionFacts, rules: DecisionRules) -> list[_Question]:
    asked = {one.resource for one in facts.changes if one.cuts}
    ended = (Outcome.MERGED, Outcome.REJECTED, Outcome.REVERTED)
    resources = [(one, _Case(one.groups, one.name in asked)) for one in facts.resources]
    cases: dict[Measure, Iterable[_Case]] = {
        Measure.ASKED: (case for _, case in resources),
        Measure.ASKED_OF_FOUND: (case for one, case in resources if one.found or case.hit),
        Measure.DENIED: (
            _Case(one.groups, one.decision is Decision.DENY)
            for one in facts.changes
            if one.decision is not None
        ),
        Measure.TURNED_DOWN: (
            _Case(one.groups, one.outcome is not Outcome.MERGED)
            for one in facts.changes
            if one.outcome in ended
        ),
        Measure.FALSE_ALARMS: (_Case(one.groups, one.false_alarm) for one in facts.answered),
    }
    return [_Question(measure, tuple(some), rules.least) for measure, some in cases.items()]


def _compared(
    question: _Question, dimension: Dimension, named: Mapping[str, str]
) -> tuple[list[_Test], str]:
    """A share of each group that has enough, and why there is nothing to compare."""
    groups = _by_group(question.cases, lambda one: one.groups, dimension, named)
    hits = {group: sum(one.hit for one in own) for group, own in groups.items()}
    sizes = {group: len(own) for group, own in groups.items()}
    all_hits, all_of = sum(hits.values()), sum(sizes.values())
    found = []
    for group, of in sizes.items():
        if of < question.least:
            continue
        others, other_hits = all_of - of, all_hits - hits[group]
        enough = others >= question.least
        found.append(
            _Test(
                dimension=dimension,
                group=group,
                measure=question.measure,
                of=of,
                value=wilson(hits[group], of),
                to_others=ratio_of_shares(hits[group], of, other_hits, others) if enough else None,
                p_value=exact_p(hits[group], of, other_hits, others) if enough else None,
            )
        )
    if len(found) >= 2:
        return found, ""
    return found, f"fewer than two groups have {question.least} or more to be a share of"


def _errors(
    facts: DecisionFacts,
    dimension: Dimension,
    rules: DecisionRules,
    seed: int,
    abstained: list[Abstained],
) -> Iterator[_Test]:
    """Mean error of a group's teams; a team by itself has one figure and is not tested.

    No group is too small to be told: a team's error is of all days of its backtest.
    """
    told: dict[str, list[float]] = defaultdict(list)
    for one in facts.forecasted:
        if dimension in one.groups:
            told[one.groups[dimension]].append(one.error)
    if len(told) < 2:
        reason = "fewer than two groups have a team whose forecasts were tested"
        subject = f"{Measure.FORECAST_ERROR.value} by {dimension.value}"
        abstained.append(Abstained(subject=subject, reason=reason))
        return
    for group, errors in sorted(told.items()):
        others = [error for name, own in told.items() if name != group for error in own]
        tested = min(len(errors), len(others)) >= rules.least_teams
        yield _Test(
            dimension=dimension,
            group=group,
            measure=Measure.FORECAST_ERROR,
            of=len(errors),
            value=mean(np.asarray(errors, dtype=float)),
            to_others=ratio_of_means(errors, others),
            p_value=permutation_p(errors, others, seed) if tested else None,
        )


def _adjusted(tests: Sequence[_Test]) -> list[Compared]:
    """With p-values adjusted over all; what is shown and no burden is not one of them."""
    asked = [
        place
        for place, one in enumerate(tests)
        if one.p_value is not None and one.measure is not Measure.DENIED
    ]
    adjusted = dict(zip(asked, holm([tests[place].p_value or 0.0 for place in asked]), strict=True))
    return [
        Compared(
            dimension=one.dimension,
            group=one.group,
            measure=one.measure,
            of=one.of,
            value=one.value,
            to_others=one.to_others,
            p_adjusted=adjusted.get(place),
        )
        for place, one in enumerate(tests)
    ]
