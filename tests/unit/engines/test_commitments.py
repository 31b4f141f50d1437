"""Commitments by hand: amount, saving, break-even and risk of small histories."""

from __future__ import annotations

from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import numpy as np
import pandas as pd
import pytest

from finops_dagster.engines.optimisation.commitments import (
    Advice,
    CommitmentConfig,
    advise,
)
from finops_dagster.engines.optimisation.offers import InForce, Offer, Outlook, Payment

TODAY = date(2026, 3, 29)
SCOPE = ("compute eu-west-1", "USD")


def usage(per_hour: np.ndarray, freq: str = "h", currency: str = "USD") -> pd.DataFrame:
    """The last hours (or days, of 24 times as much) up to the end of TODAY."""
    end = pd.Timestamp(TODAY + timedelta(days=1), tz="UTC")
    times = pd.date_range(end=end, periods=len(per_hour) + 1, freq=freq)[:-1]
    cost = per_hour * (1 if freq == "h" else 24)
    return pd.DataFrame({"scope": SCOPE[0], "currency": currency, "time": times, "cost": cost})


def offer(price: str, months: int = 12, upfront: str = "0", **more: Any) -> Offer:
    payment = {"0": Payment.NO_UPFRONT, "1": Payment.ALL_UPFRONT}.get(
        upfront, Payment.PARTIAL_UPFRONT
    )
    given = {"scope": SCOPE[0], "currency": "USD", "term_months": months, "payment": payment}
    return Offer(**(given | more), price_share=Decimal(price), upfront_share=Decimal(upfront))


def only(rows: pd.DataFrame, *offers: Offer, **more: Any) -> Advice:
    (advice,), abstained = advise(rows, offers, TODAY, **more)
    assert abstained == []
    return advice


FLAT = np.full(60 * 24, 10.0)
NIGHTS = np.tile(np.repeat([4.0, 10.0], 12), 60)


def test_steady_usage_is_committed_to_whole() -> None:
    """10 an hour at 0.72: 2.8 x 730 saved, paid back after 0.72 x 12 months."""
    best = only(usage(FLAT), offer("0.72")).best
    assert (best.covers_per_hour, best.pays_per_hour) == (Decimal(10), Decimal("7.2"))
    assert best.saving_per_month.low == best.saving_per_month.high == Decimal(2044)
    assert best.break_even_utilisation == pytest.approx(0.72)
    assert best.break_even_months == pytest.approx(8.64)
    assert best.underused_risk == best.loss_risk == 0
    assert best.upfront == 0


@pytest.mark.parametrize(
    ("price", "covers", "saving", "used"),
    [
        ("0.7", "4", "876", 1.0),  # P(D <= 4) = .5 >= .3: 4 x .3 x 730
        ("0.4", "10", "2190", 0.7),  # needs P >= .6: mean 7 used, 4 paid: 3 x 730
    ],
)
def test_the_amount_is_the_quantile_at_the_critical_ratio(
    price: str, covers: str, saving: str, used: float
) -> None:
    """4 an hour at night, 10 by day: a dear offer pays for the base, a cheap one for the peak."""
    best = only(usage(NIGHTS), offer(price)).best
    assert best.covers_per_hour == Decimal(covers)
    assert best.saving_per_month.mid == Decimal(saving)
    assert best.utilisation.mid == pytest.approx(used)
    assert best.underused_risk == (1 if used < 0.9 else 0)
    assert best.break_even_months == pytest.approx(float(price) * 12 / used)


@pytest.mark.parametrize(
    ("price", "covers", "saving"),
    [("0.7", "10", "1314"), ("0.85", "4", "438")],
)
def test_a_commitment_in_force_is_taken_off_while_it_lasts(
    price: str, covers: str, saving: str
) -> None:
    """6 of 10 are paid for in the first fifth of a year: .2 x 4 + .8 x 10 = 8.8, less 7."""
    ends = TODAY + timedelta(days=73)
    held = InForce(SCOPE[0], "USD", Decimal(6), ends)
    best = only(usage(FLAT), offer(price), in_force=[held]).best
    assert best.covers_per_hour == Decimal(covers)
    assert best.saving_per_month.mid == Decimal(saving)


def test_planned_sizing_shrinks_what_is_committed_to() -> None:
    """2,190 a month are 3 an hour: 7 x .28 x 730 are left."""
    best = only(usage(FLAT), offer("0.72"), planned_per_month={SCOPE: Decimal(2190)}).best
    assert best.covers_per_hour == Decimal(7)
    assert best.saving_per_month.mid == Decimal("1430.8")


def test_money_paid_early_has_its_price() -> None:
    """1 % a month over 12: 12 x .01 / (1 - 1.01^-12) = 1.0661855 times the amount."""
    config = CommitmentConfig(capital_rate_per_year=1.01**12 - 1)
    best = only(usage(FLAT), offer("0.7", upfront="1"), config=config).best
    assert best.break_even_utilisation == pytest.approx(0.7 * 1.0661855, rel=1e-6)
    assert best.upfront == Decimal(61320)  # 7 x 12 x 730
    assert float(best.saving_per_month.mid) == pytest.approx(10 * (1 - 0.74632983) * 730, rel=1e-6)


def test_the_outlook_is_in_the_amount_and_in_the_risk() -> None:
    """Median 1, 95 % from half to double. The 13th of 41 scenarios is z = -.5105: 8.348 of 10.

    Used by less than .9 where z < -.81 (9 of 41), a loss where z < -1.52 (3 of 41).
    """
    outlooks = {SCOPE: Outlook(0.5, 1.0, 2.0)}
    config = CommitmentConfig(max_loss_risk=0.1)
    best = only(usage(FLAT), offer("0.7"), outlooks=outlooks, config=config).best
    assert float(best.covers_per_hour) == pytest.approx(8.348, abs=2e-3)
    assert best.underused_risk == pytest.approx(9 / 41)
    assert best.loss_risk == pytest.approx(3 / 41)
    assert best.saving_per_month.low < 0 < best.saving_per_month.mid < best.saving_per_month.high
    _, (why,) = advise(usage(FLAT), [offer("0.7")], TODAY, outlooks=outlooks)
    assert why.reason == (
        "every offer may cost more than it saves: 12 months, no upfront with 7% probability, "
        "5% are accepted"
    )


def test_the_amount_is_the_best_of_all_amounts() -> None:
    """Held against trying every amount, on 90 noisy days with a commitment in force."""
    rng = np.random.default_rng(4)
    noisy = rng.gamma(4, 2.5, 90 * 24)
    held = InForce(SCOPE[0], "USD", Decimal(2), TODAY + timedelta(days=100))
    rows = usage(noisy)
    outlook = Outlook(0.8, 1.1, 1.3)
    best = only(rows, offer("0.6"), in_force=[held], outlooks={SCOPE: outlook}).best
    # the same levels, tried out: .5 to 20 an hour
    from scipy import stats

    z = stats.norm.ppf((np.arange(41) + 0.5) / 41) / stats.norm.ppf(0.975)
    levels = 1.1 * np.exp(np.where(z < 0, z * np.log(1.1 / 0.8), z * np.log(1.3 / 1.1)))
    early, late = (np.maximum(0, np.outer(levels, noisy) - taken) for taken in (2, 0))

    def saved(covers: float) -> float:
        used = sum(
            weight * np.minimum(covers, left).mean()
            for weight, left in ((100 / 365, early), (265 / 365, late))
        )
        return float(used - 0.6 * covers) * 730

    tried = max(saved(covers) for covers in np.arange(0.5, 20, 0.25))
    mine = saved(float(best.covers_per_hour))
    assert mine >= tried
    assert float(best.saving_per_month.mid) == pytest.approx(mine, abs=1e-3)


def test_a_longer_term_is_taken_only_where_its_risk_is_small() -> None:
    """Half price for three years is worth nothing if nobody knows the third."""
    one, three = offer("0.55"), offer("0.46", months=36)
    assert only(usage(FLAT), one, three).best.offer == three
    rng = np.random.default_rng(2)
    wavering = np.repeat(10 * np.exp(rng.normal(0, 0.04, 9)), 7 * 24)
    advice = only(usage(wavering), one, three)
    assert advice.options[0].offer == three
    assert advice.best.offer == one
    assert advice.best.loss_risk < 0.05 < advice.options[0].loss_risk
    assert advice.options[0].utilisation.low < advice.best.utilisation.low


def test_days_are_taken_where_hours_are_not_known_and_it_is_said() -> None:
    """A mean of 7 hides the nights of 4: the commitment would be idle in half of all hours."""
    advice = only(usage(NIGHTS.reshape(-1, 24).mean(axis=1), "D"), offer("0.7"))
    assert not advice.hourly
    assert advice.best.covers_per_hour == Decimal(7)
    assert "only days are known" in advice.wrong_if


FALLING = np.repeat(np.linspace(12, 8, 60), 24)


@pytest.mark.parametrize(
    ("rows", "offers", "reason"),
    [
        (usage(FLAT[: 20 * 24]), [offer("0.7")], "20 days of usage, 30 are needed"),
        (usage(FALLING), [offer("0.7")], "its usage falls, by 40% in 60 days"),
        (usage(FLAT), [], "no rates of commitments that could pay for it are known"),
        (usage(FLAT), [offer("0.7", currency="EUR")], "no rates in its own currency"),
        (usage(FLAT), [offer("1.1")], "at no price offered"),
        (usage(-FLAT), [offer("0.7")], "negative"),
        (usage(FLAT).assign(time=lambda f: f["time"] - timedelta(days=9)), [offer("0.7")],
         "its newest usage is of 2026-03-20"),
    ],
)  # fmt: skip
def test_what_cannot_be_advised_is_said(
    rows: pd.DataFrame, offers: list[Offer], reason: str
) -> None:
    """A commitment cannot be given back: where little is known, none is advised."""
    advices, (why,) = advise(rows, offers, TODAY)
    assert advices == []
    assert reason in why.reason


def test_all_that_is_committed_already_leaves_nothing() -> None:
    held = InForce(SCOPE[0], "USD", Decimal(10), date(2028, 1, 1))
    _, (why,) = advise(usage(FLAT), [offer("0.7")], TODAY, in_force=[held])
    assert "too few hours" in why.reason


def test_currencies_are_advised_apart() -> None:
    """One scope billed in two currencies has two demands, never their sum."""
    rows = pd.concat([usage(FLAT), usage(FLAT * 2, currency="EUR")])
    advices, _ = advise(rows, [offer("0.7"), offer("0.7", currency="EUR")], TODAY)
    assert [(one.currency, one.best.covers_per_hour) for one in advices] == [
        ("EUR", Decimal(20)), ("USD", Decimal(10)),
    ]  # fmt: skip


def test_what_comes_after_the_day_changes_nothing() -> None:
    later = usage(FLAT * 9).assign(time=lambda f: f["time"] + timedelta(days=60))
    rows = pd.concat([usage(FLAT), later])
    assert only(rows, offer("0.7")) == only(usage(FLAT), offer("0.7"))
