"""Daily cost watched as a stream: what a batch says, day by day, through state that was saved."""

from __future__ import annotations

import io
from datetime import date
from typing import Any

import numpy as np
import pandas as pd
import pytest

from finops_dagster.domain.alerts import Answer, Opinion
from finops_dagster.domain.periods import day_start
from finops_dagster.engines.anomalies import (
    CostWatch,
    DetectionConfig,
    DetectionResult,
    detect,
    told,
)

DAYS = pd.date_range("2025-01-01", periods=365)
CONFIG = DetectionConfig(lookback_days=365, report_days=365)


def estate(seed: int = 1) -> pd.DataFrame:
    """Two accounts of leaves with two meters each; some begin midway, some end, much happens."""
    rng = np.random.default_rng(seed)
    parts = []
    for i in range(9):
        first, last = {6: (200, 365), 7: (0, 250), 8: (150, 365)}.get(i, (0, 365))
        days = DAYS[first:last]
        weekend = np.where(days.dayofweek >= 5, 0.5 + 0.1 * (i % 4), 1.0)
        for k, price in enumerate((0.5, 0.2)):
            quantity = 100 * (i + 1) * weekend * np.exp(rng.normal(0, 0.03, len(days)))
            number = np.arange(first, last)
            cost = quantity * price
            if i == 1:
                quantity = np.where((number >= 220) & (number < 222), quantity * 4, quantity)
                cost = quantity * price
            if i == 2 and k == 0:
                quantity = quantity * 1.015 ** np.clip(number - 240, 0, 40)
                cost = quantity * price
            if i == 3:
                cost = cost * np.where(number >= 260, 1.08, 1.0)
            if i == 4:
                move = np.where(number >= 280, 0.4 if k == 0 else 2.5, 1.0)
                quantity, cost = quantity * move, cost * move
            parts.append(
                pd.DataFrame(
                    {
                        "account": "acc-b" if i in (5, 8) else "acc-a", "service": f"svc{i}",
                        "team": f"team{i % 2}", "currency": "USD", "meter": f"m{k}",
                        "unit": "hours", "ds": days, "cost": cost, "quantity": quantity,
                    }
                )
            )  # fmt: skip
    return pd.concat(parts, ignore_index=True)


def saved(state: dict[str, Any]) -> dict[str, Any]:
    """Written as plain arrays and read back: nothing of Python's own is in it."""
    file = io.BytesIO()
    np.savez(file, **state)
    file.seek(0)
    with np.load(file, allow_pickle=False) as arrays:
        return dict(arrays)


def same(first: DetectionResult, second: DetectionResult) -> None:
    pd.testing.assert_frame_equal(first.anomalies, second.anomalies, rtol=1e-9, atol=0)
    assert first.incidents == second.incidents
    assert first.abstained == second.abstained


@pytest.mark.parametrize(
    "days", [130, pytest.param(365, marks=pytest.mark.conformance)], ids=["months", "a year"]
)
def test_day_by_day_through_saved_state_is_the_batch(days: int) -> None:
    """A stream that says something else than the batch makes every rerun another truth."""
    history = estate()
    # the months in which most happens
    first = 0 if days == len(DAYS) else 180
    watched = DAYS[first : first + days]
    history = history[history["ds"] >= watched[0]]
    as_of = watched[-1].date()
    batch = detect(history, as_of, CONFIG)
    watch = CostWatch(CONFIG)
    by_day = dict(list(history.groupby("ds")))
    for number, day in enumerate(watched):
        watch.take(by_day.get(day, history.iloc[:0]), day.date())
        if number % 5 == 0:
            watch = CostWatch.restored(saved(watch.state()), CONFIG)
    same(told(watch, as_of), batch)
    kinds = {"price", "mix"} if first else {"point", "slow", "price", "mix", "new"}
    assert set(batch.anomalies["kind"]) >= kinds


@pytest.mark.parametrize("day", [262, 330])
def test_nothing_that_follows_changes_what_was_said(day: int) -> None:
    """A verdict that changes with what came after cannot be audited."""
    history = estate()
    as_of = DAYS[day].date()
    known = history[history["ds"] <= DAYS[day]]
    wild = history.assign(
        cost=np.where(history["ds"] > DAYS[day], history["cost"] * 50, history["cost"]),
        quantity=np.where(history["ds"] > DAYS[day], np.nan, history["quantity"]),
    )
    stranger = history[history["ds"] > DAYS[day]].assign(account="a", service="0", cost=1e9)
    base = detect(known, as_of, CONFIG)
    same(detect(pd.concat([stranger, wild]), as_of, CONFIG), base)
    whole = detect(history, DAYS[-1].date(), CONFIG).anomalies
    until = whole[whole["ds"] <= DAYS[day]].reset_index(drop=True)
    pd.testing.assert_frame_equal(base.anomalies, until)


def test_a_day_without_rows_costs_nothing_and_is_taken() -> None:
    """A stream that skips a day counts weekdays wrongly ever after."""
    history = estate()
    gone = history[(history["ds"] < DAYS[300]) | (history["ds"] > DAYS[303])]
    watch = CostWatch(CONFIG)
    watch.take(gone[gone["ds"] <= DAYS[299]], DAYS[299].date())
    watch.take(gone[gone["ds"] > DAYS[299]], DAYS[310].date())
    same(told(watch, DAYS[310].date()), detect(gone, DAYS[310].date(), CONFIG))
    missing = told(watch, DAYS[310].date()).anomalies.query("kind == 'missing'")
    assert set(missing["ds"]) <= set(DAYS[300:304])
    assert DAYS[300] in set(missing["ds"])


def test_a_day_taken_before_is_refused() -> None:
    """A day counted twice doubles the bill of it."""
    history = estate()
    watch = CostWatch()
    watch.take(history, DAYS[50].date())
    with pytest.raises(ValueError, match=r"2025-02-01 was taken before: the newest day is"):
        watch.take(history[history["ds"] >= "2025-02-01"], DAYS[60].date())


def test_state_does_not_grow_with_the_days() -> None:
    """State that grows makes each day dearer than the one before."""
    history = estate()
    watch = CostWatch(DetectionConfig(report_days=30))
    sizes = []
    for until in (320, 364):
        rows = history if watch.day is None else history[history["ds"] > DAYS[320]]
        watch.take(rows, DAYS[until].date())
        state = watch.state()
        sizes.append(sum(v.nbytes for k, v in state.items() if k.startswith("ring_")))
        assert all(isinstance(v, int | np.ndarray) for v in state.values())
        assert all(v.dtype != object for v in state.values() if isinstance(v, np.ndarray))
    assert sizes[0] == sizes[1]


def test_an_estate_without_a_day_is_saved_too() -> None:
    """The first day of an installation has nothing to save."""
    watch = CostWatch.restored(saved(CostWatch().state()))
    watch.take(estate(), date(2025, 1, 5))
    assert watch.day == date(2025, 1, 5).toordinal()


def test_noise_raises_the_threshold_of_its_leaf_alone() -> None:
    """Somebody who said twice that it is noise is not asked a third time."""
    history = estate()
    rows = (history["service"] == "svc0") & (history["ds"] == DAYS[300])
    mild = history.assign(cost=np.where(rows, history["cost"] * 1.35, history["cost"]))
    rows = (history["service"] == "svc5") & (history["ds"] == DAYS[310])
    mild["cost"] = np.where(rows, mild["cost"] * 1.35, mild["cost"])
    leaf = ("acc-a", "svc0", "team0", "USD")
    said = [
        Answer(incident=str(n), opinion=Opinion.NOISE, parts=(leaf,), said_at=day_start(on.date()))
        for n, on in enumerate(DAYS[[200, 210, 220]])
    ]

    def leaves(answers: list[Answer]) -> set[str]:
        found = detect(mild, DAYS[320].date(), CONFIG, answers).anomalies
        return set(found[found["ds"] >= DAYS[300]].query("kind == 'point'")["service"])

    assert leaves([]) >= {"svc0", "svc5"}
    assert "svc0" not in leaves(said)
    assert "svc5" in leaves(said)
    after = day_start(DAYS[301].date())
    late = [one.model_copy(update={"said_at": after}) for one in said]
    assert "svc0" in leaves(late)
