"""Costs are watched as far as they are billed: what has not come in has not fallen."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any, cast

import duckdb
import numpy as np
import pandas as pd

from finops_dagster.defs.insight import facts
from finops_dagster.defs.insight.watched import watched
from finops_dagster.storage.publication import PublishedReader

AS_OF = date(2026, 3, 31)
DAYS = [AS_OF - timedelta(days=n) for n in range(119, -1, -1)]


def history(**newest: date) -> pd.DataFrame:
    """Three services a day of each account, up to its newest day; b's first one rises at last."""
    rng = np.random.default_rng(5)
    rows = []
    for account, last in newest.items():
        for service in ("x", "y", "z"):
            for day in DAYS:
                cost = 100 + rng.normal(0, 1)
                rises = account == "b" and service == "x" and day > last - timedelta(days=3)
                if day <= last:
                    rows.append((account, service, "t", "USD", day, cost * (3 if rises else 1)))
    columns = ["account", "service", "team", "currency", "ds", "cost"]
    return pd.DataFrame(rows, columns=columns)


def days_before(number: int) -> date:
    return AS_OF - timedelta(days=number)


def test_a_source_that_lags_has_not_fallen() -> None:
    """A bill that comes two days late must not look like two days without cost."""
    until = {"a": AS_OF, "b": days_before(2), "c": days_before(2)}
    result = watched(history(**until), until, AS_OF, 3)
    (one,) = result.incidents
    assert (one.dimensions[0].account, one.since) == ("b", days_before(4))
    assert one.ongoing
    assert [
        (each.subject, each.reason) for each in result.abstained if "billed" in each.reason
    ] == [("b, c", "billed until 2026-03-29, 2 days before: not judged since")]


def test_without_a_lag_all_are_watched_together() -> None:
    """What moves all accounts at once is a season only to who sees all of them."""
    until = dict.fromkeys(("a", "b", "c"), AS_OF)
    rows = history(**until)
    apart = [watched(rows, {name: AS_OF}, AS_OF, 3).incidents for name in until]
    together = watched(rows, until, AS_OF, 3)
    assert [one.dimensions[0].account for one in together.incidents] == ["b"]
    assert [len(found) for found in apart] == [0, 1, 0]
    assert not [each for each in together.abstained if "billed until" in each.reason]


def test_one_that_is_billed_no_more_is_said_to_be() -> None:
    """A month after the last bill nothing of it is news, and silence would look like calm."""
    until = {"b": days_before(30)}
    result = watched(history(**until), until, AS_OF, 3)
    assert result.incidents == []
    assert list(result.anomalies.columns[:4]) == ["account", "service", "team", "currency"]
    assert [(each.subject, each.reason) for each in result.abstained] == [
        ("b", "billed until 2026-03-01, 30 days before: too long ago to say what moved")
    ]


class Mart:
    """Costs of three accounts by two sources."""

    charges = pd.DataFrame(
        [
            ("s1", "a", date(2026, 3, 30), "Usage"), ("s1", "b", date(2026, 3, 10), "Usage"),
            ("s2", "c", date(2026, 3, 28), "Usage"), ("s2", "c", date(2026, 3, 31), "Tax"),
            ("s1", "a", date(2026, 4, 2), "Usage"),
        ],
        columns=["source", "sub_account_id", "charge_date", "charge_category"],
    ).assign(billing_account_id="1")  # fmt: skip

    def records(self, mart: str, query: str) -> list[dict[str, Any]]:
        with duckdb.connect() as connection:
            connection.register("mart", self.charges)
            return cast(
                "list[dict[str, Any]]", connection.execute(query).to_arrow_table().to_pylist()
            )


def test_an_account_is_billed_as_far_as_its_source_is() -> None:
    """One that stopped while its source goes on has really stopped."""
    reader = cast(PublishedReader, Mart())
    assert facts.billed_until(reader, AS_OF) == {
        "a": date(2026, 3, 30), "b": date(2026, 3, 30), "c": date(2026, 3, 28),
    }  # fmt: skip


def test_forecasts_begin_where_every_source_that_goes_on_has_billed() -> None:
    """Days of one cloud without the other would be learnt as a fall of the total."""
    until = {"a": AS_OF, "b": days_before(2), "c": days_before(40)}
    rows = history(**until)
    kept = facts.billed_in_full(rows, until, days_before(3))
    assert kept["ds"].max() == days_before(2)
    assert set(kept["account"]) == {"a", "b", "c"}
    assert facts.billed_in_full(rows, {"c": days_before(40)}, days_before(3)) is rows
