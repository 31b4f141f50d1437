"""Machines as bills, repositories and exporters name them."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import Any

import pandas as pd
import pytest

from finops_dagster.domain.decisions import ValueLocation
from finops_dagster.engines.optimisation import machine_bill as bill
from finops_dagster.engines.optimisation.machine_prices import (
    Market,
    TypePrices,
    billed_prices,
)
from finops_dagster.engines.optimisation.machine_types import Catalogue, lineage
from tests.unit.engines.machine_estates import LIMITS, TYPES

LINUX = "$0.192 per On Demand Linux m5.xlarge Instance Hour"


NO_TAGS = pd.DataFrame(columns=["billing_period", "tag_set_id", "tag_key"])


def row(resource: str = "a", **more: Any) -> dict[str, Any]:
    """A day of an m5.xlarge on Linux, a tenth under its list price."""
    given: dict[str, Any] = {
        "resource": resource, "resource_id": f"arn:aws:ec2:eu-west-1:1:instance/i-{resource}",
        "source": "aws", "resource_name": f"web-{resource}", "usage_kind": "instance_hours",
        "service_category": "Compute", "service_name": "Amazon Elastic Compute Cloud",
        "charge_category": "Usage", "charge_description": LINUX, "sku_meter": "BoxUsage:m5.xlarge",
        "instance_type": "m5.xlarge", "core_count": 4.0, "memory_gib": 16.0, "gpu_count": None,
        "region_id": "eu-west-1", "billing_currency": "USD", "team": "shop",
        "environment": "prod", "charge_date": date(2026, 3, 1), "cluster": None,
        "consumed_unit": "Hrs", "consumed_quantity": Decimal(24),
        "effective_cost": Decimal("4.32"), "list_cost": Decimal("4.8"),
        "commitment_discount_status": None,
    }  # fmt: skip
    return given | more


def hourly(*rows: dict[str, Any]) -> pd.DataFrame:
    return bill.hourly(pd.DataFrame(list(rows)), NO_TAGS)


def prices(*rows: dict[str, Any]) -> dict[tuple[str, str], Decimal]:
    """(type, evidence) -> price an hour."""
    found = billed_prices(bill.charges(hourly(*rows)))
    return {
        (kind, evidence): round(price, 6)
        for kind, evidence, price in found[
            ["instance_type", "evidence", "price_per_hour"]
        ].itertuples(index=False, name=None)
    }


@pytest.mark.parametrize(
    "more",
    [
        {"usage_kind": "snapshot"},
        {"usage_kind": None, "service_category": "Analytics"},
        {"usage_kind": "instance_extra"},
        {"charge_category": "Credit"},
        {"instance_type": None},
        {"consumed_unit": "vCPU-Hours"},
        {"consumed_unit": None},
        {"cluster": "prod"},
        {"gpu_count": 1.0},
        {"resource": None},
    ],
)
def test_only_machines_by_the_hour_are_machines(more: dict[str, Any]) -> None:
    """A node belongs to its autoscaler, and core-hours are no machine's."""
    assert hourly(row(**more)).empty


def test_nodes_and_members_are_told_by_the_tags_that_only_they_have() -> None:
    """A node is its cluster's; of a group nobody changes one member."""
    march = date(2026, 3, 1)
    keys = {"n": "kubernetes.io/cluster/prod", "g": "aws:autoscaling:groupname", "o": "team"}
    tags = pd.DataFrame(
        [(march, one, key) for one, key in keys.items()] + [(date(2026, 2, 1), "x", keys["n"])],
        columns=NO_TAGS.columns,
    )
    rows = [row(one, billing_period=march, tag_set_id=one) for one in ("n", "g", "o", "x")]
    aks = "/subscriptions/1/resourceGroups/MC_shop/providers/x/virtualMachineScaleSets/aks/0"
    scaled = "/subscriptions/1/resourceGroups/shop/providers/x/virtualMachineScaleSets/web/0"
    rows += [
        row("aks", resource_id=aks, billing_period=march, tag_set_id=None),
        row("scaled", resource_id=scaled, billing_period=march, tag_set_id=None),
    ]
    found = bill.machines(bill.hourly(pd.DataFrame(rows), tags), {})

    held = dict(zip(found["resource"], found["held"].str.len() > 0, strict=True))
    assert held == {"g": True, "o": False, "scaled": True, "x": False}


def test_paid_and_listed_prices_are_of_an_hour() -> None:
    """4.32 and 4.80 for 24 hours."""
    assert prices(row(), row("b", instance_type="m5.large", effective_cost=Decimal("2.16"),
                             list_cost=Decimal("2.4"))) == {
        ("m5.xlarge", "paid"): Decimal("0.18"),
        ("m5.xlarge", "listed"): Decimal("0.2"),
        ("m5.large", "paid"): Decimal("0.09"),
        ("m5.large", "listed"): Decimal("0.1"),
    }  # fmt: skip


def test_hours_of_no_known_kind_are_told_by_their_service() -> None:
    """An export with words of its own still bills machines; a cache is no PostgreSQL."""
    database = {"service_category": "Databases", "service_name": "Amazon ElastiCache"}
    rows = hourly(
        row(usage_kind=None),
        row("b", usage_kind=None, charge_description="cache.m5.xlarge hours", **database),
    )
    assert rows["what"].tolist() == ["machine", "database"]
    assert rows["software"].tolist() == ["linux", "engine of Amazon ElastiCache"]


def test_reserved_hours_are_listed_and_not_paid() -> None:
    """What a reservation costs an hour is no price of a type."""
    assert prices(row(commitment_discount_status="Used", effective_cost=Decimal("2"))) == {
        ("m5.xlarge", "listed"): Decimal("0.2")
    }


def test_machines_that_pay_differently_have_no_price() -> None:
    """Half of it was credited: the mean of both would be nobody's price."""
    assert prices(row(), row("b", effective_cost=Decimal("2.16"))) == {
        ("m5.xlarge", "listed"): Decimal("0.2")
    }


@pytest.mark.parametrize(
    "more",
    [
        {"consumed_quantity": None},
        {"consumed_quantity": Decimal(0)},
        {"consumed_quantity": Decimal(-24)},
        {"effective_cost": None, "list_cost": None},
        {"effective_cost": Decimal("-1"), "list_cost": Decimal(0)},
        {"effective_cost": Decimal("NaN"), "list_cost": float("nan")},
        {"charge_description": "m5.xlarge Linux Spot Instance hour"},
    ],
)
def test_what_is_no_price_makes_none(more: dict[str, Any]) -> None:
    """Refunds, gaps and spot would make a type look cheap."""
    assert prices(row(**more)) == {}


def test_currencies_and_software_are_markets_apart() -> None:
    """Windows costs more, and a euro is no dollar."""
    found = billed_prices(
        bill.charges(
            hourly(
                row(),
                row("b", billing_currency="EUR"),
                row("c", charge_description="On Demand Windows m5.xlarge Instance Hour"),
            )
        )
    )
    markets = set(found[["software", "currency"]].itertuples(index=False, name=None))
    assert markets == {("linux", "USD"), ("linux", "EUR"), ("windows", "USD")}


def test_of_two_prices_of_one_list_the_higher_holds() -> None:
    """A saving by the lower would not be kept."""
    one = billed_prices(bill.charges(hourly(row())))
    two = TypePrices(pd.concat([one, one.assign(price_per_hour=Decimal("0.5"))]))
    market = Market("machine", "eu-west-1", "linux", "USD")

    found = two.compare(market, "m5.xlarge", "m5.xlarge")
    assert found is not None
    assert found.now == Decimal("0.5")
    assert two.compare(market, "m5.xlarge", "m5.large") is None


@pytest.mark.parametrize(
    ("text", "what", "expected"),
    [
        ("on demand linux m5.xlarge instance hour", "machine", "linux"),
        ("on demand windows with sql std m5.xlarge", "machine", "windows sql server"),
        ("on demand linux with sql web m5.xlarge", "machine", "linux sql server"),
        ("red hat enterprise linux m5.xlarge", "machine", "rhel"),
        ("dedicatedusage:m5.xlarge linux", "machine", "linux dedicated"),
        ("boxusage:m5.xlarge", "machine", ""),
        (
            "rds db.m5.large multi-az instance hour running postgresql",
            "database",
            "postgresql multi-az",
        ),
        ("aurora mysql db.r5.large", "database", "aurora mysql"),
        ("rds multi-az usage", "database", "engine of RDS multi-az"),
        ("instanceusage:db.m5.large", "database", "engine of RDS"),
    ],
)
def test_what_runs_is_told_by_the_charge_alone(text: str, what: str, expected: str) -> None:
    """Licences and second zones are in the price, so they make another market."""
    assert bill.software(text, what, "RDS") == expected


def located(resource: str, field: str, value: str, editable: bool = True) -> ValueLocation:
    return ValueLocation(
        resource=resource, field=field, value=value, file="main.tf", document=0, start_byte=0,
        end_byte=1, editable=editable, reason="" if editable else "a variable",
    )  # fmt: skip


def test_a_type_is_edited_only_where_one_value_declares_it() -> None:
    """An edit of what a module shares would change other machines."""
    found = bill.declared_types(
        [
            located("aws_instance/x/a", "instance_type", "m5.xlarge"),
            located("aws_instance/x/a", "root_block_device.volume_size", "20"),
            located("aws_instance/x/b", "instance_type", "m5.xlarge", editable=False),
            located("x/y/c", "size", "1"),
            located("x/y/c", "disk.size", "2"),
            located("AWS::EC2::Instance/x/d", "Properties.InstanceType", "m5.large"),
        ]
    )
    assert {name: value.value for name, value in found.items()} == {
        "aws_instance/x/a": "m5.xlarge",
        "AWS::EC2::Instance/x/d": "m5.large",
    }


def test_a_machine_is_its_newest_charge() -> None:
    """It is known by its region, owner and type of now."""
    rows = hourly(row(), row(charge_date=date(2026, 3, 2), team="web", environment=None))
    (found,) = bill.machines(rows, {}).to_dict("records")

    assert (found["owner"], found["environment"], found["held"]) == ("web", "", "")
    assert (found["what"], found["region"], found["software"]) == ("machine", "eu-west-1", "linux")


@pytest.mark.parametrize(
    ("more", "why"),
    [
        ({"instance_type": "m5.large"}, "its type changed in the window (m5.xlarge to m5.large)"),
        ({"charge_description": "Windows"}, "do not agree on what runs on it"),
        ({"sku_meter": "SpotUsage:m5.xlarge"}, "spot capacity"),
    ],
)
def test_machines_that_changed_are_held(more: dict[str, Any], why: str) -> None:
    """Half a window of another size says nothing of this one."""
    rows = hourly(row(), row(charge_date=date(2026, 3, 2), **more))

    assert why in bill.machines(rows, {})["held"].iloc[0]


def test_machines_that_ended_are_gone() -> None:
    """A saving of what runs no more is none; a bill that is late by a day ended nothing."""
    march = [date(2026, 3, day) for day in (1, 8, 10)]
    rows = hourly(
        row("old", charge_date=march[0]), row("late", charge_date=march[1]),
        row("now", charge_date=march[2]), row("else", source="azure", charge_date=march[0]),
        row("all", source="gcp", charge_date=march[0]),
        row("disk", source="gcp", charge_date=march[2], usage_kind="volume"),
    )  # fmt: skip
    assert set(rows["resource"]) == {"late", "now", "else"}


def test_a_charge_without_words_does_not_say_otherwise() -> None:
    """Hours that a plan covers are often told without their system."""
    rows = hourly(row(), row(charge_date=date(2026, 3, 2), charge_description=None))

    found = bill.machines(rows, {}).iloc[0]
    assert (found["software"], found["held"]) == ("linux", "")


def test_exporters_names_find_their_machine_or_none() -> None:
    """Metrics under another machine's name would size the wrong one."""
    rows = hourly(row("a"), row("b", resource_name="same"), row("c", resource_name="SAME"))
    names = ["i-a", "web-a:9100", "ARN:aws:ec2:eu-west-1:1:instance/i-a", "same", "10.0.0.1:9100"]

    assert bill.measured_as(names, rows) == dict.fromkeys(names[:3], "a")


def test_measured_rows_are_of_known_machines() -> None:
    """Network is the busier direction's: a type carries as much both ways at once."""
    measured = pd.DataFrame(
        {
            "name": ["i-a", "other"], "network_receive_bytes_per_second": [5.0, 1.0],
            "network_transmit_bytes_per_second": [float("nan"), 1.0],
            "disk_read_bytes_per_second": [1.0, 1.0], "disk_written_bytes_per_second": [2.0, 1.0],
        }
    )  # fmt: skip
    found = bill.use(measured, {"i-a": "a"})

    assert found["resource"].tolist() == ["a"]
    assert found["network_bytes_per_second"].tolist() == [5.0]
    assert found["disk_bytes_per_second"].tolist() == [3.0]


@pytest.mark.parametrize(
    ("name", "shape", "generation", "maker", "extras"),
    [
        ("m5.xlarge", "m", 5, "other", ""),
        ("db.r6g.large", "r", 6, "arm", ""),
        ("m5ad.large", "m", 5, "amd", "d"),
        ("c6gn.medium", "c", 6, "arm", "n"),
        ("m7i-flex.2xlarge", "m", 7, "other", "flex"),
        ("t4g.nano", "t", 4, "arm", ""),
        ("Standard_D4s_v3", "D", 3, "other", "d,s"),
        ("Standard_D4s_v5", "D", 5, "other", "s"),
        ("Standard_E8ads_v5", "E", 5, "amd", "d,s"),
        ("Standard_D2ps_v5", "D", 5, "arm", "s"),
        ("n1-standard-4", "standard", 1, "other", ""),
        ("n2d-highmem-8", "highmem", 2, "amd", ""),
        ("t2a-standard-4", "standard", 2, "arm", ""),
    ],
)
def test_names_say_what_providers_say_they_do(
    name: str, shape: str, generation: int, maker: str, extras: str
) -> None:
    """A Graviton taken for an Intel is an outage."""
    found = lineage(name)
    assert found is not None
    assert (found.shape, found.generation, found.maker, found.extras) == (
        shape, generation, maker, extras,
    )  # fmt: skip


@pytest.mark.parametrize(
    "name", ["", "m5.metal", "m5", "custom-4-16384", "Standard_D4", "a b.large"]
)
def test_names_of_no_rule_say_nothing(name: str) -> None:
    """Bare metal and custom sizes are compared with nothing."""
    assert lineage(name) is None


def test_the_nearest_limit_holds_and_the_given_one_before_it() -> None:
    """A catalogue's row for one size says more than the one for its family."""
    limits = pd.concat(
        [LIMITS, pd.DataFrame([("m5.2x%", 0.1, None), ("Standard@_D2s@_v3", 0.125, 5.7)],
                              columns=LIMITS.columns)]
    )  # fmt: skip
    types = pd.concat(
        [
            TYPES.assign(network_gbps=[0.75, *[None] * (len(TYPES) - 1)]),
            pd.DataFrame([("Standard_D2s_v3", 2, 8), ("odd", 2, float("nan"))],
                         columns=TYPES.columns),
        ]
    )  # fmt: skip
    known = Catalogue(types, limits)

    def of(name: str) -> tuple[float | None, float | None]:
        found = known.get(name)
        assert found is not None
        return found.network_gbps, found.disk_mib_per_second

    assert of("m5.large") == (0.75, pytest.approx(46.4))
    assert of("m5.2xlarge") == (pytest.approx(3.2), None)
    assert of("Standard_D2s_v3") == (1.0, pytest.approx(45.6))
    assert of("c5.xlarge") == (None, None)
    assert known.get("odd") is None
