"""Commitments are read from marts as they are published: hours, resources, what was bought."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from decimal import Decimal
from types import SimpleNamespace
from typing import Any, cast

import duckdb
import pandas as pd
import pytest

from finops_dagster.defs.estate import Estate
from finops_dagster.defs.insight import resources
from finops_dagster.defs.insight.waste import commitments as reading
from finops_dagster.engines.optimisation import FindResult
from finops_dagster.settings.commitments import CommitmentSettings
from finops_dagster.storage.publication import PublishedReader
from tests.unit.engines.committing import PLACE, TODAY, other, rows


class Marts:
    """Frames that are asked as marts are."""

    def __init__(self, **marts: pd.DataFrame) -> None:
        self.marts = marts

    def frame(
        self, mart: str, query: str, given: Mapping[str, Any] | None = None, **_: Any
    ) -> pd.DataFrame | None:
        if mart not in self.marts:
            return None
        with duckdb.connect() as connection:
            connection.execute("set TimeZone = 'UTC'")
            connection.register("mart", self.marts[mart])
            return connection.execute(query, given).df()

    def records(self, mart: str, query: str, **_: Any) -> list[dict[str, Any]]:
        if mart not in self.marts:
            return []
        with duckdb.connect() as connection:
            connection.register("mart", self.marts[mart])
            found: list[dict[str, Any]] = connection.execute(query).to_arrow_table().to_pylist()
            return found


def a_bill() -> Marts:
    """10 an hour of which a plan, bought at once for a year, pays for 2; web runs on 3 of it."""
    usage = pd.concat(
        [
            rows(8).assign(source="s", billing_period=TODAY),
            rows(2, kind="committed", paid=0.6, commitment_discount_id="plan"),
        ]
    )
    sku = {"source": "s", "billing_period": TODAY.replace(day=1), "sku_id": "m5.large",
           "sku_meter": None, "consumed_unit": "Hours"}  # fmt: skip
    place = {key: value for key, value in PLACE.items() if key != "instance_family"}
    costs = pd.DataFrame(
        [
            {
                **sku, **place, "charge_date": TODAY - timedelta(days=number),
                "charge_category": "Usage", "resource": "Deployment/shop/web",
                "resource_id": "i/1", "sub_account_id": "7", "commitment_discount_status": None,
                "effective_cost": Decimal(72), "contracted_cost": Decimal(72),
            }
            for number in range(28)
        ]
    )  # fmt: skip
    skus = pd.DataFrame(
        [
            {key: place.get(key, sku.get(key)) for key in (
                "source", "billing_period", "provider_name", "service_category", "service_name",
                "sku_id", "sku_meter", "consumed_unit",
            )} | {"instance_family": "m5"}
        ]
    )  # fmt: skip
    held = pd.DataFrame(
        [
            {
                "commitment_discount_id": "plan", "commitment_discount_type": "Savings Plan",
                "commitment_discount_name": "mine", "commitment_discount_category": "Spend",
                "charge_date": day, "term_ends": ends,
            }
            for day, ends in (
                (TODAY - timedelta(days=292), TODAY + timedelta(days=73)),
                (TODAY, None),
            )
        ]
    )  # fmt: skip
    return Marts(
        fct_committable_usage_hourly=usage,
        fct_costs_daily=costs,
        dim_skus=skus,
        fct_commitments_daily=held,
    )


def found(
    marts: Marts, monkeypatch: pytest.MonkeyPatch, name: str = "Deployment/shop/web", **told: Any
) -> FindResult:
    monkeypatch.setattr(resources, "reader", lambda *_: None)
    settings = SimpleNamespace(
        commitments=CommitmentSettings.model_validate(told),
        limits=SimpleNamespace(min_saving_per_month=Decimal(5)),
    )
    estate = SimpleNamespace(settings=settings, day=lambda _: SimpleNamespace(frame=lambda _: None))
    return reading.commitments(
        cast(Estate, estate), cast(PublishedReader, marts), TODAY, [other("1095", name)]
    )


def test_a_bill_is_read_to_what_is_worth_committing_to(monkeypatch: pytest.MonkeyPatch) -> None:
    """Half of web is to go: 8.5 are left, of which a plan pays for 2 in the first 73 days."""
    offers = [{"provider": "aws", "term_months": 12, "price_share": "0.7"}]
    (one,) = found(a_bill(), monkeypatch, offers=offers).findings
    assert one.resource == "Commitment/11:22/AWS-compute-USD"
    assert one.reaches == ("Deployment/shop/web",)
    figures = one.evidence.figures
    assert figures["in_force_per_hour"] == 2
    assert figures["planned_away_per_month"] == pytest.approx(1095, rel=1e-6)
    assert figures["covers_per_hour"] == pytest.approx(8.5, abs=1e-3)
    # .2 x 6.5 + .8 x 8.5 are used of 8.5 at .7
    assert float(one.saving_per_month.mid) == pytest.approx((8.1 - 5.95) * 730, abs=1)


def test_the_plan_on_the_bill_is_an_offer_of_a_year(monkeypatch: pytest.MonkeyPatch) -> None:
    """Bought at once for 365 days: 12 months, all upfront, at what it really costs."""
    (one,) = found(a_bill(), monkeypatch).findings
    assert one.evidence.figures["term_months"] == 12
    assert one.evidence.figures["price_share"] == 0.6
    assert '"payment": "all_upfront"' in one.suggestion


@pytest.mark.parametrize(
    ("name", "planned"),
    [
        ("VirtualMachine/7/i:1", 1095),
        ("VirtualMachine/11/i:1", 0),
        ("Deployment/shop/i:1", 0),
        ("Deployment/shop/web", 0),
    ],
)
def test_a_cloud_resource_is_known_by_its_account_and_id(
    monkeypatch: pytest.MonkeyPatch, name: str, planned: float
) -> None:
    """A machine of another account, or a workload of the same name, is another thing."""
    marts = a_bill()
    marts.marts["fct_costs_daily"]["resource"] = pd.Series([None] * 28, dtype=str)
    offers = [{"term_months": 12, "price_share": "0.7"}]
    (one,) = found(marts, monkeypatch, name=name, offers=offers).findings
    assert one.evidence.figures["planned_away_per_month"] == pytest.approx(planned)


def test_a_publication_without_the_mart_says_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """A day decided on a publication of before has no hours, and no fault."""
    assert found(Marts(), monkeypatch) == FindResult(findings=[], abstained=[])
