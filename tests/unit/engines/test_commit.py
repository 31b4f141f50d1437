"""Commitments as findings, by hand: what is deducted, what is shown, what is not said."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import numpy as np
import pandas as pd
import pytest

from finops_dagster.domain.decisions import Finding, FindingKind
from finops_dagster.domain.money import MoneyRange
from finops_dagster.engines.optimisation.candidates import Cell, Lever, Part, candidate_of
from finops_dagster.engines.optimisation.commit import Market, find_commitments
from finops_dagster.engines.optimisation.commitments import CommitmentConfig
from finops_dagster.engines.optimisation.committable import RECENT_DAYS, Spoken
from finops_dagster.engines.optimisation.inputs import FindResult
from finops_dagster.engines.optimisation.offers import Outlook, Payment
from finops_dagster.engines.optimisation.outlooks import outlooks
from finops_dagster.engines.optimisation.portfolio import choose
from finops_dagster.engines.optimisation.propose import propose
from finops_dagster.engines.optimisation.terms import Kind, Terms
from tests.unit.engines.committing import DAYS, PLACE, TODAY, other, rows

POOL = "Commitment/11:22/AWS-compute-USD"


def terms(price: str, months: int = 12, payment: str = "no_upfront", **more: Any) -> Terms:
    upfront = {"no_upfront": "0", "partial_upfront": "0.5", "all_upfront": "1"}[payment]
    given: dict[str, Any] = {"scope": "compute", "term_months": months}
    given |= {"payment": Payment(payment), "price_share": Decimal(price)}
    return Terms(**(given | {"upfront_share": Decimal(upfront)} | more))


NO_COSTS = pd.DataFrame(columns=[*PLACE, "resource", "effective_cost", "on_demand_cost"])


def found(
    usage: pd.DataFrame,
    *offers: Terms,
    costs: pd.DataFrame = NO_COSTS,
    findings: Sequence[Finding] = (),
    as_of: date = TODAY,
    config: CommitmentConfig | None = None,
    **market: Any,
) -> FindResult:
    return find_commitments(
        usage, Market(offers, **market), Spoken.of(costs, RECENT_DAYS), findings, as_of,
        min_saving=Decimal(5), config=config,
    )  # fmt: skip


def only(usage: pd.DataFrame, *offers: Terms, **more: Any) -> Finding:
    result = found(usage, *offers, **more)
    assert result.abstained == []
    (finding,) = result.findings
    return finding


def costs(per_hour: float, resource: str = "Deployment/shop/web", **more: Any) -> pd.DataFrame:
    """What a resource cost in the last `RECENT_DAYS`."""
    cost = per_hour * 24 * RECENT_DAYS
    given = {"resource": resource, "effective_cost": cost, "on_demand_cost": cost}
    return pd.DataFrame([PLACE | given | more])


def test_a_steady_scope_is_committed_to_whole() -> None:
    """10 an hour at 0.72 saves 2.8 x 730 a month: what to buy must be said to the cent."""
    one = only(rows(10), terms("0.72"))
    assert (one.kind, one.resource) == (FindingKind.COMMITMENT, POOL)
    assert (one.field, one.current, one.proposed) == ("", "", "")
    assert one.saving_per_month == MoneyRange(low=2044, mid=2044, high=2044, currency="USD")
    figures = one.evidence.figures
    assert (figures["covers_per_hour"], figures["pays_per_hour"]) == (10, 7.2)
    assert (figures["break_even_utilisation"], figures["break_even_months"]) == (0.72, 8.64)
    assert figures["utilisation_low"] == figures["utilisation_high"] == 1
    assert one.risk == figures["underused_risk"] == 0
    assert (one.confidence, one.evidence.samples) == (1, DAYS * 24)
    assert json.loads(one.suggestion) == {
        "commit_per_hour": "7.2000",
        "covers_on_demand_per_hour": "10.0",
        "upfront": "0.00",
        "currency": "USD",
        "term_months": 12,
        "payment": "no_upfront",
        "provider": "AWS",
        "billing_account": "11/22",
        "pays_for_services": ["EC2"],
    }


def test_of_two_terms_and_three_payments_the_best_is_taken() -> None:
    """The cheapest where money is free; where it costs 20 % a year, 0.50 at once is 0.65."""
    offers = [
        terms("0.72"),
        terms("0.69", payment="partial_upfront"),
        terms("0.66", payment="all_upfront"),
        terms("0.55", 36),
        terms("0.52", 36, "partial_upfront"),
        terms("0.50", 36, "all_upfront"),
    ]
    cheap = only(rows(10), *offers)
    assert cheap.saving_per_month.mid == Decimal(10) * Decimal("0.5") * 730
    assert cheap.evidence.figures["upfront"] == 5 * 36 * 730
    assert cheap.evidence.figures["options_weighed"] == 6
    dear = only(rows(10), *offers, config=CommitmentConfig(capital_rate_per_year=0.2))
    # i = 1.2^(1/12) - 1: 36 i / (1 - (1 + i)^-36) = 1.304: .652 at once, .599 half of it
    assert dear.evidence.figures["term_months"] == 36
    assert json.loads(dear.suggestion)["payment"] == "no_upfront"
    assert dear.saving_per_month.mid == Decimal("3285")


def test_what_is_committed_already_is_taken_off_until_it_ends() -> None:
    """6 of 10 are paid for in the first fifth of a year: .2 x 4 + .8 x 10 = 8.8 used, less 7."""
    usage = pd.concat([rows(4), rows(6, kind="committed", paid=0.7, commitment_discount_id="plan")])
    ends = TODAY + timedelta(days=73)
    held = {"plan": Kind("Savings Plan", True, ends, 12)}
    one = only(usage, terms("0.7"), kinds=held)
    assert one.evidence.figures["in_force_per_hour"] == 6
    assert one.saving_per_month.mid == Decimal("1314")
    assert "whose end" not in one.wrong_if
    lasting = only(usage, terms("0.7"), kinds={"plan": Kind("Savings Plan", True)})
    assert lasting.saving_per_month.mid == Decimal("4") * Decimal("0.3") * 730
    assert "whose end is not on the bill, ends" in lasting.wrong_if


def test_an_idle_commitment_is_taken_off_with_what_nobody_used() -> None:
    """Half of it idle could pay for what is on demand: it is bought already."""
    plan: dict[str, Any] = {"commitment_discount_id": "plan"}
    usage = pd.concat(
        [
            rows(4),
            rows(3, kind="committed", paid=0.7, **plan),
            rows(2.1, kind="unused", **plan).assign(on_demand_cost=0.0),
        ]
    )
    one = only(usage, terms("0.7"), kinds={"plan": Kind("Savings Plan", True)})
    assert one.evidence.figures["in_force_per_hour"] == 6
    assert one.evidence.figures["covers_per_hour"] == 1
    assert one.evidence.figures["in_force_unused_share"] == 0.5
    assert "what nobody uses of commitments in force (50%)" in one.wrong_if


def test_no_more_is_bought_of_a_kind_that_lies_idle() -> None:
    """A plan that leaves usage on demand beside itself does not pay for that usage."""
    plan: dict[str, Any] = {"commitment_discount_id": "plan"}
    usage = pd.concat(
        [
            rows(40),
            rows(3, kind="committed", paid=0.7, **plan),
            rows(0.9, kind="unused", **plan).assign(on_demand_cost=0.0),
        ]
    )
    result = found(usage, kinds={"plan": Kind("Savings Plan", True)})
    assert result.findings == []
    (why,) = result.abstained
    assert why.reason.startswith("30% of the commitments in force of this kind are used by nobody")


def test_a_commitment_that_ended_is_not_taken_off() -> None:
    """One that ended a week ago pays for nothing, and its usage is on demand now."""
    usage = pd.concat(
        [
            rows(np.where(np.arange(DAYS * 24) < (DAYS - 7) * 24, 4.0, 10.0)),
            rows(
                np.where(np.arange(DAYS * 24) < (DAYS - 7) * 24, 6.0, 0.0),
                kind="committed", paid=0.7, commitment_discount_id="plan",
            ).loc[lambda frame: frame["on_demand_cost"] > 0],
        ]
    )  # fmt: skip
    one = only(usage, terms("0.7"), kinds={"plan": Kind("Savings Plan", True)})
    assert one.evidence.figures["covers_per_hour"] == 10


def test_what_other_findings_take_away_is_not_committed_to() -> None:
    """2,190 a month of a workload that is to be stopped are 3 an hour: 7 x .28 x 730 are left."""
    one = only(rows(10), terms("0.72"), costs=costs(3), findings=[other("2190")])
    assert one.evidence.figures["covers_per_hour"] == pytest.approx(7, abs=1e-4)
    assert float(one.saving_per_month.mid) == pytest.approx(1430.8, abs=0.1)
    assert one.reaches == ("Deployment/shop/web",)
    # sizing at the net rate: half of a cost is half of the usage, whatever was paid for it
    half = only(
        rows(10), terms("0.72"), costs=costs(3).assign(effective_cost=3 * 0.5 * 24 * RECENT_DAYS),
        findings=[other("547.5")],
    )  # fmt: skip
    assert half.evidence.figures["covers_per_hour"] == pytest.approx(8.5, abs=1e-4)


def test_a_change_that_costs_money_takes_nothing_away_and_no_cut_exceeds_its_resource() -> None:
    """Two findings of one resource cannot take more than it uses."""
    raised = only(rows(10), terms("0.72"), costs=costs(3), findings=[other("-500")])
    assert raised.evidence.figures["covers_per_hour"] == 10
    twice = [other("2190"), other("2000")]
    cut = only(rows(10), terms("0.72"), costs=costs(3), findings=twice)
    assert cut.evidence.figures["covers_per_hour"] == pytest.approx(7, abs=1e-4)


@pytest.mark.parametrize(
    ("price", "covers", "saving"), [("0.8", 4, "584"), ("0.7", 10, "938.5714")]
)
def test_a_weekly_pattern_is_covered_to_its_critical_ratio(
    price: str, covers: float, saving: str
) -> None:
    """4 at weekends, 10 on five of seven days: worth it where 1 - p is above 2 of 7 (.286).

    At 0.8 the base alone: 4 x .2 x 730; at 0.7 all: (58 / 7 - 7) x 730.
    """
    week = np.repeat([10.0, 10, 10, 10, 10, 4, 4], 24)
    usage = rows(np.tile(week, 13))
    one = only(usage, terms(price))
    assert one.evidence.figures["covers_per_hour"] == covers
    assert one.evidence.figures["critical_ratio"] == pytest.approx(1 - float(price))
    assert one.saving_per_month.mid == Decimal(saving)


def test_the_interval_and_the_risk_of_over_commitment_are_shown() -> None:
    """A forecast from half to double: what may be lost is told beside what may be saved."""
    ahead = {("EC2", "USD"): (240.0, Outlook(0.5, 1.0, 2.0, 30.0))}
    one = only(rows(10), terms("0.7"), outlooks=ahead, config=CommitmentConfig(max_loss_risk=0.1))
    money = one.saving_per_month
    assert money.low < 0 < money.mid < money.high
    assert one.risk == pytest.approx(3 / 41, abs=1e-6)
    assert one.evidence.figures["underused_risk"] == pytest.approx(9 / 41, abs=1e-6)
    assert one.evidence.figures["utilisation_low"] < 0.7 < one.evidence.figures["utilisation"]
    (why,) = found(rows(10), terms("0.7"), outlooks=ahead).abstained
    assert why.subject == POOL
    assert "7% probability, 5% are accepted" in why.reason


def test_beyond_a_forecast_usage_walks_on() -> None:
    """Thirty days known say little of three years: the longer the term, the wider the interval."""
    rng = np.random.default_rng(1)
    level = np.exp(np.repeat(np.cumsum(rng.normal(0, 0.02, 13)), 7 * 24)) * 10
    ahead = {("EC2", "USD"): (240.0, Outlook(0.99, 1.0, 1.01, 30.0))}
    widths = []
    for months in (1, 12, 36):
        one = only(rows(level), terms("0.5", months), outlooks=ahead)
        money = one.saving_per_month
        widths.append(float((money.high - money.low) / money.mid))
    assert widths[0] < widths[1] < widths[2]


def test_falling_usage_abstains() -> None:
    """What falls is not bought for a year."""
    usage = rows(np.linspace(20, 10, DAYS * 24))
    result = found(usage, terms("0.5"))
    assert result.findings == []
    (why,) = result.abstained
    assert why.subject == POOL
    assert "its usage falls" in why.reason


def test_usage_that_stopped_is_no_steady_usage() -> None:
    """Its own last row is a week before the account's: nothing came since, which is not unknown."""
    stopped = rows(10).iloc[: -6 * 24]
    usage = pd.concat([stopped, rows(0.1, service_category="Networking", service_name="NAT")])
    one = found(usage, terms("0.97"))
    assert one.findings == [] or one.findings[0].evidence.figures["utilisation"] < 1


def test_days_are_said_to_hide_hours() -> None:
    """A mean of a day may be a night of nothing: where hours are not billed, it is said."""
    one = only(rows(10, "D"), terms("0.72"))
    assert one.evidence.figures["covers_per_hour"] == 10
    assert "only days are known" in one.wrong_if
    mixed = pd.concat([rows(5), rows(5, "D", region_id="us-east-1")])
    two = only(mixed, terms("0.72"))
    assert two.evidence.figures["covers_per_hour"] == 10
    assert "only days are known" in two.wrong_if


def test_discounts_and_credits_are_beside_the_offer_and_not_in_its_saving() -> None:
    """At 20 % off on demand 0.72 of the price saves .8 - .72; credits of a tenth leave nothing."""
    one = only(rows(10, paid=0.8), terms("0.72"))
    assert one.saving_per_month.mid == Decimal(584)
    assert one.evidence.figures["covers_per_hour"] == 10
    assert one.evidence.figures["pays_per_hour"] == pytest.approx(7.2)
    result = found(rows(10, paid=0.8), terms("0.72"), credited={("AWS", "11/22", "USD"): 0.1})
    assert result.findings == []
    assert "leave 72% of its price on demand" in result.abstained[0].reason


def test_without_rates_it_is_said_once_and_only_where_it_is_worth_it() -> None:
    """An estate of many regions needs one line, one of a few cents none."""
    usage = pd.concat([rows(10, region_id=f"r{n}") for n in range(4)])
    result = found(usage)
    assert result.findings == []
    (why,) = result.abstained
    assert why.subject == "commitments AWS 11/22"
    assert why.reason == (
        "29200 USD a month of compute are on demand, and no rates of commitments are known for "
        "it: give commitments.offers"
    )
    small = FindResult(findings=[], abstained=[])
    assert found(rows(0.01)) == small
    assert found(rows(10, kind="committed", commitment_discount_id="p")) == small
    assert found(rows(10, service_category="Databases")) == small
    assert found(rows(10).iloc[:0]) == small


def test_the_bill_shows_what_is_sold() -> None:
    """Three years are taken where the bill does not say a term: the risk is never understated."""
    usage = pd.concat(
        [rows(8), rows(2, kind="committed", paid=0.6, commitment_discount_id="arn:plan")]
    )
    plan = {"arn:plan": Kind("Savings Plan", True)}
    one = only(usage, kinds=plan)
    assert one.resource == "Commitment/11:22/AWS-Savings-Plan-USD"
    assert one.evidence.figures["term_months"] == 36
    assert one.evidence.figures["price_share"] == 0.6
    assert one.saving_per_month.mid == Decimal(8) * Decimal("0.4") * 730
    assert "36 months that are taken" in one.wrong_if
    assert json.loads(one.suggestion)["like"] == "arn:plan"
    # bought at once for a year: its term and payment are known
    bought = {"arn:plan": Kind("Reservation", False, TODAY + timedelta(days=200), 12)}
    known = only(usage, kinds=bought)
    assert known.resource == "Commitment/11:22/AWS-Reservation-EC2-eu-west-1-m5-USD"
    assert known.evidence.figures["term_months"] == 12
    assert json.loads(known.suggestion)["payment"] == "all_upfront"
    # what settings say goes before what the bill shows
    told = only(usage, terms("0.7"), kinds=plan)
    assert told.resource == POOL
    assert told.evidence.figures["price_share"] == 0.7


def test_a_reservation_seen_is_not_offered_elsewhere() -> None:
    """What pays for one family is not known to be sold for another: no rate is made up."""
    usage = pd.concat(
        [
            rows(8, instance_family="p4d"),
            rows(2, kind="committed", paid=0.6, commitment_discount_id="ri"),
        ]
    )
    result = found(usage, kinds={"ri": Kind("Reservation", False)})
    assert result.findings == []
    assert "no rates" in result.abstained[0].reason


def test_rates_of_another_currency_are_no_rates() -> None:
    """A price seen in EUR says nothing of an account billed in USD."""
    usage = pd.concat(
        [
            rows(8),
            rows(8, kind="on_demand", billing_currency="EUR"),
            rows(2, kind="committed", paid=0.6, commitment_discount_id="p", billing_currency="EUR"),
        ]
    )
    result = found(usage, kinds={"p": Kind("Savings Plan", True)})
    (one,) = result.findings
    assert one.saving_per_month.currency == "EUR"
    (why,) = result.abstained
    assert "USD a month of compute are on demand" in why.reason
    both = found(usage, terms("0.7")).findings
    assert sorted(one.saving_per_month.currency for one in both) == ["EUR", "USD"]


def test_usage_is_committed_to_once() -> None:
    """A plan for a family and one for all compute would both be bought for the same hours."""
    usage = pd.concat([rows(10), rows(10, instance_family="c5")])
    narrow = terms("0.6", bound_to=("region", "family"))
    one = only(usage, terms("0.7"), terms("0.55", families=("m5",), scope="compute m5"))
    assert one.saving_per_month.mid == 20 * Decimal("0.3") * 730
    two = found(usage, terms("0.7"), narrow).findings
    assert [f.resource for f in two] == [
        "Commitment/11:22/AWS-compute-eu-west-1-c5-USD",
        "Commitment/11:22/AWS-compute-eu-west-1-m5-USD",
    ]


def test_it_is_a_candidate_that_reaches_its_scope_and_never_more_than_its_cost() -> None:
    """Stopped and committed to at once, the same money would be saved twice."""
    stop = other("2190")
    one = only(rows(10), terms("0.72"), costs=costs(3), findings=[stop])
    candidate = candidate_of(one)
    assert candidate.lever is Lever.COMMIT
    assert candidate.scope == {"Deployment/shop/web"}
    assert float(candidate.own_cost) == pytest.approx(7 * 730, rel=1e-6)
    cost = {Cell("Deployment/shop/web", Part.CPU, "USD"): Decimal(2190)}
    plan = choose([candidate, candidate_of(stop)], cost)
    assert [c.candidate.lever for c in plan.chosen] == [Lever.STOP, Lever.COMMIT]
    assert plan.saved()["USD"] <= Decimal(7300)
    # 1,430.8 of 7,300 alone; of the 5,110 that the stop leaves it is 1,001.56
    assert float(plan.chosen[1].saving.mid) == pytest.approx(1430.8 * 0.7, abs=0.1)


def test_no_pull_request_comes_of_it() -> None:
    """No edit of a repository buys a commitment: it is left out, with the reason."""
    one = only(rows(10), terms("0.72"))
    proposals, left = propose(
        [one], reconstructed=False, publication_id="p", min_saving=Decimal(5),
        min_confidence=0.7, as_of=TODAY,
    )  # fmt: skip
    assert proposals == []
    assert left[0].reason == "commitment: no edit of one declared value does this"


def test_what_comes_after_the_day_changes_nothing() -> None:
    """A decision that knew tomorrow could not be tested on yesterday."""
    usage = pd.concat([rows(10), rows(2, kind="committed", paid=0.7, commitment_discount_id="p")])
    earlier = TODAY - timedelta(days=20)
    cut = usage.loc[usage["used_at"] < pd.Timestamp(earlier + timedelta(days=1), tz="UTC")]
    kinds = {"p": Kind("Savings Plan", True)}
    whole = found(usage, terms("0.72"), kinds=kinds, as_of=earlier)
    assert whole == found(cut, terms("0.72"), kinds=kinds, as_of=earlier)
    shuffled = usage.sample(frac=1, random_state=3)
    assert whole == found(shuffled, terms("0.72"), kinds=kinds, as_of=earlier)


def test_bad_input_is_left_out_and_names_do_no_harm() -> None:
    """A bill may hold anything: NaN, infinity, a service called as a path or a script."""
    bad = rows(10)
    bad.loc[5, "on_demand_cost"] = np.inf
    bad.loc[6, ["on_demand_cost", "effective_cost"]] = np.nan
    name = "../x\n`rm -rf`: {a}"
    one = only(bad.assign(service_name=name), terms("0.72", bound_to=("service",)))
    assert one.evidence.figures["covers_per_hour"] == pytest.approx(10, rel=0.01)
    assert one.resource.count("/") == 2
    assert not set(one.resource) & set("\n`{} ")
    assert json.loads(one.suggestion)["pays_for_services"] == [name]


def test_forecasts_are_read_beside_the_last_quarter() -> None:
    """A forecast is of a level: over what it was, it says what share of usage is to come."""
    days = pd.date_range("2026-01-01", periods=91)
    series = pd.DataFrame(
        {"scope": "service", "name": "EC2", "currency": "USD", "unique_id": "service|USD|EC2",
         "ds": days, "y": 100.0}
    )  # fmt: skip
    ahead = pd.DataFrame(
        {"unique_id": "service|USD|EC2", "mean": [110.0, 130.0], "lo95": [90.0, 110.0],
         "hi95": [130.0, 170.0]}
    )  # fmt: skip
    assert outlooks(ahead, series) == {("EC2", "USD"): (100.0, Outlook(1.0, 1.2, 1.5, 2.0))}
    assert outlooks(ahead.assign(lo95=-200.0), series) == {}
    assert outlooks(ahead.assign(unique_id="service|EUR|EC2"), series) == {}
