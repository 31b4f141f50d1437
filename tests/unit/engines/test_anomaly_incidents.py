"""What an incident says: why the money moved, since when, how much it matters, what to do."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

import numpy as np
import pandas as pd
import pytest

from finops_dagster.domain.incidents import Channel, Effects, Incident, Severity
from finops_dagster.engines.anomalies import DetectionConfig, detect

DAYS = pd.date_range("2025-01-01", periods=200)
AS_OF: date = DAYS[-1].date()
FULL = DetectionConfig(lookback_days=130, report_days=130)


def meter(
    service: str = "svc", name: str = "hours", price: float = 2.0, level: float = 50.0,
    seed: int = 0, team: str = "t", account: str = "acc",
) -> pd.DataFrame:  # fmt: skip
    quantity = level * np.exp(np.random.default_rng(seed).normal(0, 0.01, len(DAYS)))
    return pd.DataFrame(
        {
            "account": account, "service": service, "team": team, "currency": "USD",
            "meter": name, "unit": "h", "ds": DAYS, "quantity": quantity,
            "cost": quantity * price,
        }
    )  # fmt: skip


def others(count: int = 4) -> list[pd.DataFrame]:
    return [meter(f"other{i}", seed=10 + i) for i in range(count)]


def changed(one: pd.DataFrame, first: int, last: int, quantity: float = 1.0, price: float = 1.0):
    inside = one["ds"].between(DAYS[first], DAYS[last])
    return one.assign(
        quantity=one["quantity"] * np.where(inside, quantity, 1.0),
        cost=one["cost"] * np.where(inside, quantity * price, 1.0),
    )


def found(*parts: pd.DataFrame) -> list[Incident]:
    return detect(pd.concat([*parts, *others()]), AS_OF, FULL).incidents


def summed(effects: Effects | None) -> Decimal:
    assert effects is not None
    return effects.price + effects.quantity + effects.mix


def test_a_dearer_unit_is_price() -> None:
    """A vendor manager who is told of quantity asks the wrong people."""
    (one,) = found(changed(meter(), 180, 199, price=1.25))
    assert one.kind in (Channel.PRICE, Channel.POINT)
    assert one.effects is not None
    assert one.effects.price == pytest.approx(Decimal("500"), rel=Decimal("0.03"))
    assert abs(one.effects.mix) < 1
    assert abs(one.effects.quantity) < 20
    assert summed(one.effects) == one.money.amount
    assert one.since == DAYS[180].date()


def test_more_of_the_same_is_quantity() -> None:
    """An engineer who is told of a price looks for no deployment."""
    (one,) = found(changed(meter(), 180, 199, quantity=1.5))
    assert one.effects is not None
    assert one.effects.quantity == pytest.approx(Decimal("1000"), rel=Decimal("0.03"))
    assert one.effects.price == one.effects.mix == 0
    assert summed(one.effects) == one.money.amount


def test_as_much_on_dearer_units_is_mix() -> None:
    """Same hours, dearer machines: neither the price list nor the load has changed."""
    cheap = changed(meter(name="small", price=1.0, level=60), 180, 199, quantity=0.5)
    # the thirty hours a day that left the small ones
    dear = changed(meter(name="large", price=3.0, level=20, seed=1), 180, 199, quantity=2.5)
    (one,) = found(cheap, dear)
    assert any(part.kind in (Channel.MIX, Channel.POINT) for part in one.dimensions)
    assert one.effects is not None
    assert one.effects.mix == pytest.approx(Decimal(60 * 20), rel=Decimal("0.05"))
    assert abs(one.effects.price) < 1
    assert abs(one.effects.quantity) < 60
    assert summed(one.effects) == one.money.amount


def test_a_mix_that_costs_as_much_is_found_by_its_meters() -> None:
    """Work moved to cheaper units hides what it does to a commitment."""
    a = changed(meter(name="old", price=2.0, level=60), 180, 199, quantity=0.6)
    b = changed(meter(name="new", price=2.2, level=60, seed=1), 180, 199, quantity=1.36)
    (one,) = found(a, b)
    assert one.kind is Channel.MIX
    assert "units of another price since 2025-06-30" in one.cause
    assert "change of type" in one.what_to_do


def test_what_is_not_known_of_quantities_is_said() -> None:
    """An explanation that is half a guess is believed whole."""
    half = changed(meter(), 180, 199, quantity=1.5).assign(quantity=np.nan)
    (one,) = found(half)
    assert one.effects is None
    assert one.effects_unknown == "quantities of acc/svc/t are not known, or not of every day"


def test_moves_that_offset_show_both_sides() -> None:
    """A net of nothing hides that two things went wrong."""
    up = changed(meter("a", level=100), 180, 199, quantity=1.5)
    down = changed(meter("b", level=100, seed=1), 180, 199, quantity=0.5)
    (one,) = found(up, down)
    assert {part.service for part in one.dimensions} == {"a", "b"}
    assert one.gross_up is not None
    assert one.gross_down is not None
    assert float(one.gross_up.amount) == pytest.approx(2000, rel=0.03)
    assert float(one.gross_down.amount) == pytest.approx(-2000, rel=0.03)
    assert one.gross_up + one.gross_down == one.money
    assert one.severity is Severity.HIGH
    assert {part.since for part in one.dimensions} == {DAYS[180].date()}


def test_causes_that_are_apart_are_incidents_of_their_own() -> None:
    """Two teams sent to one incident wait for each other."""
    spike = changed(meter("a", level=100), 180, 181, quantity=2.0)
    later = changed(meter("b", level=100, seed=1, team="u"), 184, 185, quantity=2.0)
    dearer = changed(meter("c", level=100, seed=2), 181, 199, price=1.1)
    incidents = found(spike, later, dearer)
    assert sorted((i.resource, i.since) for i in incidents) == [
        ("acc/a/t", DAYS[180].date()),
        ("acc/b/u", DAYS[184].date()),
        ("acc/c/t", DAYS[181].date()),
    ]
    assert len({i.id for i in incidents}) == 3


def test_one_price_list_is_one_incident() -> None:
    """Five services dearer by the same share on one day have one vendor to ask."""
    parts = [changed(meter(f"s{i}", seed=i), 180, 199, price=1.05) for i in range(3)]
    (one,) = found(*parts)
    assert one.kind is Channel.PRICE
    assert len(one.dimensions) == 3


def test_coming_back_is_the_end_of_an_incident_and_no_other_one() -> None:
    """Who mended a fault is not to be paged for having mended it."""
    (one,) = found(changed(meter(), 120, 160, quantity=2.0))
    assert one.since == DAYS[120].date()
    assert not one.ongoing
    assert float(one.money.amount) == pytest.approx(41 * 100, rel=0.05)


def test_a_leak_that_was_mended_is_one_incident() -> None:
    """A leak and its end are one story."""
    one = meter(level=200)
    number = np.arange(len(DAYS))
    ramp = np.where((number >= 100) & (number < 145), 1.02 ** (number - 99.0), 1.0)
    (leak,) = found(one.assign(quantity=one["quantity"] * ramp, cost=one["cost"] * ramp))
    assert leak.kind is Channel.SLOW
    assert DAYS[98].date() <= leak.since <= DAYS[110].date()
    assert leak.money.amount > 0


@pytest.mark.parametrize(
    ("factor", "severity"),
    [(1.2, Severity.LOW), (1.9, Severity.MEDIUM), (8.0, Severity.HIGH)],
)
def test_severity_is_of_the_account_s_month(factor: float, severity: Severity) -> None:
    """A hundred dollars are a fortune to one account and dust to another."""
    (one,) = found(changed(meter(), 190, 192, quantity=factor))
    # three days, of a fifth of an account's spend
    assert one.share_of_month == pytest.approx((factor - 1) * 3 / 5 / (365 / 12), rel=0.1)
    assert one.severity is severity


def test_what_goes_on_is_projected_to_the_end_of_the_month() -> None:
    """On the third day of a fault its month matters more than its past."""
    (one,) = found(changed(meter(), 197, 199, quantity=2.0))
    # 2025-07-19: twelve more days of 100
    assert one.ongoing
    assert one.by_month_end is not None
    assert float(one.by_month_end.amount) == pytest.approx(300 + 1200, rel=0.05)


def test_a_fall_is_told_when_it_holds_and_what_to_do_is_of_a_fall() -> None:
    """One cheap day is no news; a service that stopped may have stopped by mistake."""
    assert found(changed(meter(), 190, 190, quantity=0.3)) == []
    (one,) = found(changed(meter(), 185, 199, quantity=0.3))
    assert one.since == DAYS[185].date()
    assert one.what_to_do.startswith("Check that what stopped was meant to stop")


def test_what_comes_every_so_often_is_a_habit() -> None:
    """A job that runs when it runs, and a fee on no fixed day, are told a few times at most."""
    one = meter(level=40)
    runs = np.isin(np.arange(len(DAYS)), [20, 41, 55, 78, 101, 119, 140, 163, 181, 196])
    habit = one.assign(cost=one["cost"] + np.where(runs, 300.0, 0.0))
    assert len(detect(pd.concat([habit, *others()]), AS_OF, FULL).anomalies) <= 2


def test_a_season_of_the_whole_estate_is_said_once_and_pages_nobody() -> None:
    """A sale lifts thirty services: thirty incidents would hide the one that broke."""
    parts = [meter(f"s{i}", seed=i) for i in range(20)]
    lifted = [changed(one, 170, 174, quantity=1.3) for one in parts]
    result = detect(pd.concat(lifted), AS_OF, FULL)
    assert result.incidents == []
    (said,) = [one for one in result.abstained if one.subject.startswith("season of")]
    assert "20 leaves moved the same way" in said.reason
    lifted[0] = changed(lifted[0], 171, 171, quantity=3.0)
    (one,) = detect(pd.concat(lifted), AS_OF, FULL).incidents
    assert one.resource == "acc/s0/t"


def test_an_incident_of_before_is_still_read() -> None:
    """Yesterday's incidents are on disk without today's fields."""
    (one,) = found(changed(meter(), 180, 199, quantity=1.5))
    new = {
        "origin", "effects", "effects_unknown", "gross_up", "gross_down", "severity",
        "share_of_month", "by_month_end", "what_to_do",
    }  # fmt: skip
    stored = {k: v for k, v in one.model_dump(mode="json").items() if k not in new}
    for part in stored["dimensions"]:
        del part["since"], part["kind"]
    old = Incident.model_validate(stored)
    assert old.id == one.id
    assert old.effects is None
    assert Incident.model_validate(one.model_dump(mode="json")) == one
