"""Whom decisions fall on: shares against all others, few false breaches, small groups shielded."""

from __future__ import annotations

import json
from datetime import date
from decimal import Decimal
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import hypergeom

from finops_dagster.domain.decisions import Decision
from finops_dagster.domain.models import Check
from finops_dagster.responsible_ai.decisions.breaches import gate_of
from finops_dagster.responsible_ai.decisions.comparing import exact_p, holm, share_of_spend
from finops_dagster.responsible_ai.decisions.facts import (
    Answered,
    Change,
    DecisionFacts,
    Dimension,
    Forecasted,
    Outcome,
    Resource,
    per_month,
    size_of,
)
from finops_dagster.responsible_ai.decisions.judging import judge_decisions
from finops_dagster.responsible_ai.decisions.page import write_decisions_page
from finops_dagster.responsible_ai.decisions.results import (
    SMALLER,
    Compared,
    DecisionFairness,
    Measure,
)
from finops_dagster.responsible_ai.decisions.small import shown_as

FIRST, LAST = date(2026, 5, 1), date(2026, 7, 29)
TEAM = Dimension.TEAM


def world(
    asked: dict[str, tuple[int, int]],
    *,
    found: dict[str, int] | None = None,
    spend: str = "100",
    turned_down: dict[str, int] | None = None,
) -> DecisionFacts:
    """Teams with (asked, judged) resources; `found`: in how many waste was found, else all."""
    resources, changes = [], []
    for team, (cuts, of) in asked.items():
        groups = {TEAM: team}
        wasteful = of if found is None else found[team]
        for place in range(of):
            name = f"Deployment/{team}/{place}"
            resources.append(
                Resource(name, groups, {"EUR": Decimal(spend)}, found=place < wasteful)
            )
            if place < cuts:
                ended = Outcome.NONE
                if turned_down is not None:
                    refused = place < turned_down[team]
                    ended = Outcome.REJECTED if refused else Outcome.MERGED
                changes.append(Change(name, groups, "EUR", Decimal(30), Decision.ALLOW, ended))
    return DecisionFacts(FIRST, LAST, 90, tuple(resources), tuple(changes))


def figure(found: DecisionFairness, group: str, measure: Measure) -> Compared:
    """The one comparison of a team."""
    (one,) = [
        x for x in found.compared
        if (x.dimension, x.group, x.measure) == (TEAM, group, measure)
    ]  # fmt: skip
    return one


def test_a_big_team_asked_as_often_as_others_is_treated_fairly() -> None:
    """Most proposals go to who has most resources: counted in sums, every big team is a victim."""
    found = judge_decisions(world({"big": (60, 200), "small": (6, 20)}))
    assert figure(found, "big", Measure.ASKED).value.value == 0.3
    ratio = figure(found, "big", Measure.ASKED).to_others
    assert ratio is not None
    assert ratio.value == 1.0
    assert found.breaches == ()
    assert gate_of(found).result == "pass"


def test_a_team_whose_waste_is_asked_for_while_others_keep_theirs_fails() -> None:
    """The same waste everywhere, and one team alone is asked: no reason is left but who it is."""
    asked = {"red": (38, 40), "green": (8, 40), "blue": (9, 40)}
    found = judge_decisions(world(asked))
    worst = found.breaches[0]
    assert (worst.check, worst.grade, worst.segment) == (Check.FAIRNESS, "fail", "team=red")
    assert worst.figures["asked_of_found_share"] == 0.95
    # 38/40 over 17/80
    assert worst.figures["times_the_others"] == pytest.approx(0.95 / 0.2125)
    assert worst.figures["times_the_others_limit"] == 1.25
    assert worst.since == FIRST
    assert worst.reason.startswith(
        "team=red: 95% of what was found in it a change is asked for, 4.47 times as much as of all "
        "others, 1.25 is the most"
    )
    gate = gate_of(found)
    assert (gate.gate, gate.result, gate.breaches) == ("decisions", "fail", found.breaches)
    assert {one.segment for one in found.breaches} == {"team=red"}


def test_a_team_that_wastes_more_is_warned_of_and_not_failed() -> None:
    """Who leaves more running is asked more often; that alone is no unfairness of the engine."""
    asked = {"red": (38, 40), "green": (8, 40), "blue": (9, 40)}
    found = judge_decisions(world(asked, found={"red": 38, "green": 8, "blue": 9}))
    assert [(one.grade, one.segment) for one in found.breaches] == [("warn", "team=red")]
    assert "asked_to_cut_share" in found.breaches[0].figures
    assert gate_of(found).result == "warn"


def test_changes_of_one_team_are_turned_down_and_its_incidents_noise() -> None:
    """Errors that fall on one team are hidden in a good mean."""
    facts = world({"red": (30, 40), "blue": (30, 40)}, turned_down={"red": 24, "blue": 3})
    noise = [Answered({TEAM: team}, place < wrong)
             for team, wrong in (("red", 18), ("blue", 2)) for place in range(20)]  # fmt: skip
    found = judge_decisions(
        DecisionFacts(FIRST, LAST, 90, facts.resources, facts.changes, tuple(noise))
    )
    assert figure(found, "red", Measure.TURNED_DOWN).value.value == 0.8
    assert figure(found, "blue", Measure.FALSE_ALARMS).value.value == 0.1
    told = {(one.segment, one.grade) for one in found.breaches}
    assert told == {("team=red", "fail")}
    assert len(found.breaches) == 2


def test_what_is_told_of_a_group_is_worked_out_by_other_means_too() -> None:
    """A wrong formula would agree with itself: Wilson, Katz and Fisher by their definitions."""
    found = judge_decisions(world({"red": (12, 20), "blue": (10, 40)}))
    one = figure(found, "red", Measure.ASKED)
    # Wilson: (p + z2/2n -+ z sqrt(p(1-p)/n + z2/4n2)) / (1 + z2/n)
    assert one.value.low == pytest.approx(0.38658, abs=1e-5)
    assert one.value.high == pytest.approx(0.78119, abs=1e-5)
    assert one.to_others is not None
    # Katz: 2.4 x exp(-+1.96 sqrt(1/12 - 1/20 + 1/10 - 1/40))
    half = 1.959963984540054 * (1 / 12 - 1 / 20 + 1 / 10 - 1 / 40) ** 0.5
    assert one.to_others.value == pytest.approx(2.4)
    assert one.to_others.low == pytest.approx(2.4 * np.exp(-half))
    assert one.to_others.high == pytest.approx(2.4 * np.exp(half))
    chances = hypergeom(60, 22, 20).pmf(np.arange(21))
    exact = chances[chances <= chances[12] * (1 + 1e-7)].sum()
    assert exact_p(12, 20, 10, 40) == pytest.approx(exact)


def test_no_difference_gives_few_breaches_at_all() -> None:
    """A gate that cries without cause is switched off: one report of twenty may, by its rules."""
    rng = np.random.default_rng(11)
    wrong = 0
    for _ in range(120):
        asked = {f"t{n}": (int(rng.binomial(40, 0.3)), 40) for n in range(8)}
        wrong += bool(judge_decisions(world(asked)).breaches)
    assert wrong <= 12


def test_too_little_is_not_judged_and_says_so() -> None:
    """One team alone, no decision at all, or a handful: an answer would be read as clearance."""
    alone = judge_decisions(world({"red": (5, 40)}))
    assert not alone.compared
    assert not alone.breaches
    reasons = {one.subject: one.reason for one in alone.abstained}
    assert reasons["decisions by team"] == (
        "fewer than two groups have 5 resources that were judged"
    )
    nothing = judge_decisions(DecisionFacts(FIRST, LAST, 0))
    assert nothing.abstained[0].subject == "decisions"
    assert nothing.abstained[0].reason == ("no change was proposed on the 0 days that were decided")
    assert gate_of(nothing).reasons == (nothing.abstained[0].reason,)
    few = judge_decisions(
        world({"red": (2, 40), "blue": (2, 40)}, turned_down={"red": 2, "blue": 0})
    )
    assert Measure.TURNED_DOWN not in {one.measure for one in few.compared}
    assert "turned_down by team" in {one.subject for one in few.abstained}


def test_small_groups_stand_together_and_none_can_be_worked_out() -> None:
    """A team of two services would be read off the page by name."""
    found = judge_decisions(world({"red": (9, 30), "blue": (9, 30), "one": (1, 2), "two": (0, 3)}))
    assert found.groups(TEAM) == [SMALLER, "blue", "red"]
    assert "'one'" not in repr(found.counts) + repr(found.money) + repr(found.compared)


@given(st.dictionaries(st.text(min_size=1, max_size=3), st.integers(1, 30), max_size=9),
       st.integers(1, 12))  # fmt: skip
def test_nobody_who_is_too_small_is_told_alone(sizes: dict[str, int], least: int) -> None:
    """What all have less what the named have must not be one small group's."""
    names = shown_as(sizes, least)
    for group, name in names.items():
        assert name in (group, SMALLER)
        assert name == SMALLER or sizes[group] >= least
    together = [sizes[group] for group, name in names.items() if name == SMALLER]
    assert not together or (len(together) >= 2 and sum(together) >= least)
    left_out = sizes.keys() - names.keys()
    if left_out:
        # nothing to take them from
        assert not names


@given(st.lists(st.floats(0, 1), min_size=1, max_size=12))
def test_adjusted_p_values_are_holms(p_values: list[float]) -> None:
    """Step-down by the definition: the largest of what the smaller ones came to."""
    adjusted = holm(p_values)
    order = sorted(p_values)
    for value, told in zip(p_values, adjusted, strict=True):
        at = [place for place, one in enumerate(order) if one <= value]
        expected = max(min(1.0, (len(order) - place) * order[place]) for place in at)
        assert told == pytest.approx(expected)


def test_the_share_of_spend_is_exact_and_its_interval_wide_for_one_large_change() -> None:
    """Money is told to the last digit; one change of 90 says little of twenty resources."""
    found = judge_decisions(world({"red": (4, 20), "blue": (2, 20)}, spend="0.1"))
    red = next(one for one in found.money if one.group == "red")
    assert (red.saving_per_month, red.spend_per_month) == (Decimal(120), Decimal("2.0"))
    even = share_of_spend([10.0] * 20, [100.0] * 20, 0)
    one = share_of_spend([200.0] + [0.0] * 19, [100.0] * 20, 0)
    assert even is not None
    assert one is not None
    assert even.value == one.value == 0.1
    assert even.low == pytest.approx(0.1)
    assert even.high == pytest.approx(0.1)
    assert one.high is not None
    assert one.high - 0.1 >= 0.05
    assert share_of_spend([0.0], [0.0], 0) is None


def test_currencies_are_never_one_sum() -> None:
    """Euros and dollars asked of one team are two lines."""
    facts = world({"red": (6, 20), "blue": (6, 20)})
    dollars = Change("Deployment/red/0", {TEAM: "red"}, "USD", Decimal(7), None)
    found = judge_decisions(
        DecisionFacts(FIRST, LAST, 90, facts.resources, (*facts.changes, dollars))
    )
    red = [(one.currency, one.saving_per_month, one.share is None)
           for one in found.money if one.group == "red"]  # fmt: skip
    assert red == [("EUR", Decimal(180), False), ("USD", Decimal(7), True)]


def test_errors_of_forecasts_are_compared_between_units_and_teams() -> None:
    """A good mean hides that one part of the company is forecast badly."""
    unit = Dimension.BUSINESS_UNIT
    some = [
        Forecasted(f"t{n}", {TEAM: f"t{n}", unit: "east" if n < 6 else "west"},
                   2.0 + n / 100 if n < 6 else 0.8 + n / 100)
        for n in range(12)
    ]  # fmt: skip
    found = judge_decisions(DecisionFacts(FIRST, LAST, 90, forecasted=tuple(some)))
    (breach,) = found.breaches
    assert breach.segment == "business_unit=east"
    # 1 of the 924 ways to divide twelve, and its mirror, two comparisons
    assert breach.figures["p_adjusted"] == pytest.approx(2 * 2 / 924, rel=0.01)
    assert breach.figures["forecast_error"] == pytest.approx(2.025)
    assert figure(found, "t0", Measure.FORECAST_ERROR).p_adjusted is None


def test_the_order_of_facts_changes_nothing() -> None:
    """A set read in another order would give another page each night."""
    facts = world({"red": (9, 30), "blue": (5, 30), "green": (2, 6)})
    other = DecisionFacts(
        FIRST, LAST, 90, facts.resources[::-1], facts.changes[::-1], facts.answered
    )
    assert judge_decisions(facts) == judge_decisions(other)


def test_sizes_and_months() -> None:
    """Bands at their bounds, and thirty days of money as a month of 365/12."""
    assert [size_of(n) for n in (1, 9, 10, 49, 50)] == [
        "1 to 9 resources", "1 to 9 resources", "10 to 49 resources", "10 to 49 resources",
        "50 resources or more",
    ]  # fmt: skip
    assert round(per_month(Decimal(30), 30), 9) == Decimal("30.416666667")


def test_the_page_has_no_power_over_who_reads_it(tmp_path: Path) -> None:
    """Names of teams come from tags, which anybody can write."""
    bad = "<img src=x onerror=alert(1)>"
    found = judge_decisions(world({bad: (38, 40), "blue": (8, 40)}))
    text = write_decisions_page(tmp_path / "decisions.html", found).read_text(encoding="utf-8")
    assert bad not in text
    assert "&lt;img src=x onerror=alert(1)&gt;" in text
    assert "<script" not in text
    assert "http" not in text.replace("http-equiv", "")
    for told in ("Whom our decisions fell on", "2026-05-01 to 2026-07-29", "95 %", "EUR",
                 "1,140.00", "4,000.00", 'class="tag fail"'):  # fmt: skip
        assert told in text
    assert json.dumps(found.breaches[0].model_dump(mode="json"))
