"""Movable work on small estates whose best hour and best region are known."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from finops_dagster.domain.decisions import Finding, FindingKind
from finops_dagster.domain.money import MoneyRange, Range
from finops_dagster.engines.optimisation import DailyLimits, FindResult, propose
from finops_dagster.engines.optimisation.cron_start import minutes_apart, simple_schedule
from finops_dagster.engines.optimisation.movable import LabelKeys, Movable, movable, start_hours
from finops_dagster.engines.optimisation.placement import place_work
from finops_dagster.engines.optimisation.placement_inputs import (
    Declared,
    PlacementConfig,
    Weights,
)
from finops_dagster.engines.optimisation.region_front import (
    Option,
    allowed_regions,
    front,
    score,
)
from tests.unit.engines.movable_work import (
    AS_OF,
    AWAY,
    CONFIG,
    FIRST,
    HOURS,
    JOB,
    costs,
    energy,
    grid,
    hours,
    judged,
    marts,
    measured,
    place,
    priced,
)  # fmt: skip


def only(result: FindResult) -> Finding:
    (found,) = result.findings
    return found


def reasons(result: FindResult) -> list[str]:
    assert result.findings == []
    return [one.reason for one in result.abstained]


def test_a_nightly_job_is_moved_to_the_cleanest_hours_of_its_label() -> None:
    """A wrong hour emits more than before; a wrong amount promises what never comes."""
    found = only(judged(HOURS))
    assert found.kind is FindingKind.CARBON_HOURS
    assert (found.field, found.current, found.proposed) == (
        "spec.schedule",
        "15 1 * * *",
        "15 4 * * *",
    )
    # 2 kWh a run, 501 in place of 100 g on average, 365/12 runs a month
    assert found.carbon_kg_per_month.mid == pytest.approx(2 * 0.401 * 365 / 12, rel=1e-3)
    # the energy may be half or twice of what it is taken for
    assert found.carbon_kg_per_month.low < 0.5 * found.carbon_kg_per_month.mid
    assert found.carbon_kg_per_month.high > 2 * found.carbon_kg_per_month.mid
    assert found.saving_per_month == MoneyRange(
        low=Decimal(0), mid=Decimal(0), high=Decimal(0), currency="EUR"
    )
    assert found.evidence.figures["later_by_hours"] == 3
    assert found.risk == pytest.approx(0.1206, abs=1e-3)  # Wilson, none of 28
    assert found.confidence == 1
    assert "started at 04 in place of 01" in found.reason


def test_hours_over_midnight_move_a_daily_start_but_not_one_of_some_weekdays() -> None:
    """Monday's run at 23 moved to 02 would be written as Monday at 02: a day early."""
    late = Movable(hours=start_hours("22-05"), regions=False, max_latency_ms=None)
    frames = {"measurements": measured((22,)), "intensity": grid()}
    daily = place(declared=Declared(schedule="5 22 * * *"))
    assert only(judged(late, daily, **frames)).proposed == "5 4 * * *"
    weekly = place(declared=Declared(schedule="5 22 * * 1-5"))
    assert judged(late, weekly, **frames).findings == []


def test_the_time_zone_of_the_schedule_is_its_own() -> None:
    """02:15 in Berlin is 01:15 UTC in winter: read as UTC it would not be what ran."""
    berlin = place(declared=Declared(schedule="15 2 * * *", time_zone="Europe/Berlin"))
    found = only(judged(HOURS, berlin, intensity=grid(clean_at=(3, 4))))
    assert found.proposed == "15 4 * * *"
    assert "Europe/Berlin" in found.reason
    lost = place(declared=Declared(schedule="15 2 * * *", time_zone="../etc/passwd"))
    assert reasons(judged(HOURS, lost)) == ["its time zone '../etc/passwd' is not known"]


def test_a_schedule_that_is_not_simple_is_told_and_not_edited() -> None:
    """An edit of a schedule that was not understood breaks it."""
    found = only(judged(HOURS, place(declared=Declared(schedule="15 1 1-31 * *"))))
    assert (found.field, found.proposed) == ("", "")
    assert found.suggestion == "Start it at 04:00 UTC in place of 01:00."


def test_what_starts_at_the_best_hour_or_on_an_even_grid_is_left_alone() -> None:
    """A pull request for nothing costs a reviewer's trust."""
    right = judged(
        HOURS, place(declared=Declared(schedule="0 4 * * *")), measurements=measured((4, 5))
    )
    assert (right.findings, right.abstained) == ([], [])
    even = judged(HOURS, intensity=grid(level=104.0))
    assert (even.findings, even.abstained) == ([], [])


def test_a_gain_that_one_day_made_is_not_sure_enough() -> None:
    """One windy night is no reason to move a job for good."""
    windy = grid(clean_at=())
    night = windy["hour"].between(
        pd.Timestamp("2026-03-10 04:00", tz="UTC"), pd.Timestamp("2026-03-10 05:00", tz="UTC")
    )
    windy.loc[night, "gco2e_per_kwh"] = 1.0
    result = judged(HOURS, intensity=windy)
    assert (result.findings, result.abstained) == ([], [])


def test_after_the_move_it_is_not_moved_on_by_the_runs_from_before() -> None:
    """Evidence of the old hour must not push the new one, week after week."""
    days_old, days_new = 20, 8
    old = measured((1, 2), days_old)
    new = measured((4, 5), days_new, FIRST + timedelta(days=days_old))
    moved = place(declared=Declared(schedule="15 4 * * *"))
    result = judged(HOURS, moved, measurements=pd.concat([old, new]))
    assert (result.findings, result.abstained) == ([], [])
    # merged, and not run yet
    assert reasons(judged(HOURS, moved)) == [
        "declared for 04:15 UTC, last seen starting at 01:00: not yet the same"
    ]


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"energy": energy().iloc[:0]}, "no whole run of it was measured"),
        ({"measurements": measured(tuple(range(24)))}, "no whole run of it was measured"),
        ({"measurements": measured((1, 2)).tail(6)}, "3 runs with its present start"),
        ({"measurements": measured((1, 7, 13))}, "several hours of the day"),
        ({"intensity": grid().iloc[:0]}, "known by the hour for 0 of its 28 runs"),
        ({"intensity": grid("elsewhere")}, "known by the hour for 0 of its 28 runs"),
    ],
)
def test_hours_that_cannot_be_judged_say_why(changes: dict[str, pd.DataFrame], reason: str) -> None:
    """Silence would be read as: it is right as it is."""
    (told,) = reasons(judged(HOURS, place(declared=Declared()), **changes))
    assert reason in told


def test_a_start_outside_of_its_label_and_an_unknown_region_are_told() -> None:
    """The label says one thing, the schedule another: a person must say which holds."""
    label = Movable(hours=(20, 21), regions=False, max_latency_ms=None)
    assert "outside of the hours of its label (20 to 21)" in reasons(judged(label))[0]
    assert "one region" in reasons(judged(HOURS, place(region=None)))[0]
    nowhere = place_work({JOB: HOURS}, {}, marts(), AS_OF)
    assert "one region" in reasons(nowhere)[0]


def test_what_comes_after_the_day_changes_nothing() -> None:
    """A decision made again must not know what came later."""
    later = AS_OF + timedelta(days=1)
    hour = hours(5, later)
    poison = grid().iloc[:0]
    for region in ("dirty", "clean", "cheap"):
        one = pd.DataFrame({"region": region, "hour": hour, "gco2e_per_kwh": 1.0})
        poison = pd.concat([poison, one], ignore_index=True)
    both = Movable(HOURS.hours, regions=True, max_latency_ms=None)
    before = judged(both)
    assert len(before.findings) == 2
    after = judged(
        both,
        measurements=pd.concat([measured(), measured((9,), 5, later)]),
        energy=pd.concat([energy(), energy(5, later)]),
        intensity=pd.concat([marts().intensity, poison]),
        costs=pd.concat([costs(), costs(5).assign(charge_date=later)]),
    )
    assert after == before


def test_rows_in_any_order_twice_and_broken_say_the_same() -> None:
    """A delivery that repeats a row, or a sensor that says NaN, must not make energy."""
    both = Movable(HOURS.hours, regions=True, max_latency_ms=None)
    bad = measured().head(4).assign(cpu_cores=[np.nan, np.inf, -1.0, np.nan], container="bad")
    rows = pd.concat([measured(), measured(), bad]).sample(frac=1, random_state=1)
    air = pd.concat([marts().intensity] * 2).sample(frac=1, random_state=2)
    worse = air.head(3).assign(gco2e_per_kwh=[np.nan, np.inf, -5.0])
    result = judged(both, measurements=rows, intensity=pd.concat([air, worse]))
    assert [f.proposed for f in result.findings] == [f.proposed for f in judged(both).findings]
    assert [f.carbon_kg_per_month.mid for f in result.findings] == pytest.approx(
        [f.carbon_kg_per_month.mid for f in judged(both).findings]
    )


def test_the_weights_choose_among_regions_that_nothing_beats() -> None:
    """Cheapest is not cleanest: a choice that the settings do not make is a coin."""
    result = judged(AWAY)
    found = only(result)
    assert found.kind is FindingKind.CARBON_REGION
    assert (found.field, found.proposed) == ("", "")
    assert "in clean in place of dirty" in found.reason
    # 10 core-hours at 0.9 in place of 1, and 7.2 GB at 0.02: 1 - 0.144 a day
    assert found.saving_per_month.mid == pytest.approx(Decimal("0.856") * 365 / 12)
    # 2 kWh a day, half of each hour at 501 and at 20 (21 in the mean with its own days)
    assert found.carbon_kg_per_month.mid == pytest.approx(2 * 0.480 * 365 / 12, rel=1e-3)
    assert found.evidence.figures["chosen_cost_per_month"] == pytest.approx(
        9.144 * 365 / 12, rel=1e-5
    )
    assert found.evidence.figures["cheapest_cost_per_month"] == pytest.approx(
        8.144 * 365 / 12, rel=1e-5
    )
    assert found.evidence.figures["regions_on_the_front"] == 3
    assert "only regions allowed for payments" in found.reason
    for_money = replace(CONFIG, weights=Weights(cost=1, carbon=0, risk=0))
    assert "in cheap in place of dirty" in only(judged(AWAY, config=for_money)).reason


def test_a_region_that_is_not_allowed_is_never_chosen_however_clean() -> None:
    """Personal data moved over a border is a breach, not a saving."""
    only_cheap = replace(CONFIG, regions={"payments": ("cheap", "dirty"), "*": ("cheap", "clean")})
    config = replace(only_cheap, weights=Weights(cost=1, carbon=1, risk=0))
    result = judged(AWAY, config=config)
    assert "in cheap in place" in only(result).reason
    assert "payments and all" in only(result).reason
    assert "no other" in reasons(judged(AWAY, config=replace(CONFIG, regions={"*": ("dirty",)})))[0]
    assert "placement.regions" in reasons(judged(AWAY, config=PlacementConfig()))[0]


def test_a_region_out_of_reach_is_left_out() -> None:
    """Work that answers within a bound is broken by a region behind it."""
    bound = replace(AWAY, max_latency_ms=30.0)
    far = replace(CONFIG, latencies_ms={"clean": {"dirty": 45.0}, "dirty": {"cheap": 12.0}})
    result = judged(bound, config=replace(far, weights=Weights(1, 0, 0)))
    assert "in cheap in place" in only(result).reason
    assert [(one.subject, one.reason) for one in result.abstained] == [
        (f"{JOB} in clean", "45 ms away, its label allows 30")
    ]
    unknown = [one.reason for one in judged(bound).abstained]
    assert unknown == ["how far away it is is not known (placement.latencies_ms)"] * 2


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"costs": costs().iloc[:0]}, "no charge names it"),
        ({"costs": pd.concat([costs(), costs(billing_currency="USD")])}, "billed in EUR and USD"),
        ({"costs": costs(sku_meter=None)}, "name no meter or no quantity"),
        ({"costs": costs(consumed_quantity=None)}, "name no meter or no quantity"),
        ({"costs": costs(effective_cost=Decimal(0))}, "not above zero"),
        ({"measurements": measured().drop(columns="cpu_cores").assign(cpu_cores=np.nan)}, "0 days"),
        (
            {"measurements": measured().assign(network_receive_bytes_per_second=np.nan)},
            "its traffic is not measured",
        ),
        ({"intensity": grid("elsewhere")}, "0 days"),
        ({"energy": energy(10)}, "10 days"),
    ],
)
def test_regions_that_cannot_be_judged_say_why(
    changes: dict[str, pd.DataFrame], reason: str
) -> None:
    """A move priced by a guess promises money that is not there."""
    (told,) = reasons(judged(AWAY, **changes))
    assert reason in told


def test_a_region_where_nothing_was_charged_has_no_price() -> None:
    """A list that nobody was billed by is not what this estate would pay."""
    result = judged(AWAY, priced=priced(dirty="1", cheap="0.8"), intensity=marts().intensity)
    told = {one.subject: one.reason for one in result.abstained}
    assert told == {
        f"{JOB} in clean": "nothing was charged there for 'm6i.large', so it has no price"
    }
    unnamed = judged(AWAY, costs=costs(sku_id=None))
    assert {one.reason for one in unnamed.abstained} == {"its charges name no SKU to compare with"}


def test_transfer_needs_a_price_where_anything_is_sent() -> None:
    """Egress is what makes a cheap region dear."""
    free = replace(CONFIG, transfer_prices_per_gb={})
    assert "placement.transfer_prices_per_gb" in reasons(judged(AWAY, config=free))[0]
    dear = replace(CONFIG, transfer_prices_per_gb={"EUR": Decimal(2)})
    result = judged(AWAY, config=dear)  # 14.40 a day of transfer against 10 a day in all
    assert (result.findings, result.abstained) == ([], [])
    silent = measured().assign(
        network_receive_bytes_per_second=0.0, network_transmit_bytes_per_second=0.0
    )
    assert (
        only(judged(AWAY, config=free, measurements=silent)).evidence.figures["transfer_per_month"]
        == 0
    )


def test_what_a_commitment_pays_for_is_not_saved_by_leaving() -> None:
    """A reservation is paid for whether it is used or not."""
    committed = costs(commitment_discount_status="Used")
    assert "not above zero" in reasons(judged(AWAY, costs=committed))[0]


def test_a_node_selector_that_names_the_region_is_told_as_a_patch() -> None:
    """A patch pasted together from names is a patch that anyone may write."""
    name = 'settle"\n  evil: true'
    manifest = {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": name, "namespace": "shop"},
        "spec": {
            "template": {"spec": {"nodeSelector": {"topology.kubernetes.io/region": "dirty"}}}
        },
    }
    where = place(declared=Declared(manifest=json.dumps(manifest)))
    patch = json.loads(only(judged(AWAY, where)).suggestion)
    assert patch["metadata"] == {"name": name, "namespace": "shop"}
    selector = patch["spec"]["template"]["spec"]["nodeSelector"]
    assert selector == {"topology.kubernetes.io/region": "clean"}
    assert only(judged(AWAY)).suggestion == ""


def test_labels_allow_what_they_say_and_unread_ones_allow_nothing() -> None:
    """A label that was guessed at moves work that must not move."""
    labels = {
        "CronJob/a/declared": {"finops/start-between": "22-02"},
        "CronJob/a/measured": {"finops_start_between": "3-5", "finops_latency_bound": "False"},
        "Job/a/bound": {"finops/movable": "true", "finops/max-latency-ms": "80ms"},
        "Job/a/fixed": {"finops/movable": "false", "finops/latency-bound": "true"},
        "Job/a/odd": {"finops/start-between": "at night", "finops/movable": "yes"},
        "Job/a/unbound": {"finops/movable": "true", "finops/max-latency-ms": "-1"},
        "Job/a/none": {"team": "finops"},
    }
    found, unread = movable(labels, LabelKeys())
    assert found == {
        "CronJob/a/declared": Movable((22, 23, 0, 1, 2), False, None),
        "CronJob/a/measured": Movable((3, 4, 5), True, None),
        "Job/a/bound": Movable((), True, 80.0),
    }
    assert [one.subject for one in unread] == ["Job/a/odd", "Job/a/unbound"]
    assert "22-06" in unread[0].reason


@given(st.integers(0, 23), st.integers(0, 23))
def test_start_hours_begin_and_end_where_the_label_says(first: int, last: int) -> None:
    """An hour too many is an hour at which nobody allowed it."""
    found = start_hours(f"{first}-{last}")
    assert (found[0], found[-1], len(set(found))) == (first, last, (last - first) % 24 + 1)


@given(st.text(max_size=20))
def test_any_text_is_a_simple_schedule_or_none(text: str) -> None:
    """A schedule from a repository is anyone's text."""
    found = simple_schedule(text)
    assert found is None or simple_schedule(found.at(7)) is not None
    assert start_hours(text) == () or "-" in text


def test_simple_schedules_keep_every_other_character() -> None:
    """A rewritten minute or weekday is another job."""
    one = simple_schedule("05  02 * *  MON-FRI")
    assert one is not None
    assert one.at(13) == "05  13 * *  MON-FRI"
    assert not one.daily
    refused = ("*/5 2 * * *", "0 2,4 * * *", "0 2 1 * *", "60 2 * * *", "0 24 * * *", "@daily",
               "CRON_TZ=UTC 0 2 * * *", "0 2 * * * *")  # fmt: skip
    assert [simple_schedule(text) for text in refused] == [None] * len(refused)
    assert minutes_apart(10, 23 * 60 + 50) == 20


def option(region: str, cost: float, kg: float, risk: float) -> Option:
    zero = MoneyRange(low=Decimal(0), mid=Decimal(0), high=Decimal(0), currency="EUR")
    return Option(region, cost, kg, risk, zero, Range(low=0, mid=0, high=0), 0.0)


_OPTIONS = st.lists(
    st.tuples(st.integers(1, 4), st.integers(1, 4), st.integers(0, 3)), min_size=1, max_size=8
)


@given(_OPTIONS, st.tuples(*[st.integers(1, 5)] * 3))
def test_the_best_by_any_weights_stands_on_the_front(
    values: list[tuple[int, int, int]], weights: tuple[int, int, int]
) -> None:
    """A region that another one beats in all must not be chosen, whatever the weights."""
    options = [option(str(n), *map(float, one)) for n, one in enumerate(values)]
    kept = front(options)
    assert kept
    by = Weights(*map(float, weights))
    stay = options[0]
    assert min(score(one, stay, by) for one in kept) == min(score(o, stay, by) for o in options)
    for one in kept:
        assert not any(
            (other.cost, other.kg, other.risk) != (one.cost, one.kg, one.risk)
            and other.cost <= one.cost and other.kg <= one.kg and other.risk <= one.risk
            for other in options
        )  # fmt: skip


def test_regions_must_be_allowed_by_every_rule_that_holds() -> None:
    """A company's rule is not lifted by a team's."""
    config = PlacementConfig(regions={"*": ("a", "b"), "payments": ("b", "c"), "dev": ("z",)})
    who = place().owner, place().environment
    assert allowed_regions(*who, config.regions) == (frozenset({"b"}), "all and payments")
    assert allowed_regions("Payments", who[1], config.regions)[0] == frozenset({"b"})
    assert allowed_regions(*who, {"dev": ("z",)}) == (None, "")


@pytest.mark.parametrize(
    ("prices", "reason"),
    [
        (
            {},
            "saves 24.4 kg of carbon a month and no money, and no setting says what a kg is worth",
        ),
        ({"USD": Decimal(1)}, "no setting says what a kg is worth in EUR"),
        ({"EUR": Decimal("0.1")}, "worth 2.44 EUR, 5 are asked for"),
        ({"EUR": Decimal("0.3")}, ""),
    ],
)
def test_a_change_for_carbon_alone_takes_a_price_of_carbon(
    prices: dict[str, Decimal], reason: str
) -> None:
    """Carbon in place of money is a choice that settings make, never the tool."""
    proposals, left = propose(
        judged(HOURS).findings,
        reconstructed=False,
        publication_id="p",
        min_saving=Decimal(5),
        min_confidence=0.7,
        as_of=AS_OF,
        carbon_prices=prices,
    )
    if reason:
        assert reason in left[0].reason
        assert proposals == []
    else:
        (one,) = proposals
        assert left == []
        assert (one.field, one.proposed, one.order) == ("spec.schedule", "15 4 * * *", 1)
        assert one.order_reason == "by its carbon, after what saves money"
        assert one.carbon_kg_per_month.mid == pytest.approx(24.4, abs=0.05)


def test_a_start_is_not_moved_where_the_work_is_stopped_or_the_day_is_full() -> None:
    """Two pull requests that undo each other, or one more than a team can read."""
    (hours_,) = judged(HOURS).findings
    saving = MoneyRange(low=Decimal(8), mid=Decimal(9), high=Decimal(10), currency="EUR")
    stop = hours_.model_copy(
        update={
            "kind": FindingKind.IDLE_WORKLOAD,
            "field": "spec.suspend",
            "current": "false",
            "proposed": "true",
            "saving_per_month": saving,
        }
    )
    shared: dict[str, Any] = {
        "reconstructed": False,
        "publication_id": "p",
        "min_saving": Decimal(5),
        "min_confidence": 0.7,
        "as_of": AS_OF,
        "carbon_prices": {"EUR": Decimal(1)},
    }
    proposals, left = propose([hours_, stop], **shared)
    assert [one.kind for one in proposals] == [FindingKind.IDLE_WORKLOAD]
    assert "to be stopped" in left[0].reason
    other = hours_.model_copy(update={"resource": "CronJob/shop/other"})
    proposals, left = propose([hours_, other], limits=DailyLimits(changes=1), **shared)
    assert len(proposals) == 1
    assert "over today's limit of 1 change" in left[0].reason


def test_a_better_hour_that_may_save_nothing_is_told_and_not_proposed() -> None:
    """Weather of one month is not that of the next: what may be nothing is no pull request."""
    (sure,) = judged(HOURS).findings
    unsure = sure.model_copy(update={"carbon_kg_per_month": Range(low=-1.0, mid=20.0, high=41.0)})
    proposals, left = propose(
        [unsure],
        reconstructed=False,
        publication_id="p",
        min_saving=Decimal(5),
        min_confidence=0.7,
        as_of=AS_OF,
        carbon_prices={"EUR": Decimal(1)},
    )
    assert proposals == []
    assert left[0].reason == "may save no carbon: 95 % interval -1 to 41 kg a month"


def test_what_credits_pay_for_is_not_sold_as_a_change_for_carbon() -> None:
    """A smaller request that saves nothing has a reason of its own, whatever carbon is worth."""
    (moved,) = judged(HOURS).findings
    covered = moved.model_copy(update={"kind": FindingKind.RIGHTSIZE_CPU})
    proposals, left = propose(
        [covered],
        reconstructed=False,
        publication_id="p",
        min_saving=Decimal(5),
        min_confidence=0.7,
        as_of=AS_OF,
        carbon_prices={"EUR": Decimal(1)},
    )
    assert proposals == []
    assert left[0].reason.startswith("saves nothing: credits pay for it")
