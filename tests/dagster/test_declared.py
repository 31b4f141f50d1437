"""What Git and commitments changed around an incident is read from a repository and a bill."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, timedelta
from decimal import Decimal
from typing import Any, cast

import duckdb
import pandas as pd
import pytest

from finops_dagster.defs.estate import Estate
from finops_dagster.defs.insight.declared import changes_around
from finops_dagster.demo import plan as plans
from finops_dagster.demo import settings_file
from finops_dagster.demo.repository import IMPORTED_ON, write_repository
from finops_dagster.demo.seasons import AS_OF
from finops_dagster.domain.changes import By
from finops_dagster.domain.incidents import Incident
from finops_dagster.engines.anomalies import explain
from finops_dagster.settings import load
from finops_dagster.storage.publication import PublishedReader
from tests.builders import incident

ADDED = "Deployment/ml-serving/embedding-trainer"
BEGUN = date(2026, 5, 25)
BOUGHT = BEGUN + timedelta(days=40)
FIRST = BEGUN - timedelta(days=60)


class Bill:
    """A bill of one account as the two marts that are asked."""

    def __init__(self) -> None:
        rows = []
        for number in range(150):
            day = FIRST + timedelta(days=number)
            covered = day >= BOUGHT
            rows += [
                ("compute", "search", day, "Deployment/shop/web", "100", "100", None),
                ("compute", "search", day, None, "7", "7", None),
                ("sql", "search", day, None, "30" if covered else "50", "50", covered),
            ]
            if day >= BEGUN:
                rows.append(("compute", "search", day, ADDED, "300", "300", None))
        self.charges = pd.DataFrame(
            [
                ("1234", "1", *row[:4], "i-1", Decimal(row[4]), Decimal(row[5]), "USD", "Usage",
                 *(("Used", "plan-1", "Plan") if row[6] else (None, None, None)))
                for row in rows
            ],
            columns=[
                "sub_account_id", "billing_account_id", "service_name", "team", "charge_date",
                "resource", "resource_id", "effective_cost", "contracted_cost", "billing_currency",
                "charge_category", "commitment_discount_status", "commitment_discount_id",
                "commitment_discount_name",
            ],
        )  # fmt: skip

    def frame(
        self, mart: str, query: str, *, given: Mapping[str, Any] | None = None, **_: Any
    ) -> pd.DataFrame:
        with duckdb.connect() as connection:
            connection.register("charges", self.charges)
            connection.execute(
                "create view mart as select *, effective_cost as used_cost from charges "
                + (
                    "where commitment_discount_status = 'Used'"
                    if mart == "fct_commitments_daily"
                    else ""
                )
            )
            found: pd.DataFrame = connection.execute(query, given).to_arrow_table().to_pandas()
            return found

    def records(self, mart: str, query: str) -> list[dict[str, Any]]:
        return cast("list[dict[str, Any]]", self.frame(mart, query).to_dict("records"))


@pytest.fixture(scope="module")
def bill() -> Bill:
    return Bill()


@pytest.fixture(scope="module")
def estate(tmp_path_factory: pytest.TempPathFactory) -> Estate:
    folder = tmp_path_factory.mktemp("estate")
    write_repository(folder / "gitops.git", plans.build(3))
    text = settings_file.settings_text(3, FIRST, AS_OF)
    (folder / "finops.yaml").write_text(text, encoding="utf-8")
    return Estate(load(folder / "finops.yaml", check_paths=False))


def began(since: date, service: str = "compute") -> Incident:
    return incident(since=since, last_seen=since + timedelta(days=6), service=service)


def explained(estate: Estate, bill: Bill, *found: Incident) -> list[Incident]:
    reader = cast(PublishedReader, bill)
    changes, abstained = changes_around(estate, reader, found, AS_OF)
    assert abstained == []
    return explain(found, (), changes, AS_OF)


def test_the_commit_that_added_a_workload_explains_its_cost(estate: Estate, bill: Bill) -> None:
    """Nobody should have to look up in Git why a bill rose."""
    (one,) = explained(estate, bill, began(BEGUN))
    assert one.explained is not None
    (change,) = one.explained.changes
    assert (change.key, change.by, change.begins) == (ADDED, By.GIT, True)
    assert [(commit.on, commit.subject) for commit in change.commits] == [
        (BEGUN, "Add embedding-trainer in prod")
    ]


def test_what_a_commitment_saves_explains_a_fall(estate: Estate, bill: Bill) -> None:
    """A reservation that begins is bought, not found."""
    (one,) = explained(estate, bill, began(BOUGHT, "sql"))
    assert one.explained is not None
    assert (one.explained.by, one.explained.because) == ((By.COMMITMENT,), "Plan begins")


def test_other_days_and_other_costs_are_news(estate: Estate, bill: Bill) -> None:
    """An excuse of another week or another service is none."""
    found = explained(
        estate, bill, began(BEGUN + timedelta(days=5)), began(BEGUN, "sql"), began(BOUGHT)
    )
    assert [one.explained for one in found] == [None, None, None]


def test_a_repository_that_is_younger_explains_nothing(estate: Estate, bill: Bill) -> None:
    """The first commit of a repository declares everything, and changes nothing."""
    changes, _ = changes_around(estate, cast(PublishedReader, bill), [began(IMPORTED_ON)], AS_OF)
    assert changes.by_onset == {IMPORTED_ON: []}


def test_changed_costs_and_the_rest_sum_to_the_bill(estate: Estate, bill: Bill) -> None:
    """A share of a sum that is not the bill's is a share of nothing."""
    reader = cast(PublishedReader, bill)
    changes, _ = changes_around(estate, reader, [began(BEGUN), began(BOUGHT, "sql")], AS_OF)
    told = changes.costs.groupby(["service", "ds"])["cost"].sum()
    billed = bill.charges.assign(cost=bill.charges["effective_cost"].astype(float))
    since = BEGUN - timedelta(days=21)
    billed = billed[billed["charge_date"] >= since]
    asked = billed.groupby(["service_name", "charge_date"])["cost"].sum()
    assert told.to_list() == pytest.approx(asked.to_list(), abs=1e-9)
    assert set(changes.costs["key"]) == {"", ADDED, "commitments of 1234"}


def test_no_repository_to_read_is_said_and_stops_nothing(estate: Estate, bill: Bill) -> None:
    """Who looks for the cause of a cost must know that Git was not asked."""
    settings = estate.settings
    assert settings.desired_state is not None
    gone = settings.desired_state.model_copy(update={"repository": "/no/such/repository.git"})
    lost = Estate(settings.model_copy(update={"desired_state": gone}))
    one = incident(since=BOUGHT, service="sql", last_seen=BOUGHT + timedelta(days=6))
    changes, abstained = changes_around(lost, cast(PublishedReader, bill), [one], AS_OF)
    assert [(each.subject, "not a Git repository" in each.reason) for each in abstained] == [
        ("changes in Git", True)
    ]
    (told,) = explain([one], (), changes, AS_OF)
    assert told.explained is not None


def test_a_day_that_is_decided_again_does_not_read_later_commits(
    estate: Estate, bill: Bill
) -> None:
    """What was merged after the day was decided could not have explained anything."""
    before = BEGUN - timedelta(days=1)
    keys = []
    for as_of in (before, AS_OF):
        changes, _ = changes_around(estate, cast(PublishedReader, bill), [began(before)], as_of)
        keys.append({change.key for change in changes.by_onset[before]})
    assert ADDED not in keys[0]
    assert ADDED in keys[1]
