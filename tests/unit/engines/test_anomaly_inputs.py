"""Bills as they come: rows twice, gaps, nothing, nonsense, extremes. Nothing of it is silent."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date

import numpy as np
import pandas as pd
import pytest

from finops_dagster.engines.anomalies import DetectionConfig, DetectionResult, detect

DAYS = pd.date_range("2025-01-01", periods=150)
AS_OF: date = DAYS[-1].date()
FULL = DetectionConfig(lookback_days=120, report_days=120)


def leaf(y: np.ndarray, service: str = "svc", account: str = "acc") -> pd.DataFrame:
    return pd.DataFrame(
        {
            "account": account, "service": service, "team": "t", "currency": "USD",
            "ds": DAYS[: len(y)], "cost": y,
        }
    )  # fmt: skip


def noisy(seed: int = 0, size: float = 100.0) -> np.ndarray:
    return size * np.exp(np.random.default_rng(seed).normal(0, 0.03, len(DAYS)))


def spiked(seed: int = 0) -> np.ndarray:
    y = noisy(seed)
    y[130] *= 4
    return y


def judged(history: pd.DataFrame) -> DetectionResult:
    return detect(history, AS_OF, FULL)


def same(first: DetectionResult, second: DetectionResult) -> None:
    pd.testing.assert_frame_equal(first.anomalies, second.anomalies)
    assert first.incidents == second.incidents
    assert first.abstained == second.abstained


def test_rows_of_one_leaf_and_day_are_added_up() -> None:
    """A bill has many rows a day: the leaf costs their sum."""
    half = leaf(spiked() / 2)
    same(judged(pd.concat([half, half])), judged(leaf(spiked())))
    assert len(judged(leaf(spiked())).incidents) == 1


def test_the_order_of_rows_is_of_no_matter() -> None:
    """Rows come in the order a database likes."""
    history = pd.concat([leaf(spiked(), "a"), leaf(noisy(1), "b"), leaf(noisy(2), "b")])
    mixed = history.sample(frac=1, random_state=3)
    same(judged(mixed), judged(history))


@pytest.mark.parametrize(
    "y",
    [
        np.zeros(150),
        np.full(150, 7.5),
        np.array([12.0]),
        np.full(150, -3.0),
        np.full(150, 1e-7),
    ],
    ids=["zeros", "constant", "one point", "credit", "dust"],
)
def test_what_never_moves_is_no_anomaly(y: np.ndarray) -> None:
    """A constant has no spread: a division by it would flag every day."""
    result = judged(leaf(y))
    assert result.anomalies.empty
    assert result.incidents == []


def test_a_leaf_that_ends_is_told_once_and_no_more() -> None:
    """A service that was switched off must not be missed every day from then on."""
    ended = noisy(2)[:120]
    result = judged(pd.concat([leaf(noisy(0), "a"), leaf(noisy(1), "b"), leaf(ended, "c")]))
    (incident,) = result.incidents
    assert incident.resource == "acc/c/t"
    assert incident.since == DAYS[120].date()
    assert incident.money.amount < 0
    assert (result.anomalies["ds"] <= DAYS[130]).all()


def test_gaps_are_days_that_cost_nothing() -> None:
    """A job that does not run on some days is not broken on them."""
    y = noisy()
    idle = np.random.default_rng(5).random(len(y)) < 0.3
    history = pd.concat([leaf(y, "steady"), leaf(y, "job").loc[~idle]])
    zeros = pd.concat([leaf(y, "steady"), leaf(np.where(idle, 0.0, y), "job")])
    same(judged(history), judged(zeros))
    assert judged(history).anomalies.empty


@pytest.mark.parametrize("bad", [float("nan"), float("inf"), float("-inf"), 1e300])
def test_a_cost_that_is_no_amount_is_left_out_and_said_so(bad: float) -> None:
    """A row that is dropped in silence makes a fall nobody can explain."""
    y = noisy()
    y[140] = bad
    result = judged(pd.concat([leaf(y, "a"), leaf(noisy(1), "b")]))
    told = [one for one in result.abstained if "finite" in one.reason]
    assert [one.subject for one in told] == ["acc/a/t (USD)"]
    assert "1 rows have no finite cost, the newest on 2025-05-21" in told[0].reason
    figures = result.anomalies[["cost", "expected", "impact", "score"]].astype(float)
    assert np.isfinite(figures).all().all()


def test_a_leaf_of_nothing_but_nonsense_is_said_so() -> None:
    """A leaf that vanishes from the answer is thought of as fine."""
    nonsense = leaf(np.full(150, np.nan), "c")
    result = judged(pd.concat([leaf(noisy(), "a"), nonsense]))
    assert any(
        one.subject == "acc/c/t (USD)" and "150 rows" in one.reason for one in result.abstained
    )


@pytest.mark.parametrize("bad", [float("nan"), float("inf"), -5.0, 0.0])
def test_a_quantity_that_is_not_known_is_no_price(bad: float) -> None:
    """A price made of a wrong quantity is a wrong alarm for the vendor manager."""
    history = leaf(noisy()).assign(quantity=lambda f: f["cost"] / 2)
    history.loc[history["ds"] >= DAYS[120], "quantity"] = bad
    assert judged(history).incidents == []


def test_the_largest_and_the_smallest_stand_side_by_side() -> None:
    """A sum of 10^12 must not swallow what a leaf of its own account says, nor invent any."""
    huge, small, dust = noisy(0, 1e12), noisy(1, 1e-7), np.full(150, 1e-7)
    result = judged(pd.concat([leaf(huge, "h"), leaf(small, "s"), leaf(dust, "d")]))
    assert result.anomalies.empty
    huge[130] *= 4
    (incident,) = judged(pd.concat([leaf(huge, "h"), leaf(small, "s")])).incidents
    assert float(incident.money.amount) == pytest.approx(3e12, rel=0.2)
    alone = judged(pd.concat([leaf(huge, "h"), leaf(spiked(), "s", "other")]))
    assert {i.resource for i in alone.incidents} == {"acc/h/t", "other/s/t"}


def test_a_jump_of_many_orders_is_one_incident() -> None:
    """A mistyped unit multiplies a bill by a million for a day."""
    y = noisy()
    y[130] *= 1e6
    (incident,) = judged(pd.concat([leaf(y, "a"), leaf(noisy(1), "b")])).incidents
    assert incident.since == incident.last_seen == DAYS[130].date()


def test_refunds_beyond_the_cost_are_counted_as_they_are() -> None:
    """Money is never clipped at zero: a day of refunds is a day of less than nothing."""
    y = noisy()
    y[130:] = -50.0
    (incident,) = judged(pd.concat([leaf(y, "a"), leaf(noisy(1), "b")])).incidents
    assert float(incident.money.amount) == pytest.approx(-150 * 20, rel=0.05)


@pytest.mark.parametrize(
    "make",
    [
        lambda: leaf(noisy()).iloc[:0],
        lambda: leaf(noisy()).assign(ds=pd.Timestamp("2031-01-01")),
        lambda: leaf(noisy()).assign(ds=pd.NaT),
    ],
    ids=["empty", "all later", "no day"],
)
def test_nothing_to_judge_is_an_answer(make: Callable[[], pd.DataFrame]) -> None:
    """A day before the first bill has no incidents, and no stack trace."""
    result = judged(make())
    assert result.anomalies.empty
    assert result.incidents == []
    assert result.abstained


def test_days_with_a_zone_are_days_of_utc() -> None:
    """Midnight in another zone is the evening before."""
    history = leaf(spiked())
    zoned = history.assign(ds=history["ds"].dt.tz_localize("UTC").dt.tz_convert("Asia/Tokyo"))
    same(judged(zoned), judged(history))
