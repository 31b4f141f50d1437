"""Known events on a forecast: what they move, from which day, and what they leave alone."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import Any

import numpy as np
import pandas as pd

from finops_dagster.domain.events import Event
from finops_dagster.engines.forecasting.events import Applied, Makeup, apply_events

NEWEST = date(2026, 10, 31)
MEANS = {"total|USD|all": 100.0, "team|USD|search": 40.0, "team|USD|pay": 60.0}


def forecasts() -> tuple[pd.DataFrame, pd.DataFrame]:
    """Four days of three series, and what explains the first and the last."""
    rows = [
        {
            "unique_id": name,
            "ds": pd.Timestamp("2026-10-31") + pd.Timedelta(days=step),
            "step": step,
            "mean": mean,
            "lo80": mean - 1,
            "hi80": mean + 1,
            "lo95": mean - 2,
            "hi95": mean + 4,
        }
        for name, mean in MEANS.items()
        for step in (1, 2, 3, 4)
    ]
    frame = pd.DataFrame(rows)
    explained = frame.loc[frame["step"].isin([1, 4]), ["unique_id", "ds", "step"]].assign(
        feature="base", contribution=frame["mean"]
    )
    return frame, explained


def makeup() -> Makeup:
    """Search has a quarter of its cost in a database, the other team none."""
    costs = pd.DataFrame(
        [
            ("search", "Compute", "1", "USD", 840.0),
            ("search", "Database", "1", "USD", 280.0),
            ("pay", "Compute", "2", "USD", 1680.0),
            (None, "Compute", "3", "EUR", 500.0),
        ],
        columns=["team", "service", "account", "currency", "cost"],
    )
    members = [(0, "total|USD|all"), (1, "total|USD|all"), (2, "total|USD|all"),
               (0, "team|USD|search"), (1, "team|USD|search"), (2, "team|USD|pay"),
               (3, "total|EUR|all")]  # fmt: skip
    return Makeup(costs, pd.DataFrame(members, columns=["part", "unique_id"]))


def event(**changed: Any) -> Event:
    return Event(**{"name": "cut", "from": date(2026, 11, 3), **changed})


def applied(*events: Event, as_of: date = NEWEST) -> Applied:
    return apply_events(*forecasts(), events, makeup(), NEWEST, as_of)


def column(result: Applied, name: str, of: str) -> list[float]:
    frame = result.frame
    return [float(value) for value in frame.loc[frame["unique_id"] == name, of]]


def test_a_share_moves_what_it_is_of_from_its_day_on() -> None:
    """Half off a database that is a quarter of a team's cost is an eighth off the team."""
    result = applied(event(of={"service": ["data*"]}, change=-0.5))
    assert column(result, "team|USD|search", "mean") == [40, 40, 35, 35]
    assert column(result, "team|USD|search", "lo80") == [39, 39, 34, 34]
    assert column(result, "team|USD|search", "hi95") == [44, 44, 39, 39]
    assert column(result, "team|USD|pay", "mean") == [60, 60, 60, 60]
    assert column(result, "total|USD|all", "mean") == [100, 100, 95, 95]
    assert [one.name for one in result.applied] == ["cut"]
    assert result.abstained == []


def test_growth_makes_intervals_wider_by_as_much() -> None:
    """Twice the cost has twice the noise; half of it may come later than planned."""
    result = applied(event(of={"team": ["search"]}, change=1.0, until=date(2026, 11, 3)))
    assert column(result, "team|USD|search", "mean") == [40, 40, 80, 40]
    assert column(result, "team|USD|search", "lo95") == [38, 38, 76, 38]
    assert column(result, "team|USD|search", "hi95") == [44, 44, 88, 44]


def test_an_amount_is_shared_by_what_it_is_of_in_its_own_currency() -> None:
    """Euros added to a forecast in dollars are no number of anything."""
    result = applied(event(of={"service": ["Compute"]}, amount=Decimal(-30), currency="USD"))
    assert column(result, "team|USD|search", "mean") == [40, 40, 30, 30]
    assert column(result, "team|USD|pay", "mean") == [60, 60, 40, 40]
    assert column(result, "total|USD|all", "mean") == [100, 100, 70, 70]
    other = applied(event(amount=Decimal(-30), currency="JPY"))
    pd.testing.assert_frame_equal(other.frame, forecasts()[0])
    assert [one.reason for one in other.abstained] == [
        "not applied: nothing that it is of cost anything in the 28 days up to 2026-10-31"
    ]


def test_events_add_up_and_explain_themselves() -> None:
    """An explanation that does not sum to the forecast explains another one."""
    result = applied(
        event(name="price", change=0.1, **{"from": date(2026, 11, 1)}),
        event(name="move", amount=Decimal(7), currency="USD", of={"team": ["pay"]}),
    )
    assert column(result, "team|USD|pay", "mean") == [66, 66, 73, 73]
    sums = result.contributions.groupby(["unique_id", "step"])["contribution"].sum()
    means = result.frame.set_index(["unique_id", "step"])["mean"]
    np.testing.assert_allclose(sums, means.loc[sums.index])
    told = result.contributions.set_index(["unique_id", "step", "feature"])["contribution"]
    assert told["team|USD|pay", 4, "event: move"] == 7
    assert ("team|USD|pay", 1, "event: move") not in told.index
    assert ("team|USD|search", 4, "event: move") not in told.index


def test_what_has_begun_is_left_to_the_costs_that_show_it() -> None:
    """A cut that bills show already would be cut again."""
    result = applied(event(change=-0.5, **{"from": NEWEST}))
    pd.testing.assert_frame_equal(result.frame, forecasts()[0])
    (told,) = result.abstained
    assert told.subject == "event: cut"
    assert told.reason == (
        "not applied: it began on 2026-10-31, and costs are known up to 2026-10-31"
    )
    assert result.applied == ()


def test_a_day_before_it_was_known_is_decided_without_it() -> None:
    """A replay that knows next month's prices proves nothing."""
    secret = event(change=-0.5, known_from=date(2026, 11, 2))
    before = applied(secret)
    pd.testing.assert_frame_equal(before.frame, forecasts()[0])
    assert before.abstained == []
    assert applied(secret, as_of=date(2026, 11, 2)).applied == (secret,)


def test_what_begins_after_the_forecast_says_nothing() -> None:
    later = applied(event(change=-0.5, **{"from": date(2027, 1, 1)}))
    assert (later.applied, later.abstained) == ((), [])
