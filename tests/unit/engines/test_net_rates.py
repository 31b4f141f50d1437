"""Net unit prices by hand: reservations, savings plans, credits and enterprise discounts."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pandas as pd
import pytest

from finops_dagster.domain.decisions import FindingKind
from finops_dagster.engines.optimisation import find, propose, unit_prices
from tests.unit.engines.estates import (
    AS_OF,
    GIB,
    Workload,
    context,
    measurements,
    steady,
)

A, B = "Deployment/shop/a", "Deployment/shop/b"


def charge(resource: str | None = A, quantity: str | None = "24", cost: str = "0.96", **more: Any):
    """24 vCPU-hours at 0.04 on demand, unless said otherwise."""
    given: dict[str, Any] = {
        "resource": resource,
        "sku_meter": "vCPU-hours",
        "consumed_unit": "vCPU-Hours",
        "billing_currency": "USD",
        "charge_category": "Usage",
        "charge_date": pd.Timestamp(AS_OF),
        "consumed_quantity": None if quantity is None else Decimal(quantity),
        "effective_cost": Decimal(cost),
        "contracted_cost": None,
        "list_cost": None,
        "commitment_discount_status": None,
        "provider_name": "AWS",
        "billing_account_id": "1",
        "service_name": "Compute",
        "region_id": "eu-west-1",
    }
    return given | more


def covered(resource: str = A, cost: str = "0.60", on_demand: str = "0.96", **more: Any):
    """The same 24 hours, paid for by a commitment."""
    return charge(resource, cost=cost, commitment_discount_status="Used",
                  contracted_cost=Decimal(on_demand), **more)  # fmt: skip


def price(*rows: dict[str, Any], resource: str = A) -> Decimal:
    """Unit price of the resource's cpu, to 1e-12."""
    out = unit_prices(pd.DataFrame(rows), AS_OF)
    (found,) = out.loc[(out["resource"] == resource) & (out["meter"] == "cpu"), "unit_price"]
    return round(Decimal(found), 12)


@pytest.mark.parametrize(
    ("rows", "expected"),
    [
        # an enterprise discount of 10 % in the effective cost: 0.864 / 24
        ([charge(cost="0.864", list_cost=Decimal("0.96"))], "0.036"),
        # the same as a charge of its own on the meter, with and without a quantity
        ([charge(), charge(quantity="0", cost="-0.096")], "0.036"),
        ([charge(), charge(quantity=None, cost="-0.096")], "0.036"),
        # a discount that names the resource alone: 10 % of all of it
        ([charge(), charge(quantity=None, cost="-0.096", sku_meter=None, consumed_unit=None)],
         "0.036"),
        # a credit of 0.24 on the meter: (0.96 - 0.24) / 24
        ([charge(), charge(quantity=None, cost="-0.24", charge_category="Credit")], "0.03"),
        # a credit of the resource, of which half was cpu: 0.96 less 0.12
        ([charge(), charge(cost="0.96", sku_meter="GiB-hours", consumed_unit="GiB-Hours"),
          charge(quantity=None, cost="-0.24", charge_category="Credit", sku_meter=None,
                 consumed_unit=None)], "0.035"),
        # credits pay for everything
        ([charge(), charge(quantity=None, cost="-0.96", charge_category="Credit")], "0"),
        # a refund and a tax are no price
        ([charge(), charge(quantity=None, cost="-0.5", charge_category="Adjustment"),
          charge(quantity=None, cost="0.2", charge_category="Tax")], "0.04"),
    ],
)  # fmt: skip
def test_discounts_and_credits_are_in_the_rate(rows: list[dict[str, Any]], expected: str) -> None:
    """A promise at a price that was never paid is never kept."""
    assert price(*rows) == Decimal(expected)


@pytest.mark.parametrize(
    ("rows", "expected"),
    [
        # fully reserved, and nothing else runs there: paid for whether it runs or not
        ([covered()], "0"),
        # another machine of the same region runs on demand for as much: all of 0.60 counts
        ([covered(), charge(B)], "0.025"),
        # for a quarter as much: a quarter of 0.60
        ([covered(), charge(B, quantity="6", cost="0.24")], "0.00625"),
        # two that would free 0.96 each share what is there: 0.48 of 1.92, a quarter each
        ([covered(), covered(B), charge("Deployment/shop/c", quantity="12", cost="0.48")],
         "0.00625"),
        # half of it on demand itself, and nothing else: (0.96 + 0) / 48
        ([covered(), charge()], "0.02"),
        # a savings plan's usage at 0.70 of 0.96, with the other's 0.96 on demand
        ([covered(cost="0.672"), charge(B)], "0.028"),
        # elsewhere is another region, account, service, meter or day: not there
        ([covered(), charge(B, region_id="us-east-1")], "0"),
        ([covered(), charge(B, billing_account_id="2")], "0"),
        ([covered(), charge(B, service_name="Database")], "0"),
        ([covered(), charge(B, sku_meter="GiB-hours", consumed_unit="GiB-Hours")], "0"),
        ([covered(), charge(B, charge_date=pd.Timestamp(AS_OF - timedelta(days=1)))], "0"),
        # without a price on demand, what is paid stands for it: 0.24 of 0.60
        ([covered() | {"contracted_cost": None}, charge(B, quantity="6", cost="0.24")], "0.01"),
        # what of a commitment nobody used is nobody's usage
        ([charge(), charge(quantity=None, cost="5", commitment_discount_status="Unused")], "0.04"),
        # a credit lowers what is left of a commitment's share as well: 0.60 x (1 - 0.15 / 0.60)
        ([covered(), charge(B), charge(quantity=None, cost="-0.15", charge_category="Credit")],
         "0.01875"),
    ],
)  # fmt: skip
def test_a_commitment_saves_only_where_it_can_be_used_elsewhere(
    rows: list[dict[str, Any]], expected: str
) -> None:
    """Stopping what a reservation pays for leaves the reservation to be paid."""
    assert price(*rows) == Decimal(expected)


def test_a_fully_committed_machine_saves_nothing_by_sizing_or_stopping() -> None:
    """Neither is proposed, with the reason; until other usage could take the commitment over."""
    big = Workload(A, steady(0.3, 0.02, 1), steady(0.9 * GIB, 0.01 * GIB, 2))
    idle = Workload(B, steady(0.002, 0.0001, 8), steady(0.1 * GIB, 0.001 * GIB, 9), network=20.0)
    rows = []
    for back in range(14):
        day = {"charge_date": pd.Timestamp(AS_OF - timedelta(days=back))}
        for resource in (A, B):
            rows.append(covered(resource, "1.2", "1.92", consumed_quantity=Decimal(48), **day))
            rows.append(
                covered(resource, "0.15", "0.24", consumed_quantity=Decimal(48), **day)
                | {"sku_meter": "GiB-hours", "consumed_unit": "GiB-Hours"}
            )
    where, seen = context([big, idle]), measurements([big, idle])

    def proposals(charges: list[dict[str, Any]]) -> Any:
        prices = unit_prices(pd.DataFrame(charges), AS_OF)
        return propose(
            find(seen, prices, where, AS_OF).findings, reconstructed=False, publication_id="p",
            min_saving=Decimal(5), min_confidence=0.7, as_of=AS_OF,
        )  # fmt: skip

    made, left = proposals(rows)
    assert made == []
    assert {one.subject.split(" ")[0] for one in left} == {A, B}
    assert all("commitments that no other usage known of could take over" in one.reason
               for one in left)  # fmt: skip
    other = [
        row | {"resource": "Deployment/shop/c", "commitment_discount_status": None,
               "effective_cost": Decimal(4)}
        for row in rows
    ]  # fmt: skip
    made, _ = proposals([*rows, *other])
    assert {one.kind for one in made} == {FindingKind.RIGHTSIZE_CPU, FindingKind.IDLE_WORKLOAD}
    stop = next(one for one in made if one.kind is FindingKind.IDLE_WORKLOAD)
    # what was paid for it: (1.2 + 0.15) x 365 / 12
    assert float(stop.saving_per_month.mid) == pytest.approx(1.35 * 365 / 12)
